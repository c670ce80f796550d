"""What Ray has at once, with a Ray that is invented: it trains nothing and ends runs in any order."""

from __future__ import annotations

import _thread
import errno
import itertools
import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder
from taskaffinity.schedule import on_ray, ray_worker, submission, worker
from taskaffinity.schedule.ray_session import DIED
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.submission import Submission
from taskaffinity.schedule.window import window_size
from taskaffinity.schedule.worker import BROKEN_GPU, FOUND_DONE, NO_MEMORY, Finished, train_and_store
from taskaffinity.training.execute import reason_of

ENCODER = EncoderRef("tiny", "e1")


def parents_and_children(n: int) -> list[RunSpec]:
    parents = [RunSpec((("a", "f1"), ("b", "f2")), ENCODER, seed, Recipe()) for seed in range(n)]
    return parents + [RunSpec((("a", "f1"),), ENCODER, one.seed, Recipe(), parent=one) for one in parents]


@pytest.mark.parametrize(("n", "at_once"), [(3, 2), (200, 2), (200, 90), (200, 500)])
def test_each_run_is_handed_over_once_or_again_after_its_parent_and_never_too_many(n: int, at_once: int) -> None:
    specs, rng = parents_and_children(n), random.Random(n + at_once)
    place = {spec: number for number, spec in enumerate(specs)}
    handed: list[int] = []
    ended, tried = set[int](), set[int]()

    def submit(spec: RunSpec, settings: Mapping[str, Any]) -> int:
        assert place[spec] < n or place[spec] - n in ended  # a child is n places after its parent
        handed.append(place[spec])
        return len(handed) - 1

    runs = Submission([(spec, {"gpu_share": 0.0}) for spec in specs], submit, at_once)
    most = window_size(at_once)
    while runs.fill():
        waiting = {one for one in range(2 * n) if one < n or one - n in ended} - set(handed)
        assert len(runs.pending) == most or not waiting  # a free worker never waits
        assert len(runs.pending) <= most
        for reference in rng.sample(sorted(runs.pending), rng.randint(1, min(5, len(runs.pending)))):
            spec, settings = runs.take(reference)
            one = place[spec]
            if one not in tried and rng.random() < 0.2:
                tried.add(one)
                runs.again(spec, {"gpu_share": 0.5})  # what starts from it waits for this attempt
                continue
            assert settings["gpu_share"] == (0.5 if one in tried else 0.0)
            runs.end(spec)
            ended.add(one)
    assert ended == set(range(2 * n))
    assert len(handed) == 2 * n + len(tried)


class FakeRay:
    """A Ray whose runs end at once with given outcomes."""

    exceptions = SimpleNamespace(RayError=KeyError, RayTaskError=KeyError, WorkerCrashedError=ZeroDivisionError)

    def __init__(self, outcomes: Mapping[tuple[int, float], Any]) -> None:
        self.outcomes = outcomes
        self.handed: list[tuple[int, float]] = []
        self.options_given: dict[str, Any] = {}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}}]

    def remote(self, **options: Any) -> Any:
        self.options_given = options

        def decorate(function: Any) -> Any:
            def hand_over(num_gpus: float, **_: Any) -> Any:
                def start(spec: RunSpec, settings: Mapping[str, Any]) -> int:
                    assert settings["gpu_share"] == num_gpus
                    self.handed.append((spec.seed, num_gpus))
                    return len(self.handed) - 1

                return SimpleNamespace(remote=start)

            return SimpleNamespace(options=hand_over)

        return decorate

    def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:
        return references[:1], references[1:]

    def get(self, reference: int) -> Any:
        outcome = self.outcomes.get(self.handed[reference], FOUND_DONE)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def cancel(self, reference: int, force: bool = False) -> None:
        raise AssertionError("nothing is left to cancel")


def outcomes_of(ray: FakeRay, share: float, root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, str | None]:
    specs = [RunSpec((("a", "f1"),), ENCODER, seed, Recipe(device="cuda")) for seed in range(3)]
    monkeypatch.setattr(on_ray, "_has_arrived", lambda spec, store: True)
    events = on_ray._train(
        ray, [(spec, {"gpu_share": share}) for spec in specs], RunStore(root), Resources(gpus_per_run=share)
    )
    return {event.spec.seed: event.reason for event in events if isinstance(event, Finished)}


