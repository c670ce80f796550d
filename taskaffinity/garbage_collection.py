"""Pause or slow Python's cyclic garbage collector, which searches all live objects again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the collector while objects are made that stay alive.

    Reference counts still free memory.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_RARELY = 50_000
"""Number of new objects after which the collector runs; Python's default is some hundreds or thousands."""


@contextmanager
def rare_collection() -> Iterator[None]:
    """Let the collector run rarely while short-lived objects are made, such as parts of a figure."""
    first, *others = gc.get_threshold()
    gc.set_threshold(first and max(first, _RARELY), *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)
