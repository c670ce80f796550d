"""``graph`` draws the figures that it can, and names the others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"


def test_a_figure_without_its_study_leaves_the_others(tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLE, tmp_path / "results")
    (folder / "heatmap.svg").unlink()
    done = CliRunner().invoke(app, ["graph", str(folder), "--figures=stages,heatmap", "--format=svg"])
    assert done.exit_code == 1
    assert (folder / "heatmap.svg").is_file()
    [line] = [line for line in done.stderr.splitlines() if "not drawn" in line]
    assert line.startswith(f"not drawn: stages: {folder}: no full.json here")


@pytest.mark.parametrize("figures", ["stages", "heatmap,curves"])
def test_without_any_study_there_is_one_error(figures: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["graph", str(tmp_path), f"--figures={figures}"])
    assert done.exit_code != 0
    assert "json here; it is made by" in str(done.exception)
