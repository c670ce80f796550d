"""What training finds on this machine: GPUs, and encoders in the model hub's cache."""

from __future__ import annotations

from pathlib import Path

import torch

from taskaffinity.training.encoders import ALIASES

_CUDA_MIB = 600
"""Of a process's CUDA context, about."""


def gpu_names() -> list[str]:
    """Each GPU that torch can use, with its memory."""
    found = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in found]


def share_of_gpu(peak_mib: float, total_mib: float) -> float:
    """The share of a GPU that a run is given: one over as many as fit side by side, eight at most, each with a tenth
    more than its peak and with what CUDA takes for a process.

    Examples
    --------
    >>> share_of_gpu(5_000, 24_000)
    0.3333333333333333
    """
    return 1 / min(8, max(1, int(total_mib / (1.1 * peak_mib + _CUDA_MIB))))


def in_hub_cache(name: str) -> Path | None:
    """Where one of the paper's encoders, by its name in ``ALIASES``, or a hub id lies on this machine; None if it was
    never fetched, or not whole. The network is not asked."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(ALIASES.get(name.lower(), name), local_files_only=True))
    except Exception:  # the hub's client raises several kinds; each means that it is not there
        return None
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
    return folder if weights and (folder / "config.json").is_file() else None
