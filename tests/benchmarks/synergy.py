"""Two sources that help only together: does a group arrow find what the arrows of pairs cannot show?

    python tests/benchmarks/synergy.py OUT [SEEDS]      trains three tasks, their pairs and all three -> synergy.csv

As in ``taskaffinity.tasks.planted``, nonce words have hidden classes. Here they are of two families.

* ``first`` and ``second`` are tagging tasks: each has all words of one family.
* ``target`` has a word of the first family in one text and a word of the second in the other. The label says whether
  both are of the lower two classes or both of the upper two. Its training examples have one half of the words of each
  class and family, its dev and test examples the other half.

Who knows the class of one word alone knows nothing about the label. So a model of the target alone and those of its
pairs should score 50%, and the model of all three tasks more. ``synergy.csv`` has the two arrows of pairs into the
target, and the group arrow of both sources. An interrupted command continues.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

import taskaffinity as ta
from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.tasks.planted import (
    CONTENT,
    FUNCTION,
    N_CLASSES,
    WORDS_A_CLASS,
    Lexicon,
    Sizes,
    planted_task,
    tagged,
)
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Split, Task

RESULTS = Path(__file__).parent / "results"
FAMILY = WORDS_A_CLASS // 2
"""Words of each class in a family."""
SHOWN = FAMILY // 2
"""Words of each class and family in training examples of the target."""
SIZES = Sizes(1500, 300, 600)
LABELS = ("different", "same")
TYPES = ("X", "Y", None, None)
ARROW = "first+second>target"


@dataclass(frozen=True)
class Family(Lexicon):
    """Half of the words of each class."""

    start: int = 0

    def draw(self, rng: np.random.Generator, classes: Sequence[int] = range(N_CLASSES)) -> tuple[str, int]:
        """Draw a word and its class."""
        of_word = int(rng.choice(list(classes)))
        return str(CONTENT[of_word, self.start + int(rng.integers(FAMILY))]), of_word


def side(rng: np.random.Generator, start: int) -> tuple[str, bool]:
    """Generate a text with one of the ``SHOWN`` words from ``start``, and whether its class is one of the lower two."""
    of_word, number = int(rng.integers(N_CLASSES)), start + int(rng.integers(SHOWN))
    before, after = (rng.choice(FUNCTION, size=int(rng.integers(3))).tolist() for _ in range(2))
    return " ".join([*before, str(CONTENT[of_word, number]), *after]), of_word < N_CLASSES // 2


@cache
def compared(split: Split) -> tuple[Example, ...]:
    """Generate a split of the target, always the same."""
    rng = np.random.default_rng([SPLITS.index(split), *b"synergy"])
    examples = []
    for number in range(getattr(SIZES, split)):
        start = 0 if split == "train" else SHOWN
        (first, is_low), (second, also_low) = (side(rng, start + family) for family in (0, FAMILY))
        label = LABELS[is_low == also_low]
        examples.append(Example(f"target.{split}.{number}", label, text=first, text_pair=second))
    return tuple(examples)


TAGGED = partial(tagged, TYPES)
SUITE = Suite(
    "synergy",
    (
        planted_task("first", "ner", TAGGED, Family(), SIZES, ("X", "Y")),
        planted_task("second", "ner", TAGGED, Family(start=FAMILY), SIZES, ("X", "Y")),
        Task("target", "inference", compared, LABELS),
    ),
    synthetic=True,
)


def main(out: Path, seeds: int) -> None:
    result = ta.pairwise(SUITE, seeds=seeds, groups=[ARROW], output_dir=out, executor="local", keep_predictions=False)
    pairs, groups = result.to_frame(), result.group_arrows()
    pairs = pairs[pairs.target == "target"].rename(columns={"source": "sources"})
    columns = ["sources", "target", "gain", "low", "high", "verdict", "score_single"]
    frame = pd.concat([pairs, groups], ignore_index=True).reindex(columns=[*columns, "pair_sum", "pair_mean"])
    write_csv(frame.round(2), RESULTS / "synergy.csv")
    print(frame.round(1).to_string())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
