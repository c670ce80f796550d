"""Whether 16 bits pay on this machine, by a few updates made in 32 bits and in 16 in turn.

What a processor says that it has tells too little: of two with AVX512-BF16 and without AMX, one halved its pace with
16 bits, the other went 1.7 times as fast. One that has neither took four minutes over eight updates of six layers: a
small product shows that first.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.loop import stepper_of
from taskaffinity.training.profile.speed import left_as_it_was, timed_update
from taskaffinity.training.setup import setup_run

PAYS = 1.15
"""How many times as fast 16 bits must have been to be worth what they move: less could be the trial's noise."""
_PAIRS, _SECONDS = 3, 1.0
"""Updates in each precision, and more while they are quick."""
_WIDTH, _PRODUCTS = 512, 5
"""Of the square matrices whose product is tried first, and how often."""
_PRECISIONS: tuple[Literal["bf16"] | None, ...] = (None, "bf16")


def products_in_bf16() -> float:
    """How many times as fast matrix products are in 16 bits as in 32 on this processor, with torch's threads as they
    are: the median of a few, made in turn; the first of each is not timed."""
    pairs = [(_product(torch.float32), _product(torch.bfloat16)) for _ in range(_PRODUCTS + 1)]
    return statistics.median(in_32 / in_16 for in_32, in_16 in pairs[1:])


def times_in_bf16(spec: RunSpec, *, encoder_folder: Path, cache: Path) -> float:
    """How many times as fast updates are in 16 bits as in 32: the median over mini-batches, each taken in both.

    The largest mini-batch goes first, in both, and is not timed. Nothing is kept. On a processor whose matrix products
    are no faster in 16 bits, no update can be: there it is theirs, and no update is tried.

    Parameters
    ----------
    spec : RunSpec
        Of one task, by the study's recipe; its own precision does not matter.

    Raises
    ------
    MemoryError, torch.OutOfMemoryError
        As a run would.
    """
    with left_as_it_was(spec.recipe):
        if spec.recipe.device == "cpu" and (times := products_in_bf16()) < 1:
            return times
        ready = setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=())
        model, size = ready.model, spec.recipe.batch_size
        [(name, split)] = ready.company.train.items()
        stepper = stepper_of(model, spec.recipe, 10_000)
        model.train()
        rng = np.random.default_rng(0)
        ratios: list[float] = []
        rows, spent = np.argsort(np.diff(split.bounds))[-size:], 0.0
        while len(ratios) <= _PAIRS or spent < _SECONDS:
            seconds = {}
            for precision in _PRECISIONS[:: 1 if len(ratios) % 2 else -1]:  # neither always comes first
                model.precision = precision
                seconds[precision], _ = timed_update(model, stepper, name, split, rows, spec.recipe.device)
            ratios.append(seconds[None] / seconds["bf16"])
            spent += sum(seconds.values()) if len(ratios) > 1 else 0.0
            rows = rng.choice(split.n_rows, min(size, split.n_rows), replace=False)
        return statistics.median(ratios[1:])


def _product(dtype: torch.dtype) -> float:
    """Seconds of one."""
    square = torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    began = time.perf_counter()
    torch.mm(square, square)
    return time.perf_counter() - began
