"""A trial's file is a record of that trial, or one line that names it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.tuning.trials import Record, Trial, TrialFolder

TRIAL = Trial((("a", "f1"), ("b", "f2")), EncoderRef("tiny", "e1"), Recipe(num_train_epochs=2), 7)
RECORD = Record(({"a": 50.0, "b": -3.0}, {"a": 60.0, "b": 2.0}), ("b",), None, 1.5, (("a", "b"), ("b",)))
VALUES = (None, True, -200, 1e400, "50", "x" * 200_000, [], {}, [1], {"a": 1}, [{"a": 50.0, "b": 1e9}], [{"a": 1.0}])
FREE: dict[str, tuple[Any, ...]] = {
    "failure": (None, "50", "x" * 200_000),
    "versions": ({},),
    "collapsed": ([],),
    "collapses": ([],),
}


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    folder = TrialFolder(tmp_path)
    folder.write(TRIAL, RECORD, {"torch": "2"})
    assert folder.read(TRIAL) == RECORD
    return folder


def path_of(folder: TrialFolder) -> Path:
    [path] = folder.path.glob("*.json")
    return path


def refused(folder: TrialFolder) -> None:
    with pytest.raises(InputError) as caught:
        folder.read(TRIAL)
    line = str(caught.value)
    assert line.startswith(f"{path_of(folder)}: ")
    assert line.endswith("; delete it to train the trial again")
    assert line.isprintable()
    assert len(line) < 350 + len(str(path_of(folder)))


KEYS = ("seed", "tasks", "encoder", "recipe", "scores", "collapsed", "failure", "seconds", "versions", "surprise")


@pytest.mark.parametrize("key", [*KEYS, "collapses"])
def test_a_wrong_value_is_refused(folder: TrialFolder, key: str) -> None:
    path = path_of(folder)
    content: dict[str, Any] = json.loads(path.read_text())
    for value in VALUES:
        if value in FREE.get(key, ()) and type(value) is not bool:
            continue
        path.write_text(json.dumps({**content, key: value}))
        refused(folder)


@pytest.mark.parametrize("key", ["seed", "tasks", "encoder", "recipe", "scores", "failure", "seconds"])
def test_a_missing_key_is_refused(folder: TrialFolder, key: str) -> None:
    path = path_of(folder)
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    refused(folder)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b"[" * 100_000], ids=range(5))
def test_what_is_no_object_is_refused(folder: TrialFolder, content: bytes) -> None:
    path_of(folder).write_bytes(content)
    refused(folder)


def test_a_trial_without_scores_that_did_not_fail_is_refused(folder: TrialFolder) -> None:
    folder.write(TRIAL, Record((), (), None, 1.0), {})
    refused(folder)
    folder.write(TRIAL, Record((), (), "diverged", 1.0), {})
    assert folder.read(TRIAL) == Record((), (), "diverged", 1.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scores", [{"a": 50.0, "b": -3.0}, {"a": 61.0, "b": 2.0}]),
        ("scores", [{"a": 50.0, "b": -3.0}]),
        ("collapsed", []),
    ],
)
def test_another_possible_value_is_seen_by_the_checksum(folder: TrialFolder, key: str, value: Any) -> None:
    path = path_of(folder)
    content = {**json.loads(path.read_text()), key: value}
    path.write_text(json.dumps(content))
    refused(folder)
    del content["sha256"], content["collapses"]  # as a trial of an older version
    path.write_text(json.dumps(content))
    assert folder.read(TRIAL) is not None


def test_a_record_is_found_whatever_the_order_of_the_tasks(folder: TrialFolder) -> None:
    """A suite file may list the same tasks in another order."""
    backwards = replace(TRIAL, tasks=TRIAL.tasks[::-1])
    assert len(TRIAL.tasks) > 1
    assert folder.read(backwards) == RECORD
