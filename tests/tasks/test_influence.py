"""Influences of examples and documents against scikit-learn, seqeval and scipy, which score n - 1 of them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr
from seqeval.metrics import f1_score as seqeval_f1  # type: ignore[import-untyped]
from seqeval.scheme import IOB2  # type: ignore[import-untyped]
from sklearn.metrics import accuracy_score, f1_score  # type: ignore[import-untyped]

from taskaffinity.tasks.kinds import TRAITS
from taskaffinity.tasks.metrics import GIVEN_SCORE, METRICS

CLASSES = ("x", "y", "z")
TAGS = ("O", "B-x", "I-x", "B-y", "I-y")
OF_EXAMPLES = [name for name in METRICS if name != GIVEN_SCORE]

Array = NDArray[Any]
Sides = tuple[Sequence[Any], Sequence[Any]]
"""Gold labels and predictions."""
Rng = np.random.Generator


# Worlds: 3% of the examples have the rarest label, numbers are log-normal


def draw_classes(rng: Rng, n: int) -> Sides:
    gold = rng.choice([*CLASSES, "false"], n, p=[0.03, 0.1, 0.2, 0.67])
    gold[:3] = "x"
    predicted = np.where(rng.random(n) < 0.75, gold, rng.choice([*CLASSES, "false"], n))
    predicted[0] = "x"
    return gold.tolist(), predicted.tolist()


def draw_sets(rng: Rng, n: int) -> Sides:
    is_gold = rng.random((n, 3)) < [0.03, 0.1, 0.3]
    is_gold[:3, 0] = True
    is_predicted = is_gold ^ (rng.random((n, 3)) < [0.02, 0.05, 0.2])
    is_predicted[0, 0] = True
    return tuple([tuple(np.array(CLASSES)[row]) for row in side] for side in (is_gold, is_predicted))  # type: ignore[return-value]


def draw_tags(rng: Rng, n: int) -> Sides:
    gold = rng.choice(TAGS, (n, 6), p=[0.96, 0.02, 0.0, 0.01, 0.01])
    gold[:3, 2:4] = ["B-x", "I-x"]
    predicted = np.where(rng.random((n, 6)) < 0.97, gold, rng.choice(TAGS, (n, 6)))
    predicted[0] = gold[0]
    return gold.tolist(), predicted.tolist()


def draw_answers(rng: Rng, n: int) -> Sides:
    words = np.array(["red", "green", "blue", "grey"])
    gold = [[" ".join(words[: rng.integers(1, 5)])] if rng.random() < 0.9 else [] for _ in range(n)]
    others = [" ".join(rng.choice(words, rng.integers(4))) for _ in range(n)]
    return gold, [other if rng.random() < 0.7 else "".join(g) for g, other in zip(gold, others, strict=True)]


def draw_numbers(rng: Rng, n: int) -> Sides:
    gold = np.exp(rng.standard_normal(n))
    return gold.tolist(), (gold**0.7 * np.exp(0.5 * rng.standard_normal(n))).tolist()


DRAW: dict[str, Callable[[Rng, int], Sides]] = {
    **dict.fromkeys(("accuracy", "micro_f1", "macro_f1"), draw_classes),
    **dict.fromkeys(("multilabel_f1", "document_f1"), draw_sets),
    **dict.fromkeys(("span_f1", "span_f1_conlleval"), draw_tags),
    **dict.fromkeys(("exact_match", "answer_f1", "answered"), draw_answers),
    "pearson": draw_numbers,
}
MULTILABEL_MACRO = "macro_f1 of several labels"
CASES = {**{name: (name, draw) for name, draw in DRAW.items()}, MULTILABEL_MACRO: ("macro_f1", draw_sets)}


# Scores by other packages


def membership(sets: Sequence[Sequence[str]]) -> Array:
    return np.array([[label in row for label in CLASSES] for row in sets])


def word_f1(gold: str, predicted: str) -> float:
    one, other = Counter(gold.split()), Counter(predicted.split())
    return 2 * (one & other).total() / (one.total() + other.total()) if one and other else float(one == other)


def score_elsewhere(case: str, gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """Return a score by scikit-learn, seqeval or scipy; 0 where Pearson's r is undefined."""
    if case == "pearson":
        constant = len(set(gold)) < 2 or len(set(predicted)) < 2
        return 0.0 if constant else float(pearsonr(gold, predicted).statistic)
    if case == "answered":
        return float(f1_score([bool(answers) for answers in gold], [bool(answer) for answer in predicted]))
    if case in ("exact_match", "answer_f1"):
        compare = word_f1 if case == "answer_f1" else lambda one, other: float(one == other)
        return float(np.mean([compare("".join(g), p) for g, p in zip(gold, predicted, strict=True)]))
    if case == "accuracy":
        return float(accuracy_score(gold, predicted))
    if case.startswith("span_f1"):
        strict = {"mode": "strict", "scheme": IOB2} if case == "span_f1" else {}
        return float(seqeval_f1(gold, predicted, zero_division=0, **strict))
    if case in ("multilabel_f1", "document_f1", MULTILABEL_MACRO):
        average = "macro" if case == MULTILABEL_MACRO else "micro"
        return float(f1_score(membership(gold), membership(predicted), average=average, zero_division=0))
    return float(f1_score(gold, predicted, labels=CLASSES, average=case[:5], zero_division=0))


