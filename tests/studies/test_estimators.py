"""Estimators that train nothing, on two tiny tasks: against padded models with every token, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskaffinity.analysis.estimates.log_evidence import label_evidence
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.schedule.run import run
from taskaffinity.studies.estimates.estimators import (
    ESTIMATORS,
    Material,
    gradient_cosine,
    ridge_probe,
    vocabulary_coverage,
)
from taskaffinity.training.checkpoint import load_head, load_shared_weights
from taskaffinity.training.frozen import FrozenModels
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.setup import read_tasks

TASKS = ("mednli", "shareclefe")


@dataclass(frozen=True)
class World:
    material: Material
    encoder_folder: Path
    cache: Path

    def data(self, split: Any) -> tuple[Any, Any]:
        spec = next(iter(self.material.singles.values()))
        metas, splits = read_tasks(self.material.study.refs, spec, self.cache, (split,))
        return metas, splits[split]

    def padded_model(self, task: str) -> MultiTaskModel:
        """The model of a single-task run, with the heads of both tasks, padded and with every token."""
        metas, _ = self.data("train")
        store, singles = self.material.store, self.material.singles
        # A synthetic encoder has random weights by seed, which stay for tokens that the run did not meet.
        model = MultiTaskModel(self.encoder_folder, metas, seed=singles[task].seed, packed=False)
        weights = store.weights(singles[task], task)
        assert weights is not None
        load_shared_weights(model, weights)
        for name in TASKS:
            path = store.head(singles[name], name)
            assert path is not None
            model.heads[name].load_state_dict(load_head(path)[0])
        return model.eval()


@pytest.fixture(scope="module")
def world(tiny_study: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> World:
    tiny = tiny_study(seeds=(0,), tasks=TASKS)
    store = RunStore(tmp_path_factory.mktemp("estimators"))
    run(
        tiny.study.plan.of([spec for spec in tiny.study.plan if spec.arm == "single"]),
        store,
        encoder_folder=tiny.encoder_folder,
        cache=tiny.cache,
        resources=Resources("local"),
        options=RunOptions(keep_models=True),
    )
    material = Material(tiny.study, store, FrozenModels(tiny.encoder_folder, tiny.cache))
    assert set(material.singles) == set(TASKS)
    return World(material, tiny.encoder_folder, tiny.cache)


def test_coverage_is_the_share_of_dev_tokens_that_only_the_source_has(world: World) -> None:
    found = vocabulary_coverage(world.material)
    (_, train), (_, dev) = world.data("train"), world.data("dev")
    for s, t in ((0, 1), (1, 0)):
        own, other = (set(train[TASKS[place]].tokens.tolist()) for place in (t, s))
        tokens = dev[TASKS[t]].tokens.tolist()
        assert found[s, t] == pytest.approx(sum(token in other - own for token in tokens) / len(tokens))
    assert np.isnan(found.diagonal()).all()
    assert found[~np.eye(2, dtype=bool)].max() > 0


def test_the_cosine_is_that_of_the_mean_gradients_at_the_targets_weights(world: World) -> None:
    found = gradient_cosine(world.material)
    (_, train), (_, dev) = world.data("train"), world.data("dev")
    for s, t in ((0, 1), (1, 0)):
        model = world.padded_model(TASKS[t])
        weights = list(model.encoder.parameters())
        vectors = []
        for name, split in ((TASKS[s], train[TASKS[s]]), (TASKS[t], dev[TASKS[t]])):
            parts = np.array_split(np.arange(split.n_rows), range(32, split.n_rows, 32))
            losses = [model.loss(make_batch(name, split, rows)) for rows in parts]
            total = torch.stack(losses).mean()
            gradients = torch.autograd.grad(total, weights, allow_unused=True)
            pairs = zip(gradients, weights, strict=True)
            vectors.append(torch.cat([(g if g is not None else torch.zeros_like(w)).flatten() for g, w in pairs]))
        expected = float(torch.nn.functional.cosine_similarity(*vectors, dim=0))
        assert found[s, t] == pytest.approx(expected, abs=2e-3)
        assert abs(found[s, t]) > 1e-4


def test_the_ridge_probe_compares_the_sources_features_with_those_of_the_encoder(world: World) -> None:
    found = ridge_probe(world.material)
    metas, train = world.data("train")
    for s, t in ((0, 1), (1, 0)):
        split, name = train[TASKS[t]], TASKS[t]
        batch = make_batch(name, split, np.arange(split.n_rows))
        plain = MultiTaskModel(world.encoder_folder, metas, seed=world.material.singles[name].seed, packed=False).eval()
        with torch.no_grad():
            of_source, own = (
                label_evidence(
                    model.states(batch).numpy().astype(np.float64), batch.targets.numpy().astype(float), is_score=False
                )
                for model in (world.padded_model(TASKS[s]), plain)
            )
        assert found[s, t] == pytest.approx(of_source - own, abs=2e-3)


def test_every_row_of_the_table_scores_every_arrow_and_lacks_those_without_a_model(world: World) -> None:
    for name, estimator in ESTIMATORS.items():
        assert np.isfinite(estimator(world.material)[~np.eye(2, dtype=bool)]).all(), name
    nothing = Material(world.material.study, RunStore(world.cache / "nothing"), world.material.models)
    assert nothing.singles == {}
    assert np.isnan(vocabulary_coverage(nothing)).all()
    assert np.isfinite(ESTIMATORS["log size ratio"](nothing)[0, 1])


def test_a_run_of_the_gradient_trains_both_tasks_by_the_recipe_of_the_study(world: World) -> None:
    seen: list[RunSpec] = []

    class Recorded(FrozenModels):
        def gradient_cosine(self, spec: RunSpec, target: str, start: Path, heads: Any) -> float:
            seen.append(spec)
            assert list(heads) == [target, *(name for name in TASKS if name != target)]
            return 0.5

    material = Material(world.material.study, world.material.store, Recorded(world.encoder_folder, world.cache))
    assert np.array_equal(gradient_cosine(material), [[np.nan, 0.5], [0.5, np.nan]], equal_nan=True)
    assert {spec.task_names for spec in seen} == {TASKS}
    assert {spec.recipe for spec in seen} == {world.material.study.recipe}
