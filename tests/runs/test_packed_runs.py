"""The file of runs that were trained elsewhere: what is written is read, and a damaged file is one line."""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from taskaffinity import atomic
from taskaffinity.errors import InputError
from taskaffinity.runs.external import packed_runs
from taskaffinity.runs.external.packed_runs import TargetRuns, checksum, replacing_packed
from taskaffinity.runs.external.scores import read_scores
from taskaffinity.runs.external.study import write_external
from taskaffinity.runs.external.tables import given_runs
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EXTERNAL, RunSpec, TaskRef
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.tasks.count_checks import compact
from taskaffinity.tasks.metrics import GIVEN_SCORE

REFS = [("rte", "unknown"), ("mnli", "unknown"), ("sst", "unknown")]
RIGHT = np.array([[[1, 1], [0, 1], [1, 1]], [[0, 1], [0, 1], [1, 1]]], dtype=np.float64)
"""Two runs of three examples: two thirds and one third are right."""
TARGETS = {
    "rte": TargetRuns("accuracy", ("", "mnli"), (0, 5), {"accuracy": compact(RIGHT)}, np.array([0, 1, 0])),
    "mnli": TargetRuns(GIVEN_SCORE, ("rte",), (5,), {GIVEN_SCORE: np.array([[[0.25, 1.0, 0.5]]])}),
}


def write_packed(root: Path, refs: Sequence[TaskRef], targets: Mapping[str, TargetRuns]) -> None:
    with replacing_packed(root, refs, targets):
        pass


def spec_of(seed: int, *names: str) -> RunSpec:
    return RunSpec(tuple(sorted((name, "unknown") for name in names)), EXTERNAL, seed, Recipe())


def test_a_run_has_an_outcome_for_each_target_that_is_known(tmp_path: Path) -> None:
    write_packed(tmp_path, REFS, TARGETS)
    store = RunStore(tmp_path)
    pair, single = store.read(spec_of(5, "rte", "mnli")), store.read(spec_of(0, "rte"))
    assert {name: outcome.test for name, outcome in pair.outcomes.items()} == {"rte": 1 / 3, "mnli": 0.25}
    assert single.outcomes["rte"].test == 2 / 3
    assert set(single.outcomes) == {"rte"}
    assert np.array_equal(single.counts["rte/test"], RIGHT[0])
    assert np.array_equal(single.documents["rte/test"], [0, 1, 0])
    assert "mnli/test" not in pair.documents
    for missing in (spec_of(5, "rte"), spec_of(0, "rte", "mnli"), spec_of(5, "rte", "sst"), spec_of(0, "sst")):
        assert missing not in store
        assert store.get(missing) is None


def test_runs_of_other_data_are_not_found(tmp_path: Path) -> None:
    write_packed(tmp_path, [("rte", "f00d"), *REFS[1:]], TARGETS)
    assert RunStore(tmp_path).get(spec_of(0, "rte")) is None


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    write_packed(tmp_path, REFS, TARGETS)
    store = RunStore(tmp_path)
    assert spec_of(0, "rte") in store
    write_packed(tmp_path, REFS, {"mnli": TARGETS["mnli"]})
    assert spec_of(0, "rte") not in store


def changed(root: Path, *, signed: bool = True, **arrays: object) -> None:
    """Write some arrays anew, with the checksum of all; None removes one."""
    path = root / "runs/external.npz"
    with np.load(path) as file:
        content = {key: file[key] for key in file}
    content |= {key.replace("__", "/"): value for key, value in arrays.items()}
    stream = io.BytesIO()
    kept = {key: value for key, value in content.items() if value is not None}
    if signed:
        kept["sha256"] = checksum({key: value for key, value in kept.items() if key != "sha256"})
    np.savez(stream, **kept)
    path.write_bytes(stream.getvalue())


