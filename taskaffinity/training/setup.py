"""A run made ready: its model, what it trains on and what it is scored on. Where ``execute`` and a trial both begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec, TaskRef
from taskaffinity.tasks.task import Split
from taskaffinity.training.checkpoint import load_shared_weights
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta, cache_folder, read_encoded
from taskaffinity.training.inputs.vocabulary import pieces_of, prune_embeddings, renumbered
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import Company, company_of


@dataclass(frozen=True)
class Ready:
    """What ``fit`` takes, and what scores it."""

    model: MultiTaskModel
    company: Company
    metas: Mapping[str, TaskMeta]
    """Of the spec's own tasks, by name."""
    splits: Mapping[Split, Mapping[str, EncodedSplit]]
    """Those of these that are scored, by split and name; numbered as the model's table is."""
    pieces: IntArray | None
    """The word pieces that the model's table holds; None for all."""


def setup_run(
    spec: RunSpec,
    *,
    encoder_folder: Path,
    cache: Path,
    start: Path | None = None,
    scored: Sequence[Split] = ("dev", "test"),
) -> Ready:
    """The model of a run on its device, with its seed's weights or those of ``start``, and its data.

    Parameters
    ----------
    scored : sequence of str
        Splits to be predicted. What is left out is as if it did not exist.
    """
    recipe = spec.recipe
    wanted = ("train", *scored)
    metas, splits = _read(spec.tasks, spec, cache, wanted)
    partner = _read((spec.partner,), spec, cache, ("train",))[1]["train"][spec.partner[0]] if spec.partner else None
    company = company_of(spec, metas, splits["train"], partner)
    model = MultiTaskModel(
        encoder_folder,
        company.metas,
        seed=spec.seed,
        head_dropout=recipe.head_dropout,
        encoder_dropout=recipe.encoder_dropout,
        max_length=recipe.max_length,
        packed=recipe.device == "cpu",
        detached=company.detached,
        precision=recipe.precision,
    )
    if start is not None:
        load_shared_weights(model, start)
    company, splits, pieces = _cut_to_vocabulary(model, company, splits)
    model.to(recipe.device)
    return Ready(model, company, metas, splits, pieces)


def _read(
    tasks: Sequence[TaskRef], spec: RunSpec, cache: Path, wanted: Sequence[Split]
) -> tuple[dict[str, TaskMeta], dict[Split, dict[str, EncodedSplit]]]:
    """Tasks by name and their arrays by split and name, cut to the recipe's caps."""
    metas: dict[str, TaskMeta] = {}
    splits: dict[Split, dict[str, EncodedSplit]] = {split: {} for split in wanted}
    for name, fingerprint in tasks:
        metas[name], encoded = read_encoded(encoded_in(cache, fingerprint, spec.encoder.fingerprint, spec.recipe))
        if spec.recipe.protocol == "paper":
            encoded["train"] = encoded["train"].joined(encoded["dev"])
        for split in wanted:
            arrays = encoded[split]
            cap = spec.recipe.max_train_examples if split == "train" else spec.recipe.max_eval_examples
            ratio, negative = spec.recipe.negatives_per_positive, metas[name].negative
            if split == "train" and ratio is not None and negative is not None:
                arrays = arrays.downsample_negatives(negative, ratio, spec.recipe.sample_seed)
            splits[split][name] = drawn = arrays.sample(cap, spec.recipe.sample_seed)
            if split in metas[name].missed:  # as many as of the examples are kept
                share = drawn.n_examples / arrays.n_examples
                missed = {**metas[name].missed, split: round(metas[name].missed[split] * share)}
                metas[name] = replace(metas[name], missed=missed)
    return metas, splits


def _cut_to_vocabulary(
    model: MultiTaskModel, company: Company, splits: dict[Split, dict[str, EncodedSplit]]
) -> tuple[Company, dict[Split, dict[str, EncodedSplit]], IntArray | None]:
    """Company and splits in the numbers of a table that holds their own pieces alone, and these; None if not cut."""
    scored: dict[Split, dict[str, EncodedSplit]] = {
        split: of_tasks for split, of_tasks in splits.items() if split != "train"
    }
    met = [*company.train.values(), *(arrays for of_tasks in scored.values() for arrays in of_tasks.values())]
    pieces = pieces_of(met, model.encoder)
    if not prune_embeddings(model.encoder, pieces):
        return company, scored, None
    cut = {
        split: {name: renumbered(arrays, pieces) for name, arrays in of_tasks.items()}
        for split, of_tasks in scored.items()
    }
    train = {name: renumbered(arrays, pieces) for name, arrays in company.train.items()}
    return replace(company, train=train), cut, pieces


def encoded_in(cache: Path, fingerprint: str, encoder: str, recipe: Recipe) -> Path:
    """Where a task lies in the cache, encoded for an encoder as a recipe wants it."""
    return cache_folder(cache, fingerprint, encoder, recipe.max_length, recipe.max_words)
