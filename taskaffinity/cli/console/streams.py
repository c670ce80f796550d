"""Keep standard output and error usable after their reader has gone.

An example is ``taskaffinity status | head -1``.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class _Stream(io.RawIOBase):
    """A file descriptor that discards output without a reader; other errors name the stream."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor, self.name = descriptor, name
        self._has_reader = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, content: object) -> int:
        data = memoryview(content)  # type: ignore[arg-type]  # the buffer above passes bytes
        if not self._has_reader:
            return data.nbytes
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            self._has_reader = False
            return data.nbytes
        except OSError as error:
            self._has_reader = False  # otherwise the interpreter would fail again when it ends
            raise OSError(error.errno, error.strerror, self.name) from None


@contextmanager
def surviving() -> Iterator[None]:
    """Continue the block after its reader has gone, so that it ends with its own exit code.

    So a study is trained and published even if the reader of its table has gone.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _wrapped(sys.stdout, "standard output"), _wrapped(sys.stderr, "standard error")
    try:
        yield
    finally:
        with suppress(OSError):
            flush()
        sys.stdout, sys.stderr = before


def flush() -> None:
    """Flush the buffers.

    Raises
    ------
    OSError
        With the name of the stream, if the disk is full or the like.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _wrapped(stream: TextIO, title: str) -> TextIO:
    try:
        descriptor = stream.fileno()
        stream.flush()
    except (AttributeError, OSError, ValueError):  # closed, or no file
        return stream
    is_direct = getattr(stream, "line_buffering", False) or getattr(stream, "write_through", False)
    buffer = io.BufferedWriter(_Stream(descriptor, title))
    return io.TextIOWrapper(buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=is_direct)
