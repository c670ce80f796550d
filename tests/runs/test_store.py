"""The results folder: done means whole, and nothing else counts as done."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Outcome, Predictions, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import AlreadyRunning, MissingRuns, RunStore
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.stored.run_result import StoredResult, read_result
from taskaffinity.tasks.metrics import METRICS

SPEC = RunSpec((("a", "f1"), ("b", "f2")), EncoderRef("tiny", "e1"), 0, Recipe())
GOLD, PREDICTED = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 3.0, 2.0, 5.0])
RESULT = RunResult(
    SPEC,
    {
        "a": Outcome("accuracy", 2, 0.5, 0.5),
        "b": Outcome("pearson", 1, -0.125, float(np.corrcoef(GOLD, PREDICTED)[0, 1])),
    },
    {"a/test": np.array([[1.0, 1.0], [0.0, 1.0]]), "b/test": METRICS["pearson"].tally(GOLD, PREDICTED, ())},
    [{"epoch": 1, "loss": {"a": 0.75}}, {"epoch": 2, "loss": {"a": 0.5}}],
    {"train_seconds": 1.5, "steps": 12},
    {"torch": "2"},
    {"a/test": Predictions(["a.1", "a.2"], ["yes", "no"], ["yes", "yes"])},
    documents={"a/test": np.array([0, 0])},
)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "results")


def test_a_result_comes_back_as_it_was_written(store: RunStore) -> None:
    store.write(RESULT)
    again = store.read(SPEC)
    assert (again.spec, again.outcomes, again.work, again.versions) == (
        SPEC,
        RESULT.outcomes,
        RESULT.work,
        RESULT.versions,
    )
    assert list(again.history) == list(RESULT.history)
    assert set(again.counts) == set(RESULT.counts)
    assert {key: numbers.tolist() for key, numbers in again.documents.items()} == {"a/test": [0, 0]}
    for key, counts in RESULT.counts.items():
        np.testing.assert_array_equal(again.counts[key], counts)
        assert again.counts[key].dtype == counts.dtype


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([(0.5, 0.9), (0.1, 0.1), (0.7, 0.8)], 3),
        ([(0.9, 0.5), (0.1, 0.1), (0.5, 0.9)], 1),
        ([(0.5, 0.5), (0.9, 0.9), (0.4, 0.5)], 1),
    ],
    ids=["the best on average", "the first of equals", "of those that were kept"],
)
def test_what_many_runs_start_from_is_the_epoch_that_was_best_on_average(
    store: RunStore, history: list[tuple[float, float]], best: int
) -> None:
    rows = [{"epoch": epoch, "dev": {"a": a, "b": b}} for epoch, (a, b) in enumerate(history, start=1)]
    chosen = {"a": Outcome("accuracy", 3, history[2][0], 0.5), "b": Outcome("pearson", 1, history[0][1], 0.1)}
    assert store.weights(SPEC) is None
    store.write(replace(RESULT, history=rows, outcomes=chosen, weights={epoch: {"x": np.ones(1)} for epoch in (1, 3)}))
    paths = {epoch: store.folder(SPEC) / "model" / f"epoch-{epoch}.safetensors" for epoch in (1, 3)}
    assert store.weights(SPEC) == paths[best]
    for tasks in (SPEC.tasks, SPEC.tasks[:1]):
        assert store.start(replace(SPEC, tasks=tasks, parent=SPEC, variant="continued")) == paths[best]
    assert store.start(replace(SPEC, tasks=SPEC.tasks[:1], parent=SPEC)) == paths[3]
    assert store.start(replace(SPEC, tasks=SPEC.tasks[1:], parent=SPEC)) == paths[1]
    assert store.start(SPEC) is None
    paths[best].unlink()
    assert store.weights(SPEC) is None


@pytest.mark.parametrize("kind", ["weights", "predictions"])
def test_a_run_that_another_process_replaces_while_it_is_read_is_not_damaged(
    kind: str, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``result.json`` is still that of the first training, and the other files are those of the second one."""
    rows = [{"epoch": epoch, "dev": {"a": 0.5, "b": 0.25}} for epoch in (1, 2)]
    chosen = {"a": Outcome("accuracy", 1, 0.5, 0.5), "b": Outcome("pearson", 2, 0.25, 0.1)}
    first = replace(RESULT, history=rows, outcomes=chosen, weights={epoch: {"x": np.ones(1)} for epoch in (1, 2)})
    found = replace(RESULT.predictions["a/test"], predicted=("no", "no"))
    second = replace(first, history=[{**row, "loss": {"a": 0.125}} for row in rows], predictions={"a/test": found})
    store.write(first)
    real, looks = read_result, iter([lambda: store.write(second), lambda: None, lambda: None])

    def read(folder: Path, spec: RunSpec) -> StoredResult:
        stored = real(folder, spec)
        next(looks)()
        return stored

    monkeypatch.setattr("taskaffinity.runs.store.read_result", read)
    if kind == "weights":
        assert store.weights(SPEC) == store.folder(SPEC) / "model" / "epoch-1.safetensors"
        return
    table = store.predictions(SPEC)
    assert table is not None
    assert table["predicted"].to_pylist() == ["no", "no"]


