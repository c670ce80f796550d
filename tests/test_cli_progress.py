"""Progress where stderr is no terminal."""

from __future__ import annotations

import pytest

from taskaffinity.cli.console.progress import ProgressDisplay
from taskaffinity.schedule.progress import Progress


def test_a_plain_line_does_not_count_runs_under_way_when_one_just_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=False) as display:
        for done, running in ((0, ()), (0, ("a", "b")), (1, ("b",)), (1, ("b", "c"))):
            display.show(Progress(5, done, running, 0, None))
    assert capsys.readouterr().err.splitlines() == ["0/5 runs done", "1/5 runs done"]
