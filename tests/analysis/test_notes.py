"""What limits the evidence stands in the table of arrows, in captions, in the text and on the page."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study, with_history

from taskaffinity.analysis.affinity import measure
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.report import write_report
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
    publish(*limited, tmp_path / "out", pictures=FigureOptions(("heatmap",), ("svg",)))
    rows = csv.DictReader((tmp_path / "out" / "edges.csv").read_text().splitlines())
    assert {(row["source"], row["target"]): row["notes"].split("; ") for row in rows} == NOTES


def test_captions_text_and_page_say_it_too(limited: tuple[Study, RunStore], tmp_path: Path) -> None:
    matrix = publish(*limited, tmp_path / "out", pictures=FigureOptions(("heatmap",), ("svg",)))
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
    matrix = publish(study, store, tmp_path / "out", pictures=FigureOptions(("heatmap",), ("svg",)))
    rows = csv.DictReader((tmp_path / "out" / "edges.csv").read_text().splitlines())
    assert {row["notes"] for row in rows} == {""}
    assert "Caution" not in caption(matrix)
    write_report(study, store, tmp_path / "report.html")
    assert "train, used" not in (tmp_path / "report.html").read_text()
    assert measure(study, store).undertrained == ()
