"""Further metrics: the same arithmetic on other counts, and none where none were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import Counts, fill, latent_counts, make_study

from taskaffinity.analysis.paper.stages import stage_scores
from taskaffinity.analysis.publish import publish, publish_stages
from taskaffinity.analysis.secondary_metrics import (
    SECONDARY_COLUMNS,
    describe_secondary_metrics,
    secondary_metrics_by_stage,
    secondary_metrics_frame,
    stored_metrics,
)
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec

pytestmark = pytest.mark.usefixtures("no_figures")

NAMES = ("a", "b", "c")
ACCURACY = latent_counts({("b", "a"): 0.6})


def as_f1(target: str, partners: str, seed: int) -> Counts:
    """Right is a true positive, wrong both a false one and a miss: this F1 *is* the accuracy, to the influence."""
    right = ACCURACY(target, partners, seed)[:, 0]
    return np.stack([right, 1 - right, 1 - right], axis=1)


def test_an_f1_that_is_the_accuracy_has_its_gains_and_errors(tmp_path: Path) -> None:
    study = make_study(NAMES)
    publish(study, fill(study, tmp_path, ACCURACY, further={"micro_f1": as_f1}), tmp_path)
    edges, other = pd.read_csv(tmp_path / "edges.csv"), pd.read_csv(tmp_path / "other_metrics.csv")
    assert tuple(other.columns) == SECONDARY_COLUMNS
    assert set(other.metric) == {"micro_f1"}
    both = edges.merge(other, on=["source", "target"], suffixes=("", "_other"), validate="one_to_one")
    assert len(both) == 6
    for name in ("gain", "low", "high", "p", "score_single", "score_pair"):
        np.testing.assert_allclose(both[name], both[f"{name}_other"], rtol=1e-4)
    assert both.set_index(["source", "target"]).loc[("b", "a"), "gain_other"] > 5


def test_stages_by_another_metric(tmp_path: Path) -> None:
    study = make_study(NAMES, design="full", finetune=dict.fromkeys(NAMES, FINETUNE))
    store = fill(study, tmp_path, ACCURACY, further={"micro_f1": as_f1})
    official, further = stage_scores(study, store), secondary_metrics_by_stage(study, store)
    assert [(one.task, one.stage) for one in further] == [(one.task, one.stage) for one in official]
    for one, other in zip(official, further, strict=True):
        assert other.scores == pytest.approx(one.scores)
        assert (other.gain, other.low, other.p) == pytest.approx((one.gain, one.low, one.p), nan_ok=True)
    words = describe_secondary_metrics(study, further)
    assert words.startswith(
        "By other metrics (single-task, multi-task, fine-tuned): A, micro-F1 without the negative class: "
    )
    assert f"{further[0].mean:.1f}, {further[1].mean:.1f}, {further[2].mean:.1f}" in words
    publish_stages(study, store, tmp_path)
    assert len(pd.read_csv(tmp_path / "stages_other_metrics.csv")) == 9


def test_runs_of_an_older_version_have_none(tmp_path: Path) -> None:
    study = make_study(NAMES)
    store = fill(study, tmp_path, ACCURACY)
    publish(study, store, tmp_path)
    assert not (tmp_path / "other_metrics.csv").exists()
    assert list(stored_metrics(study, store)) == []
    assert describe_secondary_metrics(study, ()) == ""


def test_runs_without_secondary_metrics_are_left_out_only_of_these_metrics(tmp_path: Path) -> None:
    study = make_study(NAMES)
    fill(study, tmp_path, ACCURACY)

    def is_old(spec: RunSpec) -> bool:
        return spec.seed == 0

    store = fill(study, tmp_path, ACCURACY, skip=is_old, further={"micro_f1": as_f1})
    frame = secondary_metrics_frame(study, store, Rule())
    assert set(frame.seeds_pair) == {2}


def test_two_secondary_metrics_of_a_task_are_two_rows_per_arrow(tmp_path: Path) -> None:
    study = make_study(NAMES)
    store = fill(study, tmp_path, ACCURACY, further={"micro_f1": as_f1, "span_f1": as_f1})
    frame = secondary_metrics_frame(study, store, Rule())
    assert frame.groupby(["source", "target"]).metric.apply(sorted).map(tuple).unique().tolist() == [
        ("micro_f1", "span_f1")
    ]
