"""What a study is made of before it is trained: recipes by protocol, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.files import write_json
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.recipe import FINETUNE, FROM_SCRATCH, PAPER_REFINE, REFINE
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.studies import sequential
from taskaffinity.studies.compatibility import check_compatible, describe_replaced
from taskaffinity.studies.defaults import default_finetune, default_recipe, default_single, scored_by_protocol
from taskaffinity.studies.define import define, define_search
from taskaffinity.studies.run import run_study
from taskaffinity.tasks.planted import stand_in

RELEASED = {
    "clinicalsts": (30, 5e-5),
    "mednli": (10, 1e-5),
    "i2b2-2010-re": (10, 2e-5),
    "chemprot": (20, 2e-5),
    "ddi2013-type": (10, 5e-5),
    "bc5cdr-chemical": (20, 5e-5),
    "bc5cdr-disease": (20, 6e-5),
    "shareclefe": (20, 5e-5),
}
"""Read off the released fine-tuning script: epochs and rate."""


@pytest.mark.parametrize("domain", ["clinical", "biomedical"])
def test_the_papers_protocol_is_its_scripts(domain: str) -> None:
    suite = replace(stand_in(domain), synthetic=False)
    recipe = default_recipe(suite, "encoder", "paper")
    assert (recipe.learning_rate, recipe.num_train_epochs, recipe.batch_size) == (5e-5, 100, 32)
    assert (recipe.optimizer, recipe.warmup_ratio, recipe.protocol) == ("adamw", 0.1, "paper")
    tuned = default_finetune(suite, "encoder", recipe)
    assert {name: (how.num_train_epochs, how.learning_rate) for name, how in tuned.items()} == {
        task.name: RELEASED[task.name] for task in suite
    }
    assert {how.protocol for how in tuned.values()} == {"paper"}


ALONE = {
    "clinicalsts": (30, True),
    "mednli": (10, True),
    "i2b2-2010-re": (10, True),
    "shareclefe": (30, False),
    "bc5cdr-disease": (30, False),
    "bc5cdr-chemical": (30, False),
    "ddi2013-type": (10, True),
    "chemprot": (10, True),
}
"""Read off BlueBERT's README and scripts: epochs, and whether the task is trained on train only."""


@pytest.mark.parametrize("domain", ["clinical", "biomedical"])
def test_the_papers_single_task_models_have_their_recipes(domain: str) -> None:
    suite = replace(stand_in(domain), synthetic=False)
    joint = default_recipe(suite, "encoder", "paper")
    for name, how in default_single(suite, joint).items():
        assert (how.num_train_epochs, not how.trains_on_dev) == ALONE[name]
        assert (how.learning_rate, how.batch_size, how.warmup_ratio, how.max_length) == (5e-5, 32, 0.1, 128)
        assert (how.optimizer, how.head_dropout, how.protocol) == ("adamw", 0.1, "paper")
    few = replace(joint, num_train_epochs=2, batch_size=8)
    for how in default_single(suite, few, ["num_train_epochs"]).values():
        assert (how.num_train_epochs, how.batch_size) == (2, 8)


@pytest.mark.parametrize("design", ["full", "pairwise"])
def test_the_papers_single_task_recipes_change_only_the_single_task_runs(design: Design, tmp_path: Path) -> None:
    suite = replace(stand_in("clinical"), synthetic=False)
    joint = default_recipe(suite, "encoder", "paper")
    single = default_single(suite, joint)
    made = {"recipe": joint, "seeds": (0, 1), "design": design}
    plain, _ = define(stand_in("clinical"), **made)  # type: ignore[arg-type]
    study, _ = define(stand_in("clinical"), baseline="paper-single", single_recipes=single, **made)  # type: ignore[arg-type]
    both = set(plain.plan) & set(study.plan)
    assert len(study.plan) == len(plain.plan)
    assert {spec for spec in plain.plan if spec.stage != "single"} == both
    assert {(spec.task_names[0], spec.seed): spec.recipe for spec in study.plan if spec.stage == "single"} == {
        (name, seed): recipe for name, recipe in single.items() for seed in (0, 1)
    }
    study.write(tmp_path)
    assert Study.load(tmp_path, design) == study
    assert set(study.recipes) == {spec.recipe for spec in study.plan}
    (tmp_path / ("stages.csv" if design == "full" else "edges.csv")).write_text("task\n")
    with pytest.raises(InputError, match=r"holds a study with baseline=paper-single \(now single\)"):
        check_compatible(plain, tmp_path)
    longer = replace(study, single_recipes={name: replace(how, num_train_epochs=9) for name, how in single.items()})
    with pytest.raises(InputError, match="single-task num_train_epochs="):
        check_compatible(longer, tmp_path)


