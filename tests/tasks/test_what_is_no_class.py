"""Values that are no class or no tag are refused instead of learned: "-", the header again, two tags in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, tags_of

CSV = "text,label\n{0} one,yes\n{0} two,no\n{0} three,{1}\n{0} four,{1}\n{0} five,yes\n{0} six,no\n"


def write(folder: Path, content: str, ending: str = "csv") -> None:
    for split in SPLITS:
        (folder / f"{split}.{ending}").write_text(content.replace("{0}", split))


@pytest.mark.parametrize("labels", ["", ", labels: [no, yes]"])
def test_the_label_of_snli_without_agreement_is_no_class(labels: str, tmp_path: Path) -> None:
    write(tmp_path, CSV.replace("{1}", "-"))
    with pytest.raises(InputError, match=r"train.csv: line 4: found label -, which means no label; expected rows with"):
        read(tmp_path, f"kind: classification, path: .{labels}")


@pytest.mark.parametrize("keys", ["labels: ['-', no, yes]", "negative: '-'"])
def test_a_hyphen_is_a_class_if_the_suite_file_names_it(keys: str, tmp_path: Path) -> None:
    write(tmp_path, CSV.replace("{1}", "-"))
    task = read(tmp_path, f"kind: relation, path: ., {keys}")
    assert [example.label for example in task.examples["dev"]] == ["yes", "no", "-", "-", "yes", "no"]


def test_the_header_of_a_joined_file_is_no_row(tmp_path: Path) -> None:
    part = CSV.replace("{1}", "no")
    write(tmp_path, part + part.replace("{0}", "{0} more") + part.replace("{0}", "{0} last"))
    with pytest.raises(InputError, match=r"train.csv: line 8: found the header again; expected one header"):
        read(tmp_path, "kind: classification, path: .")


@pytest.mark.parametrize("between", "|,/;+&")
def test_two_tags_of_nested_mentions_are_no_type(between: str, tmp_path: Path) -> None:
    write(tmp_path, f"{{0}}\tB-protein{between}B-DNA\nx\tI-protein{between}O\n\n{{0}}\tB-DNA\n", "conll")
    with pytest.raises(InputError, match=r"train.conll: line 1: found tag .* on word 1, which is several tags"):
        read(tmp_path, "kind: ner, path: .")


@pytest.mark.parametrize("kind", ["Body/Part", "A|B", "E-mail/Bot", "RNA-O"])
def test_a_type_with_a_separator_stays_a_type(kind: str, tmp_path: Path) -> None:
    write(tmp_path, f"{{0}}\tB-{kind}\nx\tI-{kind}\n", "conll")
    [example] = read(tmp_path, "kind: ner, path: .").examples["train"]
    assert tags_of(example) == (f"B-{kind}", f"I-{kind}")


def test_a_message_does_not_list_texts_in_the_column_of_labels(tmp_path: Path) -> None:
    texts = ["{0} has a dry cough", "{0} has no rash today", "{0} took zinc at night"]
    write(tmp_path, "".join(f"yes,{text}\n" for text in texts * 2))
    with pytest.raises(InputError, match="which no training example has") as error:
        read(tmp_path, "kind: classification, path: ., header: [text, label]")
    assert not any(word in str(error.value) for word in ("cough", "rash", "zinc"))


def test_several_choices_of_label_studio_are_classes(tmp_path: Path) -> None:
    chosen = [{"choices": ["fever", "cough"]}, "cough", "fever", {"choices": ["cough", "rash"]}, "rash"]
    for split in SPLITS:
        rows = [{"text": f"{split} {n}", "symptoms": one} for n, one in enumerate(chosen)]
        (tmp_path / f"{split}.json").write_text(json.dumps(rows))
    task = read(tmp_path, "kind: multilabel, path: ., columns: {label: symptoms}")
    expected = [("cough", "fever"), ("cough",), ("fever",), ("cough", "rash"), ("rash",)]
    assert [example.label for example in task.examples["test"]] == expected


@pytest.mark.parametrize("tag", [["B-Drug"], {"type": "Drug"}, [0, 0, "Drug"], 1.5, None, True])
@pytest.mark.parametrize("labels", ["", ", labels: [Drug]", ", labels: [O, B-Drug, I-Drug]"])
def test_a_tag_that_is_no_text_is_one_line(tag: object, labels: str, tmp_path: Path) -> None:
    for split in SPLITS:
        row = {"tokens": ["Zinc", split], "ner_tags": ["O", tag]}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"train.jsonl: line 1: found tag") as error:
        read(tmp_path, f"kind: ner, path: .{labels}")
    assert "\n" not in str(error.value)
