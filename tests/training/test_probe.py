"""Probes: they continue the finished model, and differ from the target-only probes by the source's updates only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recorded_graphs import RecordedGraphs, RunAgain, train_as_on_a_gpu

from taskaffinity.runs.probe_result import COUNTS, ProbeResult, read_probe, write_probe
from taskaffinity.runs.probes import target_only
from taskaffinity.runs.spec import Probe, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.run_result import DamagedRun
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import run
from taskaffinity.training import probe as probe_module
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.probe import execute_probe


@dataclass(frozen=True)
class World:
    """A results folder with one finished single-task run that kept its model."""

    store: RunStore
    parent: RunSpec
    source: tuple[str, str]
    places: dict[str, Path]

    def probe(self, steps: Probe, **recipe: Any) -> RunSpec:
        return replace(
            self.parent,
            recipe=replace(self.parent.recipe, **recipe),
            parent=self.parent,
            variant="probe",
            partner=self.source if steps.source_steps else None,
            probe=steps,
        )

    def train(self, spec: RunSpec) -> ProbeResult:
        start = self.store.start(spec)
        head = self.store.head(self.parent, self.parent.task_names[0])
        assert start is not None
        assert head is not None
        return execute_probe(spec, **self.places, start=start, head=head)

    def keep(self, result: ProbeResult) -> None:
        with self.store.claim(result.spec):
            write_probe(self.store.folder(result.spec), result)


@pytest.fixture(scope="module")
def world(tiny_study: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> World:
    tiny = tiny_study(seeds=(0,), tasks=("mednli", "shareclefe"))
    store = RunStore(tmp_path_factory.mktemp("probes"))
    (parent,) = (spec for spec in tiny.study.plan if spec.arm == "single" and spec.task_names == ("mednli",))
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    run(
        tiny.study.plan.of([parent]),
        store,
        **places,
        resources=Resources("local"),
        options=RunOptions(keep_models=True),
    )
    return World(store, parent, tiny.study.refs[1], places)


def test_without_learning_a_probe_predicts_as_the_finished_run(world: World) -> None:
    """Encoder and head are those of the selected epoch."""
    found = world.train(world.probe(Probe(2, 4), learning_rate=1e-30))
    expected = world.store.read(world.parent).counts["mednli/dev"]
    assert np.array_equal(found.last, expected)
    assert np.array_equal(found.averaged, expected)
    assert found.scores.last == pytest.approx(world.store.read(world.parent).outcomes["mednli"].dev)


class Recorder:
    """The updates of a probe: task, rows, and the state of the random numbers before each forward pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, tuple[int, ...], int]] = []
        loss = MultiTaskModel.loss

        def recorded(model: MultiTaskModel, batch: Any) -> torch.Tensor:
            self.seen.append((batch.task, tuple(batch.rows.tolist()), torch.initial_seed()))
            return loss(model, batch)

        monkeypatch.setattr(MultiTaskModel, "loss", recorded)


