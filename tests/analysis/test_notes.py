"""What limits the evidence stands in the table of arrows, in captions, in the text and on the page."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right, with_history

from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.cautions.few_updates import describe_few_updates, few_updates
from taskaffinity.analysis.cautions.of_study import describe_cautions
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.report import write_report
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import Leak
from taskaffinity.runs.study import Study

LEAKS = (
    Leak("a", "b", "leak: 2 texts of a test also in b train"),
    Leak("a", "a", "leak: 1 text of a dev also in a train"),
)
OWN = "leak: 1 text of a dev also in a train"
LONG = "b has long rows (34% of train)"
SAMPLED = "c is sampled (32 of 1,000 train)"
HARDLY = "b hardly learned in single-task training (training loss fell by 5%)"
NOTES = {
    ("b", "a"): [HARDLY, LONG, *(leak.line for leak in LEAKS)],
    ("c", "a"): [SAMPLED, OWN],
    ("a", "b"): [HARDLY, LONG],
    ("c", "b"): [HARDLY, LONG, SAMPLED],
    ("a", "c"): [SAMPLED],
    ("b", "c"): [SAMPLED, HARDLY, LONG],
}
SENTENCES = (
    "B (34% of train)",
    "Runs use a sample of the examples: C (32 of 1,000 train).",
)


@pytest.fixture
def limited(tmp_path: Path) -> tuple[Study, RunStore]:
    """Three tasks: b is long and hardly learned, c is sampled, test texts of a stand in b's training split."""
    study = make_study(["a", "b", "c"])
    a, b, c = study.tasks
    b = replace(b, long_rows={"train": 0.34, "dev": 0.5, "test": 0.01})
    c = replace(c, sizes={"train": 1000, "test": 400}, used={"train": 32, "test": 400})
    study = replace(study, tasks=(a, b, c), leaks=LEAKS)
    store = fill(study, tmp_path / "runs", latent_counts({}, n=400))
    for spec in study.plan:
        if spec.task_names == ("b",):
            rows = [{"epoch": n, "loss": {"b": loss}, "dev": {"b": 0.5}} for n, loss in ((1, 1.0), (2, 0.95))]
            store.write(with_history(store.read(spec), rows))
    return study, RunStore(store.root)


def test_each_arrow_has_the_notes_of_its_runs_and_of_both_tasks(
    limited: tuple[Study, RunStore], tmp_path: Path
) -> None:
    publish(*limited, tmp_path / "out", figure_options=FigureOptions(("heatmap",), ("svg",)))
    rows = csv.DictReader((tmp_path / "out" / "edges.csv").read_text().splitlines())
    assert {(row["source"], row["target"]): row["notes"].split("; ") for row in rows} == NOTES


def test_captions_text_and_page_say_it_too(limited: tuple[Study, RunStore], tmp_path: Path) -> None:
    matrix = publish(*limited, tmp_path / "out", figure_options=FigureOptions(("heatmap",), ("svg",)))
    from_dev = Leak("c", "c", "leak: 9 texts of c test also in c dev")
    for leaks, words in (
        ((from_dev,), "1 leak from dev to test examples"),
        (
            (*LEAKS, from_dev, from_dev),
            "2 leaks from training to evaluation examples; 2 leaks from dev to test examples",
        ),
    ):
        told = caption(replace(matrix, study=replace(matrix.study, leaks=leaks)))
        assert f"Caution: B hardly learned in single-task training; {words}." in told
    words = caption(matrix)
    assert "Caution: B hardly learned in single-task training; 2 leaks from training to evaluation examples." in words
    text = (tmp_path / "out" / "affinity.txt").read_text()
    write_report(*limited, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for sentence in SENTENCES:
        assert sentence in words
        assert sentence in text
        assert sentence in page
    for leak in LEAKS:
        assert leak.line in text
        assert leak.line in page
    assert "hardly learned in single-task training" in text
    assert "hardly learned in single-task training" in page
    for heading in ("train, used", "train, long rows %"):
        assert heading in page


def test_a_study_without_faults_has_no_note(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    store = fill(study, tmp_path, latent_counts({}, n=400))
    matrix = publish(study, store, tmp_path / "out", figure_options=FigureOptions(("heatmap",), ("svg",)))
    rows = csv.DictReader((tmp_path / "out" / "edges.csv").read_text().splitlines())
    assert {row["notes"] for row in rows} == {""}
    assert "Caution" not in caption(matrix)
    write_report(study, store, tmp_path / "report.html")
    assert "train, used" not in (tmp_path / "report.html").read_text()
    assert measure(study, store).undertrained == ()


def test_a_target_without_an_error_has_no_room_for_a_gain(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    usual = latent_counts({}, n=400)
    store = fill(
        study,
        tmp_path / "runs",
        lambda target, partners, seed: right(np.ones(400)) if target == "b" else usual(target, partners, seed),
    )
    matrix = publish(study, store, tmp_path / "out", figure_options=FigureOptions(("heatmap",), ("svg",)))
    rows = csv.DictReader((tmp_path / "out" / "edges.csv").read_text().splitlines())
    notes = {row["target"]: row["notes"] for row in rows}
    assert notes == {"a": "", "b": "b has a single-task score of 100, so no task can improve it"}
    [line] = [line for line in describe_cautions(matrix) if line.startswith("No room")]
    assert line.startswith("No room for a gain, because the single-task score is 100: B.")


@pytest.mark.parametrize(
    ("rate", "examples", "few"),
    [
        (5e-5, 39 * 32, True),  # 39 updates, a sum of 39 * 2.5e-5
        (5e-5, 41 * 32, False),
        (5e-5, 39 * 32 + 1, False),  # a last small batch is an update: 40
        (2e-3, 32, False),  # one update, as large as forty
    ],
)
def test_few_updates_are_found_by_the_sum_of_learning_rates(rate: float, examples: int, few: bool) -> None:
    study = make_study(["a", "b"])
    recipe = Recipe(learning_rate=rate, num_train_epochs=1)
    a, b = study.tasks
    study = replace(study, recipe=recipe, tasks=(replace(a, used={"train": examples}), b))
    assert list(few_updates(study)) == ["a"] * few
    assert [line.startswith("Few updates") for line in describe_few_updates(study)] == [True] * few


def test_few_updates_name_the_learning_rate_of_the_single_task_runs() -> None:
    study = make_study(["a", "b"], baseline="paper-single")
    cards = tuple(replace(card, used={"train": 32}) for card in study.tasks)
    slow = {"a": Recipe(learning_rate=1e-5), "b": Recipe(learning_rate=2e-5)}
    [line] = describe_few_updates(replace(study, tasks=cards, recipe=Recipe(learning_rate=3e-3), single_recipes=slow))
    assert line.startswith("Few updates at a learning rate of 1e-05 or 2e-05, so models may hardly learn: A ")


@pytest.mark.parametrize(("epochs", "few"), [(1, ["a"]), (2, [])])
def test_every_epoch_counts_as_updates(epochs: int, few: list[str]) -> None:
    study = make_study(["a", "b"])
    a, b = study.tasks  # 25 updates per epoch
    recipe = Recipe(learning_rate=5e-5, num_train_epochs=epochs)
    assert list(few_updates(replace(study, recipe=recipe, tasks=(replace(a, used={"train": 25 * 32}), b)))) == few