@pytest.mark.parametrize(
    "arrays",
    [
        {"rte__runs": None},
        {"rte__runs": np.array([[-1, 0], [-1, 0]])},
        {"rte__runs": np.array([[-1, 0], [3, 5]])},
        {"rte__runs": np.array([[-1, 0], [0, 5]])},
        {"rte__runs": np.array([[-1, 0], [1, -5]])},
        {"rte__runs": np.array([[-1, 0], [1, 2**32]])},
        {"rte__runs": np.array([[-2, 0], [1, 5]])},
        {"rte__counts__accuracy": None},
        {"rte__counts__accuracy": compact(RIGHT[:1])},
        {"rte__counts__accuracy": RIGHT + 0.5},
        {"rte__counts__accuracy": compact(2 * RIGHT)},
        {"rte__documents": np.array([0, 2, 0])},
        {"mnli__counts__score": np.array([[[1.5, 1.0, 0.5]]])},
        {"mnli__counts__score": np.array([[[np.nan, 1.0, 0.5]]])},
        {"sst__runs": np.array([[-1, 0]])},
        {"tasks": None},
        {"tasks": np.frombuffer(b'[["rte"]]', np.uint8)},
        {"tasks": np.frombuffer(b'[["../rte", "unknown", ""]]', np.uint8)},
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_a_damaged_array_is_one_line(tmp_path: Path, arrays: dict[str, object]) -> None:
    write_packed(tmp_path, REFS, TARGETS)
    changed(tmp_path, **arrays)
    with pytest.raises(InputError, match=r"external\.npz: damaged.*repeat the command") as caught:
        RunStore(tmp_path).get(spec_of(0, "rte"))
    assert "\n" not in str(caught.value)


def test_a_count_that_could_be_is_seen_to_have_changed(tmp_path: Path) -> None:
    other = {"rte__counts__accuracy": compact(RIGHT[::-1])}
    write_packed(tmp_path, REFS, TARGETS)
    changed(tmp_path, **other)
    assert RunStore(tmp_path).read(spec_of(0, "rte")).outcomes["rte"].test == 1 / 3  # nothing else would tell
    write_packed(tmp_path, REFS, TARGETS)
    for arrays in (other, {"rte__runs": np.array([[-1, 5], [1, 0]])}, {"sha256": None}):
        changed(tmp_path, signed=False, **arrays)
        with pytest.raises(InputError, match=r"external\.npz: damaged"):
            RunStore(tmp_path).get(spec_of(0, "rte"))


def test_damaged_bytes_are_one_line_or_change_nothing(tmp_path: Path) -> None:
    write_packed(tmp_path, REFS, TARGETS)
    path = tmp_path / "runs/external.npz"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    broken = [whole[:length] for length in range(0, len(whole), 37)]
    for place in rng.integers(len(whole), size=60).tolist():
        broken.append(whole[:place] + bytes([whole[place] ^ (1 << int(rng.integers(8)))]) + whole[place + 1 :])
    said = []
    for content in broken:
        path.write_bytes(content)
        try:
            run = RunStore(tmp_path).get(spec_of(0, "rte"))
        except InputError as error:
            said.append(str(error))
        else:
            assert run is None or np.array_equal(run.counts["rte/test"], RIGHT[0])
    assert not any("\n" in line for line in said)
    assert len(said) > len(broken) / 2


def study_of(suite: str) -> Study:
    cards = tuple(StudiedTask(name, name, "unknown", GIVEN_SCORE, "unknown", {}) for name in ("rte", "mnli"))
    return Study(suite, cards, EXTERNAL, Recipe(), (0,), (0,))


def scored(score: float) -> dict[str, TargetRuns]:
    rows = {"target": "rte", "source": "", "seed": 0}, {"target": "rte", "source": "mnli", "seed": 0}
    pandas = pytest.importorskip("pandas")
    return given_runs(read_scores(pandas.DataFrame([{**row, "score": score} for row in rows])))


def test_without_room_for_the_runs_the_earlier_study_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores alone have no fingerprint: the earlier runs would be read as those of the new study."""
    write_external(study_of("first"), scored(0.25), tmp_path)

    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packed_runs, "atomic_write", lambda path: Full())
    with pytest.raises(OSError, match="No space left"):
        write_external(study_of("second"), scored(0.5), tmp_path)
    assert Study.load(tmp_path).suite == "first"
    assert RunStore(tmp_path).read(spec_of(0, "rte")).outcomes["rte"].test == 0.25


def test_a_command_that_is_killed_before_its_study_is_written_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (child := os.fork()):
        monkeypatch.setattr(Study, "write", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        write_external(study_of("first"), scored(0.25), tmp_path)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert list(tmp_path.glob("runs/.*"))
    write_external(study_of("first"), scored(0.25), tmp_path)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["external.npz"]


def test_two_commands_write_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "LONGEST_WAIT", 0.1)
    with atomic.exclusive(tmp_path), pytest.raises(InputError, match="another process has been writing here"):
        write_external(study_of("first"), scored(0.25), tmp_path)
    assert not (tmp_path / "study.json").exists()
