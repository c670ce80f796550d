"""Runs that should differ and do not: a seed that training ignores, or a file that was copied.

Such runs count as seeds, but they are one run. Intervals and verdicts then take one seed for several.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key

LEAST_ODD = 10
"""Test examples (or documents) that differ from the usual result. With fewer, runs can agree by chance: a model that is
right on all examples but two."""
FEWEST_SCORES = 3
"""Runs of an arm with one score, if only scores are known. Two rounded scores can agree by chance."""
_DIGITS = 9

_Result = tuple[float, bytes]
"""Score, and influence of every document, of a run."""


@dataclass(frozen=True)
class EqualRuns:
    """A task with runs that repeat another run."""

    task: str
    equal: int
    """Runs of the arms whose every run has the result of another run."""
    runs: int
    """All runs of the task that gains can be made of."""
    has_examples: bool
    """Whether the results of test examples are equal; else only scores are known."""

    @property
    def words(self) -> str:
        """``has 6 of 6 runs that repeat another run``."""
        return f"has {self.equal} of {self.runs} runs that repeat another run"


def find_equal_runs(arms: Arms, *, across_arms: bool) -> tuple[EqualRuns, ...]:
    """Return the tasks with equal runs, in the order of the study.

    Runs are equal if they have the same result on every test document. An arm counts if each of its runs, two or more,
    equals another run; of many runs near the best score, a few are equal by chance. If only scores are known, every arm
    of three runs or more must have one score. Runs that predict one class are left out: they are collapsed.

    Parameters
    ----------
    across_arms : bool
        Whether runs of two arms of a task must differ, too. Compute-matched runs of partners of one size may be equal.
    """
    found = []
    for task in arms.tasks:
        of_task = arms.of_target.get(task, {})
        has_examples = any(arm.n_examples for arm in of_task.values())
        equal = _equal_results(of_task, across_arms=across_arms) if has_examples else _equal_scores(of_task)
        if equal:
            found.append(EqualRuns(task, equal, sum(arm.n_runs for arm in of_task.values()), has_examples))
    return tuple(found)


def _equal_results(of_task: Mapping[Key, Arm], *, across_arms: bool) -> int:
    """Return the runs of arms of two or more whose every run has the results of another one."""
    of_arms = {key: _results(arm) for key, arm in of_task.items()}
    pools: dict[object, Counter[_Result]] = {}
    for key, results in of_arms.items():
        pools.setdefault(None if across_arms else key, Counter()).update(filter(None, results))
    n_equal = 0
    for key, results in of_arms.items():
        pool = pools[None if across_arms else key]
        if len(results) > 1 and all(result and pool[result] > 1 for result in results):
            n_equal += len(results)
    return n_equal


def _results(arm: Arm) -> list[_Result | None]:
    """Return what tells the runs of an arm apart; None for a run that may equal another one by chance or collapse."""
    found: list[_Result | None] = []
    for score, influence, constant in zip(arm.scores, arm.influence, arm.constant, strict=True):
        rounded = np.round(influence, _DIGITS) + 0.0  # no -0.0, which has other bytes
        is_plain = constant or _n_odd(rounded) < LEAST_ODD
        found.append(None if is_plain else (round(float(score), _DIGITS), rounded.tobytes()))
    return found


def _equal_scores(of_task: Mapping[Key, Arm]) -> int:
    """Return the runs of arms with one score, if every arm with enough runs is such an arm; else 0."""
    several = [arm for arm in of_task.values() if arm.n_runs >= FEWEST_SCORES]
    return sum(arm.n_runs for arm in several) if all(np.ptp(arm.scores) == 0 for arm in several) else 0


def _n_odd(influence: npt.NDArray[np.float64]) -> int:
    """Return the number of documents that do not have the most frequent influence."""
    _, numbers = np.unique(influence, return_counts=True)
    return len(influence) - int(numbers.max())


def describe_equal_runs(found: tuple[EqualRuns, ...], titles: Mapping[str, str]) -> list[str]:
    """Return a line for tasks with equal results, and one for tasks with equal scores; none without such a task."""
    lines = []
    for has_examples, words in (
        (True, "Runs have the result of another run on every test example"),
        (False, "Every seed has the same score"),
    ):
        named = [
            f"{titles[one.task]} ({one.equal} of {one.runs} runs)" for one in found if one.has_examples == has_examples
        ]
        if named:
            lines.append(
                f"{words}: {', '.join(named)}. They count as seeds, but say as much as one run, so intervals can be "
                "too narrow. Does training use the seed, and has each run its own predictions?"
            )
    return lines
