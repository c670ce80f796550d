"""Scores by stage: every task after single-task training, multi-task training and fine-tuning.

A stage is compared with single-task training like a pair: difference of means over seeds, with the two-way error. As in
the paper, fine-tuned runs have more updates on the target than single-task runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key, arms_of
from taskaffinity.analysis.statistics.read_arms import arm_of
from taskaffinity.analysis.statistics.same_examples import SameExamples
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.analysis.style import plural, signed
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec, Stage
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

STAGES: tuple[Stage, ...] = get_args(Stage)

TITLES: dict[Stage, str] = {
    "single": "single-task",
    "refine": "multi-task",
    "finetune": "fine-tuned",
}

STAGES_COLUMNS = tuple(COLUMNS["stages.csv"])

_PAPER_MODELS: dict[int, dict[Stage, str]] = {
    2: {
        "single": "BlueBERT_clinical",
        "refine": "MT-BlueBERT-Refinement_clinical",
        "finetune": "MT-BlueBERT-Fine-Tune_clinical",
    },
    3: {
        "single": "BlueBERT_biomedical",
        "refine": "MT-BlueBERT-Refinement_biomedical",
        "finetune": "MT-BlueBERT-Fine-Tune_biomedical",
    },
    6: {"single": "BlueBERT_biomedical", "finetune": "MT-BlueBERT-Fine-Tune_biomedical"},
}
"""Rows (Table 6: columns) of the paper's tables, by stage."""

PAPER_TABLES: dict[str, int] = {"clinical": 2, "biomedical": 3, "blue": 6}
"""Number of the paper's table, by suite."""

OTHER_CODE = "another code base"
"""Said of the paper's single-task rows: its multi-task code did not train them."""

_FILES = {
    2: "table2_clinical.csv",
    3: "table3_biomedical.csv",
    4: "table4_clinical_encoders.csv",
    5: "table5_biomedical_encoders.csv",
    6: "table6_blue.csv",
}


@dataclass(frozen=True)
class StageScore:
    """Scores and gain of one task after one stage, in points; unknown values are NaN."""

    task: str
    stage: Stage
    metric: str
    """A key of ``METRICS``."""
    scores: tuple[float, ...]
    """Test scores, one per seed."""
    gain: float = math.nan
    """Gain over single-task training; NaN for ``single``."""
    low: float = math.nan
    """Ends of the ``1 - alpha`` interval, not adjusted for multiple comparisons."""
    high: float = math.nan
    p: float = math.nan
    untested_reason: str = ""
    """Why there is no interval; empty if there is one."""

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores)) if self.scores else math.nan

    @property
    def sd(self) -> float:
        """Standard deviation over seeds; NaN for one seed."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else math.nan


def stage_scores(study: Study, store: RunStore, by: Mapping[str, str] | None = None) -> tuple[StageScore, ...]:
    """Return every task after every stage, in the suite's order.

    An untrained stage has no scores.

    Parameters
    ----------
    by : mapping, optional
        Tasks and keys of ``METRICS``: only these tasks, by these metrics. Default: all by their official ones.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    rule = study.rule
    by = by or {card.name: card.metric for card in study.tasks}
    arms = stage_arms(study, store, by)
    keys: dict[tuple[str, Stage], Key] = {
        (name, stage): (name, "single", "") if stage == "single" else (name, "pair", stage) for name, stage in arms
    }
    compared = arms_of({keys[place]: arm for place, arm in arms.items()}, rule)
    scores = []
    for name, metric in by.items():
        for stage in STAGES:
            arm = arms.get((name, stage))
            values = in_points(arm)
            if stage == "single":
                scores.append(StageScore(name, stage, metric, values))
                continue
            if arm is None or (name, "single") not in arms:
                reason = "not trained" if arm is None else f"no {TITLES['single']} run"
                scores.append(StageScore(name, stage, metric, values, untested_reason=reason))
                continue
            scores.append(stage_gain(stage, metric, compared, keys[name, stage], keys[name, "single"], rule))
    return tuple(scores)


def stage_gain(stage: Stage, metric: str, arms: Arms, key: Key, against: Key, rule: Rule) -> StageScore:
    """Return the scores of an arm with its gain over another."""
    arm, other = arms.by_key[key], arms.by_key[against]
    evidence = variance_components(arm, other, arms.prior_for(key), arms.prior_for(against), rule.estimand)
    error = standard_error(evidence, rule.estimand, rule.test)
    gain, low, high = (float(POINTS * value) for value in (error.gain, *error.interval(rule.alpha)))
    reason = str(evidence.untested_reason).replace("pair run", "run")
    return StageScore(key[0], stage, metric, in_points(arm), gain, low, high, float(error.p()), reason)


def in_points(arm: Arm | None) -> tuple[float, ...]:
    """Return the scores of an arm in points, one per seed; none without an arm."""
    return tuple(float(POINTS * score) for score in arm.scores) if arm else ()


def stage_arms(study: Study, store: RunStore, by: Mapping[str, str]) -> dict[tuple[str, Stage], Arm]:
    """Return the arm of every task of ``by`` after every trained stage, by its metric."""
    official = {card.name: card.metric for card in study.tasks}
    arms: dict[tuple[str, Stage], Arm] = {}
    examples = SameExamples()
    specs_of: dict[tuple[str, Stage], list[RunSpec]] = {place: [] for place in product(by, STAGES)}
    for spec in study.plan:
        for name in set(spec.task_names) & set(by):
            specs_of[name, spec.stage].append(spec)
    for (name, stage), specs in specs_of.items():
        key = f"{name}/test" + ("" if by[name] == official[name] else f"/{by[name]}")
        runs = [run for run in map(store.get, specs) if run and key in run.counts]
        if runs:
            arms[name, stage] = arm_of(runs, key, by[name], examples)
    return arms


