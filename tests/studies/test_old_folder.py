"""A results folder that an older version wrote works with every command, and is continued without training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import taskaffinity as ta
from taskaffinity.cli import app
from taskaffinity.schedule.progress import Report

OLD = Path(__file__).parents[1] / "data/results_before_the_move"
RENAMED = {
    "p_equivalence": "p_tost",
    "q_equivalence": "q_tost",
    "detectable": "mde",
    "seeds_to_colour": "seeds_to_significance",
    "seeds_to_no_effect": "seeds_to_equivalence",
    "needs": "recommendation",
    "reason": "untested_reason",
    "level": "alpha_spent",
    "decided_at": "decided_at_seeds",
    "match": "baseline",
    "stage": "evaluated_after",
    "start": "init_from",
}
BY_JACKKNIFE = ["low", "high", "p", "q", "q_tost", "p_tost", "df", "se_seeds", "se_examples"]
BY_JACKKNIFE += ["mde", "seeds_to_significance", "seeds_to_equivalence", "recommendation"]
"""Columns that depend on the error over examples. It was a linear approximation then, exact for accuracy."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_graph_report_status_and_compare_read_it(folder: Path) -> None:
    invoke("graph", str(folder))
    invoke("report", str(folder))
    assert "all done" in invoke("status", str(folder))
    found = json.loads(invoke("compare", str(folder), str(OLD), "--json").partition("SYNTHETIC")[0])
    assert {arrow["change"] for arrow in found["arrows"]} == {0.0}
    assert (folder / "report.html").is_file()


def test_its_numbers_are_the_same_but_for_the_names_of_columns(folder: Path) -> None:
    before = pd.read_csv(OLD / "edges.csv").rename(columns=RENAMED)
    for old, new in {"to a colour": "if the gain is as measured", 'to "no effect" if': "if"}.items():
        before.recommendation = before.recommendation.str.replace(old, new)
    after = ta.load(folder).to_frame()
    assert list(before.columns) == [name for name in after.columns if name in before]
    names = [name for name in before if name not in ("baseline", "evaluated_after")]  # whose values have new names
    invoke("graph", str(folder), "--figures=heatmap", "--format=svg")
    written = pd.read_csv(folder / "edges.csv")
    for seeds in ("seeds_to_significance", "seeds_to_equivalence"):
        before[seeds] = before[seeds].where(before.verdict == "inconclusive")  # once given for decided arrows too
    as_ever = [name for name in names if name not in BY_JACKKNIFE]
    pd.testing.assert_frame_equal(before[as_ever], written[as_ever], check_exact=True)
    is_mean = written.metric == "accuracy"
    assert is_mean.any()
    np.testing.assert_allclose(before.se_examples[is_mean], written.se_examples[is_mean], rtol=1e-5)
    pd.testing.assert_frame_equal(
        before[names], written[names], check_exact=False, rtol=0.02
    )  # errors are a jackknife's
    assert set(written.baseline) == {"single"}
    assert set(written.evaluated_after) == {"joint"}


def test_the_same_command_trains_nothing(folder: Path) -> None:
    class Ears:
        reports: list[Report] = []  # noqa: RUF012

        def notice(self, line: str) -> None: ...
        def warn(self, line: str) -> None: ...
        def on_progress(self, progress: object) -> None: ...
        def ended(self, report: Report, root: Path) -> None:
            self.reports.append(report)

    result = ta.pairwise("clinical", executor="local", output_dir=folder, listener=Ears())
    [report] = Ears.reports
    assert (report.planned, report.trained, report.failed) == (42, [], {})
    assert result.verdict.loc["shareclefe", "mednli"] == "improves"
