"""The texts that two tasks share are counted as a comparison of every two splits counts them."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from taskaffinity.tasks.survey import labels_by_frequency, n_contradictions, overlaps
from taskaffinity.tasks.task import SPLITS, Example, Task


def drawn(rng: random.Random) -> Example:
    first, second = (rng.choice(["Text {}", "te xt  {}"]).format(rng.randrange(30)) for _ in range(2))
    return Example("1", "a", text=first, text_pair=rng.choice([None, second]))


def sides(example: Example) -> set[str]:
    return {text.lower().replace(" ", "") for text in (example.text, example.text_pair) if text}


@pytest.mark.parametrize("seed", range(3))
def test_tasks_are_compared_as_if_two_by_two(seed: int) -> None:
    rng = random.Random(seed)
    tasks: list[Any] = [
        SimpleNamespace(
            name=name,
            splits=SPLITS,
            examples={split: [drawn(rng) for _ in range(rng.randrange(9))] for split in SPLITS},
        )
        for name in "abcd"
    ]
    expected = set()
    for task in tasks:
        for other in tasks:
            trained = set().union(*map(sides, other.examples["train"]))
            for split in SPLITS:
                n = sum(bool(sides(example) & trained) for example in task.examples[split])
                if n and task is not other and (split != "train" or task.name < other.name):
                    expected.add((task.name, split, n, other.name, "train"))
    found = [overlap for overlap in overlaps(tasks) if overlap.task != overlap.other]
    assert {(one.task, one.split, one.examples, one.other, one.other_split) for one in found} == expected
    assert len(found) == len(expected)


def test_contradictions_and_frequent_labels() -> None:
    def rows(split: str, pairs: list[tuple[str, str]]) -> list[Example]:
        return [Example(f"{split}{n}", label, text) for n, (text, label) in enumerate(pairs)]

    agreeing = [("c", "x"), ("c", "x"), ("d", "z"), ("e", "z"), ("f", "z")]
    splits = {
        "train": rows("train", [("a b", "x"), ("A  B", "y"), *agreeing]),
        "dev": rows("dev", [("c", "x"), ("c", "x"), ("C", "z")]),
        "test": rows("test", agreeing),
    }
    task = Task("toy", "classification", splits.__getitem__, ("y", "x", "z"))
    assert [n_contradictions(task, split) for split in SPLITS] == [2, 3, 0]
    assert labels_by_frequency(task) == ["x", "z", "y"]
