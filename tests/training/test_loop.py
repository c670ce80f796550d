"""The training loop: reproducibility, idle heads, and divergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training import prediction
from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Diverged, Epoch, TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import predict

RECIPE = Recipe(learning_rate=3e-3, optimizer="adamw", batch_size=8, num_train_epochs=2)
KINDS = {"a": "inference", "b": "ner", "c": "similarity"}
MakeSplit = Callable[..., EncodedSplit]
MakeModel = Callable[..., MultiTaskModel]


@pytest.fixture(scope="module")
def make_model(make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta]) -> MakeModel:
    folder = make_encoder("bert")

    def make(*names: str, seed: int = 0, head_dropout: float = 0.1) -> MultiTaskModel:
        metas = {name: make_meta(name, KINDS[name]) for name in names}
        return MultiTaskModel(folder, metas, seed=seed, head_dropout=head_dropout)

    return make


@pytest.fixture(scope="module")
def splits(make_split: MakeSplit) -> dict[str, EncodedSplit]:
    return {name: make_split(kind, n=20, seed=i) for i, (name, kind) in enumerate(KINDS.items())}


def weights(model: MultiTaskModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_are_reproducible_bit_for_bit_and_depend_on_the_seed(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    found: list[dict[str, torch.Tensor]] = []
    losses = []
    for seed in (3, 3, 4):
        model = make_model(*splits, seed=seed)
        torch.manual_seed(len(found))  # what was drawn before does not matter
        losses.append([dict(epoch.losses) for epoch in TrainingLoop(model, splits, RECIPE, seed=seed).epochs()])
        found.append(weights(model))
    assert same(found[0], found[1])
    assert losses[0] == losses[1]
    assert not same(found[0], found[2])


def test_dropout_depends_on_the_seed(make_model: MakeModel, make_split: MakeSplit) -> None:
    one_row = {"a": make_split("inference", n=1)}  # its mini-batches are the same for every seed
    found: list[dict[str, torch.Tensor]] = []
    for seed in (0, 0, 1):
        model = make_model("a")
        list(TrainingLoop(model, one_row, RECIPE, seed=seed).epochs())
        found.append(weights(model))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_evaluation_between_epochs_does_not_change_training(
    make_model: MakeModel, make_meta: Callable[..., TaskMeta], splits: dict[str, EncodedSplit]
) -> None:
    found: list[dict[str, torch.Tensor]] = []
    for evaluates in (False, True):
        model = make_model(*splits)
        for _ in TrainingLoop(model, splits, RECIPE, seed=0).epochs():
            if evaluates:
                predict(model, make_meta("b", "ner"), splits["b"])
        found.append(weights(model))
    assert same(found[0], found[1])


@pytest.mark.parametrize("trained", ["a", "b"])
def test_an_idle_head_does_not_change(trained: str, make_model: MakeModel, splits: dict[str, EncodedSplit]) -> None:
    model = make_model(*splits)
    before = weights(model)
    list(TrainingLoop(model, {trained: splits[trained]}, RECIPE, seed=0).epochs())
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    heads = list(model.heads)
    assert {heads[int(name.split(".")[1])] for name in changed if name.startswith("parts")} == {trained}
    assert any(name.startswith("pooler") for name in changed) == (trained == "a")
    assert any(name.startswith("encoder") for name in changed)


def test_an_epoch_reports_steps_tokens_and_the_mean_loss_of_each_task(
    make_model: MakeModel, splits: dict[str, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(*splits)
    seen: list[tuple[str, float]] = []

    def listening(batch: Batch) -> torch.Tensor:
        value = MultiTaskModel.loss(model, batch)
        seen.append((batch.task, float(value.detach())))
        return value

    monkeypatch.setattr(model, "loss", listening)
    epochs = list(TrainingLoop(model, splits, RECIPE, seed=0).epochs())
    assert [epoch.number for epoch in epochs] == [1, 2]
    for epoch, steps in zip(epochs, (seen[:9], seen[9:]), strict=True):
        assert epoch.steps == len(steps) == 9
        assert epoch.tokens == sum(len(split.tokens) for split in splits.values())
        for name in splits:
            assert epoch.losses[name] == pytest.approx(np.mean([value for task, value in steps if task == name]))


def test_the_loss_falls_and_the_score_rises_on_learnable_tasks(
    make_model: MakeModel, make_meta: Callable[..., TaskMeta], make_split: MakeSplit
) -> None:
    split = make_split("inference", n=120, lengths=[3] * 120)
    model = make_model("a", head_dropout=0.0)
    epochs: list[Epoch] = list(
        TrainingLoop(model, {"a": split}, replace(RECIPE, learning_rate=1e-2, num_train_epochs=20), seed=0).epochs()
    )
    assert epochs[-1].losses["a"] < 0.3 * epochs[0].losses["a"]
    predicted = predict(model, make_meta("a", "inference"), split)
    assert np.mean([p == g for p, g in zip(predicted, split.gold, strict=True)]) > 0.9


def test_a_nan_loss_ends_the_run_with_a_reason(make_model: MakeModel, splits: dict[str, EncodedSplit]) -> None:
    model = make_model("c")
    with pytest.raises(Diverged, match=r"training loss of c is not a number after epoch 1.*smaller") as caught:
        list(TrainingLoop(model, {"c": splits["c"]}, replace(RECIPE, learning_rate=1e25), seed=0).epochs())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("most_pieces", [1, 30, 4096])
@pytest.mark.parametrize("name", KINDS)
def test_predictions_equal_those_of_single_rows_in_order(
    name: str,
    most_pieces: int,
    make_model: MakeModel,
    make_meta: Callable[..., TaskMeta],
    splits: dict[str, EncodedSplit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "EVALUATION_TOKENS", {"cpu": most_pieces})
    model, split, meta = make_model(*splits).eval(), splits[name], make_meta(name, KINDS[name])
    predicted = predict(model, meta, split)
    assert not any(weight.is_inference() for weight in model.parameters())
    for row in range(split.n_rows):
        with torch.no_grad():
            outputs = model(make_batch(name, split, np.array([row]))).numpy()
        if name == "a":
            assert predicted[row] == ("no", "yes", "other")[outputs[0].argmax()]
        elif name == "b":
            assert predicted[row] == [("O", "B-x", "I-x")[i] for i in outputs.argmax(axis=1)]
        else:
            assert predicted[row] == pytest.approx(float(outputs[0, 0]), abs=1e-4)


def test_rows_of_a_sentence_are_joined_and_truncated_words_are_o(
    make_model: MakeModel, make_meta: Callable[..., TaskMeta], splits: dict[str, EncodedSplit]
) -> None:
    model, split, meta = make_model(*splits).eval(), splits["b"], make_meta("b", "ner")
    whole = predict(model, meta, split)
    n_first, n_second = len(split.gold[0]), len(split.gold[1])
    numbers = split.word_numbers.copy()
    numbers[n_first : n_first + n_second] += n_first + 2  # two words between the rows have no tokens
    joined = replace(
        split,
        ids=["joined", *split.ids[2:]],
        gold=[["O"] * (n_first + 2 + n_second), *split.gold[2:]],
        examples_of_rows=np.array([0, 0, *range(1, split.n_rows - 1)]),
        word_numbers=numbers,
    )
    assert predict(model, meta, joined) == [whole[0] + ["O", "O"] + whole[1], *whole[2:]]
