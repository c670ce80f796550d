"""Read numbers from text, by one rule for every file and option.

A number has ASCII digits. Python also reads ``1_000``, digits of other scripts, ``nan`` and texts of any length. A file
with one of these is probably broken.
"""

from __future__ import annotations

import math
import re

_MOST_DIGITS = 18
"""More digits than any offset, line or count has; every such number fits into 64 bits."""
_LONGEST = 400
"""The longest decimal number: that of ``float`` has at most 309 digits before the point."""
_WHOLE = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}")
_WHOLE_DECIMAL = re.compile(rf"-?[0-9]{{1,{_MOST_DIGITS}}}\.0")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")


def whole_number(text: str) -> int | None:
    """Return a text of 1 to 18 ASCII digits as a whole number, any other text as None.

    Examples
    --------
    >>> whole_number("007"), whole_number("-1"), whole_number("1_000"), whole_number("9" * 19)
    (7, None, None, None)
    """
    return int(text) if _WHOLE.fullmatch(text) else None


def without_decimal(value: object) -> object:
    """Return 1 for 1.0, and "1" for "1.0"; any other value unchanged.

    An integer column of pandas with missing values has such numbers.

    Examples
    --------
    >>> [without_decimal(value) for value in (2.0, " 2.0 ", "-1.0", 2.5, "2.50")]
    [2, '2', '-1', 2.5, '2.50']
    """
    if isinstance(value, str) and _WHOLE_DECIMAL.fullmatch(value.strip()):
        return value.strip()[:-2]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def finite_number(text: str) -> float | None:
    """Return a text as a finite decimal number, any other text as None.

    White space around the number is ignored.

    Examples
    --------
    >>> [finite_number(text) for text in (" 2.50 ", "-1e-3", "1_0", "nan", "1e999")]
    [2.5, -0.001, None, None, None]
    """
    text = text.strip()
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
