"""Encoders: folders in the Hugging Face layout, loaded as stock transformers models.

An encoder whose configuration says ``from_scratch`` has no weights and starts from random ones, drawn anew for each
seed: the tiny encoder of the planted suites is one. Any other must bring all its weights. A hub id is fetched into the
hub's cache once and is a folder from then on.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertTokenizer, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from taskaffinity.errors import InputError
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.training.load_errors import as_input_error
from taskaffinity.training.packing.packed import first_position

logging.disable_progress_bar()

ALIASES = {
    "bluebert-p": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
    "bluebert-pm": "bionlp/bluebert_pubmed_mimic_uncased_L-12_H-768_A-12",
    "biobert": "dmis-lab/biobert-v1.1",
    "clinicalbert": "emilyalsentzer/Bio_ClinicalBERT",
}
"""The paper's encoders (its Tables 4 to 6) as hub ids: BlueBERT from PubMed, and from PubMed and MIMIC-III; BioBERT and
Bio+ClinicalBERT, which are cased."""

_CASED = 0.01
"""Share of pieces with a capital letter from which a vocabulary is cased; uncased ones have none."""

_NAMES_OF_NOTHING = ("", ".", "model", "encoder", "checkpoint", "out")
"""Of folders, that say nothing by themselves: the folder above is named too."""

_IDENTITY = ("config.json", "tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "spiece", "sentencepiece")
_PIECES = ("tokenizer.", "vocab", "spiece", "spm", "sentencepiece")
"""How files with a tokenizer's pieces begin; without one, transformers makes a tokenizer that knows no word."""

_DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),  # BERT and most
    *("dropout", "attention_dropout"),  # DistilBERT
    *("embedding_dropout", "mlp_dropout"),  # ModernBERT
)
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Encoder:
    """Where an encoder lies, and what it is."""

    folder: Path
    ref: EncoderRef


def find_encoder(name: str) -> Encoder:
    """The encoder of a folder, one of the paper's by its name in ``ALIASES``, or a hub id.

    Raises
    ------
    InputError
        If it is neither, or the folder lacks ``config.json`` or has a damaged one.
    """
    folder = Path(name).expanduser()
    if folder.is_file():
        raise InputError(
            f"--encoder {name}: a file; expected the folder that holds it, with config.json and a tokenizer"
        )
    if not folder.is_dir():
        folder = _from_hub(ALIASES.get(name.lower(), name))
    if not (folder / "config.json").is_file():
        below = sorted(path.parent for path in folder.glob("*/config.json"))
        hint = f"; did you mean {below[0]}?" if below else ""
        raise InputError(
            f"--encoder {name}: no config.json in this folder; expected a folder in the Hugging Face layout{hint}"
        )
    has_weights = any(path for pattern in _WEIGHTS for path in folder.glob(pattern))
    if not has_weights and not getattr(load_config(folder), "from_scratch", False):
        raise InputError(
            f"--encoder {name}: no weights in this folder; expected model.safetensors or pytorch_model.bin"
        )
    told = "/".join(folder.resolve().parts[-2:]) if Path(name).name in _NAMES_OF_NOTHING else Path(name).name
    return Encoder(folder.resolve(), EncoderRef(told, _fingerprint(folder)))


def tiny_encoder(vocabulary: Sequence[str], cache: Path, *, layers: int = 2, width: int = 64) -> Encoder:
    """A BERT of ``layers`` x ``width`` without weights and with ``vocabulary`` as pieces; made once in ``cache``."""
    config = AutoConfig.for_model(
        "bert",
        vocab_size=len(vocabulary) + 5,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=128,
        from_scratch=True,
        initializer_range=0.1,  # with 0.02 the relation rule was not learnt in ten epochs, with 0.1 it was
    )
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary]
    digest = hashlib.sha256("\n".join([config.to_json_string(), *pieces]).encode()).hexdigest()[:12]
    folder = cache / "encoders" / f"tiny-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            beside = folder.with_name(f".{folder.name}")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            config.save_pretrained(beside)
            BertTokenizer({piece: i for i, piece in enumerate(pieces)}, do_lower_case=True).save_pretrained(beside)
            beside.rename(folder)
    return Encoder(folder, EncoderRef(f"tiny BERT {layers}x{width}, from scratch", _fingerprint(folder)))


def load_config(folder: Path) -> PretrainedConfig:
    """The encoder's configuration. One of BERT's first years, without a ``model_type``, is taken for a BERT.

    Raises
    ------
    InputError
        If ``config.json`` is not JSON, or names no architecture that transformers knows.
    """
    with as_input_error(f"{folder / 'config.json'}: not the configuration of an encoder"):
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if "model_type" not in content and {"type_vocab_size", "intermediate_size"} <= content.keys():
            config: PretrainedConfig = AutoConfig.for_model("bert", **content)
        else:
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
        return config


