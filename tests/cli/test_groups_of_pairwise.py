"""``pairwise --groups`` on a small trained study: the runs, the files, and the same files after an interruption."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command, results_of, rows

pytestmark = pytest.mark.usefixtures("no_figures")

STUDY = [
    "pairwise",
    "--domain=clinical",
    *LOCAL,
    *SMALL,
    "--quiet",
    "--no-predictions",
    "--seeds=2",
    "--seeds-single=2",
]
GROUPS = ["--groups=leave-one-out", "--groups=mednli+shareclefe>clinicalsts"]


@pytest.mark.slow
def test_groups_are_trained_tested_and_resumed(tmp_path: Path) -> None:
    root = tmp_path / "results" / "clinical"
    assert command(*STUDY, cwd=tmp_path).returncode == 0
    pairs, edges = results_of(root), (root / "edges.csv").read_bytes()
    done = command(*STUDY, *GROUPS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    more = results_of(root).keys() - pairs.keys()
    assert len(more) == 2 * (4 + 1)  # the whole set and the four sets of three, two seeds each
    assert (root / "edges.csv").read_bytes() == edges
    assert "What tasks add in groups" in done.stdout
    found = rows(root / "group_arrows.csv")
    assert len(found) == 12 + 1
    assert {(row["seeds_with"], row["seeds_without"]) for row in found} == {("2", "2")}
    before, runs = (root / "group_arrows.csv").read_bytes(), set(results_of(root))
    for name in sorted(more)[::2]:  # as if it had been killed
        shutil.rmtree(root / "runs" / name)
    again = command(*STUDY, *GROUPS, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (root / "group_arrows.csv").read_bytes() == before
    assert set(results_of(root)) == runs
    lost = command(*STUDY, cwd=tmp_path)
    assert lost.returncode == 2
    assert "leaves out 13 of its 13 group arrows (--groups)" in lost.stderr
    misspelt = command(*STUDY, "--groups=mednly>clinicalsts", cwd=tmp_path)
    assert misspelt.returncode == 2
    assert "no task 'mednly'; there are" in misspelt.stderr
