"""Metrics against seqeval, scikit-learn and scipy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from seqeval.metrics import f1_score as seqeval_f1  # type: ignore[import-untyped]
from seqeval.scheme import IOB2  # type: ignore[import-untyped]
from sklearn.metrics import accuracy_score, f1_score  # type: ignore[import-untyped]

from taskaffinity.analysis.statistics.collapse import predicts_nothing
from taskaffinity.tasks.mentions import lenient_mentions, strict_mentions
from taskaffinity.tasks.metrics import GIVEN_SCORE, METRICS, Counts
from taskaffinity.tasks.pearson import centred_moments

CLASSES = ("x", "y", "z", "false")
POSITIVE = ("x", "y", "z")
OF_EXAMPLES = [name for name in METRICS if name != GIVEN_SCORE]
TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


def score(name: str, gold: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str] = POSITIVE) -> float:
    metric = METRICS[name]
    return float(metric.score(metric.tally(gold, predicted, labels).sum(axis=0)))


def sides(element: st.SearchStrategy[Any], at_least: int = 1) -> st.SearchStrategy[list[tuple[Any, Any]]]:
    return st.lists(st.tuples(element, element), min_size=at_least, max_size=30)


SENTENCES = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n)] * 2)
)
GRADES = st.integers(0, 50).map(lambda tenths: tenths / 10)


@settings(deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_span_f1_is_seqeval_strict(sentences: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = [list(side) for side in zip(*sentences, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns where nothing is predicted
        expected = seqeval_f1(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
    assert score("span_f1", gold, predicted, ("x", "y")) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_span_f1_of_conlleval_is_seqeval_lenient(sentences: list[tuple[list[str], list[str]]]) -> None:
    gold, predicted = [list(side) for side in zip(*sentences, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = seqeval_f1(gold, predicted, zero_division=0)  # its default mode is conlleval's
    assert score("span_f1_conlleval", gold, predicted, ("x", "y")) == pytest.approx(expected)


def test_where_strict_and_conlleval_differ() -> None:
    tags = ["O", "I-x", "I-x", "B-y", "I-x", "I-y"]
    assert lenient_mentions(tags) == [("x", 1, 3), ("y", 3, 4), ("x", 4, 5), ("y", 5, 6)]
    assert strict_mentions(tags) == [("y", 3, 4)]
    assert lenient_mentions([]) == []


def test_a_relation_that_no_text_was_made_for_is_missed() -> None:
    gold, predicted = [("x",), ("x", "y"), ("false",), ("x",)], [("x",), ("y",), ("false",), ()]
    assert METRICS["document_f1"].tally(gold, predicted, POSITIVE).tolist() == [
        [1, 0, 0],
        [1, 0, 1],
        [0, 0, 0],
        [0, 0, 1],
    ]


@given(st.lists(st.sampled_from(TAGS), max_size=10))
def test_a_mention_is_a_begin_and_the_insides_of_its_type(tags: list[str]) -> None:
    naive = []
    for first, tag in enumerate(tags):
        if tag[0] == "B":
            last = first + 1
            while last < len(tags) and tags[last] == f"I-{tag[2:]}":
                last += 1
            naive.append((tag[2:], first, last))
    assert strict_mentions(tags) == naive


def test_types_that_are_not_counted_are_not_scored() -> None:
    gold, predicted = [["B-x", "B-y"]], [["B-x", "O"]]
    assert score("span_f1", gold, predicted, ("x",)) == 1.0
    assert score("span_f1", gold, predicted, ("y",)) == 0.0


def test_a_sentence_with_a_tag_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="sentence 1: 2 gold tags, 1 predicted"):
        METRICS["span_f1"].tally([["O"], ["O", "O"]], [["O"], ["O"]], ("x",))


@settings(deadline=None)
@given(sides(st.sampled_from(CLASSES)), st.sampled_from(["micro", "macro"]))
def test_f1_is_scikit_learns(pairs: list[tuple[str, str]], average: str) -> None:
    gold, predicted = [list(side) for side in zip(*pairs, strict=True)]
    expected = f1_score(gold, predicted, labels=POSITIVE, average=average, zero_division=0)
    assert score(f"{average}_f1", gold, predicted) == pytest.approx(expected)


@settings(deadline=None)
@given(sides(st.booleans()))
def test_answered_is_scikit_learns_f1_of_questions_with_an_answer(pairs: list[tuple[bool, bool]]) -> None:
    gold, predicted = [list(side) for side in zip(*pairs, strict=True)]
    expected = f1_score(gold, predicted, zero_division=0)
    answers = [[["two words"] if one else [] for one in side] for side in (gold, predicted)]
    assert score("answered", *answers, ()) == pytest.approx(expected)


@settings(deadline=None)
@given(sides(st.sampled_from(CLASSES)))
def test_accuracy_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    gold, predicted = [list(side) for side in zip(*pairs, strict=True)]
    assert score("accuracy", gold, predicted) == pytest.approx(accuracy_score(gold, predicted))


@settings(deadline=None)
@given(sides(GRADES, at_least=2))
def test_pearson_is_scipys_and_zero_for_constants(pairs: list[tuple[float, float]]) -> None:
    gold, predicted = [list(side) for side in zip(*pairs, strict=True)]
    constant = len(set(gold)) == 1 or len(set(predicted)) == 1
    expected = 0.0 if constant else pearsonr(gold, predicted).statistic
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score("pearson", gold, predicted) == pytest.approx(expected, abs=1e-9)


def exact_correlation(gold: Iterable[float], predicted: Iterable[float]) -> float:
    """Pearson's r of these floats: centred sums of fractions, rounded only at the end."""
    x, y = ([Fraction(float(score)) for score in side] for side in (gold, predicted))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    xx, yy = sum((a - mean_x) ** 2 for a in x), sum((b - mean_y) ** 2 for b in y)
    xy = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return float(xy) / math.sqrt(xx * yy)


