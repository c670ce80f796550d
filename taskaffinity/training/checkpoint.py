"""Save and load weights for later runs: encoder, pooler and, for export, task heads.

Weights have the names of the model. If the embedding table was pruned, the file also lists the token ids of its rows:
those in this run's data, and those that earlier runs trained. All other rows are as in the encoder's folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from taskaffinity.regular_file import check_regular
from taskaffinity.runs.result import Head
from taskaffinity.training.inputs.encoded import IntArray, TaskMeta, meta_of
from taskaffinity.training.model import MultiTaskModel

_SHARED = ("encoder.", "pooler.")
_TOKEN_IDS = "pieces"  # the tensor's name in stored files


def shared_weights(
    model: MultiTaskModel, weights: Mapping[str, torch.Tensor], token_ids: IntArray | None, start: Path | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Return the weights that all tasks share, with the token ids of a pruned table.

    Parameters
    ----------
    weights : mapping
        The model's state after some epoch, by name.
    token_ids : (n,) array of int, optional
        The token ids of the table's ``n`` rows; None if the table was not pruned.
    start : Path, optional
        The weights that the run started from. Rows of tokens that are not in the run's data are copied from them.
    """
    shared = {name: value.cpu().numpy() for name, value in weights.items() if name.startswith(_SHARED)}
    if token_ids is None:
        return shared
    ids, table = np.asarray(token_ids, dtype=np.int64), _table_name(model)
    if start is not None:
        check_regular(start)
        with safe_open(start, framework="np") as file:
            old_rows = file.get_tensor(table)
            old_ids = file.get_tensor(_TOKEN_IDS) if _TOKEN_IDS in file.keys() else np.arange(len(old_rows))  # noqa: SIM118
        not_met = ~np.isin(old_ids, ids)
        ids = np.concatenate([ids, old_ids[not_met]])
        order = np.argsort(ids)
        ids, shared[table] = ids[order], np.concatenate([shared[table], old_rows[not_met]])[order]
    return {**shared, _TOKEN_IDS: ids}


def trained_head(model: MultiTaskModel, task: TaskMeta, encoder_folder: Path) -> Head:
    """Return the weights of a task's head, with its task and the encoder's folder.

    Outputs for token classes are left out.
    """
    state = model.heads[task.name].state_dict().items()
    weights = {
        name: value.detach().cpu().numpy().copy() for name, value in state if not name.startswith("token_output.")
    }
    of_outputs = replace(task, token_classes=())
    return Head(weights, {"task": json.dumps(asdict(of_outputs)), "encoder_folder": str(encoder_folder)})


def load_head(path: Path) -> tuple[dict[str, torch.Tensor], TaskMeta, Path]:
    """Load a head's weights, its task, and the encoder's folder at training time.

    Raises
    ------
    ValueError
        If the file is not a stored head.
    """
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return weights, meta_of(json.loads(about["task"])), Path(about["encoder_folder"])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not the head of a trained task; train its run again") from error


def load_shared_weights(model: MultiTaskModel, path: Path) -> None:
    """Load shared weights from a file into a model whose embedding table is complete.

    Raises
    ------
    ValueError
        If the weights are those of another encoder.
    """
    current = {name: value for name, value in model.state_dict().items() if name.startswith(_SHARED)}
    check_regular(path)
    loaded = load_file(path)
    if (token_ids := loaded.pop(_TOKEN_IDS, None)) is not None:
        table = _table_name(model)
        rows = loaded[table]
        loaded[table] = current[table].cpu().clone()
        loaded[table][token_ids] = rows
    shapes = ({name: value.shape for name, value in state.items()} for state in (loaded, current))
    if next(shapes) != next(shapes):
        raise ValueError(f"{path}: not weights of this encoder")
    model.load_state_dict(loaded, strict=False)


def _table_name(model: MultiTaskModel) -> str:
    """Return the name of the embedding table's weight."""
    table = model.encoder.get_input_embeddings().weight
    return next(name for name, value in model.named_parameters() if value is table)
