"""Null studies of the newer kinds of task, whose predictions the metric's own code counts.

An arm's latent score of an example is that of ``simulated_worlds``: level, ease, what the arm does to the example
whatever the seed, and the seed's luck; each prediction adds fresh noise. No task has an effect. From the latent score

* ``classification``: four classes, of which the first is the negative one and the rarer are the harder; an example is
  right if its score is above zero, else it gets one of the other classes;
* ``regression``: the gold number is a rating from 0 to 5, or skewed (log-normal) and predicted the worse the larger it
  is; the prediction is ``(1 + luck) x + 0.8 ease' + own + noise`` with the standard score x of the gold number;
* ``multilabel``: six labels, of which an example has none to six; each is found if latent + fresh noise is above zero,
  and each other label is invented if latent + fresh noise is below -2.5;
* ``choice``: three to five options; the right one has the latent score, one other is more tempting than the rest, and
  the largest score is chosen;
* ``spans``: an answer in a text, with one to three gold answers that differ at their ends, or none; the higher the
  score, the nearer the predicted place: right, moved at an end, elsewhere, or no answer.

A code is the number of a gold label or of a prediction. ``count`` looks up the counts of two codes in a table that the
metric's ``tally`` has made of the labels, in the form of a suite's examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from simulated import draw_documents, draw_effects, draw_luck, draw_target
from simulated_worlds import EASE, NOISE, SHARED_EASE, SHARED_OWN, Array, World

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.tasks.answers import answer_text, place_of
from taskaffinity.tasks.kinds import option_names
from taskaffinity.tasks.metrics import METRICS

CLASSES = ("none", "x", "y", "z")
CLASS_SHARES, CLASS_LEVELS = np.array([0.5, 0.25, 0.15, 0.1]), np.array([0.5, 0.2, 0.0, -0.3])
LABELS = ("a", "b", "c", "d", "e", "f")
LABEL_SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
INVENTED_LABEL = -2.5
OPTIONS = [(number, right) for number in (3, 4, 5) for right in range(number)]
"""By code of a gold option: how many options the example has, and the place of the right one."""
TEMPTING = 0.5
N_TEXTS, N_WORDS = 400, 40
EXACT = 0.7
"""From this score on, a predicted answer has the right ends."""
NO_ANSWER = 0.2
"""Share of examples of spans without an answer."""

Labels = Sequence[Any]
Rng = np.random.Generator


class Latent(NamedTuple):
    """The parts of an arm's latent scores."""

    level: float
    ease: Array
    """(n,)"""
    own: Array
    """(n,), what the arm does to each example whatever the seed."""
    luck: Array
    """(n_runs, 1)"""

    @property
    def scores(self) -> Array:
        """(n_runs, n), without the noise of a prediction."""
        return (self.level + self.ease + self.own + self.luck).astype(np.float32)


class Form(NamedTuple):
    """How the examples and the predictions of a kind are drawn; numbers of regression need no codes."""

    draw_gold: Callable[[Rng, int], Array]
    """Codes of gold labels, or gold numbers, (n,)."""
    predict: Callable[[Rng, Array, Latent], Array]
    """Codes of predictions, or predicted numbers, (n_runs, n)."""
    written: Callable[[], tuple[Labels, Sequence[Labels]]] | None = None
    """The gold labels by their code, and for each gold label the predictions by their code."""
    scored: Sequence[str] = ()
    """Classes that the metric counts."""


def _noise(rng: Rng, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(NOISE)


# Classification


def _classes(rng: Rng, gold: Array, latent: Latent) -> Array:
    scores = latent.scores + CLASS_LEVELS[gold].astype(np.float32)
    other = (gold + rng.integers(1, len(CLASSES), scores.shape)) % len(CLASSES)
    return np.where(scores + _noise(rng, *scores.shape) > 0, gold, other)


# Regression


def _ratings(rng: Rng, n: int) -> Array:
    return np.clip(np.round(2.5 + 1.2 * rng.standard_normal(n)), 0, 5)


def _skewed(rng: Rng, n: int) -> Array:
    return np.exp(0.75 * rng.standard_normal(n))


def _predicted_ratings(rng: Rng, gold: Array, latent: Latent) -> Array:
    x = (gold - 2.5) / 1.2
    return 2.5 + 1.2 * (0.6 * _standard_predictions(rng, x, latent))  # towards the mean, as a regression predicts


def _predicted_skewed(rng: Rng, gold: Array, latent: Latent) -> Array:
    return np.exp(0.75 * 0.6 * _standard_predictions(rng, np.log(gold) / 0.75, latent))


def _standard_predictions(rng: Rng, x: Array, latent: Latent) -> Array:
    noise = _noise(rng, len(latent.luck), len(x))
    return (1 + latent.luck) * x + 0.8 * latent.ease / EASE + latent.own + noise


# Several labels


def _label_sets(rng: Rng, n: int) -> Array:
    chances = np.minimum(LABEL_SHARES * rng.gamma(2.0, 0.5, (n, 1)), 0.95)  # some examples have many labels
    return _code(rng.random((n, len(LABELS))) < chances)


def _predicted_sets(rng: Rng, gold: Array, latent: Latent) -> Array:
    scores = latent.scores[..., None]
    scores = scores + _noise(rng, *scores.shape[:-1], len(LABELS))
    return _code(np.where(members(gold), scores > 0, scores < INVENTED_LABEL))


def members(codes: Array) -> Array:
    """Return whether each label is in the set of a code, ``(..., n_labels)``."""
    return (np.asarray(codes)[..., None] >> np.arange(len(LABELS))) & 1 == 1


def _code(is_member: Array) -> Array:
    return is_member @ (1 << np.arange(len(LABELS)))


def _written_sets() -> tuple[Labels, Sequence[Labels]]:
    sets = [tuple(np.array(LABELS)[row].tolist()) for row in members(np.arange(2 ** len(LABELS)))]
    return sets, [sets] * len(sets)


# Options


def _chosen(rng: Rng, gold: Array, latent: Latent) -> Array:
    numbers, right = np.array(OPTIONS)[gold].T
    of_right, rows = latent.scores, np.arange(len(gold))
    scores = _noise(rng, *of_right.shape, 5)
    scores[:, rows, right] += of_right
    scores[:, rows, (right + 1) % numbers] += TEMPTING
    scores[:, np.arange(5) >= numbers[:, None]] = -np.inf
    return scores.argmax(axis=-1)


def _written_options() -> tuple[Labels, Sequence[Labels]]:
    names = option_names(5)
    return [names[right] for _, right in OPTIONS], [names] * len(OPTIONS)


# Answers


def _written_answers() -> tuple[Labels, Sequence[Labels]]:
    rng = np.random.default_rng(0)
    gold, predicted = zip(*(_answers(rng) for _ in range(N_TEXTS)), strict=True)
    return gold, predicted


def _answers(rng: Rng) -> tuple[list[str], list[str]]:
    """Return the gold answers of a text, and the answers that can be predicted: right, moved (4), elsewhere, none."""
    words = rng.choice([*(f"w{number}" for number in range(60)), "the", "a", "w7,", "W3"], N_WORDS).tolist()
    first, size = int(rng.integers(10, 24)), int(rng.choice([1, 2, 3, 5, 8], p=[0.4, 0.25, 0.15, 0.1, 0.1]))
    end = first + size
    words[first] = "w60"  # an article alone is no answer
    text = " ".join(words)
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])

    def said(first: int, end: int) -> str:
        return answer_text(text, place_of(int(starts[first]), int(starts[end]) - 1))

    places = [(first, end), (first - 1, end), (first, end + 1), (first, max(end - 1, first + 1)), (first + 1, end + 1)]
    answers = [said(*place) for place in [*places, (1, 1 + size)]]
    if rng.random() < NO_ANSWER:
        return [], ["", *answers]
    others = [said(first, end + 1), said(first - 1, end)][: int(rng.integers(3))]
    return [answers[0], *others], [*answers, ""]


