"""A run passes the encoder of its selected epoch, and no head, to the next run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from toy_tasks import RECIPE, TASKS

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.training.checkpoint import load_shared_weights, shared_weights
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered, used_token_ids
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel

MakeMeta = Callable[..., TaskMeta]
MakeSplit = Callable[..., EncodedSplit]
MakeEncoder = Callable[..., Path]


@pytest.mark.parametrize("is_cut", [True, False], ids=["cut table", "whole table"])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "modernbert"])
def test_the_next_model_has_the_trained_encoder_and_a_new_head(
    architecture: str,
    is_cut: bool,
    make_encoder: MakeEncoder,
    make_meta: MakeMeta,
    make_split: MakeSplit,
    tmp_path: Path,
) -> None:
    folder = make_encoder(architecture)
    meta, split = {"nli": make_meta("nli", "inference")}, make_split("inference")
    split = replace(split, tokens=np.where(split.tokens % 3 == 0, split.tokens - 1, split.tokens))
    first = MultiTaskModel(folder, meta, seed=0)
    table = first.encoder.get_input_embeddings().weight.detach().clone()
    tokens = used_token_ids([split], first.encoder) if is_cut else None
    if tokens is not None:
        assert prune_embeddings(first.encoder, tokens)
        split = renumbered(split, tokens)
    list(
        TrainingLoop(
            first, {"nli": split}, Recipe(learning_rate=1e-3, num_train_epochs=2, batch_size=4), seed=0
        ).epochs()
    )
    save_file(shared_weights(first, first.state_dict(), tokens), tmp_path / "weights")

    following = MultiTaskModel(folder, meta, seed=1)
    heads = {name: value.clone() for name, value in following.state_dict().items() if name.startswith("parts.")}
    load_shared_weights(following, tmp_path / "weights")
    given = following.encoder.get_input_embeddings().weight.detach()
    trained = first.encoder.get_input_embeddings().weight.detach()
    met = np.arange(len(table)) if tokens is None else tokens
    unmet = np.setdiff1d(np.arange(len(table)), met)
    assert torch.equal(given[met], trained)
    assert torch.equal(given[unmet], table[unmet])
    assert len(unmet) > 0 or tokens is None
    own = dict(first.named_parameters())
    for name, value in following.named_parameters():
        if value is following.encoder.get_input_embeddings().weight:
            continue
        assert torch.equal(value, heads[name] if name.startswith("parts.") else own[name]), name


def test_weights_of_another_encoder_are_refused(make_encoder: MakeEncoder, make_meta: MakeMeta, tmp_path: Path) -> None:
    metas = {"nli": make_meta("nli", "inference")}
    one = MultiTaskModel(make_encoder("bert"), metas, seed=0)
    other = MultiTaskModel(make_encoder("roberta"), metas, seed=0)
    save_file(shared_weights(one, one.state_dict(), None), tmp_path / "weights")
    with pytest.raises(ValueError, match="not weights of this encoder"):
        load_shared_weights(other, tmp_path / "weights")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Path]:
    cache = tmp_path_factory.mktemp("cache")
    encoder = tiny_encoder(VOCABULARY, cache, layers=1, width=16)
    for recipe in (RECIPE, replace(RECIPE, protocol="paper")):
        prepare(list(TASKS.values()), encoder, recipe, cache)
    return encoder, cache


@pytest.fixture(scope="module")
def refined(place: tuple[Encoder, Path]) -> RunResult:
    encoder, cache = place
    spec = RunSpec((TASKS["nli"].ref, TASKS["tag"].ref), encoder.ref, 0, RECIPE)
    return execute(spec, encoder_folder=encoder.folder, cache=cache, keep_weights=True)


def test_a_run_stores_weights_if_another_starts_from_it(
    refined: RunResult, place: tuple[Encoder, Path], tmp_path: Path
) -> None:
    assert set(refined.weights) == {outcome.epoch for outcome in refined.outcomes.values()}
    store = RunStore(tmp_path)
    assert store.weights(refined.spec, "nli") is None
    store.write(refined)
    for name, outcome in refined.outcomes.items():
        path = store.weights(refined.spec, name)
        assert path is not None
        assert path.stem == f"epoch-{outcome.epoch}"
    encoder, cache = place
    plain = execute(refined.spec, encoder_folder=encoder.folder, cache=cache)
    assert not plain.weights
    assert plain.outcomes == refined.outcomes


def test_fine_tuning_starts_from_the_best_epoch_for_its_task(
    refined: RunResult, place: tuple[Encoder, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate of nothing, the encoder after fine-tuning is the one that was handed over."""
    encoder, cache = place
    store = RunStore(tmp_path)
    store.write(refined)
    still = replace(RECIPE, learning_rate=1e-30, num_train_epochs=1, weight_decay=0.0)
    for name in ("nli", "tag"):
        spec = RunSpec((TASKS[name].ref,), encoder.ref, 0, still, parent=refined.spec)
        start = store.weights(refined.spec, name)
        tuned = execute(spec, encoder_folder=encoder.folder, cache=cache, start=start, keep_weights=True)
        kept = refined.weights[refined.outcomes[name].epoch]
        (own,) = tuned.weights.values()
        assert own.keys() == kept.keys()
        for key, value in own.items():
            np.testing.assert_array_equal(value, kept[key])  # and so the tokens, of which one task meets a part


