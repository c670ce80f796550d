"""Every job is a script that a shell can read, says what it makes, and plans its runs with the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from taskaffinity.tasks import planted
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS

JOBS = sorted((Path(__file__).parents[1] / "jobs").glob("*.sh"))
PLANS = {
    "table2_clinical.sh": "27 runs",
    "table3_biomedical.sh": "27 runs",
    "table4_clinical_encoders.sh": "27 runs",
    "table5_biomedical_encoders.sh": "27 runs",
    "table6_blue.sh": "51 runs",
}
"""Three seeds of N tasks alone, the set, and N tasks after it."""


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_is_shell_and_says_what_it_makes(job: Path) -> None:
    subprocess.run(["bash", "-n", job], check=True)
    text = job.read_text()
    assert os.access(job, os.X_OK)
    assert [word for word in ("# Makes  ", "# Needs  ", "# Usage  ") if word not in text] == []
    assert "python" not in text  # the command line's own words alone


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task folders with the paper's names, filled from the stand-ins."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("clinical", "biomedical"):
        for task in planted.stand_in(name):
            card = TaskCard(kind=task.kind, labels=task.labels, negative=task.negative)
            write_task(
                folder / task.name, card, {split: [Row(e) for e in task.examples[split][:20]] for split in SPLITS}
            )
    return folder


@pytest.mark.parametrize("name", PLANS)
def test_a_table_plans_its_runs(name: str, data: Path, tmp_path: Path) -> None:
    [job] = [job for job in JOBS if job.name == name]
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders import tiny_encoder

    encoder = tiny_encoder(VOCABULARY, tmp_path, layers=1, width=16).folder
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = [] if "encoders" in name else ["--encoder", encoder]
    done = subprocess.run(
        [job, "--dry-run", *given],
        env={**os.environ, "TASKAFFINITY_DATA": str(data), "ENCODERS": str(encoder), "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(PLANS[name])
    assert not (tmp_path / "results").exists()
