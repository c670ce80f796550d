"""How well estimates agree with measured gains.

An estimator gives every arrow a score. It is judged by its rank of arrows (area under the ROC curve), by signs, by its
order of sources for each target, and by the coverage of its intervals. Cheap estimators are compared with the probes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ConfigDict
from scipy.stats import rankdata, spearmanr

from taskaffinity.analysis.estimates.design_file import SCORES
from taskaffinity.analysis.estimates.stored import fault_of_arrow
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.errors import InputError, shown
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Finite, Words
from taskaffinity.runs.study import Study

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
PROBES, SIZES = "probes", "log size ratio"
"""Names of the estimators that need no more than a study and its probes."""
_AGAIN = "run `taskaffinity estimate --baselines` again, or move the file away"

_DRAWS = 2000
_FEWEST_SOURCES = 3


@dataclass(frozen=True)
class Agreement:
    """The agreement of one estimator with measured gains; NaN where nothing can be compared."""

    estimator: str
    auroc_positive: float
    """Probability that an arrow that improves ranks above one that does not; ties count half."""
    positive_low: float
    positive_high: float
    """95% interval over draws of arrows, as those of the negative ones."""
    auroc_negative: float
    """Probability that an arrow that degrades ranks below one that does not."""
    negative_low: float
    negative_high: float
    sign_accuracy: float
    """Share of the decided arrows whose score has the sign of the gain; arrows with a score of 0 are left out."""
    sign_base: float
    """Share of the more frequent sign among them."""
    within_target: float
    """Mean over targets of Spearman's correlation over the sources."""
    coverage: float
    """Share of the arrows whose interval holds the measured gain; NaN without intervals."""
    arrows: int
    """Arrows with an estimate and a measured gain."""


def log_size_ratios(study: Study) -> Array:
    """Logarithm of the source's training examples over the target's, [source, target]; NaN on the diagonal.

    The examples are those of a run, at most ``max_train_examples``.
    """
    most = study.recipe.max_train_examples or math.inf
    sizes = np.array([float(max(1, min(most, task.sizes.get("train", 1)))) for task in study.tasks])
    return np.where(np.eye(len(sizes), dtype=bool), np.nan, np.log(sizes[:, None] / sizes))


