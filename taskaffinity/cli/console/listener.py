"""Print the messages of a study on stderr; ``--quiet`` hides notices and progress, not warnings."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from taskaffinity.analysis.style import plural
from taskaffinity.cli.console.progress import ProgressDisplay
from taskaffinity.schedule.progress import Progress, Report, describe_failures, duration


class ConsoleListener:
    """A ``Listener`` for the terminal; a context manager that ends the live display."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.display = ProgressDisplay(quiet=quiet)
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hide(kind, error, trace)

    def notice(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr)

    def warn(self, line: str) -> None:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(line, style="bold yellow")

    def on_progress(self, progress: Progress) -> None:
        if not self._is_shown:
            self.display.__enter__()
            self._is_shown = True
        self.display.show(progress)

    def ended(self, report: Report, root: Path) -> None:
        self._hide(None, None, None)
        spent = f" in {duration(report.seconds)}" if report.trained or report.failed else ""
        counts = [f"{len(report.trained)} trained now{spent}"]
        counts += [f"{len(report.found)} trained by another command"] * bool(report.found)
        counts.append(f"{len(report.failed)} failed")
        print(f"{plural(report.planned, 'run')}: {', '.join(counts)}", file=sys.stderr)
        for line in describe_failures(report.failed, root):
            print(line, file=sys.stderr)

    def _hide(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_shown:
            self.display.__exit__(kind, error, trace)
            self._is_shown = False
