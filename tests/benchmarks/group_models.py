"""How the gain of a task in a group follows from its gains in pairs: the mean, the largest, and other models.

    python tests/benchmarks/group_models.py STANDLEY MTGNET          writes results/group_models.csv, in a minute

STANDLEY and MTGNET are folders of released losses and gains (``group_worlds.py``); ``planted8_groups.py`` trained the
groups of planted-8. Each model predicts the gain of every task in every group of three tasks or more from its gains in
pairs. ``zero`` predicts no gain; ``0.5 largest`` the mean of the largest gain and the mean; ``root sum`` the sum of n
gains divided by the square root of n, so it lies between their mean and their sum. A row has, of one
data set and model:

* ``bias``: mean of the predicted less the realised gains; ``error``: mean of their absolute differences. In points, and
  for released losses in percent of the single-task loss.
* ``rank``: Spearman's correlation of predicted and realised gains over the groups of a target, averaged over targets.
* ``covered``: share of realised gains within the 95% interval of their prediction, which has the errors of the gains of
  pairs and of the realised gain. ``above_bound``: share above the lower bound of the prediction, at a risk of 5%.
  Released losses have no errors.
* ``between``: share of realised gains that lie between the smallest and the largest gain in pairs, whatever the model.
* ``regret`` and ``largest_regret``: the loss of the groups that a model chooses beyond that of the groups that the
  losses of all sets choose, in percent, mean and maximum over numbers of models. Both choose by losses on dev examples,
  and are compared on test examples; only where all sets were trained.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from group_worlds import RESULTS, World, mtgnet, pair_gains, planted, standley
from scipy.special import stdtrit
from scipy.stats import spearmanr
from standley import Losses, lowest, total

from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.grouping.gains import BoolArray, FloatArray, bounds

SHARES = (0.25, 0.5, 0.75)
"""Weights of the largest gain, beside the mean."""
MOST_MODELS = {7: 3}
"""By number of tasks: of seven, the choice of more models from all sets takes minutes."""
ALPHA, RISK = 0.05, 0.05
COLUMNS = (
    *("data", "setting", "model", "gains", "bias", "error", "rank", "covered", "above_bound"),
    *("regret", "largest_regret", "between"),
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
        )


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
    if world.losses is None:
        return []
    dev, test = world.losses
    size = len(world.pairs)
    expected = predicted_losses(dev, model)
    return [
        100 * (total(lowest(expected, models), test) / total(lowest(dev, models), test) - 1)
        for models in range(1, MOST_MODELS.get(size, size) + 1)
    ]


def predicted_losses(dev: Losses, model: str) -> Losses:
    """Return the losses of single tasks and pairs, and those that a model predicts for larger groups."""
    pairs = pair_gains(dev)
    size = len(pairs)
    large = [group for group in dev if len(group) > 2]
    members = np.array([[task in group for task in range(size)] for group in large])
    single = np.array([dev[frozenset([task])][task] for task in range(size)])
    expected = single * (1 - predictions(members, pairs)[model] / 100)
    return {group: losses for group, losses in dev.items() if len(group) < 3} | dict(zip(large, expected, strict=True))


if __name__ == "__main__":
    main(sys.argv[1:])
