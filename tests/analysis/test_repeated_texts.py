"""Test rows that repeat texts are named, with the factor by which the standard error over examples is too small."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study

import taskaffinity as ta
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.cautions.notes import arrow_notes
from taskaffinity.analysis.cautions.of_data import describe_data
from taskaffinity.analysis.measure import measure
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.studies.data_facts import repeated_texts
from taskaffinity.tasks.task import Example, Kind, Split, Task

ADVICE = (
    "Test rows have the text of another test row and count as independent examples, so the standard error over test "
    "examples is too small by a factor: A (2.2 on test). Name a document for each text (columns: document), or leave "
    "the copies out."
)


def task(texts: list[str], labels: list[str] | None = None, document: str = "", kind: Kind = "classification") -> Task:
    def examples(split: Split) -> tuple[Example, ...]:
        rows = texts if split == "test" else [f"{split} {n}" for n in range(8)]
        of_rows = labels if labels and split == "test" else ["xy"[n % 2] for n in range(len(rows))]
        return tuple(
            Example(f"{split}{n}", label, text=text, document=document and f"{document}{n}")
            for n, (text, label) in enumerate(zip(rows, of_rows, strict=True))
        )

    return Task("a", kind, examples, ("x", "y"), "y" if kind == "relation" else None)


TEXTS = ["one"] * 5 + ["t wo", "T wo"] + [f"text {n}" for n in range(13)]


def test_the_factor_is_that_of_the_sizes_of_equal_texts() -> None:
    """Copies of m rows add m times the error of one, and m squared times its variance. By hand: (25 + 4 + 13) / 20."""
    assert repeated_texts(task(TEXTS), Recipe()) == {"test": round((42 / 20) ** 0.5, 4)}
    assert repeated_texts(task(TEXTS), Recipe(max_eval_examples=20)) == {"test": round((42 / 20) ** 0.5, 4)}


def test_rows_weigh_by_their_gold_items() -> None:
    """F1 of a relation does not count a right negative row: of the copies, here 5 of one text, only 2 are gold."""
    labels = ["x"] * 2 + ["y"] * 5 + ["x"] * 13
    gold = Counter("".join(text.split()).lower() for text, label in zip(TEXTS, labels, strict=True) if label == "x")
    factor = (sum(number**2 for number in gold.values()) / sum(gold.values())) ** 0.5
    assert repeated_texts(task(TEXTS, labels, kind="relation"), Recipe()) == {"test": round(factor, 4)}


@pytest.mark.parametrize(
    ("of", "recipe"),
    [
        (task([f"text {n}" for n in range(20)]), Recipe()),
        (task(TEXTS, document="d"), Recipe()),
        (task(TEXTS), Recipe(max_eval_examples=19)),
    ],
    ids=["no repeated text", "documents", "a sample"],
)
def test_nothing_is_known_without_repeated_texts_or_with_documents_or_a_sample(of: Task, recipe: Recipe) -> None:
    assert repeated_texts(of, recipe) == {}


@pytest.mark.parametrize("domain", ["clinical", "biomedical", "planted-8"])
def test_the_synthetic_suites_have_none(domain: str) -> None:
    assert all(repeated_texts(one, Recipe()) == {} for one in ta.load_suite(domain))


def test_the_standard_error_with_documents_is_larger_by_the_factor() -> None:
    """The second way: the same answers, each text five times, with and without the column of documents."""
    rng = np.random.default_rng(5)
    rows = []
    for target, source in (("a", ""), ("a", "b"), ("b", ""), ("b", "a")):
        shown = rng.random(100) < 0.7
        for seed in range(3):
            is_right = shown ^ (rng.random(100) < 0.05)
            rows += [(target, source, seed, n, "y", "ny"[int(is_right[n // 5])], f"d{n // 5}") for n in range(500)]
    table = pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted", "document"])
    errors = [
        ta.PairwiseResults.from_scores(predictions=one, metric="accuracy").to_frame().se_examples
        for one in (table, table.drop(columns="document"))
    ]
    [factor] = repeated_texts(task([f"text {n // 5}" for n in range(500)]), Recipe()).values()
    assert factor == pytest.approx(5**0.5, abs=1e-4)
    np.testing.assert_allclose(errors[0] / errors[1], factor, rtol=0.02)


@pytest.mark.parametrize(
    ("factor", "rule", "is_told"),
    [(2.236, Rule(), True), (1.09, Rule(), False), (2.236, Rule(estimand="test-set"), False)],
    ids=["many", "few", "this test set"],
)
def test_notes_advice_and_caption_name_the_factor(factor: float, rule: Rule, is_told: bool, tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    study = replace(study, tasks=(replace(study.tasks[0], repeated={"test": factor}), study.tasks[1]))
    study.write(tmp_path)
    assert Study.load(tmp_path).tasks[0].repeated == {"test": factor}
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=200)), rule)
    note = "a has repeated test texts (standard error over examples too small by a factor: 2.2 on test)"
    assert arrow_notes(matrix, (1, 0)) == [note] * is_told
    assert arrow_notes(matrix, (0, 1)) == []
    assert [line for line in describe_advice(matrix) if line.startswith("Test rows")] == [ADVICE] * is_told
    assert (ADVICE in caption(matrix)) == is_told
    assert describe_data(replace(study, rule=rule)) == [ADVICE] * is_told


def test_studies_of_older_versions_know_none() -> None:
    assert StudiedTask("a", "A", "ner", "span_f1", "f", {}).repeated == {}