def test_fine_tuning_keeps_its_rate_and_epochs_and_takes_all_else_from_the_refinement() -> None:
    suite = replace(stand_in("clinical"), synthetic=False)
    changed = replace(REFINE, learning_rate=3e-4, num_train_epochs=2, batch_size=7, max_train_examples=9)
    for how in default_finetune(suite, "encoder", changed).values():
        assert how == replace(changed, learning_rate=FINETUNE.learning_rate, num_train_epochs=FINETUNE.num_train_epochs)


def test_stages_are_scored_on_the_same_test_examples() -> None:
    suite = stand_in("clinical")
    small = replace(FROM_SCRATCH, max_eval_examples=50)
    other = dict.fromkeys((task.name for task in suite), replace(small, sample_seed=1))
    with pytest.raises(InputError, match="other test examples"):
        define(suite, recipe=small, design="full", finetune=other)


def test_tasks_whose_fine_tuning_is_not_given_have_the_default() -> None:
    suite, slow = stand_in("clinical"), replace(FROM_SCRATCH, learning_rate=1e-6)
    for asked in ({"design": "full"}, {"evaluate_after": "finetune"}):
        study, _ = define(suite, recipe=FROM_SCRATCH, seeds=(0,), finetune={"mednli": slow}, **asked)  # type: ignore[arg-type]
        assert study.finetune == {**default_finetune(suite, None, FROM_SCRATCH), "mednli": slow}
        assert len(study.plan) > len(suite)  # it has a recipe for every run


def test_fine_tuning_of_no_task_of_the_suite_is_refused() -> None:
    with pytest.raises(
        InputError, match="fine-tuning of medlni, which is no task of clinical; there are clinicalsts, "
    ):
        define(stand_in("clinical"), design="full", finetune={"medlni": FROM_SCRATCH})


def test_gains_after_fine_tuning_come_with_the_recipes_of_the_stages() -> None:
    suite = replace(stand_in("clinical"), synthetic=False)
    paper = default_recipe(suite, "encoder", "paper")
    suite, options = stand_in("clinical"), {"recipe": paper, "seeds": (0,), "seeds_single": (0, 1)}
    study, _ = define(suite, evaluate_after="finetune", **options)  # type: ignore[arg-type]
    assert study.finetune == default_finetune(suite, None, paper)
    assert len(study.plan) == (4 * 2 + 6) + (4 * 2 + 12)
    assert {spec.recipe for spec in study.plan} == {paper, *study.finetune.values()}
    plain, _ = define(suite, **options)  # type: ignore[arg-type]
    assert plain.finetune == {}
    assert set(plain.plan) < set(study.plan)


@pytest.mark.parametrize("asked", [{"evaluate_after": "finetune"}, {"init_from": "multitask"}], ids=["stage", "start"])
@pytest.mark.parametrize(
    ("other", "flag"),
    [
        ({"interim_seeds": (2, 3)}, "--sequential"),
        ({"controls": True}, "--controls"),
        ({"baseline": "compute-matched"}, "--baseline compute-matched"),
        ({"baseline": "paper-single"}, "--baseline paper-single"),
        ({"design": "full"}, "the design full"),
    ],
    ids=["sequential", "controls", "match", "paper-single", "full"],
)
def test_what_goes_on_from_another_run_is_of_the_plain_design(
    asked: dict[str, Any], other: dict[str, Any], flag: str
) -> None:
    ((name, value),) = asked.items()
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} {value}: not with {flag}; leave one of them out"):
        define(stand_in("clinical"), **asked, **other)


@pytest.mark.parametrize("seeds", [{"seeds": (999_999, 1_000_000)}, {"seeds_single": (2_000_000,)}])
def test_a_study_takes_no_seed_of_placebos_or_searches(seeds: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"--base-seed: seeds up to .*; expected seeds below 1000000"):
        define(stand_in("clinical"), **seeds)


