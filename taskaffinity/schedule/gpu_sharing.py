"""How many runs share a GPU: a short trial of 1, 2, 4 and 8 processes that train at the same time.

They train as runs do: captured steps, a process each, through NVIDIA's service (MPS) where the study starts it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.mps import start_mps, stop_mps
from taskaffinity.schedule.resources import Resources
from taskaffinity.training.profile.hardware import runs_that_fit
from taskaffinity.training.profile.throughput import serve_rates

COUNTS = (1, 2, 4, 8)
"""Numbers of runs at once that are tried."""
WORTH = 1.05
"""Speed relative to fewer runs from which more are taken: smaller gains could be noise, and cost memory."""
_UNTIMED, _TIMED = 0.5, 3.0
"""Seconds of training before and in a measurement."""
_ANSWER_SECONDS = 180.0
"""Time that a process has to load its model and to capture its steps."""


@dataclass(frozen=True)
class Sharing:
    """What runs that share a GPU train together."""

    rates: dict[int, float]
    """Examples per second of all runs together, by their number."""
    mps: bool
    """Whether they shared the GPU through NVIDIA's service; otherwise they took turns."""

    @property
    def runs(self) -> int:
        """The number of runs to take: the fewest whose rate the best one does not exceed by the factor ``WORTH``.

        Examples
        --------
        >>> Sharing({1: 100.0, 2: 180.0, 4: 185.0, 8: 186.0}, mps=True).runs
        2
        """
        best = max(self.rates.values())
        return min(k for k, rate in self.rates.items() if rate * WORTH >= best)


class Member(Protocol):
    """One of the processes that share the GPU. Its calls raise ``OSError`` or ``EOFError`` if it ended."""

    def ask(self, seconds: float) -> None:
        """Have it train for these seconds."""

    def answer(self) -> Any:
        """Its peak and the GPU's memory in MiB when it is ready, and then its rate for each time that it was asked."""

    def end(self) -> None:
        """End it."""


def measured_sharing(
    spec: RunSpec, most: int, resources: Resources, *, encoder_folder: Path, cache: Path
) -> Sharing | None:
    """Measure up to ``most`` runs at once on this machine's first GPU; None if not even one trains.

    Parameters
    ----------
    spec : RunSpec
        What each of them trains.
    resources : Resources
        Says whether the study starts NVIDIA's service.
    """
    folder = Path(tempfile.mkdtemp(prefix="ta-gpu-", dir="/tmp"))  # a socket's path has at most 107 bytes
    try:
        variables = start_mps(Resources(gpus_per_run=0.5, address=resources.address), folder)
        places = {"encoder_folder": encoder_folder, "cache": cache}
        rates = rates_together(most, lambda: _Process(spec, variables, places))
    finally:
        stop_mps(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return Sharing(rates, bool(variables)) if rates else None


def rates_together(most: int, start: Callable[[], Member]) -> dict[int, float]:
    """Examples per second of 1, 2, 4 and 8 members that train at the same time, as far as memory allows.

    All members are started at once, because loading takes most of the time. A member that ends leaves the numbers of
    runs that were measured before.

    Parameters
    ----------
    most : int
        Most members.
    """
    members: list[Member] = []
    rates: dict[int, float] = {}
    try:
        for _ in range(max(k for k in COUNTS if k <= most)):
            members.append(start())  # one by one: if one cannot start, those before it are ended
        ready, memory = [], []
        for member in members:
            with suppress(OSError, EOFError):
                memory.append(member.answer())
                ready.append(member)
        if any(total for _, total in memory):
            most = min(most, *(runs_that_fit(peak, total) for peak, total in memory))
        with suppress(OSError, EOFError):
            for k in COUNTS:
                if k <= min(most, len(ready)):
                    _train(ready[:k], _UNTIMED)
                    rates[k] = sum(_train(ready[:k], _TIMED))
    finally:
        for member in members:
            member.end()
    return rates


def _train(members: Sequence[Member], seconds: float) -> list[float]:
    """The rates of members that train at the same time."""
    for member in members:
        member.ask(seconds)
    return [member.answer() for member in members]


class _Process:
    """A ``Member`` that is a process."""

    def __init__(self, spec: RunSpec, variables: Mapping[str, str], places: Mapping[str, Path]) -> None:
        context = get_context("spawn")  # CUDA does not survive a fork
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve_rates, args=(theirs, spec, variables, places), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, seconds: float) -> None:
        self._connection.send(seconds)

    def answer(self) -> Any:
        if not self._connection.poll(_ANSWER_SECONDS):
            raise TimeoutError
        return self._connection.recv()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
