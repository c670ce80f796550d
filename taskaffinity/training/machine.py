"""What training finds on this machine: GPUs, how fast it multiplies, encoders in the model hub's cache."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch

from taskaffinity.training.encoders import ALIASES


def gpu_names() -> list[str]:
    """Each GPU that torch can use, with its memory."""
    found = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in found]


PAYS = 1.3
"""How much faster bfloat16 must be to be chosen."""


def bf16_speed(device: str, *, seconds: float = 0.05) -> float:
    """How many times as fast as in 32 bits matrix products in bfloat16 are here: tried, for what a machine claims to
    have says little (with AVX512-BF16 but no AMX they take twice as long)."""

    def best(dtype: torch.dtype) -> float:
        left, right = (torch.randn(1024, 1024, dtype=dtype, device=device) for _ in range(2))
        number, least = 0, math.inf
        until = time.perf_counter() + seconds
        while number < 3 or time.perf_counter() < until:  # the first one finds its kernel
            began = time.perf_counter()
            float((left @ right)[0, 0])  # waits for a GPU
            least, number = min(least, time.perf_counter() - began), number + 1
        return least

    return best(torch.float32) / best(torch.bfloat16)


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