@dataclass(frozen=True)
class _Score:
    """What is read back of a row of ``estimators.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    estimator: Words
    source: Words
    target: Words
    score: Finite


def scores_of_estimators(scores: Mapping[str, Array], names: Sequence[str]) -> pd.DataFrame:
    """Return one row per estimator and arrow that has a score, as in ``estimators.csv``.

    Parameters
    ----------
    scores : mapping of (n_tasks, n_tasks)
        By name of the estimator, [source, target].
    names : sequence of str
        The tasks.
    """
    rows = [
        (estimator, names[s], names[t], float(of_it[s, t]))
        for estimator, of_it in scores.items()
        for s, t in permutations(range(len(names)), 2)
        if not math.isnan(of_it[s, t])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS[SCORES]))


def estimator_scores(frame: pd.DataFrame, study: Study, root: Path) -> dict[str, pd.Series]:
    """Return the scores of every estimator, indexed by source and target.

    The estimators are the probes, the sizes, and those that are stored.

    Parameters
    ----------
    frame : DataFrame
        ``estimates_frame`` of the study.
    root : Path
        The results folder; it may have no ``estimators.csv``.

    Raises
    ------
    InputError
        If that file is damaged: one line with the way out.
    """
    names = [task.name for task in study.tasks]
    sizes = log_size_ratios(study)
    found: dict[str, dict[tuple[str, str], float]] = {
        PROBES: dict(zip(zip(frame.source, frame.target, strict=True), frame.probe.astype(float), strict=True)),
        SIZES: {(names[s], names[t]): float(sizes[s, t]) for s, t in permutations(range(len(names)), 2)},
    }
    for name, of_it in _stored_scores(root / SCORES, names).items():
        found.setdefault(name, {}).update(of_it)
    return {name: pd.Series(scores, name=name, dtype=float) for name, scores in found.items()}


def _stored_scores(path: Path, names: Sequence[str]) -> dict[str, dict[tuple[str, str], float]]:
    """Return the scores in ``estimators.csv`` by estimator and arrow; empty without the file."""
    try:
        rows = read_csv_rows(path, _Score, _AGAIN)
    except FileNotFoundError:
        return {}
    found: dict[str, dict[tuple[str, str], float]] = {}
    fault = "" if rows else "no row"
    for row in rows:
        of_it, arrow = found.setdefault(row.estimator, {}), (row.source, row.target)
        fault = fault_of_arrow(arrow, names, of_it)
        if fault:
            fault = f"{fault} (estimator {shown(row.estimator)})"
        elif row.estimator == PROBES:
            fault = f"scores of {PROBES}, which have their own file"
        if fault:
            break
        of_it[arrow] = row.score
    if fault:
        raise InputError(f"{path}: {fault}; {_AGAIN}")
    return found


def agreement(
    arrows: pd.DataFrame,
    estimator: str,
    scores: Array,
    improves: BoolArray,
    degrades: BoolArray,
) -> Agreement:
    """Compare an estimator with measured gains.

    Parameters
    ----------
    arrows : DataFrame
        Columns ``source``, ``target``, ``low`` and ``high`` (of the probes) and ``gain`` (measured), one row per arrow.
    scores : (n_arrows,)
        A higher score means a larger gain. An arrow without a score, NaN, is left out.
    improves, degrades : (n_arrows,)
        What was measured.
    """
    known = ~np.isnan(scores)
    arrows, scores, improves, degrades = arrows[known], scores[known], improves[known], degrades[known]
    gains = arrows.gain.to_numpy(float)
    decided = improves | degrades
    has_sign = decided & (scores != 0)
    covered = math.nan
    if estimator == PROBES:
        measured = arrows[arrows.low.notna()]
        covered = float(((measured.low <= measured.gain) & (measured.gain <= measured.high)).mean())
    return Agreement(
        estimator,
        *_auroc_interval(scores, improves),
        *_auroc_interval(-scores, degrades),
        sign_accuracy=float((np.sign(scores) == np.sign(gains))[has_sign].mean()) if has_sign.any() else math.nan,
        sign_base=max(float((gains[has_sign] > 0).mean()), float((gains[has_sign] < 0).mean()))
        if has_sign.any()
        else math.nan,
        within_target=within_target(arrows.target.to_numpy(str), scores, gains),
        coverage=covered,
        arrows=len(arrows),
    )


def auroc(scores: Array, is_one: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, in [0, 1]; NaN if a class is empty.

    It is computed from the rank sum (Mann & Whitney 1947).

    Examples
    --------
    >>> auroc(np.array([3.0, 2.0, 1.0]), np.array([True, False, False]))
    1.0
    """
    ones, zeros = int(is_one.sum()), int((~is_one).sum())
    if not ones or not zeros:
        return math.nan
    return float((rankdata(scores)[is_one].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _auroc_interval(scores: Array, is_one: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """The area, and its 95% interval over draws of arrows within each class."""
    area = auroc(scores, is_one)
    if math.isnan(area):
        return area, math.nan, math.nan
    rng = np.random.default_rng(0)
    ones, zeros = np.flatnonzero(is_one), np.flatnonzero(~is_one)
    draws = []
    for _ in range(_DRAWS):
        drawn = np.concatenate([rng.choice(ones, len(ones)), rng.choice(zeros, len(zeros))])
        draws.append(auroc(scores[drawn], is_one[drawn]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return area, float(low), float(high)


def within_target(targets: npt.NDArray[np.str_], scores: Array, gains: Array) -> float:
    """Mean over targets of Spearman's correlation between scores and gains over the sources.

    Targets with few sources, or with equal values, are left out; NaN if none is left.
    """
    found = []
    for target in np.unique(targets):
        rows = targets == target
        if rows.sum() >= _FEWEST_SOURCES and np.ptp(scores[rows]) > 0 and np.ptp(gains[rows]) > 0:
            found.append(float(spearmanr(scores[rows], gains[rows]).statistic))
    return float(np.mean(found)) if found else math.nan


def noise_ceiling(study: Study, store: RunStore) -> float:
    """Return the within-target correlation of a perfect estimate.

    It is the correlation with the measured gains, which have noise. NaN if unknown.

    The seeds of every arm are halved. The correlation of the gains of the two halves, corrected to all seeds (Spearman
    1910; Brown 1910), is the reliability of the gains, and its root bounds the correlation with them.
    """
    is_matched = study.baseline == "compute-matched"
    pairs: dict[tuple[str, str], list[float]] = {}
    singles: dict[tuple[str, str], list[float]] = {}
    for spec in study.plan:
        is_pair = spec.arm == "pair"
        if (is_pair or spec.arm == ("matched" if is_matched else "single")) and (run := store.get(spec)):
            for target in spec.task_names:
                others = [*spec.task_names, *(spec.partner or ())[:1]]
                source = next((name for name in others if name != target), "")
                (pairs if is_pair else singles).setdefault((target, source), []).append(run.outcomes[target].test)
    against = {(t, s): singles.get((t, s if is_matched else ""), []) for t, s in pairs}
    arrows = [arrow for arrow, values in pairs.items() if len(values) > 1 and len(against[arrow]) > 1]
    halves = [
        np.array([np.mean(pairs[arrow][half::2]) - np.mean(against[arrow][half::2]) for arrow in arrows])
        for half in (0, 1)
    ]
    r = within_target(np.array([t for t, _ in arrows], dtype=str), halves[0], halves[1]) if arrows else math.nan
    return math.sqrt(2 * r / (1 + r)) if r > 0 else math.nan
