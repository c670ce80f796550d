"""Gains by secondary metrics: they have the same errors, but no verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import pandas as pd

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.paper.stages import STAGES, TITLES, StageScore, stage_scores
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.sequential import DEFERRED
from taskaffinity.analysis.statistics.standard_errors import standard_error
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

SECONDARY_COLUMNS = tuple(COLUMNS["other_metrics.csv"])


def stored_metrics(study: Study, store: RunStore) -> Iterator[Mapping[str, str]]:
    """Yield tasks with a secondary metric that their runs store counts for.

    First metrics come before second ones.
    """
    stored: dict[str, list[str]] = {card.name: [] for card in study.tasks}
    for spec in study.plan:
        run = store.get(spec) if spec.stage == "single" else None
        for key in run.counts if run else ():
            name, _, metric = key.partition("/test/")
            if metric and metric not in stored[name]:
                stored[name].append(metric)
    for metrics in zip_longest(*stored.values()):
        yield {name: metric for name, metric in zip(stored, metrics, strict=True) if metric is not None}


def secondary_metrics_frame(study: Study, store: RunStore, rule: Rule) -> pd.DataFrame:
    """Return one row per arrow and secondary metric of its target, in points: ``SECONDARY_COLUMNS``.

    Intervals are not adjusted for multiple comparisons. A sequential design gives all of its runs.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    rows = []
    for by in stored_metrics(study, store):
        evidence = read_arms(study, store, by, rule).evidence
        error = standard_error(evidence, rule.estimand, rule.test)
        low, high = error.interval(rule.alpha)
        p = error.p()
        for s, source in enumerate(study.tasks):
            for t, target in enumerate(study.tasks):
                if s == t or target.name not in by:
                    continue
                is_deferred = study.admission is not None and study.admission.defers(source.name, target.name)
                gain, single = POINTS * evidence.gain[s, t], POINTS * evidence.mean_single[s, t]
                rows.append(
                    (
                        *(source.name, target.name, by[target.name]),
                        *(gain, POINTS * low[s, t], POINTS * high[s, t], p[s, t]),
                        *(
                            evidence.n_pair[s, t],
                            evidence.n_single[s, t],
                            single,
                            single + gain,
                            DEFERRED if is_deferred else evidence.untested_reason[s, t],
                        ),
                        *(rule.alpha, rule.estimand, study.synthetic),
                    )
                )
    return pd.DataFrame(rows, columns=list(SECONDARY_COLUMNS))


def secondary_metrics_by_stage(study: Study, store: RunStore) -> tuple[StageScore, ...]:
    """Return ``stage_scores`` by every secondary metric.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    return tuple(score for by in stored_metrics(study, store) for score in stage_scores(study, store, by))


def describe_secondary_metrics(study: Study, scores: Sequence[StageScore]) -> str:
    """Return a line with the scores by secondary metrics; empty if none.

    An example is ``By other metrics (single-task, multi-task, fine-tuned): DDI, macro-F1: 35.1, 35.9, 36.4``.
    """
    cards = {card.name: card for card in study.tasks}
    means: dict[tuple[str, str], list[str]] = {}
    for score in scores:
        cell = f"{score.mean:z.1f}" if score.scores else "not trained"
        means.setdefault((score.task, score.metric), []).append(cell)
    parts = [
        f"{cards[task].title}, {cards[task].title_of(metric)}: {', '.join(m)}" for (task, metric), m in means.items()
    ]
    return f"By other metrics ({', '.join(TITLES[stage] for stage in STAGES)}): {'; '.join(parts)}." if parts else ""
