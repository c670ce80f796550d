"""Normalise the texts of an example for comparison: no white space, no case."""

from __future__ import annotations

from taskaffinity.tasks.task import Example


def sides(example: Example) -> tuple[str, ...]:
    """Return the normalised texts of an example; a tagged sentence equals its running text."""
    texts = (" ".join(example.words) or example.text, example.text_pair)
    return tuple(_normalised(text) for text in texts if text)


def whole_input(example: Example) -> str:
    """Return both texts of an example, and its options, as one normalised text."""
    return "\0".join((*sides(example), *(_normalised(option) for option in example.options)))


def _normalised(text: str) -> str:
    return "".join(text.split()).casefold()