def test_a_search_takes_no_seed_of_the_next() -> None:
    with pytest.raises(InputError, match="--confirm-seeds 1000: expected 999 or fewer"):
        define_search(stand_in("clinical"), confirm_seeds=1000)
    search, _ = define_search(stand_in("clinical"), samples=1, confirm_seeds=999)
    assert max(search.fresh_seeds) < replace(search, seed=1).first_seed


def test_the_whole_set_that_pairs_start_from_is_more_than_a_pair() -> None:
    suite = stand_in("clinical")
    with pytest.raises(InputError, match="--init-from multitask: the whole set of 2 tasks is a pair"):
        define(replace(suite, tasks=suite.tasks[:2]), init_from="multitask")


@pytest.mark.parametrize("name", ["study.json", "full.json"])
def test_a_broken_study_beside_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps({"suite": "clinical"}))
    suite = stand_in("clinical")
    study, found = define(suite, seeds=(0,))
    with pytest.raises(InputError, match=f"{name}: not a study of this version"):
        run_study(study, suite, found, tmp_path, resources=Resources("local"))


@pytest.mark.parametrize("protocol", ["paper", None])
def test_departures_are_written_only_under_the_papers_protocol(
    protocol: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskaffinity.studies.run.run", lambda *plan, **options: Report())
    suite = stand_in("clinical")
    study, found = define(suite, recipe=replace(FROM_SCRATCH, protocol=protocol), seeds=(0,))
    run_study(study, suite, found, tmp_path, resources=Resources("local"))
    assert (tmp_path / "study.json").is_file()
    assert (tmp_path / "departures.txt").is_file() == (protocol == "paper")


def test_a_study_says_whether_models_were_asked_for_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskaffinity.studies.run.run", lambda *plan, **options: Report())
    suite = stand_in("clinical")
    study, found = define(suite, seeds=(0,))
    for keep_models in (True, False):
        run_study(
            study, suite, found, tmp_path, resources=Resources("local"), options=RunOptions(keep_models=keep_models)
        )
        assert Study.load(tmp_path).keep_models == keep_models
        assert Study.load(tmp_path) == study


def test_departures_go_with_the_last_study_that_had_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskaffinity.studies.run.run", lambda *plan, **options: Report())
    suite, there = stand_in("clinical"), []
    for design, protocol in (("pairwise", "paper"), ("full", "paper"), ("pairwise", None), ("full", None)):
        study, found = define(suite, recipe=replace(FROM_SCRATCH, protocol=protocol), seeds=(0,), design=design)  # type: ignore[arg-type]
        run_study(study, suite, found, tmp_path, resources=Resources("local"), options=RunOptions(overwrite=True))
        there.append((tmp_path / "departures.txt").is_file())
    assert there == [True, True, True, False]


def other_data(study: Study) -> Study:
    first, *others = study.tasks
    return replace(study, tasks=(replace(first, fingerprint="0" * 64), *others))


def other_metric(study: Study) -> Study:
    """As planning does it: the metric is a part of the task's fingerprint."""
    suite = scored_by_protocol(stand_in("clinical"), "paper")
    tasks = (replace(card, metric=suite[card.name].metric_name) for card in study.tasks)
    return replace(study, tasks=tuple(replace(card, fingerprint=suite[card.name].fingerprint) for card in tasks))


def renamed(study: Study) -> Study:
    return replace(study, suite="other", tasks=tuple(replace(task, name=f"my-{task.name}") for task in study.tasks))


OTHERS: dict[str, tuple[Callable[[Study], Study], str]] = {
    "epochs": (
        lambda study: replace(study, recipe=replace(study.recipe, num_train_epochs=30)),
        "num_train_epochs=12 (now 30)",
    ),
    "threads": (lambda study: replace(study, recipe=replace(study.recipe, threads=2)), "cpus-per-run=1 (now 2)"),
    "device": (lambda study: replace(study, recipe=replace(study.recipe, device="cuda")), "device=cpu (now cuda)"),
    "data": (other_data, "other data of clinicalsts"),
    "metric": (other_metric, "metric span_f1 of shareclefe (now span_f1_conlleval)"),
    "tasks": (renamed, "other tasks (clinicalsts, i2b2-2010-re, shareclefe, ...)"),
    "encoder": (lambda study: replace(study, encoder=EncoderRef("biobert", "f" * 64)), "(now biobert)"),
    "match": (lambda study: replace(study, baseline="compute-matched"), "baseline=single (now compute-matched)"),
    "stage": (lambda study: replace(study, evaluate_after="finetune"), "evaluate_after=joint (now finetune)"),
    "start": (lambda study: replace(study, init_from="multitask"), "init_from=encoder (now multitask)"),
    "protocol": (
        lambda study: replace(study, protocol="paper", recipe=PAPER_REFINE),
        "protocol=honest (now paper), learning_rate=",
    ),
}
GROWN: dict[str, Callable[[Study], Study]] = {
    "the same": lambda study: study,
    "more seeds": lambda study: replace(study, seeds=(0, 1, 2, 3)),
    "the seeds of a sequential design": lambda study: replace(
        study, seeds=tuple(range(12)), seeds_single=tuple(range(21))
    ),
    "another task": lambda study: replace(study, tasks=(*study.tasks, replace(study.tasks[0], name="fifth"))),
    "another rule": lambda study: replace(study, rule=replace(study.rule, alpha=0.01)),
    "the whole set and controls": lambda study: replace(study, full=True, controls=True),
    "another design": lambda study: replace(
        study, design="full", recipe=replace(study.recipe, num_train_epochs=30), encoder=EncoderRef("biobert", "f")
    ),
}


SHRUNK: dict[str, tuple[Callable[[Study], Study], str]] = {
    "fewer seeds": (
        lambda study: replace(study, seeds=(0,), seeds_single=(0, 1)),
        "2 of its 3 seeds, 4 of its 6 single-task seeds",
    ),
    "fewer single-task seeds": (lambda study: replace(study, seeds_single=()), "3 of its 6 single-task seeds"),
    "other seeds": (lambda study: replace(study, seeds=(1, 2, 3)), "1 of its 3 seeds"),
    "fewer tasks": (lambda study: replace(study, tasks=study.tasks[:2]), "shareclefe, mednli of its tasks"),
    "one shared task": (
        lambda study: replace(study, tasks=(*renamed(study).tasks, study.tasks[0])),
        "i2b2-2010-re, shareclefe, mednli of its tasks",
    ),
    "no controls": (lambda study: replace(study, controls=False), "the controls (--controls)"),
    "no whole set": (lambda study: replace(study, full=False), "the whole set (--full)"),
}


@pytest.fixture
def there(tmp_path: Path) -> Study:
    """A study whose verdicts are in the folder."""
    study, _ = define(stand_in("clinical"))
    study.write(tmp_path)
    (tmp_path / "edges.csv").write_text("source,target,gain\n")
    return study


@pytest.mark.parametrize("what", OTHERS)
def test_another_study_takes_a_folder_only_on_request(what: str, there: Study, tmp_path: Path) -> None:
    change, said = OTHERS[what]
    with pytest.raises(
        InputError, match=rf"holds a study with .*{re.escape(said)}.*; give another --results, or --overw"
    ):
        check_compatible(change(there), tmp_path)
    check_compatible(change(there), tmp_path, replaces=True)


def test_a_study_without_a_finished_run_is_not_replaced_silently(there: Study, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").unlink()
    change, said = OTHERS["epochs"]
    other = replace(change(there), seeds=(0, 1), seeds_single=(0, 1))
    check_compatible(other, tmp_path)
    [line] = describe_replaced(other, tmp_path)
    assert line == (
        f"{tmp_path}: holds a study without a finished run, which this one replaces: it had {said}; this one lacks "
        "1 of its 3 seeds, 1 of its 3 single-task seeds"
    )
    assert describe_replaced(there, tmp_path) == describe_replaced(replace(there, full=True), tmp_path) == []


@pytest.mark.parametrize("what", GROWN)
def test_a_study_may_grow_in_its_folder(what: str, there: Study, tmp_path: Path) -> None:
    check_compatible(GROWN[what](there), tmp_path)


@pytest.mark.parametrize("what", SHRUNK)
def test_a_study_shrinks_only_on_request(what: str, there: Study, tmp_path: Path) -> None:
    whole = replace(there, seeds_single=tuple(range(6)), full=True, controls=True)
    whole.write(tmp_path)
    change, said = SHRUNK[what]
    with pytest.raises(
        InputError, match=rf"this command leaves out .*{re.escape(said)}.*; give .*, or another --results, or --ov"
    ):
        check_compatible(change(whole), tmp_path)
    check_compatible(change(whole), tmp_path, replaces=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"interim_seeds": (3, 5, 8, 20), "seeds": range(20), "seeds_single": range(40)},
        {"interim_seeds": (3, 5, 8, 20), "seeds": range(20), "seeds_single": range(40), "rule": Rule(alpha=0.2)},
        {"rule": Rule(alpha=0.2)},
        {"interim_seeds": ()},
    ],
    ids=["interim analyses", "interim analyses and rule", "rule", "no sequential design"],
)
def test_a_sequential_design_keeps_the_interim_analyses_and_the_rule_that_it_began_with(
    changed: dict[str, Any], there: Study, tmp_path: Path
) -> None:
    sequential = replace(there, interim_seeds=(3, 5, 8, 12), seeds=tuple(range(12)), seeds_single=tuple(range(21)))
    sequential.write(tmp_path)
    other = replace(sequential, **{name: tuple(v) if isinstance(v, range) else v for name, v in changed.items()})
    said = r"holds a sequential design with other interim analyses or another rule, which .*; give --seeds, "
    if not other.interim_seeds:
        said = r"holds a sequential design that spent .*; give --sequential, --seeds, "
    with pytest.raises(InputError, match=said):
        check_compatible(other, tmp_path)
    check_compatible(other, tmp_path, replaces=True)
    check_compatible(replace(sequential, controls=True), tmp_path)
    check_compatible(sequential, tmp_path)


