"""Write checkpoints of a running run, and continue from one.

A resumed run gives the same bytes as an uninterrupted one. Between two mini-batches its state is the weights, the
optimizer's moments, the states of torch's generators, the position, and the best epochs so far. The order of
mini-batches follows from seed and epoch, so a position in the epoch is a number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from taskaffinity.regular_file import check_regular
from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, SelectedEpoch, TrainingState
from taskaffinity.training.evaluation import evaluated
from taskaffinity.training.fit_result import FitResult
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import Position, TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.sigterm import Terminated, Termination

Tensors = dict[str, torch.Tensor]
Generators = Mapping[str, torch.Tensor]
"""States of torch's generators: of the CPU, and of the GPU if it is used."""


@dataclass(frozen=True)
class RunIdentity:
    """Properties that a checkpoint must share with the run that continues from it."""

    run_id: str
    versions: Mapping[str, str]


class NoCheckpoints:
    """The interface of ``Checkpoints`` for a run that writes none; SIGTERM keeps its effect."""

    after_batch: Callable[[], None] | None = None
    """Called after each mini-batch."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        return

    def resume(
        self,
        metas: Mapping[str, TaskMeta],
        dev_splits: Mapping[str, EncodedSplit],
        heartbeat: HeartbeatWriter | None = None,
    ) -> None:
        """Do nothing."""

    def after_epoch(self) -> None:
        """Do nothing."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Return a block without effect."""
        return nullcontext()


class Checkpoints(NoCheckpoints):
    """The checkpoints of one run in this process; in the block, SIGTERM waits for a checkpoint."""

    def __init__(self, files: CheckpointFolder, identity: RunIdentity, loop: TrainingLoop, result: FitResult) -> None:
        self._files, self._identity = files, identity
        self._loop, self._result = loop, result
        self._began = time.perf_counter()
        self._termination = Termination()
        self.after_batch = self._end_if_asked

    def __enter__(self) -> Self:
        self._termination.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._termination.__exit__(*raised)

    def resume(
        self,
        metas: Mapping[str, TaskMeta],
        dev_splits: Mapping[str, EncodedSplit],
        heartbeat: HeartbeatWriter | None = None,
    ) -> None:
        """Continue from the newest checkpoint that fits, if there is one."""
        found = self._files.read(self._identity.run_id, self._identity.versions)
        if found is None:
            return
        path, state = found
        try:
            tensors = checked_tensors(path, self._loop.model)
            best = {
                name: (kept.epoch, evaluated(metas[name], "dev", dev_splits[name], kept.predicted))
                for name, kept in state.selected.items()
            }
        except (OSError, LookupError, ValueError, SafetensorError):
            self._files.refuse(path, "of another model or other data")
            return
        try:
            restore_loop(self._loop, tensors, state)
        except (LookupError, ValueError):  # the loop is now between two states, so only the next attempt can start anew
            self._files.refuse(path, "of another model or other data")
            raise
        result, totals = self._result, state.totals
        result.best, result.history, result.improving = best, list(state.history), set(state.improving)
        result.steps, result.tokens = int(totals["steps"]), int(totals["tokens"])
        result.train_seconds, result.evaluate_seconds = totals["train_seconds"], totals["evaluate_seconds"]
        result.earlier_seconds = totals["seconds"]
        for name, value in below("selected/", tensors).items():
            epoch, _, key = name.partition("/")
            result.weights.setdefault(int(epoch), {})[key] = value
        result.weights = dict(sorted(result.weights.items()))
        if heartbeat is not None:
            heartbeat.continue_in(state.epoch, state.history[-1]["dev"] if state.history else {})

    def _end_if_asked(self) -> None:
        """After SIGTERM, write a checkpoint and raise ``Terminated``."""
        if self._termination.asked:
            self._write()
            raise Terminated

    def after_epoch(self) -> None:
        """Write a checkpoint after the evaluation of an epoch, if one is due."""
        self._loop.position = Position(self._loop.position.epoch + 1)
        if self._files.is_due or self._termination.asked:
            self._write()
        if self._termination.asked:
            raise Terminated

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """On SIGTERM in this block, write a checkpoint at once; the block changes no training state."""
        try:
            with self._termination.interruptible():
                yield
        except Terminated:
            self._write()
            raise

    def _write(self) -> None:
        self._termination.begin_writing()
        result, at = self._result, self._loop.position
        state = TrainingState(
            run_id=self._identity.run_id,
            versions=dict(self._identity.versions),
            epoch=at.epoch,
            batches=at.batches,
            tokens=at.tokens,
            seconds=at.seconds,
            totals={
                "steps": result.steps,
                "tokens": result.tokens,
                "train_seconds": result.train_seconds,
                "evaluate_seconds": result.evaluate_seconds,
                "seconds": result.earlier_seconds + time.perf_counter() - self._began,
            },
            history=result.history,
            selected={name: SelectedEpoch(epoch, list(best.predicted)) for name, (epoch, best) in result.best.items()},
            improving=sorted(result.improving),
        )
        tensors = tensors_of(self._loop, generators(_device_of(self._loop.model)), result.weights)
        self._files.write(state, lambda path, about: save_file(tensors, path, dict(about)))