def without(sides: Sides, left_out: Array) -> Sides:
    """Return the sides without the examples at these places."""
    kept = np.delete(np.arange(len(sides[0])), left_out)
    return tuple([side[place] for place in kept] for side in sides)  # type: ignore[return-value]


def left_out_scores(case: str, sides: Sides, units: Sequence[Array]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of seqeval and scipy, on undefined scores
        return np.array([score_elsewhere(case, *without(sides, unit)) for unit in units])


def influence_of(case: str, sides: Sides, documents: Array | None = None) -> Array:
    metric = METRICS[CASES[case][0]]
    labels = ("x", "y") if case.startswith("span_f1") else CLASSES
    return metric.influence(metric.tally(*sides, labels), documents)


# The tests


def test_every_metric_of_every_kind_has_a_world() -> None:
    assert set(DRAW) == set(OF_EXAMPLES)
    assert {name for traits in TRAITS.values() for name in traits.metrics} <= set(DRAW)
    assert "macro_f1" in TRAITS["multilabel"].metrics


@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize("case", CASES)
def test_influence_is_the_jackknifes(case: str, n: int) -> None:
    """The requirement is a correlation above .99 and a ratio of the variances within .95 and 1.05."""
    sides = CASES[case][1](np.random.default_rng(n), n)
    scores = left_out_scores(case, sides, [np.array([place]) for place in range(n)])
    jackknife = (n - 1) * (scores.mean() - scores)
    assert jackknife.std() > 0.2
    np.testing.assert_allclose(influence_of(case, sides), jackknife, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_a_documents_influence_leaves_out_its_examples_at_once(case: str) -> None:
    """The pseudo-values of Busing et al. (1999), weighted by the size of the document."""
    rng, n = np.random.default_rng(8), 30
    documents = rng.permutation(np.repeat(np.arange(n), rng.integers(1, 8, n)))  # examples need not stand together
    sides = CASES[case][1](rng, len(documents))
    units = [np.flatnonzero(documents == d) for d in range(n)]
    scores, whole = left_out_scores(case, sides, units), left_out_scores(case, sides, [np.array([], dtype=int)])[0]
    times = np.array([len(documents) / len(unit) for unit in units])
    pseudo = times * whole - (times - 1) * scores
    expected = n * (pseudo - whole) / times
    np.testing.assert_allclose(influence_of(case, sides, documents), expected - expected.mean(), atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_documents_of_equal_size_have_the_plain_jackknife(case: str) -> None:
    rng, n = np.random.default_rng(9), 30
    documents = rng.permutation(np.repeat(np.arange(n), 4))
    sides = CASES[case][1](rng, 4 * n)
    scores = left_out_scores(case, sides, [np.flatnonzero(documents == d) for d in range(n)])
    expected = (n - 1) * (scores.mean() - scores)
    np.testing.assert_allclose(influence_of(case, sides, documents), expected, atol=1e-9)
    np.testing.assert_allclose(influence_of(case, sides, np.arange(4 * n)), influence_of(case, sides), atol=1e-12)


@pytest.mark.parametrize("case", ["accuracy", "exact_match", "answer_f1"])
def test_the_influence_on_a_mean_is_the_distance_from_it(case: str) -> None:
    """By document the sum of the distances, as in the sandwich estimator of Liang & Zeger (1986)."""
    sides, documents = CASES[case][1](np.random.default_rng(1), 60), np.arange(60) ** 2 // 300
    values = METRICS[case].tally(*sides, CLASSES)[:, 0]
    distances = values - values.mean()
    np.testing.assert_allclose(influence_of(case, sides), distances, atol=1e-12)
    sums = [distances[documents == d].sum() * 12 / 60 for d in range(12)]
    np.testing.assert_allclose(influence_of(case, sides, documents), sums, atol=1e-12)


def test_the_only_example_of_a_label_carries_the_labels_score() -> None:
    """Without it, the label has no positive example, and its F1 is 0."""
    sides = ["x", *["y"] * 9], ["x", *["y"] * 9]
    metric = METRICS["macro_f1"]
    influence = metric.influence(metric.tally(*sides, ("x", "y")))
    assert influence == pytest.approx(9 * 0.5 * (np.arange(10) == 0) - 0.45)


def test_without_the_only_different_prediction_the_correlation_is_zero() -> None:
    gold, predicted = [1.0, 2.0, 3.0, 4.0, 9.0], [2.0, 2.0, 2.0, 2.0, 7.0]
    influence, r = influence_of("pearson", (gold, predicted)), pearsonr(gold, predicted).statistic
    assert influence[4] > influence[:4].max() + 3.5 * r  # 4 r, less what another example moves it
    assert influence.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_few_examples_have_influences_without_a_warning(case: str) -> None:
    sides = CASES[case][1](np.random.default_rng(2), 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (1, 2, 3):
            influence = influence_of(case, (sides[0][:n], sides[1][:n]))
            assert influence.shape == (n,)
            assert influence.sum() == pytest.approx(0, abs=1e-12)
        assert influence_of(case, sides, np.zeros(5, dtype=int)).tolist() == [0.0]  # one document


def test_a_given_score_has_no_influence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert METRICS[GIVEN_SCORE].influence(np.array([[0.8, 1.0, 0.01]])).tolist() == [0.0]
        assert METRICS[GIVEN_SCORE].score_examples(np.array([[[0.8, 1.0, 0.01]], [[-0.2, 1.0, 0.01]]])).tolist() == [
            0.8,
            -0.2,
        ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("documents", [None, np.arange(60) // 4])
def test_influences_of_many_runs_are_those_of_each_to_the_bit(case: str, documents: Array | None) -> None:
    rng, metric = np.random.default_rng(7), METRICS[CASES[case][0]]
    labels = ("x", "y") if case.startswith("span_f1") else CLASSES
    runs = np.stack([metric.tally(*CASES[case][1](rng, 60), labels) for _ in range(4)])
    runs[2, :, 0 if case != "pearson" else slice(2, 6)] = 0.0  # a run that found nothing
    runs[3] *= case in ("accuracy", "pearson", "exact_match", "answer_f1")  # and one without any count
    each = [metric.influence(run, documents) for run in runs]
    assert np.isfinite(each).all()
    assert np.array_equal(metric.influence(runs, documents), each)


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_the_examples_does_not_matter(case: str) -> None:
    rng = np.random.default_rng(6)
    sides, order = CASES[case][1](rng, 60), rng.permutation(60)
    moved = tuple([side[place] for place in order] for side in sides)
    np.testing.assert_allclose(influence_of(case, moved), influence_of(case, sides)[order], atol=1e-11)  # type: ignore[arg-type]
