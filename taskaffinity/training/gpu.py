"""The GPU of a run: its share of the memory, the most it used, and the hardware that its result depends on."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path

import torch

from taskaffinity.runs.recipe import Recipe

_DRIVER = Path("/proc/driver/nvidia/version")
"""Where NVIDIA's driver says its version on Linux."""
_VERSION = re.compile(r"Kernel Module(?: for \S+)?\s+([\d.]+)")


def claim_gpu_memory(recipe: Recipe, share: float) -> None:
    """Limit this process to a share of its GPU's memory, so that it cannot starve the runs beside it.

    A process may train one run after the other. What the run before held is released, the limit is that of this run,
    and the peak is counted anew.

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
    """Whether this process can hold so much more on its GPU and train on beside it.

    An eighth of its peak stays unused, and half of what is free on the GPU, which other processes may need.
    """
    free, total = torch.cuda.mem_get_info()
    allowed = torch.cuda.get_per_process_memory_fraction() * total
    return n_bytes <= min(allowed - 9 / 8 * torch.cuda.max_memory_reserved(), free / 2)


def gpu_peak_mib() -> float:
    """Peak of the GPU memory that this process reserved, in MiB, since ``claim_gpu_memory``."""
    return torch.cuda.max_memory_reserved() / 2**20


def gpu_versions() -> dict[str, str]:
    """The model of this process's GPU, the version of CUDA, and the version of the driver where Linux tells it.

    ``mps`` is there if runs share the GPU through NVIDIA's Multi-Process Service.
    """
    versions = {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
    if "CUDA_MPS_PIPE_DIRECTORY" in os.environ:
        versions["mps"] = "on"
    try:
        found = _VERSION.search(_DRIVER.read_text(encoding="ascii", errors="replace"))
    except OSError:
        found = None
    return versions | ({"driver": found[1]} if found else {})
