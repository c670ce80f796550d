"""Make messages of Python functions name parameters, not command-line options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from taskaffinity.errors import InputError, meant

P = ParamSpec("P")
R = TypeVar("R")
_PARAMETERS = {
    "set": "settings",
    "results": "output_dir",
    "domain": "suite",
    "for": "for_task",
    "retrain": "seeds",
    "no-predictions": "keep_predictions=False",
    "no-models": "keep_models=False",
}
"""Options whose parameter has another name. All other options are their parameters with hyphens."""
_COMMAND = re.compile(r"(`[^`]*`)")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


def python_function(function: Callable[P, R]) -> Callable[P, R]:
    """Make the function raise errors that name its parameters.

    An ``InputError`` names parameters instead of options. A ``TypeError`` for an unknown parameter names the one that
    it resembles.
    """
    names = tuple(inspect.signature(function).parameters)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in names:
                hint = meant(name, names) or f"; it has {', '.join(names)}"
                raise TypeError(f"{function.__name__}() has no parameter {name}{hint}")
        with parameters_not_options():
            return function(*args, **kwargs)

    return call


def command_function(function: Callable[P, R]) -> Callable[P, R]:
    """Return the same function for a command: its errors name options, as the user gave them."""
    wrapped: Callable[P, R] = inspect.unwrap(function)
    return wrapped


@contextmanager
def parameters_not_options() -> Iterator[None]:
    """Replace options by parameters in an ``InputError``, except in a command in backticks.

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
