"""Counts of examples in a table of predictions: what a metric counts, for runs whose labels are not known.

A cell names every metric, the official one first: ``micro_f1=1 0 0;accuracy=1 1``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import input_error, named, shown
from taskaffinity.runs.external.scoring import SCORED_HERE
from taskaffinity.tasks.count_checks import compact, fault_in_counts, gold_side
from taskaffinity.tasks.metrics import Counts
from taskaffinity.tasks.numbers import finite_number

Cell = tuple[tuple[str, tuple[float, ...]], ...]
"""Metrics of an example with their counts; the official one is first."""
_MOST_COUNTS = 30_000
"""Counts of one metric of an example: those of macro-F1 over 10,000 classes."""


def write_counts(counts: Mapping[str, Counts]) -> list[str]:
    """Return the cells of the examples of a run.

    Parameters
    ----------
    counts : mapping of str to (n_examples, n_counts)
        By metric, the official one first.
    """
    columns = [
        [f"{metric}={' '.join(map(_number, row))}" for row in np.asarray(array, np.float64).tolist()]
        for metric, array in counts.items()
    ]
    return [";".join(cells) for cells in zip(*columns, strict=True)]


def _number(count: float) -> str:
    return str(int(count)) if count.is_integer() else repr(count)


def parse_cell(where: str, text: str) -> Cell:
    """Return the counts of an example by metric.

    Raises
    ------
    InputError
        If the text has another form.
    """
    found: dict[str, tuple[float, ...]] = {}
    for part in text.split(";"):
        metric, _, numbers = part.partition("=")
        if metric not in SCORED_HERE or metric in found:
            what = "a second metric" if metric in found else "the metric"
            raise input_error(f"{where}: counts", f"{what} {named(metric, SCORED_HERE)}", "METRIC=COUNTS;METRIC=COUNTS")
        values = [finite_number(one) for one in numbers.split(" ")]
        if len(values) > _MOST_COUNTS or any(value is None for value in values):
            raise input_error(f"{where}: counts", f"{shown(numbers)} of {metric}", "numbers, joined by spaces")
        found[metric] = tuple(value for value in values if value is not None)
    return tuple(found.items())


def check_like(where: str, cell: Cell, first: Cell) -> None:
    """Raise ``InputError`` unless two examples have the same metrics, with as many counts."""
    form, expected = ([(metric, len(values)) for metric, values in one] for one in (cell, first))
    if form != expected:
        raise input_error(f"{where}: counts", _form(form), f"{_form(expected)}, as in the first row of the target")


def _form(metrics: Sequence[tuple[str, int]]) -> str:
    return " and ".join(f"{n} of {metric}" for metric, n in metrics)


def stack_counts(runs: Mapping[str, Sequence[Cell]]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the counts by metric, (n_runs, n_examples, n_counts), from the cells of each run by its first row.

    Raises
    ------
    InputError
        If a metric cannot have such counts, or two runs show different gold labels.
    """
    found: dict[str, list[npt.NDArray[np.generic]]] = {}
    first: dict[str, Counts] = {}
    for where, cells in runs.items():
        for place, (metric, _) in enumerate(cells[0]):
            counts = np.array([cell[place][1] for cell in cells], np.float64)
            if fault := fault_in_counts(metric, compact(counts)):
                raise input_error(f"{where}: counts, from this row on", fault, f"counts of {metric}")
            gold = gold_side(metric, counts)
            if not np.array_equal(gold, first.setdefault(metric, gold)):
                found_gold = f"counts of {metric} with other gold labels than in the first run, from this row on"
                raise input_error(where, found_gold, "the same test examples in all runs")
            found.setdefault(metric, []).append(compact(counts))
    return {metric: np.stack(of_runs) for metric, of_runs in found.items()}
