"""Find classes whose name is what programs write for a missing label."""

from __future__ import annotations

from collections.abc import Sequence

_MISSING = ("nan", "NaN", "<NA>", "NaT")
"""Written by pandas and NumPy. ``None`` and ``NA`` are not among them: they are also names of real classes."""


def missing_notes(labels: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each class that looks like a missing label.

    Parameters
    ----------
    names
        How a message shows each label.

    Examples
    --------
    >>> missing_notes(["absent", "nan"], ["'absent'", "'nan'"])
    ("'nan' is a class; programs write it for a missing label",)
    """
    found = [name for label, name in zip(labels, names, strict=True) if label in _MISSING]
    return tuple(f"{name} is a class; programs write it for a missing label" for name in found)