LACKS = f"{NO_MEMORY}: lower batch_size"


def test_a_run_without_memory_gets_twice_the_share_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({(0, 0.25): LACKS, (1, 0.25): LACKS, (1, 0.5): LACKS})
    reasons = outcomes_of(ray, 0.25, tmp_path, monkeypatch)
    assert reasons == {0: FOUND_DONE, 1: LACKS, 2: FOUND_DONE}
    assert sorted(ray.handed) == [(0, 0.25), (0, 0.5), (1, 0.25), (1, 0.5), (2, 0.25)]
    assert ray.options_given["max_calls"] == 0  # a worker trains one run after the other


@pytest.mark.parametrize(("share", "reason"), [(1.0, LACKS), (0.0, LACKS), (0.25, "diverged: no")])
def test_other_runs_fail_at_once(share: float, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({(0, share): reason})
    assert outcomes_of(ray, share, tmp_path, monkeypatch) == {0: reason, 1: FOUND_DONE, 2: FOUND_DONE}
    assert len(ray.handed) == 3


def test_twice_a_large_share_is_the_whole_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({(0, 0.75): LACKS})
    assert outcomes_of(ray, 0.75, tmp_path, monkeypatch)[0] == FOUND_DONE
    assert (0, 1.0) in ray.handed


def test_reasons_begin_as_they_are_known_by() -> None:
    assert reason_of(torch.OutOfMemoryError("CUDA out of memory")).startswith(NO_MEMORY)
    assert reason_of(torch.AcceleratorError("CUDA error: an illegal memory access")).startswith(BROKEN_GPU)


def test_a_broken_gpu_ends_the_process_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(ray_worker.os, "_exit", left.append)
    spec = parents_and_children(1)[0]
    for reason in (None, "diverged", f"{BROKEN_GPU}: see the traceback in error.txt"):
        monkeypatch.setattr(ray_worker, "train_and_store", lambda *_, reason=reason: reason)
        assert ray_worker.train_in_worker(spec, {}) == reason
    assert left == [1]


@pytest.mark.parametrize(("devices", "n_ended"), [("0010", 1), ("1111", 0)])
def test_a_process_that_gets_another_gpu_ends(devices: str, n_ended: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA reads the variable once: the run would train beside those of the GPU that was opened first."""

    class Ended(Exception):
        pass

    def end(code: int) -> None:
        assert code == 1
        ray_worker._opened.clear()  # another process
        raise Ended

    trained: list[str] = []
    monkeypatch.setattr(ray_worker, "_opened", [])
    monkeypatch.setattr(ray_worker.os, "_exit", end)
    monkeypatch.setattr(ray_worker, "train_and_store", lambda *_: trained.append(os.environ["CUDA_VISIBLE_DEVICES"]))
    on_gpu, on_cpu = (RunSpec((("a", "f1"),), ENCODER, 0, Recipe(device=device)) for device in ("cuda", "cpu"))
    ended = 0
    for device in devices:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", device)
        try:
            ray_worker.train_in_worker(on_gpu, {})
        except Ended:
            ended += 1
    assert ended == n_ended
    assert len(trained) == len(devices) - n_ended
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    ray_worker.train_in_worker(on_cpu, {})
    assert trained[-1] == "7"


class CancelledRay(FakeRay):
    """A Ray whose even runs end when they are cancelled; it keeps what was asked of it."""

    def __init__(self) -> None:
        super().__init__({})
        self.cancelled: list[tuple[int, bool]] = []

    def wait(self, references: list[int], timeout: float, num_returns: int = 1) -> tuple[list[int], list[int]]:
        assert (num_returns == 1) or (num_returns, timeout) == (len(references), on_ray.CHECKPOINT_SECONDS)
        return [one for one in references if (one, False) in self.cancelled and one % 2 == 0], references[1::2]

    def cancel(self, reference: int, force: bool = False) -> None:
        self.cancelled.append((reference, force))


def test_an_interrupted_executor_waits_for_checkpoints_and_ends_only_the_runs_that_write_none(tmp_path: Path) -> None:
    ray = CancelledRay()
    specs = [RunSpec((("a", "f1"),), ENCODER, seed, Recipe()) for seed in range(4)]
    events = on_ray._train(ray, [(spec, {"gpu_share": 0.0}) for spec in specs], RunStore(tmp_path), Resources())
    assert [next(events), next(events)] == [4, ()]
    events.close()
    assert ray.cancelled == [*((n, False) for n in range(4)), (1, True), (3, True)]


def test_a_run_that_another_command_trains_is_postponed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker does not wait but takes the next run; what starts from it still comes after it."""
    specs, store = parents_and_children(2), RunStore(tmp_path)
    done: list[RunSpec] = []
    tried: list[RunSpec] = []

    class WorkingRay(FakeRay):
        """Its workers claim runs as real ones do."""

        def __init__(self) -> None:
            super().__init__({})
            self.results: list[str | None] = []

        def remote(self, **_: Any) -> Any:
            return lambda _: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self.start))

        def start(self, spec: RunSpec, settings: Mapping[str, Any]) -> int:
            tried.append(spec)
            self.results.append(train_and_store(spec, {**settings, "root": tmp_path}))
            return len(self.results) - 1

        def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:
            assert references  # Ray refuses an empty list
            return super().wait(references, timeout)

        def get(self, reference: int) -> str | None:
            return self.results[reference]

    monkeypatch.setattr(worker, "_train", lambda spec, *_: done.append(spec))
    monkeypatch.setattr(RunStore, "__contains__", lambda _, spec: spec in done)
    monkeypatch.setattr(RunStore, "start", lambda _, spec: spec.parent and tmp_path)
    monkeypatch.setattr(RunStore, "check_file", lambda *_: None)
    monkeypatch.setattr(submission, "_POSTPONED_SECONDS", 0.3)
    monkeypatch.setattr(on_ray, "POLL_SECONDS", 0.01)
    kept: dict[str, Any] = dict.fromkeys(("keep_weights", "keep_model"), False)
    events = on_ray._train(WorkingRay(), [(spec, {"gpu_share": 0.0, **kept}) for spec in specs], store, Resources())
    ended: list[RunSpec] = []
    with store.claim(specs[0]):  # as the other command does
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            event = next(events)
            if isinstance(event, Finished):
                ended.append(event.spec)
        assert ended == [specs[1], specs[3]]
        assert tried.count(specs[0]) == 1
    assert [event.spec for event in events if isinstance(event, Finished)] == [specs[0], specs[2]]
    assert tried.count(specs[0]) == 2


