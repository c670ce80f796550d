"""The simulated schedule keeps the laws of list scheduling, and the page on clusters quotes its committed figures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from scale import REFINE, Failures, longest_chain, make_study, simulate

from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.window import window_size

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "tests" / "benchmarks" / "results" / "scale.csv"
NAMES = [f"t{place:02d}" for place in range(12)]
STUDY = make_study(NAMES, evaluate_after="finetune", finetune=dict.fromkeys(NAMES, REFINE))
RUNS = list(STUDY.plan)


def seconds(spec: RunSpec) -> float:
    return 10.0 + 7 * sum(NAMES.index(name) for name in spec.task_names)


@pytest.mark.parametrize("n_gpus", [1, 7, 64, 5000])
@pytest.mark.parametrize("failures", [None, Failures(600.0, 0.1)], ids=["undisturbed", "failures"])
def test_no_gpu_is_idle_while_a_run_may_start(n_gpus: int, failures: Failures | None) -> None:
    """Graham (1969): whatever the order, the makespan is at most the work per GPU plus the longest chain."""
    outcome = simulate(RUNS, seconds, n_gpus, failures, dispatch=0.0)
    work, chain = sum(map(seconds, RUNS)), longest_chain(RUNS, seconds)
    assert outcome.runs == len(RUNS)
    assert outcome.most_submitted <= window_size(n_gpus)
    assert outcome.makespan_to_bound >= 1 - 1e-9
    if failures is None:
        assert outcome.starts == len(RUNS)
        assert outcome.repeated_share == 0
        assert 3600 * outcome.makespan_hours <= work / n_gpus + chain + 1e-6
        assert n_gpus * 3600 * outcome.makespan_hours * (1 - outcome.idle_share) == pytest.approx(work)
    else:
        assert outcome.starts > len(RUNS)
        assert outcome.repeated_share > 0
    if n_gpus == 1 and failures is None:
        assert 3600 * outcome.makespan_hours == pytest.approx(work)


def figures(plan: str, gpus: str) -> list[str]:
    """The cells of a row of the page: to the bound and idle without failures, then with them."""
    with FIGURES.open(newline="") as file:
        rows = {row["failures"]: row for row in csv.DictReader(file) if (row["plan"], row["gpus"]) == (plan, gpus)}
    cells = []
    for failures in ("no", "yes"):
        row = rows[failures]
        cells += [f"{float(row['makespan_to_bound']):.2f}", f"{100 * float(row['idle_share']):.1f}%"]
    return cells


def test_the_page_on_clusters_quotes_the_simulation() -> None:
    page = (ROOT / "docs" / "how-to" / "cluster.md").read_text("utf-8")
    table = page.partition("## How well the order fills many GPUs")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    quoted = {(row[0], row[1]): row[2:] for row in rows[1:]}
    assert len(quoted) == 8
    for (plan, gpus), cells in quoted.items():
        assert cells == figures(plan, gpus)
