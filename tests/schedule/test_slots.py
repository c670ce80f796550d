"""How many runs Ray trains at once: a run has its share of one node."""

from __future__ import annotations

import pytest

from taskaffinity.errors import InputError
from taskaffinity.schedule.resources import Resources, fitting, slots


@pytest.mark.parametrize(
    ("share", "at_once"),
    [
        *((1 / n, n) for n in range(1, 9)),
        *((0.16667, 6), (0.1667, 6), (0.168, 5)),  # 0.1667 x 10,000 is 1,666.99... in binary, of which Ray takes 1,666
        *((0.3, 3), (0.34, 2), (0.51, 1), (0.01, 100)),
    ],
)
def test_a_gpu_has_as_many_runs_as_their_shares_allow(share: float, at_once: int) -> None:
    node = {"CPU": 500.0, "GPU": 2.0}
    assert fitting([node], Resources(gpus_per_run=share)) == 2 * at_once


@pytest.mark.parametrize(
    ("cpus", "gpus", "at_once"),
    [(1, 0, 4 + 3), (2, 0, 2 + 1), (3, 0, 1 + 1), (1, 1.0, 2 + 0), (1, 2.0, 1), (4, 0.5, 1)],
)
def test_a_run_has_all_its_resources_on_one_node(cpus: int, gpus: float, at_once: int) -> None:
    nodes = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 3.0}]
    assert fitting(nodes, Resources(cpus_per_run=cpus, gpus_per_run=gpus)) == at_once


def test_a_run_that_fits_nowhere_is_refused_unless_the_cluster_may_grow() -> None:
    nodes = [{"CPU": 4.0, "GPU": 1.0}]
    with pytest.raises(InputError, match="one run needs 8 CPUs and 0 GPUs, but no node has more than 4 and 1; lower"):
        slots(nodes, Resources(cpus_per_run=8))
    assert slots(nodes, Resources(cpus_per_run=8, address="auto")) == 1
