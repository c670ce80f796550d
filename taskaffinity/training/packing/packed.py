"""Padding-free attention for stock transformers encoders.

A mini-batch is one row of concatenated sequences, ``(1, T)``. In an encoder, all layers but attention treat each token
separately, so only attention must know where sequences end. The function registered here attends within each sequence:
in the blocks of ``layout.py`` on a CPU, with the kernels of ``varlen.py`` on a GPU, whose layouts have no blocks.

Warning: transformers builds no mask for an attention name without a mask function, so a padded batch under this name
would attend to its padding. ``packs_exactly`` compares packed and unpacked states, and gradients on a GPU. Encoders
that differ (DeBERTa-v2, MPNet) are trained on padded batches with ``sdpa``. Layers with local attention (ModernBERT)
hide distant tokens of a sequence; on a GPU, where this is not implemented, such an encoder is padded too.
"""

# T tokens of the batch, R of them with a query, N heads, D width of a head
# of one block: B sequences, L tokens of the longest

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from taskaffinity.training.packing.attention import BlockAttention
from taskaffinity.training.packing.layout import Block, Layout, by_head, by_token, in_reach, layout_of
from taskaffinity.training.packing.varlen import attend

PACKED = "taskaffinity_packed"
_TOLERANCE = 1e-4
"""Absolute and relative tolerance of states on a CPU."""
_TOLERANCES: tuple[tuple[torch.dtype | None, float], ...] = ((None, 1e-3), (torch.bfloat16, 0.05))
"""On a GPU: precision of matrix products (None: fp32), and largest relative norm of a difference."""


