"""The planted targets of the newer kinds: their labels follow from the hidden classes of their words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_kinds import HELP, LABELS, RESULTS, TARGETS

from taskaffinity.tasks.answers import answer_text
from taskaffinity.tasks.planted import CONTENT, CUES, SEEN, WORDS_A_CLASS
from taskaffinity.tasks.task import Example

CLASS = {str(word): number for number, words in enumerate(CONTENT) for word in words}
UNSEEN = {str(word) for word in CONTENT[:, SEEN:].ravel()}


def classes(text: str) -> list[int]:
    return [CLASS[word] for word in text.split() if word in CLASS]


def words_of(example: Example) -> list[str]:
    return " ".join([*example.words, example.text, example.text_pair or "", *example.options]).split()


def follows(kind: str, example: Example) -> bool:
    """Whether the label is what the words' classes say."""
    if kind == "regression":
        return abs(float(example.label) - 5 * np.mean(classes(example.text)) / 3) < 1  # type: ignore[arg-type]
    if kind == "multilabel":
        return example.label == tuple(LABELS[one] for one in sorted(set(classes(example.text))))
    if kind == "choice":
        low = [letter for letter, option in zip("ABCD", example.options, strict=True) if classes(option)[0] < 2]
        return [example.label] == low
    assert example.text_pair is not None
    words = example.text_pair.split()
    places = [place for place, word in enumerate(words) if CLASS.get(word) == 0]
    said = [words[place - (words[place - 1] in CUES) : place + 1] for place in places]
    return [answer_text(example.text_pair, place).split() for place in example.label] == said  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", TARGETS)
def test_labels_follow_from_classes_of_words_half_of_which_train_lacks(kind: str) -> None:
    task = TARGETS[kind]
    assert all(follows(kind, example) for split in ("train", "test") for example in task.examples[split])
    train, test, helper = (
        {word for example in examples for word in words_of(example)} & CLASS.keys()
        for examples in (task.examples["train"], task.examples["test"], HELP.examples["train"])
    )
    assert not train & UNSEEN
    assert len(test & UNSEEN) > 0.9 * len(UNSEEN)
    assert len(helper) == 4 * WORDS_A_CLASS


def test_the_helper_improves_each_kind_and_no_reverse_arrow_is_significant() -> None:
    found = pd.read_csv(RESULTS / "planted_kinds.csv").set_index("kind")
    assert list(found.index) == list(TARGETS)
    assert dict(found.metric) == {kind: task.metric_name for kind, task in TARGETS.items()}
    assert (found.verdict == "improves").all()
    assert found.low.min() > 10
    assert found.reverse_verdict.isin(["no effect", "inconclusive"]).all()
