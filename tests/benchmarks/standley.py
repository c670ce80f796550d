"""Groups chosen from pairs against groups chosen from every set, on the losses that Standley et al. released.

    python tests/benchmarks/standley.py FOLDER        writes results/standley.csv in seconds

FOLDER holds the files ``results*.txt`` of ``network_selection/`` in the repository tstandley/taskgrouping (Standley et
al., Which Tasks Should Be Learned Together in Multi-task Learning?, ICML 2020). They hold the validation and the test
losses of five vision tasks, trained on each of the 31 sets of these tasks, in four settings. We choose groups from the
validation losses of single tasks and pairs alone, as ``taskaffinity group`` does, and read the test losses of the
groups that were chosen. The regret is the share by which their sum exceeds that of the reference:

* ``sets``: the groups with the lowest validation losses, when the losses of all 31 sets are known;
* ``best``: the groups with the lowest test losses. No choice from validation losses can be relied on to reach it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd

from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.grouping.budget import Budget
from taskaffinity.grouping.exact import best_grouping
from taskaffinity.grouping.gains import FloatArray

RESULTS = Path(__file__).parent / "results"
SETTINGS = {
    "normal": "results",
    "larger networks": "results_large",
    "less data": "results_small_data",
    "other tasks": "results_alt",
}
N_TASKS = 5
Group = frozenset[int]
Losses = dict[Group, FloatArray]
EVERY = frozenset(range(N_TASKS))
ALONE = [frozenset([task]) for task in range(N_TASKS)]
COLUMNS = ("setting", "models", "choice", "loss", "sets", "best", "regret_sets_percent", "regret_best_percent")


def main(folder: Path) -> None:
    frame = pd.DataFrame([*rows(folder)], columns=list(COLUMNS))
    write_csv(frame, RESULTS / "standley.csv")
    print(frame.round(3).to_string())
    print(frame.groupby("choice")[["regret_sets_percent", "regret_best_percent"]].agg(["median", "max"]).to_string())


def rows(folder: Path) -> Iterator[tuple[object, ...]]:
    """Yield a row per setting, number of models and choice; losses are sums over the tasks, on test examples."""
    for setting, name in SETTINGS.items():
        dev, test = read_losses(folder / f"{name}.txt"), read_losses(folder / f"{name}_test.txt")
        for models in range(1, N_TASKS + 1):
            by_sets, best = (total(lowest(known, models), test) for known in (dev, test))
            choices = {"pairs": from_pairs(dev, models), "all in one": [EVERY] * N_TASKS}
            if models == N_TASKS:
                choices["single task"] = ALONE
            for choice, served in choices.items():
                loss = total(served, test)
                regrets = (100 * (loss / reference - 1) for reference in (by_sets, best))
                yield setting, models, choice, loss, by_sets, best, *regrets


def from_pairs(losses: Losses, models: int) -> list[Group]:
    """Return the group that serves each task, chosen from the losses of single tasks and pairs alone."""
    gain = np.full((N_TASKS, N_TASKS), np.nan)
    for source, target in permutations(range(N_TASKS), 2):
        gain[source, target] = losses[frozenset([target])][target] - losses[frozenset([source, target])][target]
    chosen = best_grouping(gain, Budget.of_models(models, N_TASKS))
    return [frozenset(chosen.groups[group]) for group in chosen.serves]


def lowest(losses: Losses, models: int) -> list[Group]:
    """Return the group that serves each task in the choice with the lowest sum of losses, of all choices."""
    groups = list(losses)
    each = np.nan_to_num(np.array([losses[group] for group in groups]), nan=np.inf)
    choices = np.array([*combinations(range(len(groups)), models)])  # (n_choices, models)
    best = choices[each[choices].min(axis=1).sum(axis=1).argmin()]
    return [groups[best[place]] for place in each[best].argmin(axis=0)]


def total(served: Sequence[Group], losses: Losses) -> float:
    """Return the sum of the tasks' losses, each in the group that serves it."""
    return float(sum(losses[group][task] for task, group in enumerate(served)))


def read_losses(path: Path) -> Losses:
    """Read the losses of every set of tasks, (n_tasks,) each; NaN for tasks outside of it.

    The first line has single tasks on networks of half the size; it is left out.
    """
    losses: Losses = {}
    for line in path.read_text().rstrip("\n").split("\n")[1:]:
        row = np.array([float(cell) if cell else np.nan for cell in line.split("\t")])
        losses[frozenset(np.flatnonzero(~np.isnan(row)).tolist())] = row
    if len(losses) != 2**N_TASKS - 1:
        raise ValueError(f"{path}: {len(losses)} sets of tasks; expected {2**N_TASKS - 1}")
    return losses


if __name__ == "__main__":
    main(Path(sys.argv[1]))
