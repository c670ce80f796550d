"""``taskaffinity estimate``: what it refuses, and a small study from end to end."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from command_line import command

import taskaffinity as ta
from taskaffinity.analysis.estimates.probes import Estimate
from taskaffinity.analysis.estimates.results import EstimateResults
from taskaffinity.analysis.estimates.validation import Agreement
from taskaffinity.cli.console.estimates import print_estimates
from taskaffinity.cli.estimate import _validate
from taskaffinity.errors import InputError
from taskaffinity.studies.estimates.options import share_of
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.tasks.user.template import example_files
from taskaffinity.training.encoders.load import tiny_encoder

SMALL = {"num_train_epochs": 8, "max_train_examples": 320, "max_eval_examples": 60}


@pytest.mark.parametrize("budget", ["0", "0%", "-1%", "101%", "2", "ten", "nan", "", "%"])
def test_a_budget_that_is_no_share_is_refused(budget: str) -> None:
    with pytest.raises(InputError, match=r"--budget: found .*; expected a share of the cost of all pairs"):
        share_of(budget)


@pytest.mark.parametrize(("budget", "share"), [("10%", 0.1), (" 10% ", 0.1), (0.1, 0.1), ("1", 1.0), ("100%", 1.0)])
def test_a_budget_is_a_share(budget: str | float, share: float) -> None:
    assert share_of(budget) == share


def test_a_study_that_costs_less_than_its_probes_is_to_be_measured(tmp_path: Path) -> None:
    short = ["--set=num_train_epochs=1", "--set=max_train_examples=32"]
    refused = command(
        "estimate", "--domain=clinical", "--budget=100%", "--executor=local", "--dry-run", *short, cwd=tmp_path
    )
    assert refused.returncode == 2
    assert "affords no probe of all 12 arrows; training all pairs of this study costs less than that" in refused.stderr


def test_a_dry_run_lists_the_runs_and_trains_nothing(tmp_path: Path) -> None:
    small = [f"--set={key}={value}" for key, value in SMALL.items()]
    given = ["estimate", "--domain=clinical", "--budget=90%", "--seeds=1", "--executor=local", "--dry-run", *small]
    done = command(*given, "--json", cwd=tmp_path)
    [plan] = json.loads(done.stdout)["studies"]
    assert (done.returncode, plan["n_runs"], plan["n_done"]) == (0, 4, 0)  # probes follow from the finished runs
    assert all(run["run_id"].startswith("single-") for run in plan["runs"])
    assert plan["forecast"][0].startswith("probes: ")
    assert command(*given, cwd=tmp_path).stdout.splitlines()[:4] == [f"to do  {run['run_id']}" for run in plan["runs"]]
    assert list(tmp_path.iterdir()) == []


def test_an_arrow_is_printed_with_its_sign_or_counted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Estimate("a", "b", probe=2.0, se=0.01),
        Estimate("a", "c", probe=-0.04, se=0.01),
        Estimate("b", "a", probe=0.1, se=1.0),
        Estimate("b", "c", probe=0.0),  # equal predictions
        Estimate("c", "a", probe=0.0, source_learned=False),
        Estimate("c", "b", reason="b learned nothing", source_learned=False),
    ]
    tasks = [SimpleNamespace(name=name, title=name.upper()) for name in "abc"]
    result = SimpleNamespace(rows=rows, study=SimpleNamespace(tasks=tasks), cautions=[], share=0.1, root=tmp_path)
    print_estimates(result)  # type: ignore[arg-type]
    printed = capsys.readouterr().out.splitlines()
    assert [line.split() for line in printed[1:3]] == [
        ["A", "B", "+2.0", "[+2.0,", "+12.1]", "positive"],
        ["A", "C", "+0.0", "[-0.3,", "+0.0]", "negative"],
    ]
    assert printed[3:7] == [
        "arrows without a sign: 1 of 6, not estimated: b learned nothing",
        "arrows without a sign: 1 of 6, the probes give the same predictions, so their error is unknown",
        "arrows without a sign: 1 of 6, their interval holds 0",
        "arrows without a sign: 1 of 6, their source was not learned in the probe",
    ]


def test_a_comparison_with_measured_gains_names_the_cost_and_a_known_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    nothing = dict.fromkeys([field.name for field in fields(Agreement)], math.nan)
    found = [Agreement(**(nothing | {"estimator": "probes", "arrows": 6}))]
    for ceiling, limit in ((0.84, "; the noise of the measured gains limits it to 0.84"), (math.nan, "")):
        result = SimpleNamespace(validate=lambda known=ceiling: (found, known), share=0.0654)
        monkeypatch.setattr(EstimateResults, "load", lambda root, result=result: result)
        _validate(tmp_path, as_json=False)
        assert capsys.readouterr().out.splitlines()[-1] == (
            "6 arrows. AUROC: probability that an arrow with this verdict ranks before one without it. Right signs and "
            f"base rate are of decided arrows. Within target: mean rank correlation over the sources of a "
            f"target{limit}. Cost of the probes: 6.5% of the training of all pairs, besides single-task training."
        )
        _validate(tmp_path, as_json=True)
        assert json.loads(capsys.readouterr().out)["share"] == 0.0654


@pytest.mark.slow
def test_a_small_study_is_estimated_continued_and_validated(tmp_path: Path) -> None:
    three = ["i2b2-2010-re", "shareclefe", "mednli"]
    options = {"settings": SMALL, "tasks": three, "executor": "local", "output_dir": tmp_path, "seeds": 1}
    found = ta.estimate("clinical", budget="90%", **options)
    frame = found.to_frame()
    assert (len(frame), found.failed) == (6, {})
    assert frame.probe.notna().all()
    assert "6 estimates from short probes" in " ".join((tmp_path / "affinity.svg").read_text().split())
    assert not (tmp_path / "estimators.csv").exists()
    before = (tmp_path / "estimates.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/result.json")}
    (tmp_path / "estimates.csv").unlink()
    basic = ["--domain", "clinical", "--tasks", ",".join(three), "--executor", "local", "--quiet"]
    given = ["estimate", *basic, "--budget", "90%"]
    loudly = [word for word in given if word != "--quiet"]
    done = command(*loudly, "--baselines", "--results", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0
    said = [line.split()[5] for line in done.stderr.splitlines() if line.endswith("which trains nothing")]
    assert said == ["log", "vocabulary", "ridge", "gradient"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/result.json")} == times
    assert (tmp_path / "estimates.csv").read_bytes() == before
    model = next(tmp_path.glob("runs/single-*/model"))
    model.rename(tmp_path / "away")
    dry = command(*given, "--dry-run", "--results", str(tmp_path), cwd=tmp_path)
    assert f"to do  {model.parent.name}" in dry.stdout.splitlines()
    assert dry.stdout.count("to do") == 1
    (tmp_path / "away").rename(model)
    with pytest.raises(InputError, match="no arrow has both an estimate and a measured gain"):
        ta.EstimateResults.load(tmp_path).validate()
    refused = command(*given, "--results", str(tmp_path), "--seeds", "2", cwd=tmp_path)
    assert refused.returncode == 2
    assert f"--seeds: the study in {tmp_path} has 1, not 2; give that, or another --results" in refused.stderr
    ta.pairwise("clinical", **options)
    agreements, _ = ta.EstimateResults.load(tmp_path).validate()
    assert [(one.estimator, one.arrows) for one in agreements] == [
        (name, 6)
        for name in ("probes", "log size ratio", "vocabulary coverage", "ridge probe (LogME)", "gradient cosine")
    ]
    assert "stimate" not in (tmp_path / "affinity.svg").read_text()  # every pair is measured now
    pd.testing.assert_frame_equal(ta.EstimateResults.load(tmp_path).to_frame(), frame)


def test_the_suite_file_of_a_study_that_begins_with_estimates_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    for name, content in example_files("suite.yaml").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    encoder = str(tiny_encoder(VOCABULARY, tmp_path / "cache", layers=1, width=8).folder)
    settings = {"num_train_epochs": 10, "batch_size": 8, "max_length": 16}
    root = tmp_path / "results"
    ta.estimate(
        folder / "suite.yaml",
        budget="100%",
        tasks=["negation", "entailment"],
        encoder=encoder,
        seeds=1,
        settings=settings,
        executor="local",
        output_dir=root,
    )
    assert (root / "suite.yaml").read_bytes() == (folder / "suite.yaml").read_bytes()