def stages_frame(study: Study, scores: tuple[StageScore, ...]) -> pd.DataFrame:
    """Return one row per task and stage, in points: ``STAGES_COLUMNS``."""
    rule = study.rule
    encoder = f"{study.encoder.name} {study.encoder.fingerprint}"
    same = (rule.alpha, rule.estimand, study.protocol, encoder, study.synthetic)
    rows = [
        (s.task, s.stage, s.metric, s.mean, s.sd, len(s.scores), s.gain, s.low, s.high, s.p, s.untested_reason, *same)
        for s in scores
    ]
    return pd.DataFrame(rows, columns=list(STAGES_COLUMNS))


def failures(study: Study, store: RunStore) -> tuple[str, ...]:
    """Return the failed runs, which the scores omit, each with its reason."""
    return tuple(f"{spec.run_id}: {reason}" for spec in study.plan if (reason := store.failure(spec)))


@cache
def paper_table(number: int) -> pd.DataFrame:
    """Return a table of the paper in points: one row per model, one column per task, the average last."""
    with (files("taskaffinity.analysis") / "paper" / _FILES[number]).open(encoding="utf-8") as file:
        table = pd.read_csv(file, index_col=0)
    return POINTS * (table.T if number == 6 else table)  # Table 6 has the tasks as rows


def stages_table(study: Study, scores: tuple[StageScore, ...]) -> pd.DataFrame:
    """Return the printed table: one row per stage, one column per task, then the paper's rows.

    Synthetic suites and suites that are not in the paper have no such rows.
    """
    tasks = [card.name for card in study.tasks]
    by_cell = {(score.task, score.stage): score for score in scores}
    rows: dict[str, list[str]] = {}
    for stage in STAGES:
        cells = [by_cell[task, stage] for task in tasks]
        rows[TITLES[stage]] = means(cells)
        if stage != "single":
            rows[f"  {TITLES[stage]}, gain"] = [*(describe_gain(cell) for cell in cells), ""]
    number = paper_number(study, PAPER_TABLES)
    if number is not None:
        models = _PAPER_MODELS[number]
        rows |= {
            f"{row}, {OTHER_CODE}" if row == f"paper: {models['single']}" else row: cells
            for row, cells in paper_rows(number, tasks, models.values()).items()
        }
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns_of(study))


def paper_number(study: Study, tables: Mapping[str, int]) -> int | None:
    """Return the number of the paper's table that has the tasks of a study; None if the text is synthetic or other."""
    number = None if study.synthetic else tables.get(study.suite)
    return number if number and {card.name for card in study.tasks} <= {*paper_table(number).columns} else None


def lacks_tasks(study: Study, number: int) -> bool:
    """Return whether a study has only a part of the tasks of a table of the paper."""
    return len(study.tasks) < len(paper_table(number).columns) - 1  # the average has a column, too


def columns_of(study: Study) -> list[str]:
    """Return the columns of a printed table: the tasks and their average."""
    return [*(card.title for card in study.tasks), "average"]


def means(cells: Sequence[StageScore]) -> list[str]:
    """Return a row of means, the average of the tasks last."""
    average = math.nan if any(not cell.scores for cell in cells) else float(np.mean([cell.mean for cell in cells]))
    return [*(_mean_and_sd(cell) for cell in cells), _one_digit(average)]


def paper_rows(number: int, tasks: Sequence[str], models: Iterable[str]) -> dict[str, list[str]]:
    """Return rows of a table of the paper as printed text; the average is over the given tasks."""
    table = paper_table(number)
    paper = table[[*tasks, "avg"]].copy()
    if len(tasks) < len(table.columns) - 1:  # as ``lacks_tasks``
        paper["avg"] = table[[*tasks]].mean(axis=1)
    rows = dict(zip(paper.index, paper.to_numpy(), strict=True))
    return {f"paper: {model}": [_one_digit(score) for score in rows[model]] for model in models}


def _mean_and_sd(score: StageScore) -> str:
    if not score.scores:
        return "not trained"
    return _one_digit(score.mean) + (f" ({_one_digit(score.sd)})" if len(score.scores) > 1 else "")


def uneven(study: Study, scores: Iterable[StageScore]) -> list[str]:
    """Return ``mednli single-task: 2 seeds`` for every mean over fewer seeds than planned."""
    return [
        f"{score.task} {TITLES[score.stage]}: {plural(len(score.scores), 'seed')}"
        for score in scores
        if 0 < len(score.scores) < len(study.seeds)
    ]


def describe_gain(score: StageScore) -> str:
    """Return ``+1.9 [+1.1, +2.7]``, or why there is no gain."""
    if math.isnan(score.gain):
        return score.untested_reason
    if math.isnan(score.low):
        return f"{signed(score.gain)} ({score.untested_reason})"
    return f"{signed(score.gain)} [{signed(score.low)}, {signed(score.high)}]"


def _one_digit(points: float) -> str:
    return "" if math.isnan(points) else f"{points:z.1f}"
