"""How the gain of a task in a group follows from its gains in pairs: the mean, the largest, and other models.

    python tests/benchmarks/group_models.py STANDLEY MTGNET          writes results/group_models.csv, in two minutes

STANDLEY and MTGNET are folders of released losses and gains (``group_worlds.py``); ``planted8_groups.py`` trained the
groups of planted-8. Each model predicts the gain of every task in every group of three tasks or more from its gains in
pairs. ``zero`` predicts no gain; ``0.5 largest`` the mean of the largest gain and the mean; ``root sum`` the sum of n
gains divided by the square root of n, so it lies between their mean and their sum.

``fitted`` is the model of ``group``: the mean times a power of n, fitted to the gains of all tasks together. Its rows
and those of ``mean with error`` leave that group out, and their intervals have the model's error: the standard
deviation of the gains of all tasks together around the prediction. Two more ways to choose have a regret only:
``fitted bound``, its lower bound with the model's error at a risk of 5%, and ``mean, all measured``. Like ``fitted``,
they know the gains of all tasks together. A row has, of one data set and model:

* ``bias``: mean of the predicted less the realised gains; ``error``: mean of their absolute differences. In points, and
  for released losses in percent of the single-task loss.
* ``rank``: Spearman's correlation of predicted and realised gains over the groups of a target, averaged over targets.
* ``covered``: share of realised gains within the 95% interval of their prediction, which has the errors of the gains of
  pairs and of the realised gain; ``width``: half the mean width of these intervals. ``above_bound``: share above the
  lower bound of the prediction, at a risk of 5%. Released losses have no errors of measurement.
* ``exponent`` and ``model_error``: of the fitted model; the error of the mean.
* ``between``: share of realised gains that lie between the smallest and the largest gain in pairs, whatever the model.
* ``regret`` and ``largest_regret``: the loss of the groups that a model chooses beyond that of the groups that the
  losses of all sets choose, in percent, mean and maximum over numbers of models. Both choose by losses on dev examples,
  and are compared on test examples; only where all sets were trained. For ``planted-8`` the choices are among the sets
  that were trained (single tasks, pairs and 15 groups; 1 to 3 models), and the regret is in points per task.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from group_worlds import RESULTS, World, mtgnet, pair_gains, planted, standley
from grouping import bounds
from scipy.special import stdtrit
from scipy.stats import spearmanr
from standley import Losses, lowest, total

from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.grouping.gains import BoolArray, FloatArray
from taskaffinity.grouping.group_model import GroupModel, fitted_model

SHARES = (0.25, 0.5, 0.75)
"""Weights of the largest gain, beside the mean."""
MOST_OF_TRAINED = 3
MOST_MODELS = {7: 3}
"""By number of tasks: of seven, the choice of more models from all sets takes minutes."""
ALPHA, RISK = 0.05, 0.05
COLUMNS = (
    *("data", "setting", "model", "gains", "bias", "error", "rank", "covered", "above_bound"),
    *("regret", "largest_regret", "between", "exponent", "model_error", "width"),
)


def main(arguments: list[str]) -> None:
    worlds = [planted(), *standley(Path(arguments[0])), *mtgnet(Path(arguments[1]))]
    frame = pd.DataFrame([row for world in worlds for row in rows(world)], columns=list(COLUMNS))
    write_csv(frame, RESULTS / "group_models.csv")
    print(frame.round(2).to_string())


def rows(world: World) -> Iterator[tuple[object, ...]]:
    """Yield a row per model."""
    intervals = shares_covered(world)
    models = predictions(world.members, world.pairs)
    inside = (world.realised >= models["smallest"]) & (world.realised <= models["largest"])
    between = inside[~np.isnan(models["mean"])].mean()
    for name, predicted in models.items():
        known = ~np.isnan(predicted) & ~np.isnan(world.realised)
        excess = (predicted - world.realised)[known]
        regret = regrets(world, name)
        yield (
            *(world.data, world.setting, name, int(known.sum()), excess.mean(), np.abs(excess).mean()),
            *(rank_correlation(predicted, world.realised), *intervals.get(name, (np.nan, np.nan))),
            *((np.mean(regret), np.max(regret)) if regret else (np.nan, np.nan)),
            between,
            *(np.nan,) * 3,
        )
    yield from ((*row[:11], between, *row[11:]) for row in fitted_rows(world))


def fitted_rows(world: World) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the models that know the gains of all tasks together, without ``between``."""
    mean, full = predictions(world.members, world.pairs)["mean"], world.members.all(axis=1)
    model = fitted_model(mean[full][0], world.realised[full][0])
    of_mean = GroupModel(0.0, float(np.sqrt(np.nanmean((world.realised - mean)[full] ** 2))), 0.0, model.df)
    for name, one in (("fitted", model), ("mean with error", of_mean)):
        one = dataclasses.replace(one, noise=measurement_noise(world, one))
        predicted = np.where(full[:, None], np.nan, one_prediction(one, world.members, mean))
        known = ~np.isnan(predicted) & ~np.isnan(world.realised)
        excess, half = (predicted - world.realised)[known], half_widths(world, one)[known]
        regret = regrets(world, name) if name == "fitted" else []
        yield (
            *(world.data, world.setting, name, len(excess), excess.mean(), np.abs(excess).mean()),
            *(rank_correlation(predicted, world.realised), np.mean(np.abs(excess) <= half), np.nan),
            *((np.mean(regret), np.max(regret)) if regret else (np.nan, np.nan)),
            *(one.exponent, one.error, half.mean()),
        )
    for name in ("fitted bound", "mean, all measured"):
        if regret := regrets(world, name):
            nothing = (np.nan,) * 5
            yield world.data, world.setting, name, 0, *nothing, np.mean(regret), np.max(regret), *nothing[:3]


