"""Measure the speed of bf16 updates relative to fp32 updates on this machine.

A processor's feature flags do not predict this speed, so a few updates are timed. A processor without bf16 support can
take minutes for one update, so one small matrix product is timed first.

On a GPU nothing is timed. A few updates without captured steps would show how fast the CPU starts kernels, not how fast
the GPU multiplies.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.loop import stepper_of
from taskaffinity.training.profile.speed import restored_state, timed_update
from taskaffinity.training.setup import setup_run

PAYS = 1.15
"""Smallest speed relative to fp32 at which bf16 is used. Smaller gains could be noise of the trial."""
_PAIRS, _SECONDS = 3, 1.0
"""Pairs of timed updates, and seconds. So many pairs decide if all are on one side of ``PAYS``, or if the machine is
idle."""
_CLEAR_SECONDS = 0.5
_CLEAR_MARGINS = {1: 1.25, 2: 1.0}
"""On an idle machine, number of timed pairs -> factor by which all must be on one side of ``PAYS`` to decide early.

After two pairs on one side, the median of three is on that side.
"""
_BF16_SINCE = 8, 0
"""Compute capability of the first GPUs (A100) with bf16 matrix products, and with torch's attention in bf16."""
_UNTIMED_SHARE = 8
"""The untimed update has the longest examples, a mini-batch divided by this."""
_BUSY_PAIRS, _MOST_PAIRS, _MOST_SECONDS = 9, 21, 30.0
"""Smallest and largest number of timed pairs on a busy machine, and the seconds after which no more pairs are timed."""
_AGREE = 0.8
"""Share of the timed pairs on one side of ``PAYS`` that decides on a busy machine."""
_IDLE_SHARE = 0.9
"""Smallest share of a processor that a process gets on an idle machine."""
_LOADAVG, _LOOKS, _PAUSE = Path("/proc/loadavg"), 9, 0.01
"""File with the number of running threads on Linux, number of reads, and seconds before each read."""
_WIDTH, _PRODUCTS = 512, 5
"""Width of the square matrices in the first test, and the number of timed products."""
_clock, _own_clock = time.perf_counter, time.process_time
_PRECISIONS: tuple[Literal["bf16"] | None, ...] = (None, "bf16")


@dataclass(frozen=True)
class Trial:
    """Speed of bf16 relative to fp32 on this machine."""

    times: float
    """Median over the timed pairs."""
    low: float
    high: float
    """The lowest and the highest pair."""
    decides: bool = True
    """False if a busy machine disturbs the trial too much for a decision."""
    gpu_has_bf16: bool | None = None
    """Whether the GPU multiplies in bf16, which decides without timed updates; None on a CPU."""

    @classmethod
    def of(cls, ratios: Sequence[float], *, is_busy: bool) -> Self:
        """Summarize the pairs."""
        return cls(statistics.median(ratios), min(ratios), max(ratios), not is_busy or _agree(ratios))

    @classmethod
    def of_gpu(cls) -> Self:
        """Return what decides on this machine's GPU.

        Raises
        ------
        RuntimeError
            If there is none.
        """
        return cls(1.0, 1.0, 1.0, gpu_has_bf16=torch.cuda.get_device_capability() >= _BF16_SINCE)


def products_in_bf16() -> float:
    """Return the speed of bf16 matrix products relative to fp32 on this processor.

    It is the median of a few pairs, with the current number of threads. The first pair is not timed.
    """
    pairs = [(_product(torch.float32), _product(torch.bfloat16)) for _ in range(_PRODUCTS + 1)]
    return statistics.median(fp32 / bf16 for fp32, bf16 in pairs[1:])


