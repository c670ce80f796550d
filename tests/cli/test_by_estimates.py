"""``pairwise --sequential --by-estimates``: refusals, its dry run, its status, and a small study that resumes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from command_line import command, results_of, rows
from fake_studies import fill, latent_counts, make_study

from taskaffinity.errors import InputError
from taskaffinity.runs.admission import Admission, RankedPair
from taskaffinity.studies.check_options import admission_bound, check_pairwise_options
from taskaffinity.studies.options import PairwiseOptions

SMALL = [f"--set={s}" for s in ("num_train_epochs=8", "max_train_examples=320", "max_eval_examples=60")]
BASIC = ["--domain=clinical", "--tasks=i2b2-2010-re,shareclefe,mednli", "--executor=local", *SMALL]
SEQUENTIAL = ["pairwise", *BASIC, "--quiet", "--sequential", "--seeds=2", "--max-seeds=3", "--by-estimates"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by_estimates": True}, "--by-estimates: an option of sequential designs; give --sequential too"),
        (
            {"admit": 2.0, "sequential": True},
            "--admit 2: how far from zero an estimate admits; give --by-estimates too",
        ),
    ],
)
def test_an_option_without_the_one_that_it_belongs_to_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as fault:
        check_pairwise_options(PairwiseOptions(**options))  # type: ignore[arg-type]
    assert str(fault.value) == said


def test_the_bound_is_one_standard_error_unless_another_is_given() -> None:
    assert admission_bound(PairwiseOptions(sequential=True, by_estimates=True)) == 1.0
    assert admission_bound(PairwiseOptions(sequential=True, by_estimates=True, admit=0.0)) == 0.0


def test_the_status_counts_admitted_pairs_and_none_of_the_deferred_runs(tmp_path: Path) -> None:
    pairs = (RankedPair(("a", "b"), 3.0, True), RankedPair(("a", "c"), 0.5, False), RankedPair(("b", "c"), 0.1, False))
    study = make_study(["a", "b", "c"], seeds=range(4), interim_seeds=(2, 4), seeds_single=tuple(range(6)))
    study = replace(study, admission=Admission(1.0, pairs))
    study.write(tmp_path)
    fill(study, tmp_path, latent_counts({}, n=20), skip=lambda spec: spec.arm == "pair" or spec.seed > 2)
    said = command("status", str(tmp_path), cwd=tmp_path).stdout
    assert "by estimates: 1 of 3 pairs admitted, 2 not measured" in said
    [line] = [line for line in said.splitlines() if line.split()[:1] == ["pair"]]
    assert line.split() == ["pair", "0", "0", "0", "2"]  # two seeds of one pair up to the first analysis
    [found] = json.loads(command("status", str(tmp_path), "--json", cwd=tmp_path).stdout)["studies"]
    assert [one["tasks"] for one in found["admission"]["deferred"]] == [["a", "c"], ["b", "c"]]
    assert found["admission"]["admitted"] == [{"tasks": ["a", "b"], "errors": 3.0}]


@pytest.mark.slow
def test_a_small_study_measures_what_its_estimates_admit_and_resumes(tmp_path: Path) -> None:
    root = tmp_path / "results" / "clinical"
    refused = command(*SEQUENTIAL, cwd=tmp_path)
    assert refused.returncode == 2
    assert "no estimates.csv in results/clinical; run `taskaffinity estimate`" in refused.stderr
    assert command("estimate", *BASIC, "--quiet", "--budget=90%", cwd=tmp_path).returncode == 0
    dry = command(*SEQUENTIAL, "--dry-run", "--json", cwd=tmp_path)
    [plan] = json.loads(dry.stdout)["studies"]
    errors = [one["errors"] for one in plan["admission"]["admitted"] if one["errors"] is not None]
    bound = str(1.01 * min(errors))  # one pair less than at the bound of the dry run
    asked = [*SEQUENTIAL, f"--admit={bound}"]
    [plan] = json.loads(command(*asked, "--dry-run", "--json", cwd=tmp_path).stdout)["studies"]
    deferred = {"+".join(sorted(one["tasks"])) for one in plan["admission"]["deferred"]}
    assert 1 <= len(deferred) < 3
    assert not any(f"refine-{pair}-" in run["run_id"] for run in plan["runs"] for pair in deferred)
    assert "deferred: " in command(*asked, "--dry-run", cwd=tmp_path).stdout
    done = command(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "By estimates: " in done.stdout
    edges = rows(root / "edges.csv")
    unmeasured = {"+".join(sorted((row["source"], row["target"]))) for row in edges if row["verdict"] == "not measured"}
    assert unmeasured == deferred
    assert all(row["gain"] == "" for row in edges if row["verdict"] == "not measured")
    before, runs = (root / "edges.csv").read_bytes(), set(results_of(root))
    for name in sorted(name for name in runs if name.startswith("refine"))[::2]:  # as if it had been killed
        shutil.rmtree(root / "runs" / name)
    (root / "estimates.csv").unlink()
    resumed = command(*asked, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert (root / "edges.csv").read_bytes() == before
    assert set(results_of(root)) == runs
    other = command(*SEQUENTIAL[:-1], cwd=tmp_path)
    assert other.returncode == 2
    assert "holds a sequential design that measures other pairs" in other.stderr
