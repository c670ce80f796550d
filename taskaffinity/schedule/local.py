"""The local executor: runs one after the other, in this process."""

from __future__ import annotations

import time
from collections.abc import Generator

from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.progress import Report
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.worker import ALREADY_RUNNING, POLL_SECONDS, Arguments, Event, Finished, train_and_store


def in_this_process(
    arguments: Arguments, store: RunStore, resources: Resources, report: Report
) -> Generator[Event, None, None]:
    """Train one run after the other.

    Processes that share a results folder share its runs. A run that another process is training is postponed, and so
    are the runs that start from it.
    """
    waiting = arguments
    while waiting:
        later: Arguments = []
        for spec, settings in waiting:
            if spec.parent is not None and any(spec.parent == other for other, _ in later):
                later.append((spec, settings))
                continue
            if not store.is_held(spec):  # or it would count as running here, and its progress as that of this process
                yield (spec.run_id,)
            outcome = train_and_store(spec, settings)
            if outcome == ALREADY_RUNNING:
                later.append((spec, settings))
            else:
                yield Finished(spec, outcome)
        if len(later) == len(waiting):
            yield ()
            time.sleep(POLL_SECONDS)
        waiting = later
