"""Limit the runs that Ray has at once: those that it can train, and some that wait.

All other runs wait in this process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.window import Window, window_size
from taskaffinity.schedule.worker import Arguments

_POSTPONED_SECONDS = 1.0
"""Shortest time between two attempts of a run that another process is training."""

Submit = Callable[[RunSpec, Mapping[str, Any]], Any]
"""Submits a run with its settings to Ray; returns Ray's reference."""


class Submission:
    """Submits runs to Ray in their order, each after the run that it starts from.

    Parameters
    ----------
    arguments : list of (RunSpec, dict)
        The runs and their settings.
    at_once : int
        Number of runs that Ray can train at once.
    """

    def __init__(self, arguments: Arguments, submit: Submit, at_once: int) -> None:
        self.pending: dict[Any, RunSpec] = {}
        """The runs at Ray, by reference."""
        self._postponed: dict[RunSpec, float] = {}
        """The runs that another process is training, and when each was postponed or looked at."""
        self._settings: dict[RunSpec, Mapping[str, Any]] = dict(arguments)
        self._window = Window(list(self._settings), window_size(at_once))
        self._submit = submit

    def fill(self) -> bool:
        """Submit runs while Ray has few; return whether any run has not ended."""
        for spec in self._window.fill():
            self._submit_run(spec)
        return bool(self.pending or self._postponed)

    def widen(self, at_once: int) -> None:
        """Set how many runs Ray can train at once; the number never falls."""
        self._window.size = max(self._window.size, window_size(at_once))

    def take(self, reference: Any) -> tuple[RunSpec, Mapping[str, Any]]:
        """Return a run whose attempt ended, and its settings; next call ``again``, ``postpone`` or ``end``."""
        spec = self.pending.pop(reference)
        return spec, self._settings[spec]

    def again(self, spec: RunSpec, settings: Mapping[str, Any]) -> None:
        """Submit a run again, with these settings; runs that start from it still wait."""
        self._settings[spec] = settings
        self._submit_run(spec)

    def postpone(self, spec: RunSpec) -> None:
        """Keep a run that another process is training away from Ray, where it would only take the place of others."""
        self._window.postpone(spec)
        self._postponed[spec] = time.monotonic()

    def put_back(self, is_free: Callable[[RunSpec], bool]) -> None:
        """Let those postponed runs be submitted again that are free; each is looked at once in a second."""
        now = time.monotonic()
        for spec in [spec for spec, looked in self._postponed.items() if now - looked >= _POSTPONED_SECONDS]:
            self._postponed[spec] = now
            if is_free(spec):
                del self._postponed[spec]
                self._window.put_back(spec)

    def end(self, spec: RunSpec) -> None:
        """Remove a run that ended; runs that start from it can now be submitted."""
        del self._settings[spec]
        self._window.end(spec)

    def _submit_run(self, spec: RunSpec) -> None:
        self.pending[self._submit(spec, self._settings[spec])] = spec
