"""How fast is the training step of today, how near the peak, and beside the Hugging Face ``Trainer``?"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from gpu_inputs import BATCH, PAIR, SHAPES, Inputs, Rows
from gpu_plain import PlainWay, precisions, wait
from gpu_report import Row, best, goal, row
from roofline import read_of, useful_flops

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.execute import peak_memory_mib
from taskaffinity.training.inputs.encoded import IntArray
from taskaffinity.training.loop import stepper_of, steps_of
from taskaffinity.training.updates.captured import LEAST
from taskaffinity.training.updates.cuda_graphs import CudaGraphs

MIX = " + ".join(PAIR)
TIMES = 3.0
"""How many times as fast as the ``Trainer`` a captured run on a GPU should be."""
_ROUNDS = 3


class Way:
    """The steps of ``training.loop.TrainingLoop`` over given mini-batches."""

    def __init__(
        self, inputs: Inputs, device: str, precision: str, *, packed: bool = True, may_capture: bool = True
    ) -> None:
        self.model, self.device = inputs.model(device, precision, packed=packed), device
        stepper, splits = stepper_of(self.model, Recipe(), 100_000), inputs.pruned
        self.steps = steps_of(self.model, stepper, splits, splits, make_graphs=CudaGraphs if may_capture else None)
        self._known: dict[int, IntArray] = {}

    def train(self, batches: Rows) -> float:
        """Seconds that these mini-batches took; without the captures, which come before mini-batches not seen yet."""
        new = [(name, rows) for name, rows in batches if id(rows) not in self._known]
        self._known |= {id(rows): rows for _, rows in new}
        self.steps.prepare(new * LEAST)
        wait(self.device)
        began = time.perf_counter()
        for _ in self.steps.run(batches):
            pass
        wait(self.device)
        return time.perf_counter() - began


def one_run(inputs: Inputs, device: str, rows: Sequence[Row], *, is_small: bool) -> Iterator[Row]:
    """A row of each precision and task, and of the mix; ``rows`` are those of earlier stages, with the peak."""
    n, rounds = (2, 1) if is_small else (20, _ROUNDS)
    ways = [
        ("ours, bf16", "bf16", True, True),
        ("ours, fp32", "fp32", True, True),
        ("ours padded, bf16", "bf16", False, False),
    ]
    if device == "cuda":
        ways.insert(1, ("ours without graphs, bf16", "bf16", True, False))
    for name, precision, packed, may_capture in [way for way in ways if way[1] in precisions(device)]:
        for variant, has_cudnn in _attentions(name, device, padded=not packed):
            with _memory(device) as peak_mib, cudnn_attention(has_cudnn):
                way = Way(inputs, device, precision, packed=packed, may_capture=may_capture)
                for task in (*SHAPES, MIX) if packed else (*PAIR, MIX):
                    batches = inputs.batches(task.split(" + "), n)
                    found = figures(way.train, batches, inputs, _peak(rows, precision), rounds)
                    found["memory_mib"] = peak_mib()
                    if device == "cuda" and task == MIX:  # last: the profiler may slow down what follows
                        found["launches"] = _launches(way, batches)
                    yield row("one run", variant, task=task, k=1, **found)
                del way


def trainer(inputs: Inputs, device: str, rows: Sequence[Row], work: Path, *, is_small: bool) -> Iterator[Row]:
    """A row of each task, and of how many times as fast ours is; the ``Trainer`` if its package is there.

    Otherwise a plain padded loop takes its place, and the rows say so.
    """
    n = 2 if is_small else 60
    name = "Trainer" if find_spec("accelerate") is not None else "plain padded loop (no accelerate for the Trainer)"
    precision = precisions(device)[0]
    for variant, has_cudnn in _attentions(f"{name}, {precision}", device, padded=True):
        for task in PAIR:
            batches = inputs.batches([task], n)
            with _memory(device) as peak_mib, cudnn_attention(has_cudnn):
                train = _trainer_way(inputs, task, work, device, precision) if name == "Trainer" else None
                train = train or PlainWay(inputs, device, precision).train
                found = figures(train, batches, inputs, _peak(rows, precision), 1)
                yield row("trainer", variant, task=task, k=1, **found, memory_mib=peak_mib())
                del train
            ours = _rate(rows, f"ours, {precision}", task)
            if ours is not None:
                times = ours / found["examples_per_s"]
                least = TIMES if device == "cuda" else 0.0
                yield goal("trainer", f"ours / {variant}", times, least, task=task, k=1, unit="times as fast")


def figures(
    train: Callable[[Rows], float], batches: Rows, inputs: Inputs, peak: float | None, rounds: int
) -> dict[str, Any]:
    """Medians over rounds of training on the same mini-batches; the first round is not counted.

    In that round, every shape occurs once: cuDNN makes a plan for each.

    Parameters
    ----------
    train : callable
        Trains on mini-batches and returns the seconds.
    peak : float, optional
        Measured peak of matrix products, in TFLOP/s.
    """
    seconds, cpu = [], []
    for number in range(rounds + 1):
        began = time.process_time()
        took = train(batches)
        if number:
            seconds.append(took)
            cpu.append(time.process_time() - began)
    return {**rates(batches, inputs, statistics.median(seconds), peak), "cpu_ms": _ms(cpu, len(batches))}


def rates(batches: Rows, inputs: Inputs, seconds: float, peak: float | None) -> dict[str, float | None]:
    """Milliseconds a step, examples and tokens a second, and the share of the peak, of mini-batches in these seconds.

    The share counts what has to be multiplied: real tokens, and a last layer for the tokens that a head reads.
    """
    lengths = inputs.lengths(batches)
    read = [n for name, rows in batches for n in read_of(inputs.splits[name], rows)]
    flops = useful_flops(inputs.config, lengths, read)
    return {
        "ms": 1e3 * seconds / len(batches),
        "examples_per_s": BATCH * len(batches) / seconds,
        "tokens_per_s": sum(lengths) / seconds,
        "share": flops / seconds / peak / 1e12 if peak else None,
    }


@contextmanager
def cudnn_attention(is_on: bool) -> Iterator[None]:
    """Let torch choose cuDNN's attention, or not."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(is_on and before)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