@pytest.mark.parametrize("n_checkpoints", [0, 1, 5])
def test_a_run_that_loses_its_workers_has_one_more_attempt_for_each_checkpoint_on_its_way(
    n_checkpoints: int, tmp_path: Path
) -> None:
    store, left = RunStore(tmp_path), list(range(n_checkpoints))
    spec = RunSpec((("a", "f1"),), ENCODER, 0, Recipe())
    folder = CheckpointFolder(store.folder(spec)).folder
    folder.mkdir(parents=True)

    class LosingRay(FakeRay):
        def get(self, reference: int) -> None:
            if left:
                (folder / f"{1 + left.pop(0):06d}-{7:09d}-{'0' * 64}.safetensors").touch()
            raise ZeroDivisionError

    LosingRay.exceptions = SimpleNamespace(
        RayError=ArithmeticError,
        RayTaskError=FloatingPointError,
        WorkerCrashedError=ZeroDivisionError,
        OutOfMemoryError=OverflowError,
    )
    ray = LosingRay({})
    events = on_ray._train(ray, [(spec, {"gpu_share": 0.0})], store, Resources())
    [ended] = [event for event in events if isinstance(event, Finished)]
    assert ended == Finished(spec, DIED)
    assert store.failure(spec) == DIED
    assert len(ray.handed) == n_checkpoints + 1


