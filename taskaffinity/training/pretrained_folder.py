"""The folder of a pre-trained encoder: loaded with a language head, written whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForMaskedLM,
    PreTrainedModel,
)
from transformers.utils import logging

from taskaffinity.runs.files import write_json
from taskaffinity.training.encoders import load_config


def load_with_language_head(folder: Path) -> PreTrainedModel:
    config = load_config(folder)
    if getattr(config, "from_scratch", False):
        model: PreTrainedModel = AutoModelForMaskedLM.from_config(config)
        return model
    with _quietly():  # that a pooler is left over and a head is new is as it should be
        found = AutoModelForMaskedLM.from_pretrained(folder, config=config, local_files_only=True, dtype=torch.float32)
    masked: PreTrainedModel = found
    return masked


@contextmanager
def folder_beside(out: Path) -> Iterator[Path]:
    """A folder that may be renamed to ``out``, made before the first step; gone afterwards if it was not."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_encoder(
    model: PreTrainedModel,
    pooler: nn.Module | None,
    tokenizer: Any,
    beside: Path,
    out: Path,
    about: Mapping[str, Any],
) -> None:
    """Write encoder, pooler, tokenizer and ``pretraining.json`` into ``beside``, then rename it to ``out``."""
    bare: Any = model.base_model.cpu()
    if pooler is not None:
        bare.pooler = pooler
    if getattr(bare.config, "from_scratch", False):
        del bare.config.from_scratch
    bare.save_pretrained(beside)
    tokenizer.save_pretrained(beside)
    write_json(beside / "pretraining.json", about)
    if out.exists():
        out.rmdir()
    beside.rename(out)


@contextmanager
def _quietly() -> Any:
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
