"""One suite with several encoders: the fine-tuned scores of each (the paper's Tables 4 and 5), and what an encoder
gains over the first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from taskaffinity.analysis.stages import (
    STAGES,
    StageScore,
    columns_of,
    full_frame,
    gain_in_words,
    gained,
    means,
    paper_rows,
    paper_table,
    prior_of,
    stage_arms,
    stage_scores,
)
from taskaffinity.analysis.verdicts import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

ENCODER_TABLES: dict[str, int] = {"clinical": 4, "biomedical": 5}
"""The paper's tables of fine-tuned scores with several encoders."""

Studies = Sequence[tuple[Study, RunStore]]


def encoder_gains(study: Study, store: RunStore, first: Study, first_store: RunStore) -> tuple[StageScore, ...]:
    """Every task after every stage, with its gain over the same stage with the first study's encoder.

    Raises
    ------
    ValueError
        If a file of a store is broken.
    """
    rule, by = Rule(**study.rule), {card.name: card.metric for card in study.tasks}
    ours, theirs = (stage_arms(one, its_store, by) for one, its_store in ((study, store), (first, first_store)))
    prior = prior_of([*ours.values(), *theirs.values()])
    found = []
    for name, metric in by.items():
        for stage in STAGES:
            arm, against = ours.get((name, stage)), theirs.get((name, stage))
            if arm is None or against is None:
                found.append(StageScore(name, stage, metric, (), reason="not trained"))
            elif _test_set(study) != _test_set(first):
                found.append(StageScore(name, stage, metric, (), reason="other test examples"))
            else:
                found.append(gained(name, stage, metric, arm, against, prior, rule))
    return tuple(found)


def _test_set(study: Study) -> tuple[object, ...]:
    return study.refs, study.recipe.max_eval_examples, study.recipe.max_eval_examples and study.recipe.sample_seed


def encoders_table(studies: Studies) -> pd.DataFrame:
    """For people: fine-tuned scores, a row an encoder with its gain over the first; the paper's own rows below.

    Raises
    ------
    ValueError
        If a file of a store is broken.
    """
    first, first_store = studies[0]
    rows: dict[str, list[str]] = {}
    for number_of_row, (study, store) in enumerate(studies, start=1):
        tuned = [score for score in stage_scores(study, store) if score.stage == "finetune"]
        name = f"fine-tuned, {study.encoder.name}"
        name = f"{name} ({number_of_row})" if name in rows else name
        rows[name] = means(tuned)
        if number_of_row > 1:
            gains = encoder_gains(study, store, first, first_store)
            rows[f"  {name}, gain over the first"] = [
                *(gain_in_words(gain) for gain in gains if gain.stage == "finetune"),
                "",
            ]
    number = None if first.synthetic else ENCODER_TABLES.get(first.suite)
    if number is not None:
        rows |= paper_rows(number, [card.name for card in first.tasks], paper_table(number).index)
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns_of(first))


def encoders_frame(studies: Studies) -> pd.DataFrame:
    """``full_frame`` of every study, and each encoder's gains over the first, told apart by ``over``.

    Raises
    ------
    ValueError
        If a file of a store is broken.
    """
    first, first_store = studies[0]
    frames = []
    for study, store in studies:
        frames.append(full_frame(study, stage_scores(study, store)).assign(over="training alone"))
        if study is not first:
            gains = encoder_gains(study, store, first, first_store)
            name = f"{first.encoder.name} {first.encoder.fingerprint}"
            frames.append(full_frame(study, gains).assign(over=name))
    return pd.concat(frames, ignore_index=True)