def one_prediction(model: GroupModel, members: BoolArray, mean: FloatArray) -> FloatArray:
    """Return the gains that a model predicts, (n_groups, n_tasks), from the means of the gains in pairs."""
    return mean * np.array([model.factor(max(int(row.sum()) - 1, 1)) for row in members])[:, None]


def measurement_noise(world: World, model: GroupModel) -> float:
    """Return the part of the model's squared error that errors of measurement explain; 0 if unknown.

    It has the errors over test examples too, and those of a target's pairs as if they had the same sign. ``group``
    takes only the errors over seeds, so its intervals are at least as wide.
    """
    if world.pair_errors is None or world.realised_errors is None:
        return 0.0
    full = world.members.all(axis=1)
    of_mean = predictions(world.members, world.pair_errors.se)["mean"][full][0]
    of_full = world.realised_errors.se[full][0]
    return float(np.mean((model.factor(len(of_mean) - 1) * of_mean) ** 2 + of_full**2))


def half_widths(world: World, model: GroupModel) -> FloatArray:
    """Return half the intervals of the predicted less the realised gains, (n_groups, n_tasks)."""
    none = np.zeros_like(world.realised)
    se, df, other, other_df = none, none + np.inf, none, none + np.inf
    if world.pair_errors is not None and world.realised_errors is not None:
        se = predictions(world.members, world.pair_errors.se)["mean"]
        df = predictions(world.members, world.pair_errors.df)["smallest"]
        other, other_df = world.realised_errors.se, world.realised_errors.df
    found = np.full(world.realised.shape, np.nan)
    for group, task in zip(*np.nonzero(world.members), strict=True):
        cell, partners = (group, task), int(world.members[group].sum()) - 1
        found[cell] = model.half_width(partners, se[cell], min(df[cell], other_df[cell]), ALPHA, other[cell])
    return found


def predictions(members: BoolArray, pairs: FloatArray) -> dict[str, FloatArray]:
    """Return the gains that each model predicts, (n_groups, n_tasks); NaN outside of a group, or without a pair."""
    others = members[:, :, None] & ~np.eye(len(pairs), dtype=np.bool_)
    known = members & ~(others & np.isnan(pairs)).any(axis=1)
    gains = np.where(others & known[:, None, :], pairs, np.nan)  # (n_groups, source, target)
    some = np.where(known[:, None, :], gains, 0.0)  # no slice is empty
    mean, most, least = (statistic(some, axis=1) for statistic in (np.nanmean, np.nanmax, np.nanmin))
    found = {"zero": np.zeros_like(mean), "mean": mean, "largest": most, "smallest": least}
    number = np.maximum(members.sum(axis=1) - 1, 1)[:, None]
    found |= {"sum": number * mean, "root sum": np.sqrt(number) * mean}
    found |= {f"{share:g} largest": share * most + (1 - share) * mean for share in SHARES}
    return {name: np.where(known, values, np.nan) for name, values in found.items()}


def rank_correlation(predicted: FloatArray, realised: FloatArray) -> float:
    """Return Spearman's correlation within a target, averaged over targets; NaN if no target has three groups."""
    found = []
    for one, other in zip(predicted.T, realised.T, strict=True):
        known = ~np.isnan(one) & ~np.isnan(other)
        if known.sum() > 2 and np.ptp(one[known]) > 0 and np.ptp(other[known]) > 0:
            found.append(float(spearmanr(one[known], other[known]).statistic))
    return float(np.mean(found)) if found else np.nan


