"""Make synthetic suites with known affinities.

They are the default data, and they validate the tool.

Each nonce word has a hidden class in {0, 1, 2, 3}. A *target* is trained on half of the words of each class (the seen
words) and tested on all words, so a single-task model must guess the unseen ones. A *helper* is trained on all words
with their true classes, so it teaches the shared embeddings what the target lacks. A *rival* is trained on all words
too, but gives each unseen word the class ``shift`` further on. Its labels are right where the target has examples, and
wrong elsewhere. A two-layer encoder can learn every rule from random weights. Contradictory labels by themselves would
do no harm, because each task has its own head.

The tasks have the ids and shapes of the paper's suites, but none of their text. ``planted_truth.csv`` holds the known
effect of every arrow and its mean gain over nine seeds (``tests/benchmarks/synthetic_suites.py``). Arrows into the
sources and between the targets are marked "not significant": their true effect is small.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from itertools import product

import numpy as np

from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Kind, Split, Task

N_CLASSES = 4
WORDS_A_CLASS = 40
SEEN = WORDS_A_CLASS // 2
"""Words of each class that targets see in training: the first half."""

_SYLLABLES = [c + v for c, v in product("bdfgklmnprstvz", "aeiou")]


def _nonce_words(n: int, n_syllables: int, rng: np.random.Generator) -> list[str]:
    n_all = len(_SYLLABLES) ** n_syllables
    picks = rng.choice(n_all, size=n, replace=False)
    return [
        "".join(_SYLLABLES[(pick // len(_SYLLABLES) ** i) % len(_SYLLABLES)] for i in range(n_syllables))
        for pick in picks
    ]


_RNG = np.random.default_rng(20200701)
CONTENT = np.array(_nonce_words(N_CLASSES * WORDS_A_CLASS, 3, _RNG)).reshape(N_CLASSES, WORDS_A_CLASS)
"""[class, word]"""
FUNCTION = _nonce_words(40, 2, _RNG)
CUES = ["esta", "ovi"]
"""Words that mark the next content word as a mention."""
AFFIRMING, DOUBTING = ["ita", "aye"], ["nul", "ulo"]
VOCABULARY = tuple(sorted({*CONTENT.ravel().tolist(), *FUNCTION, *CUES, *AFFIRMING, *DOUBTING, "@", "$", "a", "b"}))


OTHER_CONTENT = np.array(_nonce_words(N_CLASSES * WORDS_A_CLASS, 4, np.random.default_rng(20200702))).reshape(
    N_CLASSES, WORDS_A_CLASS
)
"""A second family of words, disjoint from the first."""


@dataclass(frozen=True)
class Lexicon:
    """The classes that one task gives to the words."""

    shown: int = WORDS_A_CLASS
    """Number of words of each class in training, counted from the first; a target has half of them."""
    shift: int = 0
    """By how many classes a rival shifts the unseen words."""
    other: bool = False
    """Whether the words come from the second family."""

    def draw(self, rng: np.random.Generator, classes: Sequence[int] = range(N_CLASSES)) -> tuple[str, int]:
        """Draw a word and its class in this task, uniform over ``classes``."""
        believed = int(rng.choice(list(classes)))
        number = int(rng.integers(self.shown))
        true = believed if number < SEEN else (believed - self.shift) % N_CLASSES
        return str((OTHER_CONTENT if self.other else CONTENT)[true, number]), believed


Maker = Callable[[Lexicon, np.random.Generator, str], Example]


def _filler(rng: np.random.Generator, low: int, high: int) -> list[str]:
    return [FUNCTION[i] for i in rng.integers(len(FUNCTION), size=int(rng.integers(low, high + 1)))]


def tagged(types: tuple[str | None, ...], lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a sentence of four content words.

    A word of class k after a cue is a mention of ``types[k]``.
    """
    words: list[str] = _filler(rng, 0, 2)
    tags = ["O"] * len(words)
    for _ in range(4):
        word, believed = lexicon.draw(rng)
        cued = rng.random() < 0.7
        before = [str(rng.choice(CUES))] if cued else []
        after = _filler(rng, 0, 2)
        kind = types[believed] if cued else None
        words += [*before, word, *after]
        tags += ["O"] * len(before) + [f"B-{kind}" if kind else "O"] + ["O"] * len(after)
    return Example(id, tuple(tags), words=tuple(words))


