"""A results folder of an older version is measured again with equal numbers, under the new names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.publish import publish
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

OLD = Path(__file__).parents[1] / "data" / "results_before_the_move"
RENAMED = {
    "q_equivalence": "q_tost",
    "p_equivalence": "p_tost",
    "reason": "untested_reason",
    "detectable": "mde",
    "seeds_to_colour": "seeds_to_significance",
    "seeds_to_no_effect": "seeds_to_equivalence",
    "needs": "recommendation",
    "level": "alpha_spent",
    "decided_at": "decided_at_seeds",
    "match": "baseline",
    "stage": "evaluated_after",
    "start": "init_from",
}
ADDED = {"effective_documents", "collapsed_pair", "collapsed_single", "gain_trained", "notes", "test"}
VALUES = {"baseline": {"updates": "single"}, "evaluated_after": {"refine": "joint"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("old") / "results"
    shutil.copytree(OLD, root)
    publish(Study.load(root), RunStore(root), root, figure_options=FigureOptions(("heatmap",), ("svg",)))
    return root


BY_JACKKNIFE = ["low", "high", "p", "q", "q_tost", "p_tost", "df", "se_seeds", "se_examples"]
BY_JACKKNIFE += ["mde", "seeds_to_significance", "seeds_to_equivalence"]
"""Columns that depend on the error over examples. It was a linear approximation then,
exact for accuracy."""


def test_every_number_of_edges_csv_is_the_same(folder: Path) -> None:
    old = pd.read_csv(OLD / "edges.csv").rename(columns=RENAMED).replace(VALUES)
    new = pd.read_csv(folder / "edges.csv")
    assert set(new) - set(old) == ADDED
    assert set(new.test) == {"satterthwaite"}  # its study names no test
    new = new[old.columns]
    is_open = old.verdict == "inconclusive"
    for seeds in ("seeds_to_significance", "seeds_to_equivalence"):
        old[seeds] = old[seeds].where(is_open)  # once given for decided arrows too
    words = ["recommendation"]
    new_numbers, old_numbers = new.drop(columns=words), old.drop(columns=words)
    as_ever = new_numbers.columns.difference(BY_JACKKNIFE)
    pd.testing.assert_frame_equal(new_numbers[as_ever], old_numbers[as_ever], check_exact=False, rtol=1e-5)
    pd.testing.assert_frame_equal(new_numbers, old_numbers, check_exact=False, rtol=0.02)
    is_mean = new.metric == "accuracy"
    assert 0 < is_mean.sum() < len(new)
    assert new.se_examples[is_mean].tolist() == pytest.approx(old.se_examples[is_mean].tolist(), rel=1e-5)
    assert new.recommendation.isna().equals(old.recommendation.isna())


def test_every_score_is_the_same(folder: Path) -> None:
    new, old = pd.read_csv(folder / "scores.csv", dtype=str), pd.read_csv(OLD / "gains.csv", dtype=str)
    pd.testing.assert_frame_equal(new.drop(columns="collapsed"), old)
    assert set(new.collapsed[new.split == "test"]) == {"false"}


def test_a_superseded_table_is_not_left_to_go_stale(folder: Path) -> None:
    assert not (folder / "gains.csv").exists()
