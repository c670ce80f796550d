"""A batch as a stock model takes it: each sequence a row, padded to the longest.

The longest is known before the batch goes to its device, so nothing here has a shape that must be asked of a GPU: the
host runs ahead of it. (transformers' own attention mask still asks whether it hides anything, once a step.)
"""

# B sequences, L the longest, T tokens of the batch

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PretrainedConfig

from taskaffinity.training.inputs.batches import Batch


def padded(batch: Batch, config: PretrainedConfig) -> tuple[dict[str, Tensor], Tensor]:
    """What a model of this configuration is called with, each ``(B, L)``; and where of the flattened ``(B L,)`` the
    batch's tokens lie, ``(T,)``."""
    shape, device = (len(batch.rows), batch.longest), batch.tokens.device
    begins = torch.arange(shape[0], device=device) * batch.longest
    # told the size, it does not wait for the lengths
    places = torch.repeat_interleave(begins, batch.lengths, output_size=len(batch.tokens)) + batch.positions  # (T,)

    def rows_of(values: Tensor, elsewhere: int) -> Tensor:
        return values.new_full((shape[0] * shape[1],), elsewhere).index_copy_(0, places, values).view(shape)

    mask = torch.arange(batch.longest, device=device)[None] < batch.lengths[:, None]  # (B, L)
    inputs = {
        "input_ids": rows_of(batch.tokens, getattr(config, "pad_token_id", 0) or 0),
        "attention_mask": mask.long(),
    }
    if getattr(config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = rows_of(batch.token_types, 0)
    return inputs, places
