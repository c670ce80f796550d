"""``taskaffinity group`` and ``ta.group``: the same options, the same files, and one line for a bad option."""

from __future__ import annotations

import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_studies import write_estimates
from typer.testing import CliRunner

import taskaffinity as ta
from taskaffinity.analysis.groups.results import GroupResults, HelperResults
from taskaffinity.cli import app, group
from taskaffinity.runs.study import Study
from taskaffinity.tasks.user.template import example_files

EXAMPLE = Path(__file__).parents[2] / "notebooks/example_results"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results"))


def test_command_and_functions_have_the_same_options_and_defaults() -> None:
    command, function, again = (
        {p.name: p.default or None for p in inspect.signature(one).parameters.values()}
        for one in (group.command, ta.group, ta.retrain)
    )
    training = {name: default for name, default in again.items() if name in ("data", "encoder", "executor")}
    assert command == function | training | dict.fromkeys(("retrain", "helpers", "suite_file", "json", "quiet"))
    again, search = ({*inspect.signature(one).parameters} for one in (ta.retrain, ta.search_helpers))
    assert search == again | {"helpers"}


def test_the_command_writes_what_the_function_writes(root: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(root, tmp_path / "again"))
    result = ta.group(root, groups=2, draws=20, compare="pairs,single-task")
    done = CliRunner().invoke(app, ["group", str(again), "--groups=2", "--draws=20", "--compare=pairs,alone", "--json"])
    assert done.exit_code == 0, done.output
    for name in ("groups.csv", "groups.svg"):
        assert (root / name).read_bytes() == (again / name).read_bytes()
    assert isinstance(result, GroupResults)
    found = json.loads(done.stdout)
    assert set(found) == {
        *("results", "method", "groups", "choices", "regret", "unknown_gains", "estimated_gains"),
        *("exponent", "model_error", "estimates_ignored"),
    }
    assert set(found["choices"]) == {"chosen", "pairs", "single-task"}
    assert [set(row) for row in found["groups"]] == [set(result.to_frame().columns)] * len(found["groups"])
    assert result.serves["i2b2-2010-re"] == ("i2b2-2010-re", "shareclefe")


