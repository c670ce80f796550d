"""Describe the hardware for training, and find encoders in the hub's cache."""

from __future__ import annotations

from pathlib import Path

import torch

from taskaffinity.training.encoders.load import ALIASES

_CUDA_MIB = 600
"""Approximate size of a process's CUDA context."""


def gpu_names() -> list[str]:
    """Return the names of the GPUs that torch can use, with their memory."""
    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in gpus]


def share_of_gpu(peak_mib: float, total_mib: float) -> float:
    """Share of a GPU that one run takes, between 1/8 and 1: one over the number of runs that fit.

    Examples
    --------
    >>> share_of_gpu(5_000, 24_000)
    0.3333333333333333
    """
    return 1 / runs_that_fit(peak_mib, total_mib)


def runs_that_fit(peak_mib: float, total_mib: float) -> int:
    """Number of runs that fit on a GPU, from 1 to 8. A run takes 1.1 times its peak memory and a CUDA context."""
    return min(8, max(1, int(total_mib / (1.1 * peak_mib + _CUDA_MIB))))


def in_hub_cache(name: str) -> Path | None:
    """Return the folder of an encoder in the hub's cache; None if it is missing or incomplete.

    There is no network request.

    Parameters
    ----------
    name : str
        A name in ``ALIASES`` or a hub id.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(ALIASES.get(name.lower(), name), local_files_only=True))
    except Exception:  # the hub's client raises several types; all mean that the encoder is missing
        return None
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return folder if weights and (folder / "config.json").is_file() else None
