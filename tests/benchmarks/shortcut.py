"""``shortcut-6``: six synthetic tasks in which help and harm come from label noise and from shortcuts.

    python tests/benchmarks/shortcut.py OUT [SEEDS]      trains every task and pair with 12 seeds -> shortcut_truth.csv

In the suites of the package, training examples of a target lack words (``taskaffinity.tasks.planted``). Here every task
sees all words. A sentence has five words with classes and one *marker*, a function word that stands for a class too.

* ``content``: the class is that of most of the words; the marker is random.
* ``marker``: the class is that of the marker; the words are random.
* ``shortcut``: the class is that of most of the words. In training the marker has it too, in nine of ten examples; in
  dev and test the marker is random. A model that looks at the marker alone fails on test.
* ``noisy``: as ``content``, with few examples and a random class in half of them (training alone).
* ``noisy-inference``: the synthetic inference task, with few examples and a random class in half of them.
* ``names``: the synthetic tagging task.

No suite of the package was made with these mechanisms, and no constant of ``taskaffinity estimate`` was chosen on
them. The truth is what twelve seeds measure.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

import taskaffinity as ta
from taskaffinity.tasks.planted import (
    CONTENT,
    FUNCTION,
    HELPER,
    N_CLASSES,
    WORDS_A_CLASS,
    Sizes,
    inferred,
    planted_task,
    tagged,
)
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Split, Task

RESULTS = Path(__file__).parent / "results"
TRUTH = RESULTS / "shortcut_truth.csv"
TRUTH_SEED = 7000

LABELS = ("A", "B", "C", "D")
INFERENCES = ("contradiction", "neutral", "entailment")
MARKERS, FILLERS = FUNCTION[:N_CLASSES], FUNCTION[N_CLASSES:]
N_WORDS, SHARE_OF_CLASS = 5, 0.55


def sentence(rng: np.random.Generator, of_words: int, of_marker: int) -> str:
    """Five words, on average more than half of them of class ``of_words``, a marker, and function words."""
    classes = [of_words if rng.random() < SHARE_OF_CLASS else int(rng.integers(N_CLASSES)) for _ in range(N_WORDS)]
    words = [str(CONTENT[c, rng.integers(WORDS_A_CLASS)]) for c in classes]
    words += [FILLERS[i] for i in rng.integers(len(FILLERS), size=int(rng.integers(2, 6)))]
    words.append(MARKERS[of_marker])
    return " ".join(words[i] for i in rng.permutation(len(words)))


@cache
def classified(
    name: str, sizes: Sizes, aligned: float, by_marker: bool, noise: float, split: Split
) -> tuple[Example, ...]:
    """Generate a split of a classification task, always the same.

    Parameters
    ----------
    aligned : float
        Share of training examples whose marker has the class of the words; other markers are random.
    by_marker : bool
        Whether the marker is the label; otherwise the class of the words is.
    noise : float
        Share of training examples with a random label.
    """
    rng = np.random.default_rng([SPLITS.index(split), *name.encode()])
    examples = []
    for number in range(getattr(sizes, split)):
        of_words, of_marker = (int(c) for c in rng.integers(N_CLASSES, size=2))
        if split == "train" and rng.random() < aligned:
            of_marker = of_words
        label = of_marker if by_marker else of_words
        text = sentence(rng, of_words, of_marker)
        if split == "train" and rng.random() < noise:
            label = int(rng.integers(N_CLASSES))
        examples.append(Example(f"{name}.{split}.{number}", LABELS[label], text=text))
    return tuple(examples)


def classification(
    name: str, sizes: Sizes, *, aligned: float = 0.0, by_marker: bool = False, noise: float = 0.0
) -> Task:
    return Task(name, "classification", partial(classified, name, sizes, aligned, by_marker, noise), LABELS)


def with_noise(task: Task, share: float, split: Split) -> tuple[Example, ...]:
    """The examples of a task, a share of the training examples with a random class."""
    examples = task.read(split)
    if split != "train":
        return tuple(examples)
    rng = np.random.default_rng([7, *task.name.encode()])
    drawn = [str(rng.choice(task.labels)) if rng.random() < share else None for _ in examples]
    return tuple(replace(one, label=label or one.label) for one, label in zip(examples, drawn, strict=True))


_INFERENCE = planted_task("noisy-inference", "inference", inferred, HELPER, Sizes(600), INFERENCES)
SHORTCUT = Suite(
    "shortcut-6",
    (
        classification("content", Sizes(1500)),
        classification("marker", Sizes(1500), by_marker=True),
        classification("shortcut", Sizes(1000), aligned=0.9),
        classification("noisy", Sizes(600), noise=0.5),
        replace(_INFERENCE, read=partial(with_noise, _INFERENCE, 0.5)),
        planted_task("names", "ner", partial(tagged, ("X", "Y", None, None)), HELPER, Sizes(1500), ("X", "Y")),
    ),
    synthetic=True,
)


def main(out: Path, seeds: int) -> None:
    found = ta.pairwise(SHORTCUT, seeds=seeds, base_seed=TRUTH_SEED, output_dir=out, keep_predictions=False)
    frame = found.to_frame()
    columns = ["source", "target", "gain", "low", "high", "verdict", "seeds_pair", "seeds_single"]
    frame[columns].round(2).to_csv(TRUTH, index=False)
    print(frame[["source", "target", "gain", "low", "high", "verdict", "score_single"]].round(1).to_string(index=False))
    print(pd.Series(frame["verdict"]).value_counts().to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 12)