def test_estimates_stand_for_pairs_that_were_not_trained_and_are_marked(root: Path) -> None:
    for path in root.glob("runs/refine-i2b2-2010-re+shareclefe-*"):
        shutil.rmtree(path)
    probes = {
        ("shareclefe", "i2b2-2010-re"): 8.0,
        ("i2b2-2010-re", "shareclefe"): -1.0,
        ("shareclefe", "mednli"): -90.0,
    }
    write_estimates(root, {arrow: {"probe": probe} for arrow, probe in probes.items()}, Study.load(root))
    done = CliRunner().invoke(app, ["group", str(root), "--groups=4", "--draws=20", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["estimated_gains"] == 2
    assert [row["task"] for row in found["groups"] if row["estimated"]] == ["i2b2-2010-re"]
    assert found["choices"]["chosen"]["estimated_tasks"] == 1
    written = [line.split(",") for line in (root / "groups.csv").read_text().splitlines()]
    place = written[0].index("estimated")
    assert [line[written[0].index("task")] for line in written[1:] if line[place] == "true"] == ["i2b2-2010-re"]
    printed = CliRunner().invoke(app, ["group", str(root), "--groups=4", "--draws=0"]).stdout
    assert "+8.0~" in printed
    assert printed.count("~") == 2  # the gain, and what the mark means
    measured = [row for row in found["groups"] if row["served"] and row["task"] == "mednli"]
    assert measured[0]["gain"] > 10  # the pair is measured, whatever the estimate says


def test_the_helpers_of_a_task_are_printed_and_nothing_is_written(root: Path) -> None:
    done = CliRunner().invoke(app, ["group", str(root), "--for=mednli", "--json"])
    found = json.loads(done.stdout)
    assert (found["target"], found["helpers"][0]["helper"], found["helpers"][0]["chosen"]) == (
        *("mednli", "shareclefe"),
        True,
    )
    result = ta.group(root, for_task="mednli", risk=None)
    assert isinstance(result, HelperResults)
    assert result.chosen == ["shareclefe"]
    assert not (root / "groups.csv").exists()
    printed = CliRunner().invoke(app, ["group", str(root), "--for=clinicalsts"])
    assert "None chosen: no task is shown to help this one." in printed.stdout


def test_groups_are_trained_on_the_data_and_the_design_of_the_study_only(root: Path, tmp_path: Path) -> None:
    result = ta.group(root, groups=2, draws=0)
    assert isinstance(result, GroupResults)
    for name, content in example_files("suite.yaml").items():
        path = tmp_path / "suite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with pytest.raises(ta.InputError, match=r"retrain: clinicalsts, .*: the data are not those of the study"):
        ta.retrain(result, suite=tmp_path / "suite/suite.yaml", executor="local")
    matrix = replace(result.chosen.matrix, study=replace(result.chosen.matrix.study, baseline="compute-matched"))
    with pytest.raises(ta.InputError, match="retrain: the study has baseline compute-matched"):
        ta.retrain(replace(result, chosen=replace(result.chosen, matrix=matrix)))


@pytest.mark.slow
def test_chosen_groups_are_trained_once_and_compared(tmp_path: Path) -> None:
    small = {"num_train_epochs": 1, "max_train_examples": 48, "max_eval_examples": 40}
    ta.pairwise("clinical", seeds=2, settings=small, executor="local", output_dir=tmp_path)
    arguments = [
        "group",
        str(tmp_path),
        "--groups=1",
        "--risk=none",
        "--draws=0",
        "--retrain=2",
        "--executor=local",
        "--json",
    ]
    first, second = (CliRunner().invoke(app, arguments) for _ in range(2))
    assert "10 trained now" in first.stderr
    assert "trained now" not in second.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    found = json.loads(first.stdout)["retrained"]
    assert [row["seeds"] for row in found] == [2] * 4
    assert (tmp_path / "retrained.csv").is_file()


@pytest.mark.slow
def test_a_search_trains_sets_once_and_says_what_each_step_chose(tmp_path: Path) -> None:
    small = {"num_train_epochs": 1, "max_train_examples": 48, "max_eval_examples": 40}
    ta.pairwise("clinical", seeds=2, settings=small, executor="local", output_dir=tmp_path)
    pairs = {path.name for path in tmp_path.glob("runs/*")}
    arguments = ["group", str(tmp_path), "--for=i2b2-2010-re", "--retrain=3", "--helpers=2", "--risk=none"]
    first, second = (CliRunner().invoke(app, [*arguments, "--executor=local", "--json"]) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert "Step 1: 3 candidates; " in first.stderr
    assert "trained now" not in second.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    found = json.loads(first.stdout)["searched"]
    assert {row["step"] for row in found} <= {1, 2}
    assert {row["seeds"] for row in found if row["step"] == 1} <= {2, 3}
    more = {path.name for path in tmp_path.glob("runs/*")} - pairs
    assert all("i2b2-2010-re" in name for name in more)
    assert (tmp_path / "helpers.csv").read_text().count("\n") == len(found) + 1
    printed = CliRunner().invoke(app, [*arguments, "--executor=local", "--quiet"]).stdout
    assert "Search for helpers of" in printed
    assert "The races read" in printed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for=mednli", "--compare=pairs"], "--compare: for a choice of groups; leave it out with --for"),
        (["--for=mednli", "--draws=200"], "--draws: for a choice of groups; leave it out with --for"),
        (["--for=mednli", "--data=here"], "--data: for training, and nothing is trained; give --retrain too"),
        (["--groups=2", "--suite=suite.yaml"], "--suite: for training, and nothing is trained"),
        (["--groups=2", "--encoder=tiny"], "--encoder: for training, and nothing is trained"),
        (["--groups=2", "--executor=local"], "--executor: for training, and nothing is trained"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(options: list[str], said: str, root: Path) -> None:
    done = CliRunner().invoke(app, ["group", str(root), *options])
    assert str(done.exception).startswith(said)
    assert not (root / "groups.csv").exists()


def test_a_limit_of_helpers_needs_a_search(root: Path) -> None:
    for more in (["--for=mednli"], ["--groups=2", "--retrain=2"]):
        done = CliRunner().invoke(app, ["group", str(root), "--helpers=2", *more])
        assert "--helpers: the limit of a search on trained sets; give --for and --retrain too" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for=mednli", "--retrain=1"], "--retrain: found '1'; expected a whole number from 2 to 1000"),
        (["--groups=2", "--retrain=2", "--encoder=nowhere"], "--encoder nowhere: no such folder"),
    ],
)
def test_a_refusal_to_train_names_the_option_and_not_the_parameter(options: list[str], said: str, root: Path) -> None:
    done = CliRunner().invoke(app, ["group", str(root), *options, "--executor=local"])
    assert str(done.exception).startswith(said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "group: found none of them; give one of groups, budget or for_task: a number, hours or a task"),
        ({"groups": 2, "budget": 1.0}, "group: found groups and budget"),
        ({"groups": 0}, "groups: found '0'; expected a whole number from 1 to 1000"),
        ({"groups": 2, "risk": 0.9}, "risk: found '0.9'; expected a number from 0.0001 to 0.5"),
        ({"groups": 2, "compare": "pair"}, "compare: found 'pair'; expected all-in-one, single-task, pairs; did you"),
        ({"for_task": "mednli", "compare": "pairs"}, "compare: for a choice of groups; leave it out with for_task"),
        ({"for_task": "mednli", "draws": 0}, "draws: for a choice of groups; leave it out with for_task"),
        ({"for_task": "medli"}, "for 'medli': no such task; .* did you mean mednli"),
        ({"budget": 1e-5}, "budget 1e-05: one model of all tasks takes about"),
    ],
)
def test_a_bad_option_is_one_line(options: dict[str, Any], said: str, root: Path) -> None:
    with pytest.raises(ta.InputError, match=said):
        ta.group(root, **options)
    assert not (root / "groups.csv").exists()


def test_the_command_names_its_options(root: Path) -> None:
    for options, found in (([], "none of them"), (["--groups=2", "--for=mednli"], "--groups and --for")):
        done = CliRunner().invoke(app, ["group", str(root), *options])
        said = f"group: found {found}; give one of --groups, --budget or --for: a number, hours or a task"
        assert str(done.exception) == said


def test_the_command_refuses_a_risk_that_is_no_probability(root: Path) -> None:
    done = CliRunner().invoke(app, ["group", str(root), "--groups=2", "--risk=2"])
    assert done.exit_code == 2
    assert "expected none or a number from" in " ".join(done.output.split())
