"""Choose groups of tasks from a study; measure how certain and how good the choice is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.analysis.groups.measured import WIDEST, MeasuredGroup, model_of
from taskaffinity.analysis.groups.predictions import Prediction, Predictor
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.errors import InputError
from taskaffinity.grouping.budget import Budget, Price, fitted_price
from taskaffinity.grouping.choose import all_in_one, choose_groups, pairs, single_task
from taskaffinity.grouping.draws import Shares, shares_of
from taskaffinity.grouping.gains import AnyWorth, Group, GroupGains, MeasuredGains
from taskaffinity.grouping.grouping import Grouping, NoGrouping
from taskaffinity.runs.store import RunStore

Alternative = Literal["all-in-one", "single-task", "pairs"]
ALTERNATIVES: Mapping[Alternative, Callable[[AnyWorth], Grouping]] = {
    "all-in-one": all_in_one,
    "single-task": single_task,
    "pairs": pairs,
}
"""Groupings that need no search: one model of all tasks, one per task, each task with its best partner."""


@dataclass(frozen=True, eq=False)
class ChosenGroups:
    """The groups chosen from a study, with the gains that they were chosen from."""

    matrix: AffinityMatrix
    gains: GroupGains
    budget: Budget
    risk: float | None
    """Probability that a gain is below the bound that the choice counts; None if it counts the gain."""
    grouping: Grouping
    price: Price | None
    """Hours of training of a model; None if runs do not record their time."""
    shares: Shares | None
    """How often each group is best over draws of the gains; None if they have no errors."""
    alternatives: Mapping[Alternative, Grouping]
    predictor: Predictor

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names in the suite's order."""
        return self.matrix.tasks

    @cached_property
    def predictions(self) -> tuple[Prediction, ...]:
        """The predicted gain of each task in the group that serves it, with its interval."""
        return self.predictor.of(self.grouping)

    @cached_property
    def gain(self) -> FloatArray:
        """(n_tasks,), points, predicted gains."""
        return np.array([one.gain for one in self.predictions])

    @cached_property
    def pair_mean(self) -> FloatArray:
        """(n_tasks,), points, mean of the gains in pairs with the other tasks of the group."""
        return self.grouping.values(self.gains.gain)

    @cached_property
    def bound(self) -> FloatArray:
        """(n_tasks,), points, lower bounds of what the choice counts, whose sum it maximises.

        The mean of the bounds of the gains in pairs, or the bound of the measured gain of a trained group.
        """
        return self.grouping.values(self.gains.worth)

    @cached_property
    def estimated(self) -> tuple[bool, ...]:
        """Whether the predicted gain of each task has an estimate in it."""
        return self.estimated_in(self.grouping)

    def estimated_in(self, grouping: Grouping) -> tuple[bool, ...]:
        """Return whether the predicted gain of each task under a grouping has an estimate in it."""
        groups = [grouping.groups[group] for group in grouping.serves]
        return tuple(
            bool(self.gains.estimated[list(group), task].any()) and not self.predictor.is_measured(group, task)
            for task, group in enumerate(groups)
        )

    def hours(self, grouping: Grouping) -> FloatArray:
        """Return the expected hours of training of each model of a grouping, once; NaN if unknown."""
        members = grouping.members()
        return np.full(len(members), np.nan) if self.price is None else self.price.of(members)

    def names(self, group: Sequence[int]) -> tuple[str, ...]:
        """Return the names of the tasks of a group."""
        return tuple(self.tasks[task] for task in group)


def group_gains(
    matrix: AffinityMatrix, risk: float | None, measured: Mapping[Group, MeasuredGroup] | None = None
) -> GroupGains:
    """Return the gains from which groups are chosen.

    They are the measured gains; an estimate replaces a gain without a bound.

    Parameters
    ----------
    risk : float or None
        The bound of a gain is the lower end of its ``1 - 2 * risk`` interval, by the test of the study's rule. None:
        the gain itself, also of arrows without an interval. For estimates see ``StoredEstimates.bound``.
    measured : mapping, optional
        Of ``measured_groups``. Default: the study trained no group.
    """
    half = (
        0.0 if risk is None else POINTS * np.asarray(matrix.error.half_width(min(2 * risk, WIDEST)), dtype=np.float64)
    )
    none = np.zeros(matrix.gain.shape, dtype=np.bool_)
    groups = {
        group: MeasuredGains(one.gain, one.bound(risk), one.se, one.df) for group, one in (measured or {}).items()
    }
    gains, found = GroupGains(matrix.gain, matrix.gain - half, matrix.se, matrix.df, none, groups), matrix.estimates
    return gains if found is None else gains.filled(found.probe, found.bound(risk), found.se, found.df)


