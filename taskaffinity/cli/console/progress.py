"""Show progress on stderr: live on a terminal, otherwise at most one report per minute.

The live display has one line for the study and one for each running run. Lines of finished runs scroll above it. A
report names the last few runs that ended since the previous report. Then it has one line for the study and its running
runs. So a slow study logs a line per minute and a line per run, and a fast study does not fill its log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from taskaffinity.schedule.progress import EndedRun, Progress, describe_ended, describe_heartbeat, describe_progress

_REPORT_SECONDS = 60.0
"""Minimum seconds between two reports if stderr is no terminal."""
_NAMED = 5
"""Maximum number of finished, of failed and of running runs that one report names."""
_SHOWN = 12
"""Maximum number of running runs in the live display."""


class ProgressDisplay:
    """Shows the progress of a plan; its method ``show`` receives each ``Progress``.

    Use it as a context manager.

    Parameters
    ----------
    clock
        Seconds, to count the time between two reports.
    time_of_day
        The time with which a report begins.
    """

    def __init__(
        self,
        *,
        quiet: bool,
        clock: Callable[[], float] = time.monotonic,
        time_of_day: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
    ) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True, markup=False)
        self.live = Live(console=self.console, refresh_per_second=4, transient=True)
        self.is_live = self.console.is_terminal and not quiet
        self._clock, self._time_of_day = clock, time_of_day
        self._last: Progress | None = None
        self._reported_at: float | None = None
        self._unreported: list[EndedRun] = []
        self._is_reported = True

    def __enter__(self) -> Self:
        if self.is_live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_live:
            self.live.stop()
        elif not self._is_reported:
            self._report()

    def show(self, progress: Progress) -> None:
        """Show this progress, or keep it for the next report."""
        if self.is_live:
            for ended in progress.ended:
                self.console.print(describe_ended(ended))
            self.live.update(Text("\n".join([describe_progress(progress), *_running_lines(progress)])))
            return
        is_news = self._last is None or (progress.done, progress.failed) != (self._last.done, self._last.failed)
        self._is_reported = self._is_reported and not is_news
        self._last = progress
        self._unreported += progress.ended
        if self._reported_at is None or self._clock() - self._reported_at >= _REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        assert self._last is not None
        failed = [ended for ended in self._unreported if ended.reason is not None]
        done = [ended for ended in self._unreported if ended.reason is None]
        for runs, state in ((done, "done"), (failed, "failed")):
            if len(runs) > _NAMED:
                more = len(runs) - _NAMED
                self.console.print(f"{state}: {more} more run{'s' * (more != 1)}")
            for ended in runs[-_NAMED:]:
                self.console.print(describe_ended(ended))
        self._unreported.clear()
        running = [line.strip() for line in _running_lines(self._last)[:_NAMED] if ": " in line]
        self.console.print("; ".join([f"{self._time_of_day()} {describe_progress(self._last)}", *running]))
        self._reported_at, self._is_reported = self._clock(), True


@contextmanager
def bytes_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for a download on a terminal.

    Yields a function of the received bytes and the total bytes.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        bar = bars.add_task(name, total=None)
        yield lambda received, total: bars.update(bar, completed=received, total=total)


def _running_lines(progress: Progress) -> list[str]:
    lines = []
    for name in progress.running[:_SHOWN]:
        beat = progress.heartbeats.get(name)
        lines.append(f"  {name}: {describe_heartbeat(beat)}" if beat else f"  {name}")
    if len(progress.running) > _SHOWN:
        lines.append(f"  ... and {len(progress.running) - _SHOWN} more")
    return lines
