"""Load an encoder with its language head, and write a pre-trained encoder to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForMaskedLM,
    PreTrainedModel,
)

from taskaffinity.atomic import atomic_folder
from taskaffinity.private import protect
from taskaffinity.runs.files import write_json
from taskaffinity.training.encoders.files import NO_CODE
from taskaffinity.training.encoders.load import load_config
from taskaffinity.training.encoders.load_errors import as_input_error, quietly

RESULT = "pretraining.json"
"""File with the settings of a pre-training, in its folder."""


def load_with_language_head(folder: Path) -> PreTrainedModel:
    """Return the encoder in ``folder`` with its head for masked tokens, in fp32.

    A missing head gets new weights.

    Raises
    ------
    InputError
        If its weights cannot be loaded.
    """
    config = load_config(folder)
    model: PreTrainedModel
    if getattr(config, "from_scratch", False):
        model = AutoModelForMaskedLM.from_config(config, trust_remote_code=False)
    else:
        with as_input_error(f"{folder}: its weights cannot be loaded"), quietly():
            model = AutoModelForMaskedLM.from_pretrained(
                folder, config=config, dtype=torch.float32, weights_only=True, **NO_CODE
            )
    return model


def write_encoder(
    model: PreTrainedModel,
    pooler: nn.Module | None,
    tokenizer: Any,
    out: Path,
    about: Mapping[str, Any],
    *,
    share_with_group: bool = False,
) -> None:
    """Write encoder, pooler, tokenizer and ``pretraining.json`` to ``out``.

    The folder appears complete or not at all.
    """
    bare: Any = model.base_model.cpu()
    if pooler is not None:
        bare.pooler = pooler
    if getattr(bare.config, "from_scratch", False):
        del bare.config.from_scratch
    with atomic_folder(out, mode=0o700) as beside:
        bare.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        write_json(beside / RESULT, about)
        protect(beside, share_with_group=share_with_group)
