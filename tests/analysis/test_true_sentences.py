"""Sentences on a study that are not true in every design, and what stands in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, right, seeded, write_estimates
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, describe, describe_controls
from taskaffinity.analysis.cautions.advice import describe_runs, describe_runs_briefly
from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.figures import draw_graph, draw_heatmap, draw_targets
from taskaffinity.analysis.figures.groups import draw_groups
from taskaffinity.analysis.groups.chosen import chosen_groups
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.report.page import report
from taskaffinity.analysis.tables.printed import edge_table
from taskaffinity.analysis.training_conditions import describe_circles
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.metrics import METRICS

PEARSON = METRICS["pearson"].tally([0.0, 1.0, 2.0], [0.1, 1.2, 1.9], [])
PEARSON_OF_ONE_VALUE = METRICS["pearson"].tally([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [])


def printed(matrix: AffinityMatrix) -> str:
    """Return the printed table with single blanks."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(edge_table(matrix))
    return " ".join(captured.get().split())


def words_in(figure: Figure) -> str:
    """Return all texts of a figure; a line may end after a hyphen."""
    texts = (text.get_text().replace("-\n", "-") for text in figure.findobj(Text))
    return " ".join(" ".join(texts).split())


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory) -> tuple[AffinityMatrix, RunStore]:
    study = make_study(["a", "b", "c"], baseline="compute-matched", seeds=(0, 1), seeds_single=(0, 1, 2))
    store = fill(study, tmp_path_factory.mktemp("matched"), latent_counts({}))
    return measure(study, store), store


def test_gains_over_compute_matched_runs_are_not_called_gains_over_the_number_in_the_circle(
    matched: tuple[AffinityMatrix, RunStore],
) -> None:
    """The circle has the score of other runs, of other seeds, with fewer updates."""
    matrix, store = matched
    assert set(matrix.seeds_single[matrix.arrows[0]].flat) == {2}
    assert int(matrix.runs_single[0]) == 3
    seeds = "2 seeds per pair and per compute-matched baseline, 3 per single task"
    over = "over compute-matched single-task training"
    assert f"Gain of training with the source {over}, in points" in printed(matrix)
    assert seeds in printed(matrix)
    assert seeds in caption(matrix)
    assert "gains are measured over compute-matched single-task runs" in caption(matrix)
    for figure in (draw_graph(matrix).figure, draw_targets(matrix)):
        assert f"Gain {over}" in words_in(figure)
        assert "fewer updates than the compute-matched runs: gains are not measured over it" in words_in(figure)
    assert f"Gain {over} (points)" in words_in(draw_heatmap(matrix).figure)
    assert f"its predicted gain {over} in points" in words_in(
        draw_groups(chosen_groups(matrix, None, models=2, draws=0))
    )
    page = " ".join(report(matrix, store).split())
    assert f"gain of pair training {over}, in points; the columns single-task are of the compute-matched runs" in page


def test_the_number_in_a_circle_of_fine_tuned_runs_is_called_fine_tuned(tmp_path: Path) -> None:
    study = make_study(["a", "b"], evaluate_after="finetune", finetune=dict.fromkeys(["a", "b"], FINETUNE))
    matrix = measure(study, fill(study, tmp_path, latent_counts({})))
    said = "The number in a circle is the mean score of the task's single-task runs, fine-tuned."
    assert describe_circles(matrix) == [said]


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_a_training_that_collapsed_on_several_tasks_is_counted_once(design: str, tmp_path: Path) -> None:
    """15 trainings of 3 tasks gave "21 runs collapsed"."""
    finetune = dict.fromkeys("abc", FINETUNE) if design == "full" else {}
    study = make_study(
        ["a", "b", "c"],
        metrics=dict.fromkeys("abc", "pearson"),
        design=design,
        finetune=finetune,
        seeds=(0, 1),
        seeds_single=(0, 1, 2),
    )
    store = fill(study, tmp_path, lambda target, partners, seed: PEARSON_OF_ONE_VALUE)
    lines = describe_runs(study, store)
    scores = sum(len(spec.task_names) for spec in study.plan)
    assert scores > len(study.plan)
    assert lines[0].startswith(f"{len(study.plan)} runs collapsed, with {scores} test scores: ")
    assert f"; and {scores - 10} more. " in lines[0]
    if design == "full":
        [brief] = describe_runs_briefly(study, store)
        assert f"Caution: {len(study.plan)} runs collapsed and count in the means" in brief


def test_one_collapsed_score_is_one_run(tmp_path: Path) -> None:
    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        return PEARSON_OF_ONE_VALUE if (target, partners, seed) == ("a", "b", 1) else PEARSON

    study = make_study(["a", "b"], metrics=dict.fromkeys("ab", "pearson"))
    lines = describe_runs(study, fill(study, tmp_path, counts_of))
    assert lines[0].startswith("1 run collapsed: A (pair with B, seed 1): 0.0 points, one value. ")


def test_a_positive_control_that_is_not_significant_may_gain(tmp_path: Path) -> None:
    """The line said that so many targets "gain"; the others may gain too, and too little for this study to show."""

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        more = {"a": 0.2, "b": 0.02}[target] * (partners == "~halves")
        return right(seeded(target, partners, seed).random(400) < 0.6 + more)

    study = make_study(["a", "b"], controls=True)
    matrix = measure(study, fill(study, tmp_path, counts_of))
    gains = {one.target: (one.gain > 0, one.p <= 0.05) for one in matrix.controls if one.kind == "positive"}
    assert gains == {"a": (True, True), "b": (True, False)}
    said = "Positive controls: the gain from the other half of the data is significant at p <= 0.05 for 1 of 2 targets."
    assert describe_controls(matrix)[-1] == said


def test_an_arrow_is_not_called_inconclusive_and_not_measured_at_once(tmp_path: Path) -> None:
    """Of three tasks, one pair is trained, and the four other arrows have estimates."""
    study = make_study(["a", "b", "c"])
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: set(spec.task_names) in ({"a", "c"}, {"b", "c"}))
    write_estimates(tmp_path, {arrow: {} for arrow in arrows(["a", "b", "c"]) if "c" in arrow}, study)
    text = describe(with_estimates(measure(study, store), tmp_path))
    [inconclusive] = [line for line in text.splitlines() if line.startswith("Inconclusive, ")]
    assert inconclusive == "Inconclusive, 2 of 6 arrows: A → B, B → A."
    [estimated] = [line for line in text.splitlines() if line.startswith("Not measured, ")]
    assert estimated.startswith("Not measured, estimated as positive, 4 arrows: A → C ")
    assert "4 arrows without a test: no pair run." in text


def test_a_gain_is_rounded_alike_in_sentences_and_in_the_cells_of_a_page(tmp_path: Path) -> None:
    """Cells show the value of the CSV file: a page had a loss of 5.4 points in a sentence, and -5.5 in its table."""
    right_of_1000 = {("a", "", 0): 731, ("a", "", 1): 724, ("a", "b", 0): 677, ("a", "b", 1): 669}

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        return right(np.arange(1000) < right_of_1000.get((target, partners, seed), 500 + seed))

    study = make_study(["a", "b"], seeds=(0, 1))
    store = fill(study, tmp_path, counts_of)
    matrix = measure(study, store)
    assert float(matrix.gain[1, 0]) == pytest.approx(-5.45)
    assert f"{float(matrix.gain[1, 0]):.1f}" == "-5.4"
    assert "B A -5.5 [" in printed(matrix)
    page = report(matrix, store)
    assert 'data-value="-5.45">−5.5</td>' in page
    assert "5.4 points" not in page
