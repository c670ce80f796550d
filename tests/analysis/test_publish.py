from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study

import taskaffinity.analysis
import taskaffinity.runs.store
from taskaffinity.analysis.publish import publish, publish_stages
from taskaffinity.analysis.tables.frames import edges_frame, scores_frame
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.read_run import read_run
from taskaffinity.runs.study import Design, Study

FILES = {"scores.csv", "edges.csv", "affinity.graphml", "affinity.txt"} | {
    f"{name}.{kind}" for name in ("affinity", "heatmap", "forest") for kind in ("png", "svg")
}


def test_publishing_writes_the_results_folders_files(
    toy: tuple[Study, RunStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, opened, made = toy[0], [], []

    def counting(folder: Path, spec: RunSpec) -> RunResult:
        opened.append(spec.run_id)
        return read_run(folder, spec)

    def noting(frame: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
        return lambda *given: made.append(frame.__name__) or frame(*given)

    monkeypatch.setattr(taskaffinity.runs.store, "read_run", counting)
    for frame, others in ((scores_frame, "figures.gallery"), (edges_frame, "graph")):
        for module in ("publish", others):
            monkeypatch.setattr(f"taskaffinity.analysis.{module}.{frame.__name__}", noting(frame))
    matrix = publish(study, RunStore(toy[1].root), tmp_path / "out")
    assert sorted(opened) == sorted(spec.run_id for spec in study.plan)  # every run is opened once
    assert made == ["scores_frame", "edges_frame"]  # each is made once, and serves the graph and the figures too
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {".lock"}
    words = (tmp_path / "out" / "affinity.txt").read_text(encoding="utf-8")
    decided = matrix.select("improves", "degrades", "no effect")
    assert words.count("Training with") == len(decided)
    gain, low, high = (f"{getattr(matrix, name)[1, 0]:+.1f}" for name in ("gain", "low", "high"))
    assert f"Training with A improves B: {gain} points (95% interval {low} to {high})." in words
    assert "nan" not in words.lower()


def test_files_do_not_depend_on_the_order_in_which_runs_finished(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], synthetic=True, full=True)
    counts = latent_counts({("a", "b"): 0.5})
    fill(study, tmp_path / "1", counts)
    # The later half of the plan first.
    late = set(list(study.plan)[len(study.plan) // 2 :])
    fill(study, tmp_path / "2", counts, skip=lambda spec: spec not in late)
    fill(study, tmp_path / "2", counts, skip=lambda spec: spec in late)
    for name in "12":
        publish(study, RunStore(tmp_path / name), tmp_path / name)
    for file in FILES:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes(), file


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_a_study_whose_place_another_took_writes_nothing(design: Design, tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], design=design, finetune=dict.fromkeys("abc", Recipe()))
    write = {"pairwise": publish, "full": publish_stages}[design]
    store = fill(study, tmp_path, latent_counts({}))
    replace(study, seeds=(0,)).write(tmp_path)  # by another process, while this one trained
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        InputError, match=r"(study|full)\.json now belongs to another study, so the tables of this one are not"
    ):
        write(study, store, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    replace(study, keep_models=True, versions={"torch": "9"}).write(tmp_path)  # the same, begun anew
    write(study, store, tmp_path)


@pytest.mark.filterwarnings("error")
def test_a_study_with_nothing_done_is_published_without_nan(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    publish(study, RunStore(tmp_path), tmp_path)
    for file in ("scores.csv", "edges.csv", "affinity.txt", "affinity.graphml", "affinity.svg"):
        assert "nan" not in (tmp_path / file).read_text(encoding="utf-8").lower().replace("provenance", "")


def test_the_reading_wing_loads_no_torch_transformers_or_ray() -> None:
    root = Path(taskaffinity.analysis.__file__).parent
    names = ", ".join(f"taskaffinity.analysis.{path.stem}" for path in sorted(root.glob("*.py")) if path.stem[0] != "_")
    heavy = "[name for name in ('torch', 'transformers', 'ray') if name in sys.modules]"
    code = f"import sys, taskaffinity.analysis, {names}; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_dollar_in_a_title_is_a_dollar(tmp_path: Path) -> None:
    """And not the mark of a formula, which matplotlib would refuse while it draws."""
    study = make_study(["a", "b"], titles={"a": "$\\frac$", "b": "5 $"})
    store = fill(study, tmp_path, latent_counts({}))
    publish(study, store, tmp_path)
    assert "$\\frac$" in (tmp_path / "affinity.svg").read_text(encoding="utf-8")
