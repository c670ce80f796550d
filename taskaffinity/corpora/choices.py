"""Choices of a conversion: the dev part, and how to tag discontinuous mentions.

Some corpora have no official dev part, and BLUE did not publish all of its dev parts. For these, the dev part is a set
of whole documents chosen by a hash of their ids. A document's part then depends only on its id. The user may give a
list of ids instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.task import Split

Discontinuous = Literal["whole", "first", "parts", "drop"]
"""How to tag a discontinuous mention.

``whole`` tags from its first character to its last, ``first`` tags its first part only, ``parts`` tags each part as a
mention, ``drop`` tags nothing.
"""


@dataclass(frozen=True)
class Choices:
    """Choices of the user. ``data check`` knows the counts of the defaults."""

    dev_ids: tuple[str, ...] = ()
    """Ids of the dev part: documents, or rows if the corpus has no documents. Empty means the default rule."""
    discontinuous: Discontinuous = "whole"


DEFAULTS = Choices()


def read_ids(path: Path) -> tuple[str, ...]:
    """Read ids from a file with one per line; ignore blank lines.

    Raises
    ------
    InputError
        If the file does not exist, holds no id, or holds an id twice.
    """
    ids: dict[str, int] = {}
    for number, line in enumerate(read_lines(path)[0], start=1):
        name = line.strip()
        if name and ids.setdefault(name, number) != number:
            raise input_error(
                f"{path}: line {number}", f"a second id {shown(name)} (first: line {ids[name]})", "each id once"
            )
    if not ids:
        raise input_error(path, "no id", "the ids of the dev part, one per line")
    return tuple(ids)


def is_hash_below(name: str, share: float) -> bool:
    """Return whether the hash of an id falls into the lowest ``share`` of all hashes.

    The hash is the first 8 bytes of the id's sha256, so about this share of many ids is selected.
    """
    return _number(name) < share * 2**64


def lowest_hashes(names: Iterable[str], n: int) -> frozenset[str]:
    """Return the ``n`` ids with the smallest hashes."""
    return frozenset(sorted(names, key=_number)[:n])


MD5_RULE = "int(md5(id), 16) % 10: 0 to 6 train, 7 dev, 8 and 9 test"


def md5_split(name: str) -> Split:
    """Return the split of an id by ``MD5_RULE``, for corpora without an official split.

    Examples
    --------
    >>> md5_split("NCT03860012"), md5_split("NCT03860025"), md5_split("NCT03860038")
    ('dev', 'train', 'test')
    """
    remainder = int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % 10
    return "train" if remainder < 7 else "dev" if remainder == 7 else "test"


def listed_dev_ids(dev_ids: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """Check the user's list of dev ids against the ids of the training part.

    Raises
    ------
    InputError
        If an id is not in the training part, or the list leaves no id for training.
    """
    known, listed = set(names), set(dev_ids)
    if unknown := sorted(listed - known):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise input_error(
            "--dev-ids", f"{shown(unknown[0])}{more}, not in the training part", "ids of the training part"
        )
    if listed == known:
        raise input_error("--dev-ids", f"all {len(known)} ids of the training part", "a list of some of them")
    return frozenset(listed)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
