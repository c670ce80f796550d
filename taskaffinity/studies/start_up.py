"""Time what a study needs besides its runs: the start of this command, of Ray and of its workers, and the figures."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from taskaffinity.private import check_private, private_folder
from taskaffinity.runs.files import cache_folder, read_json, write_json
from taskaffinity.schedule.resources import Resources
from taskaffinity.training import execute

_FIGURES = 3
"""Figures of a study of pairs: graph, heat map and forest."""
_DRAW = f"""
import io, time
import taskaffinity.schedule.worker, taskaffinity.training.execute
began = time.perf_counter()
import taskaffinity.analysis.publish
from matplotlib.figure import Figure
for _ in range({_FIGURES}):
    figure = Figure((7, 9))
    axes = figure.add_subplot()
    for line in range(40):
        axes.text(0, line / 40, "gain over single-task training in points")
    for form in ("png", "svg"):
        figure.savefig(io.BytesIO(), format=form)
print(time.perf_counter() - began)
"""
_MOST_SECONDS = 300
_VALID_SECONDS = 24 * 3600


@dataclass(frozen=True)
class StartUp:
    """Seconds of a study besides its runs, on this machine."""

    start: float
    """From the start of a Python process to its first run, with the libraries that train."""
    figures: float
    """To load the libraries of tables and figures, and to draw the figures of a study."""

    def seconds(self, resources: Resources) -> float:
        """Return the seconds that a study spends before its first run and after its last.

        Ray's own processes take about as long to start as one process that loads the libraries. Its workers start
        together, after it. A Ray that runs already only starts workers.
        """
        return len(_started(resources)) * self.start + self.figures

    def describe(self, resources: Resources) -> str:
        """Return what the seconds are for."""
        *first, last = _started(resources)
        names = f"{', '.join(first)} and {last}," if first else last
        return f"to start {names} and to draw the figures"


def _started(resources: Resources) -> list[str]:
    """Return what is started one after the other."""
    if resources.executor == "local":
        return ["this command"]
    workers = ["its workers"] if resources.address is None else ["workers of Ray"]
    return ["this command", *(["Ray"] if resources.address is None else []), *workers]


def measured_start_up() -> StartUp | None:
    """Start a process that loads the libraries and draws figures; None if it fails.

    The times are kept for a day, in the cache of this user.
    """
    key = hashlib.sha256(repr((sys.executable, execute.versions())).encode()).hexdigest()[:16]
    path = cache_folder() / "start_up" / f"{key}.json"
    check_private(private_folder(path.parent))
    try:
        if time.time() - path.stat().st_mtime < _VALID_SECONDS:
            return StartUp(**{name: float(value) for name, value in read_json(path).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        pass
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _DRAW], capture_output=True, text=True, timeout=_MOST_SECONDS, check=True
        )
        figures = float(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    found = StartUp(time.perf_counter() - began - figures, figures)
    write_json(path, asdict(found))
    return found
