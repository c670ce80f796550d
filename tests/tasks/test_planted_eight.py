"""``planted-8``: what its roles promise holds of its text."""

from __future__ import annotations

import pytest

from taskaffinity.tasks.catalog import find_suite, vocabulary
from taskaffinity.tasks.planted import CONTENT, OTHER_CONTENT, SEEN
from taskaffinity.tasks.planted_eight import EIGHT
from taskaffinity.tasks.task import Example, Task

FIRST, OTHER = set(CONTENT.ravel()), set(OTHER_CONTENT.ravel())


def words_of(examples: tuple[Example, ...]) -> set[str]:
    return {word for e in examples for word in (*e.words, *e.text.split(), *(e.text_pair or "").split())}


def shown(task: Task) -> int:
    """Content words of each class that training shows, the most over the classes."""
    words = words_of(task.examples["train"])
    return max(len(words & set(row)) for content in (CONTENT, OTHER_CONTENT) for row in content)


def test_it_is_found_by_its_name_and_is_synthetic() -> None:
    suite = find_suite("planted-8")
    assert suite is EIGHT
    assert suite.synthetic
    assert len(suite) == 8
    assert {task.kind for task in suite} == {"ner", "similarity", "relation", "inference"}


@pytest.mark.parametrize("task", EIGHT.tasks, ids=lambda task: task.name)
def test_every_word_is_known_to_the_tiny_encoder_and_of_one_family(task: Task) -> None:
    for examples in task.examples.values():
        words = words_of(examples)
        pieces = {piece for word in words for piece in word.replace("@", " @ ").replace("$", " $ ").split()}
        assert pieces <= set(vocabulary(EIGHT))
        assert not (words & (FIRST if task.name.startswith("other") else OTHER))


@pytest.mark.parametrize("task", EIGHT.tasks, ids=lambda task: task.name)
def test_training_shows_what_the_role_says_and_test_shows_all(task: Task) -> None:
    expected = {"target": SEEN, "partial": 30}.get(task.name.partition("-")[0], 40)
    assert shown(task) == expected
    family = OTHER if task.name.startswith("other") else FIRST
    assert len(words_of(task.examples["test"]) & family) == 160
