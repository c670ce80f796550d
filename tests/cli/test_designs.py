"""Controls, matched baselines, sequential designs and rules, by the command line on a small trained study."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command, results_of, rows

pytestmark = pytest.mark.usefixtures("no_figures")

STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL, "--quiet", "--no-predictions"]
TASKS = 4


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with two seeds of every arm."""
    home = tmp_path_factory.mktemp("designs")
    done = command(*STUDY, "--seeds=2", "--seeds-single=2", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "results" / "clinical"


@pytest.fixture
def mine(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "results" / "clinical"))


def kinds(names: set[str]) -> dict[str, int]:
    firsts = [name.partition("-")[0] for name in names]
    return {first: firsts.count(first) for first in sorted(set(firsts))}


def test_controls_are_trained_beside_the_study_and_leave_it_as_it_is(mine: Path, plain: Path) -> None:
    before = results_of(mine)
    done = command(*STUDY, "--seeds=2", "--seeds-single=2", "--controls", cwd=mine.parents[1])
    assert done.returncode == 0, done.stderr
    assert kinds(results_of(mine).keys() - before.keys()) == dict.fromkeys(("half", "halves", "placebo"), 2 * TASKS)
    assert (mine / "edges.csv").read_bytes() == (plain / "edges.csv").read_bytes()
    controls = rows(mine / "controls.csv")
    assert [row["control"] for row in controls] == ["placebo"] * TASKS + ["positive"] * TASKS
    assert re.search(
        r"Placebos: \d of [1-4] are significant at p <= 0.05", done.stdout
    )  # some may have learned nothing
    assert {row["arm"] for row in rows(mine / "scores.csv")} == {"single", "pair", "placebo", "half", "halves"}


@pytest.mark.slow
def test_a_matched_baseline_takes_the_place_of_the_single_run(mine: Path, plain: Path) -> None:
    before = results_of(mine)
    done = command(
        *STUDY, "--seeds=2", "--seeds-single=2", "--baseline=compute-matched", "--overwrite", cwd=mine.parents[1]
    )
    assert done.returncode == 0, done.stderr
    assert kinds(results_of(mine).keys() - before.keys()) == {"matched": 2 * TASKS * (TASKS - 1)}
    edges, old = rows(mine / "edges.csv"), rows(plain / "edges.csv")
    assert {row["baseline"] for row in edges} == {"compute-matched"}
    assert [row["score_pair"] for row in edges] == [row["score_pair"] for row in old]
    assert [row["score_single"] for row in edges] != [row["score_single"] for row in old]


@pytest.mark.slow
def test_a_sequential_design_stops_early_and_the_same_command_again_trains_nothing(tmp_path: Path) -> None:
    sequential = [*STUDY, "--sequential", "--seeds=2", "--max-seeds=4", "--alpha=0.1"]
    first = command(*sequential, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    root = tmp_path / "results" / "clinical"
    done = results_of(root)
    assert kinds(set(done))["refine"] <= 6 * 4
    assert f"{len(done)} runs: {len(done)} trained now" in first.stderr
    assert "pair runs saved" in first.stdout
    assert "simulations of this design" in first.stdout
    edges = rows(root / "edges.csv")
    assert {row["decided_at_seeds"] for row in edges} <= {"2", "4", ""}
    levels = {row["decided_at_seeds"] or "4": float(row["alpha_spent"]) for row in edges}
    assert all(0 < level < 0.1 for level in levels.values())
    assert all((row["decided_at_seeds"] == "") == (row["verdict"] == "inconclusive") for row in edges)
    again = command(*sequential, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert results_of(root) == done
    assert again.stdout == first.stdout
    assert f"{len(done)} runs: 0 trained now, 0 failed" in again.stderr
    before = (root / "edges.csv").read_bytes()
    assert command("graph", str(root), cwd=tmp_path).returncode == 0
    assert (root / "edges.csv").read_bytes() == before
    other = command("graph", str(root), "--alpha=0.05", cwd=tmp_path)
    assert other.returncode == 2
    assert "analysed by the rule that it was run by" in other.stderr
    asked = (root / "study.json").read_bytes()
    rerun = command(*sequential[:-1], "--alpha=0.2", cwd=tmp_path)
    assert rerun.returncode == 2
    assert "other interim analyses or another rule" in rerun.stderr.splitlines()[-1]
    assert (root / "study.json").read_bytes() == asked


def test_the_rule_can_be_changed_without_training(mine: Path) -> None:
    rule = ["--correction=dunnett", "--estimand=test-set", "--margin=3", "--margin=pearson=5", "--alpha=0.1"]
    drawn = command("graph", str(mine), *rule, cwd=mine)
    assert drawn.returncode == 0, drawn.stderr
    edges = rows(mine / "edges.csv")
    assert {(row["correction"], row["estimand"], row["alpha"]) for row in edges} == {("dunnett", "test-set", "0.1")}
    margins = {row["metric"]: row["margin"] for row in edges}
    assert margins == {"pearson": "5", "micro_f1": "3", "span_f1": "3", "accuracy": "3"}
