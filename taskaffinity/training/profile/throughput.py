"""The rate of training of one of several processes that share a GPU."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.gpu import gpu_peak_mib
from taskaffinity.training.inputs.batches import Cut
from taskaffinity.training.loop import stepper_of, steps_of
from taskaffinity.training.setup import setup_run
from taskaffinity.training.updates.captured import LEAST
from taskaffinity.training.updates.cuda_graphs import CudaGraphs

_DRAWN, _AT_ONCE = 4, 64
"""Mini-batches of each task, and updates between two looks at the clock."""


def serve_rates(
    connection: Connection, spec: RunSpec, variables: Mapping[str, str], places: Mapping[str, Path]
) -> None:
    """Load a run; send the peak of its memory and the memory of its GPU, in MiB; answer seconds with a rate.

    This is all that its process does. Any error ends the process, without a word.

    Parameters
    ----------
    variables : dict
        For the environment.
    places : dict
        ``encoder_folder`` and ``cache``.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with open(os.devnull, "w") as nowhere:
        sys.stderr = nowhere
        os.environ.update(variables)  # CUDA, which starts later, reads them
        try:
            torch.set_num_threads(spec.recipe.threads)
            throughput = Throughput(spec, **places)
            connection.send(_memory(spec.recipe.device))
            while True:
                connection.send(throughput.train(connection.recv()))
        except Exception:  # the other side notices the end
            os._exit(1)


class Throughput:
    """Trains on the same mini-batches again and again: captured ones on a GPU, as a run does.

    The largest mini-batch of each task is trained on once, because others fit in its memory.

    Parameters
    ----------
    spec : RunSpec
        A run from the encoder.
    """

    def __init__(self, spec: RunSpec, *, encoder_folder: Path, cache: Path) -> None:
        setup = setup_run(spec, encoder_folder=encoder_folder, cache=cache, scored=())
        splits, self._device = setup.training.splits, spec.recipe.device
        stepper = stepper_of(setup.model, spec.recipe, 1_000_000)
        self._steps = steps_of(setup.model, stepper, splits, splits, make_graphs=CudaGraphs)
        rng, largest, drawn = np.random.default_rng(0), list[Cut](), list[Cut]()
        for name, split in splits.items():
            size = min(spec.recipe.batch_size, split.n_units)
            largest.append((name, split.rows_of(np.argsort(split.unit_lengths)[-size:])))
            drawn += [(name, split.rows_of(rng.choice(split.n_units, size, replace=False))) for _ in range(_DRAWN)]
        setup.model.train()
        self._steps.prepare([*largest, *drawn] * LEAST)
        list(self._steps.run(largest))
        self._cuts = (drawn * -(-_AT_ONCE // len(drawn)))[:_AT_ONCE]

    def train(self, seconds: float) -> float:
        """Train for at least these seconds; return the examples per second."""
        self._wait()
        began, n, took = time.perf_counter(), 0, 0.0
        while took < seconds:
            n += sum(done.n_rows for done in self._steps.run(self._cuts))
            self._wait()
            took = time.perf_counter() - began
        return n / took

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()


def _memory(device: str) -> tuple[float, float]:
    if device != "cuda":
        return 0.0, 0.0
    total: int = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return gpu_peak_mib(), total / 2**20


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
