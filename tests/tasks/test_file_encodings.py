"""Files in another encoding: the message names one that reads them, and only if it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

WESTERN = {
    "German": "Übelkeit seit gestern, kein Fieber über 38 °C; Müdigkeit und Schwäche",
    "French": "fièvre élevée depuis hier, œdème léger, garçon âgé, pas de céphalées",
    "Spanish": "¿dolor de cabeza? niña con náuseas y vómitos, corazón sin soplos",
    "Danish": "ingen feber, åndenød og træthed, smerter i høre øre",
    "quotes": "“she said it’s a cough” – no fever…",
}
OTHERS = {
    "Russian": ("жар и кашель со вчерашнего дня", "cp1251"),
    "Russian, DOS": ("жар и кашель со вчерашнего дня", "cp866"),
    "Greek": ("πυρετός και βήχας από χθες", "iso8859-7"),
    "Polish": ("gorączka i ból głowy, zmęczenie, żółty język, łóżko", "cp1250"),
    "French, Mac": ("fièvre élevée depuis hier, garçon âgé, pas de céphalées", "mac-roman"),
    "German, DOS": ("Übelkeit und Schwäche, Müdigkeit für Tage", "cp850"),
}
EAST_ASIAN = {
    "Chinese": ("昨天开始发烧咳嗽", "gb2312", "gb18030"),
    "traditional Chinese": ("昨天開始發燒咳嗽", "big5", "cp950"),
    "Japanese": ("昨日から熱と咳があります", "shift_jis", "cp932"),
    "Japanese, EUC": ("昨日から熱と咳があります", "euc-jp", "euc-jp"),
    "Korean": ("어제부터 열과 기침", "euc-kr", "cp949"),
}
"""Language -> text, the encoding of the file, and the one that the message names."""
NAMED = re.compile(r"encoding: ([\w-]+)")


def write(folder: Path, text: str, encoding: str, form: str = "csv") -> str:
    """Write three files of four rows; return the block that reads them as UTF-8."""
    (folder / "d").mkdir(exist_ok=True)
    separator = {"csv": ",", "tsv": "\t"}.get(form, "")
    rows = [(f"{text.replace(',', '')} {n}", "ab"[n % 2]) for n in range(4)]
    if form == "jsonl":
        content = "".join(f'{{"text": "{one}", "label": "{label}"}}\n' for one, label in rows)
    elif form == "conll":
        content = "\n".join("".join(f"{word} B-x\n" for word in one.split()) for one, _ in rows)
    else:
        content = "\n".join(separator.join(row) for row in [("text", "label"), *rows])
    for split in SPLITS:
        (folder / f"d/{split}.{form}").write_bytes(content.encode(encoding))
    return f"kind: {'ner' if form == 'conll' else 'classification'}, path: d"


def message_of(folder: Path, block: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, block)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "conll"])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("language", WESTERN)
def test_the_named_encoding_reads_the_text(language: str, encoding: str, form: str, tmp_path: Path) -> None:
    text = (
        WESTERN[language].translate(str.maketrans("“”’–…œ", "«»'-.o")) if encoding == "latin-1" else WESTERN[language]
    )
    block = write(tmp_path, text, encoding, form)
    found = NAMED.search(message_of(tmp_path, block))
    assert found
    examples = read(tmp_path, f"{block}, encoding: {found[1]}").examples["train"]
    assert (" ".join(examples[0].words) or examples[0].text) == " ".join(f"{text.replace(',', '')} 0".split())


@pytest.mark.parametrize("language", EAST_ASIAN)
def test_the_encoding_of_east_asian_text_is_named(language: str, tmp_path: Path) -> None:
    text, encoding, named = EAST_ASIAN[language]
    block = write(tmp_path, text, encoding)
    message = message_of(tmp_path, block)
    assert message.endswith(f"UTF-8 text, or encoding: {named} if the text is {language.partition(',')[0]}")
    assert read(tmp_path, f"{block}, encoding: {named}").examples["dev"][3].text == f"{text} 3"


def test_too_few_letters_name_no_encoding(tmp_path: Path) -> None:
    message = message_of(tmp_path, write(tmp_path, "기침이", "euc-kr"))
    assert "or encoding: NAME, such as cp949 (Korean), gb18030" in message


@pytest.mark.parametrize(
    ("language", "encoding"), [(name, one[1]) for name, one in (*EAST_ASIAN.items(), *OTHERS.items())]
)
def test_a_file_that_is_not_utf_8_is_one_note_with_its_letters(language: str, encoding: str, tmp_path: Path) -> None:
    text = (EAST_ASIAN.get(language) or OTHERS[language])[0]
    notes = read(tmp_path, f"{write(tmp_path, text, encoding)}, encoding: {encoding}").notes
    script = {
        "Chi": "all Chinese characters",
        "tra": "all Chinese characters",
        "Kor": "all Korean",
        "Rus": "all Cyrillic",
    }
    script |= {"Gre": "all Greek", "Jap": "% Japanese kana, "}
    assert len(notes) == 1
    assert notes[0].startswith(f"read as {encoding}, as encoding: says; letters beyond ASCII: ")
    assert script.get(language[:3], "all Latin") in notes[0]
    assert "check encoding:" not in notes[0]
    assert not set(notes[0]) & {c for c in text if c > "\x7f"}


@pytest.mark.parametrize(
    ("language", "wrong", "says"),
    [
        ("Korean", "gb18030", "all Chinese characters; cp949 (Korean) is more likely: check encoding:"),
        ("Korean", "latin-1", "all Latin; cp949 (Korean) is more likely: check encoding:"),
        ("Korean", "cp1252", "; cp949 (Korean) is more likely: check encoding:"),
        ("Korean", "cp1251", "; cp949 (Korean) is more likely: check encoding:"),
        ("Japanese", "gb18030", "; cp932 (Japanese) is more likely: check encoding:"),
        ("Japanese, EUC", "latin-1", "; euc-jp (Japanese) is more likely: check encoding:"),
        ("Chinese", "latin-1", "; gb18030 (Chinese) is more likely: check encoding:"),
        ("traditional Chinese", "gb18030", "; cp950 (traditional Chinese) is more likely: check encoding:"),
        ("Russian", "latin-1", "all Latin; few Western European texts have such letters: check encoding:"),
        ("Russian", "koi8-r", "; many words begin with a small letter and go on in capitals: check encoding:"),
        ("Greek", "latin-1", ": check encoding:"),
        ("Polish", "cp1252", ": check encoding:"),
        ("German, DOS", "latin-1", ": check encoding:"),
        ("German, DOS", "cp1251", "; many symbols stand within words: check encoding:"),
    ],
)
def test_a_wrong_encoding_that_reads_the_file_is_doubted(language: str, wrong: str, says: str, tmp_path: Path) -> None:
    text, encoding = (EAST_ASIAN.get(language) or OTHERS[language])[:2]
    if language == "Russian":
        text = text.title()  # koi8-r and cp1251 have capitals where the other one has small letters
    notes = read(tmp_path, f"{write(tmp_path, text, encoding)}, encoding: {wrong}").notes
    assert len(notes) == 1
    assert notes[0].endswith(says)


def test_utf_8_and_ascii_have_no_note(tmp_path: Path) -> None:
    assert read(tmp_path, write(tmp_path, "어제부터 열과 기침", "utf-8")).notes == ()
    assert read(tmp_path, f"{write(tmp_path, 'a cough', 'ascii')}, encoding: cp949").notes == ()
    assert read(tmp_path, f"{write(tmp_path, 'née Müller', 'utf-8')}, encoding: utf-8").notes == ()


@pytest.mark.parametrize("language", OTHERS)
def test_no_encoding_is_named_that_reads_other_letters(language: str, tmp_path: Path) -> None:
    text, encoding = OTHERS[language]
    block = write(tmp_path, text, encoding)
    message = message_of(tmp_path, block)
    by_script = "cp949 (Korean), gb18030 (Chinese), cp932 (Japanese) or cp1251 (Cyrillic)"
    assert message.endswith(f"expected UTF-8 text, or encoding: NAME, such as {by_script}")
    assert read(tmp_path, f"{block}, encoding: {encoding}").examples["dev"][3].text == f"{text.replace(',', '')} 3"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "iso8859-15", "mac-roman"])
def test_a_file_in_utf_8_is_not_read_as_another_encoding(encoding: str, tmp_path: Path) -> None:
    block = write(tmp_path, WESTERN["German"], "utf-8")
    expected = f"train.csv: found UTF-8 text, and encoding: {encoding}; expected no encoding:, or encoding: utf-8"
    assert message_of(tmp_path, f"{block}, encoding: {encoding}").endswith(expected)
    plain = write(tmp_path, "no fever", "utf-8")
    assert read(tmp_path, f"{plain}, encoding: {encoding}").examples["train"][0].text == "no fever 0"


def test_a_wrong_encoding_is_named_with_the_right_one(tmp_path: Path) -> None:
    block = write(tmp_path, WESTERN["German"], "cp1252")
    for wrong in ("utf-8", "ascii", "utf-16", "utf-32"):
        assert re.search(
            rf"train.csv: line \d+: found bytes that are not {wrong}; expected encoding: cp1252$",
            message_of(tmp_path, f"{block}, encoding: {wrong}"),
        )
    block = write(tmp_path, WESTERN["German"], "utf-16-le")
    for wrong in ("latin-1", "cp1251"):
        assert message_of(tmp_path, f"{block}, encoding: {wrong}").endswith(
            f"line 1: found bytes that are not {wrong}; expected encoding: utf-16-le"
        )


@pytest.mark.parametrize(
    ("said", "meant"), [("ansi", "cp1252"), ("utf_8x", "utf-8"), ("latin", None), ("cp125", "cp125")]
)
def test_an_encoding_that_python_lacks_gets_a_hint(said: str, meant: str | None, tmp_path: Path) -> None:
    block = write(tmp_path, "no fever", "utf-8")
    if meant is None:  # a name that Python has
        assert len(read(tmp_path, f"{block}, encoding: {said}").examples["train"]) == 4
        return
    message = message_of(tmp_path, f"{block}, encoding: {said}")
    assert f"found encoding '{said}'; expected an encoding, such as latin-1 or cp1252; did you mean {meant}" in message


def test_a_file_that_takes_no_encoding_key_names_none(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_bytes("name: fièvre\n".encode("latin-1"))
    from taskaffinity.tasks.user.suitefile import read_suite

    with pytest.raises(
        InputError, match=r"line 1: found byte 0xe8 at column \d+, which is not UTF-8; expected UTF-8 text$"
    ):
        read_suite(tmp_path / "suite.yaml")
