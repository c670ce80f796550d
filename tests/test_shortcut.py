"""``shortcut-6`` has the shortcuts and the noise that it says, and the committed gains follow from them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from shortcut import _INFERENCE, LABELS, MARKERS, SHORTCUT, TRUTH

from taskaffinity.tasks.planted import CONTENT
from taskaffinity.tasks.task import Split, Task

TASKS = {task.name: task for task in SHORTCUT.tasks}
CLASS = {str(word): number for number, words in enumerate(CONTENT) for word in words}
MARKER = {str(word): number for number, word in enumerate(MARKERS)}


def most_frequent(n_words: int = 5, share: float = 0.55) -> tuple[float, float]:
    """Return how often the class of the words, and how often a random class, is the most frequent one of the words."""
    right = anyone = 0.0
    for classes in product(range(4), repeat=n_words):  # 0 is the class of the words
        chance = np.prod([share + (1 - share) / 4 if one == 0 else (1 - share) / 4 for one in classes])
        counts = np.bincount(classes, minlength=4)
        right += chance * (counts[0] == counts.max())
        anyone += chance * (counts == counts.max()).mean()
    return float(right), float(anyone)


OF_WORDS, ANYONE = most_frequent()


def agreements(task: Task, split: Split) -> tuple[float, float]:
    """Return how often the label is the most frequent class of the words, and how often it is that of the marker."""
    of_words, of_marker = [], []
    for example in task.read(split):
        label = LABELS.index(str(example.label))
        counts = np.bincount([CLASS[word] for word in example.text.split() if word in CLASS], minlength=len(LABELS))
        [marker] = [MARKER[word] for word in example.text.split() if word in MARKER]
        of_words.append(counts[label] == counts.max())
        of_marker.append(marker == label)
    return float(np.mean(of_words)), float(np.mean(of_marker))


@pytest.mark.parametrize(
    ("name", "split", "of_words", "of_marker"),
    [
        ("content", "train", OF_WORDS, 0.25),
        ("marker", "test", ANYONE, 1.0),
        ("shortcut", "train", OF_WORDS, 0.9 + 0.1 / 4),
        ("shortcut", "test", OF_WORDS, 0.25),
        ("noisy", "train", (OF_WORDS + ANYONE) / 2, 0.25),
        ("noisy", "test", OF_WORDS, 0.25),
    ],
)
def test_labels_follow_words_or_markers(name: str, split: Split, of_words: float, of_marker: float) -> None:
    found = agreements(TASKS[name], split)
    assert found[0] == pytest.approx(of_words, abs=0.04)
    assert found[1] == pytest.approx(of_marker, abs=0.05)


def test_half_of_the_inferences_of_training_have_a_random_class() -> None:
    for split, same in (("train", 0.5 + 0.5 / 3), ("dev", 1.0), ("test", 1.0)):
        pairs = zip(TASKS["noisy-inference"].read(split), _INFERENCE.read(split), strict=True)
        assert np.mean([noisy.label == clean.label for noisy, clean in pairs]) == pytest.approx(same, abs=0.05)


def test_the_gains_are_those_of_the_mechanisms() -> None:
    gain = pd.read_csv(TRUTH).set_index(["source", "target"]).gain
    assert gain["content", "shortcut"] > 20  # true classes of words against a misleading marker
    assert gain["marker", "shortcut"] < -5  # a task of the marker alone makes the shortcut stronger
    assert gain["content", "noisy"] > 10  # clean labels of the same classes
    assert len(gain) == 30
