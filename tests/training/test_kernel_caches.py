"""Memory of a process does not grow with the number of shapes of its mini-batches."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
GROWTH = """
import taskaffinity.training
import torch

def resident():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmRSS")]
    return int(line.split()[1]) / 2**10

torch.set_num_threads(1)
rows, weight = torch.ones(400, 64), torch.ones(64, 64)
sizes = []
for n in range(1, 401):
    torch.ops.mkldnn._linear_pointwise(rows[:n], weight, None, "none", [], "")
    if n in (100, 400):
        sizes.append(resident())
print(sizes[1] - sizes[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or sys.platform != "linux", reason="no oneDNN, or no /proc"
)
def test_compiled_kernels_of_many_shapes_are_not_cached() -> None:
    """A process with cache limits grows little; one without them shows that the measurement detects growth.

    The products are in fp32, which every processor supports. The growth was below 4 MiB with the limits and 170 MiB
    without them when this test was written.
    """

    def growth(**caches: str) -> float:
        clean = {name: value for name, value in os.environ.items() if name not in CACHES}
        done = subprocess.run([sys.executable, "-c", GROWTH], env={**clean, **caches}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    assert growth() < 20
    assert growth(**dict.fromkeys(CACHES, "1024")) > 60
