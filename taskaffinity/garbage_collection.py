"""Spare Python's cyclic garbage collector while many objects are alive, all of which it searches again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the collector while objects are made that live on; reference counts free memory as ever."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_RARELY = 50_000
"""New objects after which the collector searches them; Python's own number is some hundreds or thousands."""


@contextmanager
def rare_collection() -> Iterator[None]:
    """Let the collector run rarely while objects are made that do not live on, as the parts of a figure."""
    first, *others = gc.get_threshold()
    gc.set_threshold(first and max(first, _RARELY), *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)
