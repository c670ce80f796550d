"""Where runs go, and the Ray that takes them there: one that runs already, or one started here and ended again.

Both ``schedule`` and ``tuning`` enter it by ``ray_of``. No Ray that was not started here is ever stopped.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from taskaffinity.tasks.task import BadInput

Executor = Literal["ray", "local"]

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


@dataclass(frozen=True)
class Resources:
    """What a run takes, and where it runs."""

    executor: Executor = "ray"
    cpus_per_run: int = 1
    gpus_per_run: float = 0.0
    is_measured: bool = False
    """Whether the share of a GPU is to be what a run was measured to need (``--gpus-per-run auto``)."""
    address: str | None = None
    """Of a Ray that is already running; None starts one on this machine."""


def slots(nodes: Sequence[Mapping[str, float]], resources: Resources) -> int:
    """How many runs go at once on these nodes; a run never spans two.

    Raises
    ------
    BadInput
        If a single run asks for more than any node of a Ray that was started here has.
    """
    total = 0
    for node in nodes:
        fitting = int(node.get("CPU", 0) // resources.cpus_per_run)
        if resources.gpus_per_run:
            share, gpus = resources.gpus_per_run, int(node.get("GPU", 0))
            on_gpus = gpus * int(1 / share + 1e-9) if share <= 1 else int(gpus // share)
            fitting = min(fitting, on_gpus)
        total += fitting
    if total < 1 and resources.address is None:  # a cluster that grows on demand may have no such node yet
        most = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in ("CPU", "GPU")}
        raise BadInput(
            f"a run asks for {resources.cpus_per_run} CPUs and {resources.gpus_per_run:g} GPUs, but no node has more "
            f"than {most['CPU']:g} and {most['GPU']:g}; lower --cpus-per-run or --gpus-per-run"
        )
    return max(1, total)


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
        raise BadInput(
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
