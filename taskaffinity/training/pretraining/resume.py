"""Checkpoints of a pre-training, in a folder beside the output that is removed at the end.

A pre-training that continues gives the same bytes as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

import taskaffinity
from taskaffinity.atomic import LOCK
from taskaffinity.errors import InputError
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, TrainingState
from taskaffinity.runs.stored.run_files import is_locked
from taskaffinity.training.loop import Diverged
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.pretraining.folder import RESULT
from taskaffinity.training.resume import below, read_tensors, weights_of
from taskaffinity.training.sigterm import Terminated, Termination


def unfinished_folder(out: Path) -> Path:
    """Return the folder of the lock and the checkpoints of a pre-training into ``out``."""
    return out.with_name(f"{out.name}.unfinished")


def refuse_used(out: Path) -> None:
    """Raise ``InputError`` if ``out`` is not empty.

    If a pre-training was killed after it wrote ``out``, its checkpoints are removed.
    """
    if not _is_used(out):
        return
    folder = unfinished_folder(out)
    if (out / RESULT).is_file() and not is_locked(folder / LOCK):
        shutil.rmtree(folder, ignore_errors=True)
    raise InputError(f"--out {out}: not empty; give the name of a new folder")


@contextmanager
def only_writer(out: Path) -> Iterator[None]:
    """Hold the lock of the pre-training into ``out``; at the end, remove its checkpoints if ``out`` is written.

    Raises
    ------
    InputError
        If another process holds it, or ``out`` is not empty.
    """
    folder = unfinished_folder(out)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"--out {out}: another process pre-trains into it; wait, or give another name") from None
    try:
        refuse_used(out)
        yield
    finally:
        if _is_used(out) or not any(path.name != LOCK for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _is_used(out: Path) -> bool:
    return out.exists() and (not out.is_dir() or any(out.iterdir()))


@dataclass
class PretrainPosition:
    """Position of a pre-training."""

    epoch: int = 0
    """From 0."""
    batches: int = 0
    """Mini-batches of this epoch that are done."""
    losses: list[float] = field(default_factory=list)
    """Held-out losses, before training and after each epoch."""


class PretrainCheckpoints:
    """Writes and reads the checkpoints of one pre-training.

    Within the block, SIGTERM waits for a checkpoint.

    Parameters
    ----------
    out : Path
        The folder to be written at the end.
    minutes : float
        Shortest time between two checkpoints, in minutes. 0 for none; then SIGTERM keeps its effect.
    identity : object
        All that the result depends on, as a JSON value.
    """

    def __init__(self, out: Path, minutes: float, identity: Any) -> None:
        self._folder = unfinished_folder(out)
        self._files = CheckpointFolder(self._folder, minutes) if minutes else None
        self._identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._versions = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "taskaffinity": taskaffinity.__version__,
        }
        self._termination = Termination()
        self.position = PretrainPosition()

    def __enter__(self) -> Self:
        if self._files is not None:
            self._termination.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._files is not None:
            self._termination.__exit__(*raised)
            if isinstance(raised[1], Diverged):
                self._files.remove()  # it would diverge again

    def resume(self, model: nn.Module, stepper: Stepper) -> None:
        """Continue from the newest checkpoint that fits, if there is one."""
        self._model, self._stepper = model, stepper
        found = self._files.read(self._identity, self._versions) if self._files is not None else None
        if self._files is None or found is None:
            return
        path, state = found
        try:
            tensors = read_tensors(path)
            weights, stored = weights_of(model), below("model/", tensors)
            if {name: value.shape for name, value in weights.items()} != {n: v.shape for n, v in stored.items()}:
                raise ValueError("another model")
            losses = [float(row["held_out_loss"]) for row in state.history]
        except (OSError, LookupError, ValueError, SafetensorError):
            self._files.refuse(path, "of another model")
            return
        stepper.load_state_dict(below("optimizer/", tensors))
        with torch.no_grad():
            for name, value in weights.items():
                value.copy_(stored[name])
        torch.set_rng_state(tensors["generator/cpu"])
        if "generator/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["generator/cuda"])
        self.position = PretrainPosition(state.epoch - 1, state.batches, losses)

    def after_batch(self) -> None:
        """Write a checkpoint if one is due; after SIGTERM also raise ``Terminated``."""
        if self._files is not None and (self._files.is_due or self._termination.asked):
            self._write(self._files)
        if self._termination.asked:
            raise Terminated

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """On SIGTERM in this block, write a checkpoint at once; the block changes no training state."""
        if self._files is None:
            yield
            return
        try:
            with self._termination.interruptible():
                yield
        except Terminated:
            self._write(self._files)
            raise

    def _write(self, files: CheckpointFolder) -> None:
        self._termination.begin_writing()
        at = self.position
        state = TrainingState(
            run_id=self._identity,
            versions=self._versions,
            epoch=at.epoch + 1,
            batches=at.batches,
            tokens=0,
            seconds=0.0,
            totals={},
            history=[{"held_out_loss": loss} for loss in at.losses],
            selected={},
            improving=[],
        )
        tensors = {f"model/{name}": value for name, value in weights_of(self._model).items()}
        tensors |= {f"optimizer/{name}": value for name, value in self._stepper.state_dict().items()}
        tensors["generator/cpu"] = torch.get_rng_state()
        if next(self._model.parameters()).device.type == "cuda":
            tensors["generator/cuda"] = torch.cuda.get_rng_state()
        whole = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        files.write(state, lambda path, about: save_file(whole, path, dict(about)))


def identity_of(encoder: Any, settings: Any, passages: Sequence[str]) -> dict[str, Any]:
    """Return all that a pre-training depends on, without its text."""
    text = hashlib.sha256()
    for passage in passages:
        text.update(hashlib.sha256(passage.encode("utf-8", "surrogatepass")).digest())
    return {"encoder": asdict(encoder), "settings": asdict(settings), "passages": text.hexdigest()}
