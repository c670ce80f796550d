"""The cores that a command may use: a job of a cluster or a container often has a part of its node."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taskaffinity.schedule import resources
from taskaffinity.schedule.ray_session import start_ray
from taskaffinity.schedule.resources import Resources, usable_cpus

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "300000 100000\n"}, 3),
        ({"cpu.max": "350000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "3200000 100000\n"}, 8),
        ({"cpu.max": "broken\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
    ],
)
def test_they_are_those_of_the_affinity_within_the_quota(
    files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(resources, "CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert usable_cpus() == expected


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_a_process_on_one_core_uses_one() -> None:
    code = (
        f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
        "from taskaffinity.schedule.resources import usable_cpus\n"
        "print(usable_cpus(), os.cpu_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    usable, there = map(int, done.stdout.split())
    assert usable == 1 < there


def test_a_ray_that_is_started_here_has_these_cores_and_a_joined_one_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=lambda **options: asked.append(options)))
    monkeypatch.setattr("taskaffinity.schedule.ray_session.usable_cpus", lambda: 3)
    start_ray(Resources(), tmp_path)
    start_ray(Resources(address="auto"), tmp_path)
    assert asked[0]["num_cpus"] == 3
    assert "num_cpus" not in asked[1]
