"""Fields that ``columns:`` names are read, or refused by the formats that do not read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

SENTENCES = [("1", "a", ["He", "ran"]), ("2", "a", ["Snarks"]), ("3", "b", ["It", "slept"])]
"""Number, document and words of each sentence; each capital letter begins a mention."""


def tag(word: str) -> str:
    return "B-Beast" if word[0].isupper() else "O"


def conll(split: str) -> str:
    blocks = [
        "".join(f"{split}{number} {split}-{document} {word} {tag(word)}\n" for word in words)
        for number, document, words in SENTENCES
    ]
    return "\n".join(blocks)


def conllup(split: str) -> str:
    columns = "# global.columns = ID FORM NER SENT DOC\n"
    blocks = [
        "".join(
            f"{n}\t{word}\t{tag(word)}\t{split}{number}\t{split}-{document}\n" for n, word in enumerate(words, start=1)
        )
        for number, document, words in SENTENCES
    ]
    return columns + "\n".join(blocks)


@pytest.mark.parametrize(
    ("write", "end", "columns"),
    [
        (conll, "conll", "header: [s, d, w, t], columns: {words: w, tags: t, id: s, document: d}"),
        (conllup, "conllup", "columns: {tags: NER, id: SENT, document: DOC}"),
    ],
)
def test_ids_and_documents_of_words_and_tags_are_read(write, end: str, columns: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for split in SPLITS:
        (tmp_path / f"{split}.{end}").write_text(write(split))
    task = read(tmp_path, f"kind: ner, path: ., {columns}")
    for split in SPLITS:
        found = [(one.id, one.document, list(one.words)) for one in task.examples[split]]
        assert found == [(f"{split}{number}", f"{split}-{document}", words) for number, document, words in SENTENCES]


def test_a_column_of_conll_can_name_the_splits(tmp_path: Path) -> None:
    (tmp_path / "all.conll").write_text("\n\n".join(f"Snarks B-Beast {split}\nran O {split}" for split in SPLITS))
    columns = "{words: w, tags: t, split: s}"
    task = read(tmp_path, f"kind: ner, path: all.conll, header: [w, t, s], columns: {columns}")
    assert [len(task.examples[split]) for split in SPLITS] == [1, 1, 1]


def test_two_documents_in_a_sentence_are_refused(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.conll").write_text("He O\n\nSnarks B-Beast a\nran O b\n".replace("He O", "He O a"))
    block = "kind: ner, path: ., header: [w, t, d], columns: {words: w, tags: t, document: d}"
    with pytest.raises(InputError, match=r"train.conll: line 4: found another document than in line 3; expected one"):
        read(tmp_path, block)


UNREAD = [
    ("conll", ".conll", "document", "columns for format conll; expected none: the first is the word"),
    ("pubtator", ".pubtator", "document", "columns for format pubtator; expected none: its documents"),
    ("bioc", ".xml", "id", "columns for format bioc; expected none: its documents"),
    ("conllu", ".conllu", "text", "columns: text for format conllu; expected some of words, tags, id, idx, doc"),
    ("brat", "", "text", "columns for format brat; expected none: its documents"),
    ("blue", ".tsv", "id", "columns for format blue; expected none: the first is the word"),
]
"""Format, ending, a field that it does not read, and what is said. No ending tells the last two formats."""


@pytest.mark.parametrize(
    ("form", "end", "field", "said", "is_given"),
    [*((*one, True) for one in UNREAD), *((*one, False) for one in UNREAD[:4])],
)
def test_a_field_that_a_format_does_not_read_is_refused(
    form: str, end: str, field: str, said: str, is_given: bool, tmp_path: Path
) -> None:
    (tmp_path / f"train{end}").write_text("He O\n")
    block = f"kind: ner, path: {{train: train{end}}}, dev: 20%, test: 20%, columns: {{{field}: x}}"
    place = "suite.yaml: line 2" if is_given else f"train{end}"
    with pytest.raises(InputError, match=f"{place}: found {said}"):
        read(tmp_path, f"{block}, format: {form}" if is_given else block)


def test_columns_of_fasttext_are_refused_by_its_ending_too(tmp_path: Path) -> None:
    (tmp_path / "train.ft").write_text("__label__a one\n")
    block = "kind: classification, path: {train: train.ft}, dev: 20%, test: 20%, columns: {id: x}"
    with pytest.raises(InputError, match=r"train.ft: found columns for format fasttext; expected none"):
        read(tmp_path, block)


def test_words_and_mentions_together_are_refused(tmp_path: Path) -> None:
    block = "kind: ner, path: d, columns: {words: w, tags: t, entities: e}"
    with pytest.raises(
        InputError, match="line 2: found columns: entities and columns: words; expected words and tags, or"
    ):
        read(tmp_path, block)
