"""The collector is spared for a while, and then works as before."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from taskaffinity.garbage_collection import rare_collection, without_collection


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.enable()
    gc.set_threshold(*threshold)


@pytest.mark.parametrize(("given", "within"), [((700, 10, 10), 50_000), ((80_000, 5, 5), 80_000), ((0, 10, 10), 0)])
def test_the_collector_runs_rarely_within_and_as_before_after(given: tuple[int, int, int], within: int) -> None:
    gc.set_threshold(*given)
    with suppress(KeyError), rare_collection():
        assert gc.get_threshold() == (within, *given[1:])
        raise KeyError
    assert gc.get_threshold() == given


@pytest.mark.parametrize("is_on", [True, False])
def test_the_collector_pauses_within_and_is_as_before_after(is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()
    with suppress(KeyError), without_collection():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled() == is_on
