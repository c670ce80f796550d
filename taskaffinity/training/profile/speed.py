"""Measure the speed of training and prediction on this machine, from a few steps per task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.sampling import examples_in_an_epoch
from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.checkpoint import shared_weights
from taskaffinity.training.execute import peak_memory_mib
from taskaffinity.training.gpu import gpu_peak_mib
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.loop import stepper_of, steps_of
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import full_weights
from taskaffinity.training.outputs import has_probabilities
from taskaffinity.training.prediction import predict
from taskaffinity.training.profile.hardware import share_of_gpu
from taskaffinity.training.setup import RunSetup, setup_run
from taskaffinity.training.updates.captured import LEAST, CapturedSteps
from taskaffinity.training.updates.cuda_graphs import CudaGraphs
from taskaffinity.training.updates.steps import AnyStepper, Steps

_STEPS, _SECONDS, _ALL_SECONDS = 2, 0.5, 10.0
"""Smallest number of timed updates of each task, smallest seconds of each task, and seconds that all tasks share."""
_SCORED = 64
"""Largest number of predicted examples."""


def timed(spec: RunSpec, *, encoder_folder: Path, cache: Path) -> CostModel:
    """Time a few mini-batches and predictions of each task of ``spec``; nothing is stored.

    The largest mini-batch comes first and is not timed. Times are per token, because mini-batches differ in length.

    Parameters
    ----------
    spec : RunSpec
        A run of all tasks with the study's recipe, from the encoder.

    Raises
    ------
    MemoryError, torch.OutOfMemoryError
        As a run would.
    """
    with restored_state(spec.recipe):
        began = time.perf_counter()
        setup = setup_run(spec, encoder_folder=encoder_folder, cache=cache)
        load = time.perf_counter() - began
        recipe, model = spec.recipe, setup.model
        stored = shared_weights(model, full_weights(model), setup.token_ids)  # with the rows of a pruned table only
        train, n_steps, epoch = setup.training.splits, 0, {}
        steps = steps_of(model, stepper_of(model, recipe, 10_000), train, train, make_graphs=CudaGraphs)
        of_each = min(_SECONDS, _ALL_SECONDS / len(train))
        for name, split in train.items():
            took, tokens, n = _train(steps, name, split, recipe, of_each)
            share = examples_in_an_epoch(split.n_units, recipe.sampling) / split.n_units
            n_steps, epoch[name] = n_steps + n, took / tokens * len(split.tokens) * share
        steps.close()
        model.set_precision(recipe.precision)
        dev = {name: _score(setup, name, split, recipe.device) for name, split in setup.splits["dev"].items()}
        model.set_precision(None)
        test = {
            name: sum(_score(setup, name, split, recipe.device) for split in of.values())
            for name, of in setup.tests.items()
        }
        n_test = {name: sum(split.n_examples for split in of.values()) for name, of in setup.tests.items()}
        return CostModel(
            epoch=epoch,
            dev=dev,
            test=test,
            load=load,
            steps=n_steps,
            scored={name: split.n_examples + n_test[name] for name, split in setup.splits["dev"].items()},
            parameters=sum(weight.nbytes for weight in stored.values()) // 4,
            memory_mib=gpu_peak_mib() if recipe.device == "cuda" else peak_memory_mib(),
            attention="packed" if model.is_packed else "padded",
            device=recipe.device,
            gpu_share=_gpu_share() if recipe.device == "cuda" else None,
            gpu=torch.cuda.get_device_name() if recipe.device == "cuda" else None,
            probabilities={
                name: n_test[name] * len(meta.outputs)
                for name, meta in setup.metas.items()
                if has_probabilities(meta.kind)
            },
        )


def _train(
    steps: Steps, name: str, split: EncodedSplit, recipe: Recipe, least_seconds: float
) -> tuple[float, int, int]:
    """Return the seconds, the tokens and the number of the timed updates.

    Captured steps belong to fixed mini-batches, which are timed repeatedly.
    """
    steps.model.train()
    largest = split.rows_of(np.argsort(split.unit_lengths)[-recipe.batch_size :])
    rng = np.random.default_rng(0)
    size = min(recipe.batch_size, split.n_units)
    some = [split.rows_of(rng.choice(split.n_units, size, replace=False)) for _ in range(_STEPS)]
    steps.prepare([(name, rows) for rows in (largest, *some)] * LEAST)
    list(steps.run([(name, largest)]))
    _wait(recipe.device)
    spent, tokens, n = 0.0, 0, 0
    while n < _STEPS or spent < least_seconds:
        is_drawn = n >= _STEPS and not isinstance(steps, CapturedSteps)
        rows = split.rows_of(rng.choice(split.n_units, size, replace=False)) if is_drawn else some[n % _STEPS]
        began = time.perf_counter()
        [done] = steps.run([(name, rows)])
        _wait(recipe.device)
        spent, tokens, n = spent + time.perf_counter() - began, tokens + done.n_tokens, n + 1
    return spent, tokens, n


def timed_update(
    model: MultiTaskModel,
    stepper: AnyStepper,
    name: str,
    split: EncodedSplit,
    rows: IntArray,
    device: str,
) -> tuple[float, int]:
    """Return the seconds of an update on these rows, and their number of tokens."""
    began = time.perf_counter()
    batch = make_batch(name, split, rows).to(device)
    loss = model.loss(batch)
    loss.backward()
    stepper.step()
    _wait(device)
    return time.perf_counter() - began, len(batch.tokens)


def _score(setup: RunSetup, name: str, split: EncodedSplit, device: str) -> float:
    """Return the expected seconds to predict a split of a task, from a sample of it."""
    some = split.sample(_SCORED, 0)
    began = time.perf_counter()
    predict(setup.model, setup.metas[name], some, device=device)
    return (time.perf_counter() - began) / max(1, len(some.tokens)) * len(split.tokens)


def _gpu_share() -> float:
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return share_of_gpu(gpu_peak_mib(), total / 2**20)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


@contextmanager
def restored_state(recipe: Recipe) -> Iterator[None]:
    """Set the recipe's threads; restore torch's threads and random state at the end.

    The state of other GPUs is not read, because that would open each of them.
    """
    before = torch.get_num_threads()
    with torch.random.fork_rng([torch.cuda.current_device()] if recipe.device == "cuda" else []):
        torch.set_num_threads(recipe.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
