"""Similarity is learned on standardised scores: the unit of the scores decides nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from toy_tasks import RECIPE, TASKS

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import PAPER_REFINE, Recipe
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.runs.study_changes import differences
from taskaffinity.studies.defaults import default_recipe
from taskaffinity.studies.targets import with_recorded_targets
from taskaffinity.tasks.planted import CLINICAL, VOCABULARY
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import ABOUT, Predictor
from taskaffinity.training.inputs.encoded import EncodedSplit, Scale, TaskMeta, meta_of

SHORT = replace(RECIPE, num_train_epochs=2, max_train_examples=48, max_eval_examples=30)
STANDARD = replace(SHORT, similarity_targets="standardized")


def in_unit(factor: float, shift: float) -> Task:
    """The toy similarity task with its scores in another unit."""

    def read(split: Split) -> list[Example]:
        return [replace(example, label=factor * example.label + shift) for example in TASKS["sts"].read(split)]  # type: ignore[operator]

    return replace(TASKS["sts"], read=partial(read))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    cache = tmp_path_factory.mktemp("cache")
    return tiny_encoder(VOCABULARY, cache, layers=1, width=16), cache


Run = Callable[..., RunResult]


@pytest.fixture(scope="module")
def run(place: tuple[Encoder, Path]) -> Run:
    encoder, cache = place

    def call(sts: Task, *others: str, recipe: Recipe = STANDARD, keep_model: bool = False) -> RunResult:
        tasks = sorted([sts, *(TASKS[name] for name in others)], key=lambda task: task.name)
        prepare(tasks, encoder, recipe, cache)
        spec = RunSpec(tuple(task.ref for task in tasks), encoder.ref, 0, recipe)
        return execute(spec, encoder_folder=encoder.folder, cache=cache, keep_model=keep_model)

    return call


def scores(result: RunResult) -> np.ndarray[Any, Any]:
    return np.array([float(score) for score in result.predictions["sts/test"].predicted])


@pytest.mark.parametrize(("factor", "shift"), [(20.0, 0.0), (0.01, -3.0), (1.0, 100.0)])
@pytest.mark.parametrize("others", [(), ("nli",)], ids=["alone", "pair"])
def test_scores_in_another_unit_give_the_same_predictions_in_that_unit(
    factor: float, shift: float, others: tuple[str, ...], run: Run
) -> None:
    one, other = run(TASKS["sts"], *others), run(in_unit(factor, shift), *others)
    np.testing.assert_allclose(scores(other), factor * scores(one) + shift, rtol=1e-4, atol=1e-4 * factor)
    assert other.outcomes["sts"].test == pytest.approx(one.outcomes["sts"].test, abs=1e-5)
    assert [row["loss"]["sts"] for row in other.history] == pytest.approx([row["loss"]["sts"] for row in one.history])
    for name in others:  # nor does the unit weigh on a partner
        assert other.predictions[f"{name}/test"].predicted == one.predictions[f"{name}/test"].predicted


def test_raw_scores_depend_on_their_unit(run: Run) -> None:
    """What the law above would miss if it could not fail."""
    one, other = (run(task, recipe=SHORT) for task in (TASKS["sts"], in_unit(20.0, 0.0)))
    assert not np.allclose(scores(other), 20 * scores(one), rtol=0.01)
    assert max(abs(scores(run(TASKS["sts"])) - scores(one))) > 0.01


def test_the_loss_of_a_task_that_nothing_predicts_is_one(run: Run) -> None:
    """Standardised targets have variance 1: similarity weighs beside its partners as a class of two to three."""
    still = replace(STANDARD, learning_rate=1e-12, num_train_epochs=1)
    loss = run(in_unit(20.0, 7.0), recipe=still).history[0]["loss"]["sts"]
    assert loss == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("score", [0.0, 0.1, 2.7, 3.3, -1e-3])
@pytest.mark.parametrize("n", [1, 3, 7, 10, 100])
def test_the_sd_of_equal_scores_is_one_whatever_rounding_makes_of_it(score: float, n: int) -> None:
    assert Scale.of([score] * n) == (score, 1.0)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, -5.0, 300.0])
def test_standardised_targets_have_mean_0_and_sd_1(unit: float, shift: float) -> None:
    values = (unit * (np.random.default_rng(0).normal(size=30) + shift)).tolist()
    scale = Scale.of(values)
    nothing = np.zeros(0, dtype=np.int64)
    split = EncodedSplit(
        **dict.fromkeys(("ids", "documents"), [""] * len(values)),
        gold=values,
        **dict.fromkeys(("tokens", "token_types", "bounds", "examples_of_rows", "targets"), nothing),
        **dict.fromkeys(("word_positions", "word_numbers", "word_bounds"), nothing),
        is_tagging=False,
    ).standardize(scale)
    assert split.gold == values
    assert split.targets.dtype == np.float32
    targets = split.targets.astype(float)
    assert (targets.mean(), targets.std()) == pytest.approx((0, 1), abs=1e-5)
    np.testing.assert_allclose(targets * scale.sd + scale.mean, values, rtol=1e-5, atol=1e-5 * scale.sd)


def test_equal_scores_are_no_division_by_zero() -> None:
    assert Scale.of([3.0, 3.0]) == (3.0, 1.0)


def test_a_task_without_a_scale_is_one_of_an_earlier_version() -> None:
    meta = TaskMeta("sts", "similarity", (), (), "pearson")
    earlier = {"name": "sts", "kind": "similarity", "outputs": [], "scored": [], "metric_name": "pearson", "missed": {}}
    assert meta_of(earlier) == meta
    scaled = replace(meta, scale=Scale(2.5, 1.5))
    assert meta_of(json.loads(json.dumps(asdict(scaled)))) == scaled


def test_an_exported_model_returns_the_unit_of_the_data(run: Run, place: tuple[Encoder, Path], tmp_path: Path) -> None:
    task = in_unit(20.0, 100.0)
    result = run(task, keep_model=True)
    sizes = {"train": 48, "dev": 30, "test": 30}
    card = StudiedTask("sts", "sts", "similarity", "pearson", task.fingerprint, sizes)
    study = Study("toy", (card,), place[0].ref, STANDARD, (0,), keep_models=True)
    store = RunStore(tmp_path / "results")
    store.write(result)
    study.write(store.root)
    head = store.head(result.spec, "sts")
    assert head is not None
    with safe_open(head, framework="np") as file:
        stored = meta_of(json.loads(file.metadata()["task"])).scale
    assert stored is not None
    drawn = np.array([float(example.label) for example in task.examples["train"]])  # type: ignore[arg-type]
    assert abs(stored.mean - drawn.mean()) < 3 * drawn.std() / 6  # of the 48 examples that were drawn
    export(best_model(store.root, "sts", None), tmp_path / "out")
    assert json.loads((tmp_path / "out" / ABOUT).read_text())["task"]["scale"] == list(stored)
    by_id = dict(zip(result.predictions["sts/test"].ids, scores(result), strict=True))
    tested = [example for example in task.examples["test"] if example.id in by_id]
    rows = [Unlabelled(line, 0, None, one.text, one.text_pair) for line, one in enumerate(tested, start=1)]
    found = [prediction["score"] for _, prediction in Predictor(tmp_path / "out").predict(rows)]
    np.testing.assert_allclose(found, [by_id[example.id] for example in tested], rtol=1e-4)
    about = json.loads((tmp_path / "out" / ABOUT).read_text())
    for change in (
        {"kind": "x"},
        {"kind": "ner"},
        {"outputs": ["a", "b"]},
        {"outputs": [1]},
        {"scale": "ab"},
        {"new": 1},
    ):
        (tmp_path / "out" / ABOUT).write_text(json.dumps({**about, "task": {**about["task"], **change}}))
        with pytest.raises(InputError, match="not a complete folder of `taskaffinity export`; export the task again"):
            Predictor(tmp_path / "out")


def cards(*names: str) -> tuple[StudiedTask, ...]:
    kinds = {"sts": "similarity", "nli": "inference", "rel": "relation"}
    sizes = {"train": 64, "dev": 40, "test": 50}
    return tuple(StudiedTask(name, name, kinds[name], "accuracy", name * 4, sizes) for name in names)


def test_only_runs_with_a_similarity_task_have_another_identity(place: tuple[Encoder, Path]) -> None:
    for design in ("pairwise", "full"):
        plans = []
        for recipe in (SHORT, STANDARD):
            finetune = {name: replace(recipe, learning_rate=1e-4) for name in ("nli", "rel", "sts")}
            study = Study(
                "toy",
                cards("nli", "rel", "sts"),
                place[0].ref,
                recipe,
                (0, 1),
                design=design,  # type: ignore[arg-type]
                finetune=finetune if design == "full" else {},
                full=True,
                controls=design == "pairwise",
                baseline="compute-matched" if design == "pairwise" else "single",
            )
            plans.append(study.plan.specs)
        assert len(plans[0]) == len(plans[1])
        for raw, standard in zip(*plans, strict=True):
            has_similarity = any("sts" in spec.task_names for spec in (*raw.lineage, raw))
            assert (raw.run_id != standard.run_id) == has_similarity, raw.run_id


def test_a_new_study_standardises_and_the_papers_protocol_does_not() -> None:
    without = Suite("toy", tuple(task for task in CLINICAL if task.kind != "similarity"), synthetic=True)
    assert default_recipe(CLINICAL, None).similarity_targets == "standardized"
    assert default_recipe(CLINICAL, "folder").similarity_targets == "standardized"
    assert default_recipe(without, None).similarity_targets is None
    assert default_recipe(CLINICAL, "folder", "paper") == PAPER_REFINE
    with pytest.raises(ValueError, match="similarity_targets: the paper's protocol learns scores as they are"):
        replace(PAPER_REFINE, similarity_targets="standardized")


def test_a_folder_of_an_earlier_version_goes_on_with_raw_scores(place: tuple[Encoder, Path], tmp_path: Path) -> None:
    def study(recipe: Recipe, *names: str, **others: Any) -> Study:
        return Study("toy", cards(*names), place[0].ref, recipe, (0,), **others)

    new = study(STANDARD, "nli", "sts", design="full", finetune={"nli": STANDARD, "sts": STANDARD})
    old = study(SHORT, "nli", "sts", design="full", finetune={"nli": SHORT, "sts": SHORT})
    assert with_recorded_targets(new, tmp_path / "nothing") == (new, [])
    study(SHORT, "nli", "rel").write(tmp_path / "no similarity")
    assert with_recorded_targets(new, tmp_path / "no similarity") == (new, [])
    new.write(tmp_path / "new")
    assert with_recorded_targets(new, tmp_path / "new") == (new, [])
    study(SHORT, "nli", "sts").write(tmp_path / "old")  # of the other design
    assert with_recorded_targets(new, tmp_path / "old")[0] == old
    new.write(tmp_path / "old")  # the same design decides
    assert with_recorded_targets(new, tmp_path / "old") == (new, [])
    content = json.loads((tmp_path / "new" / "full.json").read_text())
    for recipe in (content["recipe"], *content["finetune"].values()):
        del recipe["similarity_targets"]  # as earlier versions wrote it
    (tmp_path / "new" / "full.json").write_text(json.dumps(content))
    found, [line] = with_recorded_targets(new, tmp_path / "new")
    assert [spec.run_id for spec in found.plan] == [spec.run_id for spec in old.plan]
    assert "scores as they are" in line


def test_a_study_of_raw_scores_is_another_one_only_if_it_has_similarity(place: tuple[Encoder, Path]) -> None:
    def study(recipe: Recipe, *names: str) -> Study:
        return Study("toy", cards(*names), place[0].ref, recipe, (0,))

    old = study(SHORT, "nli", "sts")
    assert list(differences(old, study(STANDARD, "nli", "sts"))) == ["similarity_targets=none (now standardized)"]
    assert not list(differences(study(SHORT, "nli", "rel"), study(STANDARD, "nli", "rel", "sts")))
