"""The optimizer step, compared with the formula in numpy."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._inductor import config

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.adamax import Adamax, StepTensors, update_at_once
from taskaffinity.training.optim.compiled import _compiled_and_tried, compiled, is_equal
from taskaffinity.training.optim.one_pass import UPDATES, OnePassStepper, full_weights
from taskaffinity.training.optim.optimizer import Stepper, decayed_parameters, learning_rate

RECIPE = Recipe(learning_rate=0.05, weight_decay=0.1, max_grad_norm=1.0)
N_STEPS = 20
of_both = pytest.mark.parametrize("kind", [Stepper, OnePassStepper], ids=["cpu", "gpu"])


class Toy(nn.Module):
    """A weight, its bias, and a layer norm."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 2)
        self.norm = nn.LayerNorm(3)


def gradients(step: int, missing: tuple[str, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(step)
    shapes = {"linear.weight": (2, 3), "linear.bias": (2,), "norm.weight": (3,), "norm.bias": (3,)}
    drawn = {name: rng.normal(0, 2, shape) for name, shape in shapes.items()}
    return {name: value for name, value in drawn.items() if name not in missing}


def rate(step: int, n_steps: int, warmup: int, peak: float) -> float:
    """Two lines through (-1, 0), (warmup - 1, peak), (warmup, peak), (n_steps, 0)."""
    return float(np.interp(step, [-1, warmup - 1, warmup, n_steps], [0, peak, peak, 0]))


def by_the_formula(optimizer: str, n: int, missing: Callable[[int], tuple[str, ...]]) -> dict[str, np.ndarray]:
    weights = {name: p.detach().double().numpy().copy() for name, p in Toy().named_parameters()}
    first = {name: np.zeros_like(w) for name, w in weights.items()}
    second = {name: np.zeros_like(w) for name, w in weights.items()}
    own_steps = dict.fromkeys(weights, 0)
    for step in range(n):
        found = gradients(step, missing(step))
        norm = np.sqrt(sum((g**2).sum() for g in found.values()))
        lr = rate(step, N_STEPS, 2, RECIPE.learning_rate)
        for name, g in found.items():
            g = g * min(1.0, RECIPE.max_grad_norm / norm)
            own_steps[name] += 1
            t = own_steps[name]
            first[name] = 0.9 * first[name] + 0.1 * g
            if optimizer == "adamax":
                second[name] = np.maximum(0.999 * second[name], np.abs(g))
                direction = first[name] / (1 - 0.9**t) / second[name]
            else:
                second[name] = 0.999 * second[name] + 0.001 * g**2
                direction = first[name] / (1 - 0.9**t) / np.sqrt(second[name] / (1 - 0.999**t))
            decay = RECIPE.weight_decay if name == "linear.weight" else 0.0
            weights[name] = weights[name] - lr * (direction + decay * weights[name])
    return weights


@of_both
@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
@pytest.mark.parametrize(
    "missing",
    [lambda step: (), lambda step: ("linear.weight", "norm.bias") if step % 3 == 1 else ()],
    ids=["all", "some have none"],
)
def test_the_step_equals_the_formula(optimizer: str, missing: Callable[[int], tuple[str, ...]], kind: Any) -> None:
    toy = Toy()
    recipe = Recipe(**{**vars(RECIPE), "optimizer": optimizer})
    stepper = kind(toy, recipe, N_STEPS)
    for step in range(N_STEPS):
        found = gradients(step, missing(step))
        for name, parameter in toy.named_parameters():
            parameter.grad = torch.tensor(found[name], dtype=torch.float32) if name in found else None
        stepper.step()
        assert all(parameter.grad is None for parameter in toy.parameters())
    for name, expected in by_the_formula(optimizer, N_STEPS, missing).items():
        np.testing.assert_allclose(toy.get_parameter(name).detach().numpy(), expected, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_a_small_gradient_is_not_scaled_up(optimizer: str) -> None:
    """Below the norm of 1 a tenth of the gradient gives a tenth of the momentum."""
    momentum = []
    for scale in (1e-2, 1e-3):
        toy = Toy()
        for parameter in toy.parameters():
            parameter.grad = torch.full_like(parameter, scale)
        stepper = Stepper(toy, Recipe(**{**vars(RECIPE), "optimizer": optimizer}), N_STEPS)
        stepper.step()
        state = stepper.optimizer.state[toy.linear.weight]
        momentum.append(float(state["m" if optimizer == "adamax" else "exp_avg"].max()))
    assert momentum == pytest.approx([1e-3, 1e-4], rel=1e-5)


@pytest.mark.parametrize("scale", [None, 2.5])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_both_adamax_updates_equal_torch_without_decay(scale: float | None, decay: float) -> None:
    """Over tensors that are larger than the cache's share, and moved in some steps only."""
    torch.manual_seed(0)
    start = [torch.randn(shape) for shape in ((300, 257), (7,), (2**15,), (1, 1))]
    ours, at_once, theirs = ([nn.Parameter(w.clone()) for w in start] for _ in range(3))
    moving = Adamax([{"params": ours, "weight_decay": decay}], lr=0.01)
    stock = torch.optim.Adamax(theirs, lr=0.01)
    states = [(torch.zeros_like(w), torch.zeros_like(w)) for w in start]
    divisor = None if scale is None else torch.tensor(scale)
    moving.grad_scale = divisor
    for t in range(1, 6):
        for number, w in enumerate(start):
            gradient = torch.randn_like(w)
            ours[number].grad, theirs[number].grad = gradient.clone(), gradient / (scale or 1.0)
            first, second = states[number]
            rate = 0.01 / (1 - 0.9**t)
            tensors = StepTensors([at_once[number].detach()], [gradient], [first], [second])
            update_at_once(tensors, divisor, rate, 0.01 * decay, (0.9, 0.999), 1e-8)
        with torch.no_grad():
            for weight in theirs:
                weight.mul_(1 - 0.01 * decay)
        moving.step()
        stock.step()
    for mine, other, stocks in zip(ours, at_once, theirs, strict=True):
        torch.testing.assert_close(mine, stocks, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(other, stocks, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("n_steps", "ratio", "warmup"), [(50, 0.1, 5), (20, 0.1, 2), (7, 0.5, 4), (9, 0.0, 1), (1, 0.1, 1)]
)
def test_the_learning_rate_warms_up_and_decays_linearly(n_steps: int, ratio: float, warmup: int) -> None:
    recipe = Recipe(learning_rate=0.2, warmup_ratio=ratio)
    rates = [learning_rate(recipe, step, n_steps) for step in range(n_steps)]
    np.testing.assert_allclose(rates, [rate(step, n_steps, warmup, 0.2) for step in range(n_steps)])
    assert max(rates) == pytest.approx(0.2)
    assert min(rates) > 0


def test_an_uncounted_step_has_the_learning_rate_of_the_next_counted_step() -> None:
    toy, rates = Toy(), []
    stepper = Stepper(toy, RECIPE, N_STEPS)
    counting = np.random.default_rng(0).random(3 * N_STEPS) < 1 / 3
    assert 5 < counting.sum() < N_STEPS
    for step, counts in enumerate(counting):
        for name, value in gradients(step, ()).items():
            toy.get_parameter(name).grad = torch.tensor(value, dtype=torch.float32)
        stepper.step(counts=bool(counts))
        rates.append(stepper.optimizer.param_groups[0]["lr"])
    counted_before = [sum(counting[:step]) for step in range(len(counting))]
    np.testing.assert_allclose(rates, [rate(n, N_STEPS, 2, RECIPE.learning_rate) for n in counted_before])
    assert stepper.step_number == counting.sum()


@of_both
@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_uncounted_steps_of_another_part_have_no_effect(optimizer: str, kind: Any) -> None:
    """As if they had not been: of momentum, decay and rate."""
    found = []
    for has_others in (False, True):
        toy = Toy()
        stepper = kind(toy, Recipe(**{**vars(RECIPE), "optimizer": optimizer}), N_STEPS)
        for step in range(N_STEPS):
            for name, value in gradients(step, ("norm.weight", "norm.bias")).items():
                toy.get_parameter(name).grad = torch.tensor(value, dtype=torch.float32)
            stepper.step()
            for _ in range(has_others * (step % 3)):
                toy.norm.weight.grad = torch.full((3,), 100.0)
                stepper.step(counts=False)
        found.append({name: parameter.detach() for name, parameter in toy.named_parameters()})
    for name in ("linear.weight", "linear.bias", "norm.bias"):
        assert torch.equal(found[0][name], found[1][name]), name
    assert not torch.equal(found[0]["norm.weight"], found[1]["norm.weight"])


@of_both
@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_without_a_gradient_weights_decay_and_biases_and_layer_norms_do_not(optimizer: str, kind: Any) -> None:
    toy = Toy()
    before = {name: parameter.detach().clone() for name, parameter in toy.named_parameters()}
    for parameter in toy.parameters():
        parameter.grad = torch.zeros_like(parameter)
    kind(toy, Recipe(**{**vars(RECIPE), "optimizer": optimizer}), 1).step()
    for name, parameter in toy.named_parameters():
        shrunk = 1 - 0.05 * 0.1 if name == "linear.weight" else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * shrunk)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_only_matrices_of_an_encoder_decay(
    architecture: str, make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta]
) -> None:
    model = MultiTaskModel(make_encoder(architecture), {"t": make_meta("t", "inference")}, seed=0, packed=False)
    decayed = {id(parameter) for parameter in decayed_parameters(model)}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in decayed) == (parameter.dim() == 2), name
    assert len(decayed) == len(decayed_parameters(model))


@of_both
@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_a_tagging_step_does_not_change_other_heads_or_the_pooler(
    optimizer: str,
    kind: Any,
    make_encoder: Callable[..., Path],
    make_meta: Callable[..., TaskMeta],
    make_split: Callable[..., EncodedSplit],
) -> None:
    kinds = {"a": "inference", "b": "ner", "c": "similarity"}
    model = MultiTaskModel(make_encoder("bert"), {n: make_meta(n, of) for n, of in kinds.items()}, seed=0)
    stepper = kind(model, Recipe(**{**vars(RECIPE), "optimizer": optimizer}), N_STEPS)

    def moved_by(name: str) -> set[str]:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        model.loss(make_batch(name, make_split(kinds[name]), np.arange(12))).backward()
        stepper.step()
        changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
        heads = dict(zip(map(str, range(3)), model.heads, strict=True))
        return {heads[key.split(".")[1]] if key.startswith("parts") else key.split(".")[0] for key in changed}

    assert moved_by("a") == {"encoder", "pooler", "a"}
    assert moved_by("c") == {"encoder", "pooler", "c"}
    assert moved_by("b") == {"encoder", "b"}
    assert moved_by("a") == {"encoder", "pooler", "a"}


def test_a_tied_weight_decays_once() -> None:
    toy = Toy()
    toy.again = nn.Linear(3, 2, bias=False)
    toy.again.weight = toy.linear.weight
    assert [id(weight) for weight in decayed_parameters(toy)] == [id(toy.linear.weight)]


@pytest.mark.parametrize("kind", ["ner", "inference"])
def test_bf16_weights_change_no_product_and_no_gradient(
    kind: str,
    make_encoder: Callable[..., Path],
    make_meta: Callable[..., TaskMeta],
    make_split: Callable[..., EncodedSplit],
) -> None:
    """Autocast rounds fp32 weights in each step; weights that are rounded already give the same bits."""
    found = []
    for has_halves in (False, True):
        model = MultiTaskModel(make_encoder("bert"), {"t": make_meta("t", kind)}, seed=0)
        model.precision = "bf16"
        before = {name: value.clone() for name, value in model.state_dict().items()}
        if has_halves:
            OnePassStepper(model, RECIPE, N_STEPS)
            assert {value.dtype for value in model.state_dict().values()} == {torch.float32, torch.bfloat16}
            assert model.masters
            assert all(torch.equal(value, before[name]) for name, value in full_weights(model).items())
        torch.manual_seed(3)
        loss = model.loss(make_batch("t", make_split(kind), np.arange(12)))
        loss.backward()
        gradients = {name: p.grad.float() for name, p in model.named_parameters() if p.grad is not None}
        found.append((loss.detach(), gradients))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
def test_a_continued_optimizer_takes_the_same_steps_with_bf16_weights(optimizer: str) -> None:
    """Over the state that a checkpoint has: the weights and the optimizer's."""

    def steps_of(toy: Any, stepper: OnePassStepper, numbers: range) -> None:
        for step in numbers:
            for name, value in gradients(step, ("norm.bias",) if step % 2 else ()).items():
                parameter = toy.get_parameter(name)
                parameter.grad = torch.tensor(value).to(parameter.dtype)
            stepper.step()

    recipe, states = Recipe(**{**vars(RECIPE), "optimizer": optimizer}), []
    whole, first, second = Toy(), Toy(), Toy()
    for toy in (whole, first, second):
        toy.precision = "bf16"
    steppers = [OnePassStepper(toy, recipe, N_STEPS) for toy in (whole, first, second)]
    steps_of(whole, steppers[0], range(9))
    steps_of(first, steppers[1], range(5))
    steppers[2].load_state_dict({name: value.clone() for name, value in steppers[1].state_dict().items()})
    with torch.no_grad():
        for name, parameter in second.named_parameters():
            parameter.copy_(first.get_parameter(name))
    steps_of(second, steppers[2], range(5, 9))
    states = [full_weights(toy) for toy in (whole, second)]
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)
    for name, values in states[0].items():  # what is rounded is the fp32 value
        torch.testing.assert_close(whole.state_dict()[name], values.to(whole.state_dict()[name].dtype), rtol=0, atol=0)