def test_an_error_in_a_worker_is_told_as_it_is_and_is_no_lost_worker(tmp_path: Path) -> None:
    """Ray's error of a task is also one of Ray."""
    ray = pytest.importorskip("ray")
    denied = PermissionError(errno.EACCES, "Permission denied", "/results/runs/a/.lock")
    spec = RunSpec((("a", "f1"),), ENCODER, 0, Recipe())

    class Failing(FakeRay):
        exceptions = ray.exceptions

        def get(self, reference: int) -> None:
            trace = f'ray::train\n  File "/site/worker.py", line 7, in train_and_store\n    f("{text}")\nError: {text}'
            raise ray.exceptions.RayTaskError("train_in_worker", trace, denied).as_instanceof_cause()

    store, ray_of_one, text = RunStore(tmp_path), Failing({}), "the patient's own words"
    checkpoint = CheckpointFolder(store.folder(spec)).folder / f"{1:06d}-{7:09d}-{'0' * 64}.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()  # a lost worker would have one more attempt for it
    events = on_ray._train(ray_of_one, [(spec, {"gpu_share": 0.0})], store, Resources())
    said = "/results/runs/a/.lock: Permission denied"
    assert [event for event in events if isinstance(event, Finished)] == [Finished(spec, said)]
    assert store.failure(spec) == said
    written = (store.folder(spec) / "error.txt").read_text(encoding="utf-8")
    assert written == f'{said}\n  File "/site/worker.py", line 7, in train_and_store\n'
    assert text not in written
    assert len(ray_of_one.handed) == 1


def test_a_stale_handle_of_a_network_file_system_does_not_end_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes; the end of the driver would end every run, and start Ray again."""
    spec, store, n_looks = RunSpec((("a", "f1"),), ENCODER, 0, Recipe()), RunStore(tmp_path), itertools.count()
    store.folder(spec).mkdir(parents=True)
    store.begin(spec)

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if next(n_looks) % 2 == 0:
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return os.stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(on_ray, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(Path, "stat", stat)
    assert [store.claimed_at(spec) is None for _ in range(2)] == [True, False]
    monkeypatch.setattr(on_ray, "_ARRIVAL_SECONDS", 0.05)
    assert not on_ray._has_arrived(spec, store)
    (store.folder(spec) / "result.json").touch()
    assert on_ray._has_arrived(spec, store)


@pytest.mark.parametrize("n_asked", [9, 10, 11])
def test_a_clock_that_is_set_back_does_not_stop_the_progress(
    n_asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        monotonic, sleep, n = staticmethod(time.monotonic), staticmethod(time.sleep), 0

        def time(self) -> float:
            self.n += 1
            return time.time() - 3600 * (self.n > n_asked)

    class Waiting(FakeRay):
        def wait(self, references: list[int], timeout: float, num_returns: int = 1) -> tuple[list[int], list[int]]:
            time.sleep(0.01)
            return [], references

        def cancel(self, reference: int, force: bool = False) -> None:
            return

    monkeypatch.setattr(on_ray, "time", Clock())
    monkeypatch.setattr(on_ray, "POLL_SECONDS", 0.01)
    spec, asked = RunSpec((("a", "f1"),), ENCODER, 0, Recipe()), itertools.count()
    monkeypatch.setattr(Submission, "fill", lambda _, real=Submission.fill: next(asked) < 200 and real(_))
    events = list(on_ray._train(Waiting({}), [(spec, {"gpu_share": 0.0})], RunStore(tmp_path), Resources()))
    assert len(events) > 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_takes_sigterm_and_a_cancelled_task_as_sigterm(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's workers block SIGTERM, as the process that started Ray does; Ray cancels through the handler of SIGINT."""

    def train(*_: object) -> None:
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        _thread.interrupt_main(number)
        time.sleep(0.01)
        raise AssertionError("not interrupted")

    def exits(*_: object) -> None:
        raise SystemExit("of Ray's handler")

    monkeypatch.setattr(ray_worker, "train_and_store", train)
    before = signal.getsignal(signal.SIGINT)
    of_ray, mask = signal.signal(signal.SIGTERM, exits), signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with pytest.raises(SystemExit, match="of Ray's handler"):
            ray_worker.train_in_worker(parents_and_children(1)[0], {})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTERM, of_ray)
    assert signal.getsignal(signal.SIGINT) is before
