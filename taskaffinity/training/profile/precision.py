"""The speed of bf16 updates relative to fp32 updates on this machine.

A processor's feature flags do not predict this speed, so a few updates are timed. A processor without bf16 support can
take minutes for one update, so one small matrix product is timed first.
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
from taskaffinity.training.profile.speed import restored_state, timed_update
from taskaffinity.training.setup import setup_run

PAYS = 1.15
"""Speed relative to fp32 from which bf16 is used. Smaller gains could be noise of the trial."""
_PAIRS, _SECONDS = 3, 1.0
"""Timed pairs of updates; more pairs until the timed seconds are reached too."""
_CLEAR_SECONDS = 0.5
_CLEAR_MARGINS = {1: 1.25, 2: 1.1}
"""Factors by which the timed pairs all lie on one side of ``PAYS``, if so few decide in these seconds."""
_WIDTH, _PRODUCTS = 512, 5
"""Width of the square matrices in the first test, and the number of timed products."""
_PRECISIONS: tuple[Literal["bf16"] | None, ...] = (None, "bf16")


def products_in_bf16() -> float:
    """Speed of bf16 matrix products relative to fp32 on this processor, with the current number of threads.

    The median of a few pairs. The first pair is not timed.
    """
    pairs = [(_product(torch.float32), _product(torch.bfloat16)) for _ in range(_PRODUCTS + 1)]
    return statistics.median(fp32 / bf16 for fp32, bf16 in pairs[1:])


def times_in_bf16(spec: RunSpec, *, encoder_folder: Path, cache: Path) -> float:
    """Speed of bf16 updates relative to fp32: the median over mini-batches, each timed in both.

    The longest examples come first and are not timed: a whole mini-batch of them on a GPU, so that its memory is
    allocated, and a quarter of one on a CPU. Nothing is stored. If bf16 matrix products are slower than fp32
    ones on this processor, their relative speed is returned and no update is timed.

    Parameters
    ----------
    spec : RunSpec
        A single-task run with the study's recipe. Its precision is ignored.

    Raises
    ------
    MemoryError, torch.OutOfMemoryError
        As a run would.
    """
    with restored_state(spec.recipe):
        if spec.recipe.device == "cpu" and (ratio := products_in_bf16()) < 1:
            return ratio
        setup = setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=())
        model, size = setup.model, spec.recipe.batch_size
        [(name, split)] = setup.training.splits.items()
        stepper = stepper_of(model, spec.recipe, 10_000)
        model.train()
        rng = np.random.default_rng(0)
        ratios: list[float] = []
        untimed = size if spec.recipe.device == "cuda" else max(1, size // 4)
        rows, spent = np.argsort(np.diff(split.bounds))[-untimed:], 0.0
        while not _is_enough(ratios[1:], spent):
            seconds = {}
            for precision in _PRECISIONS[:: 1 if len(ratios) % 2 else -1]:  # the order alternates
                model.precision = precision
                seconds[precision], _ = timed_update(model, stepper, name, split, rows, spec.recipe.device)
            ratios.append(seconds[None] / seconds["bf16"])
            spent += sum(seconds.values()) if len(ratios) > 1 else 0.0
            rows = rng.choice(split.n_rows, min(size, split.n_rows), replace=False)
        return statistics.median(ratios[1:])


def _is_enough(ratios: list[float], spent: float) -> bool:
    """Whether these timed pairs decide: enough of them, or fewer that clearly agree."""
    if len(ratios) >= _PAIRS and spent >= _SECONDS:
        return True
    if not ratios or spent < _CLEAR_SECONDS:
        return False
    margin = _CLEAR_MARGINS.get(len(ratios), min(_CLEAR_MARGINS.values()))
    return min(ratios) >= PAYS * margin or max(ratios) <= PAYS / margin


def _product(dtype: torch.dtype) -> float:
    """Seconds of one matrix product."""
    square = torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    began = time.perf_counter()
    torch.mm(square, square)
    return time.perf_counter() - began
