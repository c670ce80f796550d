"""Read the arms of a study from its runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.collapse import predicts_nothing
from taskaffinity.analysis.statistics.gain_error import FloatArray
from taskaffinity.analysis.statistics.same_examples import SameExamples
from taskaffinity.garbage_collection import without_collection
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.secondary_metrics import SHOW_COLLAPSE
from taskaffinity.tasks.splits import split_of


@without_collection()
def read_arms(
    study: Study,
    store: RunStore,
    by: Mapping[str, str] | None = None,
    rule: Rule | None = None,
    test_set: str = "",
) -> Arms:
    """Read every arm from the study's runs in the store, at the stage that the study evaluates.

    Runs on all tasks together are left out.

    Parameters
    ----------
    by : mapping, optional
        Tasks and keys of ``METRICS``: only these tasks, by these metrics. Default: all by their official ones.
    rule : Rule, optional
        Its test and estimand. Default: the study's.
    test_set : str
        A further test set; tasks without it have no arm. Default: every task's split ``test``.

    Raises
    ------
    ValueError
        If a file of the store is broken, or runs of a task have other test examples than the others.
    """
    official = {card.name: card.metric for card in study.tasks}
    by = by or official
    by_key: dict[Key, Arm] = {}
    seeds: dict[Key, tuple[int, ...]] = {}
    read = (spec for spec in study.plan if (spec.stage == "finetune") == (study.evaluate_after == "finetune"))
    specs = sorted((spec for spec in read if spec.trained_as.arm != "full"), key=_condition)
    examples, sizes_of = SameExamples(), dict[str, FloatArray]()
    for (arm, names, targets, partner), group in groupby(specs, key=_condition):
        done = [run for run in map(store.get, group) if run]
        for target in (name for name in targets if name in by):
            of_test = f"{target}/{split_of(test_set)}" + ("" if by[target] == official[target] else f"/{by[target]}")
            runs = [run for run in done if of_test in run.counts]  # an older version stored the official ones only
            if not runs:
                continue
            key = (target, arm, partner or "".join(name for name in names if name != target))
            arm_found = arm_of(runs, of_test, by[target], examples)
            sizes = sizes_of.setdefault(target, arm_found.document_sizes)  # gold, so all arms have the same
            by_key[key] = dataclasses.replace(arm_found, document_sizes=sizes)
            seeds[key] = tuple(run.spec.seed for run in runs)
    baseline = "matched" if study.baseline == "compute-matched" else "single"
    rule = rule or study.rule
    names = tuple(card.name for card in study.tasks)
    return Arms(names, by_key, seeds, baseline, rule.test, rule.estimand)


def arm_of(runs: Sequence[RunResult], key: str, metric: str, examples: SameExamples) -> Arm:
    """Return the arm of runs of one condition, from their counts under a key of ``RunResult.counts``.

    Parameters
    ----------
    examples : SameExamples
        One for all arms that are compared.

    Raises
    ------
    InputError
        If the runs differ from those that ``examples`` knows.
    """
    examples.check(runs, key, metric)
    arm = Arm.from_counts(np.stack([run.counts[key] for run in runs]), METRICS[metric], runs[0].documents.get(key))
    target, split = key.split("/")[:2]
    constant = [shows_constant(run, f"{target}/{split}") for run in runs]
    return dataclasses.replace(arm, constant=arm.constant | np.array(constant))


def shows_constant(run: RunResult, key: str) -> bool:
    """Return whether secondary counts show that a run predicts one class, or no answer, for every example.

    Parameters
    ----------
    key : str
        Of the official counts. Runs of older versions may lack the secondary ones.
    """
    return any(
        f"{key}/{metric}" in run.counts and predicts_nothing(run.counts[f"{key}/{metric}"], METRICS[metric])
        for metric in SHOW_COLLAPSE
    )


def _condition(spec: RunSpec) -> tuple[str, tuple[str, ...], tuple[str, ...], str]:
    """Return the arm, the tasks trained together, the targets among them, and the partner of a matched run."""
    first = spec.trained_as
    return first.arm, first.task_names, spec.task_names, spec.partner[0] if spec.partner else ""
