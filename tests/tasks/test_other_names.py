"""Names that other programs use, and wrong separators: one line with the name here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.kinds import KINDS
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS
from taskaffinity.tasks.user import other_names
from taskaffinity.tasks.user.columns import Field
from taskaffinity.tasks.user.task_block import UserTask

ROWS = "text,label\none fever,a\ntwo rash,a\nthree cough,b\nfour pain,b\n"
KIND_OF = {
    "token-classification": "ner",
    "NER": "ner",
    "text-classification": "classification",
    "sequence_classification": "classification",
    "nli": "inference",
    "sts": "similarity",
    "question-answering": "spans",
    "multiple choice": "choice",
    "multi-label": "multilabel",
    "relation-extraction": "relation",
    "clasification": "classification",
}
KEY_OF = {"delimiter": "separator", "sep": "separator", "validation": "dev", "valid": "dev", "type": "kind"}
KEY_OF |= {"data_files": "path", "classes": "labels", "text_column": "columns", "charset": "encoding", "pth": "path"}


def message_of(folder: Path, block: str, rows: str = ROWS, ending: str = "csv") -> str:
    (folder / "d").mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / f"d/{split}.{ending}").write_text(rows)
    with pytest.raises(InputError) as caught:
        read(folder, block)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("said", KIND_OF)
def test_a_kind_of_another_program_gets_the_kind_here(said: str, tmp_path: Path) -> None:
    message = message_of(tmp_path, f"kind: {said}, path: d")
    assert message.startswith(f"suite.yaml: line 2: found kind '{said}'; expected one of ")
    assert message.endswith(f"; did you mean {KIND_OF[said]}?")
    data = {split: [{"text": "a", "label": "b"}] for split in SPLITS}
    with pytest.raises(InputError, match=f"did you mean {KIND_OF[said]}[?]"):
        Suite.from_datasets({name: (data, {}, {"kind": said}) for name in ("x", "y")})


def test_a_kind_that_is_not_learned_here_gets_no_wrong_hint(tmp_path: Path) -> None:
    for said in ("translation", "text-generation", "summarization"):
        assert message_of(tmp_path, f"kind: {said}, path: d").endswith("multilabel, choice, spans")


@pytest.mark.parametrize("said", KEY_OF)
def test_a_key_of_another_program_gets_the_key_here(said: str, tmp_path: Path) -> None:
    message = message_of(tmp_path, f"kind: classification, path: d, {said}: 10%")
    assert message.startswith(f"suite.yaml: line 2: found unknown key '{said}'; expected one of kind, path, ")
    assert message.endswith(f"; did you mean {KEY_OF[said]}?")


def test_names_of_splits_and_fields_get_a_hint(tmp_path: Path) -> None:
    files = "{train: d/train.csv, validation: d/dev.csv, test: d/test.csv}"
    assert message_of(tmp_path, f"kind: classification, path: {files}").endswith(
        "found unknown key 'validation'; expected one of train, dev, test; did you mean dev?"
    )
    assert message_of(tmp_path, "kind: classification, path: d, splits: {validation: x}").endswith(
        "found split 'validation'; expected one of train, dev, test; did you mean dev?"
    )
    message = message_of(tmp_path, "kind: classification, path: d, columns: {sentence: x}")
    assert "found field 'sentence'" in message
    assert message.endswith("did you mean text?")
    message = message_of(tmp_path, "kind: ner, path: d, format: jsonl, columns: {label: x}")
    assert "found columns: label for kind ner" in message


def test_every_hint_is_a_legal_name() -> None:
    assert set(other_names._KIND_OF.values()) <= set(KINDS)
    assert set(other_names._KEY_OF.values()) <= set(UserTask.model_fields)
    assert set(other_names._FIELD_OF.values()) <= set(Field.__args__)
    assert not set(other_names._KIND_OF) & set(KINDS)
    assert not {name.replace("-", "_") for name in other_names._KEY_OF} & set(UserTask.model_fields)


SEPARATORS = {
    "semicolons": ("", ";", "csv", 'is it semicolon-separated? Give separator: ";"'),
    "bars": ("", "|", "csv", 'is it bar-separated? Give separator: "|"'),
    "commas, but semicolons said": ('separator: ";"', ",", "csv", "is it comma-separated? Leave separator: out"),
    "tabs": ("", "\t", "csv", "is it tab-separated? Name it .tsv or give format: tsv"),
    "semicolons in .tsv": ("", ";", "tsv", 'is it semicolon-separated? Give separator: ";" and format: csv'),
    "a word": ("separator: semicolon", ";", "csv", 'one character, such as ";"; did you mean separator: ";"?'),
    "tab as a word": ("separator: tab", "\t", "csv", 'one character, such as ";"; did you mean format: tsv?'),
    "no header": ("header: [text, label]", ";", "csv", "line 1: found 1 column; expected 2, as in the header"),
}


@pytest.mark.parametrize("case", SEPARATORS)
def test_a_wrong_separator_is_named_with_the_right_one(case: str, tmp_path: Path) -> None:
    key, separator, ending, expected = SEPARATORS[case]
    rows = ROWS.replace(",", separator)
    assert message_of(tmp_path, f"kind: classification, path: d, {key}", rows, ending).endswith(expected)


def test_keys_of_json_objects_are_no_header(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"claim": f"{n} x", "verdict": "ab"[n % 2]}) + "\n" for n in range(4))
    message = message_of(tmp_path, "kind: classification, path: d", rows, "jsonl")
    assert message == (
        "d/train.jsonl: line 1: found no text among 2 keys (claim, verdict); "
        "expected a key 'text' or 'sentence1' or 'premise' or 'sentence', or columns: {text: NAME}"
    )
    message = message_of(tmp_path, "kind: classification, path: d, columns: {text: clam}", rows, "jsonl")
    assert message.endswith(
        "found no key 'clam' among 2 (claim, verdict); expected one of them as "
        "columns: {text: NAME}; did you mean claim?"
    )
    data = {split: [{"claim": "x", "verdict": "a"}] for split in SPLITS}
    with pytest.raises(InputError, match=r"found no text among 2 columns \(claim, verdict\); expected a column"):
        Suite.from_datasets({name: (data, {}, {"kind": "classification"}) for name in ("x", "y")})


@pytest.mark.parametrize(
    ("header", "kind", "hint"),
    [
        ("nr,Review,label", "classification", "columns: {text: Review}"),
        ("nr,Review,stars,rating", "classification", "columns: {text: Review, label: rating}"),
        ("Text,Label", "classification", "columns: {text: Text, label: Label}"),
        ("question,endings,answer", "choice", "columns: {text: question, label: answer}"),
        ("nr,Review,stars", "classification", "columns: {text: Review}"),
        ("category,claim", "classification", "columns: {text: NAME, label: category}"),
        ("text,category", "classification", "columns: {label: category}"),
        ("question,passage", "inference", "columns: {text: question, text_pair: passage}"),
        ("text,passage,label", "inference", "columns: {text_pair: passage}"),
        ("text,score", "similarity", "columns: {text_pair: NAME}, or kind: regression for one text"),
        ("text,spans", "ner", "for a text with mentions at offsets, columns: {entities: spans}"),
        ("text,label", "inference", "columns: {text_pair: NAME}, or kind: classification for one text"),
    ],
)
def test_a_column_that_has_another_name_elsewhere_is_named(header: str, kind: str, hint: str, tmp_path: Path) -> None:
    names = header.split(",")
    rows = f"{header}\n" + ",".join("vwxyz"[: len(names)]) + "\n"
    ending = "csv"
    if kind == "ner":
        rows, ending = json.dumps(dict.fromkeys(names, "w")), "jsonl"
    message = message_of(tmp_path, f"kind: {kind}, path: d", rows, ending)
    assert message.endswith(f", {hint}" if kind == "ner" else f", or {hint}")
    assert "no header" not in message


def test_what_spreadsheets_write_gets_a_way_out(tmp_path: Path) -> None:
    message = message_of(tmp_path, "kind: regression, path: d, separator: ';'", "text;label\na;1,5\nb;2,5\n")
    assert message.endswith(
        "line 2: found label a text of 3 characters; expected a number with a decimal point instead of the comma"
    )
    for number, (name, how) in enumerate(
        {"train.xlsx": "save the sheet as CSV (UTF-8)", "all.zip": "unpack it"}.items()
    ):
        folder = tmp_path / str(number)
        (folder / "d").mkdir(parents=True)
        (folder / "d" / name).write_bytes(b"PK")
        with pytest.raises(InputError) as caught:
            read(folder, "kind: classification, path: d")
        assert str(caught.value).endswith(f"; of a file that is not read: {how}")
        with pytest.raises(InputError) as caught:
            read(folder, f"kind: classification, path: {{train: d/{name}}}, dev: 10%, test: 10%")
        assert str(caught.value).endswith(f"; expected {how}")


def test_a_class_without_its_column_is_named(tmp_path: Path) -> None:
    rows = "text,fever,coughs\na,1,0\nb,0,1\n"
    message = message_of(tmp_path, "kind: multilabel, path: d, labels: [fever, cough]", rows)
    assert message.endswith("a column of 0 and 1 for each class, labels: [NAME, ...] (there is none for 'cough')")


def test_keys_that_may_be_text_are_not_quoted(tmp_path: Path) -> None:
    rows = json.dumps({"frumious bandersnatch ran off": 1, "b": 2}) + "\n"
    message = message_of(tmp_path, "kind: classification, path: d", rows, "jsonl")
    assert "found no text among 2 keys; expected a key 'text'" in message


def test_a_file_in_the_place_of_a_folder_gets_all_ways(tmp_path: Path) -> None:
    message = message_of(tmp_path, "kind: classification, path: d/train.csv")
    assert message.endswith(
        "d/train.csv: found one file for all splits; expected dev: 10% and test: 20% to take shares of this file, or "
        "columns: {split: NAME} if a column names the split of each row, or "
        "path: {train: d/train.csv, dev: FILE, test: FILE}"
    )
