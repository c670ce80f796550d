"""Load encoders from folders in the Hugging Face layout, as stock transformers models.

An encoder whose configuration sets ``from_scratch`` has no weights file; each seed draws new random weights. An example
is the tiny encoder of the planted suites. Every other encoder must have all its weights. A hub id is downloaded into
the hub's cache once.
"""

from __future__ import annotations

import hashlib
import json
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

from taskaffinity.atomic import atomic_folder
from taskaffinity.errors import InputError, printable
from taskaffinity.private import check_private, private_folder
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.training.checksums import SEAL, is_intact, seal
from taskaffinity.training.encoders.files import NO_CODE, check_encoder_files, check_size, read_settings
from taskaffinity.training.encoders.identity import WEIGHT_FILES, fingerprint, is_cased_by_vocabulary
from taskaffinity.training.encoders.load_errors import as_input_error, quietly

logging.disable_progress_bar()

ALIASES = {
    "bluebert-p": "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
    "bluebert-pm": "bionlp/bluebert_pubmed_mimic_uncased_L-12_H-768_A-12",
    "biobert": "dmis-lab/biobert-v1.1",
    "clinicalbert": "emilyalsentzer/Bio_ClinicalBERT",
}
"""Hub ids of the paper's encoders (Tables 4 to 6).

BlueBERT is trained on PubMed, or on PubMed and MIMIC-III. BioBERT and Bio+ClinicalBERT are cased."""

_GENERIC_NAMES = ("", ".", "model", "encoder", "checkpoint", "out")
"""Folder names that identify no encoder. The encoder's name then includes the parent folder."""

_WRITTEN_BY = "5.23.0"
"""``transformers_version`` in the tiny encoder's configuration. It is part of the encoder's identity, so a study of
synthetic text continues under a newer transformers."""

_VOCABULARY_FILES = ("tokenizer.", "vocab", "spiece", "spm", "sentencepiece")
"""Prefixes of files that hold a vocabulary. Without such a file, transformers makes a tokenizer that knows no word."""

_DROPOUT_SETTINGS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),  # BERT and most
    *("dropout", "attention_dropout"),  # DistilBERT
    *("embedding_dropout", "mlp_dropout"),  # ModernBERT
)


@dataclass(frozen=True)
class Encoder:
    """An encoder's folder and its identity."""

    folder: Path
    ref: EncoderRef


def find_encoder(name: str) -> Encoder:
    """Return the encoder of a folder, of a name in ``ALIASES``, or of a hub id.

    Raises
    ------
    InputError
        If no such encoder exists, if the folder lacks weights or a valid ``config.json``, or as
        ``check_encoder_files``.
    """
    folder = Path(name).expanduser()
    if folder.is_file():
        raise InputError(f"--encoder {name}: a file; expected its folder, with config.json and a tokenizer")
    if not folder.is_dir():
        folder = _from_hub(ALIASES.get(name.lower(), name))
    if not (folder / "config.json").is_file():
        below = sorted(path.parent for path in folder.glob("*/config.json"))
        hint = f"; did you mean {below[0]}?" if below else ""
        raise InputError(
            f"--encoder {name}: no config.json in this folder; expected a folder in the Hugging Face layout{hint}"
        )
    check_encoder_files(folder)
    has_weights = any(path for pattern in WEIGHT_FILES for path in folder.glob(pattern))
    if not has_weights and not getattr(load_config(folder), "from_scratch", False):
        raise InputError(
            f"--encoder {name}: no weights in this folder; expected model.safetensors or pytorch_model.bin"
        )
    title = "/".join(folder.resolve().parts[-2:]) if Path(name).name in _GENERIC_NAMES else Path(name).name
    with as_input_error(f"--encoder {name}: its files cannot be read"):
        return Encoder(folder.resolve(), EncoderRef(printable(title), fingerprint(folder)))


