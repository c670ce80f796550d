"""Which files of a folder are read: names, endings, numbered parts and folders of brat, or one line with the files."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.standoff.brat import read_folder
from taskaffinity.tasks.task import SPLITS


def tagged(split: str, n: int, mark: str = "\t") -> str:
    return "".join(f"w{split}{k}{mark}B-Drug\nhelped{mark}O\n\n" for k in range(n))


@pytest.mark.parametrize("names", [("train", "devel", "test"), ("train", "valid", "test")])
@pytest.mark.parametrize("end", [".txt", ".tsv", ".txt.gz"])
def test_words_and_tags_need_no_format(end: str, names: tuple[str, str, str], tmp_path: Path) -> None:
    import gzip

    (tmp_path / "d").mkdir()
    for n, name in enumerate(names, start=2):
        content = tagged(name, n).encode()
        (tmp_path / f"d/{name}{end}").write_bytes(gzip.compress(content) if end.endswith("gz") else content)
    task = read(tmp_path, "kind: ner, path: d")
    assert [len(task.examples[split]) for split in SPLITS] == [2, 3, 4]
    assert [example.words[0] for example in task.examples["dev"]] == [f"w{names[1]}{k}" for k in range(3)]


def test_a_file_of_notes_beside_the_data_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / f"d/{split}.conll").write_text(tagged(split, 2))
        (tmp_path / f"d/{split}.txt").write_text("frumious")
    assert len(read(tmp_path, "kind: ner, path: d").examples["dev"]) == 2


def test_a_numbered_part_that_is_the_whole_split_is_read(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name, n in {"train": 6, "validation": 4, "test": 5}.items():
        rows = [{"text": f"{name} {k}", "label": k % 2} for k in range(n)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"d/{name}-00000-of-00001.parquet")
    task = read(tmp_path, "kind: classification, path: d")
    assert [len(task.examples[split]) for split in SPLITS] == [6, 4, 5]
    whole = tmp_path / "d/train-00000-of-00001.parquet"
    whole.rename(tmp_path / "d/train-00000-of-00002.parquet")  # the second part was not downloaded
    with pytest.raises(InputError, match=r"d: found 1 part of train, such as train-00000-of-00002.parquet; .*join all"):
        read(tmp_path, "kind: classification, path: d")
    (tmp_path / "d/train-00001-of-00002.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="d: found 2 parts of train"):
        read(tmp_path, "kind: classification, path: d")


def brat(folder: Path, names: list[str]) -> None:
    """Write documents of one mention each; their texts differ."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.txt").write_text(f"Zinc {number} helped.")
        (folder / f"{name}.ann").write_text("T1\tDrug 0 4\tZinc\n")


def test_documents_in_subfolders_are_one_collection(tmp_path: Path) -> None:
    names = [f"batch{n % 3}/{n // 3}" for n in range(90)]  # the same file names in every batch
    brat(tmp_path / "d", names)
    (tmp_path / "d/README").write_text("notes")
    (tmp_path / "d/batch0/notes.txt").write_text("no document, because it has no .ann")
    assert [document.name for _, document in read_folder(tmp_path / "d")] == sorted(names)
    task = read(tmp_path, "kind: ner, path: d, format: brat, dev: 20%, test: 20%")
    documents = [example.document for split in SPLITS for example in task.examples[split]]
    assert sorted(map(str, documents)) == sorted(names)


def test_documents_of_a_flat_folder_keep_their_names(tmp_path: Path) -> None:
    names = [f"note{n}" for n in random.Random(1).sample(range(100), 50)]
    brat(tmp_path / "d", names)
    brat(tmp_path / "d/old", ["other"])  # not read: the folder itself has documents
    assert [document.name for _, document in read_folder(tmp_path / "d")] == sorted(names)


@pytest.mark.parametrize(
    ("files", "block", "said"),
    [
        (
            ["a_train.csv", "a_test.csv"],
            "kind: classification",
            "no train, no dev and no test file among a_test.csv, a_train.csv; expected train.csv, dev.csv and test.cs"
            "v, or path: {train: d/a_train.csv, dev: d/FILE, test: d/a_test.csv}, or path: {train: d/a_train.csv} wit",
        ),
        (
            [],
            "kind: classification",
            "d: found an empty folder; expected train.jsonl, dev.jsonl and test.jsonl (.jsonl, .json, .csv, .tsv",
        ),
        (
            ["train.txt", "test.txt"],
            "kind: classification",
            "or format: csv, tsv or another, if test.txt is of this format",
        ),
        (
            ["x/train.csv"],
            "kind: classification",
            "d: found no train, no dev and no test file among x; expected train.jsonl",
        ),
        (
            ["1.txt", "1.ann"],
            "kind: ner",
            "test file, but files .txt and .ann; expected format: brat, and",
        ),
        (
            ["train/1.txt", "train/1.ann"],
            "kind: relation",
            "test file, but files .txt and .ann; expected format: b",
        ),
        (
            ["notes.csv"],
            "kind: ner, format: brat",
            "d: found no folders train, dev and test, and no NAME.txt; expected the folders t",
        ),
        (
            ["1.txt", "2.txt", "1.ann"],
            "kind: ner, format: brat, dev: 10%, test: 10%",
            "2.txt: found no 2.ann beside it",
        ),
    ],
)
def test_a_folder_without_the_files_is_one_line_that_names_them(
    files: list[str], block: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    for name in files:
        (tmp_path / "d" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "d" / name).write_text("")
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"{block}, path: d")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("reviws.csv", "reviws.csv: found no such file; expected the one of PLACE; did you mean reviews.csv?"),
        ("'reviews_*.csv'", "reviews_*.csv: found no such file; expected names without * and {}, as path: {train: FIL"),
        ("'{split}.csv'", "{split}.csv: found no such file; expected names without"),
        ("fillr", "fillr: found no such folder; expected the one of PLACE; did you mean filler?"),
    ],
)
def test_a_path_that_is_not_there_is_named_as_what_it_is(path: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n")
    (tmp_path / "filler").mkdir()
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"kind: classification, path: {path}, dev: 10%, test: 10%")
    assert said.replace("PLACE", f"{tmp_path / 'suite.yaml'}: line 2") in str(caught.value)
