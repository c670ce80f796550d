"""Choose the share of a GPU of each run, with ``--gpus-per-run auto``: by speed and memory, or by memory alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock
from pydantic import TypeAdapter

from taskaffinity.private import private_folder
from taskaffinity.runs.cost_model import CostModel
from taskaffinity.runs.files import cache_folder, read_json, write_json
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.schedule.gpu_sharing import COUNTS, Sharing, measured_sharing
from taskaffinity.schedule.resources import Resources, usable_cpus
from taskaffinity.training import execute
from taskaffinity.training.encoders.load import Encoder

FILE = "gpu_sharing.json"
"""In the results folder."""


@dataclass(frozen=True)
class _Stored:
    """A trial as the results folder keeps it."""

    gpu: str
    """Model of the GPU."""
    trial: str
    """Hash of what was tried, and how."""
    sharing: Sharing


def settle_share(
    study: Study,
    encoder: Encoder,
    root: Path,
    resources: Resources,
    cost: CostModel,
    notice: Callable[[str], None],
) -> Resources:
    """Return the resources with the share of a GPU that each run gets.

    The share comes from a trial that the results folder keeps for this GPU model, or from one now, which is kept. Runs
    of the local executor are never at once; for these, and where nothing can be measured, the memory alone decides.

    Parameters
    ----------
    cost : CostModel
        Of this study on a GPU of this machine.
    notice : callable
        Receives lines for the user.
    """
    assert cost.gpu_share is not None
    by_memory = replace(resources, gpus_per_run=cost.gpu_share, share_from="memory")
    most = most_at_once(resources, cost.gpu_share)
    if most < 2 or resources.executor == "local":
        return by_memory
    path, key = private_folder(cache_folder() / "gpu_sharing"), _key(study, resources, most)
    with FileLock(path / f"{key}.lock"):  # one process tries
        sharing, whence = stored_sharing(root, cost.gpu, key), f"from the trial in {root}"
        if sharing is None:
            counts = [str(k) for k in COUNTS if k <= most]
            notice(f"gpus per run: {', '.join(counts[:-1])} and {counts[-1]} runs at once are tried on this GPU")
            places = {"encoder_folder": encoder.folder, "cache": cache_folder()}
            sharing = measured_sharing(_typical_run(study), most, resources, **places)
            if sharing is None:
                notice(
                    f"gpus per run: {cost.gpu_share:.3g}, by memory alone; the speed of several runs at once could not "
                    "be measured here"
                )
                return by_memory
            root.mkdir(parents=True, exist_ok=True)
            write_json(root / FILE, asdict(_Stored(cost.gpu or "", key, sharing)))
            whence = "as fast as more" if sharing.runs < max(sharing.rates) else "the fastest"
    chosen = shared(resources, sharing)
    rates = ", ".join(f"{k}: {rate:,.0f}" for k, rate in sorted(sharing.rates.items()))
    how = "through MPS" if sharing.mps else "in turns, without MPS"
    notice(
        f"gpus per run: {chosen.gpus_per_run:.3g}, {sharing.runs} at once ({whence}; examples/s by runs at once: "
        f"{rates}; {how})"
    )
    return chosen


def stored_share(study: Study, root: Path, resources: Resources, cost: CostModel) -> Resources | None:
    """The resources with the share of the trial that the results folder keeps for this GPU model; None if none."""
    if cost.gpu_share is None or resources.executor == "local":
        return None
    key = _key(study, resources, most_at_once(resources, cost.gpu_share))
    sharing = stored_sharing(root, cost.gpu, key)
    return None if sharing is None else shared(resources, sharing)


def stored_sharing(root: Path, gpu: str | None, key: str) -> Sharing | None:
    """The trial that a results folder keeps; None if it is another one, or cannot be read."""
    try:
        stored = TypeAdapter(_Stored).validate_python(read_json(root / FILE))
    except (OSError, ValueError):
        return None
    rates = stored.sharing.rates
    is_sound = bool(rates) and all(k in COUNTS and 0 < rate < math.inf for k, rate in rates.items())  # NaN is not
    return stored.sharing if is_sound and (stored.gpu, stored.trial) == (gpu or "", key) else None


def shared(resources: Resources, sharing: Sharing) -> Resources:
    """The resources with the share of a trial."""
    tried = "/".join(str(k) for k in sorted(sharing.rates))
    return replace(resources, gpus_per_run=1 / sharing.runs, share_from=f"speed of {tried} runs at once")


def most_at_once(resources: Resources, gpu_share: float) -> int:
    """Most runs at once on one GPU, by its memory and by the CPUs that this process may use."""
    by_memory = round(1 / gpu_share)
    if resources.address is not None:  # the nodes of a cluster may have other CPUs
        return by_memory
    cpus = usable_cpus() // resources.cpus_per_run // max(1, execute.gpus())
    return max(1, min(by_memory, cpus))


def _typical_run(study: Study) -> RunSpec:
    """A run of the two tasks with the most examples, from the encoder."""
    largest = sorted(study.tasks, key=lambda task: -task.sizes.get("train", 0))[:2]
    refs = tuple(sorted((task.name, task.fingerprint) for task in largest))
    return RunSpec(refs, study.encoder, study.seeds[0], study.recipe)


def _key(study: Study, resources: Resources, most: int) -> str:
    tried = (_typical_run(study), most, resources.address is None)
    return hashlib.sha256(repr(tried).encode()).hexdigest()[:16]
