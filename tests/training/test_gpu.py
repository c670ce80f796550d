"""What a run does with its GPU, seen through a torch whose GPU is invented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from taskaffinity.runs.recipe import Recipe
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.define import with_resources
from taskaffinity.training import gpu
from taskaffinity.training.gpu import claim_gpu_memory, gpu_peak_mib, gpu_versions, has_room

ON_GPU = Recipe(device="cuda")
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder)\nGCC version:"
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version:  gcc"


@pytest.mark.parametrize(("share", "limit"), [(0.25, 0.25), (1.0, 1.0), (0.0, 1.0), (2.0, 1.0)])
def test_a_run_sets_its_own_limit_and_finds_no_memory_of_the_run_before(
    share: float, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("empty"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: done.append("reset"))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", done.append)
    claim_gpu_memory(ON_GPU, share)
    assert done == ["empty", "reset", limit]
    claim_gpu_memory(Recipe(), share)  # a run on a CPU opens no GPU
    assert len(done) == 3


def test_gpu_memory_is_what_torch_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * 2**30)
    assert gpu_peak_mib() == 3072


@pytest.mark.parametrize(
    ("share", "peak", "free", "most"),
    [(1.0, 8, 60, 30), (0.25, 8, 60, 11), (0.125, 8, 60, 1), (0.125, 9, 60, -1), (1.0, 8, 10, 5)],
)
def test_copies_of_weights_stay_on_a_gpu_where_its_process_has_room(
    share: float, peak: int, free: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GiB of 80: what the share leaves beside the peak and its eighth, and half of what is free; or nothing (-1)."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free * 2**30, 80 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda: share)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: peak * 2**30)
    assert most < 0 or has_room(most * 2**30)
    assert not has_room((most + 1) * 2**30)


@pytest.mark.parametrize(
    ("said", "driver"), [(OPEN, "580.95.05"), (CLOSED, "535.129.03"), ("something else", None), (None, None)]
)
def test_the_model_and_the_driver_are_versions(
    said: str | None, driver: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "version"
    if said is not None:
        path.write_text(said)
    monkeypatch.setattr(gpu, "_DRIVER", path)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    expected = {"gpu": "NVIDIA H100 80GB HBM3", "cuda": "12.8"} | ({"driver": driver} if driver else {})
    assert gpu_versions() == expected
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert gpu_versions() == expected | {"mps": "on"}


def test_cpus_do_not_identify_a_run_on_a_gpu() -> None:
    few, many = (Resources(cpus_per_run=cpus, gpus_per_run=0.5) for cpus in (1, 4))
    assert with_resources(Recipe(), few) == with_resources(Recipe(), many) == ON_GPU
    on_cpus = replace(many, gpus_per_run=0.0)
    assert with_resources(ON_GPU, on_cpus) == Recipe(threads=4)
