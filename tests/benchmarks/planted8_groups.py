"""Gains of tasks in groups of planted-8 that were trained with fresh seeds.

    python tests/benchmarks/planted8_groups.py RESULTS [HALF]        writes results/planted8_groups.csv

RESULTS is a folder of ``pairwise --domain planted-8`` (base seed 0) after ``group --groups 3 --retrain 3``. Trains
twelve groups that were drawn at random, four of each size, and all eight tasks together, with two fresh seeds: 26 runs,
about 20 minutes on one idle core. With HALF, 0 or 1, it trains every second group and writes nothing, so that two
processes share the work. A command that was interrupted continues.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from grouping import RESULTS

from taskaffinity.analysis.affinity import POINTS
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Key, arms_of
from taskaffinity.analysis.statistics.read_arms import arm_of
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.study import Study
from taskaffinity.schedule.run import run
from taskaffinity.studies.define import encoder_of
from taskaffinity.studies.resources import resolve_resources
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.training.execute import prepare

PLANTED = RESULTS / "planted8_groups.csv"
SIZES, REPEATS, SEEDS = (3, 4, 5), 4, 2


def main(root: Path, half: int | None) -> None:
    groups = drawn_groups(len(Study.load(root).tasks))
    train_groups(root, groups if half is None else groups[half::2])
    if half is None:
        write_csv(planted_groups(root), PLANTED)


def drawn_groups(size: int) -> list[tuple[int, ...]]:
    """Return the groups: all tasks together, and of each size some at random."""
    rng = np.random.default_rng(0)
    groups = [tuple(range(size))]
    for number in SIZES:
        sets = [*combinations(range(size), number)]
        groups += [sets[place] for place in sorted(rng.choice(len(sets), REPEATS, replace=False))]
    return groups


def train_groups(root: Path, groups: list[tuple[int, ...]]) -> None:
    """Train the groups with fresh seeds, as runs of the results folder."""
    study, store = Study.load(root), RunStore(root)
    suite = find_suite(study.suite)
    encoder = encoder_of(suite, None)
    assert {task.ref for task in suite} == set(study.refs)
    assert encoder.ref == study.encoder
    plan = Plan.of(
        RunSpec(tuple(sorted(study.refs[task] for task in group)), study.encoder, RETRAIN_SEEDS + seed, study.recipe)
        for group in groups
        for seed in range(SEEDS)
    )
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    resources = resolve_resources("local", study.recipe.threads, 0, None, is_tiny=False)
    how = {"encoder_folder": encoder.folder, "cache": cache_folder(), "resources": resources}
    report = run(plan, store, **how, cost=study.cost)
    assert not report.failed, report.failed


def planted_groups(root: Path) -> pd.DataFrame:
    """Return one row per task of each group of three or more that a results folder has with fresh seeds.

    Gains over single-task runs of the same seeds, in points, as ``group --retrain`` compares them.
    """
    study, store = Study.load(root), RunStore(root)
    specs = [parse_model(path.read_bytes(), RunSpec) for path in sorted((root / "runs").glob("*/spec.json"))]
    fresh = [run for spec in specs if spec.seed >= RETRAIN_SEEDS and (run := store.get(spec))]
    arms: dict[Key, Arm] = {}
    seeds: dict[Key, int] = {}
    for card in study.tasks:
        for names in {run.spec.task_names for run in fresh if card.name in run.spec.task_names}:
            runs = [run for run in fresh if run.spec.task_names == names]
            others = "+".join(name for name in names if name != card.name)
            key = (card.name, "pair" if others else "single", others)
            arms[key], seeds[key] = arm_of(runs, f"{card.name}/test", card.metric), len(runs)
    prior, rows = arms_of(arms, study.rule), []
    for key in sorted(key for key in arms if "+" in key[2]):
        single: Key = (key[0], "single", "")
        priors = (prior.prior_for(key), prior.prior_for(single))
        found = variance_components(arms[key], arms[single], *priors, study.rule.estimand)
        error = standard_error(found, study.rule.estimand, study.rule.test)
        values = {"gain": POINTS * float(error.gain), "se": POINTS * float(error.se), "df": float(error.df)}
        rows.append(
            {"tasks": "+".join(sorted((key[0], *key[2].split("+")))), "task": key[0], **values, "seeds": seeds[key]}
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
