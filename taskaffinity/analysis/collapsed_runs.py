"""The collapsed runs of a study: which they are, why, and what helps.

``statistics.collapse`` has the rule. Runs of one target are compared within a stage of training, and runs of the whole
set by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from taskaffinity.analysis.statistics.collapse import FAR_POINTS, FAR_SDS, find_collapsed, predicts_nothing
from taskaffinity.analysis.style import plural
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

RULE = (
    "A run is collapsed if it predicts one class, no span or one value for all test examples, or if its score lies "
    f"more than {FAR_POINTS:g} points and {FAR_SDS:g} robust standard deviations below the median of its arm."
)
COLUMNS = ("target", "arm", "source", "seed", "score", "reason")
_FAR = "far below its arm"
_CONSTANT = {"span_f1": "no span", "span_f1_conlleval": "no span", "pearson": "one value"}
_WARMUP = 0.2
_MOST_NAMED = 10


@dataclass(frozen=True)
class CollapsedRun:
    """One collapsed run of a task."""

    target: str
    arm: str
    source: str
    """The other tasks of the training, joined by +, as in ``scores.csv``."""
    seed: int
    score: float
    """Test score in points."""
    reason: str
    """What it predicts for every example (``one class``, ``no span`` or ``one value``), or ``far below its arm``."""


def trained_with(spec: RunSpec, target: str, order: Mapping[str, int]) -> list[str]:
    """Return the other tasks of a run's training in the suite's order, then the partner that it imitates."""
    others = sorted((name for name in spec.trained_as.task_names if name != target), key=order.__getitem__)
    return others + ([spec.partner[0]] if spec.partner else [])


def find_collapsed_runs(study: Study, store: RunStore) -> tuple[CollapsedRun, ...]:
    """Return the collapsed runs of a study, in the order of its plan.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    order = {card.name: place for place, card in enumerate(study.tasks)}
    pools: dict[tuple[str, bool, bool], dict[tuple[str, str], list[CollapsedRun]]] = {}
    for spec in study.plan:
        run = store.get(spec)
        for target, outcome in run.outcomes.items() if run else ():
            source = "+".join(trained_with(spec, target, order))
            reason = _CONSTANT.get(outcome.metric, "one class") if _is_constant(run, target, outcome.metric) else ""
            pool = pools.setdefault((target, spec.stage == "finetune", spec.trained_as.arm == "full"), {})
            of_arm = pool.setdefault((spec.arm, source), [])
            of_arm.append(CollapsedRun(target, spec.arm, source, spec.seed, 100 * outcome.test, reason))
    found = []
    for pool in pools.values():
        scores = {arm: np.array([run.score / 100 for run in runs]) for arm, runs in pool.items()}
        constant = {arm: np.array([bool(run.reason) for run in runs]) for arm, runs in pool.items()}
        for arm, flags in find_collapsed(scores, constant).items():
            found += [run for run, is_collapsed in zip(pool[arm], flags, strict=True) if is_collapsed]
    return tuple(
        run if run.reason else CollapsedRun(run.target, run.arm, run.source, run.seed, run.score, _FAR) for run in found
    )


def collapsed_frame(runs: tuple[CollapsedRun, ...]) -> pd.DataFrame:
    """Return one row per collapsed run; scores are in points."""
    return pd.DataFrame([[getattr(run, name) for name in COLUMNS] for run in runs], columns=list(COLUMNS))


def describe_collapsed_runs(study: Study, store: RunStore) -> list[str]:
    """Return lines that name the collapsed runs, and say what helps; none without such a run."""
    runs = find_collapsed_runs(study, store)
    if not runs:
        return []
    named = "; ".join(_name(study, run) for run in runs[:_MOST_NAMED])
    more = f"; and {len(runs) - _MOST_NAMED} more" if len(runs) > _MOST_NAMED else ""
    settings = [f"learning_rate={study.recipe.learning_rate / 2:g}"]
    if study.recipe.warmup_ratio < _WARMUP:
        settings.append(f"warmup_ratio={_WARMUP}")
    options = ", ".join(f"--set {setting}" for setting in settings)
    return [
        f"{plural(len(runs), 'run')} collapsed: {named}{more}. {RULE}",
        f"A lower learning_rate or a longer warm-up ({options}) helps against collapsed runs; more seeds do not.",
    ]


def _name(study: Study, run: CollapsedRun) -> str:
    titles = {card.name: card.title for card in study.tasks}
    others = " + ".join(titles[name] for name in run.source.split("+") if name)
    where = f"{run.arm}{f' with {others}' * bool(others)}"
    return f"{titles[run.target]} ({where}, seed {run.seed}): {run.score:.1f} points, {run.reason}"


def _is_constant(run: RunResult | None, target: str, metric: str) -> bool:
    by = {f"{target}/test": metric, f"{target}/test/macro_f1": "macro_f1"}
    return run is not None and any(
        predicts_nothing(run.counts[key], METRICS[name]) for key, name in by.items() if key in run.counts
    )
