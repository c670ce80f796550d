"""One run, from its spec to its folder: what every executor calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskaffinity.errors import trace_of
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore

POLL_SECONDS = 0.25
FOUND_DONE = "found done"
"""What ``train_and_store`` gives, instead of a reason, for a run that another process finished meanwhile."""
LACKS_START = "the run that it starts from is not there: {}"


@dataclass(frozen=True)
class Finished:
    """One run ended; ``reason`` says why it failed, None if it did not, ``FOUND_DONE`` if it was not tried."""

    spec: RunSpec
    reason: str | None


Event = Finished | tuple[str, ...]
"""A run that ended, or the names of those under way."""


def train_and_store(spec: RunSpec, settings: Mapping[str, Any], *after: str | None) -> str | None:
    """Train one run and write it to the store; the reason if it failed, or ``FOUND_DONE``. What both executors call.

    ``after`` is what came of the run that it starts from: on Ray, the future that it waits for.
    """
    from taskaffinity.training.execute import execute, reason_of  # torch: only where a run is trained

    store = RunStore(settings["root"])

    def is_done() -> bool:
        has_weights = not settings["keep_weights"] or store.has_weights(spec)
        return spec in store and has_weights and (not settings["keep_model"] or store.has_models(spec))

    if is_done():
        return FOUND_DONE
    with store.claim(spec, wait=settings.get("wait", True)):
        if is_done():  # another process finished it while this one waited
            return FOUND_DONE
        if spec in store:  # and is trained again, for what it kept too little of
            store.begin(spec)
        start = store.start(spec)
        if spec.parent is not None and start is None:
            reason = LACKS_START.format(spec.parent.run_id)
            store.fail(spec, reason)
            return reason
        try:
            result = execute(
                spec,
                encoder_folder=Path(settings["encoder"]),
                cache=Path(settings["cache"]),
                start=start,
                keep_predictions=settings["keep_predictions"],
                keep_weights=settings["keep_weights"],
                keep_model=settings["keep_model"],
                gpu_share=settings["gpu_share"],
            )
            store.write(result)
        except Exception as error:  # the run's own error, whatever it is: kept with the run, the others go on
            reason = reason_of(error)
            store.fail(spec, reason, trace_of(error))
            return reason
    return None


Arguments = list[tuple[RunSpec, dict[str, Any]]]
