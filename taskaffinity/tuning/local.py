"""Train trials one after the other, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.analysis.statistics.collapse import predicts_nothing
from taskaffinity.errors import trace_of
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tuning.round import Round
from taskaffinity.tuning.trials import Scores, Trial

if TYPE_CHECKING:
    from taskaffinity.training.evaluation import Evaluated  # torch: only where a trial is trained

Train = Callable[[Round, Sequence[int]], None]
"""Trains these trials of a round and reports each epoch to it."""


def train_trial(
    trial: Trial,
    report: Callable[[int, Scores, Sequence[str], float, bool], bool],
    fail: Callable[[str, str, bool], None],
    *,
    encoder_folder: Path,
    cache: Path,
    checkpoints: Path | None = None,
    checkpoint_minutes: float = 0.0,
) -> None:
    """Train a trial until ``report`` returns True.

    Parameters
    ----------
    report : callable
        Receives the epoch, each task's best dev score so far in points, the collapsed tasks, the seconds so far, and
        whether the epoch was trained now. A task has collapsed if the model of its score predicts one class, no mention
        or one value.
    fail : callable
        Receives the reason, the traceback, and whether the recipe is the cause.
    checkpoints, checkpoint_minutes
        As in ``train_in_step``.
    """
    from taskaffinity.training.execute import reason_of  # torch: only where a trial is trained
    from taskaffinity.training.loop import Diverged
    from taskaffinity.training.trial import train_in_step

    began = time.monotonic()
    training = train_in_step(
        trial.specs,
        encoder_folder=encoder_folder,
        cache=cache,
        checkpoints=checkpoints,
        checkpoint_minutes=checkpoint_minutes,
    )
    with closing(training) as epochs:
        for epoch in range(1, trial.recipe.num_train_epochs + 1):
            try:
                best, is_trained = next(epochs)
            except Exception as error:  # any error of the trial: the other trials continue
                fail(reason_of(error), trace_of(error), isinstance(error, Diverged))
                return
            scores = {name: 100 * dev.score for name, dev in best.items()}
            collapsed = [name for name, dev in best.items() if _has_collapsed(dev)]
            if report(epoch, scores, collapsed, time.monotonic() - began, is_trained):
                return


def _has_collapsed(dev: Evaluated) -> bool:
    by_metric = {**dev.secondary, dev.metric: dev.counts}
    return any(predicts_nothing(counts, METRICS[metric]) for metric, counts in by_metric.items())


@contextmanager
def in_this_process(encoder_folder: Path, cache: Path, checkpoint_minutes: float) -> Iterator[Train]:
    """Yield a function that trains trials one after the other."""

    def train(round_: Round, numbers: Sequence[int]) -> None:
        for number in numbers:
            train_trial(
                round_.trials[number],
                partial(round_.report, number),
                partial(round_.fail, number),
                encoder_folder=encoder_folder,
                cache=cache,
                checkpoints=round_.folder.checkpoints(round_.trials[number]),
                checkpoint_minutes=checkpoint_minutes,
            )

    yield train