def longest_input(folder: Path) -> float:
    """Word pieces that an encoder has positions for; infinity where it says nothing."""
    config = load_config(folder)
    positions = getattr(config, "max_position_embeddings", None)
    return positions - _first_position(config) if positions and positions > 0 else math.inf  # XLNet's are -1


def load_tokenizer(folder: Path) -> Any:
    """The encoder's own fast tokenizer; ``add_prefix_space`` lets byte-level ones take ready words.

    Where a folder of word pieces does not say whether it is cased, as those of Bio+ClinicalBERT and of BERT's first
    years, its vocabulary does: transformers would lower-case all of them.

    Raises
    ------
    InputError
        If the folder holds none, or a damaged one.
    """
    if not any(path.name.startswith(_PIECES) for path in folder.iterdir()):
        expected = "expected tokenizer.json or vocab.txt"
        if not (folder / "tokenizer_config.json").is_file():
            raise InputError(f"{folder}: no tokenizer in this folder; {expected}")
        raise InputError(
            f"{folder}: a tokenizer without word pieces (tokenizer_config.json alone); {expected} beside it. An "
            "encoder of characters or bytes, as CANINE is, has none and cannot be used: give one of word pieces"
        )
    with as_input_error(f"{folder}: its tokenizer cannot be loaded"):
        config: dict[str, Any] = {"config": load_config(folder)} if (folder / "config.json").is_file() else {}
        if _is_cased_but_does_not_say_so(folder):
            config["do_lower_case"] = False
        return AutoTokenizer.from_pretrained(folder, add_prefix_space=True, local_files_only=True, **config)


def load_encoder(folder: Path, dropout: float | None = None) -> tuple[PreTrainedModel, nn.Module | None]:
    """The model, and its pre-trained pooler or None; with ``dropout`` where its configuration has some, if given.

    The pooler is taken off the model: it would run on the first piece of a packed row alone. One that the checkpoint
    lacks would be random weights; it counts as absent, and heads bring their own.

    Raises
    ------
    InputError
        If weights are damaged, lacking, or of another model than ``config.json`` says.
    """
    config = load_config(folder)
    for name in _DROPOUTS if dropout is not None else ():
        if hasattr(config, name):
            setattr(config, name, dropout)
    if getattr(config, "from_scratch", False):
        with as_input_error(f"{folder / 'config.json'}: not the configuration of an encoder"):
            model, missing = AutoModel.from_config(config), {"pooler"}
    else:
        with as_input_error(f"{folder}: its weights cannot be loaded"):
            model, info = AutoModel.from_pretrained(
                folder, config=config, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
        missing = {key.split(".")[0] for key in info["missing_keys"]}
        if missing - {"pooler"}:
            raise InputError(
                f"{folder}: its weights lack {', '.join(sorted(info['missing_keys'])[:3])}, ...; not an encoder"
            )
    pooler = getattr(model, "pooler", None)
    if pooler is not None:
        model.pooler = None
    return model, None if "pooler" in missing else pooler


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model*.bin"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises a dozen kinds; each means that there is no such encoder here
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise InputError(
            f"--encoder {name}: no such folder, and not to be had from the model hub{offline}; "
            f"give the path of a folder that holds config.json, weights and tokenizer ({type(error).__name__})"
        ) from error


def _first_position(config: PretrainedConfig) -> int:
    """As of the model, which is made without memory for its weights; 0 where it cannot be."""
    try:
        with torch.device("meta"):
            return first_position(AutoModel.from_config(config))
    except Exception:  # Funnel's cannot; an encoder that cannot be made at all is told of where it is loaded
        return 0


def _is_cased_but_does_not_say_so(folder: Path) -> bool:
    vocabulary, settings = folder / "vocab.txt", folder / "tokenizer_config.json"
    if not vocabulary.is_file() or (folder / "tokenizer.json").is_file():
        return False
    with as_input_error(f"{folder}: its tokenizer cannot be loaded"):
        if settings.is_file() and "do_lower_case" in json.loads(settings.read_text(encoding="utf-8")):
            return False
        pieces = vocabulary.read_text(encoding="utf-8").split("\n")
    with_capitals = sum(piece != piece.lower() for piece in pieces if not piece.startswith("["))
    return with_capitals > _CASED * len(pieces)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    if _is_cased_but_does_not_say_so(folder):  # such a folder was lower-cased once: its runs are others now
        digest.update(b"cased")
    weights = {path.name for pattern in _WEIGHTS for path in folder.glob(pattern)}
    if any(name.endswith(".safetensors") for name in weights):  # the same weights twice: transformers reads these
        weights = {name for name in weights if name.endswith(".safetensors")}
    for path in sorted(folder.iterdir()):
        if path.is_file() and (path.name in weights or path.name.startswith(_IDENTITY)):
            digest.update(path.name.encode())
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