def test_predictions_are_a_table_by_id(store: RunStore) -> None:
    chances = np.array([[0.75, 0.25], [0.5, 0.5]], dtype=np.float32)
    found = replace(RESULT.predictions["a/test"], classes=("yes", "no"), probabilities=chances)
    store.write(replace(RESULT, predictions={"a/test": found, "a/dev": RESULT.predictions["a/test"]}))
    path = store.folder(SPEC) / "predictions.parquet"
    rows = [
        {"task": "a", "split": split, "id": f"a.{number}", "gold": gold, "predicted": "yes"}
        for split in ("test", "dev")
        for number, gold in ((1, "yes"), (2, "no"))
    ]
    table = pq.read_table(path)
    assert table.drop_columns("probabilities").to_pylist() == rows
    assert table["probabilities"].to_pylist() == [
        [("yes", 0.75), ("no", 0.25)],
        [("yes", 0.5), ("no", 0.5)],
        None,
        None,
    ]


def test_predictions_of_an_older_version_have_no_probabilities(store: RunStore) -> None:
    store.write(RESULT)
    path, result = store.folder(SPEC) / "predictions.parquet", store.folder(SPEC) / "result.json"
    pq.write_table(pq.read_table(path).drop_columns("probabilities"), path)
    content = json.loads(result.read_text())
    content["sha256"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    result.write_text(json.dumps(content))
    read = store.predictions(SPEC)
    assert read is not None
    assert read["probabilities"].to_pylist() == [None, None]
    assert read["id"].to_pylist() == ["a.1", "a.2"]


def test_without_predictions_there_is_no_table(store: RunStore) -> None:
    store.write(replace(RESULT, predictions={}))
    assert not (store.folder(SPEC) / "predictions.parquet").exists()
    assert SPEC in store


def test_predictions_of_an_earlier_training_go_with_it(store: RunStore) -> None:
    store.write(RESULT)
    store.write(replace(RESULT, predictions={}))
    assert not (store.folder(SPEC) / "predictions.parquet").exists()


def test_a_run_is_done_when_its_result_is_there_and_not_before(store: RunStore, monkeypatch: Any) -> None:
    written: list[str] = []

    def on_progress(source: Path, target: Path) -> None:
        assert SPEC not in store
        written.append(Path(target).name)
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", on_progress)
    assert SPEC not in store
    store.write(RESULT)
    assert SPEC in store
    assert written[-1] == "result.json"
    assert set(written) == {"spec.json", "history.jsonl", "counts.npz", "predictions.parquet", "result.json"}


def write_and_be_killed(root: Path, file: str) -> None:
    def dying(source: Path, target: Path) -> None:
        if Path(target).name == file:
            os.kill(os.getpid(), signal.SIGKILL)
        os.rename(source, target)

    setattr(os, "replace", dying)  # noqa: B010
    RunStore(root).write(RESULT)


@pytest.mark.parametrize("file", ["counts.npz", "result.json"])
def test_a_writer_that_is_killed_leaves_no_result_and_the_next_one_finishes(store: RunStore, file: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=write_and_be_killed, args=(store.root, file))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert SPEC not in store
    with pytest.raises(MissingRuns):
        store.read(SPEC)
    assert not (store.folder(SPEC) / file).exists()
    store.write(RESULT)
    assert store.read(SPEC).outcomes == RESULT.outcomes


def test_nothing_is_a_pickle(store: RunStore) -> None:
    store.write(RESULT)
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".jsonl", ".npz", ".parquet"}
    with np.load(store.folder(SPEC) / "counts.npz", allow_pickle=False) as counts:
        assert {counts[key].dtype for key in counts.files} <= {np.dtype(name) for name in ("float64", "int64", "uint8")}
    objects = replace(RESULT, counts={"a/test": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        store.write(objects)


def test_a_missing_run_is_named(store: RunStore) -> None:
    with pytest.raises(MissingRuns, match=SPEC.run_id.replace("+", r"\+")):
        store.read(SPEC)


def test_a_run_that_is_trained_again_is_absent_for_a_reader_that_does_not_check_first(store: RunStore) -> None:
    store.write(RESULT)
    found = store.get(SPEC)
    assert found is not None
    assert found.outcomes == RESULT.outcomes
    (store.folder(SPEC) / "result.json").unlink()
    assert store.get(SPEC) is None
    assert store.seconds(SPEC) is None


def test_a_folder_of_another_spec_is_refused(store: RunStore) -> None:
    store.write(RESULT)
    other = replace(SPEC, seed=1)
    store.folder(SPEC).rename(store.folder(other))
    with pytest.raises(ValueError, match=r"result\.json: the result of run \S+; delete its folder"):
        store.read(other)


@pytest.mark.parametrize("file", ["result.json", "spec.json", "history.jsonl"])
@pytest.mark.parametrize("content", [b'{\n"run_id": ', b"\xff\xfe"], ids=["cut", "not UTF-8"])
def test_a_broken_file_is_one_clear_line(store: RunStore, file: str, content: bytes) -> None:
    store.write(RESULT)
    path = store.folder(SPEC) / file
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not JSON|damaged|not the file that was written") as caught:
        store.read(SPEC)
    assert str(path) in str(caught.value)
    assert "delete" in str(caught.value)
    assert "\n" not in str(caught.value)


OF_ANOTHER_VERSION: dict[str, tuple[str, Any]] = {
    "an unknown setting": ("spec.json", {**SPEC.to_dict(), "recipe": {"momentum": 1}}),
    "an empty result": ("result.json", {}),
    "a list": ("result.json", []),
    "outcomes that are none": ("result.json", {"outcomes": [], "work": [], "versions": {}}),
    "an unknown outcome": ("result.json", {"outcomes": {"a": {"loss": 1}}, "work": None, "versions": {}}),
    "no spec": ("spec.json", None),
}


@pytest.mark.parametrize("what", OF_ANOTHER_VERSION)
def test_a_run_of_another_version_or_half_copied_is_one_clear_line(store: RunStore, what: str) -> None:
    store.write(RESULT)
    file, content = OF_ANOTHER_VERSION[what]
    path = store.folder(SPEC) / file
    if content is None:
        path.unlink()
    else:
        path.write_text(json.dumps(content))
    reads: list[Callable[[RunSpec], object]] = [store.read]
    if file == "result.json":
        reads += [store.seconds, store.weights]
    for read in reads:
        with pytest.raises(
            ValueError, match=r"missing|half copied, or of another version .*; delete its folder"
        ) as caught:
            read(SPEC)
        assert str(store.folder(SPEC)) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_broken_counts_are_one_clear_line(store: RunStore) -> None:
    store.write(RESULT)
    path = store.folder(SPEC) / "counts.npz"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match="delete") as caught:
        store.read(SPEC)
    assert str(path) in str(caught.value)


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"ü": 1})
    assert read_json(path) == {"ü": 1}
    with pytest.raises(TypeError):
        write_json(path, {"x": object()})
    assert read_json(path) == {"ü": 1}
    assert json.loads(path.read_text(encoding="utf-8")) == {"ü": 1}


