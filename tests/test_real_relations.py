"""The tutorial's table of the two studies of ChemProt and DDI holds their figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
STUDIES = [ROOT / "notebooks" / name for name in ("real_biomedical", "real_relations")]
TITLES = {"ddi2013-type": "DDI", "chemprot": "ChemProt"}


def plainly(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def row(label: str, cells: list[str]) -> str:
    return f"| {label} | {' | '.join(cells)} |"


def test_the_table_of_the_longer_training_has_the_figures_of_both_studies() -> None:
    page = (ROOT / "docs/tutorials/real-corpora.md").read_text("utf-8")
    scores, controls, edges = (
        [pd.read_csv(folder / name) for folder in STUDIES] for name in ("scores.csv", "controls.csv", "edges.csv")
    )
    for task, title in TITLES.items():
        alone = [f[(f.target == task) & (f.arm == "single") & (f.split == "test")].score * 100 for f in scores]
        cells = [f"{plainly(one.mean())} ({plainly(one.std())})" for one in alone]
        assert row(f"{title}: single-task score (SD over seeds)", cells) in page
        found = [f[(f.target == task) & (f.control == "positive")].iloc[0] for f in controls]
        cells = [f"{signed(one.gain)} ({plainly(one.low)} to {plainly(one.high)})" for one in found]
        assert row(f"{title}: gain from the second half of its data", cells) in page
        (source,) = TITLES.keys() - {task}
        found = [f[(f.target == task) & (f.source == source)].iloc[0] for f in edges]
        cells = [f"{signed(one.gain)} ({plainly(one.low)} to {plainly(one.high)})" for one in found]
        assert row(f"{TITLES[source]} → {title}", cells) in page
    assert set(edges[1].verdict) == {"inconclusive"}
