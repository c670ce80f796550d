"""A study: what was asked, and all that the reading wing needs to know."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.runs.plan import pairwise
from taskaffinity.runs.spec import EncoderRef, Recipe
from taskaffinity.runs.study import StudiedTask, Study

STUDY = Study(
    suite="toy",
    tasks=(
        StudiedTask("b", "B", "ner", "span_f1", "f2", {"train": 5, "dev": 2, "test": 2}),
        StudiedTask("a", "A", "inference", "accuracy", "f1", {"train": 4, "dev": 1, "test": 3}),
    ),
    encoder=EncoderRef("tiny", "e1"),
    recipe=Recipe(batch_size=7, max_train_examples=3),
    seeds=(3, 4),
    full=True,
    synthetic=True,
    versions={"torch": "2"},
)


def test_a_study_comes_back_as_it_was_written(tmp_path: Path) -> None:
    STUDY.write(tmp_path / "results")
    again = Study.read(tmp_path / "results")
    assert again == STUDY
    assert again.versions == STUDY.versions
    assert again.encoder.name == "tiny"
    assert [task.name for task in again.tasks] == ["b", "a"]
    assert [spec.run_id for spec in again.plan] == [spec.run_id for spec in STUDY.plan]


def test_the_plan_follows_from_the_study() -> None:
    refs = [("a", "f1"), ("b", "f2")]
    assert STUDY.plan == pairwise(refs, STUDY.encoder, STUDY.recipe, [3, 4], full=True)


def test_no_study_here_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no study\.json here; .*taskaffinity pairwise") as caught:
        Study.read(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        json.dumps({**dataclasses.asdict(STUDY), "surprise": 1}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "tasks": 3}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "recipe": {"momentum": 1}}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "recipe": {"batch_size": 0}}).encode(),
    ],
    ids=["cut", "not UTF-8", "empty", "a list", "null", "a key too many", "no tasks", "unknown setting", "bad setting"],
)
def test_a_file_that_is_no_study_is_one_line_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"study\.json") as caught:
        Study.read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_versions_do_not_make_another_study() -> None:
    assert replace(STUDY, versions={"torch": "3"}) == STUDY
