"""The embedding table cut to the tokens that a run can meet.

Half of a small encoder's parameters are embeddings of tokens that none of the run's examples holds. Their gradient is
zero in every step, so all that training would do to them is weight decay; without them each step saves the optimiser's
work, the gradient's zeros and the memory for both. Exactly equivalent: no output and no other weight depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from torch import nn
from transformers import PreTrainedModel

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray


def used_token_ids(splits: Iterable[EncodedSplit], encoder: PreTrainedModel) -> IntArray:
    """The tokens that occur, ascending, and every number up to padding's: its own number must stay what it is."""
    padding = getattr(encoder.config, "pad_token_id", None) or 0
    return np.unique(np.concatenate([np.arange(padding + 1), *(split.tokens for split in splits)]))


def prune_embeddings(encoder: PreTrainedModel, tokens: IntArray) -> bool:
    """Keep the rows of ``tokens``, which from then on are numbered from 0; False if the encoder has no such table."""
    table = encoder.get_input_embeddings()
    if type(table) is not nn.Embedding or table.num_embeddings != encoder.config.vocab_size:
        return False
    rows = table.weight.detach()[tokens].clone()
    encoder.set_input_embeddings(nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=table.padding_idx))
    return True


def renumbered(split: EncodedSplit, tokens: IntArray) -> EncodedSplit:
    """The split with each token's place among ``tokens`` instead of its number."""
    return replace(split, tokens=np.searchsorted(tokens, split.tokens).astype(np.int32))
