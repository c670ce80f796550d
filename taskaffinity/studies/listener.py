"""Receivers of the messages of a study."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from taskaffinity.schedule.progress import Progress, Report, describe_ended, describe_failures, describe_progress

BANNER = (
    "SYNTHETIC TEXT: no data folder was given, so the text is generated. This shows how the tool works;\n"
    "it says nothing about the real tasks of these names."
)
"""Printed before a study of synthetic text."""
_LOG = logging.getLogger("taskaffinity")


class Listener(Protocol):
    """Receives the messages of a study. The command line prints them; a script may pass its own receiver."""

    def notice(self, line: str) -> None:
        """Receive one line of information."""

    def warn(self, line: str) -> None:
        """Receive one warning line."""

    def on_progress(self, progress: Progress) -> None:
        """Receive the progress of the runs, a few times per second."""

    def ended(self, report: Report, root: Path) -> None:
        """Receive the report on the runs of the results folder ``root``."""


class LogListener:
    """Writes messages to the logger ``taskaffinity``, and one line for each run that ends."""

    def notice(self, line: str) -> None:
        _LOG.info(line)

    def warn(self, line: str) -> None:
        _LOG.warning(line)

    def on_progress(self, progress: Progress) -> None:
        for ended in progress.ended:
            if ended.reason is None:  # ``ended`` warns of failed runs
                _LOG.info("%s; %s", describe_ended(ended), describe_progress(progress))

    def ended(self, report: Report, root: Path) -> None:
        for line in describe_failures(report.failed, root):
            _LOG.warning("%s", line)


def warn_once(listener: Listener, advice: Iterable[str], said: Collection[str]) -> None:
    """Warn of the lines that were not said before training."""
    for line in advice:
        if line not in said:
            listener.warn(line)
