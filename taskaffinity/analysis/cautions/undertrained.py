"""Tasks whose single-task training failed or ended too early, from test scores, training losses and dev scores.

More seeds cannot repair a baseline that is not trained to its end, or that is no better than the largest class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any, get_args

from taskaffinity.runs.external.scores import negated_tasks
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import Fault, Undertrained
from taskaffinity.runs.study import Study

MIN_LOSS_DROP = 0.1
"""A task hardly learns if its training loss falls by less than this share from the first to the last epoch."""
MIN_CLIMB = 2.0
"""A task still improves if its dev score rises by this number of points from the middle to the last epoch."""

ADVICE = "more epochs, a higher learning_rate or a smaller batch_size (--set) help more than more seeds"
_OTHER_TEST = "Their gains say little. If dev scores are better, the test split differs from training."
_ADVICE_ELSEWHERE = "more epochs, a higher learning rate or a smaller batch size help more than more seeds"
"""For runs that other programs trained."""


def find_undertrained(study: Study, store: RunStore) -> tuple[Undertrained, ...]:
    """Return the tasks whose single-task runs score 0, hardly learned, score no better than the largest class of the
    test examples, or still improved.

    Studies that evaluate after fine-tuning or start from multi-task weights give none: they train in two parts. Runs
    that were trained elsewhere have no history; a table of facts may say it instead.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    after = study.stated.get("evaluated_after", study.evaluate_after)
    if after == "finetune" or study.stated.get("init_from", study.init_from) != "encoder":
        return ()
    runs: dict[str, list[RunResult]] = {card.name: [] for card in study.tasks}
    for spec in study.plan:
        if spec.arm == "single" and (run := store.get(spec)):
            runs[spec.task_names[0]].append(run)
    said, errors = {one.task: one for one in study.undertrained}, negated_tasks(study.stated)
    metrics = {card.name: card.metric for card in study.tasks}
    faults = {name: _fault(name, metrics[name], of_task, is_error=name in errors) for name, of_task in runs.items()}
    gravest = get_args(Fault).index
    both = [[one for one in (found, said.get(name)) if one] for name, found in faults.items()]
    return tuple(min(of_task, key=lambda one: gravest(one.fault)) for of_task in both if of_task)


def _fault(name: str, metric: str, runs: Sequence[RunResult], *, is_error: bool) -> Undertrained | None:
    """Return what is wrong with the single-task runs of a task; the gravest fault only.

    Parameters
    ----------
    is_error : bool
        Whether the scores are negated errors, of which 0 is the best.
    """
    tests = [run.outcomes[name].test for run in runs]
    if tests and not any(tests) and not is_error:
        return Undertrained(name, "zero", 0.0)
    histories = [list(run.history) for run in runs]
    scores = [_course(history, "dev", name) for history in histories]
    fell = loss_drop(name, runs)
    climbs = [100 * (of_run[-1] - of_run[(len(of_run) - 1) // 2]) for of_run in scores if len(of_run) > 1]
    if fell < MIN_LOSS_DROP:
        return Undertrained(name, "hardly", 100 * fell)
    if tests and metric == "accuracy" and fmean(tests) <= (largest := _largest_class(name, runs[0])):
        return Undertrained(name, "majority", 100 * largest)
    if climbs and fmean(climbs) >= MIN_CLIMB:
        return Undertrained(name, "climbing", fmean(climbs))
    return None


def loss_drop(name: str, runs: Sequence[RunResult]) -> float:
    """Return the share by which the training loss of a task fell from the first to the last epoch.

    It is the mean over the runs with at least two epochs; NaN if there are none.
    """
    losses = [_course(list(run.history), "loss", name) for run in runs]
    fell = [1 - of_run[-1] / of_run[0] for of_run in losses if len(of_run) > 1 and of_run[0] > 0]
    return fmean(fell) if fell else math.nan


def _course(history: Sequence[Mapping[str, Any]], what: str, name: str) -> list[float]:
    """Return the losses or dev scores of a task by epoch."""
    return [epoch[what][name] for epoch in history if name in epoch.get(what, {})]


def _largest_class(name: str, run: RunResult) -> float:
    """Return the share of the most frequent class among the test examples of a task; 0 if their classes are unknown."""
    counts = run.counts.get(f"{name}/test/macro_f1")
    if counts is None or not len(counts):
        return 0.0
    of_classes = counts.reshape(len(counts), -1, 3)[:, :, [0, 2]].sum(axis=(0, 2))  # tp + fn
    unscored = len(counts) - of_classes.sum()
    return float(max(of_classes.max(), unscored)) / len(counts)


def untrained_tasks(found: Sequence[Undertrained]) -> set[str]:
    """Return the tasks that scored 0 or hardly learned."""
    return {one.task for one in found if one.fault in ("zero", "hardly")}


def describe_undertrained(study: Study, found: Sequence[Undertrained]) -> list[str]:
    """Return a line for each fault with the tasks that have it, and what helps."""
    titles = {card.name: card.title for card in study.tasks}
    kinds: dict[Fault, tuple[str, Callable[[float], str]]] = {
        "zero": ("These tasks scored 0 in every single-task run", lambda value: ""),
        "hardly": (
            "These tasks hardly learned in single-task training (fall of the training loss)",
            lambda value: f" ({value:z.0f}%)",
        ),
        "majority": (
            "These tasks scored no better on test than one class for all examples would (share of the largest class)",
            lambda value: f" ({value:.1f}%)",
        ),
        "climbing": (
            "These tasks were still improving at the end of single-task training (dev points over the last half)",
            lambda value: f" (+{value:.1f})",
        ),
    }
    lines: list[str] = []
    advice = _ADVICE_ELSEWHERE if study.is_external else ADVICE
    for fault, (words, shown) in kinds.items():
        named = [f"{titles[one.task]}{shown(one.value)}" for one in found if one.fault == fault]
        if named and fault == "majority":
            lines.append(f"{words}: {', '.join(named)}. {_OTHER_TEST}")
        elif named:
            lines.append(f"{words}: {', '.join(named)}{f'; {advice}' if advice else ''}.")
            advice = ""  # once
    return lines