def model_hours(matrix: AffinityMatrix, store: RunStore) -> Price | None:
    """Return the hours of training of a model, fitted to the finished runs; None if they record no time.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    places = {name: place for place, name in enumerate(matrix.tasks)}
    joint = [spec for spec in matrix.study.plan if spec.stage != "finetune" and spec.variant in ("plain", "continued")]
    runs = [(spec, run.work.get("total_seconds", 0.0)) for spec in joint if (run := store.get(spec))]
    return fitted_price(
        len(places), [([places[name] for name in spec.task_names], seconds / 3600) for spec, seconds in runs]
    )


def chosen_groups(
    matrix: AffinityMatrix,
    price: Price | None,
    *,
    models: int | None = None,
    hours: float | None = None,
    risk: float | None = 0.05,
    draws: int = 200,
    compare: Sequence[str] = (),
    measured: Mapping[Group, MeasuredGroup] | None = None,
) -> ChosenGroups:
    """Choose the groups that a number of models, or hours of training, allow.

    The choice counts the mean of the gains in pairs, whatever model predicts the gain in a group; of a trained group it
    counts the measured gain.

    Parameters
    ----------
    price : Price or None
        Of ``model_hours``.
    models, hours : optional
        One of them: the largest number of models, or of hours to train all of them once.
    draws : int
        Number of draws of the gains that give the shares.
    measured : mapping, optional
        Of ``measured_groups``. Default: the study trained no group.

    Raises
    ------
    InputError
        If no grouping serves every task within the budget.
    """
    measured = measured or {}
    gains = group_gains(matrix, risk, measured)
    budget = _budget(len(matrix.tasks), price, models, hours)
    try:
        grouping = choose_groups(gains.worth, budget)
    except NoGrouping as error:
        fault = str(_too_little(gains, price, models, hours, risk))
        ignored = matrix.estimates_ignored.removesuffix(".")
        raise InputError("; ".join(filter(None, [fault, ignored]))) from error
    others = {name: choose(gains.worth) for name, choose in ALTERNATIVES.items() if name in compare}
    shares = shares_of(grouping, gains, budget, draws=draws)
    predictor = Predictor(matrix, gains, measured, model_of(matrix, measured))
    return ChosenGroups(matrix, gains, budget, risk, grouping, price, shares, others, predictor)


def _budget(size: int, price: Price | None, models: int | None, hours: float | None) -> Budget:
    if models is not None:
        return Budget.of_models(models, size)
    if price is None or hours is None:
        raise InputError("budget: the runs of this folder do not record how long they took; give a number of groups")
    return Budget(price, hours)


def _too_little(
    gains: GroupGains, price: Price | None, models: int | None, hours: float | None, risk: float | None
) -> InputError:
    unknown = int(gains.unknown.sum())
    because = ""
    if unknown:
        untrained = int((gains.unknown & np.isnan(gains.gain)).sum())
        lack = ("is", "are", "not known") if risk is None else ("has", "have", "no bound")
        ways = ["train their pairs"] * bool(untrained)
        if untrained < unknown:  # pairs of one seed
            ways += ["train more seeds", "choose without risk (`group --risk none`, in Python risk=None)"]
        because = (
            f"; {unknown} of {int(gains.arrows.sum())} gains {lack[unknown > 1]} {lack[2]}, and no task is served by "
            f"a group that needs one: {', or '.join(ways)}"
        )
    if models is not None:
        serve = "no group serves" if models == 1 else f"no {models} groups serve"
        return InputError(f"groups {models}: {serve} all {gains.size} tasks{because}")
    least = float(price.of(np.ones((1, gains.size), dtype=np.bool_))[0]) if price else float("nan")
    return InputError(f"budget {hours:g}: one model of all tasks takes about {least:.3g} hours{because}")