def packed_attention(
    module: nn.Module,
    query: Tensor,  # (1, N, R, D)
    key: Tensor,  # (1, N, T, D)
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    is_narrow: bool = False,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within each sequence of a packed row.

    Parameters
    ----------
    is_narrow : bool
        Whether only the tokens in ``layout.read`` have a query. Otherwise every token has one, and R is T.
    sliding_window : int, optional
        In a layer with local attention, the distance of two tokens from which they do not attend to each other.

    Returns
    -------
    (1, R, N, D) Tensor
        The output of attention. None follows, instead of attention weights.

    Raises
    ------
    NotImplementedError
        For local attention in a narrow layer, or on a GPU if a sequence is longer than its reach.
    """
    query, key, value = (states.squeeze(0).transpose(0, 1) for states in (query, key, value))  # (T, N, D)
    # squeeze, not [0], whose backward pass fills a tensor with zeros
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    is_local = sliding_window is not None and layout.longest > sliding_window
    if is_local and (is_narrow or not layout.blocks):
        raise NotImplementedError("local attention of a narrow layer, or on a GPU")
    if not layout.blocks:
        return attend(query, key, value, layout, is_narrow=is_narrow, dropout=dropout, scaling=scaling)[None], None
    blocks: Sequence[Block] = layout.blocks
    if sliding_window is not None:
        blocks = [in_reach(block, sliding_window) for block in blocks]
    query_blocks = layout.read_blocks if is_narrow else blocks
    if dropout:
        attended: Tensor = BlockAttention.apply(  # type: ignore[no-untyped-call]
            query, key, value, query_blocks, blocks, dropout, scaling
        )
    else:
        attended = _attend(query, key, value, query_blocks, blocks, dropout, scaling)
    return attended[None], None


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_blocks: Sequence[Block],
    blocks: Sequence[Block],
    dropout: float,
    scaling: float,
) -> Tensor:
    attended = []
    for q_block, block in zip(query_blocks, blocks, strict=True):
        q, k, v = by_head(query, q_block), by_head(key, block), by_head(value, block)  # (B N, L, D)
        q, k, v = (states.unflatten(0, (block.shape[0], -1)) for states in (q, k, v))
        output = nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=block.bias, dropout_p=dropout, scale=scaling
        )
        attended.append(by_token(output.flatten(0, 1), q_block))
    return torch.cat(attended)


AttentionInterface.register(PACKED, packed_attention)


def first_position(encoder: PreTrainedModel) -> int:
    """Return the first position id: 0, or ``padding_idx + 1`` if padding has a position id."""
    embeddings = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def packs_exactly(encoder: PreTrainedModel, max_length: int = 128) -> bool:
    """Set packed attention if it gives the same states as single sequences.

    Returns whether it does.

    The states are compared on ``probe_sequences``, in fp32 on the encoder's device. On a GPU, gradients are also
    compared, and both again in bf16, because each precision has its own kernel. If they differ, the encoder gets
    ``sdpa``, or ``eager`` if it does not support ``sdpa``.

    Parameters
    ----------
    max_length : int
        Length of the longer probe, in tokens.
    """
    if not getattr(encoder, "_supports_attention_backend", False):
        return False
    was_training = encoder.training
    encoder.eval()
    try:
        if _agrees_on_cpu(encoder, max_length) if encoder.device.type == "cpu" else _agrees_on_gpu(encoder, max_length):
            return True
    except (TypeError, ValueError, RuntimeError, IndexError):
        pass  # the encoder takes no position_ids, or does not pass the layout to its attention; no kernel for this GPU
    finally:
        encoder.train(was_training)
    encoder.set_attn_implementation("sdpa" if getattr(encoder, "_supports_sdpa", False) else "eager")
    return False


@torch.no_grad()
def _agrees_on_cpu(encoder: PreTrainedModel, max_length: int) -> bool:
    separate, packed = (states() for states in _both_ways(encoder, max_length))
    return torch.allclose(separate, packed, atol=_TOLERANCE, rtol=_TOLERANCE)


def _agrees_on_gpu(encoder: PreTrainedModel, max_length: int) -> bool:
    return agree_on_gpu(encoder, _both_ways(encoder, max_length))


def agree_on_gpu(encoder: PreTrainedModel, ways: Sequence[Callable[[], Tensor]]) -> bool:
    """Return whether two ways give the same states and gradients in each precision."""
    weights = [weight for weight in encoder.parameters() if weight.requires_grad]
    for dtype, tolerance in _TOLERANCES:
        found = []
        with torch.enable_grad():
            for way in ways:
                with torch.autocast(encoder.device.type, dtype or torch.bfloat16, enabled=dtype is not None):
                    states = way()
                direction = torch.linspace(-1, 1, states.numel(), device=states.device).view_as(states)
                gradients = torch.autograd.grad((states.float() * direction).sum(), weights, allow_unused=True)
                # as one vector, because some gradients, such as those of the keys' biases, are zero except for rounding
                found.append((states, torch.cat([given.flatten() for given in gradients if given is not None])))
        # "not all <=" counts NaN as a difference
        if not all(relative_error(*pair) <= tolerance for pair in zip(*found, strict=True)):
            return False
    return True


def relative_error(expected: Tensor, found: Tensor) -> float:
    """Return the norm of the difference over the norm of ``expected``; 0 if both are 0."""
    difference, size = (float(tensor.detach().float().norm()) for tensor in (found - expected, expected))
    return difference / size if size else difference


def _both_ways(encoder: PreTrainedModel, max_length: int) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Return functions that give the last states of the probes, unpacked and packed.

    After the second one, the encoder keeps packed attention.
    """
    tokens, start = probe_sequences(encoder, max_length)

    def separate() -> Tensor:
        encoder.set_attn_implementation("sdpa")
        return torch.cat([encoder(input_ids=ids[None].to(encoder.device)).last_hidden_state[0] for ids in tokens])

    def packed() -> Tensor:
        encoder.set_attn_implementation(PACKED)
        return packed_states(encoder, tokens, start)[0]

    return separate, packed


def probe_sequences(encoder: PreTrainedModel, max_length: int) -> tuple[list[Tensor], int]:
    """Return sequences of 5 and ``max_length`` token ids, and the encoder's first position.

    The second is shorter if the encoder has fewer positions.
    """
    start = first_position(encoder)
    longest = min(max_length, getattr(encoder.config, "max_position_embeddings", max_length) - start)
    vocabulary = encoder.config.vocab_size
    lengths = [min(5, longest), longest]
    return [(torch.arange(length) * 7 + length) % (vocabulary - 10) + 10 for length in lengths], start


def packed_states(encoder: PreTrainedModel, sequences: Sequence[Tensor], start: int) -> tuple[Tensor, Layout]:
    """Return the last states of packed sequences, ``(T, H)``, and their layout.

    The sequences are in ascending length.
    """
    device = str(encoder.device)
    layout = layout_of([len(tokens) for tokens in sequences]).to(device)
    positions = torch.cat([torch.arange(len(tokens)) + start for tokens in sequences])
    states: Tensor = encoder(
        input_ids=torch.cat(list(sequences))[None].to(device), position_ids=positions[None].to(device), layout=layout
    ).last_hidden_state
    return states[0], layout
