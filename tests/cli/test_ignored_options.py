"""An option that another one would make useless is refused, and a refusal comes before any file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from command_line import LOCAL, command

import taskaffinity as ta
from taskaffinity.tasks.user.template import example_files

pytestmark = pytest.mark.usefixtures("no_figures")

EXAMPLE = str(Path(__file__).parents[2] / "notebooks/example_results")
SEARCH = ["tune", "--domain=clinical", "--n-trials=1", *LOCAL]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, content in example_files("suite.yaml").items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "new.txt").write_text("a text\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", EXAMPLE, EXAMPLE, "--format=csv", "--json"], "--json with --format csv: two formats"),
        ([*SEARCH, "--results=a", "--out=b/recipe.yaml"], "--results a: not with --out, whose folder also keeps the"),
        (["predict", "model", "new.txt", "--share-with-group"], "--share-with-group: is for the file of --out"),
        (["estimate", "--results=a", "--validate", "--baselines"], "--baselines: not with --validate"),
        (["estimate", "--results=a", "--validate", "--domain=clinical"], "--domain: not with --validate, which trains"),
        (["estimate", "--results=a", "--validate", "--seeds=3"], "--seeds: not with --validate, which trains nothing"),
        (["estimate", "--results=a", "--validate", "--dry-run", "--json"], "--dry-run: not with --validate, which"),
        (["graph", EXAMPLE, "--order=clustered", "--figures=graph"], "--order clustered: is for heatmap and forest;"),
        (["graph", EXAMPLE, "--order=clustered", "--figures=stages"], "--order clustered: is for heatmap and forest;"),
        *(
            ([name, "--domain=clinical", *LOCAL, "--address=auto"], "--address auto: not with --executor local, which")
            for name in ("pairwise", "full", "train", "estimate", "tune")
        ),
    ],
    ids=[
        *("two formats", "two folders", "no file", "nothing computed"),
        *("nothing trained", "default given", "nothing planned", "no such axis", "stages have no order"),
        *(f"local {n}" for n in range(5)),
    ],
)
def test_options_that_do_not_go_together(arguments: list[str], said: str, home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = command(*arguments, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"taskaffinity: {said}")
    assert sorted(home.rglob("*")) == before


def test_runs_that_were_trained_elsewhere_have_no_recipe_that_departs(home: Path) -> None:
    rows = [("a", source, seed, 60.0 + seed) for source in ("", "b") for seed in range(3)]
    ta.verdicts(pd.DataFrame(rows, columns=["target", "source", "seed", "score"]), output_dir=home / "out")
    done = command("table", "departures", "out", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "out holds runs that were trained elsewhere; their recipe is not known" in done.stderr


def test_an_encoder_that_is_not_there_is_refused_before_splits_are_written(home: Path) -> None:
    done = command("data", "inspect", "suite.yaml", "--encoder=nowhere", "--write-splits=splits", cwd=home)
    assert done.returncode == 2
    assert "--encoder nowhere: no such folder" in done.stderr
    assert not (home / "splits").exists()
