"""Small forms of files that other programs write: read, or refused with advice that helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

ROWS = [("a cough", "present"), ("no cough", "absent"), ("fever, high", "present"), ("no fever", "absent")]


def error_of(folder: Path, block: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, block)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_blank_line_in_a_jsonl_file_is_skipped(blank: str, tmp_path: Path) -> None:
    for split in SPLITS:
        lines = [json.dumps({"text": f"{split} {text}", "label": label}) for text, label in ROWS]
        (tmp_path / f"{split}.jsonl").write_bytes("\n".join([*lines[:2], blank, *lines[2:], blank]).encode())
    task = read(tmp_path, "kind: classification, path: .")
    assert [example.label for example in task.examples["train"]] == [label for _, label in ROWS]
    (tmp_path / "train.jsonl").write_text(f'{lines[0]}\n\n{{"text": 5')
    assert "train.jsonl: line 3: found a line that breaks off" in error_of(tmp_path, "kind: classification, path: .")


@pytest.mark.parametrize("first", ["sep={0}", '"sep={0}"', "SEP={0}"])
@pytest.mark.parametrize("separator", [";", "|", "\t", ","])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_first_line_names_the_separator(first: str, separator: str, is_given: bool, tmp_path: Path) -> None:
    for split in SPLITS:
        rows = [f'"{split} {text}"{separator}{label}' for text, label in ROWS]
        lines = [first.format(separator), f"text{separator}label", *rows]
        (tmp_path / f"{split}.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    said = f", separator: {json.dumps(separator)}" if is_given else ""
    task = read(tmp_path, f"kind: classification, path: .{said}")
    assert [(example.text, example.label) for example in task.examples["dev"]] == [(f"dev {a}", b) for a, b in ROWS]
    (tmp_path / "train.csv").write_text(f"sep={separator}\ntext{separator}label\nx{separator}y{separator}z\n")
    assert "train.csv: line 3: found 3 columns" in error_of(tmp_path, f"kind: classification, path: .{said}")


@pytest.mark.parametrize(
    ("ending", "before", "line"),
    [("csv", "", 1), ("csv", "sep=,\n", 2), ("csv", "\n\n", 3), ("tsv", "", 1), ("tsv", "\n \n", 3)],
)
def test_a_fault_of_the_header_names_its_line(ending: str, before: str, line: int, tmp_path: Path) -> None:
    between = {"csv": ",", "tsv": "\t"}[ending]
    for split in SPLITS:
        rows = "".join(f'"{split} {text}"{between}{label}\n' for text, label in ROWS)
        (tmp_path / f"{split}.{ending}").write_text(f"{before}text{between}label\n{rows}")
    task = read(tmp_path, "kind: classification, path: .")
    assert [example.label for example in task.examples["dev"]] == [label for _, label in ROWS]
    (tmp_path / f"train.{ending}").write_text(f"{before}text{between}mark\nx{between}y\n")
    said = error_of(tmp_path, "kind: classification, path: .")
    assert f"train.{ending}: line {line}: found no label among 2 columns" in said
    (tmp_path / f"train.{ending}").write_text(f"{before}text{between}text\nx{between}y\n")
    assert f"train.{ending}: line {line}: found the same name" in error_of(tmp_path, "kind: classification, path: .")


def test_two_separators_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("sep=;\ntext|label\n")
    block = 'kind: classification, path: {train: train.csv}, dev: 20%, test: 20%, separator: "|"'
    assert "train.csv: line 1: found sep=;, and another separator:; expected no separator:" in error_of(tmp_path, block)


@pytest.mark.parametrize("name", ["dataset_dict.json", "state.json"])
def test_a_folder_of_save_to_disk_gets_the_way_out(name: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"d/{split}").mkdir(parents=True)
        (tmp_path / f"d/{split}/data-00000-of-00001.arrow").write_bytes(b"")
    (tmp_path / "d" / name).write_text("{}")
    message = error_of(tmp_path, "kind: classification, path: d")
    assert "d: found a folder that save_to_disk of datasets wrote; expected parquet files" in message
    assert "to_parquet" in message
    assert "Suite.from_datasets" in message


def test_a_folder_is_not_taken_for_a_file_of_another_format(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"d/{split}").mkdir(parents=True)
    assert "if train is of this format" not in error_of(tmp_path, "kind: classification, path: d")
    (tmp_path / "e").mkdir()
    (tmp_path / "e/train").write_text("text,label\n")
    assert "if train is of this format" in error_of(tmp_path, "kind: classification, path: e")


def test_comments_of_multiconer_are_skipped(tmp_path: Path) -> None:
    for split in SPLITS:
        blocks = [f"# id {split}-{n}\tdomain=en\nthe _ _ O\nsnark _ _ B-Beast\n" for n in range(2)]
        (tmp_path / f"{split}.conll").write_text("\n".join(blocks))
    task = read(tmp_path, "kind: ner, path: .")
    assert [example.words for example in task.examples["test"]] == [("the", "snark")] * 2


def test_a_hash_as_a_word_before_id_stays_a_word(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.conll").write_text("# id O\nid id B-x\n")
    assert read(tmp_path, "kind: ner, path: .").examples["train"][0].words == ("#", "id")


@pytest.mark.parametrize("name", ["PMC{}", "10.1000/x.{}", "note-{}"])
def test_ids_of_pubtator_need_not_be_numbers(name: str, tmp_path: Path) -> None:
    for number, split in enumerate(SPLITS):
        of = name.format(number)
        content = f"{of}|t|A snark.\n{of}|a|It ran.\n{of}\t2\t7\tsnark\tBeast\n"
        (tmp_path / f"{split}.pubtator").write_text(content)
    task = read(tmp_path, "kind: ner, path: .")
    assert [example.document for example in task.examples["dev"]] == [name.format(1)] * 2


def twice(tmp_path: Path, second: str) -> str:
    """Write documents of which the last one of train has the id of the first; return the task's keys."""
    first = "1|t|A snark.\n1|a|It ran.\n1\t2\t7\tsnark\tBeast\n"
    (tmp_path / "train.pubtator").write_text(f"{first}\n4|t|A boojum.\n4|a|\n\n{second}")
    for number, split in ((2, "dev"), (3, "test")):
        (tmp_path / f"{split}.pubtator").write_text(f"{number}|t|A boojum.\n{number}|a|\n")
    return "kind: ner, path: ., labels: [Beast]"


