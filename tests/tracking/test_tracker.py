"""Trackers log the runs of a study; the trackers here only record their calls."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import REFINE
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.schedule.progress import Progress
from taskaffinity.tracking import tracker
from taskaffinity.tracking.events import LoggedRun, LoggedStudy, run_to_log
from taskaffinity.tracking.tracker import MEMORY, RunTracker, check_trackers


class Notebook:
    """A tracker; ``fails_at`` is the run at which its server goes down."""

    def __init__(self, where: str = "here", fails_at: int | None = None) -> None:
        self.where, self.fails_at = where, fails_at
        self.runs: list[LoggedRun] = []
        self.studies: list[LoggedStudy] = []

    def log_run(self, run: LoggedRun) -> None:
        if len(self.runs) == self.fails_at:
            raise ConnectionError("https://me:secret@host/api is down\nsecond line")
        self.runs.append(run)

    def log_study(self, study: LoggedStudy) -> None:
        self.studies.append(study)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    cards = tuple(StudiedTask(name, name, "relation", "accuracy", f"f-{name}", {}) for name in ("a", "b"))
    made = Study("toy", cards, EncoderRef("tiny", "e0"), REFINE, (0, 1), synthetic=True)
    made.write(tmp_path)
    return made


def finish(root: Path, spec: RunSpec, seconds: float = 3.0) -> None:
    outcomes = {name: Outcome("accuracy", 2, 0.5, 0.25) for name in spec.task_names}
    counts = {f"{name}/test": np.array([[1.0, 1.0], *[[0.0, 1.0]] * 3]) for name in spec.task_names}
    history = [
        {
            "epoch": n,
            "loss": dict.fromkeys((*spec.task_names, "a~placebo"), 1 / n),
            "dev": dict.fromkeys(outcomes, n / 4),
        }
        for n in (1, 2)
    ]
    RunStore(root).write(RunResult(spec, outcomes, counts, history, {"total_seconds": seconds}))


def following(
    study: Study, root: Path, tracker: Notebook, monkeypatch: pytest.MonkeyPatch
) -> tuple[RunTracker, list[str]]:
    module = ModuleType("taskaffinity.tracking.tensorboard")
    module.open_tracker = lambda study, root: tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    said: list[str] = []
    return RunTracker(["tensorboard"], study, RunStore(root), said.append), said


def progress(done: int) -> Progress:
    return Progress(6, done, (), 0, None)


def test_a_run_is_logged_with_settings_curves_scores_and_tags(study: Study, tmp_path: Path) -> None:
    [spec] = [spec for spec in study.plan if len(spec.tasks) == 2 and spec.seed == 1]
    finish(tmp_path, spec)
    logged = run_to_log(study, RunStore(tmp_path), spec)
    assert logged.name == spec.run_id
    assert (logged.settings["tasks"], logged.settings["seed"], logged.settings["learning_rate"]) == ("a, b", 1, 5e-5)
    assert logged.epochs == [
        (1, {"loss/a": 1.0, "loss/b": 1.0, "dev/a": 0.25, "dev/b": 0.25}),
        (2, {"loss/a": 0.5, "loss/b": 0.5, "dev/a": 0.5, "dev/b": 0.5}),
    ]
    assert logged.scores == {
        "test/a": 0.25,
        "test/b": 0.25,
        "chosen_epoch/a": 2.0,
        "chosen_epoch/b": 2.0,
        "seconds": 3.0,
    }
    assert logged.tags["suite"] == "toy"
    assert logged.tags["run_id"] == spec.run_id
    assert "synthetic" in logged.tags["text"]
    assert None not in logged.settings.values()


def test_scores_on_further_test_sets_are_logged_too(study: Study, tmp_path: Path) -> None:
    [spec] = [spec for spec in study.plan if len(spec.tasks) == 2 and spec.seed == 1]
    outcomes = {
        "a": Outcome("accuracy", 2, 0.5, 0.25, {"notes": 0.75, "mail": 0.5}),
        "b": Outcome("accuracy", 2, 0.5, 0.25),
    }
    splits = {"a/test": 0.25, "a/test@notes": 0.75, "a/test@mail": 0.5, "b/test": 0.25, "a/dev": 0.5, "b/dev": 0.5}
    counts = {key: np.array([[float(n < 4 * score), 1.0] for n in range(4)]) for key, score in splits.items()}
    RunStore(tmp_path).write(RunResult(spec, outcomes, counts, [], {"total_seconds": 3.0}))
    scores = run_to_log(study, RunStore(tmp_path), spec).scores
    assert {name: score for name, score in scores.items() if name.startswith("test/")} == {
        "test/a": 0.25,
        "test/a/notes": 0.75,
        "test/a/mail": 0.5,
        "test/b": 0.25,
    }


def test_a_dev_score_is_not_logged_as_a_test_score(study: Study, tmp_path: Path) -> None:
    [spec] = [spec for spec in study.plan if len(spec.tasks) == 2 and spec.seed == 1]
    finish(tmp_path, spec)
    a, b = study.tasks
    without = replace(study, tasks=(a, replace(b, has_test=False)))
    scores = run_to_log(without, RunStore(tmp_path), spec).scores
    assert {name for name in scores if name.startswith("test/")} == {"test/a"}


def test_a_run_that_continued_from_a_checkpoint_does_not_end_in_the_future(study: Study, tmp_path: Path) -> None:
    """Its seconds are those of all attempts, but only the last one has begun in its folder."""
    spec, store = study.plan.specs[0], RunStore(tmp_path)
    with store.claim(spec):
        finish(tmp_path, spec, seconds=3600.0)
    run = run_to_log(study, store, spec)
    written = (store.folder(spec) / "result.json").stat().st_mtime
    assert run.ended == written <= time.time()
    assert run.ended - run.began == pytest.approx(3600.0)


def test_a_folder_is_logged_under_a_lasting_id_of_its_own(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name / "results" / "toy" for name in ("a", "a", "b")]
    marks = []
    for number, (root, spec) in enumerate(zip(places, study.plan, strict=False)):
        finish(root, spec)
        (root / "edges.csv").write_text(f"source,target\n{number},1\n")
        tracker = Notebook()
        follower, said = following(study, root, tracker, monkeypatch)
        follower.end()
        assert said == []
        marks.append({logged.tags["folder"] for logged in (*tracker.runs, *tracker.studies)})
    assert [len(mark) for mark in marks] == [1, 1, 1]
    assert marks[0] == marks[1] != marks[2]


def test_each_run_is_logged_once_when_it_is_done_and_over_restarts(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Notebook()
    follower, said = following(study, tmp_path, tracker, monkeypatch)
    first, second, *others = study.plan
    follower.update(progress(0))
    assert tracker.runs == []
    finish(tmp_path, first)
    follower.update(progress(1))
    follower.update(progress(1))
    assert [run.name for run in tracker.runs] == [first.run_id]
    again = Notebook()
    follower, said = following(study, tmp_path, again, monkeypatch)
    finish(tmp_path, second)
    follower.update(progress(1))
    for spec in others:
        finish(tmp_path, spec)
    follower.end()
    assert [run.name for run in again.runs] == [second.run_id, *(spec.run_id for spec in others)]
    assert said == []


def test_a_run_that_was_trained_again_is_logged_again(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, first = Notebook(), study.plan.specs[0]
    for seconds in (3.0, 3.0, 4.0):
        finish(tmp_path, first, seconds)
        following(study, tmp_path, tracker, monkeypatch)[0].end()
    assert [(run.name, run.scores["seconds"]) for run in tracker.runs] == [(first.run_id, 3.0), (first.run_id, 4.0)]


def test_another_tracking_server_receives_every_run(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for spec in study.plan:
        finish(tmp_path, spec)
    for where in ("https://me:secret@host", "elsewhere"):
        tracker = Notebook(where)
        following(study, tmp_path, tracker, monkeypatch)[0].end()
        assert len(tracker.runs) == len(study.plan)
    assert "secret" not in (tmp_path / MEMORY).read_text()


def test_verdicts_are_logged_at_the_end_and_again_only_when_they_change(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Notebook()
    for table in ("source,target,gain\na,b,1.0\n", "source,target,gain\na,b,1.0\n", "source,target,gain\na,b,2.0\n"):
        (tmp_path / "edges.csv").write_text(table)
        following(study, tmp_path, tracker, monkeypatch)[0].end()
    assert len(tracker.studies) == 2
    assert tracker.studies[0].picture is None
    assert tracker.studies[1].markdown().splitlines() == [
        "| source | target | gain |",
        "| --- | --- | --- |",
        "| a | b | 2.0 |",
    ]


def test_a_tracker_that_fails_is_disabled_with_one_line_and_receives_the_rest_next_time(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Notebook(fails_at=2)
    follower, said = following(study, tmp_path, tracker, monkeypatch)
    for done, spec in enumerate(study.plan, start=1):
        finish(tmp_path, spec)
        follower.update(progress(done))
    follower.end()
    [line] = said
    assert "--report-to tensorboard" in line
    assert "ConnectionError: https://host/api is down" in line
    assert "secret" not in line
    assert len(tracker.runs) == 2
    tracker.fails_at = None
    following(study, tmp_path, tracker, monkeypatch)[0].end()
    assert [run.name for run in tracker.runs] == [spec.run_id for spec in study.plan]


def test_a_lock_that_cannot_be_made_ends_only_the_tracking(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, lock = Notebook(), tmp_path / f".{MEMORY}.lock"
    follower, said = following(study, tmp_path, tracker, monkeypatch)
    lock.mkdir()
    for done in (1, 2):
        follower.update(progress(done))
    follower.end()
    [line] = said
    assert line.startswith("--report-to tensorboard: disabled, training continues (")
    assert tracker.runs == []


def test_without_trackers_nothing_is_written(study: Study, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    follower = RunTracker([], study, RunStore(tmp_path))
    follower.update(progress(1))
    follower.end()
    assert sorted(tmp_path.iterdir()) == before


BROKEN = (
    "{",
    "[]",
    "1",
    '{"folder": 1}',
    '{"tensorboard /x": "y"}',
    '{"tensorboard": {"found": {"a": 1}}}',
    "[" * 10**5,
)


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_memory_ends_only_the_tracking(
    content: str, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MEMORY).write_text(content)
    follower, said = following(study, tmp_path, Notebook(), monkeypatch)
    follower.end()
    assert MEMORY in said[0]
    assert "delete it, and all runs are logged again" in said[0]
    assert said[0].isprintable()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["wandbb"], "--report-to wandbb: no such tracker; there are mlflow, tensorboard, wandb"),
        (["tensorboard,mlflow"], "--report-to mlflow: needs the package mlflow"),
    ],
)
def test_a_tracker_that_is_not_there_is_refused_in_a_line(
    asked: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spec_of(name: str) -> Any:
        return None if name == "mlflow" else object()

    monkeypatch.setattr(tracker, "find_spec", spec_of)
    with pytest.raises(InputError, match=says) as caught:
        check_trackers(asked)
    if "mlflow" in asked[0]:
        assert '-e ".[track]"' in str(caught.value)
