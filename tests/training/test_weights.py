"""Weights of tasks and classes: their formulas by a second way, and the gradient that they give the encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskaffinity.analysis.training_conditions import describe_weights
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import PAPER_REFINE, Recipe
from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.studies.check_balance import check_weights
from taskaffinity.studies.settings import apply_settings, parse, read_settings
from taskaffinity.tasks.task import Kind, Task
from taskaffinity.training.balance import balance, detach_weightless
from taskaffinity.training.export.export import check_has_weight
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.losses import class_loss, weights_of_classes
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.variants import TrainingSet
from taskaffinity.training.weighting import LogVariance, Weighting, log_variances_of

KINDS: dict[str, Kind] = {"a": "inference", "b": "similarity", "c": "ner"}
REFS = {name: (name, f"f-{name}") for name in KINDS}
ENCODER = EncoderRef("tiny", "e0")
RECIPE = Recipe(learning_rate=1e-3, num_train_epochs=2, batch_size=4, head_dropout=0.0)
Setup = Callable[..., tuple[MultiTaskModel, TrainingSet]]


@pytest.fixture
def setup(
    make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta], make_split: Callable[..., EncodedSplit]
) -> Setup:
    """A model without dropout and its training set, balanced by the settings."""
    folder = make_encoder("bert")

    def call(*names: str, **settings: Any) -> tuple[MultiTaskModel, TrainingSet]:
        spec = RunSpec(tuple(REFS[name] for name in names), ENCODER, 0, replace(RECIPE, **settings))
        metas = {name: make_meta(name, KINDS[name]) for name in names}
        splits = {name: make_split(KINDS[name], n=12, seed=i) for i, name in enumerate(names)}
        training = detach_weightless(TrainingSet(metas, splits), spec)
        model = MultiTaskModel(folder, metas, seed=0, head_dropout=0, encoder_dropout=0, detached=training.detached)
        balance(model, training, spec)
        return model, training

    return call


def recipe(**settings: Any) -> Recipe:
    return Recipe(**settings)


def gradient(model: MultiTaskModel) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.encoder.parameters() if p.grad is not None])


@pytest.mark.parametrize(
    ("setting", "given", "kept"),
    [
        ("loss_weight", "{b: 0.5, a: 2, c: 1}", '{"a": 2.0, "b": 0.5}'),
        ("loss_weight", "{a: 1}", None),
        ("class_weights", "balanced", "balanced"),
        ("class_weights", "{b: balanced, a: {yes: 2}}", '{"a": {"yes": 2.0}, "b": "balanced"}'),
    ],
)
def test_weights_have_one_text_wherever_they_come_from(
    setting: str, given: str, kept: str | None, tmp_path: Path
) -> None:
    assert getattr(recipe(**{setting: given}), setting) == kept
    assert getattr(recipe(**{setting: kept}), setting) == kept
    assert getattr(apply_settings(Recipe(), parse([f"{setting}={given}"])), setting) == kept
    (tmp_path / "recipe.yaml").write_text(f"{setting}: {given}\n")
    assert read_recipe(tmp_path / "recipe.yaml").settings == {setting: kept}


def test_weights_may_be_given_as_a_mapping() -> None:
    assert Recipe(loss_weight={"a": 0}).loss_weight == '{"a": 0.0}'  # type: ignore[arg-type]
    assert apply_settings(Recipe(), read_settings({"loss_weight": {"a": 0.5}}).all_stages) == Recipe(
        loss_weight="{a: 0.5}"
    )


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        *(("loss_weight", text) for text in ("half", "{a: -1}", "{a: nan}", "{a: {x: 1}}", "{a", "[a]", "")),
        *(("class_weights", text) for text in ("even", "{a: 2}", "{a: {}}", "{a: {x: 0}}", "{a: {x: much}}")),
    ],
)
def test_other_weights_are_one_line(setting: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{setting}.*; it must be ") as error:
        recipe(**{setting: text})
    assert "\n" not in str(error.value)


def test_settings_that_exclude_each_other_are_refused() -> None:
    refused: tuple[dict[str, Any], ...] = (
        {"loss_weight": "{a: 2}"},
        {"class_weights": "balanced"},
        {"balance": "uncertainty"},
    )
    for settings in refused:
        with pytest.raises(ValueError, match="the paper's protocol has no weights"):
            replace(PAPER_REFINE, **settings)
    with pytest.raises(ValueError, match="balance=uncertainty learns these weights"):
        Recipe(balance="uncertainty", loss_weight="{a: 2}")


def test_a_weight_scales_the_gradient_and_not_the_reported_loss(setup: Setup) -> None:
    plain, training = setup("a", "b")
    weighted, _ = setup("a", "b", loss_weight="{a: 0.25}")
    gradients = []
    for model in (plain, weighted):
        loss = model.loss(make_batch("a", training.splits["a"], np.arange(4)))
        model.weighting("a", loss).backward()
        gradients.append((float(loss.detach()), gradient(model)))
    assert gradients[0][0] == gradients[1][0]
    torch.testing.assert_close(gradients[1][1], 0.25 * gradients[0][1])


def test_a_task_of_weight_0_gives_the_encoder_exactly_no_gradient(setup: Setup) -> None:
    model, training = setup("a", "b", loss_weight="{b: 0}")
    assert training.detached == {"b"}
    loss = model.loss(make_batch("b", training.splits["b"], np.arange(4)))
    model.weighting("b", loss).backward()
    assert all(p.grad is None for p in (*model.encoder.parameters(), *model.heads["a"].parameters()))
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.heads["b"].parameters())
    model, training = setup("b", loss_weight="{b: 0}")  # alone, a weight compares with nothing
    assert training.detached == set()


def test_partners_of_weight_0_leave_the_target_as_it_is_alone(setup: Setup) -> None:
    """Without dropout the target's weights are equal; with dropout, only the masks that are drawn differ."""
    weights = []
    for names, settings in (
        ("a", {}),
        ("ab", {"loss_weight": "{b: 0}"}),
        ("ac", {"loss_weight": "{c: 0}"}),
        ("ab", {}),
    ):
        model, training = setup(*names, **settings)
        list(TrainingLoop(model, training.splits, RECIPE, seed=0).epochs())
        weights.append({**model.encoder.state_dict(), **model.heads["a"].state_dict()})
    alone, *others, trained_by_both = weights
    for other in others:
        assert other.keys() == alone.keys()
        assert all(torch.equal(other[name], alone[name]) for name in alone)
    assert not all(torch.equal(trained_by_both[name], alone[name]) for name in alone)


