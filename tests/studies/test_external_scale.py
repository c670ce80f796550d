"""A table of ten thousand scores is read, tested and drawn in seconds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import taskaffinity as ta


@pytest.mark.slow
def test_ten_thousand_rows_take_less_than_ten_seconds(tmp_path: Path) -> None:
    rng, names = np.random.default_rng(0), [f"t{number}" for number in range(32)]
    rows = [
        (target, source, seed, 0.7 + rng.normal(0, 0.01))
        for target in names
        for source in ("", *names)
        for seed in range(10)
        if source != target
    ]
    assert len(rows) == 10_240
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
    began = time.process_time()  # other processes of the machine do not count
    found = ta.verdicts(frame, output_dir=tmp_path / "out")
    assert time.process_time() - began < 10
    assert len(found.to_frame()) == 32 * 31
    assert (tmp_path / "out/affinity.png").is_file()
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*")) < 20  # no file per run
