"""The chosen groups, trained with fresh seeds: what each task gains, beside what was predicted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.captions import SYNTHETIC
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.groups.predictions import Basis
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Key, arms_of
from taskaffinity.analysis.statistics.read_arms import arm_of
from taskaffinity.analysis.statistics.same_examples import SameExamples
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.analysis.style import plural, signed_plainly
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.analysis.tables.groups import ESTIMATE_MARK
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.plan import Plan, single_task_runs, without_unused_settings
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore

RETRAINED_COLUMNS = tuple(COLUMNS["retrained.csv"])


@dataclass(frozen=True)
class Retrained:
    """One task in the model that serves it, after training with fresh seeds; gains are in points."""

    task: str
    group: tuple[str, ...]
    predicted: float
    estimated: bool
    """Whether the predicted gain has an estimate in it."""
    realised: float
    low: float
    """Ends of the ``1 - alpha`` interval of the realised gain."""
    high: float
    difference: float
    """Realised less predicted gain."""
    difference_low: float
    """Ends of its ``1 - alpha`` interval: it covers the errors of the realised gain, of those in pairs, and
    ``model_error``. NaN if one of the first two is unknown, or the predicted gain has an estimate in it."""
    difference_high: float
    seeds: int
    untested_reason: str
    pair_mean: float
    """Mean of the gains in pairs with the other tasks."""
    pair_sum: float
    """Their sum."""
    basis: Basis
    model_error: float
    """As in ``Prediction``."""


def retrain_plan(chosen: ChosenGroups, n_seeds: int) -> Plan:
    """Return the runs of the chosen groups and of their single-task baselines.

    The seeds are those that no study has.

    The seeds are the same for every choice, so a model that two choices share is trained once.
    """
    study, seeds = chosen.matrix.study, range(RETRAIN_SEEDS, RETRAIN_SEEDS + n_seeds)
    refs = dict(zip(chosen.tasks, study.refs, strict=True))
    groups = [tuple(sorted(refs[name] for name in chosen.names(group))) for group in chosen.grouping.groups]
    joint = Plan.of(
        RunSpec(group, study.encoder, seed, study.recipe) for seed in seeds for group in groups if len(group) > 1
    )
    served = [refs[chosen.tasks[task]] for task, group in _served_together(chosen)]
    singles = single_task_runs(served, study.encoder, study.recipe, seeds)
    return without_unused_settings(singles | joint, {card.name: card.kind for card in study.tasks})


def retrained(chosen: ChosenGroups, store: RunStore, n_seeds: int) -> tuple[Retrained, ...]:
    """Return the realised gain of every task that a shared group serves.

    A shared group has two tasks or more. Failed runs are left out.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    runs = [run for spec in retrain_plan(chosen, n_seeds) if (run := store.get(spec))]
    metrics = dict(zip(chosen.tasks, chosen.matrix.metrics, strict=True))
    arms: dict[Key, Arm] = {}
    examples = SameExamples()
    for task, group in _served_together(chosen):
        name = chosen.tasks[task]
        for label, members in (("single", (name,)), ("pair", chosen.names(group))):
            if found := [run for run in runs if set(run.spec.task_names) == set(members)]:
                key = (name, label, "" if label == "single" else "group")
                arms[key] = arm_of(found, f"{name}/test", metrics[name], examples)
    return tuple(_compared(chosen, arms, task, group) for task, group in _served_together(chosen))


def retrained_tasks(chosen: ChosenGroups) -> list[tuple[str, str, float]]:
    """Return the tasks that a shared group serves, with the tasks of its group, joined by +, and its prediction."""
    return [
        (chosen.tasks[task], "+".join(chosen.names(group)), float(chosen.gain[task]))
        for task, group in _served_together(chosen)
    ]


