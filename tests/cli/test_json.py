"""``--json`` prints one JSON object with stable keys, and nothing else on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app
from taskaffinity.tasks.user.template import example_files

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests/data/results_before_the_move"


def printed(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_a_plan_names_every_run(tmp_path: Path) -> None:
    where = f"--results={tmp_path}"
    found = printed("pairwise", "--domain=clinical", "--seeds=1", where, "--executor=local", "--dry-run", "--quiet")
    [study] = found["studies"]
    assert set(study) == {
        *("results", "encoder", "runs", "n_runs", "n_done", "at_most", "admission", "forecast", "cautions")
    }
    assert study["admission"] is None
    assert (study["n_runs"], study["n_done"], len(study["runs"])) == (14, 0, 14)
    assert not any(run["done"] for run in study["runs"])


def test_a_search_names_every_candidate(tmp_path: Path) -> None:
    found = printed(
        "tune", "--domain=clinical", f"--results={tmp_path}", "--executor=local", "--n-trials=3", "--dry-run"
    )
    assert set(found) == {"tasks", "default", "candidates", "finalists", "confirm_seeds", "most_epochs"}
    assert found["tasks"] == ["clinicalsts", "i2b2-2010-re", "shareclefe", "mednli"]
    assert len(found["candidates"]) == 3
    for changed in found["candidates"]:
        assert changed
        assert all(found["default"][name] != value for name, value in changed.items())


@pytest.mark.parametrize("name", ["pairwise", "full", "tune"])
def test_only_a_plan_has_json(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--domain=clinical", "--json"])
    assert done.exit_code != 0
    assert "--json: prints the plan; give --dry-run too" in str(done.exception)


def test_a_comparison_has_one_object_per_arrow() -> None:
    found = printed("compare", str(ROOT / "notebooks/example_results"), str(OLD))
    assert set(found) == {"first", "second", "arrows"}
    assert len(found["arrows"]) == 12
    assert not any(arrow["changed_verdict"] for arrow in found["arrows"])


KEYS_OF_A_SPLIT = {"examples", "documents", "empty", "median", "longest", "cut", "cut_is_exact", "labels"}
KEYS_OF_A_SPLIT |= {"in_pieces", "contradictions"}


def test_an_inspection_has_counts_and_no_text(tmp_path: Path) -> None:
    for name, content in example_files("suite.yaml").items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    found = printed("data", "inspect", str(tmp_path / "suite.yaml"))
    assert set(found) == {"tasks", "overlaps"}
    for task in found["tasks"]:
        assert set(task) == {"task", "kind", "splits", "notes"}
        for split in task["splits"].values():
            assert set(split) == KEYS_OF_A_SPLIT
            if task["kind"] != "ner":
                assert sum(split["labels"].values()) == split["examples"]


def test_the_doctor_says_whether_all_is_ready() -> None:
    found = printed("doctor")
    assert set(found) == {"ready", "findings"}
    assert found["ready"] is True
    assert all(set(one) == {"what", "found", "lack", "breaks"} for one in found["findings"])


def test_the_status_counts_the_runs_of_each_study() -> None:
    [study] = printed("status", str(OLD))["studies"]
    keys = {"results", "design", "suite", "runs", "running", "failed", "seconds_left", "admission", "estimates"}
    assert set(study) == keys
    assert study["runs"] == {"done": 42, "running": 0, "failed": 0, "to do": 0}
