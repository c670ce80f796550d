"""Further metrics: which a task has, and relations scored by pair of mentions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.secondary_metrics import by_pair, documents_of, secondary_metrics, tally
from taskaffinity.tasks.task import DEFAULT_METRIC, KINDS, Kind

CLASSES = ("x", "y", "false")


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_metric_is_not_reported_twice(kind: Kind) -> None:
    for known in (False, True):
        names = secondary_metrics(kind, DEFAULT_METRIC[kind], missed_are_known=known)
        assert DEFAULT_METRIC[kind] not in names
        assert set(names) <= set(METRICS)
        assert ("document_f1" in names) == known


@pytest.mark.parametrize(
    ("kind", "official", "others"),
    [
        ("similarity", "pearson", ()),
        ("relation", "micro_f1", ("macro_f1",)),
        ("relation", "accuracy", ("micro_f1", "macro_f1")),
        ("inference", "accuracy", ("macro_f1",)),
        ("inference", "micro_f1", ("accuracy", "macro_f1")),
        ("ner", "span_f1", ("span_f1_conlleval",)),
        ("ner", "span_f1_conlleval", ("span_f1",)),
        ("classification", "accuracy", ("macro_f1",)),
    ],
)
def test_a_task_is_reported_in_these_metrics_too(kind: Kind, official: str, others: tuple[str, ...]) -> None:
    assert secondary_metrics(kind, official, missed_are_known=False) == others


def test_questions_without_an_answer_are_reported_too() -> None:
    assert secondary_metrics("spans", "answer_f1", missed_are_known=False) == ("exact_match",)
    found = secondary_metrics("spans", "exact_match", missed_are_known=False, may_abstain=True)
    assert found == ("answer_f1", "answered")


def test_a_task_scored_by_macro_f1_is_reported_in_micro_f1() -> None:
    assert secondary_metrics("relation", "macro_f1", missed_are_known=False) == ("micro_f1",)


PAIRS = st.lists(
    st.tuples(st.lists(st.sampled_from(CLASSES[:2]), max_size=2, unique=True), st.sampled_from(CLASSES)),
    min_size=1,
    max_size=12,
)


@given(PAIRS, st.integers(0, 4))
def test_documents_are_scored_as_sets_of_relations(pairs: list[tuple[list[str], str]], missed: int) -> None:
    """As BioCreative does: one set of (pair, class) from the annotators, one from the system, whatever the rows."""
    ids, gold, predicted = [], [], []
    for number, (classes, said) in enumerate(pairs):
        for nth, label in enumerate(classes or ["false"], start=1):
            ids.append(f"doc.T{number}" + (f"#{nth}" if nth > 1 else ""))
            gold.append(label)
            predicted.append(said)
    gold_set = {(n, label) for n, (classes, _) in enumerate(pairs) for label in classes}
    gold_set |= {(len(pairs) + k, "x") for k in range(missed)}
    said_set = {(n, said) for n, (_, said) in enumerate(pairs) if said != "false"}
    right = len(gold_set & said_set)
    expected = 2 * right / (len(gold_set) + len(said_set)) if gold_set or said_set else 0.0

    counts = tally("document_f1", ids, gold, predicted, CLASSES[:2], missed)
    assert len(counts) == len(pairs) + missed
    assert METRICS["document_f1"].score(counts.sum(axis=0)) == pytest.approx(expected)


def test_documents_are_numbered_as_they_come_and_what_has_none_is_one_by_itself() -> None:
    assert documents_of("accuracy", "abcdef", ["x", "", "y", "x", "", "y"]).tolist() == [0, 1, 2, 0, 3, 2]
    assert documents_of("accuracy", "ab", ["", ""]) is None
    assert documents_of("accuracy", "ab", ["x", "y"]) is None
    assert documents_of("accuracy", "abc", ["1", "", "1"]).tolist() == [0, 1, 0]  # no name is taken for a place


def test_a_pair_of_two_classes_is_of_its_document_once_and_a_missed_relation_of_none() -> None:
    ids, documents = ["d.1", "d.1#2", "e.1", "d.2"], ["d", "d", "e", "d"]
    counts = tally("document_f1", ids, ["x", "y", "false", "x"], ["x", "x", "x", "x"], CLASSES[:2], 2)
    numbers = documents_of("document_f1", ids, documents, 2)
    assert numbers.tolist() == [0, 1, 0, 2, 3]
    assert len(numbers) == len(counts)


def test_without_second_classes_and_missed_relations_documents_are_micro_f1() -> None:
    rng = np.random.default_rng(0)
    gold, predicted = (rng.choice(CLASSES, 60).tolist() for _ in range(2))
    ids = [str(n) for n in range(60)]
    ours = tally("document_f1", ids, gold, predicted, CLASSES[:2])
    np.testing.assert_array_equal(ours, METRICS["micro_f1"].tally(gold, predicted, CLASSES[:2]))


def test_a_pair_of_one_class_keeps_its_place() -> None:
    assert by_pair(["a", "b"], ["x", "y"], ["y", "y"], CLASSES[:2]) == ([("x",), ("y",)], [("y",), ("y",)])


def test_a_document_with_a_hash_in_its_name_keeps_its_pairs_apart() -> None:
    """Only the end #2 of an id says that a pair has a second class; files may have such names too."""
    ids = ["note#1.T1.T2", "note#1.T1.T2#2", "note#1.T1.T3", "note#2.T1.T2"]
    gold, predicted = ["x", "y", "x", "y"], ["x", "x", "y", "x"]
    sides = by_pair(ids, gold, predicted, ["x", "y"])
    assert sides == ([("x", "y"), ("x",), ("y",)], [("x",), ("y",), ("x",)])
    found = documents_of("document_f1", ids, ["note#1", "note#1", "note#1", "note#2"])
    assert found is not None
    assert found.tolist() == [0, 0, 1]