def shares_covered(world: World) -> dict[str, tuple[float, float]]:
    """Return by model the shares of realised gains in the interval, and above the lower bound, of their prediction.

    All errors of a target's gains in pairs are taken to have the same sign, as ``group`` does. Empty without errors.
    """
    if world.pair_errors is None or world.realised_errors is None:
        return {}
    pair, realised = world.pair_errors, world.realised_errors
    low, middle, high = (predictions(world.members, world.pairs + sign * pair.se) for sign in (-1, 0, 1))
    bound = predictions(world.members, bounds(world.pairs, pair.se, pair.df, RISK))
    least = np.fmin(predictions(world.members, pair.df)["smallest"], realised.df)
    quantile = -stdtrit(least, ALPHA / 2)
    known = ~np.isnan(world.realised)
    found = {}
    for name, centre in middle.items():
        below, above = (quantile * np.hypot(centre - end[name], realised.se) for end in (low, high))
        difference = world.realised - centre
        is_covered = (difference >= -below) & (difference <= above)
        found[name] = (float(is_covered[known].mean()), float((world.realised > bound[name])[known].mean()))
    return found


def regrets(world: World, model: str) -> list[float]:
    """Return the regret of the groups that a model chooses, in percent of the loss, by the number of groups."""
    if world.true_pairs is not None:
        return regrets_of_trained_sets(world, model)
    if world.losses is None:
        return []
    dev, test = world.losses
    size = len(world.pairs)
    expected = predicted_losses(dev, model)
    return [
        100 * (total(lowest(expected, models), test) / total(lowest(dev, models), test) - 1)
        for models in range(1, MOST_MODELS.get(size, size) + 1)
    ]


def regrets_of_trained_sets(world: World, model: str) -> list[float]:
    """Return the regret in points per task of choices among the trained sets, by the number of groups.

    The gains of the study choose; those of the reference study and the realised gains are compared.
    """
    assert world.true_pairs is not None
    size, full = len(world.pairs), world.members.all(axis=1)
    gains = predictions(world.members, world.pairs)
    gains |= knowing_all(world.members, gains["mean"], np.where(full[:, None], world.realised, np.nan))
    groups = [frozenset(np.flatnonzero(row).tolist()) for row in world.members]
    expected, real = (
        small_sets(pairs) | dict(zip(groups, -values, strict=True))
        for pairs, values in ((world.pairs, gains[model]), (world.true_pairs, world.realised))
    )
    return [
        (total(lowest(expected, models), real) - total(lowest(real, models), real)) / size
        for models in range(1, MOST_OF_TRAINED + 1)
    ]


def small_sets(pairs: FloatArray) -> Losses:
    """Return minus the gains of single tasks and pairs."""
    tasks = range(len(pairs))
    found = {frozenset([task]): np.where(np.arange(len(pairs)) == task, 0.0, np.nan) for task in tasks}
    for source, target in combinations(tasks, 2):
        both = np.full(len(pairs), np.nan)
        both[[source, target]] = -pairs[target, source], -pairs[source, target]
        found[frozenset([source, target])] = both
    return found


def predicted_losses(dev: Losses, model: str) -> Losses:
    """Return the losses of single tasks and pairs, and those that a model predicts for larger groups."""
    pairs = pair_gains(dev)
    size = len(pairs)
    large = [group for group in dev if len(group) > 2]
    members = np.array([[task in group for task in range(size)] for group in large])
    single = np.array([dev[frozenset([task])][task] for task in range(size)])
    gains = predictions(members, pairs)
    if model not in gains:
        full = members.all(axis=1)
        of_all = 100 * (1 - dev[frozenset(range(size))] / single)
        gains |= knowing_all(members, gains["mean"], np.where(full[:, None], of_all, np.nan))
    expected = single * (1 - gains[model] / 100)
    return {group: losses for group, losses in dev.items() if len(group) < 3} | dict(zip(large, expected, strict=True))


def knowing_all(members: BoolArray, mean: FloatArray, realised: FloatArray) -> dict[str, FloatArray]:
    """Return what models predict that know the gains of all tasks together: the only row of ``realised`` with gains."""
    full = members.all(axis=1)
    model = fitted_model(mean[full][0], realised[full][0])
    fitted = one_prediction(model, members, mean)
    found = {
        "fitted": fitted,
        "mean, all measured": mean,
        "fitted bound": fitted + stdtrit(model.df, RISK) * model.error,
    }
    return {name: np.where(full[:, None], realised, values) for name, values in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
