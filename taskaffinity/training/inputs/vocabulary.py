"""Prune the embedding table to the tokens that occur in a run.

In a small encoder, up to half of the parameters are embeddings of tokens that no example of the run contains. Their
gradient is zero in every step, so training would change them by weight decay only. Pruning saves their share of the
gradient, the optimizer step and the memory. The result is exact, because no output and no other weight depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from torch import nn
from transformers import PreTrainedModel

from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray


def used_token_ids(splits: Iterable[EncodedSplit], encoder: PreTrainedModel) -> IntArray:
    """Return the token ids that occur in the splits, ascending, ``(n,)``.

    All ids up to that of the padding token are included, so that pruning does not change the id of padding.
    """
    padding = getattr(encoder.config, "pad_token_id", None) or 0
    return np.unique(np.concatenate([np.arange(padding + 1), *(split.tokens for split in splits)]))


def prune_embeddings(encoder: PreTrainedModel, tokens: IntArray) -> bool:
    """Prune the embedding table to the rows of ``tokens``; return False if it is not plain.

    The model's token ids are then positions in ``tokens``, from 0.
    """
    table = encoder.get_input_embeddings()
    if type(table) is not nn.Embedding or table.num_embeddings != encoder.config.vocab_size:
        return False
    rows = table.weight.detach()[tokens].clone()
    encoder.set_input_embeddings(nn.Embedding.from_pretrained(rows, freeze=False, padding_idx=table.padding_idx))
    return True


def renumbered(split: EncodedSplit, tokens: IntArray) -> EncodedSplit:
    """Return the split with each token id replaced by its position in ``tokens``."""
    return replace(split, tokens=np.searchsorted(tokens, split.tokens).astype(np.int32))
