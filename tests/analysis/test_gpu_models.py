"""A study whose runs were trained on several models of GPU says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.measure import measure
from taskaffinity.runs.store import RunStore

SAID = "several models of GPU"
CASES = [("cuda", "AB", True), ("cuda", "A", False), ("cpu", "AB", False)]


@pytest.mark.parametrize(("device", "models", "is_said"), CASES)
def test_the_caption_counts_the_runs_of_each_model(device: str, models: str, is_said: bool, tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=range(2), seeds_single=range(2))
    study = replace(study, recipe=replace(study.recipe, device=device))
    store = fill(study, tmp_path, latent_counts({}, n=20))
    for number, spec in enumerate(study.plan):
        run = store.read(spec)
        store.write(replace(run, versions={**run.versions, "gpu": models[number % len(models)]}))
    said = caption(measure(study, RunStore(tmp_path)))
    assert (SAID in said) == is_said
    if is_said:
        n = len(study.plan)
        assert f"(A: {(n + 1) // 2} runs, B: {n // 2} runs)" in said
