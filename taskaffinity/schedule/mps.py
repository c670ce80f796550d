"""Start NVIDIA's Multi-Process Service (MPS), so that runs share a GPU at the same time.

Without it, the processes on a GPU take turns. The service is a process of this user. It belongs to one Ray session and
ends with it. Its server sees all GPUs, because its clients count GPUs as the server does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from taskaffinity.schedule.resources import Resources

PIPES = "CUDA_MPS_PIPE_DIRECTORY"
"""Variable with the folder through which processes reach the service."""
_LOGS = "CUDA_MPS_LOG_DIRECTORY"
_CONTROL, _QUERY = "nvidia-cuda-mps-control", ("nvidia-smi", "--query-gpu=mig.mode.current", "--format=csv,noheader")
_OF_OTHERS = Path("/tmp/nvidia-mps/control")
"""Exists if another service runs in the usual place. Processes then use that service by themselves."""
_TRIAL = "import torch; torch.zeros(1, device='cuda').item()"
_START_SECONDS, _TRIAL_SECONDS, _QUIT_SECONDS, _POLL = 10.0, 60.0, 3.0, 0.05


def start_mps(resources: Resources, folder: Path) -> Mapping[str, str]:
    """Start the service if runs share a GPU; return the environment of its clients.

    The result is empty without the service. It is not started on a Ray that was joined, beside another service, on a
    divided GPU (MIG), or without NVIDIA's programs. One process tries it once; if that fails, the service is stopped.

    Parameters
    ----------
    folder : Path
        Private folder of the session.
    """
    shares = resources.address is None and (0 < resources.gpus_per_run < 1)
    if not shares or PIPES in os.environ or _OF_OTHERS.exists() or not shutil.which(_CONTROL) or not _is_undivided():
        return {}
    pipes, logs = folder / "mps", folder / "mps-logs"
    for place in (pipes, logs):
        place.mkdir(mode=0o700)
    variables = {PIPES: str(pipes), _LOGS: str(logs)}
    service = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | variables
    with (logs / "output.log").open("wb") as log:
        process = subprocess.Popen([_CONTROL, "-f"], env=service, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and not (pipes / "control").exists() and time.monotonic() < until:
        time.sleep(_POLL)
    if process.poll() is None and _succeeds([sys.executable, "-c", _TRIAL], os.environ | variables):
        return variables
    stop_mps(folder)
    with suppress(OSError):
        process.kill()
    process.wait()
    shutil.rmtree(pipes)
    return {}


def stop_mps(folder: Path) -> None:
    """Stop the service that ``start_mps`` started with this folder, if it exists."""
    pipes = folder / "mps"
    if not pipes.is_dir():
        return
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [_CONTROL],
            env=os.environ | {PIPES: str(pipes)},
            input=b"quit -t 1\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_QUIT_SECONDS,
            check=False,
        )


def _is_undivided() -> bool:
    """Return whether NVIDIA's program says that no GPU is divided."""
    try:
        asked = subprocess.run(_QUERY, capture_output=True, text=True, timeout=_START_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return False
    return asked.returncode == 0 and "enabled" not in asked.stdout.lower()


def _succeeds(command: list[str], variables: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
