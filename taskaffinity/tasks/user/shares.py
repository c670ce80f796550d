"""Dev and test parts that are shares of the training part, and the test part that a task may lack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from taskaffinity.errors import input_error, quoted
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.task import Example, Split
from taskaffinity.tasks.user.task_block import At, UserTask

Shared = Literal["dev", "test"]
"""Splits that may be a share of the training split."""

_LARGEST_SHARE = 50


@dataclass(frozen=True)
class SplitShares:
    """The share of the training split that dev and test take, in [0, 1]; 0 for a split with its own rows."""

    dev: float = 0.0
    test: float = 0.0
    needs_test: bool = True
    """Whether a task without a test part is refused."""

    def __iter__(self) -> Iterator[Shared]:
        yield from ("dev", "test")

    def __getitem__(self, part: Shared) -> float:
        return self.dev if part == "dev" else self.test

    def may_lack(self, part: Split) -> bool:
        """Return whether a split needs no rows of its own."""
        if part == "train":
            return False
        return bool(self[part]) or (part == "test" and not self.needs_test)


def part_of(block: UserTask, key: Shared) -> str:
    """Return the share of a split as the block gives it."""
    return block.dev if key == "dev" else block.test


def shares_of(block: UserTask, at: At, *, needs_test: bool = True) -> SplitShares:
    """Return the shares of a block.

    Raises
    ------
    InputError
        If a share is no legal percentage.
    """
    return SplitShares(_share_of("dev", block.dev, at), _share_of("test", block.test, at), needs_test)


def _share_of(key: Shared, said: str, at: At) -> float:
    """Return the share of one split, in [0, 1]; 0 if none is given."""
    percent = said.removesuffix("%").strip()
    if not said:
        return 0.0
    share = whole_number(percent)
    if not said.endswith("%") or share is None or not 1 <= share <= _LARGEST_SHARE:
        file = f"a file goes under path: {{{key}: FILE}}"
        expected = f"1% to {_LARGEST_SHARE}% of the training split, such as 10%; {file}"
        raise input_error(at(key), f"{key}: {quoted(said)}", expected)
    return share / 100


def split_off_shares(block: UserTask, shares: SplitShares, examples: dict[Split, tuple[Example, ...]], at: At) -> None:
    """Move the dev and test shares out of the training examples."""
    whole = examples["train"]
    for part in shares:
        share = shares[part]
        if not share:
            continue
        taken = {e.id for e in whole if in_share(e.document or e.id, share, is_last=part == "test")}
        examples[part] = tuple(example for example in whole if example.id in taken)
        examples["train"] = tuple(example for example in examples["train"] if example.id not in taken)
        if not examples[part] or not examples["train"]:
            documents = {example.document for example in whole} - {""}
            of = f" (in whole documents; there are {len(documents)})" if documents else ""
            said = f"{part}: {part_of(block, part)}, which takes {len(examples[part])} of {len(whole)} examples{of}"
            raise input_error(at(part), said, f"a share that leaves examples in both splits, or a {part} file")


def in_share(name: str, share: float, *, is_last: bool = False) -> bool:
    """Return whether an id of an example or a document falls into a share.

    The first 8 bytes of its sha256, big-endian, are read as a fraction in [0, 1). The dev share takes the fractions
    below ``share``; with ``is_last``, the test share takes the same amount at the upper end.
    """
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return (2**64 - 1 - place if is_last else place) < share * 2**64
