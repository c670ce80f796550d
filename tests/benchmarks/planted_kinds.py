"""A helper for each of the newer kinds of task: is its arrow found, and only this one?

    python tests/benchmarks/planted_kinds.py OUT [KIND ...]       3 seeds per arm -> planted_kinds.csv

As in ``taskaffinity.tasks.planted``, nonce words have hidden classes, a target sees half of the words in training, and
the helper, a tagging task, sees all of them. A study has the helper and one target, and a two-layer encoder with random
weights. The targets:

* ``regression``: the number is the mean class of four words, and noise;
* ``multilabel``: the labels are the classes of three words;
* ``choice``: of four options, each with one word, the right one has the only word of the classes 0 and 1;
* ``spans``: the answer is the only word of class 0 in a text of four, with the word before it if that is a cue; every
  fifth text has none.

The arrow from the helper should improve its target. The reverse arrow has no planted effect. An interrupted command
continues. A study takes one minute to three on one core.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import taskaffinity as ta
from taskaffinity.tasks.answers import ANSWER, NO_ANSWER, place_of
from taskaffinity.tasks.kinds import option_names
from taskaffinity.tasks.planted import CUES, HELPER, N_CLASSES, TARGET, Lexicon, Sizes, _filler, planted_task, tagged
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Task

RESULTS = Path(__file__).parent / "results"
LABELS = ("K0", "K1", "K2", "K3")
N_OPTIONS = 4
SIZES = Sizes(800, 150, 400)


def _drawn(lexicon: Lexicon, rng: np.random.Generator, n: int) -> tuple[str, list[int]]:
    """Return a text of ``n`` content words among function words, and the classes of these words."""
    words, classes = _filler(rng, 0, 2), []
    for _ in range(n):
        word, believed = lexicon.draw(rng)
        words += [word, *_filler(rng, 0, 2)]
        classes.append(believed)
    return " ".join(words), classes


def rated(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a text and 5 x mean class / 3 plus noise of 0.2."""
    text, classes = _drawn(lexicon, rng, 4)
    return Example(id, round(float(5 * np.mean(classes) / (N_CLASSES - 1) + rng.normal(0, 0.2)), 3), text=text)


def labelled(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a text and the classes that occur in it."""
    text, classes = _drawn(lexicon, rng, 3)
    return Example(id, tuple(LABELS[place] for place in sorted(set(classes))), text=text)


def chosen(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a text without content and four options, of which the right one has a word of class 0 or 1."""
    right = int(rng.integers(N_OPTIONS))
    words = [lexicon.draw(rng, (0, 1) if place == right else (2, 3))[0] for place in range(N_OPTIONS)]
    options = tuple(" ".join([word, *_filler(rng, 1, 2)]) for word in words)
    return Example(id, option_names(N_OPTIONS)[right], text=" ".join(_filler(rng, 2, 4)), options=options)


def answered(lexicon: Lexicon, rng: np.random.Generator, id: str) -> Example:
    """Generate a question without content and a text whose word of class 0 is the answer."""
    has_answer, place = rng.random() < 0.8, int(rng.integers(4))
    text, label = " ".join(_filler(rng, 1, 2)), ()  # type: tuple[str, tuple[str, ...]]
    for number in range(4):
        is_answer = has_answer and number == place
        word, _ = lexicon.draw(rng, (0,) if is_answer else (1, 2, 3))
        said = f"{rng.choice(CUES)} {word}" if rng.random() < 0.3 else word
        if is_answer:
            label = (place_of(len(text) + 1, len(text) + 1 + len(said)),)
        text = " ".join([text, said, *_filler(rng, 0, 2)])
    return Example(id, label, text=" ".join(_filler(rng, 1, 2)), text_pair=text)


TARGETS: dict[str, Task] = {
    "regression": planted_task("target-regression", "regression", rated, TARGET, SIZES),
    "multilabel": planted_task("target-multilabel", "multilabel", labelled, TARGET, SIZES, LABELS),
    "choice": planted_task("target-choice", "choice", chosen, TARGET, SIZES, option_names(N_OPTIONS)),
    "spans": planted_task("target-spans", "spans", answered, TARGET, SIZES, (ANSWER, NO_ANSWER)),
}
_TAGGED = partial(tagged, (*LABELS[:3], None))
HELP = planted_task("helper-ner", "ner", _TAGGED, HELPER, Sizes(1200, 150, 300), LABELS[:3])


def suite_of(kind: str) -> Suite:
    return Suite(f"planted-{kind}", (HELP, TARGETS[kind]), synthetic=True)


def run_study(kind: str, out: Path) -> dict[str, object]:
    """Train the helper and a target alone and together; return both arrows."""
    frame = ta.pairwise(suite_of(kind), output_dir=out, executor="local", keep_predictions=False).to_frame()
    arrows = frame.set_index("target")
    there, back = arrows.loc[TARGETS[kind].name], arrows.loc[HELP.name]
    return {
        "kind": kind,
        "metric": there.metric,
        **{name: round(float(there[name]), 1) for name in ("score_single", "gain", "low", "high")},
        "verdict": there.verdict,
        "reverse_gain": round(float(back.gain), 1),
        "reverse_verdict": back.verdict,
    }


def main() -> None:
    out, kinds = Path(sys.argv[1]), sys.argv[2:] or list(TARGETS)
    path = RESULTS / "planted_kinds.csv"
    for kind in kinds:
        row = run_study(kind, out / kind)
        print(row, flush=True)
        known = pd.read_csv(path).to_dict("records") if path.exists() else []
        rows = {**{str(old["kind"]): old for old in known}, kind: row}
        pd.DataFrame([rows[name] for name in TARGETS if name in rows]).to_csv(path, index=False)


if __name__ == "__main__":
    main()