@pytest.mark.parametrize("protocol", [None, "paper"])
def test_single_task_and_pair_runs_start_from_the_same_weights(
    protocol: Literal["paper"] | None, place: tuple[Encoder, Path], tmp_path: Path
) -> None:
    """With a rate of nothing, the encoder at the end is the one that was handed over; heads are as in any first run."""
    encoder, cache = place
    refs = {name: TASKS[name].ref for name in ("nli", "rel", "tag")}
    recipe = replace(RECIPE, protocol=protocol)
    whole = RunSpec(tuple(refs.values()), encoder.ref, 0, recipe)
    refined = execute(whole, encoder_folder=encoder.folder, cache=cache, keep_weights=True)
    store = RunStore(tmp_path)
    store.write(refined)
    means = {row["epoch"]: sum(row["dev"].values()) / 3 for row in refined.history if row["epoch"] in refined.weights}
    best = max(means, key=lambda epoch: means[epoch])
    assert protocol is None or best == recipe.num_train_epochs
    still = replace(recipe, learning_rate=1e-30, num_train_epochs=1, weight_decay=0.0)
    for names in (("nli",), ("rel",), ("nli", "rel"), ("nli", "tag")):
        tasks = tuple(refs[name] for name in names)
        spec = RunSpec(tasks, encoder.ref, 0, still, parent=whole, variant="continued")
        start = store.start(spec)
        assert start is not None
        assert start.stem == f"epoch-{best}"
        (own,) = execute(
            spec, encoder_folder=encoder.folder, cache=cache, start=start, keep_weights=True
        ).weights.values()
        assert len(own) > 10
        for key, value in own.items():
            np.testing.assert_array_equal(value, refined.weights[best][key])


def test_a_warm_started_pair_scores_higher_than_a_fresh_one(place: tuple[Encoder, Path], tmp_path: Path) -> None:
    encoder, cache = place
    whole = RunSpec(
        tuple(TASKS[name].ref for name in ("nli", "rel", "tag")), encoder.ref, 0, replace(RECIPE, num_train_epochs=10)
    )
    store = RunStore(tmp_path)
    store.write(execute(whole, encoder_folder=encoder.folder, cache=cache, keep_weights=True))
    fresh = RunSpec((TASKS["nli"].ref, TASKS["tag"].ref), encoder.ref, 0, replace(RECIPE, num_train_epochs=1))
    going_on = replace(fresh, parent=whole, variant="continued")
    first, later = (
        execute(spec, encoder_folder=encoder.folder, cache=cache, start=store.start(spec)) for spec in (fresh, going_on)
    )
    assert later.work["steps"] == first.work["steps"]
    assert later.history[0]["loss"]["tag"] < first.history[0]["loss"]["tag"]


def test_fine_tuning_scores_higher_than_a_fresh_start_of_the_same_length(
    place: tuple[Encoder, Path], tmp_path: Path
) -> None:
    encoder, cache = place
    long = replace(RECIPE, num_train_epochs=10)
    parent = RunSpec((TASKS["nli"].ref, TASKS["tag"].ref), encoder.ref, 0, long)
    store = RunStore(tmp_path)
    store.write(execute(parent, encoder_folder=encoder.folder, cache=cache, keep_weights=True))
    short = RunSpec((TASKS["tag"].ref,), encoder.ref, 0, replace(RECIPE, num_train_epochs=1))
    fresh = execute(short, encoder_folder=encoder.folder, cache=cache)
    start = store.weights(parent, "tag")
    tuned = execute(replace(short, parent=parent), encoder_folder=encoder.folder, cache=cache, start=start)
    assert tuned.history[0]["loss"]["tag"] < fresh.history[0]["loss"]["tag"]


@pytest.mark.parametrize("has_parent", [True, False], ids=["a parent", "no parent"])
def test_starting_weights_require_a_parent(has_parent: bool, refined: RunResult, place: tuple[Encoder, Path]) -> None:
    encoder, cache = place
    spec = RunSpec((TASKS["nli"].ref,), encoder.ref, 0, RECIPE, parent=refined.spec if has_parent else None)
    given: dict[str, Any] = {} if has_parent else {"start": cache / "weights"}
    with pytest.raises(ValueError, match="if and only if it has a parent"):
        execute(spec, encoder_folder=encoder.folder, cache=cache, **given)
