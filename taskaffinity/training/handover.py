"""What a run leaves to the runs that start from it: the encoder and its pooler, never a head.

Weights go by the names they have in the model. Where the embedding table was cut to the run's own pieces, ``pieces``
says which rows they are; the others are as the encoder's own folder has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from taskaffinity.training.encoding import IntArray
from taskaffinity.training.model import MultiTaskModel

_SHARED = ("encoder.", "pooler.")
_PIECES = "pieces"


def hand_over(weights: Mapping[str, torch.Tensor], pieces: IntArray | None) -> dict[str, npt.NDArray[Any]]:
    """The shared ones of a model's weights, with the pieces of a cut embedding table."""
    shared = {name: value.cpu().numpy() for name, value in weights.items() if name.startswith(_SHARED)}
    return shared if pieces is None else {**shared, _PIECES: np.asarray(pieces, dtype=np.int64)}


def take_over(model: MultiTaskModel, path: Path) -> None:
    """Put the shared weights of a file into a model whose embedding table is whole.

    Raises
    ------
    ValueError
        If they are not this model's.
    """
    own = {name: value for name, value in model.state_dict().items() if name.startswith(_SHARED)}
    given = load_file(path)
    if (pieces := given.pop(_PIECES, None)) is not None:
        table = model.encoder.get_input_embeddings().weight
        name = next(name for name, value in model.named_parameters() if value is table)
        rows = given[name]
        given[name] = own[name].clone()
        given[name][pieces] = rows
    if {name: value.shape for name, value in given.items()} != {name: value.shape for name, value in own.items()}:
        raise ValueError(f"{path}: not weights of this encoder")
    model.load_state_dict(given, strict=False)