def reserved_mib(device: str) -> float:
    """Largest memory that torch reserved on the GPU; on a CPU, the peak of the process."""
    return torch.cuda.max_memory_reserved() / 2**20 if device == "cuda" else peak_memory_mib()


def _attentions(variant: str, device: str, *, padded: bool) -> list[tuple[str, bool]]:
    """With cuDNN's attention, and without it where there may be one: in padded batches on a GPU."""
    without = [(f"{variant}, no cuDNN attention", False)] if padded and device == "cuda" else []
    return [(variant, True), *without]


@contextmanager
def _memory(device: str) -> Iterator[Callable[[], float]]:
    """Count the memory from here on, without what earlier models left."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: reserved_mib(device)


def _launches(way: Way, batches: Rows) -> int | None:
    """Kernels that the CPU starts in a step; None if the profiler sees none, or fails."""
    from torch.profiler import ProfilerActivity, profile

    try:
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            way.train(batches[:2])
    except RuntimeError:
        return None
    starts = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")
    n = sum(event.count for event in seen.key_averages() if event.key.startswith(starts))
    return round(n / len(batches[:2])) or None


def _trainer_way(inputs: Inputs, task: str, work: Path, device: str, precision: str) -> Callable[[Rows], float]:
    from peers import TrainerWay

    in_bf16: Literal["bf16"] | None = "bf16" if precision == "bf16" else None  # which the Trainer refuses on other GPUs
    way = TrainerWay(inputs.folder, inputs.metas[task], inputs.splits[task], work, device, in_bf16)
    return lambda batches: way.train([rows for _, rows in batches])


def _rate(rows: Sequence[Row], variant: str, task: str) -> float | None:
    found = [one["examples_per_s"] for one in rows if (one["variant"], one["task"]) == (variant, task)]
    return found[0] if found else None


def _peak(rows: Sequence[Row], precision: str) -> float | None:
    return best(rows, "ceilings", "TFLOP/s", f"square product, {precision}")


def _ms(seconds: Sequence[float], n: int) -> float:
    return 1e3 * statistics.median(seconds) / n
