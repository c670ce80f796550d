"""Convert errors of transformers and its loaders to one-line ``InputError``s, and silence its expected warnings.

The loaders raise a dozen exception types for a damaged file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers.utils import logging

from taskaffinity.errors import InputError


@contextmanager
def as_input_error(message: str) -> Iterator[None]:
    """Raise any error of the block as an ``InputError`` with this message.

    The message ends with the type of the error, or with the text of an ``ImportError``, which names a missing package.
    Other texts could quote a file. An ``InputError`` and out-of-memory errors pass unchanged.
    """
    try:
        yield
    except BaseException as error:
        is_error = isinstance(error, Exception) or type(error).__name__ == "PanicException"  # raised by tokenizers
        if not is_error or isinstance(error, InputError) or is_lack_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0] if isinstance(error, ImportError) else type(error).__name__
        raise InputError(f"{message} ({reason})") from error


@contextmanager
def quietly() -> Iterator[None]:
    """Silence the warnings of transformers inside the block.

    Checkpoints with a language head, and without a pooler, are expected.
    """
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether Python, torch or another allocator ran out of memory."""
    text = str(error).lower()
    phrases = ("t allocate memory", "cannot allocate memory", "out of memory", "_status_alloc_failed")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(phrase in text for phrase in phrases)