def test_a_smaller_sequential_design_is_not_told_to_give_an_option_that_it_refuses(
    there: Study, tmp_path: Path
) -> None:
    sequential = replace(there, interim_seeds=(3, 5, 8, 12), seeds=tuple(range(12)), seeds_single=tuple(range(21)))
    sequential.write(tmp_path)
    fewer = replace(sequential, tasks=sequential.tasks[1:], seeds_single=tuple(range(17)))
    with pytest.raises(InputError, match="4 of its 21 single-task seeds; give a suite with these tasks, or another"):
        check_compatible(fewer, tmp_path)


@pytest.mark.parametrize("rule", [{"alpha": 2}, {"alpha": "x"}, {"margins": 3}])
def test_a_sequential_design_with_an_invalid_rule_is_refused_in_one_line(
    rule: dict[str, Any], there: Study, tmp_path: Path
) -> None:
    sequential = replace(there, interim_seeds=(3, 5, 8, 12), seeds=tuple(range(12)), seeds_single=tuple(range(21)))
    sequential.write(tmp_path)
    path = tmp_path / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rule": rule}))
    with pytest.raises(InputError, match=r"study\.json: not a study of this version"):
        check_compatible(sequential, tmp_path)


def test_the_progress_of_a_sequential_design_counts_the_runs_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the first interim analysis four runs of six, of which an earlier command has trained two; one fails."""
    study, _ = define(stand_in("clinical"), seeds=range(3), interim_seeds=(2, 3))
    runs = study.plan.specs[:6]
    done, needed, seen = set(runs[:2]), iter([runs[:4], runs, runs]), list[tuple[int, int]]()
    for name in ("read_arms", "margins_of", "follow"):
        monkeypatch.setattr(sequential, name, lambda *_: None)
    monkeypatch.setattr(sequential, "required_runs", lambda *_: Plan(next(needed)))

    def train(plan: Plan) -> Report:
        seen.append((len(plan), sum(spec in done for spec in plan)))
        report = Report(trained=[spec for spec in plan if spec not in done and spec != runs[3]])
        report.failed = {spec: "diverged" for spec in plan if spec == runs[3]}
        done.update(report.trained)
        return report

    total = sequential.run_sequential(
        study,
        done,
        train,
        lambda plan: [spec for spec in plan if spec not in done],  # type: ignore[arg-type]
    )
    assert seen == [(4, 2), (5, 3)]
    assert (total.planned, total.trained, list(total.failed)) == (6, [runs[2], *runs[4:]], [runs[3]])


def test_a_sequential_design_over_a_run_with_torn_counts_is_refused_in_one_line(tmp_path: Path) -> None:
    few = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    study, found = define(stand_in("clinical"), recipe=few, seeds=range(3), interim_seeds=(2, 3))
    first = next(iter(study.plan))
    folder = RunStore(tmp_path).folder(first)
    folder.mkdir(parents=True)
    write_json(folder / "spec.json", first.to_dict())
    outcomes = {name: {"metric": "accuracy", "epoch": 1, "dev": 0.5, "test": 0.5} for name in first.task_names}
    result = {"run_id": first.run_id, "outcomes": outcomes, "work": {}, "versions": {}}
    write_json(folder / "result.json", result)
    (folder / "history.jsonl").write_text("")
    (folder / "counts.npz").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"counts\.npz: damaged, .*; delete its folder"):
        run_study(study, stand_in("clinical"), found, tmp_path, resources=Resources("local"))


def test_models_that_could_not_be_exported_are_not_kept(tmp_path: Path) -> None:
    suite = stand_in("clinical")
    study, found = define(suite, recipe=FROM_SCRATCH)
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text('{"model_type": "albert"}')
    encoder = replace(found, folder=tmp_path / "encoder")
    with pytest.raises(InputError, match=r"--keep-models: albert cannot be exported"):
        run_study(
            study,
            suite,
            encoder,
            tmp_path / "results",
            resources=Resources("local"),
            options=RunOptions(keep_models=True),
        )
    assert not (tmp_path / "results").exists()


def test_a_study_of_which_nothing_was_found_stands_in_no_ones_way(there: Study, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").unlink()
    changed = OTHERS["epochs"][0](there)
    check_compatible(changed, tmp_path)
    run = tmp_path / "runs" / next(iter(there.plan)).run_id
    run.mkdir(parents=True)
    (run / "result.json").write_text("{}")
    with pytest.raises(InputError, match="now 30"):
        check_compatible(changed, tmp_path)


def test_a_study_whose_first_runs_are_under_way_is_another_ones_hindrance(there: Study, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").unlink()
    changed, first = OTHERS["epochs"][0](there), next(iter(there.plan))
    with RunStore(tmp_path).claim(first):
        with pytest.raises(InputError, match="now 30"):
            check_compatible(changed, tmp_path)
        check_compatible(there, tmp_path)  # another process of the same study
        check_compatible(GROWN["more seeds"](there), tmp_path)
    check_compatible(changed, tmp_path)


def test_conduct_refuses_before_it_writes(there: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskaffinity.studies.run.run", lambda *plan, **options: Report())
    suite, before = stand_in("clinical"), (tmp_path / "study.json").read_bytes()
    study, found = define(suite, recipe=replace(FROM_SCRATCH, num_train_epochs=30))
    with pytest.raises(InputError, match="num_train_epochs"):
        run_study(study, suite, found, tmp_path, resources=Resources("local"))
    assert (tmp_path / "study.json").read_bytes() == before
    run_study(study, suite, found, str(tmp_path), resources=Resources("local"), options=RunOptions(overwrite=True))
    assert Study.load(str(tmp_path)) == study


def test_a_study_does_not_count_a_damaged_run_as_done(tmp_path: Path) -> None:
    few = replace(FROM_SCRATCH, num_train_epochs=1, max_train_examples=32, max_eval_examples=20)
    suite = stand_in("clinical")
    suite = replace(suite, tasks=suite.tasks[:2])
    study, found = define(suite, recipe=few, seeds=range(2))

    def train() -> Report:
        return run_study(study, suite, found, tmp_path, resources=Resources("local"))

    assert len(train().trained) == 6
    folders = [RunStore(tmp_path).folder(spec) for spec in study.plan]
    for folder in folders[:2]:
        content = bytearray((folder / "counts.npz").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / "counts.npz").write_bytes(content)
    shutil.rmtree(folders[5])
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"counts\.npz: .*; delete its folder, .* \(and 1 more damaged\)") as caught:
        train()
    assert folders[0].name in str(caught.value)
    assert sorted(path for path in tmp_path.rglob("*")) == before  # nothing is trained, nothing is deleted
    for folder in folders[:2]:
        shutil.rmtree(folder)
    assert {spec.run_id for spec in train().trained} == {folder.name for folder in (*folders[:2], folders[5])}
