"""Is the step right? Attention beside fp64, loss and gradients beside a plain padded loop, the same bits twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import torch
from gpu_attention import attention
from gpu_inputs import PAIR, Inputs, Rows
from gpu_plain import PlainModel, precisions
from gpu_report import Row, check, row
from gpu_step import Way

from taskaffinity.training.inputs.batches import make_batch

STAGE = "correctness"
KINDS = ("clinicalsts", "chemprot", "mednli", "bc5cdr-disease")
"""A task of each kind."""
THRESHOLDS = {"fp32": 1e-3, "bf16": 2e-2}
"""Largest relative error of the loss and of all gradients together. On a CPU, BERT of base size has 1e-6 and 9.5e-3."""
STEPS = 8


def correctness(inputs: Inputs, device: str) -> Iterator[Row]:
    """Rows of checks."""
    usual = precisions(device)[0]
    model = inputs.model(device, usual)
    yield row(STAGE, "batches are packed", passed=model.is_packed)
    yield row(STAGE, "the last layer is computed where it is read", passed=model.is_narrow)
    yield from attention(device)
    for precision in precisions(device):
        for task in KINDS:
            yield from _errors(inputs, device, precision, task)
    batches = inputs.batches(PAIR, STEPS)
    if device == "cuda":
        way = Way(inputs, device, usual)
        way.train(batches)
        yield row(STAGE, "steps are captured", passed=way.steps.versions == {"steps": "captured"})
        del way
    for precision in precisions(device):
        first, second = (weights_after(inputs, device, precision, batches) for _ in range(2))
        yield row(STAGE, f"same bits twice, {precision}", task=" + ".join(PAIR), passed=first == second)


def weights_after(inputs: Inputs, device: str, precision: str, batches: Rows) -> str:
    """A hash of all weights after training on these mini-batches, with dropout."""
    way = Way(inputs, device, precision)
    torch.manual_seed(1)
    way.train(batches)
    digest = hashlib.sha256()
    for name, weight in sorted(way.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _errors(inputs: Inputs, device: str, precision: str, task: str) -> Iterator[Row]:
    """Relative errors of the loss and of the gradients of one mini-batch, without dropout."""
    model = inputs.model(device, precision, dropout=0.0)
    [(_, rows)] = inputs.batches([task], 1)
    split = inputs.pruned[task]
    reference = PlainModel(inputs, 0.0, "eager", like=model).to(device).train()
    expected = reference.loss(task, split, rows)
    expected.backward()
    loss = model.loss(make_batch(task, split, rows).to(device))
    loss.backward()
    errors = {"loss": abs(float(loss.detach()) / float(expected.detach()) - 1)}
    errors["gradients"], n_missing = gradient_error(model, reference.named_like(model))
    for name, error in errors.items():
        yield check(STAGE, f"{name}, {precision}", error, THRESHOLDS[precision], unit="relative error", task=task)
    yield check(STAGE, f"gradients of one model alone, {precision}", n_missing, 0, unit="weights", task=task)


def gradient_error(model: torch.nn.Module, reference: Mapping[str, torch.Tensor]) -> tuple[float, int]:
    """The norm of the difference of all gradients, relative to the reference's; how many weights have one in one model.

    A gradient of zeros counts as none.
    """
    difference = total = 0.0
    missing = 0
    for name, weight in model.named_parameters():
        ours, theirs = weight.grad, reference[name].grad
        if ours is None or theirs is None:
            there = ours if theirs is None else theirs
            missing += there is not None and bool(there.any())
            continue
        difference += float((ours.double() - theirs.double()).square().sum())
        total += float(theirs.double().square().sum())
    return (difference / total) ** 0.5 if total else float("nan"), missing
