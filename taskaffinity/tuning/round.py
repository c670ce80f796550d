"""A round of trials: records, pending and stopped trials. Executors report to it.

The round reads the trials that an earlier command finished and writes each trial when it ends. So an interruption
affects only the running trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from taskaffinity.tuning.median_stopping import Course, Standing, standings
from taskaffinity.tuning.trials import Record, Scores, Trial, TrialFolder


@dataclass(frozen=True)
class Ended:
    """A trial that ended, for ``on_progress``."""

    number: int
    of: int
    done: int
    """Trials of the round that ended, including those of an earlier command."""
    record: Record
    epochs: int
    """Epochs of its recipe; fewer are trained if it is stopped."""
    lost: str | None = None
    """Why it failed, if its recipe is not the cause."""


class Round:
    """Trials that are compared with one another; a number identifies a trial.

    Parameters
    ----------
    stops_early : bool
        Whether trials with low scores are stopped (``median_stopping.standings``). The first never is.
    versions : dict
        Versions of the software, stored with the scores.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        folder: TrialFolder,
        *,
        stops_early: bool,
        versions: Mapping[str, str],
        on_progress: Callable[[Ended], None] = lambda ended: None,
    ) -> None:
        self.trials = tuple(trials)
        self.folder = folder
        self.stops_early = stops_early
        self.versions = versions
        self.on_progress = on_progress
        stored = [folder.read(trial) for trial in trials]
        self.records = [record or Record() for record in stored]
        self.reused = {number for number, record in enumerate(stored) if record is not None}
        """Trials that an earlier command finished, and that are not trained again."""
        self.lost: dict[int, str] = {}
        """Reasons of trials that failed, but not by their recipe. The next command retries them."""
        self.epochs_now = 0
        """Epochs that this command trained. With early stopping, some of the tasks may have fewer."""
        self._ended = set(self.reused)

    def pending(self) -> list[int]:
        """Numbers of the trials to train.

        These are the trials without a record. If all have one, they are the stopped trials that the others' scores
        would not have stopped.
        """
        lacking = [number for number in range(len(self.trials)) if number not in self._ended]
        if lacking:
            return lacking
        short = [number for number, standing in enumerate(self.standings()) if self._is_short(number, standing)]
        for number in short:
            self._ended.discard(number)
            self.reused.discard(number)
            self.records[number] = Record()
        return short

    def standings(self) -> list[Standing]:
        """Return the decision on each trial: continue, or stop after an epoch."""
        if not self.stops_early:
            return [Standing() for _ in self.trials]
        return standings(
            [
                Course(trial.recipe.num_train_epochs, record.means, self._has_failed(number))
                for number, (trial, record) in enumerate(zip(self.trials, self.records, strict=True))
            ]
        )

    def report(
        self,
        number: int,
        epoch: int,
        scores: Scores,
        collapsed: Sequence[str] = (),
        seconds: float = 0.0,
        is_trained: bool = True,
    ) -> bool:
        """Record a trial's scores, in points, after an epoch; return whether it stops.

        A repeated epoch is ignored. ``collapsed`` and ``seconds`` are those of ``Record``; ``is_trained`` is that of
        ``TrialEpoch``.
        """
        record = self.records[number]
        if number not in self._ended and epoch == len(record.scores) + 1:
            self.epochs_now += is_trained
            so_far = (*record.scores, dict(scores))
            is_known = len(record.collapses) == len(record.scores)  # not in a record of an older version
            collapses = (*record.collapses, tuple(collapsed)) if is_known else ()
            self.records[number] = replace(
                record, scores=so_far, collapsed=tuple(collapsed), seconds=seconds, collapses=collapses
            )
            self._end_those_that_are_done()
        return number in self._ended

    def fail(self, number: int, reason: str, trace: str = "", of_the_recipe: bool = False) -> None:
        """Record that a trial failed; ignored if it has ended.

        A failure of the recipe is part of the trial's record. Any other reason goes into a separate file, with the
        traceback.
        """
        if number in self._ended:
            return
        if of_the_recipe:
            self.records[number] = replace(self.records[number], failure=reason)
        else:
            self.lost[number] = reason
            self.folder.fail(self.trials[number], reason, trace)
        self._end_those_that_are_done()

    def means(self) -> list[float | None]:
        """Return each trial's final score, the mean over tasks in points.

        The score is None if the trial was stopped or failed.
        """
        return [
            None if standing.stopped or self._has_failed(number) else self.records[number].means[-1]
            for number, standing in enumerate(self.standings())
        ]

    def compared(self) -> list[Record]:
        """Return each trial's record, of a stopped one only until its stop.

        On Ray, it may have trained more epochs until the scores that stopped it were known.
        """
        return [record.after(one.stopped) for record, one in zip(self.records, self.standings(), strict=True)]

    def _end_those_that_are_done(self) -> None:
        for number, standing in enumerate(self.standings()):
            record, epochs = self.records[number], self.trials[number].recipe.num_train_epochs
            is_done = standing.stopped or self._has_failed(number) or len(record.scores) == epochs
            if number in self._ended or not is_done:
                continue
            self._ended.add(number)
            if number not in self.lost:
                self.folder.write(self.trials[number], record, self.versions)
            self.on_progress(Ended(number, len(self.trials), len(self._ended), record, epochs, self.lost.get(number)))

    def _has_failed(self, number: int) -> bool:
        return number in self.lost or self.records[number].failure is not None

    def _is_short(self, number: int, standing: Standing) -> bool:
        if self._has_failed(number) or standing.stopped:
            return False
        return len(self.records[number].scores) < self.trials[number].recipe.num_train_epochs
