"""Mini-batches from rows of numbers: the same as those that the CPU packs, with room or without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dense_attention import attend_densely
from torch.utils._python_dispatch import TorchDispatchMode

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training import loop, prediction
from taskaffinity.training.inputs import feed as feed_module
from taskaffinity.training.inputs.batches import epoch_cuts, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.feed import IGNORED, Feed, Row, Shape, row_of
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.packing import packed
from taskaffinity.training.prediction import predict
from taskaffinity.training.updates import steps
from taskaffinity.training.updates.steps import FedSteps, Steps

KINDS = {"a": "inference", "b": "ner", "c": "similarity", "d": "multilabel"}
RECIPE = Recipe(learning_rate=3e-3, batch_size=8, num_train_epochs=2, encoder_dropout=0.0, head_dropout=0.0)
CPU = torch.device("cpu")
WAITS = ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero", "aten::equal")
MakeModel = Callable[..., MultiTaskModel]


@pytest.fixture(scope="module")
def make_model(make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta]) -> MakeModel:
    folders = {architecture: make_encoder(architecture) for architecture in ("bert", "deberta-v2")}

    def make(architecture: str = "bert", **settings: Any) -> MultiTaskModel:
        metas = {name: make_meta(name, kind) for name, kind in KINDS.items()}
        dropouts = {"head_dropout": 0.0, "encoder_dropout": 0.0}
        return MultiTaskModel(folders[architecture], metas, seed=0, **{**dropouts, **settings})

    return make


@pytest.fixture(scope="module")
def splits(make_split: Callable[..., EncodedSplit]) -> dict[str, EncodedSplit]:
    return {name: make_split(kind, n=21, seed=i) for i, (name, kind) in enumerate(KINDS.items())}


def room_for(row: Row, *, tokens: int, read: int) -> Shape:
    """The shape of a row with one more sequence of this many tokens, of which ``read`` are read."""
    task, n_tokens, n_sequences, n_read, longest, most_read, _ = row.shape
    sizes = (n_tokens + tokens, n_sequences + 1, n_read + read)
    return Shape(task, *sizes, max(longest, tokens), max(most_read, read))


def batches(splits: dict[str, EncodedSplit], rows: list[Row]) -> list[Any]:
    feed = Feed(splits, CPU)
    uploaded = feed.upload(rows)
    return [feed.batch(row.shape, row.rows, numbers) for row, numbers in zip(rows, uploaded, strict=True)]


def test_a_row_gives_the_mini_batch_that_a_cpu_packs(splits: dict[str, EncodedSplit]) -> None:
    cuts = list(epoch_cuts(splits, 8, seed=0, epoch=1))
    found = batches(splits, [row_of(name, splits[name], rows) for name, rows in cuts])
    assert len(found) == 12
    for (name, rows), batch in zip(cuts, found, strict=True):
        expected = make_batch(name, splits[name], rows)
        assert (batch.task, batch.rows.tolist(), batch.longest) == (name, expected.rows.tolist(), expected.longest)
        for field in ("tokens", "positions", "token_types", "lengths", "targets"):
            one, other = getattr(batch, field), getattr(expected, field)
            assert one.dtype == other.dtype, field
            assert torch.equal(one, other), field
        for field in ("read", "bounds", "read_bounds"):
            one, other = getattr(batch.layout, field), getattr(expected.layout, field)
            assert one.dtype == other.dtype, field
            assert torch.equal(one, other), field
        assert (batch.layout.longest, batch.layout.most_read) == (expected.layout.longest, expected.layout.most_read)
        assert batch.layout.blocks == batch.layout.read_blocks == ()


@pytest.mark.parametrize("more_read", [0, 2, 7])
def test_room_is_one_more_sequence_whose_targets_are_ignored(splits: dict[str, EncodedSplit], more_read: int) -> None:
    chosen = np.array([3, 1, 4])
    bare = row_of("b", splits["b"], chosen)
    row = row_of("b", splits["b"], chosen, room_for(bare, tokens=5, read=more_read))
    [one], [other] = batches(splits, [row]), batches(splits, [bare])
    n, n_read = len(other.tokens), len(other.targets)
    assert row.n_tokens == n
    for field in ("tokens", "positions", "token_types"):
        assert torch.equal(getattr(one, field)[:n], getattr(other, field)), field
    assert one.lengths.tolist() == [*other.lengths.tolist(), 5]
    assert one.layout.bounds.tolist() == [*other.layout.bounds.tolist(), n + 5]
    assert one.layout.read_bounds.tolist() == [*other.layout.read_bounds.tolist(), n_read + more_read]
    assert one.layout.read[:n_read].tolist() == other.layout.read.tolist()
    assert all(n <= place < n + 5 for place in one.layout.read[n_read:].tolist())
    assert one.targets.tolist() == [*other.targets.tolist(), *[IGNORED] * more_read]


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.parametrize("name", KINDS)
def test_room_changes_neither_the_loss_nor_a_gradient(
    name: str, precision: Any, make_model: MakeModel, splits: dict[str, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside attention by blocks too: the CPU's own."""
    monkeypatch.setattr(packed, "attend", attend_densely)
    chosen = np.array([3, 1, 4, 15, 9])
    bare = row_of(name, splits[name], chosen)
    room = room_for(bare, tokens=6, read=4 if name == "b" else 0)
    given = [*batches(splits, [bare, row_of(name, splits[name], chosen, room)]), make_batch(name, splits[name], chosen)]
    found = []
    for batch in given:
        model = make_model()
        model.precision = precision
        model.train()
        loss = model.loss(batch)
        loss.backward()
        gradients = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
        found.append((loss.detach(), gradients))
    (loss, gradients), *others = found
    tolerance = 1e-5 if precision is None else 0.03
    for other_loss, other in others:
        torch.testing.assert_close(other_loss, loss, atol=0, rtol=tolerance)
        assert other.keys() == gradients.keys()
        difference, size = (
            torch.stack([torch.linalg.vector_norm(g) for g in of_each]).norm()
            for of_each in ([other[key] - g for key, g in gradients.items()], gradients.values())
        )
        assert difference <= tolerance * size


