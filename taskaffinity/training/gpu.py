"""Limit and measure the GPU memory of a run, and describe its hardware."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import torch

from taskaffinity.runs.recipe import Recipe

_DRIVER = Path("/proc/driver/nvidia/version")
"""File with the version of NVIDIA's driver on Linux."""
_VERSION = re.compile(r"Kernel Module(?: for \S+)?\s+([\d.]+)")


def claim_gpu_memory(recipe: Recipe, share: float) -> None:
    """Limit this process to a share of its GPU's memory, to protect other runs on the GPU.

    A process may train one run after the other. Memory of the last run is released, the limit of this run is set, and
    the peak is reset.

    Parameters
    ----------
    share : float
        Share of the GPU, in (0, 1); anything else is the whole GPU.
    """
    if recipe.device != "cuda":
        return
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.set_per_process_memory_fraction(share if 0 < share < 1 else 1.0)


def has_room(n_bytes: int) -> bool:
    """Return whether this process can hold ``n_bytes`` more on its GPU and still train.

    An eighth of its peak stays unused, and half of the free memory of the GPU, which other processes may need.
    """
    free, total = torch.cuda.mem_get_info()
    allowed = torch.cuda.get_per_process_memory_fraction() * total
    return n_bytes <= min(allowed - 9 / 8 * torch.cuda.max_memory_reserved(), free / 2)


def gpu_peak_mib() -> float:
    """Return the peak of reserved GPU memory since ``claim_gpu_memory``, in MiB."""
    return torch.cuda.max_memory_reserved() / 2**20


def gpu_versions() -> dict[str, str]:
    """Return the model of this process's GPU, and the versions of CUDA and, on Linux, the driver.

    The key ``mps`` exists if runs share the GPU through NVIDIA's Multi-Process Service.
    """
    versions = {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
    if "CUDA_MPS_PIPE_DIRECTORY" in os.environ:
        versions["mps"] = "on"
    try:
        found = _VERSION.search(_DRIVER.read_text(encoding="ascii", errors="replace"))
    except OSError:
        found = None
    return versions | ({"driver": found[1]} if found else {})
