"""A Ray session: an existing one, or one that is started and shut down here.

A Ray session that was not started here is never stopped.
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
"""How often Ray retries a run whose worker or node was lost."""
DIED = f"the worker died {RETRIES + 1} times (killed, or out of memory); see Ray's logs on its node"
"""Reason of a run that was lost after all retries."""


@contextmanager
def ray_of(resources: Resources) -> Iterator[tuple[Any, bool]]:
    """Yield Ray and whether its session ends with this context, which also ends our tasks.

    The session has no telemetry, no dashboard and no log lines of workers. A session that this process is in already is
    used and stays.

    Raises
    ------
    InputError
        If Ray cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))  # Ray retries for ever by default
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
        if resources.address is None:  # runs read a cache on disk: the object store holds almost nothing
            ray.init(address="local", object_store_memory=256 * 2**20, include_dashboard=False, **quiet)
        else:
            ray.init(address=resources.address, **quiet)
    except Exception as error:  # an overloaded machine raises a plain Exception: "The current node timed out ..."
        where = f"--address {resources.address}" if resources.address else "Ray"
        said = str(error).partition("\n")[0].partition(". ")[0].strip(" .")
        raise InputError(
            f"{where}: could not be reached or started ({said or type(error).__name__}); "
            "--executor local trains without it; the same command later resumes the study"
        ) from error
    finally:
        watchdog.cancel()
        if threading.current_thread() is threading.main_thread():  # Ray's own handler ends the process at once
            signal.signal(signal.SIGTERM, handler)
    try:
        yield ray, True
    finally:
        ray.shutdown()  # ends the workers of this job, also on a cluster
