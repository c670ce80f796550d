"""Pad a packed batch for a stock model: one row per sequence, as long as the longest.

The maximum length is known before the batch is copied to a GPU, so no shape depends on values on the GPU and the CPU
does not wait for it. (The attention mask of transformers still waits once per step.)
"""

# B sequences, L the longest, T tokens of the batch

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PretrainedConfig

from taskaffinity.training.inputs.batches import Batch


def padded(batch: Batch, config: PretrainedConfig) -> tuple[dict[str, Tensor], Tensor]:
    """Return a model's keyword arguments for a batch, and the places of its tokens.

    Returns
    -------
    inputs : dict of Tensor
        Each ``(B, L)``.
    places : (T,) Tensor
        Index of each token in an input flattened to ``(B L,)``.
    """
    shape, device = (len(batch.lengths), batch.longest), batch.tokens.device
    begins = torch.arange(shape[0], device=device) * batch.longest
    # with output_size, torch does not wait for the lengths on the GPU
    places = torch.repeat_interleave(begins, batch.lengths, output_size=len(batch.tokens)) + batch.positions  # (T,)

    def rows_of(values: Tensor, padding: int) -> Tensor:
        return values.new_full((shape[0] * shape[1],), padding).index_copy_(0, places, values).view(shape)

    mask = torch.arange(batch.longest, device=device)[None] < batch.lengths[:, None]  # (B, L)
    inputs = {
        "input_ids": rows_of(batch.tokens, getattr(config, "pad_token_id", 0) or 0),
        "attention_mask": mask.long(),
    }
    if getattr(config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = rows_of(batch.token_types, 0)
    return inputs, places
