"""``graph`` draws the figures that it can, and names the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
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


def test_another_rule_is_named_and_other_commands_take_the_same_options(tmp_path: Path) -> None:
    folder, again = (shutil.copytree(EXAMPLE, tmp_path / name) for name in ("one", "two"))
    rule = ["--alpha=0.3", "--margin=4", "--correction=holm"]

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done

    done = run("graph", str(folder), *rule, "--figures=heatmap", "--format=svg")
    [line] = [line for line in done.stderr.splitlines() if "another rule than in study.json" in line]
    assert "alpha 0.3 (study: 0.05), margin 4.0 (study: 1.0), correction holm (study: bh)." in line
    assert "heatmap.svg now follow it; affinity.png, affinity.svg, heatmap.png, forest.png, forest.svg do not." in line
    assert f"go back with `taskaffinity graph {folder} --figures heatmap --format svg`" in line
    written = (folder / "edges.csv").read_bytes()
    assert written != (EXAMPLE / "edges.csv").read_bytes()
    assert run("table", "edges", str(folder), "--format=csv", *rule).stdout.encode() == written
    assert run("table", "edges", str(folder), "--format=csv").stdout.encode() == (EXAMPLE / "edges.csv").read_bytes()
    run("report", str(folder), *rule)
    assert "70% interval" in (folder / "report.html").read_text(encoding="utf-8")
    verdicts = pd.read_csv(folder / "edges.csv").verdict.tolist()
    assert verdicts != pd.read_csv(EXAMPLE / "edges.csv").verdict.tolist()
    arrows = json.loads(run("compare", str(folder), str(again), "--json", *rule).stdout)["arrows"]
    assert [row["verdict_first"] for row in arrows] == [row["verdict_second"] for row in arrows] == verdicts
    assert {row["alpha"] for row in arrows} == {0.3}
    back = run("graph", str(folder), "--figures=heatmap", "--format=svg")
    assert "another rule" not in back.stderr
    assert (folder / "edges.csv").read_bytes() == (EXAMPLE / "edges.csv").read_bytes()


def test_only_tables_of_arrows_have_a_rule() -> None:
    done = CliRunner().invoke(app, ["table", "departures", str(EXAMPLE), "--margin=2"])
    assert "only edges and figure2" in str(done.exception)
