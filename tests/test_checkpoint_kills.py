"""The table of the benchmark that ends studies, and what it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

from checkpoint_kills import RESULTS, write_rows
from checkpoint_notes import trained_twice


def test_ways_that_are_not_measured_keep_their_rows(tmp_path: Path) -> None:
    out = tmp_path / "kills.csv"
    shutil.copy(RESULTS / "checkpoint_kills.csv", out)
    header, *lines = out.read_text().splitlines()
    of_others = [line for line in lines if not line.startswith(("ray node,", "terminated,"))]
    names = header.split(",")
    row = dict.fromkeys(names, 0) | {"way": "ray node", "longest_end": "", "same_edges": True}
    write_rows([row], out)
    write_rows([row | {"ends": 3}, row | {"way": "terminated", "ends": 9}], out)
    assert out.read_text().splitlines() == [
        header,
        of_others[0],
        "terminated,9,0,0,0,0,,True,0,0,0",
        *of_others[1:],
        "ray node,3,0,0,0,0,,True,0,0,0",
    ]


def test_the_age_of_a_repeated_epoch_is_counted_to_the_end_of_its_process() -> None:
    """A worker whose node is lost trains on for a moment, and the next node may be lost before another one goes on."""
    before = [("began", "r", 1, 0.0), *(("ended", "r", epoch, float(epoch)) for epoch in (1, 2, 3, 4))]
    after = [("began", "r", 3, 9.0), ("ended", "r", 3, 9.5)]
    found = trained_twice([*before, ("wrote", "r", 0.5, 2.5), *after], [2.75], 1)
    assert found == {"epochs": 3, "repeated_epochs": 2, "oldest_repeated": 1.0, "allowed": 2.5}
    killed = trained_twice([*before, *after], [0.5, 5.5, 8.5], 1)
    assert (killed["oldest_repeated"], killed["allowed"]) == (2.5, 2.0)
