"""The collapsed runs of a study: which they are, why, and what helps.

``statistics.collapse`` has the rule. In a study in stages, all runs of one target are compared, as in its table.
Otherwise they are compared within a stage of training, and runs of the whole set by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from taskaffinity.analysis.cautions.few_updates import few_updates
from taskaffinity.analysis.cautions.undertrained import ADVICE
from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.collapse import FAR_POINTS, FAR_SDS, find_collapsed, predicts_nothing
from taskaffinity.analysis.statistics.read_arms import read_arms, shows_constant
from taskaffinity.analysis.style import plural
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.splits import split_of

RULE = (
    "A run is collapsed if it predicts one class or set of classes, no mention, no answer or one value for all test "
    f"examples, or if its score lies more than {FAR_POINTS:g} points and {FAR_SDS:g} robust standard deviations below "
    "the median of its arm."
)
COLUMNS = ("target", "arm", "source", "seed", "score", "reason")
_FAR = "far below its arm"
_CONSTANT = {
    **dict.fromkeys(("span_f1", "span_f1_conlleval"), "no mention"),
    **dict.fromkeys(("answer_f1", "exact_match"), "no answer"),
    "pearson": "one value",
}
_WARMUP = 0.2
_MOST_NAMED = 10

_Name = tuple[str, str, str, int]
"""Target, arm, source and seed of a collapsed run."""


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
    """What it predicts for every example (``one class``, ``one set of classes``, ``no mention``, ``no answer`` or ``one
    value``), or ``far below its arm``."""
    test_set: str = ""
    """Name of the further test set of the score; empty for the split ``test``."""


def trained_with(spec: RunSpec, target: str, order: Mapping[str, int]) -> list[str]:
    """Return the other tasks of a run in the suite's order, then its imitated partner."""
    others = sorted((name for name in spec.trained_as.task_names if name != target), key=order.__getitem__)
    return others + ([spec.partner[0]] if spec.partner else [])


