"""Gains after fine-tuning, and of runs that start from the whole set's refinement, counted a second way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, right, seeded
from rich.console import Console

from taskaffinity.analysis.captions import caption, describe
from taskaffinity.analysis.figures import draw_forest
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.tables.frames import edges_frame, scores_frame
from taskaffinity.analysis.tables.printed import edge_table
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.study import Study

NAMES = ("b", "a", "c")
TUNED_SHARE = {"": 0.5, "a": 0.6, "b": 0.7, "c": 0.8}
"""What is right after fine-tuning, by what a target was trained beside; before it, 0.2 everywhere."""
SENTENCES = {
    "stage": "Gains are measured after both models are fine-tuned on the target.",
    "start": "Both models start from the multi-task model of the whole set. Models of one seed share it, so intervals "
    "are too wide rather than too narrow.",
}


def study_of(**options: Any) -> Study:
    finetune = dict.fromkeys(NAMES, FINETUNE) if options.get("evaluate_after") == "finetune" else {}
    return make_study(NAMES, seeds_single=(0, 1, 2, 3), finetune=finetune, **options)


def tuned_counts(target: str, partners: str, seed: int) -> np.ndarray:
    word, _, partner = partners.partition(":")
    share = TUNED_SHARE[partner] if word == "~finetune" and ":" in partners else 0.2
    rights = np.arange(200) < 200 * share + seed % 2
    return right(seeded("order", target).permutation(rights))


@pytest.mark.parametrize("full", [False, True], ids=["pairs", "the whole set too"])
@pytest.mark.parametrize("start", ["encoder", "multitask"])
def test_after_fine_tuning_an_arm_is_that_of_the_run_that_was_fine_tuned(
    start: str, full: bool, tmp_path: Path
) -> None:
    study = study_of(evaluate_after="finetune", init_from=start, full=full)
    store = fill(study, tmp_path, tuned_counts)
    arms, matrix = read_arms(study, store), measure(study, store)
    assert arms.by_key.keys() == {(t, "pair", s) for s, t in arrows(NAMES)} | {(t, "single", "") for t in NAMES}
    for (target, kind, partner), arm in arms.by_key.items():
        seeds = (0, 1, 2) if kind == "pair" else (0, 1, 2, 3)
        assert arms.seeds[target, kind, partner] == seeds
        assert arm.scores == pytest.approx([TUNED_SHARE[partner] + seed % 2 / 200 for seed in seeds])
    for s, source in enumerate(NAMES):
        for t, target in enumerate(NAMES):
            if source != target:
                expected = 100 * (TUNED_SHARE[source] - 0.5) + 100 / 200 * (1 / 3 - 2 / 4)
                assert matrix.gain[s, t] == pytest.approx(expected)


def test_continued_runs_are_the_arms_where_they_start_from_the_refinement(tmp_path: Path) -> None:
    study = study_of(init_from="multitask")
    store = fill(study, tmp_path, latent_counts({}, n=60))
    arms = read_arms(study, store)
    assert arms.by_key.keys() == {(t, "pair", s) for s, t in arrows(NAMES)} | {(t, "single", "") for t in NAMES}
    for (target, kind, partner), arm in arms.by_key.items():
        specs = [spec for spec in study.plan if spec.arm == kind and set(spec.task_names) == {target, partner} - {""}]
        assert all(spec.variant == "continued" for spec in specs)
        assert arms.seeds[target, kind, partner] == tuple(spec.seed for spec in specs)
        by_hand = [store.read(spec).counts[f"{target}/test"][:, 0].mean() for spec in specs]
        assert arm.scores == pytest.approx(by_hand)


def test_scores_csv_keeps_both_stages_and_says_beside_what_a_run_was_trained(tmp_path: Path) -> None:
    study = study_of(evaluate_after="finetune", init_from="multitask")
    frame = scores_frame(study, fill(study, tmp_path, tuned_counts))
    frame = frame[frame.split == "test"]
    assert frame.groupby("arm").size().to_dict() == {"single": 3 * 4, "pair": 3 * 6, "full": 4 * 3, "finetune": 30}
    assert not frame.duplicated(["source", "target", "seed", "arm"]).any()
    tuned = frame[frame.arm == "finetune"]
    assert set(zip(tuned.source, tuned.target, strict=True)) == {*arrows(NAMES), *(("", name) for name in NAMES)}
    for row in tuned.itertuples():
        assert row.score == pytest.approx(TUNED_SHARE[row.source] + row.seed % 2 / 200)
    assert set(frame[frame.arm == "full"].source) == {"a+c", "b+c", "b+a"}


@pytest.mark.parametrize("start", ["encoder", "multitask"])
@pytest.mark.parametrize("stage", ["joint", "finetune"])
def test_tables_and_words_say_where_gains_are_read_and_where_runs_start(stage: str, start: str, tmp_path: Path) -> None:
    study = study_of(evaluate_after=stage, init_from=start)
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=60)))
    edges = edges_frame(matrix)
    assert {*zip(edges.evaluated_after, edges.init_from, strict=True)} == {(stage, start)}
    console = Console(file=io.StringIO(), width=80)
    console.print(edge_table(matrix))
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, printed.splitlines())) <= 80
    for words in (caption(matrix), describe(matrix), printed):
        assert (SENTENCES["stage"] in " ".join(words.split())) == (stage == "finetune")
        assert (SENTENCES["start"] in " ".join(words.split())) == (start == "multitask")


def test_the_forest_shows_the_seeds_of_the_fine_tuned_pairs(tmp_path: Path) -> None:
    study = study_of(evaluate_after="finetune")
    store = fill(study, tmp_path, tuned_counts)
    matrix = measure(study, store)
    dots = [line for line in draw_forest(matrix, scores_frame(study, store)).lines if len(line.get_xdata()) == 3]
    assert sorted(np.mean(line.get_xdata()) for line in dots) == pytest.approx(
        sorted(matrix.gain[~np.isnan(matrix.gain)])
    )
