"""Errors of the libraries below, told in one line: they raise a dozen kinds where a file is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from taskaffinity.errors import InputError


@contextmanager
def as_input_error(said: str) -> Iterator[None]:
    """Make any error within a ``InputError`` that says this and the error's type; lack of memory stays what it is."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or is_lack_of_memory(error):
            raise
        why = str(error).strip().partition("\n")[0] if isinstance(error, ImportError) else type(error).__name__
        raise InputError(f"{said} ({why})") from error  # what is to be installed holds no text of a file


def is_lack_of_memory(error: BaseException) -> bool:
    """Python's, torch's, or an allocator's of any kind."""
    told = str(error).lower()
    words = ("t allocate memory", "cannot allocate memory", "out of memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(some in told for some in words)