def test_the_target_only_probe_has_the_same_mini_batches_and_dropout(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = world.probe(Probe(3, 9, most_rounds=2, source_goal=1.0))
    recorder = Recorder(monkeypatch)
    found = world.train(spec)
    together, recorder.seen = recorder.seen, []
    world.train(target_only(spec, found.scores.rounds))
    names = [task for task, _, _ in together]
    assert names == ["shareclefe"] * 3 + ["mednli"] + (["shareclefe"] * 3 + ["mednli"]) * 5
    assert [step for step in together if step[0] == "mednli"] == recorder.seen
    assert len({seed for _, _, seed in together}) == len(together)


def test_the_learning_rates_rise_only_in_the_first_quarter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    set_rate = probe_module._Training._set_rate
    monkeypatch.setattr(
        probe_module._Training, "_set_rate", lambda self, rate: rates.append(rate) or set_rate(self, rate)
    )
    world.train(world.probe(Probe(8, 8, most_rounds=2, source_goal=1.0, warmup=0.25)))
    assert rates == [1 / 3] * 2 + [2 / 3] * 2 + [1.0] * 28


@pytest.mark.parametrize(("goal", "rounds", "learned"), [(-1.0, 1, True), (1.0, 3, False)])
def test_a_probe_ends_when_its_source_is_learned(world: World, goal: float, rounds: int, learned: bool) -> None:
    found = world.train(world.probe(Probe(2, 2, most_rounds=3, source_goal=goal)))
    assert found.scores.rounds == rounds
    assert found.scores.work["steps"] == 4 * rounds
    assert found.source_is_learned is learned


def test_the_mean_of_the_weights_is_that_of_the_second_half(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[list[torch.Tensor]] = []
    average, means = probe_module._Training._average, []

    def recorded(self: Any) -> None:
        states.append([parameter.detach().clone() for parameter in self.weights])
        average(self)
        means[:] = self.means

    monkeypatch.setattr(probe_module._Training, "_average", recorded)
    world.train(world.probe(Probe(4, 4)))
    assert len(states) == 2  # after the third and the fourth update of the target
    for mean, one, other in zip(means, *states, strict=True):
        assert torch.allclose(mean, (one.double() + other.double()).float() / 2, atol=1e-7)


def test_a_probe_has_the_same_bits_twice_and_reads_back(world: World) -> None:
    spec = world.probe(Probe(2, 2))
    first, second = world.train(spec), world.train(spec)
    assert first.scores.last == second.scores.last
    assert np.array_equal(first.averaged, second.averaged)
    world.keep(first)
    read = read_probe(world.store, spec)
    assert read is not None
    assert replace(read.scores, sha256={}) == replace(first.scores, sha256={})
    assert np.array_equal(read.last, first.last)


@pytest.mark.parametrize("precision", [pytest.param(None, marks=pytest.mark.slow), "bf16"])
def test_updates_on_a_gpu_are_captured_and_replayed_bit_for_bit(
    precision: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rates and seeds of dropout that change in each update; means are those of the fp32 values."""
    train_as_on_a_gpu(monkeypatch)
    monkeypatch.setattr(probe_module, "on_gpu", lambda model: True)
    take, seen = probe_module._Training.take_means, list[list[torch.Tensor]]()

    def taken(self: Any) -> None:
        take(self)
        seen.append([*self.means, *(p.detach().clone() for p in self.setup.model.parameters())])
        assert all(mean.dtype == torch.float32 for mean in self.means)

    monkeypatch.setattr(probe_module._Training, "take_means", taken)
    spec = world.probe(Probe(6, 8, most_rounds=2, source_goal=1.0, warmup=0.5), batch_size=8, precision=precision)
    found = []
    for graphs in (RunAgain(), RecordedGraphs()):
        monkeypatch.setattr(probe_module, "CudaGraphs", lambda graphs=graphs: graphs)
        found.append(world.train(spec))
    assert graphs.n_replays > 14  # of 28 updates
    assert [one.scores.versions["steps"] for one in found] == ["captured", "captured"]
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    assert found[0].scores.last == found[1].scores.last
    assert np.array_equal(found[0].averaged, found[1].averaged)


def test_updates_on_a_gpu_are_those_of_a_cpu_up_to_last_digits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    take, seen = probe_module._Training.take_means, list[dict[str, torch.Tensor]]()

    def taken(self: Any) -> None:
        take(self)
        seen.append({name: p.detach().clone() for name, p in self.setup.model.named_parameters()})

    monkeypatch.setattr(probe_module._Training, "take_means", taken)
    still = {"batch_size": 8, "head_dropout": 0.0, "encoder_dropout": 0.0}
    spec = world.probe(Probe(4, 8, most_rounds=2, source_goal=1.0), **still)
    on_cpu = world.train(spec)
    assert "steps" not in on_cpu.scores.versions
    train_as_on_a_gpu(monkeypatch)
    monkeypatch.setattr(probe_module, "on_gpu", lambda model: True)
    monkeypatch.setattr(probe_module, "CudaGraphs", RecordedGraphs)
    world.train(spec)
    for name, value in seen[0].items():
        if not name.endswith("key.bias"):  # its gradient is 0 but for rounding, and the optimizer divides by its size
            assert torch.allclose(value, seen[1][name], atol=2e-5), name


def _other_score(folder: Path) -> None:
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"last": 0.', '"last": 0.9'))


def _other_counts(folder: Path) -> None:
    np.savez(folder / COUNTS, last=np.ones((3, 2)), averaged=np.ones((3, 2)))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no counts": lambda folder: (folder / COUNTS).unlink(),
    "other counts": _other_counts,
    "half a result": lambda folder: (folder / "result.json").write_text("{"),
    "another score": _other_score,
    "another spec": lambda folder: (folder / "spec.json").write_text("{}"),
}


@pytest.fixture(scope="module")
def stored(world: World) -> tuple[RunSpec, ProbeResult]:
    spec = world.probe(Probe(1, 1))
    return spec, world.train(spec)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_probe_is_refused_with_its_file_and_the_way_out(
    damage: str, world: World, stored: tuple[RunSpec, ProbeResult]
) -> None:
    spec, result = stored
    folder = world.store.folder(spec)
    world.keep(result)
    assert read_probe(world.store, spec) is not None
    DAMAGE[damage](folder)
    with pytest.raises(DamagedRun, match=f"{spec.run_id}/.*; delete its folder, and the same command trains it again"):
        read_probe(world.store, spec)
