"""Groups chosen from pairs of released losses: a world in which pairs tell all, and the figures that the page has."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from standley import EVERY, N_TASKS, RESULTS, SETTINGS, from_pairs, lowest, read_losses, rows, total

PAGE = (Path(__file__).parents[2] / "docs/reference/benchmarks.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### Groups of five vision tasks")[2].partition("\n## ")[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Losses in which the loss in a set is the mean of the losses in its pairs."""
    for place, name in enumerate(SETTINGS.values()):
        loss = np.random.default_rng(place).uniform(0.5, 1.5, (N_TASKS, N_TASKS))  # [source, target]
        lines = ["\t".join(["9"] * N_TASKS)]  # smaller networks
        for size in range(1, N_TASKS + 1):
            for group in combinations(range(N_TASKS), size):
                cells = [""] * N_TASKS
                for t in group:
                    cells[t] = repr(float(np.mean([loss[s, t] for s in group if s != t] or [loss[t, t]])))
                lines.append("\t".join(cells))
        for part in ("", "_test"):
            (tmp_path / f"{name}{part}.txt").write_text("\n".join(lines))
    return tmp_path


def test_nothing_is_lost_where_pairs_tell_all(folder: Path) -> None:
    losses = read_losses(folder / "results.txt")
    for models in range(1, N_TASKS + 1):
        assert total(from_pairs(losses, models), losses) == pytest.approx(total(lowest(losses, models), losses))
    assert lowest(losses, 1) == [EVERY] * N_TASKS
    frame = pd.DataFrame([*rows(folder)])
    assert (frame[frame[2] == "pairs"][[6, 7]].abs() < 1e-9).all(axis=None)
    assert (frame[frame[2] == "all in one"][6] >= -1e-9).all()


def test_an_incomplete_file_is_refused(folder: Path) -> None:
    path = folder / "results.txt"
    path.write_text(path.read_text().rpartition("\n")[0])
    with pytest.raises(ValueError, match="30 sets of tasks; expected 31"):
        read_losses(path)


def test_the_page_quotes_the_committed_figures() -> None:
    found = pd.read_csv(RESULTS / "standley.csv")
    words = {
        "pairs": "from pairs",
        "all in one": "one model of all tasks",
        "single task": "single-task models (5 models)",
    }
    for choice, regret in found.groupby("choice")["regret_sets_percent"]:
        figures = " | ".join(f"{value:.1f}%" for value in (regret.mean(), regret.median(), regret.max()))
        assert f"| {words[str(choice)]} | {figures} |" in SECTION.splitlines()
    pairs = found[found["choice"] == "pairs"]["regret_sets_percent"]
    assert (len(pairs), (pairs <= 1).sum()) == (20, 16)
    assert "Sixteen of the 20 choices from pairs lose at most 1%" in SECTION
