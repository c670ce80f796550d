"""How the texts of one task are read: their longest input, and what happens to longer texts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from taskaffinity.errors import STRICT
from taskaffinity.tasks.kinds import TRAITS, Kind

Long = Literal["truncate", "windows"]
Pool = Literal["mean", "max"]
Side = Literal["text", "text_pair"]

LEAST_LENGTH, MOST_LENGTH = 8, 1_000_000
"""Tokens or words of an input."""
WHOLE = 0
"""``max_words`` of sentences that are not split."""


@dataclass(frozen=True)
class Reading:
    """How a task reads its texts. A setting that differs from its default is part of the task's fingerprint."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    max_length: Annotated[int, Field(ge=LEAST_LENGTH, le=MOST_LENGTH)] | None = None
    """Longest input in tokens, special tokens included. None: that of the recipe."""
    max_words: Annotated[int, Field(ge=WHOLE, le=MOST_LENGTH)] | None = None
    """Longest sentence of a tagging task in words. None: that of the recipe; ``WHOLE``: sentences are not split."""
    long: Long = "truncate"
    """Longer inputs lose their end (of a pair, the end of the longer text), or are read in overlapping windows."""
    stride: Annotated[int, Field(ge=1, le=MOST_LENGTH)] | None = None
    """Tokens from the start of a window to the start of the next, at most a window. None: half a window."""
    pool: Pool = "mean"
    """What the output of a text is over those of its windows: the mean or the maximum of each logit or score."""
    windowed: Side = "text"
    """The text of a pair that is read in windows; each window has the other text too."""

    @property
    def has_windows(self) -> bool:
        return self.long == "windows"

    def stated(self) -> dict[str, object]:
        """The settings that differ from their defaults, by name."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    def describe(self, max_length: int, kind: Kind) -> str:
        """Say in words how texts of more than ``max_length`` tokens, the recipe's length, are read.

        Examples
        --------
        >>> Reading(long="windows", pool="max").describe(128, "inference")
        'windows of 128 tokens, each half a window after the one before; max of their outputs'
        >>> Reading(512).describe(128, "inference")
        'cut at the end, after 512 tokens'
        """
        length = self.max_length or max_length
        if not self.has_windows:
            return f"cut at the end, after {length} tokens"
        step = f"{self.stride} tokens" if self.stride else "half a window"
        how = {
            "tags": "each word is read where a window gives it most context",
            "answers": "the best answer of all of them",
        }.get(TRAITS[kind].label, f"{self.pool} of their outputs")
        return f"windows of {length} tokens, each {step} after the one before; {how}"


DEFAULT = Reading()
