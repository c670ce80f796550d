"""Compare encoders on one suite: fine-tuned scores and gains over the first encoder.

These are the paper's Tables 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from taskaffinity.analysis.paper.stages import (
    STAGES,
    StageScore,
    columns_of,
    describe_gain,
    failures,
    in_points,
    means,
    paper_number,
    paper_rows,
    paper_table,
    stage_arms,
    stage_gain,
    stage_scores,
    stages_frame,
)
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Key, arms_of
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

ENCODER_TABLES: dict[str, int] = {"clinical": 4, "biomedical": 5}
"""Number of the paper's table of fine-tuned scores with several encoders, by suite."""

Studies = Sequence[tuple[Study, RunStore]]


@dataclass(frozen=True)
class EncoderScores:
    """Scores of every task after every trained stage, for one encoder of several."""

    study: Study
    scores: tuple[StageScore, ...]
    """Scores with the gain over single-task training."""
    over_first: tuple[StageScore, ...]
    """Scores with the gain over the same stage of the first encoder; empty for the first."""
    failed: tuple[str, ...]
    """Failed runs, each with its reason."""

    @property
    def fine_tuned(self) -> tuple[StageScore, ...]:
        return tuple(score for score in self.scores if score.stage == "finetune")


def encoder_scores(studies: Studies) -> tuple[EncoderScores, ...]:
    """Read the scores of every study.

    Raises
    ------
    ValueError
        If a file of a store is broken.
    """
    first, first_store = studies[0]
    return tuple(
        EncoderScores(
            study,
            stage_scores(study, store),
            encoder_gains(study, store, first, first_store) if study is not first else (),
            failures(study, store),
        )
        for study, store in studies
    )


def encoder_gains(study: Study, store: RunStore, first: Study, first_store: RunStore) -> tuple[StageScore, ...]:
    """Return every task after every stage, with its gain over the same stage of the first study.

    Raises
    ------
    ValueError
        If a file of a store is broken.
    """
    rule, by = study.rule, {card.name: card.metric for card in study.tasks}
    ours, theirs = (stage_arms(one, its_store, by) for one, its_store in ((study, store), (first, first_store)))
    arms: dict[Key, Arm] = {(name, "single", stage): arm for (name, stage), arm in theirs.items()}
    arms |= {(name, "pair", stage): arm for (name, stage), arm in ours.items()}
    compared = arms_of(arms, rule, {key: key[1] for key in arms})
    gains = []
    for name, metric in by.items():
        for stage in STAGES:
            key, against = (name, "pair", stage), (name, "single", stage)
            if key not in arms or against not in arms:
                reason = "not trained" if key not in arms else "not trained with the first encoder"
                gains.append(StageScore(name, stage, metric, in_points(arms.get(key)), untested_reason=reason))
            elif study.test_examples(name) != first.test_examples(name):
                reason = "other test examples"
                gains.append(StageScore(name, stage, metric, in_points(arms[key]), untested_reason=reason))
            else:
                gains.append(stage_gain(stage, metric, compared, key, against, rule))
    return tuple(gains)


def encoders_table(encoders: Sequence[EncoderScores]) -> pd.DataFrame:
    """Return the printed table: fine-tuned scores and gains of each encoder, then the paper's rows."""
    first = encoders[0].study
    rows: dict[str, list[str]] = {}
    for number_of_row, encoder in enumerate(encoders, start=1):
        name = f"fine-tuned, {encoder.study.encoder.name}"
        name = f"{name} ({number_of_row})" if name in rows else name
        rows[name] = means(encoder.fine_tuned)
        if encoder.over_first:
            gains = [describe_gain(gain) for gain in encoder.over_first if gain.stage == "finetune"]
            rows[f"  {name}, gain over the first"] = [*gains, ""]
    number = paper_number(first, ENCODER_TABLES)
    if number is not None:
        rows |= paper_rows(number, [card.name for card in first.tasks], paper_table(number).index)
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns_of(first))


def encoders_frame(encoders: Sequence[EncoderScores]) -> pd.DataFrame:
    """Return ``stages_frame`` of every study, and gains over the first encoder.

    The column ``over`` names the encoder that a gain is measured against.
    """
    first = encoders[0].study.encoder
    frames = []
    for encoder in encoders:
        frames.append(stages_frame(encoder.study, encoder.scores).assign(over="single-task training"))
        if encoder.over_first:
            over = f"{first.name} {first.fingerprint}"
            frames.append(stages_frame(encoder.study, encoder.over_first).assign(over=over))
    return pd.concat(frames, ignore_index=True)