def find_collapsed_runs(
    study: Study, store: RunStore, arms: Arms | None = None, test_set: str = ""
) -> tuple[CollapsedRun, ...]:
    """Return the collapsed runs of a study by target, in the order of its plan.

    Parameters
    ----------
    arms : Arms, optional
        ``read_arms`` of the study, which decides the runs that gains are made of. Default: it is read here.
    test_set : str
        A further test set of the study. Default: the split ``test``.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    found: dict[_Name, CollapsedRun] = {}
    if study.design != "full":
        found |= _in_arms(study, arms or read_arms(study, store, test_set=test_set), test_set)
    found |= {(run.target, run.arm, run.source, run.seed): run for run in _beside_arms(study, store, test_set)}
    if not found:
        return ()
    order = {card.name: place for place, card in enumerate(study.tasks)}
    targets = {name[0] for name in found}
    place_of = {
        (target, spec.arm, "+".join(trained_with(spec, target, order)), spec.seed): place
        for place, spec in enumerate(study.plan)
        for target in targets.intersection(spec.task_names)
    }
    return tuple(found[name] for name in sorted(found, key=lambda name: (order[name[0]], place_of[name])))


def _in_arms(study: Study, arms: Arms, test_set: str) -> dict[_Name, CollapsedRun]:
    """Return the collapsed runs of the arms that gains are made of."""
    cards = {card.name: card for card in study.tasks}
    stage = "finetune" if study.evaluate_after == "finetune" else ""
    found: dict[_Name, CollapsedRun] = {}
    for (target, arm, source), flags in arms.collapsed.items():
        of_arm = arms.by_key[target, arm, source]
        for place in flags.nonzero()[0]:
            reason = _reason(cards[target].kind, cards[target].metric) if of_arm.constant[place] else _FAR
            name = (target, stage or arm, source, arms.seeds[target, arm, source][place])
            found[name] = CollapsedRun(*name, 100 * float(of_arm.scores[place]), reason, test_set)
    return found


def _beside_arms(study: Study, store: RunStore, test_set: str) -> Iterator[CollapsedRun]:
    """Yield the collapsed runs of a study in stages; of pairs, those of the whole set or of another stage."""
    order = {card.name: place for place, card in enumerate(study.tasks)}
    kinds = {card.name: card.kind for card in study.tasks}
    in_stages = study.design == "full"
    pools: dict[tuple[str | bool, ...], dict[tuple[str, str], list[CollapsedRun]]] = {}
    for spec in study.plan:
        is_full = spec.trained_as.arm == "full"
        if not in_stages and not is_full and (spec.stage == "finetune") == (study.evaluate_after == "finetune"):
            continue
        run = store.get(spec)
        for target, outcome in run.outcomes.items() if run else ():
            score = outcome.test_sets.get(test_set) if test_set else outcome.test
            if score is None:
                continue
            source = "+".join(trained_with(spec, target, order))
            is_equal = is_constant(run, target, outcome.metric, test_set)
            reason = _reason(kinds[target], outcome.metric) if is_equal else ""
            pool = pools.setdefault((target, *(() if in_stages else (spec.stage == "finetune", is_full))), {})
            of_arm = pool.setdefault((spec.arm, source), [])
            of_arm.append(CollapsedRun(target, spec.arm, source, spec.seed, 100 * score, reason, test_set))
    for pool in pools.values():
        scores = {arm: np.array([run.score / 100 for run in runs]) for arm, runs in pool.items()}
        constant = {arm: np.array([bool(run.reason) for run in runs]) for arm, runs in pool.items()}
        for arm, flags in find_collapsed(scores, constant).items():
            for one, is_collapsed in zip(pool[arm], flags, strict=True):
                if is_collapsed:
                    yield one if one.reason else replace(one, reason=_FAR)


def collapsed_frame(runs: Sequence[CollapsedRun]) -> pd.DataFrame:
    """Return one row per collapsed run; scores are in points."""
    return pd.DataFrame([[getattr(run, name) for name in COLUMNS] for run in runs], columns=list(COLUMNS))


def describe_collapsed_runs(study: Study, runs: Sequence[CollapsedRun], untrained: Collection[str] = ()) -> list[str]:
    """Return lines that name the collapsed runs, and say what helps; none without such a run.

    Parameters
    ----------
    untrained : collection of str
        Tasks that hardly learned in single-task training. Their runs, and those of tasks with few updates, need more
        training, and no lower learning rate.
    """
    if not runs:
        return []
    named = "; ".join(_name(study, run) for run in runs[:_MOST_NAMED])
    more = f"; and {len(runs) - _MOST_NAMED} more" if len(runs) > _MOST_NAMED else ""
    settings = [f"learning_rate={study.recipe.learning_rate / 2:g}"]
    if study.recipe.warmup_ratio < _WARMUP:
        settings.append(f"warmup_ratio={_WARMUP}")
    options = ", ".join(f"--set {setting}" for setting in settings)
    number = count_runs(study, runs)
    scores = f", with {plural(len(runs), 'test score')}" if number < len(runs) else ""
    lines = [f"{plural(number, 'run')} collapsed{scores}: {named}{more}. {RULE}"]
    targets, few = {run.target for run in runs}, {} if study.is_external else few_updates(study)
    if trained := [card.title for card in study.tasks if card.name in targets - {*untrained, *few}]:
        whose = "" if len(trained) == len(targets) else f" of {', '.join(trained)}"
        how = (
            "learning rate or a longer warm-up"
            if study.is_external
            else f"learning_rate or a longer warm-up ({options})"
        )
        lines.append(f"A lower {how} helps against collapsed runs{whose}; more seeds do not.")
    elif not targets & {*untrained}:  # else the line on these tasks has the advice
        lines.append(f"These tasks have few updates, so {ADVICE}.")
    return lines


def count_runs(study: Study, runs: Sequence[CollapsedRun]) -> int:
    """Return the number of trainings behind collapsed runs of tasks: a pair may have collapsed on both of its tasks.

    Of runs that were trained elsewhere, it is not known which scores are of one training, so each counts.
    """
    if study.is_external:
        return len(runs)
    return len(
        {
            (run.arm, run.seed, *(sorted(names) if run.arm in ("pair", "full") else names))
            for run in runs
            if (names := [run.target, *run.source.split("+")])
        }
    )


def _name(study: Study, run: CollapsedRun) -> str:
    titles = {card.name: card.title for card in study.tasks}
    others = " + ".join(titles[name] for name in run.source.split("+") if name)
    where = f"{run.arm}{f' with {others}' * bool(others)}"
    return f"{titles[run.target]} ({where}, seed {run.seed}): {run.score:z.1f} points, {run.reason}"


def _reason(kind: str, metric: str) -> str:
    """Return what a run predicts for every example if its predictions are all equal."""
    return _CONSTANT.get(metric, "one set of classes" if kind == "multilabel" else "one class")


def is_constant(run: RunResult | None, target: str, metric: str, test_set: str = "") -> bool:
    """Return whether all predictions of a run for a test set are equal."""
    key = f"{target}/{split_of(test_set)}"
    if run is None or key not in run.counts:
        return False
    return predicts_nothing(run.counts[key], METRICS[metric]) or shows_constant(run, key)
