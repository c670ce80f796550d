"""Keep the counts of a run in little memory.

Whole numbers take one or two bytes; moments of Pearson are computed from their two scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.pearson import pearson_tally

Array = npt.NDArray[np.float64]

_MOMENTS = 6


class PackedCounts(Mapping[str, Array]):
    """A mapping of arrays; each access returns a new array in double precision.

    Examples
    --------
    >>> counts = PackedCounts({"a/test": np.array([[1, 1], [0, 1]], dtype=np.uint8)})
    >>> counts["a/test"].dtype, counts["a/test"].tolist()
    (dtype('float64'), [[1.0, 1.0], [0.0, 1.0]])
    """

    def __init__(self, counts: Mapping[str, npt.NDArray[Any]]) -> None:
        """Pack arrays that ``compact`` returned."""
        self._packed = {key: _pack(array) for key, array in counts.items()}

    def __getitem__(self, key: str) -> Array:
        packed = self._packed[key]
        return _moments(packed.scores) if isinstance(packed, _Scores) else packed.astype(np.float64)

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, key: object) -> bool:
        return key in self._packed


class _Scores(NamedTuple):
    """Gold and predicted scores, from which all moments follow."""

    scores: Array
    """(n_examples, 2)"""


def _pack(array: npt.NDArray[Any]) -> npt.NDArray[Any] | _Scores:
    if array.dtype == np.float64 and array.ndim == 2 and array.shape[1] == _MOMENTS:
        scores = array[:, 1:3].copy()
        if np.array_equal(_moments(scores), array):
            return _Scores(scores)
    return array.copy()  # a view would also keep the header of its file in memory


def _moments(scores: Array) -> Array:
    return pearson_tally(scores[:, 0], scores[:, 1], ())  # type: ignore[arg-type]
