"""Set up a run: its model, its training set and its evaluation splits.

``execute`` and the trials of ``tune`` use it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypedDict

from taskaffinity.private import check_private
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec, TaskRef
from taskaffinity.tasks.kinds import TAG_KINDS
from taskaffinity.tasks.splits import Split, is_test, split_of
from taskaffinity.tasks.task import SCORE_KINDS
from taskaffinity.training.balance import balance, detach_weightless
from taskaffinity.training.checkpoint import load_shared_weights
from taskaffinity.training.encoders.identity import unchanged
from taskaffinity.training.inputs.encoded import TOKEN_CLASSES, EncodedSplit, IntArray, Scale, TaskMeta
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered, used_token_ids
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import TrainingSet, training_set_of

Splits = dict[Split, dict[str, EncodedSplit]]
"""Arrays by split and task name."""


class EncodingOptions(TypedDict):
    """Keyword arguments of ``encode_task`` and ``cache_folder``."""

    max_length: int
    max_words: int
    trains_on_dev: bool
    reversed_pairs: bool


@dataclass(frozen=True)
class RunSetup:
    """The inputs of training and of evaluation."""

    model: MultiTaskModel
    training: TrainingSet
    metas: Mapping[str, TaskMeta]
    """The spec's own tasks, by name."""
    splits: Mapping[Split, Mapping[str, EncodedSplit]]
    """The evaluation splits of these tasks. Token ids are rows of the model's embedding table."""
    token_ids: IntArray | None
    """Row of a pruned embedding table -> token id of the tokenizer, ascending; None if the table is complete."""

    @cached_property
    def tests(self) -> Mapping[str, Mapping[Split, EncodedSplit]]:
        """Every test set, by task and split."""
        tests = {split: by_task for split, by_task in self.splits.items() if is_test(split)}
        return {name: {split: tests[split][name] for split in tests if name in tests[split]} for name in self.metas}


def setup_run(
    spec: RunSpec,
    *,
    encoder_folder: Path,
    cache: Path,
    start: Path | None = None,
    scored: Sequence[Split] = ("dev", "test"),
) -> RunSetup:
    """Return a run's data, and its model on its device.

    Parameters
    ----------
    start : Path, optional
        File of encoder weights to start from. Default: the encoder's own weights.
    scored : sequence of str
        Splits to evaluate; ``test`` stands for every test set. Only these and train are read.

    Raises
    ------
    InputError
        If the folder no longer has the encoder of the spec.
    """
    recipe = spec.recipe
    metas, splits = read_tasks(spec.tasks, spec, cache, ("train", *scored))
    partner = None
    if spec.partner:
        partner = read_tasks((spec.partner,), spec, cache, ("train",))[1]["train"][spec.partner[0]]
    training = detach_weightless(training_set_of(spec, metas, splits["train"], partner), spec)
    with unchanged(encoder_folder, spec.encoder):
        model = MultiTaskModel(
            encoder_folder,
            training.metas,
            seed=spec.seed,
            head_dropout=recipe.head_dropout,
            encoder_dropout=recipe.encoder_dropout,
            max_length=max(recipe.max_length, *(meta.reading.max_length or 0 for meta in metas.values())),
            detached=training.detached,
            device=recipe.device,
        )
    balance(model, training, spec)
    model.precision = recipe.precision
    if start is not None:
        load_shared_weights(model, start)
    training, splits, token_ids = _prune_vocabulary(model, training, splits)
    return RunSetup(model, training, metas, splits, token_ids)


def encoded_folder(cache: Path, fingerprint: str, encoder: str, recipe: Recipe) -> Path:
    """Return the cache folder of a task that is encoded for this encoder and recipe.

    Raises
    ------
    InputError
        If another user may write to the cache.
    """
    for place in (cache, cache / "encoded"):
        check_private(place)
    return cache_folder(cache, fingerprint, encoder, **encoding_options(recipe))


def encoding_options(recipe: Recipe) -> EncodingOptions:
    """Return the settings of a recipe that change how a task is encoded."""
    return {
        "max_length": recipe.max_length,
        "max_words": recipe.max_words,
        "trains_on_dev": recipe.trains_on_dev,
        "reversed_pairs": bool(recipe.reversed_pairs),
    }


def read_tasks(
    tasks: Sequence[TaskRef], spec: RunSpec, cache: Path, wanted: Sequence[Split]
) -> tuple[dict[str, TaskMeta], Splits]:
    """Read tasks from the cache, limited to the recipe's numbers of examples.

    Whoever wants ``test`` gets the further test sets too.
    """
    metas: dict[str, TaskMeta] = {}
    splits: Splits = {split: {} for split in wanted}
    recipe = spec.recipe
    for name, fingerprint in tasks:
        metas[name], encoded = read_encoded(encoded_folder(cache, fingerprint, spec.encoder.fingerprint, spec.recipe))
        further = map(split_of, metas[name].test_sets if "test" in wanted else ())
        for split in (*wanted, *further):
            arrays = encoded[split]
            ratio, negative = spec.recipe.negatives_per_positive, metas[name].negative
            if split == "train" and ratio is not None and negative is not None:
                arrays = arrays.downsample_negatives(negative, ratio, spec.recipe.sample_seed)
            drawn = arrays.sample(recipe.max_examples(split), spec.recipe.sample_seed)
            splits.setdefault(split, {})[name] = drawn
            if split == "train" and spec.recipe.released_classes and metas[name].kind in TAG_KINDS:
                splits[split][name] = drawn.label_every_token(len(metas[name].outputs))
                metas[name] = replace(metas[name], token_classes=TOKEN_CLASSES)
            if split == "train" and spec.recipe.similarity_targets and metas[name].kind in SCORE_KINDS:
                scale = Scale.of(drawn.gold)
                splits[split][name] = drawn.standardize(scale)
                metas[name] = replace(metas[name], scale=scale)
            if split in metas[name].missed:  # in proportion to the examples
                share = drawn.n_examples / arrays.n_examples
                missed = {**metas[name].missed, split: round(metas[name].missed[split] * share)}
                metas[name] = replace(metas[name], missed=missed)
    return metas, splits


def _prune_vocabulary(
    model: MultiTaskModel, training: TrainingSet, splits: Splits
) -> tuple[TrainingSet, Splits, IntArray | None]:
    """Prune the embedding table to the tokens in use, and renumber the data.

    Returns the training set, the evaluation splits and the token ids of the table's rows. The ids are None if this
    encoder's table cannot be pruned.
    """
    scored: Splits = {split: by_task for split, by_task in splits.items() if split != "train"}
    in_use = [*training.splits.values(), *(arrays for by_task in scored.values() for arrays in by_task.values())]
    token_ids = used_token_ids(in_use, model.encoder)
    if not prune_embeddings(model.encoder, token_ids):
        return training, scored, None
    pruned: Splits = {
        split: {name: renumbered(arrays, token_ids) for name, arrays in by_task.items()}
        for split, by_task in scored.items()
    }
    train = {name: renumbered(arrays, token_ids) for name, arrays in training.splits.items()}
    return replace(training, splits=train), pruned, token_ids
