"""Several training processes on one GPU: their rate together, and whether neighbours change a bit of a run."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gpu_report import Row, best, check, goal, row

from taskaffinity.schedule.mps import start_mps, stop_mps
from taskaffinity.schedule.resources import Resources

STAGE = "several runs"
COUNTS = (1, 2, 4)
PAIR = ("chemprot", "bc5cdr-disease")
MIX = " + ".join(PAIR)
SHARES = {PAIR[0]: 0.45, MIX: 0.38}
"""The share of the peak that all runs on a GPU together should reach, with the best number of runs."""
MEMORY_MIB = 6 * 1024
"""Most memory of a run."""
_START = 120
"""Seconds in which a process must have loaded its model."""


def several_runs(work: Path, device: str, rows: Sequence[Row], *, is_small: bool) -> Iterator[Row]:
    """Rows of processes that take turns on the GPU and, where it starts, of such that share it through MPS."""
    from gpu_plain import precisions

    precision = precisions(device)[0]
    peak = best(rows, "ceilings", "TFLOP/s", f"square product, {precision}")
    variant = f"ours, {precision}, a process each"
    counts = COUNTS[:2] if is_small else COUNTS
    if device == "cuda":
        _free_memory()
    yield from _of_processes(variant, counts, work, device, peak, is_small=is_small)
    if device != "cuda":
        return
    folder = _service_folder(work)
    folder.mkdir(mode=0o700)
    variables = start_mps(Resources(gpus_per_run=0.5), folder)
    if not variables:
        yield row(STAGE, "MPS: not there, in use by others, or it did not start")
        return
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield from _of_processes(f"{variant}, MPS", (*counts, 8), work, device, peak, is_small=is_small)
    finally:
        os.environ.clear()
        os.environ.update(before)
        stop_service(work)


def goals(rows: Sequence[Row]) -> Iterator[Row]:
    """Rows of the best share of each task, and of the most memory of a run; ``rows`` may have those of other stages."""
    rows = [one for one in rows if one["stage"] == STAGE]
    for task, least in SHARES.items():
        if shares := [one["share"] for one in rows if one["task"] == task and one["share"] is not None]:
            yield goal(STAGE, "best number of runs", max(shares), least, task=task, unit="of the peak")
    if memory := [one["memory_mib"] for one in rows if one["memory_mib"] is not None]:
        yield check(STAGE, "most memory of a run", max(memory), MEMORY_MIB, unit="MiB")


def stop_service(work: Path) -> None:
    """End the MPS that this stage started, if it runs."""
    stop_mps(_service_folder(work))


def _free_memory() -> None:
    """Give the GPU what earlier stages left in this process."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


def _service_folder(work: Path) -> Path:
    return work / "service"


def _of_processes(
    variant: str, counts: Sequence[int], work: Path, device: str, peak: float | None, *, is_small: bool
) -> Iterator[Row]:
    """A row of each task and number of processes: the rate of all together; and one of the bits."""
    seconds = 0.2 if is_small else 3.0
    children = [_Child(work, device, is_small=is_small) for _ in range(max(counts))]
    try:
        alone = children[0].ask("weights")
        together = _ask(children, "weights")
        bits = f"same bits beside neighbours, {variant}"
        yield row(STAGE, bits, k=len(children), task=MIX, passed={alone} == set(together))
        for task in (PAIR[0], MIX):
            _ask(children, "train", task, seconds / 4)
            for k in counts:
                found = _ask(children[:k], "train", task, seconds)
                yield row(STAGE, variant, task=task, k=k, **_together(found, peak))
    finally:
        for child in children:
            child.end()


def _together(found: list[dict[str, float]], peak: float | None) -> dict[str, float | None]:
    """The figures of processes that trained at the same time: rates are sums, times are of a step of one of them."""
    sums = {name: sum(one[name] for one in found) for name in found[0]}
    return {
        "ms": sums["ms"] / len(found),
        "cpu_ms": sums["cpu_ms"] / len(found),
        "examples_per_s": sums["examples_per_s"],
        "tokens_per_s": sums["tokens_per_s"],
        "share": sums["share"] / peak if peak else None,
        "memory_mib": max(one["memory_mib"] for one in found),
    }


class _Child:
    """A process that holds a model and trains it when it is asked to."""

    def __init__(self, work: Path, device: str, *, is_small: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, there = context.Pipe()
        self.process = context.Process(target=_serve, args=(there, work, device, is_small))
        self.process.start()
        there.close()

    def ask(self, *request: Any) -> Any:
        self.connection.send(request)
        return self.answer()

    def answer(self) -> Any:
        if not self.connection.poll(_START):
            raise TimeoutError(f"a process gave no answer in {_START} s")
        return self.connection.recv()

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def _ask(children: Sequence[_Child], *request: Any) -> list[Any]:
    """The answers of processes that work at the same time."""
    for child in children:
        child.connection.send(request)
    return [child.answer() for child in children]


def _serve(connection: Connection, work: Path, device: str, is_small: bool) -> None:
    """Answer requests until the other side is gone."""
    exit_with_parent()
    import torch
    from gpu_checks import STEPS, weights_after
    from gpu_inputs import made_inputs
    from gpu_plain import precisions
    from gpu_step import Way

    if device == "cpu":
        torch.set_num_threads(1)
    inputs = made_inputs(work, is_small=is_small)
    way, precision = None, precisions(device)[0]
    batches_of = cache(lambda task: inputs.batches(task.split(" + "), 10))  # a way captures mini-batches that are new
    while True:
        name, *arguments = connection.recv()
        if name == "weights":
            connection.send(weights_after(inputs, device, precision, inputs.batches(PAIR, STEPS)))
        else:
            task, seconds = arguments
            way = way or Way(inputs, device, precision)
            connection.send(_train(way, inputs, batches_of(task), seconds))


def _train(way: Any, inputs: Any, batches: Any, seconds: float) -> dict[str, float]:
    """The figures of training for at least these seconds, a few mini-batches at a time; the share is in TFLOP/s."""
    from gpu_step import rates, reserved_mib

    way.train(batches)  # what is captured before is not timed
    began, began_cpu, rounds = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        way.train(batches)
        rounds += 1
    took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    found = {name: value or 0.0 for name, value in rates(batches * rounds, inputs, took, 1.0).items()}
    return {**found, "cpu_ms": 1e3 * cpu / (rounds * len(batches)), "memory_mib": reserved_mib(way.device)}


def exit_with_parent() -> None:
    """End this process as soon as its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