def plain_formula(losses: torch.Tensor, log_variances: torch.Tensor) -> torch.Tensor:
    """Kendall et al. (2018), equation 7, with one noise for each loss: sigma squared is exp(s)."""
    sigma = log_variances.exp().sqrt()
    return (losses / (2 * sigma**2) + sigma.log()).sum()


def weighted_sums(losses: torch.Tensor, log_variances: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The sum over tasks of a batch's weighted losses, and the gradient of each log variance."""
    names = [str(i) for i in range(len(losses))]
    weighting = Weighting(learned=names)
    for module, value in zip(weighting.log_variances.values(), log_variances, strict=True):
        module.value.data.fill_(float(value))
    total = torch.stack([weighting(name, loss) for name, loss in zip(names, losses, strict=True)]).sum()
    total.backward()
    return total, [parameter.grad for parameter in log_variances_of(weighting) if parameter.grad is not None]


LOSSES, LOG_VARIANCES = [0.3, 1.7, 0.02], [0.4, -1.2, 0.0]


def test_learned_weights_follow_the_formula() -> None:
    losses, free = torch.tensor(LOSSES), torch.tensor(LOG_VARIANCES, requires_grad=True)
    expected = plain_formula(losses, free)
    expected.backward()
    total, gradients = weighted_sums(losses, free.detach())
    assert float(total.detach()) == pytest.approx(float(expected.detach()), abs=1e-6)
    torch.testing.assert_close(torch.cat(gradients), free.grad, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_learned_weights_are_those_of_torchjd() -> None:
    scalarization = pytest.importorskip("torchjd.scalarization")
    losses = torch.tensor(LOSSES)
    theirs = scalarization.UW(len(LOSSES))
    theirs.log_var.data.copy_(torch.tensor(LOG_VARIANCES))
    expected = theirs(losses)
    expected.backward()
    total, gradients = weighted_sums(losses, torch.tensor(LOG_VARIANCES))
    assert float(total.detach()) == pytest.approx(float(expected.detach()), abs=1e-6)
    torch.testing.assert_close(torch.cat(gradients), theirs.log_var.grad, atol=1e-6, rtol=0)


def test_a_log_variance_moves_in_its_own_updates_only_and_is_not_decayed(setup: Setup) -> None:
    model, training = setup("a", "b", balance="uncertainty")
    loop = TrainingLoop(model, training.splits, replace(RECIPE, weight_decay=0.5), seed=0)
    values = dict(zip("ab", log_variances_of(model), strict=True))
    for name in "aabab":
        before = {other: value.item() for other, value in values.items()}
        loop.steps.update(make_batch(name, training.splits[name], np.arange(4)), 0)
        for other, value in values.items():
            assert (value.item() != before[other]) == (other == name)
    group = loop.stepper.optimizer.param_groups[-1]  # type: ignore[union-attr]
    assert (group["weight_decay"], group["params"]) == (0.0, list(values.values()))
    assert max(abs(value.item()) for value in values.values()) > 1e-3  # the encoder's rate would move it by less


def test_both_optimizer_steps_learn_the_same_weights(setup: Setup) -> None:
    learned = []
    for stepper in (None, OnePassStepper):
        model, training = setup("a", "b", balance="uncertainty")
        loop = TrainingLoop(model, training.splits, RECIPE, seed=0)
        if stepper is not None:
            loop.stepper = loop.steps.stepper = stepper(model, RECIPE, loop.stepper.n_steps)
        (_, last) = loop.epochs()
        assert last.log_variances == model.weighting.learned()
        learned.append([value.item() for value in log_variances_of(model)])
    assert learned[1] == pytest.approx(learned[0], rel=1e-3)
    assert all(learned[0])


def test_a_single_task_run_learns_no_weight(setup: Setup) -> None:
    assert not log_variances_of(setup("a", balance="uncertainty")[0])
    assert len(log_variances_of(setup("a", "b", balance="uncertainty")[0])) == 2
    assert isinstance(next(iter(setup("a", "b", balance="uncertainty")[0].weighting.parts)), LogVariance)


@pytest.mark.parametrize("name", ["a", "c"])
def test_class_weights_are_duplicated_examples_in_expected_loss(name: str, setup: Setup) -> None:
    """Weights 3 and 1; the expectation is over the mini-batches of a shuffled pass."""
    plain, training = setup(name)
    split, outputs = training.splits[name], training.metas[name].outputs
    weighted, _ = setup(name, class_weights={name: {outputs[1]: 3}})
    if name == "c":  # targets are words: duplicate them in the loss itself
        batch = make_batch(name, split, np.arange(12))
        raw = plain(batch).detach()
        copies = torch.where(batch.targets == 1, 3, 1)
        expected = torch.nn.functional.cross_entropy(
            raw.repeat_interleave(copies, dim=0), batch.targets.repeat_interleave(copies)
        )
        found = class_loss(raw, batch.targets, weights_of_classes('{"c": {"B-x": 3}}', training.metas[name], split))
        assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
        assert float(weighted.loss(batch).detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
        return
    rows = np.repeat(np.arange(12), np.where(split.targets == 1, 3, 1))
    duplicated = plain.loss(make_batch(name, split, rows))
    duplicated.backward()
    order = np.random.default_rng(0).permutation(12)
    parts = [order[i : i + 4] for i in range(0, 12, 4)]
    mean = torch.stack([weighted.loss(make_batch(name, split, part)) for part in parts]).mean()
    mean.backward()
    assert float(mean.detach()) == pytest.approx(float(duplicated.detach()), rel=1e-5)
    torch.testing.assert_close(gradient(weighted), gradient(plain), rtol=1e-3, atol=1e-6)


def test_balanced_classes_have_the_same_total_weight(setup: Setup) -> None:
    _, training = setup("a", "b", "c")
    split, meta = training.splits["a"], training.metas["a"]
    weights = weights_of_classes("balanced", meta, split)
    assert weights is not None
    counts = np.array([np.sum(split.targets == i) for i in range(3)])
    present = counts > 0
    assert present.sum() > 1
    np.testing.assert_allclose(weights.numpy()[present], 12 / (present.sum() * counts[present]), rtol=1e-6)
    for other in "bc":  # scores have no classes, and tags are balanced by name only
        assert weights_of_classes("balanced", training.metas[other], training.splits[other]) is None
    assert weights_of_classes("{c: balanced}", training.metas["c"], training.splits["c"]) is not None
    assert weights_of_classes(None, meta, split) is None


def study(**settings: Any) -> Study:
    cards = tuple(
        StudiedTask(name, name.upper(), kind, "accuracy", f"f-{name}", {"train": 12}) for name, kind in KINDS.items()
    )
    return Study("toy", cards, ENCODER, Recipe(**settings), (0, 1))


def test_a_run_has_the_weights_of_its_own_tasks() -> None:
    plain = {spec.task_names: spec.run_id for spec in study().plan if spec.seed == 0}

    def changed(**settings: Any) -> set[str]:
        runs = {spec.task_names: spec.run_id for spec in study(**settings).plan if spec.seed == 0}
        return {"".join(names) for names, run_id in runs.items() if run_id != plain[names]}

    assert changed(loss_weight="{a: 0.5}") == {"ab", "ac"}
    assert changed(balance="uncertainty") == {"ab", "ac", "bc"}
    assert changed(class_weights="balanced") == {"a", "ab", "ac"}
    assert changed(class_weights="{c: balanced}") == {"c", "ac", "bc"}


def no_examples(split: str) -> list[Any]:
    return []


TASKS = [
    Task("a", "inference", no_examples, ("no", "yes")),
    Task("b", "similarity", no_examples),
    Task("c", "ner", no_examples, ("x",)),
]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss_weight": "{aa: 2}"}, "loss_weight: no task 'aa'; there are a, b, c; did you mean a"),
        ({"loss_weight": "{a: 0, b: 0}"}, "a, b have the weight 0"),
        ({"class_weights": "{b: balanced}"}, "b is a similarity task"),
        ({"class_weights": "{a: {Yes: 2}}"}, "class_weights of a: no class 'Yes'; there are no, yes"),
        ({"class_weights": "{c: {x: 2}}"}, "no class 'x'; there are O, B-x, I-x"),
    ],
)
def test_weights_of_what_a_study_lacks_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        check_weights(Recipe(**settings), TASKS)
    assert said in str(error.value)


def test_weights_of_what_a_study_has_are_accepted() -> None:
    check_weights(Recipe(loss_weight="{a: 0}", class_weights="{a: {yes: 2}, c: {O: 0.5}}"), TASKS)


def test_the_caption_names_the_weights() -> None:
    assert describe_weights(study()) == ""
    assert describe_weights(study(loss_weight="{a: 0.5, b: 0}")) == (
        "; in pairs, losses have the weights A 0.5, B 0, so B cannot change the encoder (a placebo)"
    )
    assert "uncertainty weighting" in describe_weights(study(balance="uncertainty"))
    assert "classes are balanced" in describe_weights(study(class_weights="balanced"))
    assert "classes of A are weighted" in describe_weights(study(class_weights="{a: {yes: 2}}"))


def test_a_head_beside_an_encoder_that_did_not_learn_its_task_is_not_exported() -> None:
    spec = RunSpec((REFS["a"], REFS["b"]), ENCODER, 0, Recipe(loss_weight="{b: 0}"))
    check_has_weight(spec, "a")
    with pytest.raises(InputError, match="b has the loss weight 0"):
        check_has_weight(spec, "b")
