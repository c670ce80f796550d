"""Training the trials of a round: one after the other in this process. ``on_ray`` does the same with Ray Tune."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from taskaffinity.errors import trace_of
from taskaffinity.tuning.round import Round
from taskaffinity.tuning.trials import Scores, Trial

Train = Callable[[Round, Sequence[int]], None]
"""Trains those trials of a round, and tells it of every epoch."""


def train_trial(
    trial: Trial,
    report: Callable[[int, Scores], bool],
    fail: Callable[[str, str, bool], None],
    *,
    encoder_folder: Path,
    cache: Path,
) -> None:
    """Train a trial until ``report`` says that it is to stop.

    Parameters
    ----------
    report : callable
        Takes the epoch and every task's best dev score so far, in points.
    fail : callable
        Takes the reason, the traceback, and whether it lies in the recipe.
    """
    from taskaffinity.training.execute import reason_of  # torch: only where a trial is trained
    from taskaffinity.training.loop import Diverged
    from taskaffinity.training.trial import train_in_step

    epochs = train_in_step(trial.specs, encoder_folder=encoder_folder, cache=cache)
    for epoch in range(1, trial.recipe.num_train_epochs + 1):
        try:
            scores = next(epochs)
        except Exception as error:  # the trial's own error, whatever it is: the others go on
            fail(reason_of(error), trace_of(error), isinstance(error, Diverged))
            return
        if report(epoch, {name: 100 * score for name, score in scores.items()}):
            return


@contextmanager
def in_this_process(encoder_folder: Path, cache: Path) -> Iterator[Train]:
    """One trial after the other."""

    def train(round_: Round, numbers: Sequence[int]) -> None:
        for number in numbers:
            train_trial(
                round_.trials[number],
                partial(round_.report, number),
                partial(round_.fail, number),
                encoder_folder=encoder_folder,
                cache=cache,
            )

    yield train