@pytest.mark.parametrize("architecture", ["bert", "deberta-v2"])
def test_training_and_prediction_are_those_of_a_cpu(
    architecture: str,
    make_model: MakeModel,
    make_meta: Callable[..., TaskMeta],
    splits: dict[str, EncodedSplit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole loop, packed and padded, with a CPU in the place of a GPU."""
    monkeypatch.setattr(packed, "attend", attend_densely)
    found = []
    for fed in (False, True):
        for module in (loop, prediction):
            monkeypatch.setattr(module, "on_gpu", lambda model, fed=fed: fed)
        model = make_model(architecture)
        training = TrainingLoop(model, splits, RECIPE, seed=0)
        assert isinstance(training.steps, FedSteps) == fed
        epochs = list(training.epochs())
        predicted = [predict(model, make_meta(name, kind), splits[name]) for name, kind in KINDS.items()]  # type: ignore[arg-type]
        found.append((epochs, predicted))
    (epochs, predicted), (fed_epochs, fed_predicted) = found
    for one, other in zip(epochs, fed_epochs, strict=True):
        assert (one.steps, one.tokens) == (other.steps, other.tokens)
        assert other.losses == pytest.approx(one.losses, rel=1e-3)
    assert fed_predicted[:2] == predicted[:2]
    assert fed_predicted[2] == pytest.approx(predicted[2], abs=1e-3)


class Waits(TorchDispatchMode):
    """Counts how often the CPU waits for a value."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += func.name().partition(".")[0] in WAITS
        return func(*args, **kwargs or {})


def test_steps_wait_for_nothing_and_share_their_copies(
    make_model: MakeModel, splits: dict[str, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the device ``meta``, which raises where a value decides a shape or comes to the host."""
    model = make_model(encoder_dropout=0.1, head_dropout=0.1, detached=["c"]).to("meta")
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it does not know the device
    monkeypatch.setattr(steps, "_AT_ONCE", 4)
    copies: list[tuple[int, ...]] = []

    def sent(tensor: torch.Tensor, device: str) -> torch.Tensor:
        copies.append(tuple(tensor.shape))
        return tensor.to(device)

    monkeypatch.setattr(feed_module, "sent", sent)
    fed = FedSteps(model, OnePassStepper(model, RECIPE, 20), splits, {"a", "b", "d"})
    cuts = list(epoch_cuts({name: splits[name] for name in "abd"}, 8, seed=0, epoch=1, detached={"c": splits["c"]}))
    done = list(fed.run(cuts))
    assert [one.task for one in done] == [name for name, _ in cuts]
    assert [one.n_rows for one in done] == [len(rows) for _, rows in cuts]
    assert sum(one.n_tokens for one in done) == sum(len(split.tokens) for split in splits.values())
    assert all(one.loss.is_meta and not one.loss.requires_grad for one in done)
    assert len(copies) == 3  # twelve mini-batches, four at once
    assert fed.stepper.step_number == sum(name != "c" for name, _ in cuts)
    assert fed.versions == {"steps": "eager"}
    assert Steps(model, fed.stepper, splits, {"a", "b"}).versions == {}


@pytest.mark.parametrize("name", KINDS)
def test_a_prediction_waits_once(
    name: str,
    make_model: MakeModel,
    make_meta: Callable[..., TaskMeta],
    splits: dict[str, EncodedSplit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "attend", attend_densely)
    monkeypatch.setattr(prediction, "on_gpu", lambda model: True)
    model = make_model()
    expected: list[Any] = []
    for n_tokens in (4096, 30):
        monkeypatch.setitem(prediction.EVALUATION_TOKENS, "cpu", n_tokens)
        with Waits() as waits:
            found = predict(model, make_meta(name, KINDS[name]), splits[name])  # type: ignore[arg-type]
        expected = expected or found
        assert found == (pytest.approx(expected, abs=1e-5) if name == "c" else expected)
        assert waits.n == 1  # whether all outputs are finite
