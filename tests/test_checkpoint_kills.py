"""The table of the benchmark that ends studies: one way can be measured by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from checkpoint_kills import RESULTS, write_rows


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
        "terminated,9,0,0,0,0,,True,0,0",
        *of_others[1:],
        "ray node,3,0,0,0,0,,True,0,0",
    ]
