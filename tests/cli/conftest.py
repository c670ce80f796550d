"""A forecast times fewer updates in these tests: its words are tested here, its seconds in ``tests/training``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def _few_timed_updates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskaffinity.training.profile.speed._SECONDS", 0.0)
        yield
