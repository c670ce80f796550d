"""Identity: everything that can move a score changes a run's id, nothing else does."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any, get_args

import pytest

from taskaffinity.runs.recipe import FROM_SCRATCH, OF_THE_PAPER, PAPER_REFINE, REFINE, Recipe
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import EncoderRef, Probe, RunSpec, Variant
from taskaffinity.runs.stored.json_files import parse_model

ENCODER = EncoderRef("tiny", "e1")
PAIR = RunSpec((("a", "f1"), ("b", "f2")), ENCODER, 0, Recipe())
SINGLE = RunSpec((("a", "f1"),), ENCODER, 0, Recipe())
CHILD = replace(SINGLE, parent=PAIR)
MATCHED = replace(SINGLE, variant="matched", partner=("b", "f2"))
VARIANTS: dict[Variant, RunSpec] = {
    "plain": SINGLE,
    "matched": MATCHED,
    "placebo": replace(SINGLE, variant="placebo"),
    "half": replace(SINGLE, variant="half"),
    "halves": replace(SINGLE, variant="halves"),
    "continued": replace(SINGLE, variant="continued", parent=PAIR),
    "probe": replace(SINGLE, variant="probe", parent=SINGLE, partner=("b", "f2"), probe=Probe(20, 60)),
}
CONTROLS = ("matched", "placebo", "half", "halves")

OTHER: dict[str, Any] = {
    "learning_rate": 1e-4,
    "num_train_epochs": 3,
    "batch_size": 16,
    "optimizer": "adamw",
    "weight_decay": 0.0,
    "warmup_ratio": 0.2,
    "max_grad_norm": 2.0,
    "head_dropout": 0.0,
    "encoder_dropout": 0.0,
    "negatives_per_positive": 2.0,
    "early_stopping_patience": 2,
    "precision": "bf16",
    "max_length": 64,
    "max_words": 20,
    "max_train_examples": 100,
    "max_eval_examples": 100,
    "max_dev_examples": 50,
    "protocol": "paper",
    "train_on_dev": False,
    "released_classes": True,
    "reversed_pairs": True,
    "similarity_targets": "standardized",
    "sampling": "temperature=2",
    "loss_weight": "{b: 0.5}",
    "class_weights": "balanced",
    "balance": "uncertainty",
    "sample_seed": 1,
    "threads": 2,
    "device": "cuda",
}
CHANGES: dict[str, RunSpec] = {
    "tasks": replace(PAIR, tasks=(("a", "f1"), ("c", "f2"))),
    "data": replace(PAIR, tasks=(("a", "f1"), ("b", "f9"))),
    "encoder": replace(PAIR, encoder=EncoderRef("tiny", "e2")),
    "seed": replace(PAIR, seed=1),
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_every_setting_of_the_recipe_changes_the_run(field: str) -> None:
    pair = replace(PAIR, recipe=PAPER_REFINE) if field in OF_THE_PAPER else PAIR
    changed = replace(pair, recipe=replace(pair.recipe, **{field: OTHER[field]}))
    assert changed != pair
    assert changed.run_id != pair.run_id


@pytest.mark.parametrize("field", OF_THE_PAPER)
def test_a_setting_of_the_papers_protocol_is_refused_without_it(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: a setting of --protocol paper; leave it out, or give"):
        replace(Recipe(), **{field: OTHER[field]})


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_trained_changes_the_run(change: str) -> None:
    assert CHANGES[change] != PAIR
    assert CHANGES[change].run_id != PAIR.run_id


def test_each_variant_of_a_run_is_another_run() -> None:
    assert set(VARIANTS) == set(get_args(Variant))
    assert all(spec.variant == variant for variant, spec in VARIANTS.items())
    assert len(set(VARIANTS.values())) == len({spec.run_id for spec in VARIANTS.values()}) == 7


@pytest.mark.parametrize("partner", [("c", "f2"), ("b", "f9")], ids=["another task", "other data"])
def test_the_partner_changes_a_matched_run(partner: tuple[str, str]) -> None:
    other = replace(MATCHED, partner=partner)
    assert other != MATCHED
    assert other.run_id.rpartition("-")[2] != MATCHED.run_id.rpartition("-")[2]


def naive_identity(spec: RunSpec) -> str:
    """As it was before there were variants."""
    content = {
        "tasks": [list(task) for task in spec.tasks],
        "encoder": spec.encoder.fingerprint,
        "seed": spec.seed,
        "recipe": {name: value for name, value in vars(spec.recipe).items() if value is not None},
        "parent": naive_identity(spec.parent) if spec.parent else None,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("spec", [SINGLE, PAIR, CHILD, CHANGES["seed"]], ids=["single", "pair", "child", "other seed"])
def test_plain_runs_of_before_there_were_variants_keep_their_folders(spec: RunSpec) -> None:
    assert spec.run_id.rpartition("-")[2] == naive_identity(spec)[:8]
    assert set(spec.to_dict()) == {"tasks", "encoder", "seed", "recipe", "parent"}


def test_every_field_of_a_run_is_tried() -> None:
    tried = {"tasks", "encoder", "seed", "recipe", "parent", "variant", "partner", "probe"}
    assert {field.name for field in dataclasses.fields(RunSpec)} == tried


def test_the_parent_changes_the_run_and_so_does_the_parents_recipe() -> None:
    elsewhere = replace(CHILD, parent=replace(PAIR, recipe=Recipe(batch_size=16)))
    assert len({replace(CHILD, parent=None).run_id, CHILD.run_id, elsewhere.run_id}) == 3


def test_the_encoders_name_does_not_change_the_run() -> None:
    renamed = replace(PAIR, encoder=EncoderRef("another folder", "e1"))
    assert renamed == PAIR
    assert hash(renamed) == hash(PAIR)
    assert renamed.run_id == PAIR.run_id


def test_equal_specs_are_the_same_run_whatever_the_type_of_their_numbers() -> None:
    whole = replace(PAIR, recipe=replace(PAIR.recipe, max_grad_norm=1))
    assert whole == PAIR
    assert whole.run_id == PAIR.run_id


@pytest.mark.parametrize(
    "spec", [PAIR, CHILD, CHANGES["seed"], *VARIANTS.values()], ids=["pair", "child", "other seed", *VARIANTS]
)
def test_a_spec_comes_back_from_json_and_from_a_pickle(spec: RunSpec) -> None:
    for again in (parse_model(json.dumps(spec.to_dict()), RunSpec), pickle.loads(pickle.dumps(spec))):
        assert again == spec
        assert again.run_id == spec.run_id
        assert again.encoder.name == spec.encoder.name


def test_the_id_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from taskaffinity.runs.spec import RunSpec; "
        "from taskaffinity.runs.stored.json_files import parse_model; print(parse_model(sys.argv[1], RunSpec).run_id)"
    )
    run_ids = {
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(CHILD.to_dict())],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in "12"
    }
    assert run_ids == {CHILD.run_id}


def test_the_id_is_words_for_people_and_eight_digits_for_certainty() -> None:
    words, _, digits = PAIR.run_id.rpartition("-")
    assert words == "refine-a+b-s0"
    assert len(digits) == 8
    assert int(digits, 16) >= 0
    many = replace(PAIR, tasks=tuple((name, "f") for name in "abcd"), seed=3)
    assert many.run_id.startswith("refine-4tasks-s3-")
    assert CHILD.run_id.startswith("finetune-a-s0-")


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("plain", "single-a-s5"),
        ("matched", "matched-a-to-b-s5"),
        ("placebo", "placebo-a-s5"),
        ("half", "half-a-s5"),
        ("halves", "halves-a-s5"),
        ("continued", "continued-a-s5"),
    ],
)
def test_a_variants_folder_says_what_it_is(variant: Variant, words: str) -> None:
    assert replace(VARIANTS[variant], seed=5).run_id.rpartition("-")[0] == words


@pytest.mark.parametrize("variant", CONTROLS)
def test_a_variant_is_an_arm_of_its_own_and_trains_from_the_encoder(variant: Variant) -> None:
    spec = VARIANTS[variant]
    assert (spec.arm, spec.stage, spec.task_names, spec.lineage) == (variant, "single", ("a",), ())


@pytest.mark.parametrize(
    ("n_tasks", "stage", "arm"), [(1, "single", "single"), (2, "refine", "pair"), (3, "refine", "full")]
)
def test_stage_and_arm_follow_from_the_tasks(n_tasks: int, stage: str, arm: str) -> None:
    spec = replace(PAIR, tasks=tuple((name, "f") for name in "abc"[:n_tasks]))
    assert (spec.stage, spec.arm, spec.lineage) == (stage, arm, ())


def test_lineage_is_the_oldest_first() -> None:
    grandchild = replace(CHILD, parent=CHILD)
    assert grandchild.lineage == (PAIR, CHILD)
    assert (CHILD.stage, CHILD.arm) == ("finetune", "finetune")


@pytest.mark.parametrize(
    "tasks", [(), (("b", "f"), ("a", "f")), (("a", "f"), ("a", "f"))], ids=["none", "unsorted", "twice"]
)
def test_tasks_are_sorted_and_unique(tasks: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ValueError, match="sorted and unique"):
        replace(PAIR, tasks=tasks)


def test_a_fine_tuning_is_of_one_task() -> None:
    with pytest.raises(ValueError, match="fine-tunes one task; got a, b"):
        replace(PAIR, parent=PAIR)


@pytest.mark.parametrize(("n_tasks", "stage", "arm"), [(1, "single", "single"), (2, "refine", "pair")])
def test_a_continued_run_is_of_its_kind_wherever_it_starts(n_tasks: int, stage: str, arm: str) -> None:
    whole = replace(PAIR, tasks=tuple((name, "f") for name in "abc"))
    spec = replace(PAIR, tasks=whole.tasks[:n_tasks], parent=whole, variant="continued")
    assert (spec.stage, spec.arm, spec.lineage) == (stage, arm, (whole,))
    fresh = replace(spec, parent=None, variant="plain")
    tuned = replace(spec, tasks=whole.tasks[:1], variant="plain")
    assert len({spec.run_id, fresh.run_id, tuned.run_id}) == 3
    after = replace(tuned, parent=spec)
    assert (after.stage, after.lineage) == ("finetune", (whole, spec))


def test_a_continued_run_has_a_parent() -> None:
    with pytest.raises(ValueError, match="a continued run has a parent that it starts from; got none for a, b"):
        replace(PAIR, variant="continued")


@pytest.mark.parametrize("variant", ["placebo", "half", "halves", "matched"])
@pytest.mark.parametrize("base", [PAIR, CHILD], ids=["two tasks", "a parent"])
def test_a_variant_is_of_one_task_from_the_encoder(base: RunSpec, variant: Variant) -> None:
    partner = ("c", "f3") if variant == "matched" else None
    with pytest.raises(ValueError, match=f"a {variant} run trains one task from the encoder; got a"):
        replace(base, variant=variant, partner=partner)


def test_a_matched_run_has_a_partner() -> None:
    with pytest.raises(ValueError, match="a matched run, and no other, has a partner"):
        replace(SINGLE, variant="matched")


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant not in ("matched", "probe")])
def test_no_other_run_has_a_partner(variant: Variant) -> None:
    with pytest.raises(ValueError, match="a matched run, and no other, has a partner"):
        replace(VARIANTS[variant], partner=("b", "f2"))


def test_a_setting_that_is_none_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a version that adds an optional setting finds the runs of the one before."""
    own = PAIR.run_id
    before = dataclasses.asdict
    optional = {name for name, value in before(PAIR.recipe).items() if value is None}
    assert "negatives_per_positive" in optional
    monkeypatch.setattr(
        dataclasses, "asdict", lambda recipe: {k: v for k, v in before(recipe).items() if k not in optional}
    )
    assert replace(PAIR).run_id == own


