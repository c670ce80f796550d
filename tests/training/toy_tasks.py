"""Toy corpora on which a run takes a fraction of a second.

Not in ``conftest.py``, for tests import it by name, and every folder may have a ``conftest``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.planted import Lexicon, Sizes, generate, inferred, related, similar, tagged
from taskaffinity.tasks.task import Example, Kind, Split, Task

SIZES = Sizes(train=64, dev=40, test=50)
RECIPE = Recipe(learning_rate=3e-3, optimizer="adamw", num_train_epochs=3, batch_size=16, max_length=32)
LONG = 45
"""Words of a sentence of the tagging task: more than ``max_words``."""


def read(name: str, maker: Callable[..., Example], split: Split) -> list[Example]:
    examples = list(generate(name, maker, Lexicon(), SIZES, split))
    if name != "tag":
        return examples
    return [replace(e, words=_repeated(e.words), label=_repeated(e.label)) for e in examples]


def _repeated(items: Any) -> tuple[str, ...]:
    return (tuple(items) * LONG)[:LONG]


def task(name: str, kind: Kind, maker: Callable[..., Example], labels: tuple[str, ...] = ()) -> Task:
    return Task(name, kind, partial(read, name, maker), labels, "false" if "false" in labels else None)


TASKS = {
    "nli": task("nli", "inference", inferred, ("contradiction", "neutral", "entailment")),
    "rel": task("rel", "relation", partial(related, ("A", "B", "C", "D"), "false"), ("A", "B", "C", "D", "false")),
    "sts": task("sts", "similarity", similar),
    "tag": task("tag", "ner", partial(tagged, ("x", "y", None, None)), ("x", "y")),
}
