"""Notes of every epoch that a run ends, begins with and stores, in every process; and what was trained twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

NOTES = '''
import os, sys, time

class Noting:
    """Wraps what a run does at its start and after each epoch, as soon as the module is about to be used."""

    def find_spec(self, name, *_):
        if name != "taskaffinity.training.setup":
            return
        sys.meta_path.remove(self)
        from taskaffinity.training import resume
        after_epoch, begin, write = (
            resume.Checkpoints.after_epoch, resume.Checkpoints.resume, resume.CheckpointFolder.write
        )
        def note(what, run, number):
            with open(os.environ["CHECKPOINT_NOTES"], "a") as file:
                file.write(f"{what} {run} {number} {time.time()}\\n")
        def noting_epoch(self):
            note("ended", self._identity.run_id, self._loop.position.epoch)
            after_epoch(self)
        def noting_start(self, *given):
            begin(self, *given)
            note("began", self._identity.run_id, self._loop.position.epoch)
        def noting_write(self, state, save):
            began = time.time()
            write(self, state, save)
            note("wrote", state.run_id, time.time() - began)
        resume.Checkpoints.after_epoch = noting_epoch
        resume.Checkpoints.resume = noting_start
        resume.CheckpointFolder.write = noting_write

sys.meta_path.insert(0, Noting())
'''
"""The ``sitecustomize`` module that writes the notes, to the file that a variable of the environment names."""

Note = tuple[str, str, float, float]
"""What, run, number and time in seconds since 1970."""
LINGERS = 3.0
"""Longest time in seconds that a process trains on after its node was removed."""


def read_notes(path: Path) -> list[Note]:
    """The notes in their order."""
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(what, run, float(number), float(at)) for what, run, number, at in lines]


def trained_twice(notes: Sequence[Note], ends: Sequence[float], interval: float) -> dict[str, object]:
    """The finished epochs that were trained again, and how long before the end of their process they had finished.

    A process ended at the first end after its last epoch: a later one may have come before another process went on.

    Parameters
    ----------
    ends : sequence of float
        When processes were ended, in seconds since 1970.
    interval : float
        Fewest seconds between two checkpoints.
    """
    ended: dict[str, dict[int, float]] = defaultdict(dict)
    last_seen: dict[str, float] = {}
    n_repeated, oldest, epoch_seconds, writing = 0, 0.0, [0.0], [0.0]
    for what, run, number, at in notes:
        if what == "wrote":
            writing.append(number)
        elif what == "began":
            again = [epoch for epoch in ended[run] if epoch >= number]
            n_repeated += len(again)
            last = max(ended[run].values(), default=at)
            end = max(last, min((moment for moment in ends if last - LINGERS <= moment <= at), default=at))
            oldest = max([oldest, *(end - ended[run].pop(epoch) for epoch in again)])
            last_seen[run] = at
        else:
            epoch_seconds.append(at - last_seen.get(run, at))
            ended[run][int(number)] = last_seen[run] = at
    allowed = interval + max(epoch_seconds) + max(writing)
    return {
        "epochs": sum(map(len, ended.values())),
        "repeated_epochs": n_repeated,
        "oldest_repeated": round(oldest, 2),
        "allowed": round(allowed, 2),
    }
