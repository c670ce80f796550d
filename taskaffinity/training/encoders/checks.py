"""Check what an encoder supports: input length, attention direction and packed sequences."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from transformers import AutoModel, PretrainedConfig, PreTrainedModel

from taskaffinity.errors import InputError
from taskaffinity.training.encoders.load import load_config, load_encoder
from taskaffinity.training.encoders.load_errors import as_input_error
from taskaffinity.training.packing.packed import first_position, packs_exactly

_PROBE_LENGTH = 5


def check_max_length(option: str, max_length: int, folder: Path) -> None:
    """Check that ``max_length`` does not exceed the positions of the encoder in ``folder``.

    Parameters
    ----------
    option : str
        The option and its value as the user gave them; the message begins with it.

    Raises
    ------
    InputError
    """
    if max_length > (positions := longest_input(folder)):
        raise InputError(f"{option}: the encoder has {positions:g} positions")


def longest_input(folder: Path) -> float:
    """Return the encoder's maximum input length in tokens; infinity if none is configured."""
    config = load_config(folder)
    positions = getattr(config, "max_position_embeddings", None)
    return positions - _first_position(config) if positions and positions > 0 else math.inf  # XLNet has -1


@torch.inference_mode()
def supports_packing(folder: Path, max_length: int) -> bool:
    """Return whether the encoder gives the same states for packed sequences.

    The sequences have up to ``max_length`` tokens.

    The weights are loaded.

    Raises
    ------
    InputError
        As ``load_encoder``.
    """
    encoder, _ = load_encoder(folder)
    return packs_exactly(encoder, max_length)


@torch.inference_mode()
def check_bidirectional(encoder: PreTrainedModel, folder: Path) -> None:
    """Check that the first state depends on later tokens, and that tokens suffice as input.

    A sentence head reads the first token's state. In a causal decoder (GPT-2, Llama) that state is the same for every
    sentence, so nothing could be learned from it.

    Parameters
    ----------
    folder : Path
        Folder of the encoder, for the message.

    Raises
    ------
    InputError
    """
    was_training = encoder.training
    encoder.eval()
    with as_input_error(f"{folder}: no encoder that takes token ids alone as input"):
        probes = torch.full((2, _PROBE_LENGTH), encoder.config.vocab_size - 1, device=encoder.device)
        probes[1, -1] -= 1  # the two sequences differ only in the last token
        first, second = (encoder(input_ids=ids[None]).last_hidden_state[0, 0] for ids in probes)
    encoder.train(was_training)
    if torch.allclose(first, second, rtol=1e-5, atol=1e-6):
        raise InputError(
            f"{folder}: no bidirectional encoder; a token's state ignores the tokens after it, as in a decoder "
            f"({encoder.config.model_type}); expected an encoder such as BERT"
        )


def _first_position(config: PretrainedConfig) -> int:
    """Return the first position id of the model; 0 if it cannot be built on the meta device."""
    try:
        with torch.device("meta"):
            return first_position(AutoModel.from_config(config, trust_remote_code=False))
    except Exception:  # Funnel fails here; loading reports an encoder that cannot be built at all
        return 0
