"""Runs of one task on other test examples give no gain, but one line that names the run that differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import Counts, fill, make_study, right, seeded

from taskaffinity.analysis.group_arrows import measure_group_arrows
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.stages import stage_scores
from taskaffinity.errors import InputError
from taskaffinity.runs.group_arrows import parse_groups
from taskaffinity.runs.recipe import REFINE
from taskaffinity.tasks.metrics import METRICS

LABELS = ("x", "y")


def accuracy_counts(n: int, *words: object) -> Counts:
    return right(seeded(*words).random(n) < 0.7)


def f1_counts(gold: list[str], *words: object) -> Counts:
    said = seeded(*words).choice(["x", "y", "none"], len(gold))
    return METRICS["micro_f1"].tally(gold, said, LABELS)


def test_a_run_with_an_example_less_is_named(tmp_path: Path) -> None:
    study = make_study(list("abc"))
    odd = study.plan.specs[-1]

    def counts_of(target: str, partners: str, seed: int) -> Counts:
        is_odd = (target, partners, seed) == ("b", "c", odd.seed)
        return accuracy_counts(50 - is_odd, target, partners, seed)

    store = fill(study, tmp_path, counts_of)
    with pytest.raises(InputError, match=r"refine-b\+c-s2-\w+: its test examples of b are .* \(50 and 49"):
        measure(study, store)


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_a_run_with_other_gold_labels_is_named(design: str, tmp_path: Path) -> None:
    finetune = dict.fromkeys("ab", REFINE) if design == "full" else {}
    study = make_study(list("ab"), metrics={"a": "micro_f1"}, design=design, finetune=finetune)
    gold = [str(label) for label in np.random.default_rng(0).choice(["x", "y", "none"], 40)]

    def counts_of(target: str, partners: str, seed: int) -> Counts:
        if target == "b":
            return accuracy_counts(30, partners, seed)
        is_odd = (partners, seed) == ("b", 1)
        return f1_counts([("none" if gold[0] != "none" else "x"), *gold[1:]] if is_odd else gold, partners, seed)

    store = fill(study, tmp_path, counts_of)
    with pytest.raises(InputError, match=r"refine-a\+b-s1-\w+: its test examples of a are not those of") as caught:
        measure(study, store) if design == "pairwise" else stage_scores(study, store)
    assert "delete the folder of the run that is wrong" in str(caught.value)


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_a_run_that_is_scored_by_another_metric_than_the_study_is_named(design: str, tmp_path: Path) -> None:
    """Counts of macro-F1 also have a score by micro-F1, so only the metric of the run tells."""
    finetune = dict.fromkeys("ab", REFINE) if design == "full" else {}
    study = make_study(list("ab"), metrics={"a": "macro_f1"}, design=design, finetune=finetune)
    gold = [str(label) for label in np.random.default_rng(0).choice(["x", "y", "none"], 40)]

    def counts_of(target: str, partners: str, seed: int) -> Counts:
        return f1_counts(gold, partners, seed) if target == "a" else accuracy_counts(30, partners, seed)

    store = fill(study, tmp_path, counts_of)
    read = measure if design == "pairwise" else stage_scores
    read(study, store)
    for metric in ("micro_f1", "accuracy", "pearson", "span_f1"):
        other = replace(study, tasks=(replace(study.tasks[0], metric=metric), study.tasks[1]))
        with pytest.raises(InputError, match=rf"run \S+: scored by macro_f1 for a, but the study says {metric};"):
            read(other, store)


def test_a_group_with_other_examples_than_the_single_task_runs_is_named(tmp_path: Path) -> None:
    study = make_study(list("abc"), groups=parse_groups(["a+b>c"], "abc"))

    def counts_of(target: str, partners: str, seed: int) -> Counts:
        return accuracy_counts(50 - (partners == "a+b"), target, partners, seed)

    store = fill(study, tmp_path, counts_of)
    measure(study, store)
    with pytest.raises(InputError, match=r"run \S+: its test examples of c are not those of .* \(50 and 49"):
        measure_group_arrows(study, store)
