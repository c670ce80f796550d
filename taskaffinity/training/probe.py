"""Train a probe: continue a single-task model for a few updates, with or without a source.

Probes with and without a source have the same mini-batches of the target, the same dropout and the same learning rates.
They differ only by the source's updates in between. The optimizer and the source's head are new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from taskaffinity.runs.probe_result import ProbeResult, ProbeScores
from taskaffinity.runs.spec import Probe, RunSpec
from taskaffinity.training.checkpoint import load_head
from taskaffinity.training.evaluation import Evaluated, evaluate
from taskaffinity.training.execute import versions_of
from taskaffinity.training.inputs.batches import Cut, seed_of, stretched_cuts
from taskaffinity.training.loop import steps_of
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.setup import RunSetup, setup_run
from taskaffinity.training.updates.cuda_graphs import CudaGraphs
from taskaffinity.training.updates.steps import on_gpu


def execute_probe(spec: RunSpec, *, encoder_folder: Path, cache: Path, start: Path, head: Path) -> ProbeResult:
    """Train and evaluate one probe.

    Parameters
    ----------
    encoder_folder : Path
        Local folder of the encoder ``spec.encoder``.
    cache : Path
        Where ``prepare`` wrote the encoded tasks.
    start, head : Path
        The encoder weights and the target's head that ``spec.parent`` stored.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError
        ``Diverged`` if an output of the evaluation is not a number.
    """
    if spec.probe is None:
        raise ValueError(f"{spec.run_id}: not a probe")
    started = time.perf_counter()
    torch.set_num_threads(spec.recipe.threads)
    (target,) = spec.tasks
    tasks = (target, spec.partner) if spec.partner else (target,)
    trained = RunSpec(tuple(sorted(tasks)), spec.encoder, spec.seed, spec.recipe)
    setup = setup_run(trained, encoder_folder=encoder_folder, cache=cache, start=start, scored=("dev",))
    weights, _, _ = load_head(head)
    setup.model.heads[target[0]].load_state_dict(weights)
    loaded = time.perf_counter()
    training = _Training(spec, spec.probe, setup)
    source = training.run()
    trained_at = time.perf_counter()
    last = training.evaluate(target[0])
    training.take_means()
    averaged = training.evaluate(target[0])
    ended = time.perf_counter()
    scores = ProbeScores(
        run_id=spec.run_id,
        metric=last.metric,
        last=last.score,
        averaged=averaged.score,
        rounds=training.rounds,
        source=source,
        work={
            "load_seconds": loaded - started,
            "train_seconds": trained_at - loaded - training.seconds_of_source,
            "evaluate_seconds": ended - trained_at + training.seconds_of_source,
            "total_seconds": ended - started,
            "steps": training.n_steps,
        },
        versions=versions_of(spec.recipe, setup.model) | training.steps.versions,
    )
    return ProbeResult(spec, scores, last.counts, averaged.counts, last.documents.get(last.metric))


class _Update(NamedTuple):
    """One update of a probe."""

    cut: Cut
    role: Literal["source", "target"]
    number: int
    """Among those of its role, from 0."""
    rate: float
    """Share of the peak learning rate."""
    counts_in_mean: bool
    """Whether the mean of the weights counts those after this update."""


@dataclass
class _Training:
    """The state of a running probe."""

    spec: RunSpec
    probe: Probe
    setup: RunSetup
    rounds: int = 0
    n_steps: int = 0
    seconds_of_source: float = 0.0
    """Seconds of the evaluation of the source."""

    def __post_init__(self) -> None:
        model, splits = self.setup.model, self.setup.training.splits
        self._recipe = replace(self.spec.recipe, warmup_ratio=0.0)
        self.stepper = (OnePassStepper if on_gpu(model) else Stepper)(model, self._recipe, 1)
        # no task advances the schedule: it stays at its first step, which has the peak rate
        self.steps = steps_of(model, self.stepper, splits, (), make_graphs=CudaGraphs)
        self.weights: list[torch.Tensor] = [p for p in model.parameters() if p.requires_grad]
        if isinstance(self.stepper, OnePassStepper):
            self.weights = [self.stepper.values]  # in fp32; those of linear layers may be rounded
        self.means: list[torch.Tensor] = []
        self.averaged = 0

    def run(self) -> float | None:
        """Train until the source is learned; return its dev score, or None without a source."""
        partner, score = self.spec.partner, None
        self.steps.prepare(update.cut for update in chain.from_iterable(self._rounds()))
        for updates in self._rounds():
            self._round(updates)
            self.rounds += 1
            if partner is not None:
                began = time.perf_counter()
                score = self.evaluate(partner[0]).score
                self.seconds_of_source += time.perf_counter() - began
                if score >= self.probe.source_goal:
                    break
        self.steps.close()
        return score

    def evaluate(self, name: str) -> Evaluated:
        """Predict the dev split of a task."""
        dev = self.setup.splits["dev"][name]
        return evaluate(self.setup.model, self.setup.metas[name], "dev", dev, self.spec.recipe.device)

    @torch.no_grad()
    def take_means(self) -> None:
        """Set the weights to their means."""
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.copy_(mean)
        if isinstance(self.stepper, OnePassStepper):
            self.stepper.round_again()

    def _rounds(self) -> Iterator[list[_Update]]:
        """The updates of each round, with those on the source between those on the target."""
        (target,), partner = self.spec.task_names, self.spec.partner
        n, m = self.probe.target_steps, self.probe.source_steps
        of_target = self._cuts(target, n)
        of_source = self._cuts(partner[0], m) if partner else iter(())
        for round_ in range(self.probe.most_rounds):
            warmup = round(self.probe.warmup * n) if round_ == 0 else 0
            updates = []
            for i in range(n):
                rate = min(1.0, (i + 1) / (warmup + 1))
                for number in range(i * m // n, (i + 1) * m // n) if partner else ():
                    updates.append(_Update(next(of_source), "source", number + round_ * m, rate, False))
                updates.append(_Update(next(of_target), "target", i + round_ * n, rate, i >= n // 2))
            yield updates

    def _round(self, updates: Sequence[_Update]) -> None:
        self.setup.model.train()
        self.averaged = 0
        done = self.steps.run([update.cut for update in updates])
        for update in updates:
            torch.manual_seed(seed_of(self.spec.seed, "probe", update.role, update.number))  # dropout
            self._set_rate(update.rate)
            next(done)
            self.n_steps += 1
            if update.counts_in_mean:
                self._average()

    def _set_rate(self, rate: float) -> None:
        self.stepper.recipe = replace(self._recipe, learning_rate=rate * self._recipe.learning_rate)

    @torch.no_grad()
    def _average(self) -> None:
        """Add the current weights to their mean."""
        self.averaged += 1
        if self.averaged == 1:
            self.means = [weight.detach().clone() for weight in self.weights]
            return
        for mean, weight in zip(self.means, self.weights, strict=True):
            mean.lerp_(weight, 1 / self.averaged)

    def _cuts(self, name: str, steps: int) -> Iterator[Cut]:
        split, recipe = self.setup.training.splits[name], self.spec.recipe
        steps *= self.probe.most_rounds
        return stretched_cuts(name, split, recipe.batch_size, steps, seed=self.spec.seed, epoch=1)
