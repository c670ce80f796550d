"""Which pairs of mentions are examples of a task of relations, and their labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Pairs(BaseModel):
    """Which pairs of mentions are examples of a task of relations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: tuple[tuple[str, ...], ...] = ()
    """Pairs of types, in any order. Empty: all."""
    within: Literal["sentence", "document"] = "sentence"
    """The text of an example: the sentence or the document with both mentions. A line break ends a sentence."""
    max_words: str = ""
    """The largest number of words between both mentions. Empty: any."""
    masks: Literal["types", "markers"] = "types"
    """``types``: ``@Drug$`` in the place of a mention. ``markers``: ``@Drug$`` before and ``$Drug@`` after it."""


@dataclass(frozen=True)
class PairRule:
    """What a suite file says of the relations of annotated documents."""

    pairs: Pairs = field(default_factory=Pairs)
    negative: str | None = None
    """The label of a pair without a relation. None: such pairs are no examples."""
    labels: tuple[str, ...] = ()
    """The types of relations; others are no relation, and counted. Empty: all."""
