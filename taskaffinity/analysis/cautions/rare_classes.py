"""Scored classes with so few test examples that the intervals of macro-F1 tend to be too wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.splits import Split, split_of

FEWEST_EXAMPLES = 10
"""Test examples of a class below which the intervals of macro-F1 tend to be too wide."""
_METRIC = "macro_f1"


@dataclass(frozen=True)
class RareClass:
    """A scored class of a task with fewer than ``FEWEST_EXAMPLES`` test examples."""

    task: str
    label: str
    """Empty if the runs store no predictions, no test example has the class, or the examples have several in common."""
    examples: int
    is_official: bool
    """Whether macro-F1 is the metric of the task's verdicts, and not a secondary one."""


def find_rare_classes(study: Study, store: RunStore, test_set: str = "") -> tuple[RareClass, ...]:
    """Return the rare classes of every task with counts of macro-F1 on a test set.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    found: list[RareClass] = []
    alone: dict[str, list[RunSpec]] = {card.name: [] for card in study.tasks}
    for spec in study.plan:
        if len(spec.task_names) == 1:
            alone[spec.task_names[0]].append(spec)
    for card in study.tasks:
        run = next(filter(None, map(store.get, alone[card.name])), None)
        is_official = card.metric == _METRIC
        key = f"{card.name}/{split_of(test_set)}" + ("" if is_official else f"/{_METRIC}")
        if run is None or key not in run.counts:
            continue
        counts = run.counts[key].reshape(len(run.counts[key]), -1, 3)
        is_gold = counts[:, :, 0] + counts[:, :, 2] > 0
        few = [place for place, examples in enumerate(is_gold.sum(axis=0)) if examples < FEWEST_EXAMPLES]
        labels = _gold_labels(run, store, card.name, split_of(test_set)) if few else []
        for place in few:
            label = _label_of(is_gold, place, labels) if len(labels) == len(counts) else ""
            found.append(RareClass(card.name, label, int(is_gold[:, place].sum()), is_official))
    return tuple(found)


def _label_of(is_gold: npt.NDArray[np.bool_], place: int, labels: Sequence[str]) -> str:
    """Return the label that the examples of a class have in common; empty without an example, or if several labels fit.

    Parameters
    ----------
    is_gold : (n_examples, n_classes)
    labels : (n_examples,)
        Gold labels as stored: classes of one example are joined by ``|``.
    """
    has_several = bool((is_gold.sum(axis=1) > 1).any())
    rows = is_gold[:, place].nonzero()[0]
    sets = [set(label.split("|")) if has_several else {label} for label in labels]
    shared = set.intersection(*(sets[row] for row in rows)) if len(rows) else set()
    others = set().union(*(sets[row] for row in (~is_gold[:, place]).nonzero()[0]))
    fits = shared - others
    return fits.pop() if len(fits) == 1 else ""


def _gold_labels(run: RunResult, store: RunStore, task: str, split: Split) -> Sequence[str]:
    """Return the gold labels of the examples of a task's split; empty without stored predictions."""
    table = store.predictions(run.spec)
    if table is None:
        return []
    rows = table.select(["task", "split", "gold"]).to_pylist()
    return [row["gold"] for row in rows if (row["task"], row["split"]) == (task, split)]
