"""Both executors train the same plan to the same bytes; a run that fails does not take the others with it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from taskaffinity.errors import InputError
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import on_ray
from taskaffinity.schedule.progress import Progress, Report
from taskaffinity.schedule.ray_driver import _answers
from taskaffinity.schedule.ray_session import control_address, start_ray
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.run import run
from taskaffinity.schedule.worker import train_and_store
from taskaffinity.training import execute as door

LOCAL = Resources("local")
MakeStudy = Callable[..., Any]  # conftest's make_tiny_study


@pytest.fixture(scope="module")
def ray_of_two_gpus() -> Iterator[None]:
    """A Ray with four CPUs and two GPUs, all of them pretended."""
    ray = pytest.importorskip("ray")
    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=2,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
    )
    yield
    ray.shutdown()


def failing_with(error: BaseException, which: Callable[[RunSpec], bool]) -> Callable[..., Any]:
    """``execute``, but the runs of ``which`` raise."""
    real = door.execute

    def execute(spec: RunSpec, **settings: Any) -> Any:
        if which(spec):
            raise error
        return real(spec, **settings)

    return execute


def is_first_pair(spec: RunSpec) -> bool:
    return spec.arm == "pair" and spec.seed == 0


def test_what_is_done_is_not_trained_again(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study()
    report = tiny.train(tmp_path, resources=LOCAL)
    assert set(report.trained) == set(tiny.study.plan)
    assert not report.failed
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "study.json"}
    again = tiny.train(tmp_path, resources=LOCAL)
    assert (again.trained, again.failed) == ([], {})
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "study.json"}


def test_the_costliest_run_goes_first(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,))
    price = {"clinicalsts": 1.0, "mednli": 10.0, "shareclefe": 100.0}

    def cost(spec: RunSpec) -> float:
        return sum(price[name] for name in spec.task_names)

    report = tiny.train(tmp_path, resources=LOCAL, cost=cost)
    assert [cost(spec) for spec in report.trained] == [110, 101, 100, 11, 10, 1]


def test_progress_counts_what_is_done_and_names_what_runs(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study()
    run(tiny.study.plan, RunStore(tmp_path), encoder_folder=tiny.encoder_folder, cache=tiny.cache, resources=LOCAL)
    lost = sorted(tmp_path.glob("runs/*/result.json"))[:2]
    for path in lost:
        path.unlink()
    seen: list[Progress] = []
    tiny.train(tmp_path, resources=LOCAL, on_progress=seen.append)
    assert {progress.total for progress in seen} == {6}
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert (seen[0].done, seen[-1].done) == (4, 6)
    assert seen[0].seconds_left is None
    assert seen[-1].seconds_left == 0
    assert {name for progress in seen for name in progress.running} == {path.parent.name for path in lost}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=["MemoryError", "torch", "torch's CPU allocator", "the system"],
)
def test_a_run_out_of_memory_fails_in_plain_words(
    error: BaseException, tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_study(seeds=(0,))
    monkeypatch.setattr(door, "execute", failing_with(error, is_first_pair))
    report = tiny.train(tmp_path, resources=LOCAL)
    assert [spec.arm for spec in report.failed] == ["pair"]
    [(spec, reason)] = report.failed.items()
    assert reason.startswith("out of memory: ")
    assert RunStore(tmp_path).failure(spec) == reason
    assert len(report.trained) == 2


def test_an_unforeseen_error_is_named_but_not_quoted(
    tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_study(seeds=(0,))
    monkeypatch.setattr(door, "execute", failing_with(KeyError("the patient's own words"), is_first_pair))
    report = tiny.train(tmp_path, resources=LOCAL)
    [(spec, reason)] = report.failed.items()
    assert reason.startswith("KeyError")
    assert "\n" not in reason
    assert "patient" not in reason
    monkeypatch.undo()
    again = tiny.train(tmp_path, resources=LOCAL)
    assert again.trained == [spec]
    assert RunStore(tmp_path).failure(spec) is None


def test_stored_traceback_quotes_no_message(
    tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_study(seeds=(0,))  # DESIGN.md, decision 9: tracebacks that are stored hold no text either
    monkeypatch.setattr(door, "execute", failing_with(KeyError("the patient's own words"), is_first_pair))
    tiny.train(tmp_path, resources=LOCAL)
    [path] = tmp_path.glob("runs/*/error.txt")
    assert "patient" not in path.read_text(encoding="utf-8")


def test_diverged_runs_fail_and_say_what_to_change(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(learning_rate=1e30)
    report = tiny.train(tmp_path, resources=LOCAL)
    assert len(report.failed) == 6
    assert all("diverged" in reason and "learning_rate" in reason for reason in report.failed.values())
    assert not report.trained


def test_a_run_whose_last_step_diverges_has_failed_too(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(seeds=(0,), learning_rate=1e30, max_train_examples=32)  # one step: its loss came before it
    report = tiny.train(tmp_path, resources=LOCAL)
    assert len(report.failed) == 3
    assert not report.trained


def test_a_torn_run_folder_is_trained_again(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(seeds=(0,))
    tiny.train(tmp_path / "whole", resources=LOCAL)
    spec = next(iter(tiny.study.plan))
    torn = RunStore(tmp_path / "torn").folder(spec)
    torn.mkdir(parents=True)
    for name in ("spec.json", "counts.npz", "history.jsonl"):
        (torn / name).write_bytes(b'{"half')
    tiny.train(tmp_path / "torn", resources=LOCAL)
    assert tiny.edges(tmp_path / "torn") == tiny.edges(tmp_path / "whole")


def scores_of(root: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in root.glob("runs/*/counts.npz")}


def test_a_run_comes_after_the_one_that_it_starts_from(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), design="full")
    report = tiny.train(tmp_path, resources=LOCAL, cost=lambda spec: 9.0 if spec.parent else 1.0)
    assert [spec.stage for spec in report.trained].count("finetune") == 3 * 2
    assert len(report.trained) == 3 * 2 + 2 + 3 * 2
    assert [len(spec.lineage) for spec in report.trained] == [0] * 8 + [1] * 6
    store = RunStore(tmp_path)
    kept = {spec for spec in report.trained if store.weights(spec, spec.task_names[0]) is not None}
    assert kept == {spec for spec in report.trained if spec.stage == "refine"}


def test_a_finished_refinement_without_weights_is_trained_again_where_they_are_needed(
    tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,), design="full")
    tiny.train(tmp_path, resources=LOCAL)
    before = scores_of(tmp_path)
    [weights] = {path.parent for path in tmp_path.glob("runs/*/model/*")}
    shutil.rmtree(weights)
    assert tiny.train(tmp_path, resources=LOCAL).trained == []  # nothing needs them
    tuned = next(spec for spec in tiny.study.plan if spec.stage == "finetune")
    shutil.rmtree(RunStore(tmp_path).folder(tuned))
    assert tiny.train(tmp_path, resources=LOCAL).trained == [tuned.parent, tuned]
    assert scores_of(tmp_path) == before


def test_a_run_that_kept_half_of_its_weights_is_trained_again(tiny_study: MakeStudy, tmp_path: Path) -> None:
    """As a process leaves it that was killed between two files of weights, while an older result stood."""
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,), design="full", num_train_epochs=3)
    tiny.train(tmp_path, resources=LOCAL)
    before, store = scores_of(tmp_path), RunStore(tmp_path)
    [refined] = [spec for spec in tiny.study.plan if spec.stage == "refine"]
    last = store.weights(refined, refined.task_names[-1])
    assert last is not None
    last.unlink()
    lost = [spec for spec in tiny.study.plan if spec.parent == refined]
    for spec in lost:
        shutil.rmtree(store.folder(spec))
    report = tiny.train(tmp_path, resources=LOCAL)
    assert not report.failed
    assert report.trained == [refined, *lost]
    assert scores_of(tmp_path) == before


def chained(tiny_study: MakeStudy) -> Any:
    """The multi-task run, from it three single-task runs and three pairs, and from each its tasks fine-tuned."""
    tasks = ("clinicalsts", "mednli", "shareclefe")
    return tiny_study(tasks=tasks, seeds=(0,), evaluate_after="finetune", init_from="multitask")


def test_a_chain_of_three_is_trained_in_order_and_goes_on_where_weights_were_lost(
    tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = chained(tiny_study)
    report = tiny.train(tmp_path, resources=LOCAL, cost=lambda spec: len(spec.lineage))
    assert [len(spec.lineage) for spec in report.trained] == [0] + [1] * 6 + [2] * 9
    assert tiny.train(tmp_path, resources=LOCAL).trained == []
    before, store = scores_of(tmp_path), RunStore(tmp_path)
    tuned = next(spec for spec in tiny.study.plan if spec.parent is not None and spec.parent.arm == "pair")
    shutil.rmtree(store.folder(tuned))
    assert tiny.train(tmp_path, resources=LOCAL).trained == [tuned]
    for spec in (tuned, tuned.parent):
        shutil.rmtree(store.folder(spec))
    assert tiny.train(tmp_path, resources=LOCAL).trained == [tuned.parent, tuned]
    shutil.rmtree(store.folder(tuned))
    for spec in tuned.lineage:
        shutil.rmtree(store.folder(spec) / "model")
    assert tiny.train(tmp_path, resources=LOCAL).trained == [*tuned.lineage, tuned]
    assert scores_of(tmp_path) == before


def test_a_chain_that_was_broken_goes_on(
    tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = chained(tiny_study)
    monkeypatch.setattr(door, "execute", failing_with(MemoryError(), lambda spec: spec.arm == "pair"))
    report = tiny.train(tmp_path, resources=LOCAL)
    assert len(report.trained) == 1 + 3 + 3
    assert sum("starts from is missing" in reason for reason in report.failed.values()) == 6
    monkeypatch.undo()
    monkeypatch.setattr(door, "execute", failing_with(KeyboardInterrupt(), lambda spec: spec.stage == "finetune"))
    with pytest.raises(KeyboardInterrupt):
        tiny.train(tmp_path, resources=LOCAL)
    monkeypatch.undo()
    assert [spec.stage for spec in tiny.train(tmp_path, resources=LOCAL).trained] == ["finetune"] * 6
    assert all(spec in RunStore(tmp_path) for spec in tiny.study.plan)


def test_a_run_that_another_process_has_under_way_comes_last(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,), design="full")
    store = RunStore(tmp_path)
    [refined] = [spec for spec in tiny.study.plan if spec.stage == "refine"]
    held, release = threading.Event(), threading.Event()

    def other_process() -> None:
        with store.claim(refined):
            held.set()
            release.wait(60)

    other = threading.Thread(target=other_process)
    other.start()
    held.wait(60)

    def on_progress(progress: Progress) -> None:
        if progress.done == 3:  # all that does not wait for it
            release.set()

    report = tiny.train(tmp_path, resources=LOCAL, on_progress=on_progress)
    other.join()
    assert [spec.stage for spec in report.trained] == ["single"] * 3 + ["refine"] + ["finetune"] * 3
    assert not report.failed


@pytest.mark.slow
def test_two_processes_share_the_runs_of_a_folder(tiny_study: MakeStudy, tmp_path: Path) -> None:
    """As the tasks of a job array do: none is trained twice, each counts its own, and both end with all of them."""
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"))
    tiny.study.write(tmp_path)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        work = (tiny.study.plan, RunStore(tmp_path), tiny.encoder_folder, tiny.cache)
        trained = pool.starmap(_train_all, [work, work])
    times = [json.loads(path.read_text())["work"] for path in tmp_path.glob("runs/*/result.json")]
    assert len(times) == len(tiny.study.plan)
    assert sorted(trained[0] + trained[1]) == sorted(spec.run_id for spec in tiny.study.plan)
    alone = tiny.train(tmp_path / "alone", resources=LOCAL)
    assert not alone.failed
    assert tiny.edges(tmp_path) == tiny.edges(tmp_path / "alone")


def _train_all(plan: Plan, store: RunStore, encoder_folder: Path, cache: Path) -> list[str]:
    seen: list[Progress] = []
    report = run(plan, store, encoder_folder=encoder_folder, cache=cache, resources=LOCAL, on_progress=seen.append)
    assert not report.failed
    assert all(spec in store for spec in plan)
    assert not seen or seen[-1].done == len(plan)
    return [spec.run_id for spec in report.trained]


def test_a_run_that_another_process_finished_meanwhile_is_not_counted_as_trained_here(
    tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = tiny_study(seeds=(0,))
    last: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        if not last:  # the first run is about to begin, and another process has done them all by then
            tiny.train(tmp_path, resources=LOCAL)
        last.append(progress)

    report = tiny.train(tmp_path, resources=LOCAL, on_progress=on_progress)
    assert (report.trained, report.failed) == ([], {})
    assert set(report.found) == set(tiny.study.plan)
    assert last[-1].done == report.planned == len(tiny.study.plan)


def test_what_starts_from_a_failed_run_fails_in_plain_words(
    tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,), design="full")
    monkeypatch.setattr(door, "execute", failing_with(MemoryError(), lambda spec: spec.stage == "refine"))
    report = tiny.train(tmp_path, resources=LOCAL)
    [parent] = [spec for spec in report.failed if spec.stage == "refine"]
    children = {spec: reason for spec, reason in report.failed.items() if spec.stage == "finetune"}
    assert set(children.values()) == {f"the run that it starts from is missing: {parent.run_id}"}
    assert len(children) == 3
    assert [spec.stage for spec in report.trained] == ["single"] * 3
    monkeypatch.undo()
    again = tiny.train(tmp_path, resources=LOCAL)
    assert not again.failed
    assert len(again.trained) == 4


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_of_two_gpus")
class TestOnRay:
    def test_the_service_that_controls_a_cluster_tells_where_it_answers(self) -> None:
        place = control_address(pytest.importorskip("ray"))
        assert place is not None
        assert _answers(place)

    def test_fine_tuning_waits_for_its_refinement(self, tiny_study: MakeStudy, tmp_path: Path) -> None:
        tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), design="full")
        for executor in ("local", "ray"):
            report = tiny.train(tmp_path / executor, resources=Resources(executor))
            assert len(report.trained) == 14
            assert not report.failed
        assert scores_of(tmp_path / "ray") == scores_of(tmp_path / "local")

    def test_what_starts_from_a_diverged_run_fails_too(self, tiny_study: MakeStudy, tmp_path: Path) -> None:
        tiny = tiny_study(seeds=(0,), design="full", learning_rate=1e30)
        report = tiny.train(tmp_path, resources=Resources("ray"))
        assert len(report.failed) == 5
        assert sum("starts from is missing" in reason for reason in report.failed.values()) == 2

    def test_same_bytes_as_in_this_process(self, tiny_study: MakeStudy, tmp_path: Path) -> None:
        tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"))
        for executor in ("local", "ray"):
            report = tiny.train(tmp_path / executor, resources=Resources(executor))
            assert len(report.trained) == 12
            assert not report.failed
        assert tiny.edges(tmp_path / "ray") == tiny.edges(tmp_path / "local")
        for name in ("scores.csv", "affinity.graphml", "affinity.png"):
            assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()

    @pytest.mark.parametrize("too_much", [{"cpus_per_run": 5}, {"gpus_per_run": 3}], ids=str)
    def test_more_than_there_is_is_refused(
        self, too_much: dict[str, Any], tiny_study: MakeStudy, tmp_path: Path
    ) -> None:
        tiny = tiny_study()
        with pytest.raises(ValueError, match=r"one run needs .* but no node has more than 4 and 2; lower") as caught:
            tiny.train(tmp_path, resources=Resources("ray", **too_much))
        assert "\n" not in str(caught.value)

    def test_runs_that_diverge_leave_the_others_alone(self, tiny_study: MakeStudy, tmp_path: Path) -> None:
        """Two studies as one plan: the recipe of one diverges."""
        good, bad = tiny_study(seeds=(0,)), tiny_study(seeds=(1,), learning_rate=1e30)
        report: Report = run(
            good.study.plan | bad.study.plan,
            RunStore(tmp_path),
            encoder_folder=good.encoder_folder,
            cache=good.cache,
            resources=Resources("ray"),
        )
        assert set(report.trained) == set(good.study.plan)
        assert set(report.failed) == set(bad.study.plan)
        for spec, reason in report.failed.items():
            assert reason.startswith("diverged: ")
            assert RunStore(tmp_path).failure(spec) == reason

    def test_a_run_whose_result_does_not_arrive_has_failed(
        self, tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on a cluster whose nodes share no path: a worker writes to its own disk and tells of no error."""
        tiny = tiny_study(seeds=(0,))

        def elsewhere(spec: RunSpec, settings: dict[str, Any]) -> None:
            train_and_store(spec, {**settings, "root": f"{settings['root']}-of-the-worker"})

        monkeypatch.setattr(on_ray, "train_in_worker", elsewhere)
        report = tiny.train(tmp_path / "study", resources=Resources("ray"))
        assert report.trained == []
        assert len(report.failed) == 3
        assert all("--results must be on a path that all nodes share" in why for why in report.failed.values())

    @pytest.mark.long
    def test_half_a_gpu_a_run_packs_four_on_two(self, tiny_study: MakeStudy, tmp_path: Path) -> None:
        tiny = tiny_study(num_train_epochs=100)
        seen: list[Progress] = []
        report = tiny.train(tmp_path, resources=Resources("ray", gpus_per_run=0.5), on_progress=seen.append)
        assert report.workers == 4
        assert len(report.trained) == 6
        assert max(len(progress.running) for progress in seen) == 4

    def test_a_worker_with_a_gpu_trains_one_run_after_the_other(
        self, tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By default, Ray ends such a worker after each run, and the next one must import torch and open the GPU."""
        tiny = tiny_study()

        def noting(spec: RunSpec, settings: dict[str, Any]) -> str | None:
            Path(settings["root"], f"{spec.run_id}.pid").write_text(str(os.getpid()))
            return train_and_store(spec, settings)

        monkeypatch.setattr(on_ray, "train_in_worker", noting)
        report = tiny.train(tmp_path, resources=Resources("ray", gpus_per_run=1))
        processes = [path.read_text() for path in tmp_path.glob("*.pid")]
        assert (len(report.trained), report.workers) == (6, 2)
        assert len(processes) == 6
        assert len(set(processes)) < 6  # two, or a few more that Ray started meanwhile

    def test_a_ray_that_was_there_is_still_there(self) -> None:
        import ray

        assert ray.is_initialized()
        assert ray.cluster_resources()["GPU"] == 2


@pytest.mark.parametrize("address", [None, "cluster:1"])
def test_ray_that_does_not_start_is_one_line_that_names_the_way_without_it(
    address: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")

    def init(**options: Any) -> None:
        raise Exception("The current node timed out during startup. This could happen because some of\nthe raylet ...")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(InputError, match="--executor local") as refused:
        start_ray(Resources("ray", address=address), tmp_path)
    assert str(refused.value).startswith(f"--address {address}: " if address else "Ray: ")
    assert "The current node timed out during startup)" in str(refused.value)
    assert "\n" not in str(refused.value)
