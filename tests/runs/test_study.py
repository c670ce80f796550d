"""A study: what was asked, and all that the analysis needs to know."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.runs.plan import compute_matched, controls, pairwise
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import Baseline, InitFrom, StudiedTask, Study

STUDY = Study(
    suite="toy",
    tasks=(
        StudiedTask("b", "B", "ner", "span_f1", "f2", {"train": 5, "dev": 2, "test": 2}),
        StudiedTask("a", "A", "inference", "accuracy", "f1", {"train": 4, "dev": 1, "test": 3}),
    ),
    encoder=EncoderRef("tiny", "e1"),
    recipe=Recipe(batch_size=7, max_train_examples=3),
    seeds=(3, 4),
    full=True,
    synthetic=True,
    versions={"torch": "2"},
)
REFS = [("a", "f1"), ("b", "f2")]
WHOLE = replace(
    STUDY,
    seeds_single=(3, 4, 5),
    baseline="compute-matched",
    controls=True,
    interim_seeds=(1, 2),
    protocol="paper",
    full=False,
)
STAGED = replace(STUDY, design="full", finetune={name: Recipe(learning_rate=1e-6) for name in "ab"})
TUNED = replace(STAGED, design="pairwise", evaluate_after="finetune", init_from="multitask", seeds_single=(3, 4, 5))
NEW = ("seeds_single", "baseline", "controls", "interim_seeds", "design", "finetune", "evaluate_after", "init_from")


@pytest.mark.parametrize("study", [STUDY, WHOLE, TUNED], ids=["few fields", "every field", "stage and start"])
def test_a_study_comes_back_as_it_was_written(study: Study, tmp_path: Path) -> None:
    study.write(tmp_path / "results")
    again = Study.load(tmp_path / "results")
    assert again == study
    assert again.versions == study.versions
    assert again.encoder.name == "tiny"
    assert [task.name for task in again.tasks] == ["b", "a"]
    assert [spec.run_id for spec in again.plan] == [spec.run_id for spec in study.plan]


def test_a_study_written_before_there_were_controls_reads_as_it_did(tmp_path: Path) -> None:
    old = {key: value for key, value in dataclasses.asdict(STUDY).items() if key not in NEW}
    (tmp_path / "study.json").write_text(json.dumps(old))
    again = Study.load(tmp_path)
    assert again == STUDY
    assert again.single_seeds == again.seeds == (3, 4)
    assert (again.baseline, again.controls, again.interim_seeds) == ("single", False, ())
    assert (again.evaluate_after, again.init_from) == ("joint", "encoder")
    assert [spec.run_id for spec in again.plan] == [spec.run_id for spec in STUDY.plan]


def test_a_study_in_stages_lies_beside_one_of_pairs(tmp_path: Path) -> None:
    STUDY.write(tmp_path)
    STAGED.write(tmp_path)
    assert Study.load(tmp_path) == STUDY
    assert Study.load(tmp_path, "full") == STAGED
    (tmp_path / "full.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no full\.json here; it is made by `taskaffinity full`"):
        Study.load(tmp_path, "full")


def test_the_stages_of_two_tasks_and_two_seeds_counted_by_hand() -> None:
    runs = [(spec.stage, "+".join(spec.task_names), spec.seed) for spec in STAGED.plan]
    assert sorted(runs) == sorted(
        [("single", name, seed) for name in "ab" for seed in (3, 4)]
        + [("refine", "a+b", seed) for seed in (3, 4)]
        + [("finetune", name, seed) for name in "ab" for seed in (3, 4)]
    )
    for spec in STAGED.plan:
        assert spec.recipe == (STAGED.finetune["a"] if spec.stage == "finetune" else STAGED.recipe)
        assert spec.parent is None or (spec.parent.seed, spec.parent.task_names) == (spec.seed, ("a", "b"))


def test_the_plan_follows_from_the_study() -> None:
    assert STUDY.plan == pairwise(REFS, STUDY.encoder, STUDY.recipe, [3, 4], full=True)


def test_single_task_runs_may_have_seeds_of_their_own() -> None:
    study = replace(STUDY, seeds_single=(3, 4, 5))
    assert study.single_seeds == (3, 4, 5)
    assert study.plan == pairwise(REFS, STUDY.encoder, STUDY.recipe, [3, 4], seeds_single=[3, 4, 5], full=True)
    assert set(STUDY.plan) < set(study.plan)


@pytest.mark.parametrize("match", ["single", "compute-matched"])
@pytest.mark.parametrize("has_controls", [False, True])
def test_what_is_compared_and_controlled_adds_to_the_plan(match: Baseline, has_controls: bool) -> None:
    base = replace(STUDY, seeds_single=(3, 4, 5))
    study = replace(base, baseline=match, controls=has_controls)
    added = set(study.plan) - set(base.plan)
    assert set(base.plan) <= set(study.plan)
    what = (REFS, STUDY.encoder, STUDY.recipe, [3, 4])
    expected = set(compute_matched(*what)) if match == "compute-matched" else set()
    if has_controls:
        expected |= set(controls(*what, [1_000_003, 1_000_004]))
    assert added == expected
    assert len(added) == 2 * 1 * 2 * (match == "compute-matched") + 3 * 2 * 2 * has_controls


THREE = replace(
    STUDY,
    tasks=(*STUDY.tasks, StudiedTask("c", "C", "ner", "span_f1", "f3", {"train": 5, "dev": 2, "test": 2})),
    seeds_single=(3, 4, 5),
    finetune={name: Recipe(learning_rate=rate) for name, rate in zip("abc", (1e-6, 2e-6, 3e-6), strict=True)},
    full=False,
)
"""2 seeds of 3 pairs, 3 seeds of 3 single-task runs: 15 runs that give 21 scores."""


@pytest.mark.parametrize("full", [False, True], ids=["pairs", "the whole set too"])
@pytest.mark.parametrize("start", ["encoder", "multitask"])
def test_every_task_of_every_run_is_fine_tuned_by_its_own_recipe(start: InitFrom, full: bool) -> None:
    base = replace(THREE, init_from=start, full=full)
    study = replace(base, evaluate_after="finetune")
    added = set(study.plan) - set(base.plan)
    assert set(base.plan) < set(study.plan)
    assert len(added) == 21 + 2 * 3 * full
    firsts = {spec for spec in base.plan if spec.arm != "full" or (full and spec.seed in base.seeds)}
    assert {(spec.parent, spec.tasks) for spec in added} == {(run, (ref,)) for run in firsts for ref in run.tasks}
    for spec in added:
        assert spec.parent is not None
        assert (spec.stage, spec.seed) == ("finetune", spec.parent.seed)
        assert spec.recipe == study.finetune[spec.task_names[0]]


def test_singles_and_pairs_that_start_from_the_whole_sets_refinement_of_their_seed() -> None:
    plan = replace(THREE, init_from="multitask").plan
    assert len(plan) == 3 + 15
    refined = {spec.seed: spec for spec in plan if spec.arm == "full"}
    assert set(refined) == {3, 4, 5}
    assert all(spec.parent is None and spec.task_names == ("a", "b", "c") for spec in refined.values())
    others = [spec for spec in plan if spec.arm != "full"]
    assert all(spec.parent == refined[spec.seed] and spec.variant == "continued" for spec in others)
    fresh = [replace(spec, parent=None, variant="plain") for spec in others]
    assert sorted(spec.run_id for spec in fresh) == sorted(spec.run_id for spec in THREE.plan)


def test_no_placebo_has_a_seed_of_the_single_runs() -> None:
    plan = replace(STUDY, seeds=tuple(range(5)), seeds_single=tuple(range(40)), controls=True).plan
    seeds = {arm: {spec.seed for spec in plan if spec.arm == arm} for arm in ("single", "pair", "placebo", "half")}
    assert seeds["pair"] == seeds["half"] == set(range(5))
    assert len(seeds["placebo"]) == 5
    assert not seeds["placebo"] & seeds["single"]


def test_interim_analyses_do_not_change_what_may_be_trained() -> None:
    assert replace(STUDY, interim_seeds=(1, 2)).plan == STUDY.plan


def test_no_study_here_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no study\.json here; .*taskaffinity pairwise") as caught:
        Study.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_folder_is_named_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"typo: no such folder; .*taskaffinity pairwise"):
        Study.load(tmp_path / "typo")


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({**dataclasses.asdict(STUDY), "surprise": 1}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "tasks": 3}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "interim_seeds": 3}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "recipe": {"momentum": 1}}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "recipe": {"batch_size": 0}}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "rule": {"alfa": 0.1}}).encode(),
        json.dumps({**dataclasses.asdict(STUDY), "rule": None}).encode(),
        json.dumps(dataclasses.asdict(replace(STUDY, tasks=(replace(STUDY.tasks[0], metric="bleu"),)))).encode(),
    ],
    ids=[
        "cut",
        "not UTF-8",
        "empty",
        "a list",
        "null",
        "nested too deeply",
        "a key too many",
        "no tasks",
        "interim analyses that are none",
        "unknown setting",
        "bad setting",
        "unknown key of the rule",
        "no rule",
        "unknown metric",
    ],
)
def test_a_file_that_is_no_study_is_one_line_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"study\.json") as caught:
        Study.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_versions_do_not_make_another_study() -> None:
    assert replace(STUDY, versions={"torch": "3"}) == STUDY


def test_a_file_of_an_older_version_is_read_by_the_names_of_today(tmp_path: Path) -> None:
    content = dataclasses.asdict(STUDY)
    for name in ("baseline", "evaluate_after", "init_from", "interim_seeds"):
        del content[name]
    old = {"match": "compute", "stage": "refine", "start": "refinement", "looks": [1, 2]}
    (tmp_path / "study.json").write_text(json.dumps(content | old))
    assert Study.load(tmp_path) == replace(
        STUDY, baseline="compute-matched", evaluate_after="joint", init_from="multitask", interim_seeds=(1, 2)
    )
