"""Several encoders beside one another: their scores, and the gain over the first, counted a second way."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import Counts, fill, latent_counts, make_study
from one_arrow import gain_error

from taskaffinity.analysis.paper.captions import describe_encoders
from taskaffinity.analysis.paper.encoders import encoder_gains, encoder_scores, encoders_frame, encoders_table
from taskaffinity.analysis.paper.stages import STAGES, stage_scores
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.blue import BIOMEDICAL
from taskaffinity.tasks.metrics import METRICS

NAMES = ("a", "b", "c")
PLAIN = latent_counts({})


def better_on_a(target: str, partners: str, seed: int) -> Counts:
    return latent_counts({(partners, "a"): 0.8})(target, partners, seed)


@pytest.fixture(scope="module")
def first() -> Study:
    return make_study(NAMES, design="full", finetune=dict.fromkeys(NAMES, FINETUNE), seeds=(0, 1, 2, 3))


@pytest.fixture(scope="module")
def other(first: Study) -> Study:
    return replace(first, encoder=EncoderRef("another", "e1"))


@pytest.fixture(scope="module")
def stores(first: Study, other: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunStore, RunStore]:
    root = tmp_path_factory.mktemp("encoders")
    return fill(first, root / "first", PLAIN), fill(other, root / "other", better_on_a)


def test_a_gain_is_the_difference_of_means_and_its_error_near_that_of_the_single_arrow(
    first: Study, other: Study, stores: tuple[RunStore, RunStore]
) -> None:
    gains = encoder_gains(other, stores[1], first, stores[0])
    assert [(gain.task, gain.stage) for gain in gains] == [(name, stage) for name in NAMES for stage in STAGES]
    for gain in gains:
        counts = [
            np.stack([s.read(spec).counts[f"{gain.task}/test"] for spec in study.plan
                      if spec.stage == gain.stage and gain.task in spec.task_names])
            for study, s in zip((first, other), stores, strict=True)
        ]  # fmt: skip
        raw = gain_error(counts[1], counts[0], METRICS["accuracy"])
        assert gain.gain == pytest.approx(100 * float(raw.gain))
        assert gain.low < gain.gain < gain.high
        width = 100 * float(raw.interval(0.05)[1] - raw.interval(0.05)[0])
        assert width / 3 < gain.high - gain.low < 3 * width
    [of_a] = [gain for gain in gains if (gain.task, gain.stage) == ("a", "finetune")]
    assert of_a.low > 5
    assert sum(gain.low > 0 or gain.high < 0 for gain in gains if gain.task != "a") <= 1


def test_the_table_has_a_row_an_encoder_and_its_gain(
    first: Study, other: Study, stores: tuple[RunStore, RunStore]
) -> None:
    table = encoders_table(encoder_scores([(first, stores[0]), (other, stores[1])]))
    assert list(table.index) == [
        "fine-tuned, tiny",
        "fine-tuned, another",
        "  fine-tuned, another, gain over the first",
    ]
    tuned = [score for score in stage_scores(first, stores[0]) if score.stage == "finetune"]
    assert table.loc["fine-tuned, tiny", "A"] == f"{tuned[0].mean:.1f} ({tuned[0].sd:.1f})"
    means = [
        np.mean([store.read(s).outcomes["a"].test for s in one.plan if (s.stage, s.task_names) == ("finetune", ("a",))])
        for one, store in zip((first, other), stores, strict=True)
    ]
    gain, low, high = map(float, table.iloc[2]["A"].translate({ord(sign): " " for sign in "[,]"}).split())
    assert gain == pytest.approx(100 * (means[1] - means[0]), abs=0.051)
    assert low < gain < high


def test_every_row_of_the_frame_says_over_what(first: Study, other: Study, stores: tuple[RunStore, RunStore]) -> None:
    frame = encoders_frame(encoder_scores([(first, stores[0]), (other, stores[1])]))
    assert frame.groupby(["over", "encoder"]).size().to_dict() == {
        ("single-task training", "tiny e0"): 9,
        ("single-task training", "another e1"): 9,
        ("tiny e0", "another e1"): 9,
    }
    assert frame[frame.over == "tiny e0"].gain.notna().all()


def test_what_cannot_be_compared_is_said(
    first: Study, other: Study, stores: tuple[RunStore, RunStore], tmp_path: Path
) -> None:
    empty = encoder_gains(other, RunStore(tmp_path), first, stores[0])
    assert {gain.untested_reason for gain in empty} == {"not trained"}
    table = encoders_table(encoder_scores([(first, stores[0]), (other, RunStore(tmp_path))]))
    assert list(table.iloc[1]) == ["not trained"] * 3 + [""]
    [first_row, *_] = encoder_gains(other, stores[1], first, RunStore(tmp_path))
    assert first_row.untested_reason == "not trained with the first encoder"
    [known] = [one for one in stage_scores(other, stores[1]) if (one.task, one.stage) == (first_row.task, "single")]
    assert first_row.scores == known.scores
    capped = replace(other, recipe=replace(other.recipe, max_eval_examples=7))
    gains = encoder_gains(capped, fill(capped, tmp_path / "capped", PLAIN), first, stores[0])
    assert {gain.untested_reason for gain in gains} == {"other test examples"}
    assert all(math.isnan(gain.gain) for gain in gains)
    assert {len(gain.scores) for gain in gains} == {len(capped.seeds)}


def test_the_papers_rows_stand_below_those_of_its_suite(stores: tuple[RunStore, RunStore]) -> None:
    study = make_study(BIOMEDICAL, design="full", finetune=dict.fromkeys(BIOMEDICAL, FINETUNE))
    beside = encoders_table(encoder_scores([(replace(study, suite="biomedical"), stores[0])]))
    assert list(beside.loc["paper: MT-BioBERT-Fine-Tune"]) == ["85.1", "92.8", "81.2", "72.9", "83.0"]


def test_table_frame_and_words_read_the_runs_once(
    first: Study, other: Study, stores: tuple[RunStore, RunStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, read = encoder_scores([(first, stores[0]), (other, stores[1])]), []
    monkeypatch.setattr(RunStore, "read", lambda store, spec: read.append(spec))
    encoders_table(found), encoders_frame(found)
    assert "over 4 seeds" in describe_encoders(found)
    assert read == []
