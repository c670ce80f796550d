"""Order tasks: around the circle with few crossings, along the axes by similar gains."""

from __future__ import annotations

from collections.abc import Sequence

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
    best = min(improved, key=lambda order: _cost(order, linked))
    return tuple(int(place) for place in np.roll(best, -int(np.argmin(best))))  # the first task keeps its corner


def crossings(order: Indices, linked: FloatArray) -> float:
    """Return the number of crossing links for an order (n_nodes,) around a circle."""
    sums, ends = _sums(linked[np.ix_(order, order)]), np.argwhere(np.triu(linked[np.ix_(order, order)], 1))
    return float(_leaving(sums, ends[:, 0] + 1, ends[:, 1], ends).sum()) / 2


def _sums(linked: FloatArray) -> FloatArray:
    """Return the sums of ``linked[:i, :j]``, ``[i, j]``."""
    sums = np.zeros((len(linked) + 1, len(linked) + 1))
    sums[1:, 1:] = linked.cumsum(axis=0).cumsum(axis=1)
    return sums


def _leaving(sums: FloatArray, first: Indices, end: Indices, apart: Indices) -> FloatArray:
    """Return the number of links from the places in ``[first, end)`` to those outside it and not in ``apart``.

    Parameters
    ----------
    apart : (n, n_apart)
        Places outside the range.
    """
    inside = sums[end] - sums[first]  # from the range to the places before each place
    every = np.arange(len(first))
    leaving = inside[:, -1] - (inside[every, end] - inside[every, first])
    for place in np.moveaxis(apart, -1, 0):
        leaving = leaving - (inside[every, place + 1] - inside[every, place])
    return np.asarray(leaving)


def _cost(order: Indices, linked: FloatArray) -> float:
    one, other = np.nonzero(np.triu(linked[np.ix_(order, order)], 1))
    apart = other - one
    return crossings(order, linked) + _LENGTH * float(np.minimum(apart, len(order) - apart).sum())


def costs_of_places(others: Indices, node: int, linked: FloatArray) -> FloatArray:
    """Return the cost of inserting a node at each place, (n_nodes,).

    The places are before each of the other nodes, and after all of them.
    """
    size, gaps = len(linked), np.arange(len(linked))[:, None]
    between = linked[np.ix_(others, others)]
    one, other = np.nonzero(np.triu(between, 1))
    apart = other - one + ((one < gaps) & (gaps <= other))
    ends = np.flatnonzero(linked[node, others])
    first, end = np.minimum(gaps, ends + 1), np.maximum(gaps, ends)  # the places between the node and its neighbour
    crossed = _leaving(_sums(between), first.ravel(), end.ravel(), np.tile(ends, size)[:, None])
    reach = end - first + 1
    lengths = [np.minimum(steps, size - steps).sum(axis=1) for steps in (apart, reach)]
    return np.asarray(
        crossings(others, linked) + crossed.reshape(size, -1).sum(axis=1) + _LENGTH * (lengths[0] + lengths[1])
    )


def _improved(order: Indices, linked: FloatArray) -> Indices:
    best = _cost(order, linked)
    while True:
        before = best
        for node in range(len(order)):
            others = order[order != node]
            costs = costs_of_places(others, node, linked)
            if costs.min() < best - 1e-9:
                order, best = np.insert(others, int(costs.argmin()), node), float(costs.min())
        if best >= before - 1e-9:
            return order


def _spectral(linked: FloatArray) -> Indices:
    """Sort nodes by their angle in the second and third eigenvectors of the graph Laplacian."""
    _, vectors = np.linalg.eigh(np.diag(linked.sum(axis=0)) - linked + 1e-3)
    flipped = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(len(linked))] < 0, -1, 1)
    return np.argsort(np.arctan2(flipped[:, 2], flipped[:, 1]).round(6), kind="stable")