def _served_together(chosen: ChosenGroups) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each task with the group that serves it, if that has other members."""
    for task, group in enumerate(chosen.grouping.serves):
        if len(chosen.grouping.groups[group]) > 1:
            yield task, chosen.grouping.groups[group]


def _compared(chosen: ChosenGroups, arms: dict[Key, Arm], task: int, group: tuple[int, ...]) -> Retrained:
    name = chosen.tasks[task]
    found = realised_gain(arms, name, chosen.matrix.rule)
    predicted = float(chosen.gain[task])
    difference, half = found.gain - predicted, math.nan
    if not chosen.estimated[task]:  # the error of an estimate is not one of a gain
        half = chosen.predictor.half_width(group, task, found.se, found.df)
    return Retrained(
        *(name, chosen.names(group), predicted, chosen.estimated[task], found.gain, found.low, found.high),
        *(difference, difference - half, difference + half),
        seeds=found.seeds,
        untested_reason=found.untested_reason,
        pair_mean=float(chosen.pair_mean[task]),
        pair_sum=float(chosen.pair_mean[task]) * (len(group) - 1),
        basis=chosen.predictions[task].basis,
        model_error=chosen.predictions[task].model_error,
    )


@dataclass(frozen=True)
class RealisedGain:
    """Gain of one task in a model over single-task training, in points."""

    gain: float
    low: float
    """Ends of the ``1 - alpha`` interval."""
    high: float
    se: float
    df: float
    seeds: int
    """Finished runs of the model."""
    untested_reason: str


def realised_gain(arms: Mapping[Key, Arm], name: str, rule: Rule) -> RealisedGain:
    """Return the gain of a task from its arms ``(name, "pair", "group")`` and ``(name, "single", "")``.

    Parameters
    ----------
    arms : mapping
        Also of other tasks: their variances over seeds moderate each other.
    """
    keys: tuple[Key, Key] = (name, "pair", "group"), (name, "single", "")
    both, single = map(arms.get, keys)
    priors = [arms_of(arms, rule).prior_for(key) for key in keys]
    evidence = variance_components(both, single, priors[0], priors[1], rule.estimand)
    error = standard_error(evidence, rule.estimand, rule.test)
    gain, low, high = (float(POINTS * value) for value in (error.gain, *error.interval(rule.alpha)))
    return RealisedGain(
        *(gain, low, high, float(POINTS * error.se), float(error.df)),
        seeds=both.n_runs if both else 0,
        untested_reason=str(evidence.untested_reason).replace("pair run", "run"),
    )


def retrained_frame(chosen: ChosenGroups, found: tuple[Retrained, ...]) -> pd.DataFrame:
    """Return one row per task that a group serves: ``RETRAINED_COLUMNS``."""
    rule, synthetic = chosen.matrix.rule, chosen.matrix.study.synthetic
    rows = [
        {name: getattr(one, name, None) for name in RETRAINED_COLUMNS}
        | {"tasks": "+".join(one.group), "alpha": rule.alpha, "synthetic": synthetic}
        for one in found
    ]
    return pd.DataFrame(rows, columns=list(RETRAINED_COLUMNS))


def retrained_table(chosen: ChosenGroups, found: tuple[Retrained, ...]) -> Table:
    """Return the table for a terminal: predicted and realised gain of each task."""
    stamp = f"\n{SYNTHETIC}: not real data" if chosen.matrix.study.synthetic else ""
    title = f"Predicted gains, and realised gains with fresh seeds, in points{stamp}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    level = f"{100 * (1 - chosen.matrix.rule.alpha):g}% interval"
    table.add_column("task")
    for name in ("predicted", "realised", level, "difference", level):
        table.add_column(name, justify="right", no_wrap=True)
    titles = dict(zip(chosen.tasks, chosen.matrix.titles, strict=True))
    for one in found:
        intervals = [(one.low, one.high), (one.difference_low, one.difference_high)]
        first, second = (
            Text("" if math.isnan(low) else f"[{signed_plainly(low)}, {signed_plainly(high)}]")
            for low, high in intervals
        )
        table.add_row(
            Text(titles[one.task]),
            *(signed_plainly(one.predicted) + ESTIMATE_MARK * one.estimated, signed_plainly(one.realised), first),
            *(signed_plainly(one.difference), second),
        )
    return table


def describe_retrained(found: tuple[Retrained, ...]) -> list[str]:
    """Return lines on how many predictions hold."""
    if not found:
        return ["Every task has a model of its own, so nothing was trained and there is no gain."]
    lines = [_describe_agreement(found)]
    if of_three := [one for one in found if len(one.group) > 2 and not math.isnan(one.realised - one.pair_sum)]:
        closer = sum(abs(one.realised - one.pair_sum) < abs(one.realised - one.pair_mean) for one in of_three)
        lines.append(
            f"In models of three tasks or more, the sum of the gains in pairs is closer than their mean to {closer} of "
            f"{plural(len(of_three), 'realised gain')}."
        )
    if any(one.estimated for one in found):
        lines.append(f"{ESTIMATE_MARK} predicted with estimates, which have the sign of a gain and not its size.")
    return lines


def _describe_agreement(found: Sequence[Retrained]) -> str:
    """Return a line on how many realised gains agree with their predictions, or why that is not known."""
    tested = [one for one in found if not math.isnan(one.difference_low)]
    if all(math.isnan(one.low) for one in found):
        reasons = sorted({one.untested_reason for one in found})
        needs_seeds = all(reason == "one seed" or reason.endswith("run") for reason in reasons)
        return f"No realised gain has an interval: {'train two seeds or more' if needs_seeds else ', '.join(reasons)}."
    if not tested:
        return (
            "Whether a realised gain agrees with its prediction cannot be tested: the predicted gains come from "
            "estimates, or from pairs of one seed, which have no error."
        )
    held = sum(one.difference_low <= 0 <= one.difference_high for one in tested)
    covers = "It covers the errors of the measured gains; a group can still differ from their mean."
    if not any(math.isnan(one.model_error) for one in tested):
        covers = "It covers the errors of the measured gains, and that of predicting a group from pairs."
    return (
        f"{held} of {plural(len(tested), 'realised gain')} {'agrees' if held == 1 else 'agree'} with the prediction: "
        f"the interval of their difference has 0. {covers} Intervals are not adjusted for the number of tasks."
    )
