"""A folder or a data file in the place of a suite file: one line with the line that reads it, once it is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.survey import tasks_of

SECRET = "frumious"


def csv(n: int, mark: str) -> str:
    return "text,label\n" + "".join(f"{SECRET} {mark} {k},{'ab'[k % 2]}\n" for k in range(n))


def folder_of_splits(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split, n in (("train", 8), ("dev", 6), ("test", 4)):
        (folder / f"{split}.csv").write_text(csv(n, split))


def message_of(place: Path) -> str:
    messages = []
    for read in (lambda: tasks_of(place), lambda: find_suite(None, file=place)):
        with pytest.raises(InputError) as caught:
            read()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]  # `data inspect PLACE` and `pairwise --suite PLACE`
    assert SECRET not in messages[0]
    return messages[0]


def suggested(message: str, kind: str = "classification") -> str:
    found = re.search(r"with the line (tasks: .*), where KIND is one of .*classification", message)
    assert found, message
    return found[1].replace("KIND", kind)


@pytest.mark.parametrize("inner", ["", "reviews"])
def test_a_folder_of_data_gets_the_line_that_reads_it(
    inner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of_splits(Path("notes") / inner)
    message = message_of(Path("notes"))
    assert message.startswith("notes: found a folder without a suite file; expected a suite file, such as suite.yaml")
    assert message.endswith("`taskaffinity init DIR` writes an example with data")
    Path("suite.yaml").write_text(suggested(message))
    [task] = tasks_of(Path("suite.yaml"))
    assert task.name == (inner or "notes")
    assert [len(task.examples[split]) for split in ("train", "dev", "test")] == [8, 6, 4]


@pytest.mark.parametrize("name", ["reviews.csv", "all.json", "reviews/train.csv"])
def test_a_data_file_gets_the_line_that_reads_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reviews").mkdir()
    rows = [{"text": f"{SECRET} {k}", "label": "ab"[k % 2]} for k in range(60)]
    Path(name).write_text(json.dumps(rows) if name.endswith("json") else csv(60, ""))
    message = message_of(Path(name))
    assert message.startswith(f"{name}: found a data file; expected a suite file")
    Path("suite.yaml").write_text(suggested(message))
    [task] = tasks_of(Path("suite.yaml"))
    assert task.name == name.partition("/")[0].partition(".")[0]
    assert sum(map(len, task.examples.values())) == 60


def test_a_suite_file_that_is_near_is_named(tmp_path: Path) -> None:
    folder_of_splits(tmp_path / "data/reviews")
    (tmp_path / "data/mine.yaml").write_text("")
    expected = f"a suite file; did you mean {tmp_path / 'data/mine.yaml'}?"
    assert message_of(tmp_path / "data") == f"{tmp_path / 'data'}: found a folder; expected {expected}"
    assert message_of(tmp_path / "data/mime.yaml").endswith("writes an example with data; did you mean mine.yaml?")


def test_an_empty_folder_and_nothing(tmp_path: Path) -> None:
    assert "found an empty folder; expected a suite file" in message_of(tmp_path)
    assert "found no such file; expected a suite file (YAML); `taskaffinity init" in message_of(tmp_path / "x" / "y")


def test_a_suite_file_in_json_is_still_read(tmp_path: Path) -> None:
    folder_of_splits(tmp_path / "reviews")
    (tmp_path / "suite.json").write_text(json.dumps({"tasks": {"a": {"kind": "classification", "path": "reviews"}}}))
    [task] = tasks_of(tmp_path / "suite.json")
    assert task.name == "a"
