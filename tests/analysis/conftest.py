from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.statistics.sequential_simulation import simulate_design
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


@pytest.fixture
def toy(tmp_path: Path) -> tuple[Study, RunStore]:
    """Three tasks: ``a`` helps ``b``, ``c`` hurts ``b``, the rest is noise."""
    study = make_study(["b", "a", "c"])
    return study, fill(study, tmp_path / "toy", latent_counts({("a", "b"): 0.6, ("c", "b"): -0.6}))


@pytest.fixture(autouse=True)
def few_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a finished sequential design 20 times, not 200: a test of the rates asks for its own number."""
    monkeypatch.setattr("taskaffinity.analysis.measure.simulate_design", partial(simulate_design, n=20))
