"""What is known of tasks before they are trained together: sizes, kinds, words, scores alone. It colours no arrow.

Frames of tasks have a row a task, by name in the suite's order; frames of arrows ``source`` and ``target``. What asks
for texts takes a suite; the rest is read from a results folder.
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
from taskaffinity.tasks.survey import n_words
from taskaffinity.tasks.task import Example, Split, Suite, Task


def suite_of(study: Study) -> Suite | None:
    """The study's suite by its name, if its texts are at hand here and are those of the study; else None."""
    try:
        suite = find_suite(study.suite)
        return suite if tuple(task.ref for task in suite) == study.refs else None
    except InputError:
        return None


def study_properties(matrix: AffinityMatrix, curves: pd.DataFrame) -> pd.DataFrame:
    """What a results folder says of each task.

    Parameters
    ----------
    curves : DataFrame
        ``curves_frame`` of the same study.

    Returns
    -------
    DataFrame
        ``kind``, ``metric``; ``n_train`` and ``n_test``, examples that the runs had at most (``max_train_examples``,
        ``max_eval_examples``), ``n_train`` NaN where ``negatives_per_positive`` thinned them; in points
        ``score_alone``, ``headroom`` (what is missing to 100: it has the noise of the runs alone, and so has every
        gain into the task; see ``association``), ``seed_sd`` (of the runs alone, as ``curves`` has them at their last
        epoch) and ``late_climb`` (of the mean dev score alone, from the middle epoch to the last: near 0 where
        training had come to its end). NaN where no run says it.
    """
    rows, recipe = [], matrix.study.recipe
    for card, score in zip(matrix.study.tasks, matrix.single_mean, strict=True):
        alone = curves[(curves.target == card.name) & (curves.source == "")]
        mean = alone.groupby("epoch").score.mean()
        last = alone[alone.epoch == alone.epoch.max()].score
        is_thinned = card.kind == "relation" and recipe.negatives_per_positive is not None
        climb = mean.iloc[-1] - mean.iloc[(len(mean) - 1) // 2] if len(mean) > 1 else np.nan
        rows.append(
            {
                "kind": card.kind,
                "metric": card.metric,
                "n_train": np.nan if is_thinned else _at_most(card.sizes.get("train"), recipe.max_train_examples),
                "n_test": _at_most(card.sizes.get("test"), recipe.max_eval_examples),
                "score_alone": score,
                "headroom": POINTS - score,
                "seed_sd": POINTS * last.std(ddof=1),
                "late_climb": POINTS * climb,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(matrix.tasks, name="task"))


def text_properties(suite: Suite) -> pd.DataFrame:
    """What the texts say of each task: the whole files, also where a study's runs had only a part of them.

    Returns
    -------
    DataFrame
        ``kind``, ``metric``, ``n_train``, ``n_test``; of the training part ``words`` (median an example, both texts of
        a pair), ``vocabulary`` (distinct words, without case) and ``majority`` (share of examples in the largest
        class; of ner, of the mentions in the largest type; NaN of similarity); ``new_words``, the share of the test
        part's distinct words that the training part lacks.
    """
    rows = []
    for task in suite:
        train, test = _vocabulary(task, "train"), _vocabulary(task, "test")
        labels = count(task.examples["train"], task.kind, task.negative).labels
        rows.append(
            {
                "kind": task.kind,
                "metric": task.metric_name,
                "n_train": len(task.examples["train"]),
                "n_test": len(task.examples["test"]),
                "words": median(map(n_words, task.examples["train"])),
                "vocabulary": len(train),
                "majority": max(labels.values()) / sum(labels.values()) if labels else np.nan,
                "new_words": _share(test - train, test),
            }
        )
    return pd.DataFrame(rows, index=pd.Index([task.name for task in suite], name="task"))


def shared_words(suite: Suite) -> pd.DataFrame:
    """What the source's training part has of the target's words, a row an arrow; of the whole files.

    Returns
    -------
    DataFrame
        ``source``, ``target``; ``shared``, the share of the distinct words of the target's training part; ``taught``,
        that of the words of its test part which its own training part lacks (NaN where it lacks none): words that
        only the source could teach.
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
    """``edges`` with what its two ends are: ``same_kind`` (0 or 1), ``size_ratio`` (log2 of the source's training
    examples over the target's) and, where ``tasks`` has them, the source's and the target's ``headroom``.

    Parameters
    ----------
    edges : DataFrame
        With ``source`` and ``target``.
    tasks : DataFrame
        ``study_properties`` or ``text_properties``.
    """
    source, target = (tasks.loc[edges[end]].reset_index(drop=True) for end in ("source", "target"))
    found = edges.reset_index(drop=True).assign(
        same_kind=(source.kind == target.kind).astype(float), size_ratio=np.log2(source.n_train / target.n_train)
    )
    if "headroom" in tasks:
        found = found.assign(source_headroom=source.headroom, target_headroom=target.headroom)
    return found


def transfer_summary(edges: pd.DataFrame) -> pd.DataFrame:
    """A row a task: how it fares as a target, and as a source.

    Returns
    -------
    DataFrame
        ``gain_in``, mean gain into the task, points of its own metric; ``rank_out``, its mean rank among the sources
        of each target, from 0 (the worst partner of all) to 1 (the best). Gains out of a task are of other metrics
        each, and are not averaged. NaN where no arrow has a gain.
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
    words = example.words or f"{example.text} {example.text_pair or ''}".split()
    return (word.casefold() for word in words)


def _share(part: frozenset[str], whole: frozenset[str]) -> float:
    return len(part) / len(whole) if whole else np.nan
