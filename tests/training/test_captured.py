"""Captured steps, with an object that plays the graphs: they compute what the steps themselves compute."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from dense_attention import attend_densely
from recorded_graphs import RecordedGraphs, RunAgain, small_buckets

from taskaffinity.runs.recipe import Recipe
from taskaffinity.training import loop
from taskaffinity.training.inputs.batches import Cut, epoch_cuts
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Epoch, TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import RATES, OnePassStepper
from taskaffinity.training.packing import packed
from taskaffinity.training.resume import weights_of
from taskaffinity.training.updates import cuda_graphs
from taskaffinity.training.updates.captured import CapturedSteps
from taskaffinity.training.updates.cuda_graphs import CudaGraphs
from taskaffinity.training.updates.steps import FedSteps
from taskaffinity.training.weighting import Weighting

KINDS = {"a": "inference", "b": "ner", "c": "similarity", "d": "multilabel"}
RECIPE = Recipe(learning_rate=3e-3, batch_size=4, num_train_epochs=2, optimizer="adamax")
MakeModel = Callable[..., MultiTaskModel]


@pytest.fixture(scope="module")
def make_model(make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta]) -> MakeModel:
    folder = make_encoder("bert")

    def make(dropout: float = 0.1, **settings: Any) -> MultiTaskModel:
        metas = {name: make_meta(name, kind) for name, kind in KINDS.items()}
        return MultiTaskModel(folder, metas, seed=0, head_dropout=dropout, encoder_dropout=dropout, **settings)

    return make


@pytest.fixture(scope="module")
def splits(make_split: Callable[..., EncodedSplit]) -> dict[str, EncodedSplit]:
    return {name: make_split(kind, n=22, seed=i) for i, (name, kind) in enumerate(KINDS.items())}


@pytest.fixture(autouse=True)
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets as small as these mini-batches, so that there are several; attention by bounds."""
    small_buckets(monkeypatch)


