"""Resources of a run, its executor, and the options of what it stores."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskaffinity.errors import InputError
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES

Executor = Literal["ray", "local"]


@dataclass(frozen=True)
class Resources:
    """Resources of one run, and the executor."""

    executor: Executor = "ray"
    cpus_per_run: int = 1
    gpus_per_run: float = 0.0
    is_measured: bool = False
    """Whether the share of a GPU is measured before training (``--gpus-per-run auto``)."""
    address: str | None = None
    """Address of a running Ray session; None starts one on this machine."""
    share_from: str | None = None
    """What chose a measured share of a GPU; None if the user gave it."""


@dataclass(frozen=True)
class RunOptions:
    """What runs store, and whether they may replace another study."""

    keep_predictions: bool = True
    """Whether each run stores its predictions."""
    keep_models: bool = False
    """Whether each run stores its tasks' models for ``export``. Finished runs without models are trained again."""
    overwrite: bool = False
    """Whether the study may replace another study of the same design in its results folder. Runs are never deleted."""
    share_with_group: bool = False
    """Whether the group may read predictions and models; otherwise only the owner can."""
    checkpoint_minutes: float = DEFAULT_MINUTES
    """Shortest time between two checkpoints of a run, in minutes; 0 for no checkpoints."""


DEFAULT_OPTIONS = RunOptions()


CGROUPS = Path("/sys/fs/cgroup")
_UNITS = 10_000
"""Ray counts a share of a GPU in whole units of 1/10,000, and cuts off the rest."""


def usable_cpus() -> int:
    """Return the number of CPU cores that this process may use: a job of a cluster often has a part of a node.

    They are those of its affinity, within the quota of its container. Ray knows of the quota only.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return cores if quota is None else max(1, min(cores, math.floor(quota)))


def _cpu_quota() -> float | None:
    """Return the cores that the control groups of a container allow (version 2 or 1), or None."""
    try:
        if (CGROUPS / "cpu.max").exists():
            quota, period = (CGROUPS / "cpu.max").read_text().split()
        else:
            quota, period = ((CGROUPS / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no control groups, or "max"
        return None


def slots(nodes: Sequence[Mapping[str, float]], resources: Resources) -> int:
    """Return the number of runs at once on these nodes; a run uses one node.

    Raises
    ------
    InputError
        If one run needs more than any node has, in a Ray session that was started here.
    """
    total = fitting(nodes, resources)
    if total < 1 and resources.address is None:  # an autoscaling cluster may add such a node later
        most = {kind: max((node.get(kind, 0) for node in nodes), default=0) for kind in ("CPU", "GPU")}
        raise InputError(
            f"one run needs {resources.cpus_per_run} CPUs and {resources.gpus_per_run:g} GPUs, but no node has more "
            f"than {most['CPU']:g} and {most['GPU']:g}; lower --cpus-per-run or --gpus-per-run"
        )
    return max(1, total)


def fitting(nodes: Sequence[Mapping[str, float]], resources: Resources) -> int:
    """Return the number of runs at once on these nodes, or 0."""
    total = 0
    for node in nodes:
        at_once = int(node.get("CPU", 0) // resources.cpus_per_run)
        if resources.gpus_per_run:
            share, gpus = resources.gpus_per_run, int(node.get("GPU", 0))
            on_gpus = gpus * (_UNITS // int(share * _UNITS)) if share <= 1 else int(gpus // share)
            at_once = min(at_once, on_gpus)
        total += at_once
    return total
