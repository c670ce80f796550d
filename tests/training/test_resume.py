"""A run that is interrupted and goes on gives the same bytes as one that was not."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded_graphs import RecordedGraphs, train_as_on_a_gpu
from safetensors.torch import save_file
from toy_tasks import RECIPE, TASKS

from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, TrainingState
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.training import execute as module
from taskaffinity.training import resume, selection
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import UnderWay, execute, prepare
from taskaffinity.training.sigterm import Termination

Kind = tuple[RunSpec, Path | None]
Train = Callable[..., RunResult]
WholeOf = Callable[[str], dict[str, Any]]


class Killed(BaseException):
    """Stands for a process that ends."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    cache = tmp_path_factory.mktemp("cache")
    encoder = tiny_encoder(VOCABULARY, cache, layers=1, width=16)
    for recipe in (RECIPE, replace(RECIPE, protocol="paper")):
        prepare(list(TASKS.values()), encoder, recipe, cache)
    return encoder, cache


@pytest.fixture(scope="module")
def kinds(place: tuple[Encoder, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    encoder, cache = place

    def spec(*names: str, **settings: Any) -> RunSpec:
        return RunSpec(tuple(TASKS[name].ref for name in names), encoder.ref, 0, replace(RECIPE, **settings))

    parent = spec("nli", "sts", num_train_epochs=1)
    store = RunStore(tmp_path_factory.mktemp("parent"))
    store.write(execute(parent, encoder_folder=encoder.folder, cache=cache, keep_weights=True))
    tuned = replace(spec("nli"), parent=parent)
    return {
        "single": (spec("tag"), None),
        "pair": (spec("nli", "sts", optimizer="adamax"), None),
        "stopped early": (spec("nli", "rel", early_stopping_patience=1, num_train_epochs=4), None),
        "paper": (spec("rel", "tag", protocol="paper", optimizer="adamax"), None),
        "paper, adamw": (spec("nli", protocol="paper"), None),
        "fine-tuned": (tuned, store.start(tuned)),
        "bf16": (spec("nli", "sts", optimizer="adamax", precision="bf16"), None),
        "balanced": (spec("nli", "tag", balance="uncertainty", class_weights="balanced", sampling="uniform"), None),
        "placebo": (replace(spec("rel"), variant="placebo"), None),
        "matched": (replace(spec("sts"), variant="matched", partner=TASKS["nli"].ref), None),
    }


@pytest.fixture
def train(place: tuple[Encoder, Path], kinds: dict[str, Kind]) -> Train:
    encoder, cache = place

    def call(kind: str, **under_way: Any) -> RunResult:
        spec, start = kinds[kind]
        torch.manual_seed(1)  # what the process did before is of no account
        return execute(
            spec,
            encoder_folder=encoder.folder,
            cache=cache,
            start=start,
            keep_model=True,
            under_way=UnderWay(**under_way),
        )

    return call


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``whole_of`` found, by kind."""
    return {}


@pytest.fixture
def whole_of(train: Train, undisturbed: dict[str, Any], tmp_path: Path) -> WholeOf:
    def call(kind: str) -> dict[str, Any]:
        if kind not in undisturbed:
            undisturbed[kind] = stored(train(kind), tmp_path / "whole")
        found: dict[str, Any] = undisturbed[kind]
        return found

    return call


def stored(result: RunResult, root: Path) -> dict[str, Any]:
    """All that is stored of a run, by file, without times."""
    store = RunStore(root)
    store.write(result)
    folder = store.folder(result.spec)
    files: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    files["history.jsonl"] = [
        {key: value for key, value in json.loads(line).items() if not key.endswith("_seconds")}
        for line in files["history.jsonl"].splitlines()
    ]
    about = json.loads(files["result.json"])
    about["work"] = {name: about["work"][name] for name in ("steps", "pieces")}
    for name in ("history.jsonl", "result.json"):
        del about["sha256"][name]
    for name in [name for name in files if Path(name).stem.startswith("head-")]:  # its two texts have no order
        length = 8 + int.from_bytes(files[name][:8], "little")
        files[name] = json.loads(files[name][8:length]), files[name][length:]
        del about["sha256"][name]
    return {**files, "result.json": about}


class Ending(CheckpointFolder):
    """Ends the process after each checkpoint, up to a number of them."""

    left = 1

    def write(self, state: TrainingState, save: Any) -> None:
        super().write(state, save)
        self.left -= 1
        if self.left >= 0:
            raise Killed


ALL = ("single", "pair", "stopped early", "paper", "paper, adamw", "fine-tuned", "balanced", "placebo", "matched")


@pytest.mark.parametrize("kind", ALL)
def test_a_run_killed_after_each_epoch_gives_the_same_bytes(
    kind: str, train: Train, whole_of: WholeOf, tmp_path: Path
) -> None:
    whole = whole_of(kind)
    deaths = 0
    while True:
        try:
            result = train(kind, checkpoints=Ending(tmp_path, 0))
        except Killed:
            deaths += 1
        else:
            break
    assert stored(result, tmp_path / "again") == whole
    assert deaths == len(result.history)
    (left,) = (tmp_path / "checkpoint").iterdir()
    assert left.stat().st_mode & 0o777 == 0o600
    assert left.parent.stat().st_mode & 0o777 == 0o700


def test_a_run_with_captured_steps_gives_the_same_bytes(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, with an object that plays the graphs; each process captures its steps anew."""
    train_as_on_a_gpu(monkeypatch)
    made: list[RecordedGraphs] = []

    def make_graphs() -> RecordedGraphs:
        made.append(RecordedGraphs())
        return made[-1]

    monkeypatch.setattr(module, "CudaGraphs", make_graphs)
    whole = train("pair")
    assert whole.versions["steps"] == "captured"
    assert made[0].n_replays > len(whole.history)
    deaths = 0
    while True:
        try:
            result = train("pair", checkpoints=Ending(tmp_path, 0))
        except Killed:
            deaths += 1
        else:
            break
    assert deaths == len(whole.history)
    assert len(made) >= deaths
    assert stored(result, tmp_path / "again") == stored(whole, tmp_path / "whole")


class Signalled(HeartbeatWriter):
    """Sends SIGTERM to this process during a mini-batch."""

    def __init__(self, folder: Path, batch: int) -> None:
        super().__init__(folder, 9)
        self.batch = batch

    def step(self, n_examples: int) -> None:
        super().step(n_examples)
        self.batch -= 1
        if self.batch == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def ended_by_signal() -> Iterator[None]:
    def end(*_: object) -> None:
        raise Killed

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("ended_by_signal")
@pytest.mark.parametrize(("kind", "batch"), [*((kind, 3) for kind in ALL), ("single", 1), ("single", 5)])
def test_a_run_terminated_within_an_epoch_gives_the_same_bytes(
    kind: str, batch: int, train: Train, whole_of: WholeOf, tmp_path: Path
) -> None:
    whole = whole_of(kind)
    with pytest.raises(Killed):
        train(kind, checkpoints=CheckpointFolder(tmp_path), heartbeat=Signalled(tmp_path, batch))
    (left,) = (tmp_path / "checkpoint").iterdir()
    assert left.name[:17] == f"000001-{batch:09d}-"
    heartbeat = HeartbeatWriter(tmp_path, 3)
    assert stored(train(kind, checkpoints=CheckpointFolder(tmp_path), heartbeat=heartbeat), tmp_path / "b") == whole


@pytest.mark.usefixtures("ended_by_signal")
@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_run_terminated_while_it_is_evaluated_gives_the_same_bytes(
    split: str,
    train: Train,
    whole_of: WholeOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, evaluate = whole_of("pair"), selection.evaluate
    names = []

    def interrupted(model: Any, task: Any, of: str, *rest: Any) -> Any:
        names.append(of)
        if of == split and names.count(of) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(model, task, of, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "evaluate", interrupted)
    with pytest.raises(Killed):
        train("pair", checkpoints=CheckpointFolder(tmp_path))
    monkeypatch.undo()
    assert stored(train("pair", checkpoints=CheckpointFolder(tmp_path)), tmp_path / "again") == whole


@pytest.mark.usefixtures("ended_by_signal")
@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_run_with_bf16_weights_continues_after_an_end_while_it_is_evaluated(
    split: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the optimizer of a GPU, on a CPU; test is evaluated in fp32, after the training."""

    def save_copies(tensors: Mapping[str, torch.Tensor], *to: Any) -> None:  # from a GPU, all tensors are copied
        save_file({name: value.clone() for name, value in tensors.items()}, *to)

    train_as_on_a_gpu(monkeypatch)
    monkeypatch.setattr(module, "CudaGraphs", RecordedGraphs)
    monkeypatch.setattr(resume, "save_file", save_copies)
    whole = stored(train("bf16"), tmp_path / "whole")
    evaluate, names = selection.evaluate, []

    def interrupted(model: Any, task: Any, of: str, *rest: Any) -> Any:
        names.append(of)
        if of == split and names.count(of) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(model, task, of, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(selection, "evaluate", interrupted)
        with pytest.raises(Killed):
            train("bf16", checkpoints=CheckpointFolder(tmp_path))
    assert CheckpointFolder(tmp_path).newest is not None
    assert stored(train("bf16", checkpoints=CheckpointFolder(tmp_path)), tmp_path / "again") == whole
    assert not caplog.records  # the checkpoint was not refused


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def of_other_versions(path: Path) -> None:
    """Written by an honest process with another torch."""
    import hashlib

    content = path.read_bytes().replace(torch.__version__.encode(), torch.__version__[::-1].encode())
    path.with_name(f"000002-{0:09d}-{hashlib.sha256(content).hexdigest()}.safetensors").write_bytes(content)
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "said"), [(changed, "damaged"), (cut, "damaged"), (of_other_versions, "of another version of torch")]
)
def test_a_checkpoint_that_cannot_be_used_is_removed_and_the_run_starts_anew(
    damage: Callable[[Path], None],
    said: str,
    train: Train,
    whole_of: WholeOf,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = whole_of("single")
    with pytest.raises(Killed):
        train("single", checkpoints=Ending(tmp_path, 0))
    (left,) = (tmp_path / "checkpoint").iterdir()
    damage(left)
    again = train("single", checkpoints=CheckpointFolder(tmp_path, 60))
    assert stored(again, tmp_path / "again") == whole
    assert [record.getMessage().split(": ")[2] for record in caplog.records] == [
        f"{said}; the run starts from its beginning"
    ]
    assert not list((tmp_path / "checkpoint").iterdir())


def test_a_checkpoint_that_cannot_be_restored_costs_one_attempt(
    train: Train, whole_of: WholeOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the run would fail at each attempt."""
    whole = whole_of("single")
    with pytest.raises(Killed):
        train("single", checkpoints=Ending(tmp_path, 0))

    def fails(*_: Any) -> None:
        raise KeyError("a moment that the optimizer does not have")

    with monkeypatch.context() as patch:
        patch.setattr(resume, "restore_loop", fails)
        with pytest.raises(KeyError):
            train("single", checkpoints=CheckpointFolder(tmp_path, 60))
    assert CheckpointFolder(tmp_path).newest is None
    assert stored(train("single", checkpoints=CheckpointFolder(tmp_path, 60)), tmp_path / "again") == whole


def test_a_run_continues_on_another_gpu_driver_or_without_mps(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[dict[str, str]] = []
    for gpu in ({"gpu": "A100", "driver": "1", "mps": "on"}, {"gpu": "H100", "driver": "2"}):
        monkeypatch.setattr(module, "versions_of", lambda *_, gpu=gpu: {**module.versions(), **gpu})
        try:
            found.append(dict(train("single", checkpoints=Ending(tmp_path, 60 * len(found))).versions))
        except Killed:
            found.append({})
    assert found[0] == {}
    assert (found[1]["gpu"], "mps" in found[1]) == ("H100", False)
    assert not caplog.records


def test_a_checkpoint_of_another_run_is_refused(train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Killed):
        train("single", checkpoints=Ending(tmp_path, 0))
    train("matched", checkpoints=CheckpointFolder(tmp_path, 60))
    assert "of another run" in caplog.text


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_run(
    train: Train,
    whole_of: WholeOf,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "checkpoint").write_text("in its way")
    whole = whole_of("single")
    assert stored(train("single", checkpoints=CheckpointFolder(tmp_path, 0)), tmp_path / "again") == whole
    assert "no checkpoint was written" in caplog.text


@pytest.mark.usefixtures("ended_by_signal")
def test_a_batch_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskaffinity.training.sigterm.BOUNDARY_SECONDS", 0.01)
    seconds = []

    def slow_batch() -> None:
        with Termination():
            os.kill(os.getpid(), signal.SIGTERM)
            while len(seconds) < 1000:
                time.sleep(0.01)
                seconds.append(0.01)

    with pytest.raises(Killed):
        slow_batch()
    assert len(seconds) < 1000
