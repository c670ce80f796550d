"""The tutorial's tables of two studies of the same two tasks hold their figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
TABLES = {
    ("real_biomedical", "real_relations"): {"ddi2013-type": "DDI", "chemprot": "ChemProt"},
    ("real_open_clinical", "real_lct"): {"lct-relation": "LCT relation", "lct-condition": "LCT condition"},
}


def plainly(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def row(label: str, cells: list[str]) -> str:
    return f"| {label} | {' | '.join(cells)} |"


@pytest.mark.parametrize(("names", "titles"), TABLES.items())
def test_the_table_of_the_longer_training_has_the_figures_of_both_studies(
    names: tuple[str, str], titles: dict[str, str]
) -> None:
    page = (ROOT / "docs/tutorials/real-corpora.md").read_text("utf-8")
    scores, controls, edges = (
        [pd.read_csv(ROOT / "notebooks" / study / name) for study in names]
        for name in ("scores.csv", "controls.csv", "edges.csv")
    )
    for task, title in titles.items():
        alone = [f[(f.target == task) & (f.arm == "single") & (f.split == "test")].score * 100 for f in scores]
        cells = [f"{plainly(one.mean())} ({plainly(one.std())})" for one in alone]
        assert row(f"{title}: single-task score (SD over seeds)", cells) in page
        found = [f[(f.target == task) & (f.control == "positive")].iloc[0] for f in controls]
        cells = [f"{signed(one.gain)} ({plainly(one.low)} to {plainly(one.high)})" for one in found]
        assert row(f"{title}: gain from the second half of its data", cells) in page
        (source,) = titles.keys() - {task}
        found = [f[(f.target == task) & (f.source == source)].iloc[0] for f in edges]
        cells = [f"{signed(one.gain)} ({plainly(one.low)} to {plainly(one.high)})" for one in found]
        assert row(f"{titles[source]} → {title}", cells) in page
    assert set(edges[1].verdict) == {"inconclusive"}
