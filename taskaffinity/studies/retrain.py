"""Train the groups that ``group`` chose with fresh seeds, as ordinary runs of their results folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.errors import as_user_error
from taskaffinity.python_names import python_function
from taskaffinity.runs.limits import MOST_SEEDS
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.listener import Listener, LogListener
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

    from taskaffinity.analysis.groups.results import GroupResults
    from taskaffinity.analysis.groups.retrained import Retrained


@dataclass(frozen=True)
class RetrainResults:
    """Predicted and realised gains of the chosen groups."""

    result: GroupResults
    tasks: tuple[Retrained, ...]
    """Every task that a group of two or more serves."""
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed in this call -> reason."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per task, with the columns of ``retrained.csv``."""
        from taskaffinity.analysis.groups.retrained import retrained_frame

        return retrained_frame(self.result.chosen, self.tasks)


@python_function
def retrain(
    result: GroupResults,
    *,
    seeds: int = 3,
    suite: str | Path | Suite | None = None,
    data: str | Path | None = None,
    encoder: str | Path | None = None,
    executor: Executor = "ray",
    listener: Listener | None = None,
) -> RetrainResults:
    """Train the chosen groups and their single tasks with fresh seeds.

    The study has not used these seeds. The runs are stored in its results folder, so the same call again trains
    nothing. Writes ``retrained.csv``.

    Parameters
    ----------
    result : GroupResults
        From ``group``.
    seeds : int
        Number of fresh seeds of every model.
    suite : str, Path or Suite, optional
        The suite of the study. Default: the domain of that name. A study of your own suite file needs the file.
    data, encoder : optional
        As given to ``pairwise``.

    Raises
    ------
    InputError
        If ``seeds`` is out of range; if the data or the encoder are not those of the study; if this machine has no GPU
        and the study was trained on one; or if the study has another baseline, stage or start.
    """
    from taskaffinity.analysis.groups.retrained import retrain_plan, retrained
    from taskaffinity.analysis.publish import publish_retrained
    from taskaffinity.studies.further_runs import FurtherRuns, check_count

    check_count("retrain", seeds, 1, MOST_SEEDS)
    further = FurtherRuns(
        result.chosen.matrix.study, result.root, listener or LogListener(), suite, data, encoder, executor
    )
    further.train(retrain_plan(result.chosen, seeds))
    further.ended()
    with as_user_error():
        tasks = retrained(result.chosen, further.store, seeds)
        publish_retrained(result.chosen, tasks, result.root)
    return RetrainResults(result, tasks, further.failed)
