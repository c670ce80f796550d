"""What a run leaves to the runs that start from it, the encoder and its pooler; and, where its models are kept, the
head of each of its tasks with them.

Weights go by the names they have in the model. Where the embedding table was cut to the run's own pieces, ``pieces``
says which rows there are: its own, and those that runs before it trained; the others are as the encoder's own folder
has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from taskaffinity.runs.result import Head
from taskaffinity.training.inputs.encoded import IntArray, TaskMeta, meta_of
from taskaffinity.training.model import MultiTaskModel

_SHARED = ("encoder.", "pooler.")
_PIECES = "pieces"


def shared_weights(
    model: MultiTaskModel, weights: Mapping[str, torch.Tensor], pieces: IntArray | None, start: Path | None = None
) -> dict[str, npt.NDArray[Any]]:
    """The shared ones of a model's weights, with the pieces of a cut embedding table, ascending.

    Parameters
    ----------
    weights : mapping
        The model's state after some epoch, by name.
    pieces : (n,) array of int, optional
        Numbers of the pieces that the table's ``n`` rows stand for; None for a table that was not cut.
    start : Path, optional
        The weights that the run began with: rows of pieces that it did not meet are handed on as they are there.
    """
    shared = {name: value.cpu().numpy() for name, value in weights.items() if name.startswith(_SHARED)}
    if pieces is None:
        return shared
    met, table = np.asarray(pieces, dtype=np.int64), _table_of(model)
    if start is not None:
        with safe_open(start, framework="np") as file:
            rows = file.get_tensor(table)
            before = file.get_tensor(_PIECES) if _PIECES in file.keys() else np.arange(len(rows))  # noqa: SIM118
        others = ~np.isin(before, met)
        met = np.concatenate([met, before[others]])
        order = np.argsort(met)
        met, shared[table] = met[order], np.concatenate([shared[table], rows[others]])[order]
    return {**shared, _PIECES: met}


def hand_over_head(model: MultiTaskModel, task: TaskMeta, encoder_folder: Path) -> Head:
    """A task's head as the model has it now, with what it takes to use it."""
    weights = {name: value.detach().cpu().numpy().copy() for name, value in model.heads[task.name].state_dict().items()}
    return Head(weights, {"task": json.dumps(asdict(task)), "encoder_folder": str(encoder_folder)})


def take_over_head(path: Path) -> tuple[dict[str, torch.Tensor], TaskMeta, Path]:
    """A head's weights, its task, and where the encoder lay when it was trained.

    Raises
    ------
    ValueError
        If the file is no head.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return weights, meta_of(json.loads(about["task"])), Path(about["encoder_folder"])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the head of a trained task; train its run again") from error


def load_shared_weights(model: MultiTaskModel, path: Path) -> None:
    """Put the shared weights of a file into a model whose embedding table is whole.

    Raises
    ------
    ValueError
        If they are not this model's.
    """
    own = {name: value for name, value in model.state_dict().items() if name.startswith(_SHARED)}
    given = load_file(path)
    if (pieces := given.pop(_PIECES, None)) is not None:
        name = _table_of(model)
        rows = given[name]
        given[name] = own[name].clone()
        given[name][pieces] = rows
    if {name: value.shape for name, value in given.items()} != {name: value.shape for name, value in own.items()}:
        raise ValueError(f"{path}: not weights of this encoder")
    model.load_state_dict(given, strict=False)


def _table_of(model: MultiTaskModel) -> str:
    """The name of the embedding table."""
    table = model.encoder.get_input_embeddings().weight
    return next(name for name, value in model.named_parameters() if value is table)
