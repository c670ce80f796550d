"""Train a probe: continue a single-task model for a few updates, with or without a source.

Probes with and without a source have the same mini-batches of the target, the same dropout and the same learning rates.
They differ only by the source's updates in between. The optimizer and the source's head are new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from taskaffinity.runs.probe_result import ProbeResult, ProbeScores
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import Probe, RunSpec
from taskaffinity.training.checkpoint import load_head
from taskaffinity.training.evaluation import Evaluated, evaluate
from taskaffinity.training.execute import versions_of
from taskaffinity.training.inputs.batches import Batch, batches_of, seed_of, stretched_cuts
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.setup import RunSetup, setup_run


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
    with torch.no_grad():
        for parameter, mean in zip(training.parameters, training.means, strict=True):
            parameter.copy_(mean)
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
            "steps": training.steps,
        },
        versions=versions_of(spec.recipe, setup.model),
    )
    return ProbeResult(spec, scores, last.counts, averaged.counts, last.documents.get(last.metric))


@dataclass
class _Training:
    """The state of a running probe."""

    spec: RunSpec
    probe: Probe
    setup: RunSetup
    rounds: int = 0
    steps: int = 0
    seconds_of_source: float = 0.0
    """Seconds of the evaluation of the source."""

    def __post_init__(self) -> None:
        self.stepper = _ConstantRate(self.setup.model, self.spec.recipe)
        self.parameters = [p for p in self.setup.model.parameters() if p.requires_grad]
        self.means: list[torch.Tensor] = []
        self.averaged = 0

    def run(self) -> float | None:
        """Train until the source is learned; return its dev score, or None without a source."""
        (target,), partner = self.spec.task_names, self.spec.partner
        of_target = self._batches(target, self.probe.target_steps)
        of_source = self._batches(partner[0], self.probe.source_steps) if partner else iter(())
        score = None
        for _ in range(self.probe.most_rounds):
            self._round(of_target, of_source)
            self.rounds += 1
            if partner is not None:
                began = time.perf_counter()
                score = self.evaluate(partner[0]).score
                self.seconds_of_source += time.perf_counter() - began
                if score >= self.probe.source_goal:
                    break
        return score

    def evaluate(self, name: str) -> Evaluated:
        """Predict the dev split of a task."""
        dev = self.setup.splits["dev"][name]
        return evaluate(self.setup.model, self.setup.metas[name], "dev", dev, self.spec.recipe.device)

    def _round(self, of_target: Iterator[Batch], of_source: Iterator[Batch]) -> None:
        self.setup.model.train()
        self.averaged = 0
        n, m = self.probe.target_steps, self.probe.source_steps
        warmup = round(self.probe.warmup * n) if self.rounds == 0 else 0
        for i in range(n):
            rate = min(1.0, (i + 1) / (warmup + 1))
            for number, batch in enumerate(islice(of_source, (i + 1) * m // n - i * m // n)):
                self._update(batch, rate, "source", number + i * m // n + self.rounds * m)
            self._update(next(of_target), rate, "target", i + self.rounds * n)
            if i >= n // 2:
                self._average()

    def _update(self, batch: Batch, rate: float, role: str, number: int) -> None:
        torch.manual_seed(seed_of(self.spec.seed, "probe", role, number))  # dropout
        loss = self.setup.model.loss(batch.to(self.spec.recipe.device))
        loss.backward()
        self.stepper.step(rate)
        self.steps += 1

    @torch.no_grad()
    def _average(self) -> None:
        """Add the current weights to their mean."""
        self.averaged += 1
        if self.averaged == 1:
            self.means = [parameter.detach().clone() for parameter in self.parameters]
            return
        for mean, parameter in zip(self.means, self.parameters, strict=True):
            mean.lerp_(parameter, 1 / self.averaged)

    def _batches(self, name: str, steps: int) -> Iterator[Batch]:
        split, recipe = self.setup.training.splits[name], self.spec.recipe
        steps *= self.probe.most_rounds
        cuts = stretched_cuts(name, split, recipe.batch_size, steps, seed=self.spec.seed, epoch=1)
        return batches_of(cuts, {name: split})


class _ConstantRate:
    """The recipe's optimizer at a share of its peak learning rate."""

    def __init__(self, model: MultiTaskModel, recipe: Recipe) -> None:
        self._recipe = replace(recipe, warmup_ratio=0.0)
        self._stepper = Stepper(model, self._recipe, 1)

    def step(self, rate: float) -> None:
        self._stepper.recipe = replace(self._recipe, learning_rate=rate * self._recipe.learning_rate)
        self._stepper.step(counts=False)  # the schedule stays at its first step, which has the peak rate
