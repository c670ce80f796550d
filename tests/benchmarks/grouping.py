"""The choice of groups: regret on planted-8, whose true gains are known, and the time of both searches.

    python tests/benchmarks/grouping.py        writes results/grouping.csv in about two minutes

On planted-8 the groups are chosen from measured three-seed studies (``grouped_edges.csv``, three base seeds: those of
``planted8.py study`` from which the retrained groups were chosen) and valued by the true gains (12 seeds); the best
value is that of the best groups by the true gains. All values follow the pair-mean model: no group is trained. On
random gains both searches are timed, in CPU seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

import taskaffinity
from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.choose import all_in_one
from taskaffinity.grouping.exact import best_grouping
from taskaffinity.grouping.gains import FloatArray
from taskaffinity.grouping.grouping import Grouping
from taskaffinity.grouping.swap import good_grouping

RESULTS = Path(__file__).parent / "results"
TRUTH = Path(taskaffinity.__file__).parent / "tasks" / "planted_eight_truth.csv"
MODELS, SIZES, REPEATS = (2, 3, 4), (8, 10, 12), 4
COLUMNS = ("gains", "tasks", "models", "seed", "choice", "value", "best", "regret", "seconds")


def main() -> None:
    rows = [*planted(), *timed()]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    write_csv(frame, RESULTS / "grouping.csv")
    print(frame.groupby(["gains", "tasks", "models", "choice"])[["regret", "seconds"]].agg(["mean", "max"]).to_string())


def planted() -> Iterator[tuple[object, ...]]:
    """Yield a row per base seed, number of models and choice: values and regret are true points per task."""
    truth = matrix_of(pd.read_csv(TRUTH), "gain")
    for seed, edges in pd.read_csv(RESULTS / "grouped_edges.csv").groupby("base_seed"):
        edges = edges.assign(se=(edges["high"] - edges["low"]) / 2 / -stdtrit(edges["df"], edges["alpha"] / 2))
        gain, se, df = (matrix_of(edges, name) for name in ("gain", "se", "df"))
        for models in MODELS:
            budget = Budget.of_models(models, len(truth))
            best = float(best_grouping(truth, budget).values(truth).mean())
            worths = {"bounds": bounds(gain, se, df, 0.05), "gains": bounds(gain, se, df, None)}
            choices = {name: best_grouping(worth, budget) for name, worth in worths.items()}
            choices["swaps"] = good_grouping(worths["bounds"], budget)
            for name, grouping in (choices | {"all in one": all_in_one(truth)}).items():
                value = float(grouping.values(truth).mean())
                yield "planted-8", len(truth), models, seed, name, value, best, best - value, np.nan


def bounds(gain: FloatArray, se: FloatArray, df: FloatArray, risk: float | None) -> FloatArray:
    """Return the lower confidence bound of each gain, in points.

    The gain is below its bound with probability ``risk``, in (0, 1). If ``risk`` is None, the bound is the gain.
    """
    return gain.copy() if risk is None else gain + stdtrit(df, risk) * se


def timed() -> Iterator[tuple[object, ...]]:
    """Yield a row per random matrix and search: values and regret in points per task."""
    for size in SIZES:
        for models in MODELS:
            for seed in range(REPEATS):
                worth = np.random.default_rng([size, models, seed]).normal(0, 5, (size, size))
                np.fill_diagonal(worth, np.nan)
                budget, found = Budget.of_models(models, size), {}
                for name, search in (("exact", best_grouping), ("swaps", good_grouping)):
                    start = time.process_time()
                    grouping: Grouping = search(worth, budget)
                    found[name] = float(grouping.values(worth).mean()), time.process_time() - start
                for name, (value, seconds) in found.items():
                    best = found["exact"][0]
                    yield "random", size, models, seed, name, value, best, best - value, seconds


def matrix_of(edges: pd.DataFrame, column: str) -> FloatArray:
    """A column of an edge list as an array ``[source, target]``, tasks in the order of their names."""
    names = sorted(set(edges["source"]))
    return edges.pivot(index="source", columns="target", values=column).loc[names, names].to_numpy(dtype=np.float64)


if __name__ == "__main__":
    main()
