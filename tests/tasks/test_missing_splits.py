"""A task without all splits: one line with the names that were found, and lines that read the data when written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError

NAMES = ("training", "eval", "final")
SIZES = (12, 6, 8)
SECRET = "frumious bandersnatch"


def rows(name: str, n: int) -> list[dict[str, str]]:
    return [{"text": f"{SECRET} {name} {k}", "label": "ab"[k % 2]} for k in range(n)]


BY_NAME = {name: rows(name, n) for name, n in zip(NAMES, SIZES, strict=True)}


def csv(records: list[dict[str, str]]) -> str:
    keys = list(records[0])
    return "\n".join([",".join(keys), *(",".join(row[key] for key in keys) for row in records), ""])


def one_json(folder: Path, indent: int | None) -> None:
    (folder / "all.json").write_text(json.dumps(BY_NAME, indent=indent))


def by_id(folder: Path) -> None:
    content = {name: {f"{name}{k}": row for k, row in enumerate(records)} for name, records in BY_NAME.items()}
    (folder / "all.json").write_text(json.dumps(content))


def folder_of(folder: Path, names: tuple[str, ...], ending: str) -> None:
    (folder / "d").mkdir()
    for name, records in zip(names, BY_NAME.values(), strict=True):
        lines = "".join(json.dumps(row) + "\n" for row in records)
        (folder / f"d/{name}.{ending}").write_text(csv(records) if ending == "csv" else lines)


def column(folder: Path) -> None:
    (folder / "all.csv").write_text(csv([{**row, "part": name} for name in NAMES for row in BY_NAME[name]]))


def fault_of(folder: Path, block: str) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, f"kind: classification, {block}")
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sizes(folder: Path, block: str) -> tuple[int, ...]:
    return tuple(len(part) for part in read(folder, f"kind: classification, {block}").examples.values())


def line_in(message: str, key: str) -> str:
    """Return the first suggested line of a key, such as ``splits: {...}``."""
    found = re.search(rf"{key}: {{[^}}]*}}", message)
    assert found, message
    return found.group()


@pytest.mark.parametrize("shape", ["lists", "lists over lines", "objects by id", "column"])
def test_names_of_splits_in_one_file_are_shown_and_the_line_reads_them(shape: str, tmp_path: Path) -> None:
    block = "path: all.json"
    if shape == "column":
        column(tmp_path)
        block = "path: all.csv, columns: {split: part}"
    elif shape == "objects by id":
        by_id(tmp_path)
    else:
        one_json(tmp_path, 1 if shape.endswith("lines") else None)
    message = fault_of(tmp_path, block)
    for name in NAMES:
        assert f"'{name}'" in message
    assert "found no train, no dev and no test split among" in message
    line = line_in(message, "splits")
    assert line == "splits: {train: training, dev: NAME, test: NAME}"  # eval and final may be dev or test
    written = line.replace("dev: NAME", "dev: eval").replace("test: NAME", "test: final")
    assert sizes(tmp_path, f"{block}, {written}") == SIZES
    shares = "splits: {train: training} with dev: 10% and test: 20% to take shares of it"
    assert (shares in message) == (shape != "column")  # rows of a column with other names are refused
    if shape != "column":
        assert (
            sum(sizes(tmp_path, f"{block}, splits: {{train: training}}, train: 50%, dev: 25%, test: 25%")) == SIZES[0]
        )


def test_a_misspelt_name_of_a_split_is_shown_beside_those_of_the_file(tmp_path: Path) -> None:
    one_json(tmp_path, None)
    message = fault_of(tmp_path, "path: all.json, splits: {train: trainig, dev: eval, test: final}")
    assert "found no train split among" in message
    assert message.endswith("; did you mean training?")
    assert sizes(tmp_path, f"path: all.json, {line_in(message, 'splits')}") == SIZES


def test_one_object_that_is_a_row_is_no_file_of_splits(tmp_path: Path) -> None:
    row = {"text": "Aspirin helped.", "entities": [{"start": 0, "end": 7, "label": "Drug"}]}
    (tmp_path / "all.json").write_text(json.dumps(row))
    with pytest.raises(InputError) as caught:
        read(tmp_path, "kind: ner, path: all.json, dev: 10%, test: 10%")
    assert "split among" not in str(caught.value)


def test_a_column_of_texts_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text(csv([{**row, "part": row["text"]} for row in BY_NAME["training"]]))
    assert "line 2: found split a text of" in fault_of(tmp_path, "path: all.csv, columns: {split: part}")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("names", [("my_train", "my_dev", "my_test"), ("set1", "set2", "set3"), ("train", "eval", "x")])
def test_names_of_files_are_shown_and_the_line_reads_them(names: tuple[str, ...], ending: str, tmp_path: Path) -> None:
    folder_of(tmp_path, names, ending)
    message = fault_of(tmp_path, "path: d")
    for name in names:
        assert f"{name}.{ending}" in message
    assert f"dev.{ending} and test.{ending}" in message  # the ending of the files of this folder
    line = line_in(message, "path")
    for split, name in zip(("train", "dev", "test"), names, strict=True):
        if f"{split}: d/FILE" in line:
            assert split not in name
            line = line.replace(f"{split}: d/FILE", f"{split}: d/{name}.{ending}")
    assert sizes(tmp_path, line) == SIZES


def test_a_dev_file_of_another_name_is_shown(tmp_path: Path) -> None:
    folder_of(tmp_path, ("train", "evaluation", "test"), "csv")
    message = fault_of(tmp_path, "path: d")
    assert "d: found no dev file among evaluation.csv, test.csv, train.csv; expected dev.csv, or " in message
    assert line_in(message, "path") == "path: {train: d/train.csv, dev: d/FILE, test: d/test.csv}"


@pytest.mark.parametrize("path", ["one.csv", "{train: one.csv}"])
def test_one_file_gets_both_shares_in_one_message(path: str, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(csv(rows("one", 60)))
    message = fault_of(tmp_path, f"path: {path}")
    assert "dev: 10% and test: 20% to take shares of" in message
    assert "path: {train: one.csv, dev: FILE, test: FILE}" in message
    assert sum(sizes(tmp_path, f"path: {path}, dev: 10%, test: 20%")) == 60
    for given, lacks in (("dev: 10%", "test: 20%"), ("test: 20%", "dev: 10%")):
        said = fault_of(tmp_path, f"path: {path}, {given}")
        assert f"expected {lacks} to take a share of" in said
        assert given not in said


def test_a_name_that_yaml_would_read_as_another_value_is_quoted(tmp_path: Path) -> None:
    content = {"train": BY_NAME["training"], "dev": BY_NAME["eval"], "2024-test": BY_NAME["final"]}
    (tmp_path / "all.json").write_text(json.dumps(content))
    message = fault_of(tmp_path, "path: all.json")
    line = line_in(message, "splits")
    assert line == "splits: {test: '2024-test'}"
    assert sizes(tmp_path, f"path: all.json, {line}") == SIZES
