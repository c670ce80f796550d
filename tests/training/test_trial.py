"""A trial trains each task like a run of a study and never reads test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from recorded_graphs import RecordedGraphs, RunAgain, train_as_on_a_gpu

from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.planted import CLINICAL, VOCABULARY
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.training import trial
from taskaffinity.training.encoders.load import tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.resume import weights_of
from taskaffinity.training.trial import train_in_step
from taskaffinity.training.trial_run import TrialRun


def test_dev_scores_are_the_best_so_far_of_the_same_runs_of_a_study(tiny_study: Callable[..., Any]) -> None:
    tiny = tiny_study(tasks=("mednli", "shareclefe"), num_train_epochs=3, max_train_examples=200, learning_rate=5e-3)
    specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    in_step = list(train_in_step(specs, **places))
    for spec in specs:
        [name] = spec.task_names
        of_study = [row["dev"][name] for row in execute(spec, **places).history]
        assert len(set(of_study)) > 1  # it learns something, or this tells nothing
        assert [one.best[name].score for one in in_step] == pytest.approx(list(accumulate(of_study, max)), abs=1e-9)


def test_the_test_split_does_not_affect_a_trial(tmp_path: Path) -> None:
    mednli = CLINICAL["mednli"]

    def poisoned(split: Split) -> tuple[Example, ...]:
        examples = mednli.examples[split]
        if split != "test":
            return examples
        label = mednli.labels[0]  # of other words and one class alone
        return tuple(replace(e, label=label, text=e.text[::2], text_pair="unheard of") for e in examples[:5])

    other = Task("mednli", mednli.kind, poisoned, mednli.labels, mednli.negative)
    encoder = tiny_encoder(VOCABULARY, tmp_path, layers=1, width=16)
    recipe = replace(
        FROM_SCRATCH, num_train_epochs=3, learning_rate=5e-3, max_train_examples=100, max_eval_examples=100
    )
    prepare([mednli, other], encoder, recipe, tmp_path)
    first, second = (
        [
            one.best["mednli"].score
            for one in train_in_step(
                [RunSpec((task.ref,), encoder.ref, 0, recipe)], encoder_folder=encoder.folder, cache=tmp_path
            )
        ]
        for task in (mednli, other)
    )
    assert mednli.ref != other.ref
    assert first == second


def test_with_patience_the_score_is_that_of_the_epoch_that_the_study_selects(tiny_study: Callable[..., Any]) -> None:
    settings = {"num_train_epochs": 6, "max_train_examples": 120, "learning_rate": 5e-3, "early_stopping_patience": 1}
    tiny = tiny_study(tasks=("mednli", "shareclefe"), **settings)
    specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    last = list(train_in_step(specs, **places))[-1].best
    results = {spec.task_names[0]: execute(spec, **places) for spec in specs}
    assert min(len(result.history) for result in results.values()) < 6
    scores = {name: best.score for name, best in last.items()}
    assert scores == {name: pytest.approx(result.outcomes[name].dev) for name, result in results.items()}


class FailsOnce(RecordedGraphs):
    """Cannot capture the last shape that it is given."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.left = number

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self.left -= 1
        if not self.left:
            raise RuntimeError("operation not permitted when stream is capturing")
        return super().capture(work)


class OnAGpu:
    """Trials with the steps of a GPU, on a CPU."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> None:
        train_as_on_a_gpu(monkeypatch)
        self._patch = monkeypatch
        self._specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]
        self._places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}

    def train(self, graphs: RecordedGraphs, **checkpoints: Any) -> tuple[list[TrialRun], list[dict[str, float]]]:
        """The runs at the end of a trial, and the scores after each epoch."""
        runs, n_made = list[TrialRun](), 0

        def make_run(*given: Any) -> TrialRun:
            runs.append(TrialRun(*given))
            return runs[-1]

        def make_graphs() -> RecordedGraphs:
            nonlocal n_made
            n_made += 1
            return graphs

        self._patch.setattr(trial, "TrialRun", make_run)
        self._patch.setattr(trial, "CudaGraphs", make_graphs)
        bests = [one.best for one in train_in_step(self._specs, **self._places, **checkpoints)]
        assert n_made == 1  # the models share it
        return runs, [{name: best.score for name, best in at.items()} for at in bests]


@pytest.fixture
def on_a_gpu(tiny_study: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> OnAGpu:
    settings = {"num_train_epochs": 2, "batch_size": 8, "learning_rate": 5e-3}
    return OnAGpu(monkeypatch, tiny_study(tasks=("mednli", "shareclefe"), **settings))


def same_weights(one: list[TrialRun], other: list[TrialRun]) -> bool:
    pairs = zip(one, other, strict=True)
    states = [(weights_of(run.loop.model), weights_of(again.loop.model)) for run, again in pairs]
    return all(torch.equal(value, again[name]) for weights, again in states for name, value in weights.items())


def test_steps_on_a_gpu_are_captured_and_replayed_bit_for_bit(on_a_gpu: OnAGpu) -> None:
    """The graphs of both tasks, in turns, from one object."""
    graphs = RecordedGraphs()
    expected, scores = on_a_gpu.train(RunAgain())
    runs, replayed = on_a_gpu.train(graphs)
    assert graphs.n_replays > 20  # of 32 updates
    assert [run.loop.steps.versions for run in runs] == [{"steps": "captured"}] * 2
    assert replayed == scores
    assert same_weights(expected, runs)


@pytest.mark.slow
def test_a_task_whose_steps_cannot_be_captured_costs_the_graphs_of_all(
    on_a_gpu: OnAGpu, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = FailsOnce(10**6)
    on_a_gpu.train(counted)
    graphs, eager = FailsOnce(10**6 - counted.left), RecordedGraphs()
    runs, _ = on_a_gpu.train(graphs)
    assert [run.loop.steps.versions for run in runs] == [{"steps": "eager"}] * 2
    assert capsys.readouterr().err.count("are not captured on this GPU") == 1
    on_a_gpu._patch.setattr(RecordedGraphs, "capture", lambda self, work: 1 / 0)
    expected, _ = on_a_gpu.train(eager)
    assert same_weights(expected, runs)
