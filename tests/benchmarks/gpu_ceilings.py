"""Ceilings of a GPU: matrix products, of the largest and of the training step's shapes, and a copy in its memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from gpu_inputs import BATCH, Inputs
from gpu_plain import precisions, wait
from gpu_report import Row, row
from torch import Tensor

STAGE = "ceilings"
TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_L2_SETS = 8
"""Sets of operands that take turns, so that the cache does not hold them, as it does not in a step."""
_ROUNDS = 7


def ceilings(inputs: Inputs, device: str, *, is_small: bool) -> Iterator[Row]:
    """A row of each product and of the copy."""
    size = 512 if is_small else 8192
    for precision in precisions(device):
        yield _product(device, TYPES[precision], f"square product, {precision}", (size, size, size), 1)
    usual = precisions(device)[0]
    hidden, inner = inputs.config.hidden_size, inputs.config.intermediate_size
    for task in ("chemprot", "bc5cdr-disease"):
        tokens = round(BATCH * sum(inputs.lengths([(task, np.arange(96))])) / 96)
        shapes = {
            "attention": (tokens, hidden, hidden),
            "feed-forward": (tokens, hidden, inner),
            "feed-forward back": (tokens, inner, hidden),
            "gradient of weights": (hidden, tokens, inner),
        }
        for name, shape in shapes.items():
            yield {**_product(device, TYPES[usual], f"{name} product, {usual}", shape, _L2_SETS), "task": task}
    yield _copy(device, 2**22 if is_small else 2**30)


def _product(device: str, dtype: torch.dtype, variant: str, shape: tuple[int, int, int], n_sets: int) -> Row:
    """One product ``(m, k) (k, n)`` on random data."""
    m, k, n = shape

    def random(*sizes: int) -> Tensor:
        return torch.randn(sizes, device=device).to(dtype)

    sets = [(random(m, k), random(k, n), torch.empty(m, n, device=device, dtype=dtype)) for _ in range(n_sets)]

    def multiply() -> None:
        for left, right, out in sets:
            torch.mm(left, right, out=out)

    seconds = _seconds(multiply, device) / n_sets
    return row(STAGE, variant, ms=1e3 * seconds, value=2 * m * k * n / seconds / 1e12, unit="TFLOP/s")


def _copy(device: str, n_bytes: int) -> Row:
    source = torch.ones(n_bytes // 4, device=device)
    target = torch.empty_like(source)
    seconds = _seconds(lambda: target.copy_(source), device)
    return row(STAGE, "copy, read and written", ms=1e3 * seconds, value=2 * n_bytes / seconds / 1e12, unit="TB/s")


def _seconds(work: Callable[[], object], device: str) -> float:
    """Median seconds of ``work``; on a GPU by events, as a CUDA graph, which does not wait for the CPU's launches."""
    for _ in range(3):
        work()
    wait(device)
    if device != "cuda":
        times = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return statistics.median(times)
    replay, n = _captured(work), 10
    events = []
    for _ in range(_ROUNDS):
        began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        began.record()
        for _ in range(n):
            replay()
        ended.record()
        events.append((began, ended))
    wait(device)
    return statistics.median(began.elapsed_time(ended) for began, ended in events) / 1e3 / n


def _captured(work: Callable[[], object]) -> Callable[[], object]:
    """What does ``work`` again, from a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # a warm-up on a stream of its own, as torch asks for before a capture
        work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
