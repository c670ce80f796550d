"""Take steps on a GPU as CUDA graphs: one launch per update.

A step of a small model is hundreds of kernels, which a CPU launches more slowly than a GPU runs them. A captured step
is launched at once: it gathers its mini-batch from fixed memory, and computes the loss, the gradients and the update.

A graph has fixed shapes. Mini-batches get room up to the next multiple of tokens, and of words that a head reads, so a
few graphs serve most of a training. Rare shapes are not captured. The choice depends only on lengths and seed.

Capturing runs a step first. Weights, moments and random states are restored afterwards. Before a graph is used, its
loss and the norm of its gradients are compared with those of the step itself. Once for each task, a mini-batch with
room is compared with the same one without, and without dropout.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from taskaffinity.training.inputs.batches import Cut
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray
from taskaffinity.training.inputs.feed import Row, Shape, row_of
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.optim.one_pass import RATES, OnePassStepper, Run
from taskaffinity.training.packing.layout import sent
from taskaffinity.training.updates.cuda_graphs import CudaGraphs, Graphs
from taskaffinity.training.updates.steps import Done, FedSteps

TOKENS, READ = 128, 64
"""Multiples of the tokens, and of the words of tagging, in a captured mini-batch."""
LEAST = 8
"""Fewest mini-batches of a training for which a shape is captured. Capturing takes the time of a few steps."""
_WARM_UPS = 2
"""Runs of a step before it is captured. They load kernels and compile the update for its sizes."""
_TOLERANCE, _TOLERANCE_OF_ROOM = 0.01, 0.05
"""Largest relative difference of the loss, and of the norm of the gradients: between a graph and the step itself, and
between mini-batches with and without room. In bf16, products of other shapes round differently."""


@dataclass(frozen=True)
class Captured:
    """A captured step and its memory."""

    numbers: Tensor
    """The row of the mini-batch."""
    rates: Tensor
    """Rates of the optimizer, ``(n_runs, RATES)``."""
    found: Tensor
    """The loss and the norm of the gradients, ``(2,)``."""
    runs: list[Run]
    """The parameters that the step updates."""
    replay: Callable[[], None]


class CapturedSteps(FedSteps):
    """Updates on a GPU, captured as graphs where that works."""

    stepper: OnePassStepper

    def __init__(
        self,
        model: MultiTaskModel,
        stepper: OnePassStepper,
        splits: Mapping[str, EncodedSplit],
        attached: Collection[str],
        make_graphs: Callable[[], Graphs] = CudaGraphs,
    ) -> None:
        super().__init__(model, stepper, splits, attached)
        self._make_graphs = make_graphs
        self._graphs: Graphs | None = None
        self._n_recovered = 0
        self._captured: dict[Shape, Captured] = {}
        self._versions = super().versions
        self._longest = {name: max(TOKENS, int(np.diff(split.bounds).max())) for name, split in splits.items()}

    @property
    def versions(self) -> dict[str, str]:
        return self._versions

    def prepare(self, cuts: Iterable[Cut]) -> None:
        """Capture the steps of the shapes that occur often in these mini-batches.

        The largest shape comes first, because the others fit in its memory. Mini-batches of a shape that cannot be
        captured are trained without a graph, and a line on stderr says so. Shapes of an earlier call are not captured
        again.

        Parameters
        ----------
        cuts : iterable
            The mini-batches of the whole training, even if it is resumed, so that the same shapes are captured.
        """
        counted: Counter[Shape] = Counter()
        examples: dict[Shape, Cut] = {}
        for cut in cuts:
            shape = self.shape_with_room(*cut)
            counted[shape] += 1
            examples.setdefault(shape, cut)
        self._forget_useless()
        frequent = [shape for shape, n in counted.items() if n >= LEAST and shape not in self._captured]
        if not frequent:
            return
        self.model.train()
        with unchanged(self.model, self.stepper):
            reasons = self._capture_each({shape: examples[shape] for shape in frequent})
        if reasons:
            n_failed = sum(shape not in self._captured for shape in frequent)
            print(
                f"steps: {n_failed} of {len(frequent)} shapes of mini-batches are not captured on this GPU "
                f"({', '.join(sorted(reasons))}); their steps are slower",
                file=sys.stderr,
            )
        if self._captured:
            self._versions = {"steps": "captured"}

    def close(self) -> None:
        self._captured.clear()
        self._graphs = None

    def run(self, cuts: Iterable[Cut]) -> Iterator[Done]:
        self._forget_useless()
        return super().run(cuts)

    def shape_with_room(self, name: str, rows: IntArray) -> Shape:
        """Return the shape of a captured step for these rows."""
        split, longest = self.splits[name], self._longest[name]
        n_tokens = _next_multiple(_total(split.bounds, rows) + 1, TOKENS)  # the room has at least one token
        n_read, most_read = len(rows), 1
        if split.is_tagging:
            n_read, most_read = _next_multiple(_total(split.word_bounds, rows), READ), longest
        most = min(longest, n_tokens), min(most_read, n_read)
        return Shape(name, n_tokens, len(rows) + 1, n_read, *most, split.n_pooled(rows))

    def row(self, name: str, rows: IntArray) -> Row:
        shape = self.shape_with_room(name, rows)
        return row_of(name, self.splits[name], rows, shape if shape in self._captured else None)

    def step(self, row: Row, numbers: Tensor) -> Done:
        captured = self._captured.get(row.shape)
        if captured is None or not self.stepper.is_uniform(captured.runs):
            return super().step(row, numbers)
        rates = torch.tensor(self.stepper.advance(captured.runs, counts=row.shape.task in self.attached))
        captured.rates.copy_(sent(rates, self.feed.device.type))
        captured.numbers.copy_(numbers)
        captured.replay()
        return Done(row.shape.task, captured.found[0].clone(), len(row.rows), row.n_tokens)

    def _capture_each(self, examples: Mapping[Shape, Cut]) -> set[str]:
        """Capture a step of each shape; return why some failed."""
        reasons: set[str] = set()
        graphs = self._graphs = self._graphs or self._make_graphs()
        checked: set[str] = set()
        for shape in sorted(examples, key=lambda one: one.n_tokens, reverse=True):
            row = self._row(shape, examples[shape])
            try:
                if shape.task not in checked:
                    self._check_room(self._row(None, examples[shape]), row)
                self._captured[shape] = self._capture(row, graphs)
                checked.add(shape.task)
            except Exception as error:  # a device, a compiler or a kernel lacks a feature
                reasons.add(type(error).__name__)
                for parameter in self.stepper.parameters:
                    parameter.grad = None
                self._captured.clear()
                graphs.recover()
        self._n_recovered = graphs.n_recovered
        return reasons

    def _forget_useless(self) -> None:
        """Forget the graphs if a capture failed since, of a model that shares what captures them."""
        if self._graphs is not None and self._graphs.n_recovered != self._n_recovered:
            self._captured.clear()
            self._versions = super().versions

    def _row(self, room: Shape | None, cut: Cut) -> Row:
        name, rows = cut
        return row_of(name, self.splits[name], rows, room)

    def _check_room(self, bare: Row, with_room: Row) -> None:
        """Compare a step with room and without.

        Raises
        ------
        RuntimeError
            If they differ.
        """
        results = []
        with _without_dropout(self.model):
            for row in (bare, with_room):
                found = torch.zeros(2, device=self.feed.device)
                self._backward(row, self.feed.upload([row])[0], found)
                runs = self.stepper.runs()
                found[1].copy_(self.stepper.apply(runs, torch.zeros(len(runs), RATES, device=self.feed.device)))
                results.append(found.tolist())
        if not np.allclose(results[0], results[1], rtol=_TOLERANCE_OF_ROOM, atol=0):
            raise RuntimeError("room changes the step")

    def _capture(self, row: Row, graphs: Graphs) -> Captured:
        """Capture a step with learning rates of 0, and compare it.

        Raises
        ------
        RuntimeError
            If the step cannot be captured, or its results differ.
        """
        numbers, found = self.feed.upload([row])[0].clone(), torch.zeros(2, device=self.feed.device)
        with graphs.beside():
            self._backward(row, numbers, found)
            runs = self.stepper.runs()
            rates = torch.zeros(len(runs), RATES, device=self.feed.device)
            self.stepper.apply(runs, rates)

            def work() -> None:
                self._backward(row, numbers, found)
                found[1].copy_(self.stepper.apply(runs, rates))

            for _ in range(_WARM_UPS - 1):
                work()
            with torch.random.fork_rng(_gpus(self.feed.device)):
                work()
        expected = found.tolist()
        replay = graphs.capture(work)
        with torch.random.fork_rng(_gpus(self.feed.device)):
            replay()
        if not np.allclose(found.tolist(), expected, rtol=_TOLERANCE, atol=0):
            raise RuntimeError("the graph computes something else than the step")
        return Captured(numbers, rates, found, runs, replay)

    def _backward(self, row: Row, numbers: Tensor, found: Tensor) -> None:
        loss = self.model.loss(self.feed.batch(row.shape, row.rows, numbers))
        self.model.weighting(row.shape.task, loss).backward()
        found[0].copy_(loss.detach())


@contextmanager
def unchanged(model: MultiTaskModel, stepper: OnePassStepper) -> Iterator[None]:
    """Restore weights, moments, buffers and random states after a block.

    Copies are in CPU memory. The block does not call ``stepper.advance``, so the counts of updates do not change.
    """
    tensors = [stepper.values, stepper.half_values, stepper.first, stepper.second, *model.buffers()]
    before = [tensor.to("cpu", copy=True) for tensor in tensors]
    with torch.random.fork_rng(_gpus(stepper.values.device)):
        try:
            yield
        finally:
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    before = {module: module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    for module in before:
        module.p = 0.0
    try:
        yield
    finally:
        for module, p in before.items():
            module.p = p


def _gpus(device: torch.device) -> list[int]:
    """Return the numbers of the GPUs whose random states a device has."""
    return [torch.cuda.current_device()] if device.type == "cuda" else []


def _total(bounds: IntArray, rows: IntArray) -> int:
    return int((bounds[rows + 1] - bounds[rows]).sum())


def _next_multiple(n: int, of: int) -> int:
    return -(-n // of) * of
