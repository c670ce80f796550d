"""Whether an encoder reads both ways, as every head here takes for granted.

A sentence head reads the first word piece's state, which of a causal decoder (GPT-2, Llama) is the same for every
sentence: it would train to nothing, and say nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from taskaffinity.errors import InputError
from taskaffinity.training.load_errors import as_input_error

_PIECES = 5


@torch.inference_mode()
def refuse_one_way(encoder: PreTrainedModel, folder: Path) -> None:
    """Refuse a model whose first state is the same for two sequences that differ in their last piece alone, and one
    that wants more than these.

    Raises
    ------
    InputError
        With the folder that it was loaded from.
    """
    was_training = encoder.training
    encoder.eval()
    with as_input_error(f"{folder}: no encoder that word pieces alone can be given to"):
        pieces = torch.full((2, _PIECES), encoder.config.vocab_size - 1, device=encoder.device)
        pieces[1, -1] -= 1
        first, other = (encoder(input_ids=ids[None]).last_hidden_state[0, 0] for ids in pieces)
    encoder.train(was_training)
    if torch.allclose(first, other, rtol=1e-5, atol=1e-6):
        raise InputError(
            f"{folder}: no bidirectional encoder, for what follows a word piece does not reach it, as in a decoder "
            f"({encoder.config.model_type}); expected one that reads both ways, as BERT does"
        )
