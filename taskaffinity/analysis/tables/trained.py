"""Tabulate the scores of one joint training, in points: ``train.csv`` and the printed table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean, stdev

import pandas as pd

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.style import plural
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.runs.result import Outcome
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.splits import split_of, test_sets_of

TRAIN_COLUMNS = tuple(COLUMNS["train.csv"])


def train_frame(study: Study, store: RunStore) -> pd.DataFrame:
    """Return one row per task, stage and test set, in the suite's order: ``TRAIN_COLUMNS``.

    Runs that are not in the store do not count. A task without one has no row.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    encoder = f"{study.encoder.name} {study.encoder.fingerprint}"
    found: dict[tuple[str, str], list[Outcome]] = {}
    for spec in study.plan:
        run = store.get(spec)
        for name, outcome in run.outcomes.items() if run else ():
            found.setdefault((name, spec.stage), []).append(outcome)
    rows = []
    for card in study.tasks:
        for stage in _stages(study):
            outcomes = found.get((card.name, stage), [])
            if not outcomes:
                continue
            of_split = {"test" if card.has_test else "dev": [POINTS * outcome.test for outcome in outcomes]}
            for name in card.test_sets:
                scores = [POINTS * outcome.test_sets[name] for outcome in outcomes if name in outcome.test_sets]
                of_split |= {split_of(name): scores} if scores else {}
            for split, scores in of_split.items():
                rows.append(
                    {
                        "task": card.name,
                        "stage": stage,
                        "metric": outcomes[0].metric,
                        "split": split,
                        "mean": fmean(scores),
                        "sd": stdev(scores) if len(scores) > 1 else math.nan,
                        "seeds": len(scores),
                        "dev": fmean(POINTS * outcome.dev_score for outcome in outcomes),
                        "protocol": study.protocol,
                        "encoder": encoder,
                        "synthetic": study.synthetic,
                    }
                )
    return pd.DataFrame(rows, columns=list(TRAIN_COLUMNS))


def _stages(study: Study) -> list[str]:
    """Return the stages of the study's runs, in the order of training."""
    return list(dict.fromkeys(spec.stage for spec in study.plan))


def train_table(study: Study, store: RunStore) -> list[dict[str, str]]:
    """Return the rows of the printed table, as text by column.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    titles = {card.name: card for card in study.tasks}
    stages = {"single": "trained alone", "refine": "trained together", "finetune": "then fine-tuned"}
    has_stages = len(_stages(study)) > 1
    rows = []
    for row in train_frame(study, store).to_dict(orient="records"):
        sd = "" if math.isnan(row["sd"]) else f" ({row['sd']:.1f})"
        card = titles[row["task"]]
        stage = {"stage": stages[row["stage"]]} if has_stages else {}
        test = f"{row['mean']:z.1f}{sd}" if row["split"] != "dev" else "no test part"
        task = " @ ".join([card.title, *test_sets_of([row["split"]])])
        rows.append({"task": task, "metric": card.metric_title, **stage, "test": test, "dev": f"{row['dev']:z.1f}"})
    return rows


def describe_train(study: Study, store: RunStore) -> Iterator[str]:
    """Yield lines on what the table shows: its unit, its seeds, and tasks without a test part."""
    seeds = f"mean (SD) over {plural(len(study.seeds), 'seed')}" if len(study.seeds) > 1 else "of one seed"
    trained_on = "Models were trained on dev too, so its score means little."
    selected = "The dev score selected the epoch, so it is optimistic."
    yield f"Scores in points, {seeds}. {trained_on if study.protocol == 'paper' else selected}"
    lacks = [card.title for card in study.tasks if not (card.has_test or card.test_sets)]
    if lacks:
        yield f"Without a test part, so only the dev score is known: {', '.join(lacks)}."
    if missing := [spec.run_id for spec in _missing(study, store)]:
        them = "it" if len(missing) == 1 else "them"
        yield f"{plural(len(missing), 'run')} of {len(study.plan)} not done: the same command trains {them}."


def _missing(study: Study, store: RunStore) -> list[RunSpec]:
    return [spec for spec in study.plan if spec not in store]