def test_a_pubtator_document_that_occurs_twice_is_read_once(tmp_path: Path) -> None:
    """As document 8528200 of the NCBI disease corpus does."""
    block = twice(tmp_path, "1|t|A snark.\n1|a|It ran.\n1\t2\t7\tsnark\tBeast\n")
    task = read(tmp_path, block)
    assert [example.document for example in task.examples["train"]] == ["1", "1", "4"]
    assert task.notes == ("1 document that occurs twice, read once",)


@pytest.mark.parametrize(
    "second", ["1|t|A snark.\n1|a|It ran.\n", "1|t|A snarl.\n1|a|It ran.\n1\t2\t7\tsnarl\tBeast\n"]
)
def test_two_pubtator_documents_with_one_id_are_refused(second: str, tmp_path: Path) -> None:
    message = error_of(tmp_path, twice(tmp_path, second))
    assert "train.pubtator: line 8: found a second document '1'; expected each document once" in message


@pytest.mark.parametrize("blanks", ["", " ", "  "])
def test_blanks_at_the_end_of_a_title_count_in_the_offsets_of_pubtator(blanks: str, tmp_path: Path) -> None:
    """Offsets count the title, one blank and the abstract; blanks after a mention's line count in none."""
    title, body = f"A snark.{blanks}", f"It saw Boojums.{blanks}"
    start = f"{title} {body}".index("Boojums")
    for number, split in enumerate(SPLITS):
        line = f"{number}\t{start}\t{start + 7}\tBoojums\tBeast{blanks}\n{blanks}\n"
        (tmp_path / f"{split}.pubtator").write_text(f"{number}|t|{title}\n{number}|a|{body}\n{line}")
    sentences = read(tmp_path, "kind: ner, path: .").examples["test"]
    assert [one.words for one in sentences] == [("A", "snark", "."), ("It", "saw", "Boojums", ".")]
    assert [one.label for one in sentences] == [("O",) * 3, ("O", "O", "B-Beast", "O")]


def test_a_text_before_the_mark_of_a_title_is_no_id(tmp_path: Path) -> None:
    (tmp_path / "train.pubtator").write_text("the frumious snark|t|x\n")
    message = error_of(tmp_path, "kind: ner, path: {train: train.pubtator}, dev: 20%, test: 20%")
    assert "train.pubtator: line 1: found a line of 22 characters that is no title" in message
    assert "frumious" not in message


@pytest.mark.parametrize(
    ("end", "content"), [("conll", "snark B-Beast\n"), ("jsonl", '{"tokens": ["snark"], "ner_tags": ["B-Beast"]}\n')]
)
def test_overlaps_of_tagged_words_are_refused(end: str, content: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.{end}").write_text(content)
    said = "line 1: found tags of words, and overlaps:; expected mentions at offsets; or leave overlaps: out"
    assert said in error_of(tmp_path, "kind: ner, path: ., overlaps: longest")


def test_keys_that_a_given_format_does_not_use_are_refused(tmp_path: Path) -> None:
    message = error_of(tmp_path, "kind: ner, path: ., format: conll, overlaps: longest")
    assert "suite.yaml: line 2: found overlaps: for format conll" in message
    message = error_of(tmp_path, "kind: multilabel, path: ., format: fasttext, label_separator: ','")
    assert "suite.yaml: line 2: found label_separator for format fasttext" in message
