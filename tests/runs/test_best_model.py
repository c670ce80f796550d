"""Models are stored on request, nothing else changes, and one of them is chosen without the test scores."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taskaffinity.cli.export import command as export
from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import pending_runs
from taskaffinity.studies.compatibility import check_study
from taskaffinity.tasks.planted import CLINICAL
from taskaffinity.training.encoders.load import Encoder

pytestmark = pytest.mark.usefixtures("no_figures")

LOCAL = Resources("local")
MODELS = RunOptions(keep_models=True)
MakeStudy = Callable[..., Any]  # conftest's make_tiny_study


def scores_of(root: Path) -> dict[str, Any]:
    return {path.parent.name: json.loads(path.read_text())["outcomes"] for path in root.glob("runs/*/result.json")}


def give(store: RunStore, specs: Iterable[RunSpec], task: str, key: str, scores: Iterable[float]) -> None:
    """Write other scores of a task into finished runs, with counts that give them."""
    for spec, score in zip(specs, scores, strict=True):
        folder = store.folder(spec)
        content = json.loads((folder / "result.json").read_text())
        assert content["outcomes"][task]["metric"] == "accuracy"
        content["outcomes"][task][key] = score
        content.pop("sha256", None)
        (folder / "result.json").write_text(json.dumps(content))
        (folder / "history.jsonl").write_text("")
        with np.load(folder / "counts.npz") as stored:
            arrays = {name: stored[name] for name in stored.files if not name.startswith("documents:")}
        arrays[f"{task}/{key}"] = np.stack([np.arange(100) < round(100 * score), np.ones(100)], axis=1)
        np.savez_compressed(folder / "counts.npz", **{name: a for name, a in arrays.items() if "macro" not in name})


def test_runs_that_kept_no_model_are_trained_again_when_asked_to_and_are_the_same_runs(
    tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = tiny_study()
    tiny.train(tmp_path, resources=LOCAL)
    before, store = scores_of(tmp_path), RunStore(tmp_path)
    assert not list(tmp_path.glob("runs/*/model/*"))
    for spec in tiny.study.plan:
        os.utime(store.folder(spec) / "spec.json", (1.0, 1.0))
    assert set(tiny.train(tmp_path, resources=LOCAL, options=MODELS).trained) == set(tiny.study.plan)
    assert all((store.claimed_at(spec) or 0.0) > 1.0 for spec in tiny.study.plan)
    assert scores_of(tmp_path) == before
    assert all(store.has_models(spec) for spec in tiny.study.plan)
    assert tiny.train(tmp_path, resources=LOCAL, options=MODELS).trained == []
    assert tiny.train(tmp_path, resources=LOCAL).trained == []
    (pair, _) = (spec for spec in tiny.study.plan if spec.arm == "pair")
    head = store.head(pair, "mednli")
    assert head is not None
    head.unlink()
    assert not store.has_models(pair)
    assert pending_runs(tiny.study.plan, store) == []
    assert pending_runs(tiny.study.plan, store, keep_models=True) == [pair]


def test_what_starts_from_a_run_is_the_same_whether_its_model_is_kept(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), seeds=(0,), design="full")
    tiny.train(tmp_path / "without", resources=LOCAL)
    tiny.train(tmp_path / "with", resources=LOCAL, options=MODELS)
    assert scores_of(tmp_path / "with") == scores_of(tmp_path / "without")


def test_the_best_on_dev_is_chosen_among_the_pairs_and_the_single_task_runs(
    tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = tiny_study()
    tiny.train(tmp_path, resources=LOCAL, options=MODELS)
    store = RunStore(tmp_path)
    runs = [spec for spec in tiny.study.plan if "mednli" in spec.task_names]
    give(store, runs, "mednli", "dev", (0.1, 0.7, 0.7, 0.2))
    give(store, runs, "mednli", "test", (0.9, 0.1, 0.8, 0.9))
    kept = best_model(tmp_path, "mednli")
    assert kept.spec == runs[1]
    assert kept.chosen_from == 4
    assert sorted(outcome.test for outcome in kept.seeds) == [0.1, 0.9]
    asked = best_model(tmp_path, "mednli", runs[0].run_id)
    assert (asked.spec, asked.chosen_from) == (runs[0], 0)
    shutil.rmtree(store.folder(runs[1]) / "model")
    assert best_model(tmp_path, "mednli").spec == runs[2]
    with pytest.raises(InputError, match=r"run .*: it stored no model; .* with --keep-models"):
        best_model(tmp_path, "mednli", runs[1].run_id)


def test_of_a_study_in_stages_the_fine_tuned_one_is_chosen(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(tasks=("clinicalsts", "mednli", "shareclefe"), design="full")
    tiny.train(tmp_path, resources=LOCAL, options=MODELS)
    runs = [spec for spec in tiny.study.plan if "mednli" in spec.task_names]
    give(RunStore(tmp_path), runs, "mednli", "dev", [0.2 if spec.stage == "finetune" else 0.9 for spec in runs])
    kept = best_model(tmp_path, "mednli")
    assert kept.spec.stage == "finetune"
    assert (kept.spec.seed, kept.chosen_from, len(kept.seeds)) == (0, 2, 2)


def test_where_dev_was_trained_on_the_first_seed_is_taken(
    tiny_study: MakeStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = tiny_study()
    tiny.train(tmp_path, resources=LOCAL, options=MODELS)
    replace(tiny.study, protocol="paper").write(tmp_path)
    runs = [spec for spec in tiny.study.plan if "mednli" in spec.task_names]
    give(RunStore(tmp_path), runs, "mednli", "dev", (0.1, 0.7, 0.8, 0.9))
    kept = best_model(tmp_path, "mednli")
    assert (kept.spec, kept.spec.seed, kept.spec.arm, kept.chosen_from) == (runs[0], 0, "single", 0)
    assert best_model(tmp_path, "mednli", runs[3].run_id).spec == runs[3]
    export(tmp_path, "mednli", tmp_path / "model", encoder=str(tiny.encoder_folder))
    assert (
        f"{runs[0].run_id}, the run of the first seed, because this protocol trains on dev: " in capsys.readouterr().out
    )
    card = (tmp_path / "model" / "README.md").read_text()
    assert "* dev 10.0. The paper's protocol trains on dev and takes the last epoch" in card
    assert "selected epoch" not in card


def test_an_honest_study_beside_one_of_the_papers_is_chosen_from(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(design="full")
    tiny.train(tmp_path, resources=LOCAL, options=MODELS)
    replace(tiny_study().study, protocol="paper").write(tmp_path)
    kept = best_model(tmp_path, "mednli")
    assert (kept.study.design, kept.spec.stage, kept.chosen_from) == ("full", "finetune", 2)


@pytest.mark.parametrize(
    ("task", "run", "said"),
    [
        ("mednli", None, r"no final run stored a model of mednli; `taskaffinity pairwise --keep-models`"),
        ("mednly", None, r"task mednly: no such task in .*; there are clinicalsts, mednli"),
        ("mednli", "nope", r"run nope: no such run of mednli .*; no run stored a model"),
    ],
)
def test_refusals_say_what_would_do(
    task: str, run: str | None, said: str, tiny_study: MakeStudy, tmp_path: Path
) -> None:
    tiny = tiny_study(seeds=(0,))
    tiny.train(tmp_path, resources=LOCAL)
    with pytest.raises(InputError, match=said) as caught:
        best_model(tmp_path, task, run)
    assert "\n" not in str(caught.value)


def test_a_result_of_another_version_is_one_line(tiny_study: MakeStudy, tmp_path: Path) -> None:
    tiny = tiny_study(seeds=(0,))
    tiny.train(tmp_path, resources=LOCAL, options=MODELS)
    (RunStore(tmp_path).folder(tiny.study.plan.specs[0]) / "result.json").write_text("{}")
    with pytest.raises(InputError, match="half copied, or of another version"):
        best_model(tmp_path, tiny.study.tasks[0].name)
    with pytest.raises(InputError, match="half copied, or of another version"):
        check_study(tiny.study, CLINICAL, Encoder(tiny.encoder_folder, tiny.study.encoder), tmp_path, keep_models=True)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study here; it is made by"):
        best_model(tmp_path, "mednli")
