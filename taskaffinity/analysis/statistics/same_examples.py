"""Check that all runs of a task have the same test examples, gold labels and metric.

Otherwise a gain means nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from taskaffinity.errors import InputError
from taskaffinity.runs.result import RunResult
from taskaffinity.tasks.count_checks import gold_side


class SameExamples:
    """Compares the runs of each task, one arm after the other."""

    def __init__(self) -> None:
        self._names: dict[str, dict[tuple[int, bytes], list[str]]] = {}

    def check(self, runs: Sequence[RunResult], key: str, metric: str) -> None:
        """Compare the runs of an arm with each other and with all runs before.

        Parameters
        ----------
        key : str
            A key of ``RunResult.counts``.

        Raises
        ------
        InputError
            If their test examples, gold labels or documents differ: one line with the run that differs from most. Also
            if a run is scored by another metric than the study.
        """
        _check_metric(runs, key, metric)
        groups = self._names.setdefault(key, {})
        for run in runs:
            groups.setdefault(_digest(run, key, metric), []).append(run.spec.run_id)
        if len(groups) <= 1:
            return
        sizes = [size for size, _ in groups]
        (odd, *_), (usual, *_) = min(groups.values(), key=len), max(groups.values(), key=len)
        if odd == usual:  # two groups of one size
            odd, usual = (names[0] for names in list(groups.values())[:2])
        raise InputError(
            f"run {odd}: its test examples of {key.partition('/')[0]} are not those of {usual} "
            f"({' and '.join(map(str, sizes[:2]))} examples); delete the folder of the run that is wrong, and the same "
            "command trains it again"
        )


def _check_metric(runs: Sequence[RunResult], key: str, metric: str) -> None:
    task, _, others = key.partition("/")
    if "/" in others:  # a secondary metric, which the key names
        return
    for run in runs:
        if (found := run.outcomes[task].metric) != metric:
            raise InputError(
                f"run {run.spec.run_id}: scored by {found} for {task}, but the study says {metric}; delete the run's "
                "folder if it is wrong, or move the study's file away, and repeat the command that made it"
            )


def _digest(run: RunResult, key: str, metric: str) -> tuple[int, bytes]:
    counts, documents = run.counts[key], run.documents.get(key)
    digest = hashlib.blake2b(b"" if metric == "accuracy" else gold_side(metric, counts).tobytes(), digest_size=16)
    if documents is not None:
        digest.update(documents.tobytes())
    return len(counts), digest.digest()