def checkpoints_of(
    files: CheckpointFolder | None, identity: RunIdentity, loop: TrainingLoop, result: FitResult
) -> NoCheckpoints:
    """Return the checkpoints of a run; without a folder, none are written or read."""
    return NoCheckpoints() if files is None else Checkpoints(files, identity, loop, result)


def generators(device: str) -> Generators:
    """Return the states of torch's generators."""
    found = {"cpu": torch.get_rng_state()}
    return found | {"cuda": torch.cuda.get_rng_state()} if device == "cuda" else found


def restore_generators(states: Generators) -> None:
    """Set the states of torch's generators."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])


def tensors_of(loop: TrainingLoop, states: Generators, selected: Mapping[int, Tensors]) -> Tensors:
    """Return all tensors that the rest of a training depends on, in CPU memory.

    Parameters
    ----------
    states : dict
        States of the generators.
    selected : dict of int to dict
        Weights of the selected epochs.
    """
    tensors: Tensors = {f"model/{name}": value for name, value in weights_of(loop.model).items()}
    tensors |= {f"optimizer/{name}": value for name, value in loop.stepper.state_dict().items()}
    tensors |= {f"losses/{name}": torch.stack(values) for name, values in loop.position.losses.items()}
    for epoch, weights in selected.items():
        tensors |= {f"selected/{epoch}/{name}": value for name, value in weights.items()}
    tensors |= {f"generator/{device}": state for device, state in states.items()}
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def checked_tensors(path: Path, model: MultiTaskModel) -> Tensors:
    """Return the tensors of a checkpoint of this model.

    Raises
    ------
    ValueError
        If they belong to another model.
    """
    tensors = read_tensors(path)
    stored = {name: (value.shape, value.dtype) for name, value in below("model/", tensors).items()}
    weights = {name: (value.shape, value.dtype) for name, value in weights_of(model).items()}
    for name in model.masters.keys() & weights.keys():
        in_fp32 = (weights[name][0], torch.float32)
        if stored.get(name) == in_fp32:  # a checkpoint of the evaluation of test, which comes after the training
            weights[name] = in_fp32
    if weights != stored or below("generator/", tensors).keys() != {"cpu", _device_of(model)}:
        raise ValueError("another model")
    return tensors


def restore_loop(loop: TrainingLoop, tensors: Tensors, state: TrainingState) -> None:
    """Continue a training loop, and torch's generators, from the tensors of a checkpoint."""
    loop.stepper.load_state_dict(below("optimizer/", tensors))
    stored = below("model/", tensors)
    device = next(loop.model.parameters()).device
    with torch.no_grad():
        for name, value in weights_of(loop.model).items():
            value.copy_(stored[name])
    losses = {name: list(values.to(device).unbind()) for name, values in below("losses/", tensors).items()}
    loop.position = Position(state.epoch, state.batches, losses, state.tokens, state.seconds)
    restore_generators(below("generator/", tensors))


def read_tensors(path: Path) -> Tensors:
    """Return every tensor of a checkpoint, by name.

    Raises
    ------
    ValueError, OSError, SafetensorError
        If it is not a regular file, or damaged.
    """
    check_regular(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def weights_of(model: nn.Module) -> Tensors:
    """Return the parameters and buffers of a model by name; a shared one occurs once."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return the tensors whose names begin with a prefix; the prefix is removed."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _device_of(model: MultiTaskModel) -> str:
    return next(model.parameters()).device.type
