"""A Ray session: one that already runs, or one that is started here and ended again.

No Ray that was not started here is ever stopped.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.schedule.resources import Resources

_START_SECONDS = 60
_SLOW_START = (
    "Ray has not started within a minute; its logs lie in ray/session_latest/logs below the system's temporary "
    "folder. If it never does, --executor local trains without it."
)
_LOG = logging.getLogger(__name__)
RETRIES = 3
"""How often Ray starts a run again whose worker or node was lost."""
DIED = f"the worker died {RETRIES + 1} times (killed, or out of memory); see Ray's logs on its node"
"""Why a run failed that was lost as often as that."""


@contextmanager
def ray_of(resources: Resources) -> Iterator[tuple[Any, bool]]:
    """Ray, quiet and private: no telemetry, no dashboard, no log lines of workers. And whether it was started here or
    joined by an address, so that its end ends what runs there for us; False where this process was in one before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # Ray's own default is to retry for ever
    import ray

    if ray.is_initialized():
        yield ray, False
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    handler = signal.getsignal(signal.SIGTERM)
    watchdog = threading.Timer(_START_SECONDS, _LOG.warning, [_SLOW_START])
    watchdog.daemon = True
    watchdog.start()
    try:
        if resources.address is None:  # runs read a cache on disk: the object store carries next to nothing
            ray.init(address="local", object_store_memory=256 * 2**20, include_dashboard=False, **quiet)
        else:
            ray.init(address=resources.address, **quiet)
    except Exception as error:  # on an overloaded machine it raises a bare one: "The current node timed out ..."
        where = f"--address {resources.address}" if resources.address else "Ray"
        said = str(error).partition("\n")[0].partition(". ")[0].strip(" .")
        raise InputError(
            f"{where}: could not be reached or started ({said or type(error).__name__}); "
            "--executor local trains without it, and the same command later goes on where this one stood"
        ) from error
    finally:
        watchdog.cancel()
        if threading.current_thread() is threading.main_thread():  # Ray puts one in place that ends us on the spot
            signal.signal(signal.SIGTERM, handler)
    try:
        yield ray, True
    finally:
        ray.shutdown()  # ends this job's workers, on a cluster too
