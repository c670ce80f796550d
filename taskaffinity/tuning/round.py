"""A round of trials: what is known of each, which are left, which are stopped. Whoever trains them reports here.

The round reads what an earlier command finished and writes what ends now, so that killing it loses no more than the
trials under way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from taskaffinity.tuning.median_stopping import Course, Standing, standings
from taskaffinity.tuning.trials import Record, Scores, Trial, TrialFolder


@dataclass(frozen=True)
class Ended:
    """A trial that ended, for whoever watches."""

    number: int
    of: int
    done: int
    """Trials of the round that have ended, those found finished included."""
    record: Record
    epochs: int
    """That the trial would have trained if it was not stopped."""


class Round:
    """Trials that are compared with one another, by number.

    Parameters
    ----------
    halving : bool
        Whether those that fall behind are stopped (``halving.standings``); the first never is.
    versions : dict
        What scores depend on beside the recipe; kept with them.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        folder: TrialFolder,
        *,
        halving: bool,
        versions: Mapping[str, str],
        on_progress: Callable[[Ended], None] = lambda ended: None,
    ) -> None:
        self.trials = tuple(trials)
        self.folder = folder
        self.halving = halving
        self.versions = versions
        self.on_progress = on_progress
        found = [folder.read(trial) for trial in trials]
        self.records = [record or Record() for record in found]
        self.reused = {number for number, record in enumerate(found) if record is not None}
        """Trials that were found."""
        self.lost: dict[int, str] = {}
        """Trials that failed for no fault of their recipe, with the reason: not kept, tried again next time."""
        self.epochs_now = 0
        """Trained by this command, of every task."""
        self._ended = set(self.reused)
        self._began: dict[int, float] = {}

    def pending(self) -> list[int]:
        """Trials to be trained: those without a record; then, if there are none, those whose record ends where by the
        scores of the others they should not have been stopped."""
        lacking = [number for number in range(len(self.trials)) if number not in self._ended]
        if lacking:
            return lacking
        short = [number for number, standing in enumerate(self.standings()) if self._is_short(number, standing)]
        for number in short:
            self._ended.discard(number)
            self.records[number] = Record()
        return short

    def standings(self) -> list[Standing]:
        """What is to become of each trial."""
        if not self.halving:
            return [Standing() for _ in self.trials]
        return standings(
            [
                Course(trial.recipe.num_train_epochs, record.means, self._has_failed(number))
                for number, (trial, record) in enumerate(zip(self.trials, self.records, strict=True))
            ]
        )

    def report(self, number: int, epoch: int, scores: Scores) -> bool:
        """A trial's scores after an epoch; whether it is to stop there. An epoch that was heard of is not again."""
        self._began.setdefault(number, time.monotonic())
        record = self.records[number]
        if number not in self._ended and epoch == len(record.scores) + 1:
            self.epochs_now += 1
            self.records[number] = replace(record, scores=(*record.scores, dict(scores)))
            self._end_those_that_are_done()
        return number in self._ended

    def fail(self, number: int, reason: str, trace: str = "", of_the_recipe: bool = False) -> None:
        """A trial ended before its time: by its recipe, which is kept, or for another reason, left beside the records
        with its traceback. What befalls one that has ended is nobody's concern."""
        if number in self._ended:
            return
        if of_the_recipe:
            self.records[number] = replace(self.records[number], failure=reason)
        else:
            self.lost[number] = reason
            self.folder.fail(self.trials[number], reason, trace)
        self._end_those_that_are_done()

    def means(self) -> list[float | None]:
        """The score that each trial ended with, mean over tasks, in points; None if it was stopped or failed."""
        return [
            None if standing.stopped or self._has_failed(number) else self.records[number].means[-1]
            for number, standing in enumerate(self.standings())
        ]

    def _end_those_that_are_done(self) -> None:
        for number, standing in enumerate(self.standings()):
            record, epochs = self.records[number], self.trials[number].recipe.num_train_epochs
            is_done = standing.stopped or self._has_failed(number) or len(record.scores) == epochs
            if number in self._ended or not is_done:
                continue
            self._ended.add(number)
            seconds = time.monotonic() - self._began.get(number, time.monotonic())
            self.records[number] = record = replace(record, seconds=seconds)
            if number not in self.lost:
                self.folder.write(self.trials[number], record, self.versions)
            self.on_progress(Ended(number, len(self.trials), len(self._ended), record, epochs))

    def _has_failed(self, number: int) -> bool:
        return number in self.lost or self.records[number].failure is not None

    def _is_short(self, number: int, standing: Standing) -> bool:
        if self._has_failed(number) or standing.stopped:
            return False
        return len(self.records[number].scores) < self.trials[number].recipe.num_train_epochs
