"""Number options with a smallest and a largest value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer

from taskaffinity.errors import quoted
from taskaffinity.tasks.numbers import finite_number

_WHOLE = re.compile(r"[-+]?[0-9]{1,20}")


def integer_option(least: int, most: int, **option: Any) -> Any:
    """Return a typer option for a whole number in [least, most].

    ``option`` has its help and panel.
    """
    return typer.Option(parser=_Parser(_whole, least, most), metavar=f"<int {least}..{most}>", **option)


def number_option(least: float, most: float, **option: Any) -> Any:
    """Return a typer option for a number in [least, most]."""
    return typer.Option(parser=_Parser(finite_number, least, most), metavar=f"<float {least:g}..{most:g}>", **option)


class _Parser:
    """Reads a number in [least, most]."""

    def __init__(self, read: Callable[[str], float | None], least: float, most: float) -> None:
        self.least, self.most = least, most
        self._read = read

    def __call__(self, given: Any) -> float:
        number = self._read(str(given))
        if number is None or not self.least <= number <= self.most:
            kind = "a whole number" if self._read is _whole else "a number"
            raise typer.BadParameter(
                f"found {quoted(str(given))}; expected {kind} from {self.least:,} to {self.most:,}"
            )
        return number


def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None