@pytest.mark.parametrize("top", [5.0, 100.0])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e3, 1e4, 1e6])
def test_pearson_loses_no_digits_far_from_zero(offset: float, top: float) -> None:
    """Predictions up to 1e4 from zero, and gold scores near 1e6, against exact fractions."""
    metric, rng = METRICS["pearson"], np.random.default_rng(0)
    x = np.round(rng.uniform(0, top, (3, 318)), 1)
    y = 0.7 * x + rng.normal(size=x.shape)
    sides = [(x + offset, y + offset)] + ([(x, y + offset)] if offset <= 1e4 else [])
    for gold, predicted in sides:
        runs = np.stack([metric.tally(list(g), list(p), ()) for g, p in zip(gold, predicted, strict=True)])
        expected = [exact_correlation(g, p) for g, p in zip(gold, predicted, strict=True)]
        assert np.abs(metric.score_examples(runs) - expected).max() < 1e-9
        assert [float(metric.score_examples(run)) for run in runs] == metric.score_examples(runs).tolist()
        near = [metric.influence(metric.tally(list(g), list(p), ())) for g, p in zip(x, y, strict=True)]
        assert np.abs(np.stack([metric.influence(run) for run in runs]) - near).max() < 1e-6
        assert not any(predicts_nothing(run, metric) for run in runs)


@pytest.mark.parametrize("offset", [0.0, 2e3, 1e6, -1.7e9])
def test_pearson_needs_no_unit_of_the_predictions(offset: float) -> None:
    """Gold scores such as seconds since 1970, and predictions with mean 0 and SD 1, as other programs give them."""
    metric, rng = METRICS["pearson"], np.random.default_rng(1)
    gold = np.round(rng.normal(size=200) * 8) + offset
    for predicted in (
        rng.normal(size=200),
        (gold - gold.mean()) / 8 + rng.normal(size=200),
        gold + rng.normal(size=200),
    ):
        counts = metric.tally(list(gold), list(predicted), ())
        assert metric.score_examples(counts) == pytest.approx(exact_correlation(gold, predicted), abs=1e-9)


def test_scores_near_zero_and_equal_predictions_are_summed_as_before() -> None:
    metric, rng = METRICS["pearson"], np.random.default_rng(0)
    gold = list(rng.uniform(0, 5, 50))
    for predicted in (list(rng.uniform(0, 5, 50)), [2.5] * 50, list(2.5 + 1e-7 * rng.normal(size=50))):
        counts = metric.tally(gold, predicted, ())
        assert centred_moments(counts) is counts
        assert metric.score_examples(counts) == metric.score(counts.sum(axis=0))
    assert metric.score_examples(counts) == 0.0  # rounding errors are no correlation
    assert metric.score_examples(np.zeros((0, 6))) == 0.0


def test_pearson_of_one_example_is_zero_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score("pearson", [3.0], [2.0]) == 0.0
        assert METRICS["pearson"].influence(METRICS["pearson"].tally([3.0], [2.0], ())).tolist() == [0.0]


def test_pearson_of_unequal_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="2 gold scores, 1 predictions"):
        METRICS["pearson"].tally([1.0, 2.0], [1.0], ())


def world(name: str, n: int, rng: np.random.Generator) -> Counts:
    if name == "pearson":
        gold = rng.uniform(0, 5, n)
        return METRICS[name].tally(gold.tolist(), (gold + rng.normal(0, 1, n)).tolist(), ())
    if name in ("span_f1", "span_f1_conlleval"):
        return METRICS[name].tally(rng.choice(TAGS, (n, 6)).tolist(), rng.choice(TAGS, (n, 6)).tolist(), ("x", "y"))
    if name == "answered":
        gold, said = ([["w"] if one else [] for one in rng.random(n) < 0.6] for _ in range(2))
        return METRICS[name].tally(gold, said, ())
    right = rng.random(n) < 0.6
    gold = rng.choice(CLASSES, n)
    return METRICS[name].tally(gold.tolist(), np.where(right, gold, rng.choice(CLASSES, n)).tolist(), POSITIVE)


@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_the_order_of_the_examples_does_not_matter(name: str) -> None:
    metric, rng = METRICS[name], np.random.default_rng(6)
    counts = world(name, 50, rng)
    order = rng.permutation(50)
    assert metric.score(counts[order].sum(axis=0)) == pytest.approx(float(metric.score(counts.sum(axis=0))))


@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_many_sums_are_scored_at_once(name: str) -> None:
    metric = METRICS[name]
    sums = np.stack([world(name, 30, np.random.default_rng(seed)).sum(axis=0) for seed in range(6)])
    one_by_one = [float(metric.score(row)) for row in sums]
    np.testing.assert_allclose(metric.score(sums.reshape(2, 3, -1)).ravel(), one_by_one)


@pytest.mark.parametrize(
    "tally", [METRICS[name].tally for name in ("micro_f1", "macro_f1", "span_f1")], ids=["micro", "macro", "span"]
)
def test_no_positive_anywhere_is_zero_and_not_nan(tally: Callable[..., Counts]) -> None:
    nothing: list[Any] = [["O"]] * 3 if tally is METRICS["span_f1"].tally else ["false"] * 3
    counts = tally(nothing, nothing, POSITIVE)
    for name in ("micro_f1", "macro_f1"):
        assert METRICS[name].score(counts.sum(axis=0)) == 0.0
        assert METRICS[name].influence(counts).tolist() == [0.0] * 3