def test_a_variant_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="variant"):
        parse_model(json.dumps({**SINGLE.to_dict(), "variant": "thirds"}), RunSpec)
    with pytest.raises(ValueError, match="no variant 'thirds'; there are plain"):
        replace(SINGLE, variant="thirds")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("num_train_epochs", 0),
        ("batch_size", 0),
        ("optimizer", "sgd"),
        ("weight_decay", -0.1),
        ("warmup_ratio", 1.0),
        ("max_grad_norm", 0.0),
        ("head_dropout", 1.0),
        ("encoder_dropout", 1.0),
        ("negatives_per_positive", 0.0),
        ("max_length", 7),
        ("max_words", 0),
        ("max_train_examples", 0),
        ("max_eval_examples", -1),
        ("threads", 0),
        ("device", "tpu"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_by_the_name_of_its_setting(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        Recipe(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [True, "8", 8.0, None])
def test_a_whole_number_is_neither_a_text_nor_a_truth_value(value: object) -> None:
    with pytest.raises(ValueError, match=r"batch_size is .*; it must be a whole number"):
        Recipe(batch_size=value)  # type: ignore[arg-type]


def test_whole_numbers_and_floats_are_one_recipe() -> None:
    assert Recipe(weight_decay=0, negatives_per_positive=2) == Recipe(weight_decay=0.0, negatives_per_positive=2.0)
    assert len({replace(PAIR, recipe=Recipe(max_grad_norm=norm)).run_id for norm in (1, 1.0)}) == 1


def test_every_setting_says_what_it_means() -> None:
    fields = {**Recipe.__pydantic_fields__, **Rule.__pydantic_fields__}
    assert all(info.description and info.description.endswith((".", ").")) for info in fields.values())


def test_the_presets_are_the_papers_and_our_own() -> None:
    assert (REFINE.learning_rate, REFINE.batch_size, REFINE.optimizer, REFINE.warmup_ratio) == (5e-5, 32, "adamax", 0.1)
    assert (REFINE.weight_decay, REFINE.max_length, REFINE.max_words, REFINE.head_dropout) == (0.01, 128, 30, 0.1)
    assert FROM_SCRATCH != REFINE
