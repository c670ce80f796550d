"""The estimates that a results folder stores in ``estimates.csv``, for arrows whose pair was not measured.

Groups and figures read them. An estimate is no gain and never gets a verdict: it has the sign of a gain, not its size.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field
from scipy.special import stdtrit

from taskaffinity.analysis.estimates.design_file import ESTIMATES
from taskaffinity.analysis.estimates.probes import RATIO, Estimate, FloatArray, Sign
from taskaffinity.errors import InputError, shown
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Finite, Words

_AGAIN = "run `taskaffinity estimate` again, or move the file away"
_ROUNDING = 1e-4
"""Relative error of numbers with six significant digits, at most, and of what follows from them."""


@dataclass(frozen=True, eq=False)
class StoredEstimates:
    """Estimates by arrow, in points.

    Arrays are ``[source, target]``. Without an estimate an entry is NaN, or an empty sign.
    """

    probe: FloatArray
    se: FloatArray
    """Standard error of the probe. Its distribution is taken to be normal."""
    low: FloatArray
    """Ends of the 90% interval of the gain."""
    high: FloatArray
    sign: npt.NDArray[np.str_]
    """``Sign``; unclear also if the source was not learned."""
    source_learned: npt.NDArray[np.bool_]

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom of the standard errors: infinity."""
        return np.where(np.isnan(self.probe), np.nan, np.inf)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Arrows whose estimate can stand for a gain: the source was learned in its probes."""
        return ~np.isnan(self.probe) & ~np.isnan(self.se) & self.source_learned

    def bound(self, risk: float | None) -> FloatArray:
        """Return the value of each gain that a choice of groups counts.

        It is NaN where the estimate cannot replace a gain.

        Parameters
        ----------
        risk : float or None
            The gain is below the bound with this probability: the lower end of the interval of the probe, which a loss
            exceeds up to ``RATIO`` times. At 0.05 it is ``low``. None: the probe.
        """
        if risk is None:
            return np.where(self.known, self.probe, np.nan)
        low = self.probe + stdtrit(np.inf, risk) * self.se
        return np.where(self.known, np.minimum(low, RATIO * low), np.nan)


@dataclass(frozen=True)
class _Row:
    """What is read back of a row of ``estimates.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    source: Words
    target: Words
    probe: Finite | None
    se: Annotated[Finite, Field(ge=0)] | None
    low: Finite | None
    high: Finite | None
    sign: Sign | None
    source_learned: bool | None


def read_estimates(root: Path, tasks: tuple[str, ...]) -> StoredEstimates | None:
    """Read the estimates of a results folder; None if it has none.

    Parameters
    ----------
    tasks : tuple of str
        Names of the study's tasks, in the order of the arrays.

    Raises
    ------
    InputError
        If the file is damaged, lacks an arrow, or has tasks that the study does not have: one line with the way out.
    """
    path, places = root / ESTIMATES, {name: place for place, name in enumerate(tasks)}
    try:
        rows = read_csv_rows(path, _Row, _AGAIN)
    except FileNotFoundError:
        return None
    shape = (len(tasks), len(tasks))
    numbers = {name: np.full(shape, np.nan) for name in ("probe", "se", "low", "high")}
    sign, learned = np.full(shape, "", dtype="<U8"), np.zeros(shape, dtype=np.bool_)
    seen: set[tuple[str, str]] = set()
    for row in rows:
        arrow = (row.source, row.target)
        fault = fault_of_arrow(arrow, places, seen)
        if not fault and not _follows(row):
            fault = f"an interval or a sign from {row.source} to {row.target} that does not follow from its probe"
        if fault:
            raise InputError(f"{path}: {fault}; {_AGAIN}")
        seen.add(arrow)
        place = places[row.source], places[row.target]
        if row.probe is not None:
            values = [math.nan if value is None else value for value in (row.probe, row.se or None, *_interval(row))]
            for array, value in zip(numbers.values(), values, strict=True):
                array[place] = value
        words = "unclear" if row.se == 0 else row.sign or ""
        sign[place], learned[place] = words, bool(row.source_learned)
    if missing := [arrow for arrow in permutations(tasks, 2) if arrow not in seen]:  # the file is cut
        raise InputError(f"{path}: no row from {missing[0][0]} to {missing[0][1]}; {_AGAIN}")
    return StoredEstimates(**numbers, sign=sign, source_learned=learned)


def fault_of_arrow(arrow: tuple[str, str], tasks: Collection[str], seen: Collection[tuple[str, str]]) -> str:
    """Return what is wrong with the arrow of a row; empty if it is one of the study's and not among those seen.

    Parameters
    ----------
    arrow
        Source and target.
    tasks
        Names of the study's tasks.
    seen
        Arrows of earlier rows.
    """
    source, target = arrow
    if unknown := [name for name in arrow if name not in tasks]:
        return f"task {shown(unknown[0])}, which the study does not have"
    if source == target:
        return f"an arrow from {source} to itself"
    return f"two rows from {source} to {target}" if arrow in seen else ""


def _interval(row: _Row) -> tuple[float | None, float | None]:
    """Return the interval of the gain, computed anew: a change within rounding of the stored ends is without effect."""
    if row.probe is None or not row.se:  # an error of 0 (older versions): the probes gave the same predictions
        return None, None
    return Estimate(row.source, row.target, row.probe, row.se).interval


def _follows(row: _Row) -> bool:
    """Whether interval and sign are those of the probe and its standard error; all are empty without an estimate.

    A damaged number is seen so, for only the probes' files have checksums.
    """
    if row.probe is None:
        return all(value is None for value in (row.se, row.low, row.high, row.sign, row.source_learned))
    if row.sign is None or row.source_learned is None:
        return False
    if row.se is None:  # one dev document and one probe: unknown
        return row.low is row.high is None and row.sign == "unclear"
    if row.low is None or row.high is None:
        return False
    found = Estimate(row.source, row.target, row.probe, row.se, row.source_learned)
    size = abs(row.probe) + row.se
    is_same = all(
        abs(stored - end) <= _ROUNDING * (abs(end) + size)
        for stored, end in zip((row.low, row.high), found.interval, strict=True)
    )
    is_open = min(map(abs, found.interval)) <= _ROUNDING * size  # rounding may move an end of the interval across 0
    return is_same and (row.sign == found.sign or is_open)
