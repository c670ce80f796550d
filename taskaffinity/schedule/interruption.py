"""The signal that interrupts this process, for code that gets another error in its place.

Compiled code, such as pydantic's, turns the exception of a signal into one of its own. A run does not fail then.
"""

from __future__ import annotations

_kind: type[KeyboardInterrupt] | None = None


def note_interruption(kind: type[KeyboardInterrupt] | None) -> None:
    """Remember the exception that a signal raises now; None: no signal interrupts this process."""
    global _kind
    _kind = kind


def raise_if_interrupted(error: Exception) -> None:
    """Raise the exception of the signal that interrupts this process; without a signal, do nothing.

    Parameters
    ----------
    error
        The error that came in its place.
    """
    if _kind is not None:
        raise _kind from error
