"""``taskaffinity group`` and ``ta.group``: the same options, the same files, and one line for a bad option."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import taskaffinity as ta
from taskaffinity.analysis.group_results import GroupResults, HelperResults
from taskaffinity.cli import app, group

EXAMPLE = Path(__file__).parents[2] / "notebooks/example_results"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results"))


def test_command_and_function_have_the_same_options_and_defaults() -> None:
    command, function = (
        {p.name: p.default or None for p in inspect.signature(one).parameters.values()}
        for one in (group.command, ta.group)
    )
    assert command == function | {"json": None}


def test_the_command_writes_what_the_function_writes(root: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(root, tmp_path / "again"))
    result = ta.group(root, groups=2, draws=20, compare="pairs")
    done = CliRunner().invoke(app, ["group", str(again), "--groups=2", "--draws=20", "--compare=pairs", "--json"])
    assert done.exit_code == 0, done.output
    for name in ("groups.csv", "groups.svg"):
        assert (root / name).read_bytes() == (again / name).read_bytes()
    assert isinstance(result, GroupResults)
    found = json.loads(done.stdout)
    assert set(found) == {"results", "method", "groups", "choices", "regret", "unknown_gains"}
    assert set(found["choices"]) == {"chosen", "pairs"}
    assert [set(row) for row in found["groups"]] == [set(result.to_frame().columns)] * len(found["groups"])
    assert result.serves["i2b2-2010-re"] == ("i2b2-2010-re", "shareclefe")


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "group: found none of them; expected one of groups, budget and for"),
        ({"groups": 2, "budget": 1.0}, "group: found groups and budget"),
        ({"groups": 0}, "groups: found '0'; expected a whole number from 1 to 1000"),
        ({"groups": 2, "risk": 0.9}, "risk: found '0.9'; expected a number from 0.0001 to 0.5"),
        ({"groups": 2, "compare": "pair"}, "compare: found 'pair'; expected all-in-one, alone, pairs; did you mean"),
        ({"for_task": "medli"}, "for 'medli': no such task; .* did you mean mednli"),
        ({"budget": 1e-5}, "budget 1e-05: one model of all tasks takes about"),
    ],
)
def test_a_bad_option_is_one_line(options: dict[str, Any], said: str, root: Path) -> None:
    with pytest.raises(ta.InputError, match=said):
        ta.group(root, **options)
    assert not (root / "groups.csv").exists()


def test_the_command_refuses_a_risk_that_is_no_probability(root: Path) -> None:
    done = CliRunner().invoke(app, ["group", str(root), "--groups=2", "--risk=2"])
    assert done.exit_code == 2
    assert "expected none or a number from" in " ".join(done.output.split())
