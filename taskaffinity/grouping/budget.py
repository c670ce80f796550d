"""What models cost: one each, or hours of training (a fixed part, and a part per task)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from taskaffinity.grouping.gains import BoolArray, FloatArray

_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Price:
    """The price of a model: ``fixed`` plus ``per_task`` of each of its tasks."""

    fixed: float
    per_task: FloatArray

    def of(self, members: BoolArray) -> FloatArray:
        """Return the price of each group, (n_groups,); 0 for a group without members."""
        return np.asarray(members.any(axis=1) * self.fixed + members @ self.per_task)


@dataclass(frozen=True, eq=False)
class Budget:
    """The most that all models together may cost."""

    price: Price
    total: float

    @classmethod
    def of_models(cls, number: int, n_tasks: int) -> Budget:
        """Return the budget of a number of models, whatever they train on."""
        return cls(Price(1.0, np.zeros(n_tasks)), float(number))

    @property
    def most_groups(self) -> int:
        """The largest useful number of models: one per task, or fewer with a fixed price."""
        size = len(self.price.per_task)
        least = self.price.fixed + float(self.price.per_task.min())
        return size if least * size <= self.total else max(1, int(self.total / least + _SLACK))

    def excess(self, members: BoolArray) -> float:
        """Return the share by which the groups exceed the budget; 0 if they do not."""
        spent = float(self.price.of(members).sum())
        return 0.0 if spent <= self.total * (1 + _SLACK) else spent / self.total - 1


def fitted_price(n_tasks: int, runs: Sequence[tuple[Collection[int], float]]) -> Price | None:
    """Fit the price of a model to the prices of runs, by non-negative least squares.

    Relative errors are minimised, so long runs do not outweigh short ones. If every run has one task, the fixed part
    cannot be identified. It is then 0, so that larger models are not priced too low.

    Parameters
    ----------
    runs : sequence of (tasks, price)
        The tasks of a finished run by index, and its price in any unit.

    Returns
    -------
    Price or None
        In the unit of the runs. None if a task is in no run.

    Examples
    --------
    >>> price = fitted_price(2, [((0,), 3.0), ((1,), 4.0), ((0, 1), 6.0)])
    >>> round(price.fixed, 6), price.per_task.round(6).tolist()
    (1.0, [2.0, 3.0])
    """
    known = [(tuple(tasks), price) for tasks, price in runs if price > 0]
    if {task for tasks, _ in known for task in tasks} != set(range(n_tasks)):
        return None
    design = np.zeros((len(known), n_tasks + 1))
    for row, (tasks, _) in zip(design, known, strict=True):
        row[[0, *(task + 1 for task in tasks)]] = 1.0
    if all(len(tasks) == 1 for tasks, _ in known):
        design[:, 0] = 0.0
    prices = np.array([price for _, price in known])
    found, _ = nnls(design / prices[:, None], np.ones(len(known)))
    return Price(float(found[0]), np.asarray(found[1:]))
