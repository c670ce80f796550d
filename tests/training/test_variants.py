"""Run variants: placebo, compute-matched and split-half runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_tasks import RECIPE, SIZES, TASKS
from transformers import AutoConfig, AutoModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec, Variant
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.training import loop
from taskaffinity.training.encoders.load import Encoder, find_encoder, tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.inputs.batches import Batch, batches_in_an_epoch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.variants import training_set_of

DRY = replace(RECIPE, head_dropout=0.0)
OPTIMIZERS = ("adamax", pytest.param("adamw", marks=pytest.mark.long))
TARGETS = ("sts", "tag")

Run = Callable[..., RunResult]
MakeSplit = Callable[..., EncodedSplit]
MakeMeta = Callable[..., TaskMeta]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def encoders(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    """Without dropout: one from random weights, and one that brings its weights and a pooler that tasks share."""
    made = {}
    for name in ("from scratch", "pre-trained"):
        folder = tmp_path_factory.mktemp("encoders") / "dry"
        shutil.copytree(tiny_encoder(VOCABULARY, cache, layers=2, width=16).folder, folder)
        content = json.loads((folder / "config.json").read_text())
        content |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        content["from_scratch"] = name == "from scratch"
        (folder / "config.json").write_text(json.dumps(content))
        if name == "pre-trained":
            torch.manual_seed(0)
            AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
        made[name] = find_encoder(str(folder))
        prepare(list(TASKS.values()), made[name], RECIPE, cache)
    return made


@pytest.fixture(scope="module")
def run(cache: Path, encoders: Mapping[str, Encoder]) -> Run:
    def call(
        *names: str, variant: Variant = "plain", partner: str = "", encoder: str = "from scratch", **settings: Any
    ) -> RunResult:
        spec = RunSpec(
            tuple(TASKS[name].ref for name in names),
            encoders[encoder].ref,
            settings.pop("seed", 0),
            replace(DRY, **settings),
            variant=variant,
            partner=TASKS[partner].ref if partner else None,
        )
        return execute(spec, encoder_folder=encoders[encoder].folder, cache=cache, keep_predictions=False)

    return call


Met = list[tuple[str, tuple[int, ...]]]


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> Met:
    """Task and rows of every mini-batch that is trained on."""
    seen: Met = []
    own = MultiTaskModel.loss

    def listening(model: MultiTaskModel, batch: Batch) -> torch.Tensor:
        seen.append((batch.task, tuple(batch.rows.tolist())))
        return own(model, batch)

    monkeypatch.setattr(MultiTaskModel, "loss", listening)
    return seen


def assert_same_training(one: RunResult, other: RunResult, target: str) -> None:
    assert one.outcomes == other.outcomes
    assert one.counts.keys() == other.counts.keys()
    for key, counts in one.counts.items():
        np.testing.assert_array_equal(counts, other.counts[key], err_msg=key)
    for ours, theirs in zip(one.history, other.history, strict=True):
        assert ours["dev"] == theirs["dev"]
        assert ours["loss"][target] == theirs["loss"][target]


@pytest.mark.parametrize("encoder", ["from scratch", "pre-trained"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("target", TARGETS)
def test_without_dropout_a_placebo_equals_the_single_task_run(
    target: str, optimizer: str, encoder: str, run: Run
) -> None:
    single, placebo = (
        run(target, variant=variant, optimizer=optimizer, encoder=encoder, weight_decay=0.1)
        for variant in ("plain", "placebo")
    )
    assert_same_training(placebo, single, target)
    assert placebo.work["steps"] == 2 * single.work["steps"] > 2 * 3
    assert placebo.history[0]["loss"][target] != placebo.history[-1]["loss"][target]


@pytest.mark.parametrize("target", TARGETS)
def test_without_dropout_a_partner_of_weight_0_leaves_the_target_as_a_placebo_does(target: str, run: Run) -> None:
    single, pair = run(target), run("nli", target, loss_weight="{nli: 0}")
    for alone, together in zip(single.history, pair.history, strict=True):
        assert together["loss"][target] == pytest.approx(alone["loss"][target], rel=1e-4)
        assert together["dev"][target] == pytest.approx(alone["dev"][target], abs=1e-4)
    assert pair.outcomes[target].test == pytest.approx(single.outcomes[target].test, abs=1e-4)
    assert pair.work["steps"] == single.work["steps"] + run("nli").work["steps"]
    losses = [row["loss"]["nli"] for row in pair.history]
    assert losses[-1] != losses[0]  # its own head learns


def test_other_variants_differ_from_the_single_task_run(run: Run) -> None:
    single = run("sts")
    others = [run("sts", "tag"), run("sts", variant="halves"), run("sts", variant="placebo", seed=1)]
    for other in others:
        assert other.history[0]["dev"]["sts"] != single.history[0]["dev"]["sts"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_detached_head_of_a_placebo_trains_and_is_not_reported(target: str, run: Run) -> None:
    result = run(target, variant="placebo", num_train_epochs=6, learning_rate=1e-2)
    losses = [row["loss"] for row in result.history]
    assert all(len(loss) == 2 for loss in losses)
    (beside,) = losses[0].keys() - {target}
    assert losses[-1][beside] < 0.9 * losses[0][beside]
    assert set(result.outcomes) == {target}
    assert {f"{target}/dev", f"{target}/test"} <= set(result.counts)
    assert {key.partition("/")[0] for key in result.counts} == {target}
    assert all(set(row["dev"]) == {target} for row in result.history)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["inference", "similarity", "ner"])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "deberta-v2"])
def test_a_detached_task_updates_only_its_head(
    architecture: str,
    kind: str,
    optimizer: str,
    make_encoder: Callable[..., Path],
    make_meta: MakeMeta,
    make_split: MakeSplit,
) -> None:
    metas = {name: make_meta(name, kind) for name in ("own", "beside")}
    model = MultiTaskModel(make_encoder(architecture), metas, seed=0, detached={"beside"}).train()
    stepper = Stepper(model, replace(DRY, optimizer=optimizer, weight_decay=0.1), 20)
    split = make_split(kind, n=24)

    def moved_by(name: str, rows: slice) -> set[str]:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        model.loss(make_batch(name, split, np.arange(24)[rows])).backward()
        assert name == "own" or all(p.grad is None for p in model.encoder.parameters())
        stepper.step(counts=name == "own")
        return {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}

    head = {f"parts.1.{name}" for name, _ in model.heads["beside"].named_parameters()}
    for first in range(0, 12, 4):  # so that everything has momentum
        assert not moved_by("own", slice(first, first + 4)) & head
    for first in range(12, 24, 4):
        assert moved_by("beside", slice(first, first + 4)) == head


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
def test_a_detached_task_has_the_outputs_of_an_attached_task(
    packed: bool, make_encoder: Callable[..., Path], make_meta: MakeMeta, make_split: MakeSplit
) -> None:
    metas = {name: make_meta(name, "ner") for name in ("own", "beside")}
    batch = make_batch("beside", make_split("ner", n=8), np.arange(8))
    folder = make_encoder("bert")
    attached, detached = (
        MultiTaskModel(folder, metas, seed=0, packed=packed, detached=names).eval() for names in ((), ("beside",))
    )
    assert torch.equal(attached(batch), detached(batch))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("target", "partner"), [("nli", "tag"), ("tag", "nli")])
def test_a_compute_matched_run_has_the_updates_of_its_pair_and_reports_only_its_target(
    target: str, partner: str, run: Run, met: Met
) -> None:
    pair = run(*sorted((target, partner)))
    met.clear()
    result = run(target, variant="matched", partner=partner)
    assert result.work["steps"] == pair.work["steps"] > run(target).work["steps"]
    assert [row["epoch"] for row in result.history] == [row["epoch"] for row in pair.history] == [1, 2, 3]
    assert all(set(row["dev"]) == set(row["loss"]) == {target} for row in result.history)
    assert set(result.outcomes) == {target}
    assert {f"{target}/dev", f"{target}/test"} <= set(result.counts)
    assert {key.partition("/")[0] for key in result.counts} == {target}


def test_a_compute_matched_run_trains_on_all_rows_equally_often(run: Run, met: Met) -> None:
    run("nli", variant="matched", partner="tag")
    seen = np.bincount([row for _, rows in met for row in rows], minlength=SIZES.train)
    assert len(seen) == SIZES.train
    assert seen.max() - seen.min() <= 1
    assert {task for task, _ in met} == {"nli"}
    assert seen.min() > RECIPE.num_train_epochs


def test_a_compute_matched_run_has_the_learning_rates_of_its_pair(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    class Listening(Stepper):
        def step(self, *, counts: bool = True) -> None:
            super().step(counts=counts)
            rates.append(self.optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(loop, "Stepper", Listening)
    run("nli", "tag")
    pair = rates.copy()
    rates.clear()
    run("nli", variant="matched", partner="tag")
    assert rates == pair


def test_example_caps_apply_to_the_partner(run: Run) -> None:
    caps: dict[str, Any] = {"max_train_examples": 20, "max_eval_examples": 10, "num_train_epochs": 2}
    result = run("nli", variant="matched", partner="sts", **caps)
    assert result.work["steps"] == 2 * (2 + 2)
    assert len(result.counts["nli/test"]) == 10


def test_a_compute_matched_run_uses_only_the_number_of_its_partners_mini_batches(run: Run) -> None:
    one, other = (run("nli", variant="matched", partner=partner) for partner in ("rel", "sts"))
    assert one.spec.run_id != other.spec.run_id
    assert_same_training(one, other, "nli")


@pytest.mark.parametrize(
    ("cap", "batch_size", "half", "rest"),
    [(None, 16, 2, 2), (51, 8, 4, 4), (33, 16, 2, 1), (49, 8, 4, 3)],
    ids=str,
)
def test_a_half_has_half_the_updates_of_both_halves(
    cap: int | None, batch_size: int, half: int, rest: int, run: Run, met: Met
) -> None:
    settings: dict[str, Any] = {"max_train_examples": cap, "batch_size": batch_size}
    apart = run("nli", variant="half", **settings)
    of_half = met.copy()
    met.clear()
    together = run("nli", variant="halves", **settings)
    assert apart.work["steps"] == 3 * half
    assert together.work["steps"] == 3 * (half + rest)
    assert {task for task, _ in of_half} == {"nli"}
    assert sorted(step for step in met if step[0] == "nli") == sorted(of_half)
    examples = cap or SIZES.train
    assert len({row for _, rows in of_half for row in rows}) == examples - examples // 2
    for result in (apart, together):
        assert set(result.outcomes) == {"nli"}
        assert len(result.counts["nli/test"]) == SIZES.test
        assert len(result.counts["nli/dev"]) == SIZES.dev


@pytest.mark.parametrize("target", TARGETS)
def test_both_halves_together_have_all_examples(target: str, run: Run) -> None:
    single, half, halves = (run(target, variant=variant).work for variant in ("plain", "half", "halves"))
    assert halves["pieces"] == single["pieces"]
    assert 0.3 * single["pieces"] < half["pieces"] < 0.7 * single["pieces"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_second_half_updates_the_encoder(target: str, run: Run) -> None:
    half, halves = (run(target, variant=variant) for variant in ("half", "halves"))
    (beside,) = halves.history[0]["loss"].keys() - {target}
    assert halves.history[-1]["loss"][beside] < halves.history[0]["loss"][beside]
    assert [row["loss"][target] for row in halves.history] != [row["loss"][target] for row in half.history]


@pytest.mark.parametrize("variant", ["placebo", "half", "halves", "matched"])
def test_variants_are_reproducible_bit_for_bit_and_depend_on_the_seed(variant: Variant, run: Run) -> None:
    settings: dict[str, Any] = {"variant": variant, "partner": "tag" * (variant == "matched")}
    once = run("sts", **settings)
    torch.manual_seed(7)
    assert_same_training(run("sts", **settings), once, "sts")
    assert run("sts", seed=1, **settings).history[0]["dev"] != once.history[0]["dev"]


def spec(variant: Variant, *, seed: int = 0, **settings: Any) -> RunSpec:
    partner = ("p", "f2") if variant == "matched" else None
    return RunSpec((("t", "f1"),), EncoderRef("tiny", "e1"), seed, Recipe(**settings), variant=variant, partner=partner)


Toy = tuple[dict[str, TaskMeta], dict[str, EncodedSplit]]


@pytest.fixture
def task(make_meta: MakeMeta, make_split: MakeSplit) -> Toy:
    return {"t": make_meta("t", "ner")}, {"t": make_split("ner", n=11)}


def test_a_plain_run_trains_only_its_task(task: Toy) -> None:
    training = training_set_of(spec("plain"), *task)
    assert (training.metas, training.splits) == task
    assert (training.detached, training.batches) == (frozenset(), None)


@pytest.mark.parametrize("variant", ["placebo", "halves"])
def test_an_added_task_has_the_kind_of_its_target_and_a_reserved_name(variant: Variant, task: Toy) -> None:
    metas, train = task
    training = training_set_of(spec(variant), metas, train)
    assert set(training.metas) == set(training.splits)
    (beside,) = set(training.metas) - {"t"}
    assert training.metas[beside] == training.metas["t"] == metas["t"]
    assert training.detached == ({beside} if variant == "placebo" else set())
    assert training.batches is None
    with pytest.raises(ValueError, match="a name has letters"):
        replace(TASKS["nli"], name=beside)


def test_a_placebo_is_a_copy_of_its_target(task: Toy) -> None:
    training = training_set_of(spec("placebo"), *task)
    assert all(split is task[1]["t"] for split in training.splits.values())


def test_halves_depend_on_the_sample_seed_and_not_on_the_run_seed(task: Toy) -> None:
    def ids(variant: Variant, **options: int) -> list[list[str]]:
        return [list(split.ids) for split in training_set_of(spec(variant, **options), *task).splits.values()]

    first, second = ids("halves")
    assert sorted(first + second) == sorted(task[1]["t"].ids)
    assert (len(first), len(second)) == (6, 5)
    assert ids("half") == [first]
    assert ids("halves", seed=1) == [first, second]
    assert ids("half", seed=1) == [first]
    assert ids("halves", sample_seed=1) != [first, second]


@pytest.mark.parametrize("n_partner", [1, 4, 30])
def test_a_compute_matched_run_adds_the_number_of_its_partners_mini_batches(
    n_partner: int, task: Toy, make_split: MakeSplit
) -> None:
    partner = make_split("inference", n=n_partner)
    training = training_set_of(spec("matched", batch_size=4), *task, partner=partner)
    assert (training.metas, training.splits, training.detached) == (*task, frozenset())
    assert training.batches == batches_in_an_epoch({**task[1], "p": partner}, 4) == 3 + -(-n_partner // 4)
