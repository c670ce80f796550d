"""Names of splits: train, dev, test, and further test sets of a task."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

MainSplit = Literal["train", "dev", "test"]

SPLITS: tuple[MainSplit, ...] = get_args(MainSplit)

Split = str
"""A member of ``SPLITS``, or the split of a further test set (``split_of``)."""

_PREFIX = "test@"


def split_of(test_set: str) -> Split:
    """Return the split of a test set by its name, which is empty for the split ``test``.

    Examples
    --------
    >>> split_of(""), split_of("notes2023")
    ('test', 'test@notes2023')
    """
    return f"{_PREFIX}{test_set}" if test_set else "test"


def test_sets_of(splits: Iterable[Split]) -> tuple[str, ...]:
    """Return the names of the further test sets among splits, in their order."""
    return tuple(split.removeprefix(_PREFIX) for split in splits if split.startswith(_PREFIX))


def differ_in_case(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that differ only in case, which some file systems do not keep apart; None if there are none."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            return other, name
    return None


def is_test(split: Split) -> bool:
    """Return whether a split is a test set."""
    return split == "test" or split.startswith(_PREFIX)
