"""Progress on stderr, none under ``--quiet``.

Of runs: a live line on a terminal, a plain line a finished run elsewhere. Of bytes: a bar on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from taskaffinity.schedule.progress import Progress, duration


class ProgressDisplay:
    """Shows how a plan stands; a context manager whose ``show`` the scheduler calls."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.live = Live(console=self.console, refresh_per_second=4, transient=True)
        self.is_live = self.console.is_terminal and not quiet
        self.ended = -1

    def __enter__(self) -> Self:
        if self.is_live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_live:
            self.live.stop()

    def show(self, progress: Progress) -> None:
        if self.is_live:
            self.live.update(Text("\n".join([_line(progress), *(f"  {name}" for name in progress.running)])))
        elif progress.done + progress.failed != self.ended:
            self.ended = progress.done + progress.failed
            self.console.print(
                _line(replace(progress, running=()))
            )  # a run just ended: who comes next is not yet known


@contextmanager
def bytes_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar for a download, on a terminal alone; tell it of bytes: those that are there, those of the whole."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        bar = bars.add_task(name, total=None)
        yield lambda there, total: bars.update(bar, completed=there, total=total)


def _line(progress: Progress) -> str:
    parts = [f"{progress.done}/{progress.total} runs done"]
    if progress.running:
        parts.append(f"{len(progress.running)} running")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return ", ".join(parts)
