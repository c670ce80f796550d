"""The runs that Ray has at once: those that it can train, and some that wait. The others wait here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from taskaffinity.runs.spec import RunSpec
from taskaffinity.schedule.worker import Arguments

AHEAD = 64
"""Fewest runs that wait at Ray, so that a free worker never waits for this process, and a cluster sees what to add."""

Submit = Callable[[RunSpec, Mapping[str, Any], list[Any]], Any]
"""Hands a run with its settings to Ray after the given runs under way; returns Ray's reference of it."""


class Submission:
    """Hands runs to Ray in their order. A run whose parent is under way is handed over with it, and waits for it there.

    Parameters
    ----------
    arguments : list of (RunSpec, dict)
        The runs and their settings; parents come first.
    at_once : int
        Number of runs that Ray can train at once.
    """

    def __init__(self, arguments: Arguments, submit: Submit, at_once: int) -> None:
        self.pending: dict[Any, RunSpec] = {}
        """The runs at Ray, by reference."""
        self._waiting = deque(arguments)
        self._submit, self._most = submit, at_once + max(AHEAD, at_once)
        self._references: dict[RunSpec, Any] = {}
        self._settings: dict[RunSpec, Mapping[str, Any]] = {}

    def fill(self) -> bool:
        """Hand over runs while Ray has few; return whether it has any."""
        while self._waiting and len(self.pending) < self._most:
            self._hand_over(*self._waiting.popleft())
        return bool(self.pending)

    def take(self, reference: Any) -> tuple[RunSpec, Mapping[str, Any]]:
        """Return a run that ended, and its settings."""
        spec = self.pending.pop(reference)
        del self._references[spec]
        return spec, self._settings.pop(spec)

    def again(self, spec: RunSpec, settings: Mapping[str, Any]) -> None:
        """Hand over a run that ended once more, with these settings."""
        self._hand_over(spec, settings)

    def _hand_over(self, spec: RunSpec, settings: Mapping[str, Any]) -> None:
        after = [self._references[spec.parent]] if spec.parent in self._references else []
        reference = self._submit(spec, settings, after)
        self.pending[reference], self._references[spec], self._settings[spec] = spec, reference, settings
