"""What the figures of ``gpu.py`` are of: the GPU, its driver and clocks, the software and the processor."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers

ASKED = (
    "driver_version",
    "clocks.max.sm",
    "clocks.max.memory",
    "clocks.sm",
    "power.limit",
    "compute_mode",
    "mig.mode.current",
)
"""Of ``nvidia-smi``."""


def facts(device: str) -> dict[str, Any]:
    """Facts of this machine as JSON values; what cannot be read is missing."""
    found: dict[str, Any] = {
        "device": device,
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "accelerate": find_spec("accelerate") is not None,
        "commit": _commit(),
    }
    return {**found, **_gpu()} if device == "cuda" else found


def _gpu() -> dict[str, Any]:
    number = torch.cuda.current_device()
    gpu = torch.cuda.get_device_properties(number)
    return {
        "gpu": gpu.name,
        "memory_mib": gpu.total_memory // 2**20,
        "multiprocessors": gpu.multi_processor_count,
        "capability": f"{gpu.major}.{gpu.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        "mps_binary": shutil.which("nvidia-cuda-mps-control") is not None,
        "mps_pipe": os.environ.get("CUDA_MPS_PIPE_DIRECTORY", ""),
        **(smi_facts(f"GPU-{gpu.uuid}") or smi_facts(str(number))),
    }


def smi_facts(gpu: str) -> dict[str, str]:
    """The fields ``ASKED`` of a GPU; an unknown field, which stops ``nvidia-smi``, leaves out itself alone.

    A program that hangs is not asked for each field: the benchmark would not begin in time.
    """
    try:
        together = _smi(gpu, ASKED)
        if together is not None:
            return dict(zip(ASKED, together, strict=True))
        alone = {name: _smi(gpu, [name]) for name in ASKED}
    except subprocess.TimeoutExpired:
        return {}
    return {name: values[0] for name, values in alone.items() if values}


def _smi(gpu: str, names: Any) -> list[str] | None:
    """The values of these fields; None if ``nvidia-smi`` is missing, or does not know one of them or the GPU."""
    command = ["nvidia-smi", f"--query-gpu={','.join(names)}", "--format=csv,noheader", "-i", gpu]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return None
    values = [value.strip() for value in ran.stdout.strip().split(",")]
    return values if ran.returncode == 0 and len(values) == len(names) else None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _commit() -> str:
    """The commit of the checkout; empty outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
