"""Measured gains of pairs and of larger groups: planted-8, and two releases of losses.

``standley`` reads the losses of Standley et al. (see ``standley.py``). ``mtgnet`` reads the gains that Song et al.
(Efficient and Effective Multi-task Grouping via Meta Learning on Task Combinations, NeurIPS 2022) released in
``gain_collection/collected_gain/`` of the repository ShawnKS/MTG-Net: seven tasks of electricity load (ETTm1, all 127
sets), and 27 clinical tasks (MIMIC-III; all pairs, and sets drawn at random).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
from grouping import RESULTS, TRUTH, matrix_of
from planted8_groups import PLANTED
from scipy.special import stdtrit
from standley import SETTINGS, Losses, read_losses

from taskaffinity.grouping.gains import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Errors:
    """Standard errors and degrees of freedom of gains."""

    se: FloatArray
    df: FloatArray


@dataclass(frozen=True, eq=False)
class World:
    """Gains over single-task training: in points, or in percent of the single-task loss."""

    data: str
    setting: str
    pairs: FloatArray
    """``[source, target]``; NaN on the diagonal and where a pair was not trained."""
    members: BoolArray
    """(n_groups, n_tasks): the groups of three tasks or more."""
    realised: FloatArray
    """(n_groups, n_tasks): NaN outside of the group."""
    pair_errors: Errors | None = None
    realised_errors: Errors | None = None
    losses: tuple[Losses, Losses] | None = None
    """On dev and test examples, of every set of tasks; None if some sets were not trained."""
    true_pairs: FloatArray | None = None
    """Gains of pairs in a reference study of many seeds."""

    @classmethod
    def of_losses(cls, data: str, setting: str, dev: Losses, test: Losses) -> World:
        """Return the world with gains from the losses on test examples, as a study of pairs has them."""
        pairs = pair_gains(test)
        single = [test[frozenset([task])][task] for task in range(len(pairs))]
        groups = [losses for group, losses in test.items() if len(group) > 2]
        realised = 100 * (1 - np.array(groups) / single)
        losses = (dev, test) if len(dev) == 2 ** len(pairs) - 1 else None
        return cls(data, setting, pairs, ~np.isnan(realised), realised, losses=losses)


def pair_gains(losses: Losses) -> FloatArray:
    """Return the gains of pairs ``[source, target]`` in percent of the single-task loss; NaN if not trained."""
    size = len(next(iter(losses.values())))
    gains = np.full((size, size), np.nan)
    for source, target in permutations(range(size), 2):
        if (both := frozenset([source, target])) in losses:
            gains[source, target] = 100 * (1 - losses[both][target] / losses[frozenset([target])][target])
    return gains


def planted() -> World:
    """Return planted-8: the pairs of the study with base seed 0, and groups trained with fresh seeds."""
    edges = pd.read_csv(RESULTS / "grouped_edges.csv").query("base_seed == 0")
    edges = edges.assign(se=(edges["high"] - edges["low"]) / 2 / -stdtrit(edges["df"], edges["alpha"] / 2))
    gain, se, df = (matrix_of(edges, name) for name in ("gain", "se", "df"))
    rows = pd.read_csv(PLANTED)
    names = sorted(set(edges["source"]))
    tables = [
        rows.pivot(index="tasks", columns="task", values=name).reindex(columns=names).to_numpy(np.float64)
        for name in ("gain", "se", "df")
    ]
    known = ~np.isnan(tables[0])
    errors, truth = (Errors(se, df), Errors(*tables[1:])), matrix_of(pd.read_csv(TRUTH), "gain")
    return World("planted-8", "", gain, known, tables[0], *errors, true_pairs=truth)


def standley(folder: Path) -> Iterator[World]:
    """Yield the four settings of five vision tasks."""
    for setting, name in SETTINGS.items():
        yield World.of_losses(
            "Standley", setting, *(read_losses(folder / f"{name}{part}.txt") for part in ("", "_test"))
        )


def mtgnet(folder: Path) -> Iterator[World]:
    """Yield the tasks of electricity load, and the clinical ones."""
    for data, setting, names in (
        ("MTG-Net", "ETTm1", ("ETT/ETTm1_x.csv", "ETT/ETTm1_val_y.csv", "ETT/ETTm1_y.csv")),
        ("MTG-Net", "MIMIC-III", ("mimic27/mimic_x.csv", "mimic27/mimic_y_valid.csv", "mimic27/mimic_y_test.csv")),
    ):
        members, *gains = (np.loadtxt(folder / name) for name in names)
        yield World.of_losses(data, setting, *(_as_losses(members > 0, gain) for gain in gains))


def _as_losses(members: BoolArray, gain: FloatArray) -> Losses:
    """Return losses with a single-task loss of 1 from gains as shares of it."""
    losses = {
        frozenset([task]): np.where(np.arange(gain.shape[1]) == task, 1.0, np.nan) for task in range(gain.shape[1])
    }
    return losses | {
        frozenset(np.flatnonzero(row).tolist()): np.where(row, 1 - gains, np.nan)
        for row, gains in zip(members, gain, strict=True)
    }