@pytest.mark.parametrize("update", UPDATES.values())
def test_a_compiled_update_is_used_only_if_it_is_right(update: Any) -> None:
    def without_decay(p: Any, g: Any, m: Any, u: Any, rates: Any, share: Any) -> None:
        update(p, g, m, u, rates * torch.tensor([1.0, 0.0, 1.0]), share)

    assert is_equal(update, update, "cpu")
    assert not is_equal(update, without_decay, "cpu")


def test_compiled_code_lies_in_the_users_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an update that cannot be compiled here is taken as it is, with a line on stderr."""
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCHINDUCTOR_COMPILE_THREADS", raising=False)
    monkeypatch.setattr(config, "compile_threads", 8)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr(torch, "compile", lambda update, **_: update)  # which then finds no GPU
    update = UPDATES["adamax"]
    assert compiled(update, torch.device("cpu")) is update
    said = io.StringIO()
    with redirect_stderr(said):
        assert _compiled_and_tried.__wrapped__(update) is update
    assert said.getvalue().startswith("optimizer: the update is not compiled on this GPU (")
    assert config.compile_threads == 1  # in this process
    folder = Path(os.environ.pop("TORCHINDUCTOR_CACHE_DIR"))
    assert folder.is_relative_to(tmp_path / "cache")
    assert folder.stat().st_mode & 0o777 == 0o700