def times_in_bf16(spec: RunSpec, *, encoder_folder: Path, cache: Path) -> Trial:
    """Return the speed of bf16 updates relative to fp32; on a GPU, whether it multiplies in bf16.

    It is the median over mini-batches, each timed in both precisions.

    The time of this process is used, not the clock, because other processes take turns. A busy machine is timed longer,
    until most pairs agree.

    The longest examples come first and are not timed: an eighth of a mini-batch. Nothing is stored. If bf16 matrix
    products are slower than fp32 ones on this processor, their relative speed is returned and no update is timed.

    Parameters
    ----------
    spec : RunSpec
        A single-task run with the study's recipe. Its precision is ignored.

    Raises
    ------
    MemoryError
        As a run would.
    RuntimeError
        If a GPU is missing.
    """
    if spec.recipe.device == "cuda":
        return Trial.of_gpu()
    with restored_state(spec.recipe):
        if (ratio := products_in_bf16()) < 1:
            return Trial(ratio, ratio, ratio)
        setup = setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=())
        model, size = setup.model, spec.recipe.batch_size
        [(name, split)] = setup.training.splits.items()
        model.precision = None  # weights in fp32 serve both precisions
        stepper = stepper_of(model, spec.recipe, 10_000)
        model.train()
        rng = np.random.default_rng(0)
        ratios: list[float] = []
        untimed = max(1, size // _UNTIMED_SHARE)
        rows, watch = split.rows_of(np.argsort(split.unit_lengths)[-untimed:]), _Watch()
        while not _is_enough(ratios[1:], watch.spent, is_busy=watch.is_busy):
            seconds = {}
            for precision in _PRECISIONS[:: 1 if len(ratios) % 2 else -1]:  # the order alternates
                model.precision = precision
                seconds[precision] = watch.time(
                    partial(timed_update, model, stepper, name, split, rows, spec.recipe.device)
                )
            ratios.append(seconds[None] / seconds["bf16"])
            if len(ratios) == 1:
                watch.restart()
            rows = split.rows_of(rng.choice(split.n_units, min(size, split.n_units), replace=False))
        return Trial.of(ratios[1:], is_busy=watch.is_busy)


class _Watch:
    """Times updates, and detects disturbance by other processes.

    A machine is busy if all processes together want more processors than it has, or if this process did not get the
    share of a processor that it wanted.
    """

    def __init__(self) -> None:
        self.is_busy = _is_wanted_elsewhere()
        self.spent = 0.0
        """Seconds of the clock since the last ``restart``."""

    def time(self, update: Callable[[], object]) -> float:
        """Return the seconds of an update: the time of this process."""
        began, began_here = _clock(), _own_clock()
        update()
        seconds, seconds_here = _clock() - began, _own_clock() - began_here
        self.spent += seconds
        self.is_busy |= seconds_here < _IDLE_SHARE * seconds
        return seconds_here

    def restart(self) -> None:
        """Reset the measured time."""
        self.spent = 0.0


def _is_enough(ratios: Sequence[float], spent: float, *, is_busy: bool) -> bool:
    """Return whether these timed pairs decide: enough of them, or fewer that clearly agree.

    A busy machine needs more pairs.
    """
    if is_busy:
        is_over = len(ratios) >= _MOST_PAIRS or spent >= _MOST_SECONDS
        return len(ratios) >= _BUSY_PAIRS and spent >= _SECONDS and (is_over or _agree(ratios))
    if len(ratios) >= _PAIRS and spent >= _SECONDS:
        return True
    if not ratios or spent < _CLEAR_SECONDS:
        return False
    margin = _CLEAR_MARGINS.get(len(ratios), 1.0)
    return min(ratios) >= PAYS * margin or max(ratios) <= PAYS / margin


def _agree(ratios: Sequence[float]) -> bool:
    """Return whether most pairs are on one side of ``PAYS``."""
    share = sum(ratio >= PAYS for ratio in ratios) / len(ratios)
    return max(share, 1 - share) >= _AGREE


def _is_wanted_elsewhere() -> bool:
    """Return whether other processes leave fewer processors than this process has threads."""
    others = _others()
    return others >= 1 and others + torch.get_num_threads() > (os.cpu_count() or 1)


def _others() -> float:
    """Return how many threads of other processes run or wait now, the median of a few reads.

    If the system does not provide this number, as on macOS, it is the average of the last minute, or 0. The average is
    not used on Linux, because it stays high for a minute after the work ended.
    """
    try:
        return statistics.median(_running() for _ in range(_LOOKS)) - 1  # without this thread
    except (OSError, ValueError, IndexError):
        pass
    try:
        return max(0.0, os.getloadavg()[0] - 1)
    except (OSError, AttributeError):
        return 0.0


def _running() -> int:
    """Return the threads that run or wait on the machine, from Linux's ``/proc/loadavg``."""
    time.sleep(_PAUSE)
    return int(_LOADAVG.read_text(encoding="ascii").split()[3].split("/")[0])


def _product(dtype: torch.dtype) -> float:
    """Return this process's seconds for one matrix product."""
    square = torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    began = _own_clock()
    torch.mm(square, square)
    return _own_clock() - began
