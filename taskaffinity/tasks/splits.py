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


def test_set_of(split: Split) -> str:
    """Return the name of a further test set by its split."""
    return split.removeprefix(_PREFIX)


def test_sets_of(splits: Iterable[Split]) -> tuple[str, ...]:
    """Return the names of the further test sets among splits, in their order."""
    return tuple(test_set_of(split) for split in splits if split.startswith(_PREFIX))


def is_test(split: Split) -> bool:
    """Return whether a split is a test set."""
    return split == "test" or split.startswith(_PREFIX)
