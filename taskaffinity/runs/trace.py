"""Where an error came from, in words that may be stored."""

from __future__ import annotations

import traceback


def trace_of(error: BaseException) -> str:
    """The traceback, causes first, without messages: those may quote anything."""
    cause = error.__cause__ or error.__context__
    before = trace_of(cause) if cause else ""
    return f"{before}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}\n"
