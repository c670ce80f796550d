"""Properties of tasks before multi-task training: sizes, kinds, words, single-task scores. No verdict uses them.

Frames of tasks have one row per task, in the suite's order; frames of arrows have ``source`` and ``target``. Functions
that need texts take a suite; the others read a results folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from statistics import median

import numpy as np
import pandas as pd

from taskaffinity.analysis.affinity import POINTS, AffinityMatrix
from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.survey import n_words
from taskaffinity.tasks.task import Example, Split, Task


def suite_of(study: Study) -> Suite | None:
    """Return the study's suite if its texts are available and have the study's fingerprints; else None."""
    try:
        suite = find_suite(study.suite)
        return suite if tuple(task.ref for task in suite) == study.refs else None
    except InputError:
        return None


def study_properties(matrix: AffinityMatrix, curves: pd.DataFrame) -> pd.DataFrame:
    """Return what a results folder says about each task.

    Parameters
    ----------
    curves : DataFrame
        ``curves_frame`` of the same study.

    Returns
    -------
    DataFrame
        ``kind``, ``metric``; ``n_train`` and ``n_test``, examples of a run after ``max_train_examples`` and
        ``max_eval_examples`` (``n_train`` is NaN if ``negatives_per_positive`` downsamples them). In points:
        ``score_single``; ``headroom``, 100 less that score (it shares its noise with every gain into the task; see
        ``rank_correlation``); ``seed_sd``, standard deviation of the single-task dev score at the last epoch of
        ``curves``; ``late_climb``, rise of the mean single-task dev score from the middle to the last epoch (near 0
        if training has converged). Unknown values are NaN.
    """
    rows, recipe = [], matrix.study.recipe
    for card, score in zip(matrix.study.tasks, matrix.single_mean, strict=True):
        single = curves[(curves.target == card.name) & (curves.source == "")]
        mean = single.groupby("epoch").score.mean()
        last = single[single.epoch == single.epoch.max()].score
        has_negative = card.kind == "relation" if card.has_negative is None else card.has_negative
        is_downsampled = has_negative and recipe.negatives_per_positive is not None
        climb = mean.iloc[-1] - mean.iloc[(len(mean) - 1) // 2] if len(mean) > 1 else np.nan
        rows.append(
            {
                "kind": card.kind,
                "metric": card.metric,
                "n_train": np.nan if is_downsampled else _at_most(card.sizes.get("train"), recipe.max_train_examples),
                "n_test": _at_most(card.sizes.get("test"), recipe.max_eval_examples),
                "score_single": score,
                "headroom": POINTS - score,
                "seed_sd": POINTS * last.std(ddof=1),
                "late_climb": POINTS * climb,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(matrix.tasks, name="task"))


def text_properties(suite: Suite) -> pd.DataFrame:
    """Return what the texts say about each task, from the complete files.

    Returns
    -------
    DataFrame
        ``kind``, ``metric``, ``n_train``, ``n_test``. Of the training split: ``words`` (median per example, both texts
        of a pair), ``vocabulary`` (distinct words, case folded) and ``majority`` (share of the largest class; for ner
        of the mentions of the largest type; for choice the accuracy of guessing, the mean of one over the number of
        options; NaN for similarity). ``new_words`` is the share of the test split's
        distinct words that the training split lacks.
    """
    rows = []
    for task in suite:
        train, test = _vocabulary(task, "train"), _vocabulary(task, "test")
        rows.append(
            {
                "kind": task.kind,
                "metric": task.metric_name,
                "n_train": len(task.examples["train"]),
                "n_test": len(task.examples["test"]),
                "words": median(map(n_words, task.examples["train"])),
                "vocabulary": len(train),
                "majority": _majority(task),
                "new_words": _share(test - train, test),
            }
        )
    return pd.DataFrame(rows, index=pd.Index([task.name for task in suite], name="task"))


def _majority(task: Task) -> float:
    """Return the share of the largest class in training, or the accuracy of guessing among options."""
    train = task.examples["train"]
    if task.kind == "choice":
        return float(np.mean([1 / len(example.options) for example in train]))
    labels = count(train, task.kind, task.negative).labels
    return max(labels.values()) / sum(labels.values()) if labels else np.nan


def shared_words(suite: Suite) -> pd.DataFrame:
    """Return how many of the target's words are in the source's training split, one row per arrow.

    Returns
    -------
    DataFrame
        ``source``, ``target``; ``shared``, share of the distinct words of the target's training split; ``taught``,
        share of the words of the target's test split that its training split lacks (NaN if it lacks none).
    """
    train = {task.name: _vocabulary(task, "train") for task in suite}
    new = {task.name: _vocabulary(task, "test") - train[task.name] for task in suite}
    return pd.DataFrame(
        [
            (s, t, _share(train[s] & train[t], train[t]), _share(train[s] & new[t], new[t]))
            for s, t in permutations(train, 2)
        ],
        columns=["source", "target", "shared", "taught"],
    )


def arrow_properties(edges: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Return ``edges`` with the properties of both tasks.

    The new columns are ``same_kind`` (0 or 1), ``size_ratio`` (log2 of the source's training examples over the
    target's) and, if ``tasks`` has ``headroom``, ``source_headroom`` and ``target_headroom``.

    Parameters
    ----------
    edges : DataFrame
        With columns ``source`` and ``target``.
    tasks : DataFrame
        ``study_properties`` or ``text_properties``.
    """
    source, target = (tasks.loc[edges[end]].reset_index(drop=True) for end in ("source", "target"))
    frame = edges.reset_index(drop=True).assign(
        same_kind=(source.kind == target.kind).astype(float), size_ratio=np.log2(source.n_train / target.n_train)
    )
    if "headroom" in tasks:
        frame = frame.assign(source_headroom=source.headroom, target_headroom=target.headroom)
    return frame


def transfer_summary(edges: pd.DataFrame) -> pd.DataFrame:
    """Return how each task does as a target and as a source, one row per task.

    Returns
    -------
    DataFrame
        ``gain_in``, mean gain into the task, in points of its metric; ``rank_out``, mean rank among the sources of each
        target, from 0 (the worst source) to 1 (the best). Gains out of a task are in different metrics and have no
        mean. NaN if no arrow has a gain.
    """
    known = edges.dropna(subset="gain")
    grouped = known.groupby("target").gain
    others = grouped.transform("size") - 1
    rank = ((grouped.rank() - 1) / others.where(others > 0)).groupby(known.source).mean()
    names = list(dict.fromkeys([*edges.source, *edges.target]))
    found = pd.DataFrame({"gain_in": grouped.mean(), "rank_out": rank}).reindex(names)
    return found.rename_axis("task")


def _at_most(size: int | None, cap: int | None) -> float:
    if size is None:
        return np.nan
    return size if cap is None else min(size, cap)


def _vocabulary(task: Task, split: Split) -> frozenset[str]:
    return frozenset(word for example in task.examples[split] for word in _words(example))


def _words(example: Example) -> Iterable[str]:
    words = example.words or " ".join((example.text, example.text_pair or "", *example.options)).split()
    return (word.casefold() for word in words)


def _share(part: frozenset[str], whole: frozenset[str]) -> float:
    return len(part) / len(whole) if whole else np.nan
