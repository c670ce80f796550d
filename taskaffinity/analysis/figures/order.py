"""Orders of tasks: around the circle with few crossings, and along the axes with similar tasks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import Order
from taskaffinity.analysis.statistics.gain_error import FloatArray

Indices = npt.NDArray[np.int64]

_LENGTH = 0.3
"""Cost, in crossings, of one more place between the ends of an arrow: short arrows are preferred."""


def task_order(matrix: AffinityMatrix, order: Order = "suite") -> tuple[int, ...]:
    """Return the order of the tasks along both axes, as indices into the suite.

    ``clustered`` joins tasks with similar rows and columns of gains (average linkage, leaves ordered optimally). An
    unknown gain counts as zero. Fewer than three tasks keep the suite's order.
    """
    size = len(matrix.tasks)
    if order == "suite" or size < 3:
        return tuple(range(size))
    gain = np.nan_to_num(matrix.gain)
    joined = linkage(np.hstack([gain, gain.T]), method="average", optimal_ordering=True)
    return tuple(int(place) for place in leaves_list(joined))


def circle_order(size: int, arrows: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return an order of nodes around a circle with few crossings and short arrows.

    A local search moves one node at a time to its best place. It starts from the given order and from a spectral
    order, and is deterministic: equal arrows give equal orders.
    """
    linked = np.zeros((size, size))
    for s, t in arrows:
        linked[s, t] = linked[t, s] = 1.0
    starts = [np.arange(size), _spectral(linked)] if size > 3 else [np.arange(size)]
    improved = [_improved(start, linked) for start in starts]
    best = min(improved, key=lambda order: float(_cost(order[None], linked)[0]))
    return tuple(int(place) for place in np.roll(best, -int(np.argmin(best))))  # the first task keeps its corner


def crossings(order: npt.ArrayLike, linked: FloatArray) -> FloatArray:
    """Return the number of crossing links (n_orders,) for each order (n_orders, n_nodes) around a circle."""
    return _crossings_and_lengths(np.asarray(order), linked)[0]


def _crossings_and_lengths(orders: Indices, linked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the number of crossing links and the sum of the links' lengths, in places around the circle."""
    n_orders, size = orders.shape
    place = orders.argsort(axis=1)
    one, other = np.nonzero(np.triu(linked, 1))
    i, j = np.minimum(place[:, one], place[:, other]), np.maximum(place[:, one], place[:, other])
    of = np.arange(n_orders)[:, None]
    weight = linked[one, other]
    sums = np.zeros((n_orders, size + 1, size + 1), dtype=np.float32)  # numbers of links: exact
    sums[of, i + 1, j + 1] = sums[of, j + 1, i + 1] = weight
    for axis in (1, 2):
        np.cumsum(sums, axis=axis, out=sums)

    def between(end: Any) -> FloatArray:
        """Links from the nodes between i and j to those before ``end``."""
        return np.asarray(sums[of, j, end] - sums[of, i + 1, end], dtype=np.float64)

    leaving = between(size) - (between(j + 1) - between(i))
    lengths = np.minimum(j - i, size - (j - i))
    return np.asarray((leaving * weight).sum(axis=1) / 2), np.asarray((lengths * weight).sum(axis=1))


def _cost(orders: Indices, linked: FloatArray) -> FloatArray:
    crossed, length = _crossings_and_lengths(orders, linked)
    return np.asarray(crossed + _LENGTH * length)


def _improved(order: Indices, linked: FloatArray) -> Indices:
    best = float(_cost(order[None], linked)[0])
    while True:
        before = best
        for node in range(len(order)):
            others = order[order != node]
            moved = np.array([np.insert(others, place, node) for place in range(len(order))])
            costs = _cost(moved, linked)
            if costs.min() < best - 1e-9:
                order, best = moved[int(costs.argmin())], float(costs.min())
        if best >= before - 1e-9:
            return order


def _spectral(linked: FloatArray) -> Indices:
    """Sort nodes by their angle in the second and third eigenvectors of the graph Laplacian."""
    _, vectors = np.linalg.eigh(np.diag(linked.sum(axis=0)) - linked + 1e-3)
    flipped = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(linked))] < 0, -1, 1)
    return np.argsort(np.arctan2(flipped[:, 2], flipped[:, 1]).round(6), kind="stable")