def similar(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate two sentences of two content words each, and their score.

    The score is 5 x mean class / 3 plus noise of 0.2.

    Half of the words share a theme.
    """
    theme = int(rng.integers(N_CLASSES))
    sentences, classes = [], []
    for _ in range(2):
        sentence = _filler(rng, 1, 2)
        for _ in range(2):
            word, believed = lexicon.draw(rng, [theme] if rng.random() < 0.5 else range(N_CLASSES))
            sentence += [word, *_filler(rng, 0, 2)]
            classes.append(believed)
        sentences.append(" ".join(sentence))
    score = 5 * np.mean(classes) / (N_CLASSES - 1) + rng.normal(0, 0.2)
    return Example(id, round(float(np.clip(score, 0, 5)), 3), text=sentences[0], text_pair=sentences[1])


def related(labels: tuple[str, ...], negative: str, lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate ``@a$ word1 ... @b$ word2``.

    The class of word1 is the relation; if word2 has the same class, the label is negative.
    """
    (first, class1), (second, class2) = lexicon.draw(rng), lexicon.draw(rng)
    words = [*_filler(rng, 1, 2), "@a$", first, *_filler(rng, 1, 4), "@b$", second, *_filler(rng, 1, 2)]
    label = labels[class1] if class2 != class1 else negative
    return Example(id, label, text=" ".join(words))


def inferred(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a pair of sentences for inference.

    It is neutral after a doubting premise. Otherwise the class of the hypothesis' word decides.
    """
    doubting = rng.random() < 1 / 3
    word, believed = lexicon.draw(rng)
    premise = [str(rng.choice(DOUBTING if doubting else AFFIRMING)), *_filler(rng, 2, 5)]
    hypothesis = [*_filler(rng, 1, 2), word, *_filler(rng, 0, 2)]
    label = "neutral" if doubting else "entailment" if believed < 2 else "contradiction"
    return Example(id, label, text=" ".join(premise), text_pair=" ".join(hypothesis))


@dataclass(frozen=True)
class Sizes:
    """Number of examples of each split."""

    train: int
    dev: int = 300
    test: int = 1000


@cache
def generate(name: str, maker: Maker, lexicon: Lexicon, sizes: Sizes, split: Split) -> tuple[Example, ...]:
    """Generate a split, always the same. Dev and test contain all words."""
    rng = np.random.default_rng([SPLITS.index(split), *name.encode()])
    shown = lexicon if split == "train" else replace(lexicon, shown=WORDS_A_CLASS)
    return tuple(maker(shown, rng, f"{name}.{split}.{i}") for i in range(getattr(sizes, split)))


def planted_task(
    name: str,
    kind: Kind,
    maker: Maker,
    lexicon: Lexicon,
    sizes: Sizes,
    labels: tuple[str, ...] = (),
    negative: str | None = None,
) -> Task:
    """Make a task of synthetic text."""
    return Task(name, kind, partial(generate, name, maker, lexicon, sizes), labels, negative)


HELPER, TARGET = Lexicon(), Lexicon(shown=SEEN)
RIVAL = Lexicon(shift=2)
"""With a shift of one class the rival would harm only the relation task."""

_I2B2 = ("PIP", "TeRP", "TrAP", "TrCP")
CLINICAL = Suite(
    "clinical",
    (
        planted_task("clinicalsts", "similarity", similar, RIVAL, Sizes(1500)),
        planted_task(
            "i2b2-2010-re",
            "relation",
            partial(related, _I2B2, "false"),
            TARGET,
            Sizes(1000),
            (*_I2B2, "false"),
            "false",
        ),
        planted_task(
            "shareclefe",
            "ner",
            partial(tagged, ("Disorder", "Finding", None, None)),
            HELPER,
            Sizes(1500),
            ("Disorder", "Finding"),
        ),
        planted_task("mednli", "inference", inferred, TARGET, Sizes(1000), ("contradiction", "neutral", "entailment")),
    ),
    synthetic=True,
)

_DDI = ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism")
_CHEMPROT = ("CPR:3", "CPR:4", "CPR:5", "CPR:6")
BIOMEDICAL = Suite(
    "biomedical",
    (
        planted_task(
            "bc5cdr-disease",
            "ner",
            partial(tagged, ("Disease", "Finding", "Sign", None)),
            RIVAL,
            Sizes(1500),
            ("Disease", "Finding", "Sign"),
        ),
        planted_task(
            "bc5cdr-chemical",
            "ner",
            partial(tagged, ("Chemical", "Drug", "Gas", None)),
            HELPER,
            Sizes(1500),
            ("Chemical", "Drug", "Gas"),
        ),
        planted_task(
            "ddi2013-type",
            "relation",
            partial(related, _DDI, "DDI-false"),
            TARGET,
            Sizes(1000),
            (*_DDI, "DDI-false"),
            "DDI-false",
        ),
        planted_task(
            "chemprot",
            "relation",
            partial(related, _CHEMPROT, "false"),
            TARGET,
            Sizes(1000),
            (*_CHEMPROT, "false"),
            "false",
        ),
    ),
    synthetic=True,
)


def truth(suite: str) -> dict[tuple[str, str], str]:
    """Return the known effect of every arrow (source, target).

    Effects are improves, degrades, not significant or not degrades.
    """
    with (resources.files("taskaffinity.tasks") / "planted_truth.csv").open(encoding="utf-8") as file:
        return {(row["source"], row["target"]): row["truth"] for row in csv.DictReader(file) if row["suite"] == suite}


def stand_in(domain: str) -> Suite:
    """Return the synthetic suite that replaces ``clinical``, ``biomedical`` or ``blue``.

    Raises
    ------
    KeyError
        If there is no synthetic suite of that name.
    """
    both = Suite("blue", (*CLINICAL.tasks, *BIOMEDICAL.tasks), synthetic=True)
    return {"clinical": CLINICAL, "biomedical": BIOMEDICAL, "blue": both}[domain]
