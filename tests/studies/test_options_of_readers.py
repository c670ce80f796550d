"""Options of the functions that read a results folder: types, ranges, and options that the folder has no use for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import command

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("study") / "copy")


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"margin": "20"}, {"margin": 20}),
        ({"margin": "micro_f1=40"}, {"margin": {"micro_f1": 40}}),
        ({"margin": ["20", "micro_f1=40"], "alpha": 0.2}, {"margin": ["micro_f1=40", "20"], "alpha": 0.2}),
    ],
)
def test_load_and_compare_read_one_rule(options: dict[str, Any], same: dict[str, Any], copy: Path) -> None:
    expected = ta.load(EXAMPLE, **same).verdict
    assert not expected.equals(ta.load(EXAMPLE).verdict)
    assert ta.load(EXAMPLE, **options).verdict.equals(expected)
    arrows = ta.compare(EXAMPLE, copy, **options).to_frame().set_index(["source", "target"])
    assert all(arrows.verdict_first[arrow] == expected.loc[arrow] for arrow in arrows.index)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": [2]}, "margin: found a list of 1; expected a number of points"),
        ({"margin": True}, "margin: found True; expected a number of points"),
        ({"margin": "f1=2"}, "no such metric"),
        ({"alpha": "0.1"}, "alpha is '0.1'; it must be a number"),
        ({"correction": "none"}, "no correction 'none'"),
    ],
)
def test_load_and_compare_refuse_a_rule_in_one_line(options: dict[str, Any], said: str, copy: Path) -> None:
    for call in (lambda: ta.load(EXAMPLE, **options), lambda: ta.compare(EXAMPLE, copy, **options)):
        with pytest.raises(InputError, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("design", ["full", "train"])
def test_a_rule_is_refused_where_no_pairs_are_read(design: Any, tmp_path: Path, tiny_study: Any) -> None:
    study: Study = tiny_study(design=design).study
    study.write(tmp_path)
    ta.load(tmp_path)
    with pytest.raises(InputError, match="only verdicts of pairs have a rule"):
        ta.load(tmp_path, alpha=0.2)


def test_graph_refuses_a_rule_for_figures_of_stages(tmp_path: Path, tiny_study: Any) -> None:
    tiny_study(design="full").study.write(tmp_path)
    done = command("graph", ".", "--figures=stages", "--alpha=0.2", "--margin=accuracy=2", cwd=tmp_path)
    assert done.returncode == 2
    assert "only figures of pairs have one" in done.stderr
    assert not (tmp_path / "stages.png").exists()
