"""The texts of an example in the form in which they are compared: without white space and case."""

from __future__ import annotations

from taskaffinity.tasks.task import Example


def sides(example: Example) -> tuple[str, ...]:
    """Return the texts of an example in the form that is compared; a tagged sentence equals its running text."""
    texts = (" ".join(example.words) or example.text, example.text_pair)
    return tuple("".join(text.split()).casefold() for text in texts if text)


def whole_input(example: Example) -> str:
    """Return both texts of an example as one, in the form that is compared."""
    return "\0".join(sides(example))
