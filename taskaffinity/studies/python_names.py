"""Messages in the words of a Python caller: parameters by their names, not by the options of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from taskaffinity.errors import InputError

_PARAMETERS = {
    "set": "settings",
    "results": "output_dir",
    "domain": "suite",
    "no-predictions": "keep_predictions=False",
}
"""Options whose parameter has another name. Every other option is its parameter with hyphens."""
_COMMAND = re.compile(r"(`[^`]*`)")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


@contextmanager
def parameters_not_options() -> Iterator[None]:
    """Let an ``InputError`` name parameters where it names options; a whole command in backticks stays.

    Examples
    --------
    >>> with parameters_not_options():
    ...     raise InputError("--set lr=1: no such setting; `taskaffinity tune --help` lists them")
    Traceback (most recent call last):
    taskaffinity.errors.InputError: settings lr=1: no such setting; `taskaffinity tune --help` lists them
    """
    try:
        yield
    except InputError as error:
        parts = _COMMAND.split(str(error))
        parts[::2] = [_OPTION.sub(_parameter, part) for part in parts[::2]]
        error.args = ("".join(parts),)
        raise


def _parameter(option: re.Match[str]) -> str:
    return _PARAMETERS.get(option[1], option[1].replace("-", "_"))
