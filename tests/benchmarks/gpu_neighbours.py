"""Several training processes on one GPU: their rate together, and whether neighbours change a bit of a run."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gpu_report import Row, best, row

STAGE = "several runs"
COUNTS = (1, 2, 4)
_START = 120
"""Seconds in which a process must have loaded its model."""


def several_runs(work: Path, device: str, rows: Sequence[Row], *, is_small: bool) -> Iterator[Row]:
    """A row of each number of processes and each task: the rate of all together; then of the bits."""
    from gpu_step import MIX, PAIR

    counts = COUNTS[:2] if is_small else COUNTS
    seconds = 0.3 if is_small else 6.0
    children = [_Child(work, device, is_small=is_small) for _ in range(max(counts))]
    try:
        alone = children[0].ask("weights")
        together = _ask(children, "weights")
        yield row(
            STAGE, "same bits beside neighbours, bf16", k=len(children), task=MIX, passed={alone} == set(together)
        )
        for task in (PAIR[0], MIX):
            _ask(children, "train", task, seconds / 4)
            for k in counts:
                found = _ask(children[:k], "train", task, seconds)
                yield _together(found, task, k, best(rows, "ceilings", "TFLOP/s", "square product, bf16"))
    finally:
        for child in children:
            child.end()


def _together(found: list[dict[str, float]], task: str, k: int, peak: float | None) -> Row:
    """The row of processes that trained at the same time: rates are sums, times are of a step of one of them."""
    flops = [one["share"] for one in found]
    return row(
        STAGE,
        "ours, bf16, a process each",
        task=task,
        k=k,
        ms=sum(one["ms"] for one in found) / k,
        cpu_ms=sum(one["cpu_ms"] for one in found) / k,
        examples_per_s=sum(one["examples_per_s"] for one in found),
        tokens_per_s=sum(one["tokens_per_s"] for one in found),
        share=sum(flops) / peak if peak else None,
        memory_mib=max(one["memory_mib"] for one in found),
    )


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
    from gpu_step import PAIR, Way

    if device == "cpu":
        torch.set_num_threads(1)
    inputs = made_inputs(work, is_small=is_small)
    way = None
    while True:
        name, *arguments = connection.recv()
        if name == "weights":
            connection.send(weights_after(inputs, device, "bf16", inputs.batches(PAIR, STEPS)))
        else:
            way = way or Way(inputs, device, "bf16")
            connection.send(_train(way, inputs, *arguments))


def _train(way: Any, inputs: Any, task: str, seconds: float) -> dict[str, float]:
    """The figures of training for at least these seconds, a few mini-batches at a time; the share is in TFLOP/s."""
    from gpu_step import rates, reserved_mib

    batches = inputs.batches(task.split(" + "), 10)
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
