"""What a conversion leaves to the user: which documents are the dev part, and how a mention in parts is tagged.

Where a corpus has no official dev part (or BLUE's was never published) ours is whole documents by a hash of their ids,
so that a document's place depends on nothing but its id; a list of ids takes its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.task import Split

Discontinuous = Literal["whole", "first", "parts", "drop"]
"""A mention in several parts is tagged from its first character to its last, by its first part alone, as a mention a
part, or not at all."""

DISCONTINUOUS: tuple[Discontinuous, ...] = get_args(Discontinuous)


@dataclass(frozen=True)
class Choices:
    """The defaults are what ``data check`` knows of."""

    dev_ids: tuple[str, ...] = ()
    """Documents (or rows, where a corpus has no documents) of the dev part; empty for the recorded rule."""
    discontinuous: Discontinuous = "whole"


DEFAULTS = Choices()


def read_ids(path: Path) -> tuple[str, ...]:
    """Ids of a file, one a line; blank lines are passed over.

    Raises
    ------
    InputError
        No such file, no id in it, or an id twice.
    """
    ids: dict[str, int] = {}
    for number, line in enumerate(read_lines(path)[0], start=1):
        name = line.strip()
        if name and ids.setdefault(name, number) != number:
            raise input_error(
                f"{path}: line {number}", f"id {shown(name)} again (first: line {ids[name]})", "each id once"
            )
    if not ids:
        raise input_error(path, "no id", "the ids of the dev part, one a line")
    return tuple(ids)


def by_hash(name: str, share: float) -> bool:
    """Whether an id belongs to a part of about this share: the first 8 bytes of its sha256 are in its range."""
    return _number(name) < share * 2**64


def lowest_hashes(names: Iterable[str], n: int) -> frozenset[str]:
    """Exactly ``n`` of the ids: those of the smallest hashes."""
    return frozenset(sorted(names, key=_number)[:n])


MD5_RULE = "int(md5(id), 16) % 10: 0 to 6 train, 7 dev, 8 and 9 test"


def by_md5(name: str) -> Split:
    """The part of an id where a corpus has no official split at all: ``MD5_RULE``.

    Examples
    --------
    >>> by_md5("NCT03860012"), by_md5("NCT03860025"), by_md5("NCT03860038")
    ('dev', 'train', 'test')
    """
    remainder = int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16) % 10
    return "train" if remainder < 7 else "dev" if remainder == 7 else "test"


def chosen(dev_ids: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """The user's dev part, checked against the ids that there are.

    Raises
    ------
    InputError
        An id that there is not, or no id left for training.
    """
    known, wanted = set(names), set(dev_ids)
    if unknown := sorted(wanted - known):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise input_error(
            "--dev-ids", f"{shown(unknown[0])}{more}, not in the training part", "ids of the training part"
        )
    if wanted == known:
        raise input_error("--dev-ids", f"all {len(known)} ids of the training part", "some left to train on")
    return frozenset(wanted)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
