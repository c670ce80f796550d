"""Few test documents are announced before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.runs.rule import Rule
from taskaffinity.runs.study import Study
from taskaffinity.studies.data_facts import few_documents_lines
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Split, Task


def task(name: str, sizes: list[int], n: int = 40) -> Task:
    """A task whose test split has documents of these sizes; without sizes it has ``n`` examples and names none."""

    def examples(split: Split) -> tuple[Example, ...]:
        documents = [f"d{number}" for number, size in enumerate(sizes) for _ in range(size)] or [""] * n
        return tuple(
            Example(f"{split}{n}", "xy"[n % 2], text="w", document=document) for n, document in enumerate(documents)
        )

    return Task(name, "classification", examples, ("x", "y"))


def relation(name: str, rows: list[int], positive: list[int]) -> Task:
    """A relation task whose test documents have so many rows and so many positive ones."""

    def examples(split: Split) -> tuple[Example, ...]:
        return tuple(
            Example(f"{split}{d}.{n}", "x" if n < positive[d] else "none", text="w", document=f"d{d}")
            for d, size in enumerate(rows)
            for n in range(size)
        )

    return Task(name, "relation", examples, ("x", "none"), "none")


@pytest.fixture
def study() -> Study:
    return Study.load(Path(__file__).parents[2] / "notebooks" / "example_results")


def test_only_tasks_with_few_shared_documents_are_named(study: Study) -> None:
    suite = Suite("toy", (task("few", [4] * 8), task("one", [100, 1, 1]), task("many", [2] * 25), task("no", [])))
    few, untested = few_documents_lines(suite, study)
    assert few.startswith("Fewer than 20 effective test documents: few (8). ")
    assert untested.startswith("Fewer than 5 effective test documents: one (1). Gains into such a target have no test")
    assert few_documents_lines(Suite("toy", (task("many", [2] * 25), task("no", []))), study) == []


def test_examples_that_name_no_document_are_called_examples(study: Study) -> None:
    suite = Suite("toy", (task("twelve", [], 12), task("four", [], 4), task("alone", [1] * 6), task("many", [])))
    few, untested = few_documents_lines(suite, study)
    assert few.startswith("Fewer than 20 effective test examples: twelve (12), alone (6). ")
    assert untested.startswith("Fewer than 5 effective test examples: four (4). ")
    assert "document" not in few + untested


def test_nothing_is_said_where_it_is_not_known_or_does_not_matter(study: Study) -> None:
    suite = Suite("toy", (task("few", [4] * 8),))
    capped = replace(study, recipe=replace(study.recipe, max_eval_examples=10))
    on_this_set = replace(study, rule=Rule(estimand="test-set"))
    assert few_documents_lines(suite, study)
    assert few_documents_lines(suite, capped) == few_documents_lines(suite, on_this_set) == []


def test_a_document_weighs_by_its_positive_examples_if_the_metric_counts_those(study: Study) -> None:
    uneven, even = [90] + [3] * 24, [3] * 25
    suite = Suite("toy", (relation("long", uneven, even), relation("dense", uneven, [60] + [3] * 24)))
    [line] = few_documents_lines(suite, study)
    assert line.startswith("Fewer than 5 effective test documents: dense (1.12).")  # (60² + 24 · 3²)² / (60⁴ + ...)
