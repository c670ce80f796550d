"""Parts that are shares of one file, and the test part that a task may lack.

With a share of train too, the parts have exactly the asked sizes (``exact_shares``). Otherwise a hash of each id
decides, so that an example stays in its part when others are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from taskaffinity.errors import input_error, quoted
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import Kind
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.splits import MainSplit, Split
from taskaffinity.tasks.task import Example
from taskaffinity.tasks.user.exact_shares import draw_parts
from taskaffinity.tasks.user.task_block import At, UserTask

Shared = Literal["dev", "test"]
"""Splits that may be a share of the training split."""

_LARGEST_SHARE, _LARGEST_TRAIN = 50, 99


@dataclass(frozen=True)
class SplitShares:
    """The shares of the training split that become dev and test, in [0, 1].

    A split with its own rows has share 0.
    """

    dev: float = 0.0
    test: float = 0.0
    train: float = 0.0
    """What is left for train, if the shares are exact; else 0."""
    needs_test: bool = True
    """Whether a task without a test part is refused."""

    def __iter__(self) -> Iterator[Shared]:
        yield from ("dev", "test")

    def __getitem__(self, part: Shared) -> float:
        return self.dev if part == "dev" else self.test

    def may_lack(self, part: MainSplit) -> bool:
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
        If a share is no legal percentage, or exact shares do not add up to 100%.
    """
    said = {"train": block.train, "dev": block.dev, "test": block.test}
    percent = {key: _percent(key, share, at) for key, share in said.items()}
    if percent["train"] and sum(percent.values()) != 100:
        shares = ", ".join(f"{key}: {share}%" for key, share in percent.items() if share)
        raise input_error(at("train"), f"{shares}, which is {sum(percent.values())}%", "shares that add up to 100%")
    return SplitShares(percent["dev"] / 100, percent["test"] / 100, percent["train"] / 100, needs_test)


def _percent(key: str, said: str, at: At) -> int:
    """Return the share of one split in percent; 0 if none is given."""
    percent = said.removesuffix("%").strip()
    if not said:
        return 0
    share, most = whole_number(percent), _LARGEST_TRAIN if key == "train" else _LARGEST_SHARE
    if not said.endswith("%") or share is None or not 1 <= share <= most:
        file = f"a file goes under path: {{{key}: FILE}}"
        expected = f"1% to {most}% of the training split, such as {80 if key == 'train' else 10}%; {file}"
        raise input_error(at(key), f"{key}: {quoted(said)}", expected)
    return share


def split_off_shares(block: UserTask, shares: SplitShares, examples: dict[Split, tuple[Example, ...]], at: At) -> None:
    """Move the dev and test shares out of the training examples."""
    whole = examples["train"]
    drawn = _drawn(whole, shares, block.kind)
    for part in shares:
        if not shares[part]:
            continue
        taken = {example.id for example in whole if drawn[example.id] == part}
        examples[part] = tuple(example for example in whole if example.id in taken)
        examples["train"] = tuple(example for example in examples["train"] if example.id not in taken)
        if not examples[part] or not examples["train"]:
            documents = {example.document for example in whole} - {""}
            of = f" (in whole documents, of {len(documents):,})" if documents else ""
            n = f"{len(examples[part]):,} of {how_many(len(whole), 'example')}"
            said = f"{part}: {part_of(block, part)}, which takes {n}{of}"
            hint = "" if shares.train else "; with train: 80% or another rest, shares are exact"
            raise input_error(at(part), said, f"a share that leaves examples in both splits, or a {part} file{hint}")


def _drawn(whole: Sequence[Example], shares: SplitShares, kind: Kind) -> dict[str, Split]:
    """Return the part of each example, by id."""
    if shares.train:
        percent: dict[Split, int] = {"train": round(100 * shares.train)}
        percent |= {part: round(100 * shares[part]) for part in shares if shares[part]}
        return draw_parts(whole, percent, kind)
    return {example.id: part_of_name(example.document or example.id, shares) for example in whole}


def part_of_name(name: str, shares: SplitShares) -> Split:
    """Return the part of an id, of an example or of a document, by its hash."""
    names = (part for part in shares if in_share(name, shares[part], is_last=part == "test"))
    return next(names, "train")


def in_share(name: str, share: float, *, is_last: bool = False) -> bool:
    """Return whether an id of an example or a document falls into a share.

    The first 8 bytes of its sha256, big-endian, are read as a fraction in [0, 1). The dev share takes the fractions
    below ``share``; with ``is_last``, the test share takes the same amount at the upper end.
    """
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return (2**64 - 1 - place if is_last else place) < share * 2**64
