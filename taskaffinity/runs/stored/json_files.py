"""Read JSON of the results folder through a typed model with checked keys and ranges."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from taskaffinity.errors import shown

T = TypeVar("T")

FiniteScore = Annotated[float, Field(ge=-1.000001, le=1.000001, allow_inf_nan=False)]
"""A score in [-1, 1]; Pearson's r may exceed 1 by a rounding error."""
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A number of seconds, updates or tokens."""
Words = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
"""A name or title without control characters, which a terminal would obey."""
Finite = Annotated[float, Field(allow_inf_nan=False)]

_LONGEST = 160
_LINE = re.compile(r"at line (\d+)")
_IS_TYPE = re.compile(r"[a-z-]+\[")
"""What pydantic adds to a place where several types are possible, such as ``literal['a','b']``."""
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")
_MISSING = ("missing", "missing_argument")


def parse_model(content: bytes | str, model: Any) -> Any:
    """Parse JSON into a model.

    Parameters
    ----------
    model
        A dataclass or type. If its ``__pydantic_config__`` is ``STRICT``, unknown keys are errors, and so are texts
        instead of numbers.

    Raises
    ------
    ValueError
        One line: the first fault, its key and what is expected. It does not name the file.

    Examples
    --------
    >>> parse_model('{"a": -1}', dict[str, Amount])
    Traceback (most recent call last):
    ...
    ValueError: a is -1; expected greater than or equal to 0
    """
    try:
        return _adapter(model).validate_json(content)
    except ValidationError as error:
        fault = fault_line(error)
    raise ValueError(fault)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def fault_line(error: ValidationError) -> str:
    """Return pydantic's first fault in one short line; long values are shown by their size."""
    fault = error.errors(include_url=False)[0]
    kind, given = fault["type"], fault["input"]
    place = ".".join(_part(part) for part in fault["loc"] if not _IS_TYPE.match(str(part)))
    if kind == "json_invalid":
        line = _LINE.search(fault["msg"])
        return f"line {line[1]}: not JSON" if line else "not JSON"
    if kind == "value_error":
        return _short(str(fault.get("ctx", {}).get("error", fault["msg"])))
    if kind in _UNKNOWN:
        return f"unknown key {place}"
    if kind in _MISSING:
        return f"no {place} in it"
    expected = re.sub(r"^(Input|.*) should (be )?", "", fault["msg"])
    return _short(f"{f'{place} is' if place else 'found'} {shown(given)}; expected {expected}")


def _part(part: object) -> str:
    """Return a key as a message may show it: short and printable."""
    text = str(part)
    return text if len(text) <= 40 and text.isprintable() else f"a key of {len(text)} characters"


def _short(text: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
