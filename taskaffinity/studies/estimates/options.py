"""The budget of estimates: a share of the cost of measuring every pair."""

from __future__ import annotations

import math

from taskaffinity.errors import InputError, shown

DEFAULT_BUDGET = "10%"


def share_of(budget: str | float) -> float:
    """The share that a budget such as ``10%`` or 0.1 means.

    Raises
    ------
    InputError
        If it is no share above 0 and at most 1.

    Examples
    --------
    >>> share_of("10%"), share_of(0.5)
    (0.1, 0.5)
    """
    text = str(budget).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise InputError(
            f"--budget: found {shown(text)}; expected a share of the cost of all pairs, such as 10%, at most 100%"
        )
    return share