def tiny_encoder(vocabulary: Sequence[str], cache: Path, *, layers: int = 2, width: int = 64) -> Encoder:
    """Return a BERT with the tokens ``vocabulary`` and no trained weights, made once in ``cache``."""
    config = AutoConfig.for_model(
        "bert",
        vocab_size=len(vocabulary) + 5,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=128,
        from_scratch=True,
        initializer_range=0.1,  # with 0.02, ten epochs are too few to learn the relation rule
    )
    content = json.loads(config.to_json_string()) | {"transformers_version": _WRITTEN_BY}
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary]
    digest = hashlib.sha256("\n".join([text, *tokens]).encode()).hexdigest()[:12]
    folder = cache / "encoders" / f"tiny-{digest}"
    for place in (cache, folder.parent):
        check_private(place)
    private_folder(folder.parent)
    with FileLock(f"{folder}.lock"):
        # a folder of an earlier version, whose content is part of the identity of runs
        if folder.is_dir() and not (folder / SEAL).exists():
            seal(folder, folder.name)
        if not is_intact(folder):
            tokenizer = BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True)
            with atomic_folder(folder, mode=0o700) as beside:
                (beside / "config.json").write_text(text, encoding="utf-8")
                tokenizer.save_pretrained(beside)
                seal(beside, folder.name)
                shutil.rmtree(folder, ignore_errors=True)
    return Encoder(folder, EncoderRef(f"tiny BERT {layers}x{width}, from scratch", fingerprint(folder)))


def load_config(folder: Path) -> PretrainedConfig:
    """Return the encoder's configuration.

    Configurations from BERT's first years have no ``model_type``; they are read as BERT.

    Raises
    ------
    InputError
        If ``config.json`` is not JSON, or names no architecture that transformers supports; or as
        ``check_encoder_files``.
    """
    check_encoder_files(folder)
    content = read_settings(folder / "config.json")
    with as_input_error(f"{folder / 'config.json'}: not the configuration of an encoder"):
        if "model_type" not in content and {"type_vocab_size", "intermediate_size"} <= content.keys():
            config: PretrainedConfig = AutoConfig.for_model("bert", **content)
        else:
            config = AutoConfig.from_pretrained(folder, **NO_CODE)
        check_size(config, folder)
        return config


def load_tokenizer(folder: Path) -> Any:
    """Return the encoder's fast tokenizer.

    ``add_prefix_space`` lets a byte-level tokenizer take split words.

    If the tokenizer's configuration omits casing, it is inferred from the vocabulary. An example is Bio+ClinicalBERT,
    whose input transformers would lower-case.

    Raises
    ------
    InputError
        If the folder has no tokenizer, or a damaged one.
    """
    if not any(path.name.startswith(_VOCABULARY_FILES) for path in folder.iterdir()):
        expected = "expected tokenizer.json or vocab.txt"
        if not (folder / "tokenizer_config.json").is_file():
            raise InputError(f"{folder}: no tokenizer in this folder; {expected}")
        raise InputError(
            f"{folder}: a tokenizer without a vocabulary (tokenizer_config.json alone); {expected} beside it. Encoders "
            "of characters or bytes, such as CANINE, are not supported: use an encoder with a subword vocabulary"
        )
    check_encoder_files(folder)
    with as_input_error(f"{folder}: its tokenizer cannot be loaded"):
        config: dict[str, Any] = {"config": load_config(folder)} if (folder / "config.json").is_file() else {}
        if is_cased_by_vocabulary(folder):
            config["do_lower_case"] = False
        tokenizer = AutoTokenizer.from_pretrained(folder, add_prefix_space=True, **NO_CODE, **config)
        tokenizer("a")  # some settings of a wrong type fail only here
        return tokenizer


def load_encoder(folder: Path, dropout: float | None = None) -> tuple[PreTrainedModel, nn.Module | None]:
    """Return the model, and its pre-trained pooler or None.

    The pooler is detached from the model, because there it would run only on the first token of a packed row. If the
    checkpoint has no pooler weights, the pooler counts as absent, and each head has its own.

    Parameters
    ----------
    dropout : float, optional
        Replaces every dropout that the configuration sets. Default: the configuration's.

    Raises
    ------
    InputError
        If weights are damaged, missing, or those of another model than ``config.json`` describes.
    """
    config = load_config(folder)
    for name in _DROPOUT_SETTINGS if dropout is not None else ():
        if hasattr(config, name):
            setattr(config, name, dropout)
    if getattr(config, "from_scratch", False):
        with as_input_error(f"{folder / 'config.json'}: not the configuration of an encoder"):
            model, missing = AutoModel.from_config(config, trust_remote_code=False), {"pooler"}
    else:
        with as_input_error(f"{folder}: its weights cannot be loaded"), quietly():
            model, info = AutoModel.from_pretrained(
                folder, config=config, dtype=torch.float32, output_loading_info=True, weights_only=True, **NO_CODE
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
    except Exception as error:  # the hub's client raises a dozen types; each means that the encoder is unavailable
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise InputError(
            f"--encoder {name}: no such folder, and the model hub does not provide it{offline}; "
            f"give the path of a folder with config.json, weights and a tokenizer"
        ) from error
