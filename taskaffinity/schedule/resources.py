"""Where runs go, and the Ray that takes them there: one that runs already, or one started here and ended again.

Both ``schedule`` and ``tuning`` enter it by ``ray_of``. No Ray that was not started here is ever stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from taskaffinity.errors import InputError

Executor = Literal["ray", "local"]


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


@dataclass(frozen=True)
class RunOptions:
    """What runs store, and whether they may replace another study."""

    keep_predictions: bool = True
    """Whether each run stores its predictions."""
    keep_models: bool = False
    """Whether each run stores its tasks' models for ``export``. Finished runs without models are trained again."""
    overwrite: bool = False
    """Whether the study may replace another study of the same design in its results folder. Runs are never deleted."""


DEFAULT_OPTIONS = RunOptions()


def slots(nodes: Sequence[Mapping[str, float]], resources: Resources) -> int:
    """How many runs go at once on these nodes; a run never spans two.

    Raises
    ------
    InputError
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
        raise InputError(
            f"a run asks for {resources.cpus_per_run} CPUs and {resources.gpus_per_run:g} GPUs, but no node has more "
            f"than {most['CPU']:g} and {most['GPU']:g}; lower --cpus-per-run or --gpus-per-run"
        )
    return max(1, total)