def _places(rng: Rng, gold: Array, latent: Latent) -> Array:
    scores = latent.scores + _noise(rng, len(latent.luck), len(gold))
    usual = rng.random(scores.shape, dtype=np.float32) < 0.7  # runs mostly move the same end
    moved = np.where(usual, 1 + gold % 4, rng.integers(1, 5, scores.shape))
    wrong = rng.integers(5, 7, scores.shape)
    return np.where(scores > EXACT, 0, np.where(scores > 0, moved, wrong))


FORMS: dict[tuple[str, str], Form] = {
    ("classification", "4 classes"): Form(
        lambda rng, n: rng.choice(len(CLASSES), n, p=CLASS_SHARES),
        _classes,
        lambda: (CLASSES, [CLASSES] * len(CLASSES)),
        CLASSES[1:],
    ),
    ("regression", "ratings"): Form(_ratings, _predicted_ratings),
    ("regression", "skewed numbers"): Form(_skewed, _predicted_skewed),
    ("multilabel", "6 labels"): Form(_label_sets, _predicted_sets, _written_sets, LABELS),
    ("choice", "3 to 5 options"): Form(lambda rng, n: rng.integers(len(OPTIONS), size=n), _chosen, _written_options),
    ("spans", "answers"): Form(lambda rng, n: rng.integers(N_TEXTS, size=n), _places, _written_answers),
}
"""By kind and by what its labels are."""


def count(form: tuple[str, str], metric: str, gold: Array, predicted: Array) -> Array:
    """Return the counts of a metric, ``(n_runs, n, n_counts)``."""
    if FORMS[form].written is None:
        return np.stack([METRICS[metric].tally(gold, run, ()) for run in predicted])
    return _table(form, metric)[gold, predicted]


@lru_cache(maxsize=32)
def _table(form: tuple[str, str], metric: str) -> Array:
    """Return the counts of every gold label with each of its predictions, ``(n_gold, n_predicted, n_counts)``."""
    written = FORMS[form].written
    assert written is not None
    gold, predicted = written()
    pairs = [(label, other) for label, others in zip(gold, predicted, strict=True) for other in others]
    counts = METRICS[metric].tally(*zip(*pairs, strict=True), FORMS[form].scored)
    return counts.reshape(len(gold), -1, counts.shape[1])


def draw_null_study(rng: Rng, form: tuple[str, str], world: World) -> Arms:
    """Draw the arms of a study in which no task has an effect on another, by the metric of ``world``."""
    names = tuple(f"t{place}" for place in range(world.tasks))
    by_key: dict[Key, Arm] = {}
    for name in names:
        target, documents, n = draw_target(rng, world.luck), draw_documents(rng, world), world.n_test
        ease = draw_effects(rng, EASE, n, documents, SHARED_EASE)
        gold = FORMS[form].draw_gold(rng, n)
        for partner in ("", *(other for other in names if other != name)):
            own = draw_effects(rng, world.own, n, documents, SHARED_OWN)
            luck = target.luck * draw_luck(rng, world.noise, world.seeds_pair if partner else world.single_runs)
            predicted = FORMS[form].predict(rng, gold, Latent(target.level, ease, own, luck[:, None]))
            counts = count(form, world.metric, gold, predicted)
            key = (name, "pair" if partner else "single", partner)
            by_key[key] = Arm.from_counts(counts, METRICS[world.metric], documents)
    return Arms(names, by_key, {key: tuple(range(arm.n_runs)) for key, arm in by_key.items()})