def test_a_write_that_fails_leaves_no_litter(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"x": object()})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_its_reason_until_the_run_is_done(store: RunStore) -> None:
    assert store.failure(SPEC) is None
    store.fail(SPEC, "out of memory", "Traceback\n  line")
    assert store.failure(SPEC) == "out of memory"
    assert SPEC not in store
    assert "Traceback" in (store.folder(SPEC) / "error.txt").read_text(encoding="utf-8")
    store.write(RESULT)
    assert store.failure(SPEC) is None


def test_a_reason_that_cannot_be_written_does_not_end_the_other_runs(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("taskaffinity.runs.store.atomic_write", full)
    store.fail(SPEC, "diverged")
    assert store.failure(SPEC) is None


def test_a_file_in_the_place_of_a_folder_is_no_run(store: RunStore) -> None:
    store.folder(SPEC).parent.mkdir(parents=True)
    store.folder(SPEC).touch()
    assert (store.get(SPEC), store.weights(SPEC), store.predictions(SPEC)) == (None, None, None)
    assert (store.claimed_at(SPEC), store.failure(SPEC)) == (None, None)
    assert SPEC not in store


def test_trying_again_forgets_the_failure_and_says_what_is_tried_and_since_when(store: RunStore) -> None:
    assert store.claimed_at(SPEC) is None
    store.fail(SPEC, "diverged")
    before = time.time() - 1
    with store.claim(SPEC):
        assert store.failure(SPEC) is None
        claimed = store.claimed_at(SPEC)
        assert claimed is not None
        assert claimed >= before
        assert parse_model((store.folder(SPEC) / "spec.json").read_bytes(), RunSpec) == SPEC
    assert SPEC not in store


def test_who_claims_a_run_that_is_done_does_not_begin_it(store: RunStore) -> None:
    with store.claim(SPEC):
        store.write(RESULT)
    os.utime(store.folder(SPEC) / "spec.json", (1.0, 1.0))
    with store.claim(SPEC):
        assert store.claimed_at(SPEC) == 1.0
        store.begin(SPEC)
        assert time.time() - (store.claimed_at(SPEC) or 0.0) < 60


def claim_in_a_process(root: Path, connection: Any) -> None:
    try:
        with RunStore(root).claim(SPEC):
            connection.send("claimed")
    except AlreadyRunning as error:
        connection.send(str(error))


def claimed_by_another_process(store: RunStore) -> str:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=claim_in_a_process, args=(store.root, there))
    process.start()
    process.join()
    answer: str = here.recv()
    return answer


def test_a_run_is_claimed_by_one_process_at_a_time(store: RunStore) -> None:
    with store.claim(SPEC):
        assert claimed_by_another_process(store) == f"run {SPEC.run_id} is being trained by another process"
    assert claimed_by_another_process(store) == "claimed"


def test_a_results_folder_can_move(store: RunStore, tmp_path: Path) -> None:
    store.write(RESULT)
    store.root.rename(tmp_path / "elsewhere")
    assert RunStore(tmp_path / "elsewhere").read(SPEC).outcomes == RESULT.outcomes
