"""Start Ray, or join a running one, in the process of ``ray_driver``.

A Ray session that was not started here is never stopped.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.schedule.resources import Resources, usable_cpus

RETRIES = 3
"""Number of retries of a run whose worker or node was lost, and of restarts of a Ray that ended."""
DIED = f"the worker died {RETRIES + 1} times (killed, or out of memory); see Ray's logs on its node"
"""Reason of a run that was lost after all retries."""


def initialized_ray() -> Any | None:
    """Return Ray if this process is already in a session, otherwise None.

    Ray is not imported for this.
    """
    ray = sys.modules.get("ray")
    return ray if ray is not None and ray.is_initialized() else None


def environment(resources: Resources, folder: Path) -> dict[str, str]:
    """Return the environment of the process that talks to Ray.

    Telemetry is off. A Ray that is started there listens on the loopback interface, requires a token that only this
    user can read, and gives its workers the priority of the command.

    Parameters
    ----------
    folder : Path
        Private folder of the process, for the token.
    """
    given = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_task_oom_retries": str(RETRIES),  # Ray retries for ever by default
        **os.environ,
    }
    if resources.address is not None:
        return given
    token = folder / "token"
    with open(os.open(token, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    given.pop("RAY_AUTH_TOKEN", None)  # this variable would take precedence over the file
    return given | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's own switch for loopback; the default outside Linux
        "RAY_worker_niceness": "0",  # Ray's default is 15
        "RAY_process_group_cleanup_enabled": "0",  # workers stay in this process group, which ends as a whole
    }


def start_ray(resources: Resources, folder: Path) -> Any:
    """Start Ray in ``folder``, or join the Ray at ``resources.address``; return the module.

    The session has no dashboard, and does not forward log lines of workers.

    Raises
    ------
    InputError
        If Ray cannot be reached or started.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        import ray

        if resources.address is None:  # runs read a cache on disk, so the object store is almost empty
            small: dict[str, Any] = {"object_store_memory": 256 * 2**20, "include_dashboard": False}
            ray.init(address="local", _temp_dir=str(folder), num_cpus=usable_cpus(), **small, **quiet)
        else:
            ray.init(address=resources.address, **quiet)
    except Exception as error:  # an overloaded machine raises a plain Exception: "The current node timed out ..."
        where = f"--address {resources.address}" if resources.address else "Ray"
        said = str(error).partition("\n")[0].partition(". ")[0].strip(" .")
        raise InputError(
            f"{where}: could not be reached or started ({said or type(error).__name__}); "
            "--executor local trains without it; the same command later resumes the study"
        ) from error
    return ray


def control_address(ray: Any) -> tuple[str, int] | None:
    """Return host and port of the service that controls the cluster; None if this Ray does not tell."""
    try:
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        return host.strip("[]"), int(port)
    except Exception:  # of another version of Ray; without it, Ray itself notices the end, later
        return None


def vital_processes(ray: Any) -> Mapping[str, Any]:
    """Return the processes that every run needs, by name; empty for a joined Ray."""
    node = ray._private.worker._global_node
    processes = node.all_processes if node is not None and node.head else {}
    return {name: processes[name][0].process for name in ("gcs_server", "raylet") if processes.get(name)}