class Training:
    """A training loop whose steps are captured by ``graphs``, or not at all with None."""

    def __init__(
        self, model: MultiTaskModel, splits: dict[str, EncodedSplit], recipe: Recipe, graphs: RecordedGraphs | None
    ) -> None:
        self.model, self.graphs = model, graphs
        self.loop = TrainingLoop(model, splits, recipe, seed=0)
        self.loop.stepper = OnePassStepper(model, recipe, 2 * sum(-(-split.n_rows // 4) for split in splits.values()))
        attached = set(splits) - model.detached
        if graphs is None:
            self.loop.steps = FedSteps(model, self.loop.stepper, splits, attached)
        else:
            self.loop.steps = CapturedSteps(model, self.loop.stepper, splits, attached, lambda: graphs)

    def state(self) -> dict[str, torch.Tensor]:
        return {**weights_of(self.model), **self.loop.stepper.state_dict(), "random": torch.get_rng_state()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("optimizer", ["adamax", "adamw"])
@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.slow
def test_replayed_steps_are_the_steps_bit_for_bit(
    optimizer: Any, precision: Any, make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    """With dropout, a detached task, weights of tasks and classes, rates that change, and short last mini-batches."""
    found: list[tuple[list[dict[str, float]], dict[str, torch.Tensor]]] = []
    for graphs in (RunAgain(), RecordedGraphs()):
        model = make_model(detached=["c"])
        model.precision = precision
        model.weighting = Weighting({"a": 0.5}, ["b", "d"])
        model.heads["a"].register_buffer("class_weights", torch.tensor([0.5, 2.0, 1.0]), persistent=False)
        training = Training(model, splits, replace(RECIPE, optimizer=optimizer), graphs)
        epochs = list(training.loop.epochs())
        assert training.loop.steps.versions == {"steps": "captured"}
        found.append(([dict(epoch.losses) for epoch in epochs], training.state()))
    assert graphs.n_replays > 20  # of 36 updates
    (losses, state), (again, replayed) = found
    assert again == losses
    assert same(state, replayed)


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.slow
def test_captured_training_is_that_without_graphs(
    precision: Any, make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    """Without dropout, room changes no more than the order of sums."""
    found: list[list[Epoch]] = []
    for graphs in (None, RecordedGraphs()):
        model = make_model(dropout=0.0)
        model.precision = precision
        found.append(list(Training(model, splits, RECIPE, graphs).loop.epochs()))
    for one, other in zip(*found, strict=True):
        assert (one.steps, one.tokens) == (other.steps, other.tokens) == (24, one.tokens)
        assert other.losses == pytest.approx(one.losses, rel=1e-3 if precision is None else 0.05)


def test_capturing_leaves_weights_moments_counts_and_random_states_alone(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    training = Training(make_model(), splits, RECIPE, RecordedGraphs())
    cuts = list(epoch_cuts(splits, 4, seed=0, epoch=1))
    list(training.loop.steps.run(cuts[:6]))  # moments and counts that are not 0
    before = {name: value.clone() for name, value in training.state().items()}
    training.loop.steps.prepare(cuts * 2)
    steps = training.loop.steps
    assert isinstance(steps, CapturedSteps)
    assert len(steps._captured) > 5
    assert same(before, training.state())
    assert all(parameter.grad is None for parameter in training.model.parameters())
    steps.close()
    assert not steps._captured


def test_shapes_that_are_captured_are_not_captured_again(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    graphs = Failing(set())
    steps = Training(make_model(), splits, RECIPE, graphs).loop.steps
    assert isinstance(steps, CapturedSteps)
    cuts = list(epoch_cuts(splits, 4, seed=0, epoch=1)) * 2
    some = [cut for cut in cuts if cut[0] in ("a", "b")]
    steps.prepare(some)
    before = dict(steps._captured)
    assert graphs.n == len(before) > 2
    steps.prepare(some)
    assert graphs.n == len(before)
    steps.prepare(cuts)
    assert graphs.n == len(steps._captured) > len(before)
    assert all(steps._captured[shape] is one for shape, one in before.items())


class Ended(BaseException):
    """Stands for a signal."""


@pytest.mark.slow
def test_a_training_that_continues_has_the_same_bits(make_model: MakeModel, splits: dict[str, EncodedSplit]) -> None:
    whole = Training(make_model(), splits, RECIPE, RecordedGraphs())
    losses = [dict(epoch.losses) for epoch in whole.loop.epochs()]
    expected = whole.state()
    for n_done in (3, 17, 25):
        first = Training(make_model(), splits, RECIPE, RecordedGraphs())

        def end(first: Training = first, n_done: int = n_done) -> None:
            if first.loop.stepper.step_number == n_done:
                raise Ended

        with pytest.raises(Ended):
            list(first.loop.epochs(after_batch=end))
        state = first.state()
        second = Training(make_model(), splits, RECIPE, RecordedGraphs())
        with torch.no_grad():
            for name, weight in weights_of(second.model).items():
                weight.copy_(state[name])
        second.loop.stepper.load_state_dict(first.loop.stepper.state_dict())
        second.loop.position = first.loop.position
        torch.set_rng_state(state["random"])
        assert [dict(epoch.losses) for epoch in second.loop.epochs()] == losses[-1 if n_done > 18 else 0 :]
        assert same(expected, second.state())


def test_shapes_are_few_and_have_room_for_one_token_at_least(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    training = Training(make_model(), splits, RECIPE, RecordedGraphs())
    steps = training.loop.steps
    assert isinstance(steps, CapturedSteps)
    for epoch in (1, 2, 3):
        for name, rows in epoch_cuts(splits, 4, seed=0, epoch=epoch):
            shape, split = steps.shape_with_room(name, rows), splits[name]
            n_tokens = int(np.diff(split.bounds)[rows].sum())
            assert shape.n_tokens % 32 == 0
            assert n_tokens < shape.n_tokens <= n_tokens + 32
            n_words = int(np.diff(split.word_bounds)[rows].sum()) if name == "b" else len(rows)
            assert n_words <= shape.n_read < n_words + 16
            assert shape.n_read == len(rows) or (name == "b" and shape.n_read % 16 == 0)
            assert shape.n_sequences == len(rows) + 1
            assert shape.most_read == 1 if name != "b" else shape.most_read <= shape.n_read
            assert max(np.diff(split.bounds)[rows]) <= shape.longest <= shape.n_tokens


class Failing(RecordedGraphs):
    """Cannot capture what is in ``refused``: numbers of calls, from 0."""

    def __init__(self, refused: set[int]) -> None:
        super().__init__()
        self.refused, self.n = refused, 0

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        number, self.n = self.n, self.n + 1
        if number in self.refused:
            with pytest.raises(RuntimeError, match="capturing"):  # in the midst of a step
                super().capture(lambda: (work(), torch.ones(1).item()))  # type: ignore[arg-type]
            raise RuntimeError("operation not permitted when stream is capturing")
        return super().capture(work)


class Wrong(RecordedGraphs):
    """Replays the step, and finds another loss."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        replay = super().capture(work)
        found = next(c.cell_contents for c in work.__closure__ or () if getattr(c.cell_contents, "shape", 0) == (2,))
        return lambda: (replay(), found.mul_(1.02))  # type: ignore[return-value]


@pytest.mark.parametrize("graphs", [Failing(set(range(99))), Wrong()], ids=["refused", "wrong"])
def test_without_a_graph_steps_are_eager_and_a_line_says_so(
    graphs: RecordedGraphs, make_model: MakeModel, splits: dict[str, EncodedSplit], capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Training(make_model(), splits, RECIPE, None)
    expected = [dict(epoch.losses) for epoch in plain.loop.epochs()]
    training = Training(make_model(), splits, RECIPE, graphs)
    assert [dict(epoch.losses) for epoch in training.loop.epochs()] == expected
    assert same(plain.state(), training.state())
    assert training.loop.steps.versions == {"steps": "eager"}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    n, of = said.removeprefix("steps: ").split(" shapes")[0].split(" of ")
    assert n == of
    assert "are not captured on this GPU (RuntimeError); their steps are slower" in said


def test_a_failure_costs_the_shapes_before_it(
    make_model: MakeModel, splits: dict[str, EncodedSplit], capsys: pytest.CaptureFixture[str]
) -> None:
    """The largest shapes come first; what was captured before a failure would share a broken generator."""
    graphs = Failing({1})
    training = Training(make_model(), splits, RECIPE, graphs)
    steps = training.loop.steps
    assert isinstance(steps, CapturedSteps)
    cuts = list(epoch_cuts(splits, 4, seed=0, epoch=1)) * 2
    steps.prepare(cuts)
    shapes = sorted({steps.shape_with_room(*cut) for cut in cuts}, key=lambda one: -one.n_tokens)
    assert graphs.n == len(shapes)
    assert graphs.n_recovered == 1
    assert {shape.n_tokens for shape in steps._captured} <= {shape.n_tokens for shape in shapes[1:]}
    assert len(steps._captured) == len(shapes) - 2
    assert f"steps: 2 of {len(shapes)} shapes" in capsys.readouterr().err
    assert steps.versions == {"steps": "captured"}


@pytest.mark.slow
def test_a_failure_of_another_model_costs_the_graphs_that_share_its_generator(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    graphs = RecordedGraphs()
    cuts = list(epoch_cuts(splits, 4, seed=0, epoch=1))
    plain, training = (Training(make_model(), splits, RECIPE, one) for one in (None, graphs))
    training.loop.steps.prepare(cuts * 2)
    assert training.loop.steps.versions == {"steps": "captured"}
    graphs.recover()
    replays = graphs.n_replays
    for one in (plain, training):
        one.model.train()
        torch.manual_seed(0)
        list(one.loop.steps.run(cuts))
    assert graphs.n_replays == replays
    assert training.loop.steps.versions == {"steps": "eager"}
    assert same(plain.state(), training.state())


def test_room_that_changes_a_step_is_found(
    make_model: MakeModel,
    splits: dict[str, EncodedSplit],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A kernel in which the last sequence attends to all others, which hurts no mini-batch without room much."""

    def leaking(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, layout: Any, **given: Any) -> torch.Tensor:
        states = attend_densely(query, key, value, layout, **given)
        return states + value[layout.bounds[-2] :].mean(0)

    monkeypatch.setattr(packed, "attend", leaking)
    training = Training(make_model(dropout=0.0), splits, RECIPE, RecordedGraphs())
    training.loop.steps.prepare(list(epoch_cuts(splits, 4, seed=0, epoch=1)) * 2)
    assert training.loop.steps.versions == {"steps": "eager"}
    assert "(RuntimeError)" in capsys.readouterr().err


def test_parameters_with_several_counts_of_updates_are_updated_without_a_graph(
    make_model: MakeModel, splits: dict[str, EncodedSplit]
) -> None:
    """``advance`` takes one count for all parameters of a run."""
    graphs = RecordedGraphs()
    training = Training(make_model(), splits, RECIPE, graphs)
    cuts: list[Cut] = [cut for cut in epoch_cuts(splits, 4, seed=0, epoch=1) if len(cut[1]) == 4]
    training.loop.steps.prepare(cuts * 2)
    replays = graphs.n_replays
    list(training.loop.steps.run(cuts[:2]))
    assert graphs.n_replays == replays + 2
    stepper = training.loop.stepper
    assert isinstance(stepper, OnePassStepper)
    encoder = [i for i, owner in enumerate(stepper.owners) if owner == "encoder"]
    stepper.counts[encoder[0]] += 1
    list(training.loop.steps.run(cuts[:2]))
    assert graphs.n_replays == replays + 2


@pytest.mark.parametrize("name", KINDS)
def test_a_step_with_room_waits_for_nothing(
    name: str, make_model: MakeModel, splits: dict[str, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the device ``meta``, with the kernels of a GPU: what is captured reads no value."""
    monkeypatch.undo()
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it does not know the device
    model = make_model().to("meta")
    stepper = OnePassStepper(model, RECIPE, 20)
    steps = CapturedSteps(model, stepper, splits, set(splits), RecordedGraphs)
    rows = np.arange(4)
    row = steps._row(steps.shape_with_room(name, rows), (name, rows))
    numbers, found = torch.empty(len(row.numbers), dtype=torch.int32, device="meta"), torch.zeros(2, device="meta")
    steps._backward(row, numbers, found)
    runs = stepper.runs()
    assert {stepper.owners[i] for run in runs for i in run.numbers} >= {"encoder"}
    found[1].copy_(stepper.apply(runs, torch.zeros(len(runs), RATES, device="meta")))


def test_only_packed_trainings_with_the_one_pass_optimizer_are_captured(
    make_model: MakeModel, splits: dict[str, EncodedSplit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kind(recipe: Recipe = RECIPE, *, make_graphs: Any = RecordedGraphs, **settings: Any) -> type:
        model = make_model(**settings)
        stepper = loop.stepper_of(model, recipe, 9)
        return type(loop.steps_of(model, stepper, splits, splits, make_graphs=make_graphs))

    assert kind().__name__ == "Steps"
    monkeypatch.setattr(loop, "on_gpu", lambda model: True)
    assert kind() is FedSteps  # the optimizer of a CPU
    monkeypatch.setattr(loop, "Stepper", OnePassStepper)
    assert kind() is CapturedSteps
    assert kind(make_graphs=None) is kind(packed=False) is kind(replace(RECIPE, protocol="paper")) is FedSteps


def test_cuda_graphs_share_a_pool_and_leave_the_stream_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Block:
        def __init__(self, *given: Any, **named: Any) -> None:
            self.name = " ".join(map(str, [*given, *named.values()]))

        def __enter__(self) -> None:
            done.append(f"in {self.name}")

        def __exit__(self, *raised: object) -> None:
            done.append(f"out {self.name}")
            if "graph" in self.name and raised[0] is not None:
                raise ValueError("capture failed")

    class Stream(str):
        def wait_stream(self, other: str) -> None:
            done.append(f"{self} waits for {other}")

    streams: list[Stream] = []

    def refused(graph: Any) -> None:
        raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")

    replay = {"replay": lambda self: done.append("replayed"), "pool": refused}
    graph = type("G", (), {"__str__": lambda self: "graph", **replay})
    fake = SimpleNamespace(
        Stream=lambda device: streams.append(Stream("side")) or streams[-1],
        current_stream=lambda: Stream("main"),
        graph_pool_handle=lambda: "pool",
        current_device=lambda: 0,
        CUDAGraph=graph,
        stream=Block,
        graph=Block,
    )
    private = SimpleNamespace(
        _cuda_endAllocateToPool=lambda *given: done.append(f"allocation ends {given}"),
        _cuda_releasePool=lambda *given: done.append(f"released {given}"),
    )
    monkeypatch.setattr(cuda_graphs, "torch", SimpleNamespace(cuda=fake, _C=private))
    monkeypatch.setattr(cuda_graphs, "_stream", cache(cuda_graphs._stream.__wrapped__))
    graphs = CudaGraphs()
    with graphs.beside():
        done.append("warm-up")
    assert done == ["side waits for main", "in side", "warm-up", "out side", "main waits for side"]
    done.clear()
    replay = graphs.capture(lambda: done.append("work"))
    assert done == ["in side", "in graph pool side", "work", "out graph pool side", "out side"]
    replay()
    assert done.pop() == "replayed"
    done.clear()
    with pytest.raises(ValueError, match="capture failed"):
        graphs.capture(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert done[-3:] == ["out side", "allocation ends (0, 'pool')", "released (0, 'pool')"]
    CudaGraphs()
    assert len(streams) == 1  # of the process


class Allocator:
    """torch's memory of a GPU, as far as captures concern it, and captures that CUDA may be unable to end.

    Parameters
    ----------
    version : {"stays", "leaves", "frees"}
        What torch does after a capture that CUDA could not end: nothing; leave it, but not free its memory; both.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.underway: list[str] = []
        self.pinned_underway: list[str] = []
        self.used: dict[str, int] = {}
        """Captures of each pool, without those whose memory was given back."""
        self.numbers = iter(range(99))
        self.is_invalid = False

    def empty_cache(self) -> None:
        if self.underway:
            raise RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")
        self.used = {pool: n for pool, n in self.used.items() if n}

    def begin(self, pool: str) -> None:
        self.empty_cache()
        assert self.used.get(pool, 1) > 0
        self.underway.append(pool)
        self.used[pool] = self.used.get(pool, 0) + 1
        if pool in self.pinned_underway:
            raise RuntimeError("beginAllocateToPool: already recording to mempool_id")
        self.pinned_underway.append(pool)

    def end(self, device: int, pool: str) -> None:
        if pool not in self.underway:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.underway.remove(pool)

    def release(self, device: int, pool: str) -> None:
        self.used[pool] -= 1
        assert self.used[pool] >= 0

    def torch(self) -> Any:
        allocator = self

        class Graph:
            has_ended = False

            def pool(self) -> None:
                if not self.has_ended:
                    raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")

            def replay(self) -> None: ...

        class Capture:
            def __init__(self, graph: Graph, pool: str, stream: Any) -> None:
                self.graph, self.pool = graph, pool

            def __enter__(self) -> None:
                allocator.begin(self.pool)

            def __exit__(self, *raised: object) -> None:
                ends = raised[0] is None or not allocator.is_invalid
                if ends or allocator.version != "stays":
                    allocator.end(0, self.pool)
                    allocator.pinned_underway.remove(self.pool)
                self.graph.has_ended = ends
                if raised[0] is not None and (ends or allocator.version == "frees"):
                    allocator.release(0, self.pool)  # with the graph
                if not ends:
                    raise RuntimeError("operation failed due to a previous error during capture")

        state = SimpleNamespace(
            get_state=lambda: None,
            set_state=lambda state: None,
            graphsafe_get_state=lambda: None,
            graphsafe_set_state=lambda state: None,
        )
        cuda = SimpleNamespace(
            stream=lambda stream: nullcontext(),
            current_device=lambda: 0,
            default_generators=[state],
            graph_pool_handle=lambda: f"pool {next(self.numbers)}",
            CUDAGraph=Graph,
            graph=Capture,
        )
        private = SimpleNamespace(_cuda_endAllocateToPool=self.end, _cuda_releasePool=self.release)
        return SimpleNamespace(cuda=cuda, _C=private, Generator=lambda device: state)


@pytest.mark.parametrize("is_invalid", [True, False])
@pytest.mark.parametrize("version", ["stays", "leaves", "frees"])
def test_after_captures_that_failed_others_work_and_use_the_memory_that_torch_does_not_free(
    version: str, is_invalid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocator = Allocator(version)
    allocator.is_invalid = is_invalid
    monkeypatch.setattr(cuda_graphs, "torch", allocator.torch())
    monkeypatch.setattr(cuda_graphs, "_stream", lambda device: None)
    monkeypatch.setattr(CudaGraphs, "_kept", None)
    n_kept = 0
    for _ in range(2):  # two runs of a process
        graphs = CudaGraphs()
        for _ in range(2):
            with pytest.raises((RuntimeError, ZeroDivisionError)):
                graphs.capture(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
            graphs.recover()
            allocator.empty_cache()
        for _ in range(2):
            graphs.capture(lambda: None)
        allocator.empty_cache()
        n_kept += 2 * ((version, is_invalid) == ("leaves", True))
        assert list(allocator.used.values()) == [2 + n_kept]  # in one pool
        for _ in range(2):
            allocator.release(0, graphs._pool)  # the run ends, and with it its graphs


def test_a_pool_with_which_no_capture_begins_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator("leaves")
    monkeypatch.setattr(cuda_graphs, "torch", allocator.torch())
    monkeypatch.setattr(cuda_graphs, "_stream", lambda device: None)
    monkeypatch.setattr(CudaGraphs, "_kept", "pool of an earlier run")
    graphs = CudaGraphs()
    allocator.pinned_underway.append("pool of an earlier run")
    with pytest.raises(RuntimeError, match="already recording"):
        graphs.capture(lambda: None)
    graphs.recover()
    graphs.capture(lambda: None)
    allocator.empty_cache()
