"""``--report-to`` logs each run to TensorBoard once, over restarts too; an unknown tracker is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command, results_of
from event_files import scalars

SMALLEST = [*LOCAL, *SMALL, "--quiet", "--report-to=tensorboard"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "table"), [("pairwise", "edges"), ("full", "stages")])
def test_a_study_is_tracked_and_logged_once(name: str, table: str, tmp_path: Path) -> None:
    study = [name, "--domain=clinical", "--seeds=1", *SMALLEST]
    done = command(*study, cwd=tmp_path)
    assert (done.returncode, "--report-to" in done.stderr) == (0, False), done.stderr
    root = tmp_path / "results/clinical"
    logged = {path.name: path for path in (root / "tensorboard").iterdir()}
    assert set(logged) == {*results_of(root), table}
    written = {path: path.stat().st_mtime_ns for path in root.glob("tensorboard/*/*")}
    assert len(written) == len(logged)
    assert "test/mednli" in scalars(logged[next(run for run in results_of(root) if "mednli" in run)])
    assert command(*study, cwd=tmp_path).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in root.glob("tensorboard/*/*")} == written


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    refused = command("full", "--domain=clinical", "--report-to=tensorbord", cwd=tmp_path)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert "tensorbord: no such tracker; there are mlflow, tensorboard, wandb" in refused.stderr
    assert list(tmp_path.iterdir()) == []
