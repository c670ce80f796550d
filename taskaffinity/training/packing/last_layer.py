"""The last layer, worked out only where a head reads it.

A sentence head reads each sequence's first state, a tagging head each word's first. Of an encoder's last layer the
other tokens need only what those ask of them, a key and a value; their own query, output and feed-forward layer, ten
twelfths of its products, reach nothing. Left out, every state that is read and every gradient is what it was. Of six
layers that saves a seventh of a step's products on sentences.

The layer's own modules are called in the layer's own order; only its ``forward`` is another. An architecture without
an entry in ``LAYERS`` keeps the whole layer, as does one whose states come out otherwise (``narrow_last_layer`` looks).
"""

# T tokens of the batch, R of them read, H width

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from taskaffinity.training.packing.layout import Layout
from taskaffinity.training.packing.packed import packed_attention, packed_states, probe_sequences

Narrow = Callable[..., Tensor]
"""A layer's ``forward``: ``(1, T, H)`` -> ``(1, R, H)``."""


def bert_layer(layer: nn.Module, hidden: Tensor, *args: Any, layout: Layout, **kwargs: Any) -> Tensor:
    """``BertLayer`` and those written after it."""
    attention: Any = layer.attention
    own = attention.self
    read = hidden.index_select(1, layout.read)  # (1, R, H)
    attended = _attended(own, own.query(read), own.key(hidden), own.value(hidden), layout)
    states: Tensor = layer.feed_forward_chunk(attention.output(attended, read))  # type: ignore[operator]
    return states


def distilbert_layer(layer: nn.Module, hidden: Tensor, *args: Any, layout: Layout, **kwargs: Any) -> Tensor:
    """``distilbert``'s ``TransformerBlock``."""
    whole: Any = layer
    own = whole.attention
    read = hidden.index_select(1, layout.read)  # (1, R, H)
    attended = own.out_lin(_attended(own, own.q_lin(read), own.k_lin(hidden), own.v_lin(hidden), layout))
    attended = whole.sa_layer_norm(attended + read)
    states: Tensor = whole.output_layer_norm(whole.ffn(attended) + attended)
    return states


LAYERS: Mapping[str, tuple[str, Narrow]] = {
    "bert": ("encoder.layer", bert_layer),
    "roberta": ("encoder.layer", bert_layer),
    "xlm-roberta": ("encoder.layer", bert_layer),
    "camembert": ("encoder.layer", bert_layer),
    "electra": ("encoder.layer", bert_layer),
    "distilbert": ("transformer.layer", distilbert_layer),
}
"""By ``model_type``: where an encoder's layers are, and how the last one is worked out in part."""


def narrow_last_layer(encoder: PreTrainedModel, max_length: int = 128, *, tolerance: float = 1e-4) -> bool:
    """Whether the last layer of this encoder, which is packed, gives the states that are read alone, from now on.

    Tried on the sequences of ``packs_exactly``; where anything differs, the encoder is left as it was.
    """
    if encoder.config.model_type not in LAYERS:
        return False
    path, narrow = LAYERS[encoder.config.model_type]
    tokens, start = probe_sequences(encoder, max_length)
    last: Any = None
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad():
        try:
            last = encoder.get_submodule(path)[-1]  # type: ignore[index]
            whole, layout = packed_states(encoder, tokens, start)
            last.forward = partial(narrow, weakref.proxy(last))  # a cycle would outlive the model
            narrowed, _ = packed_states(encoder, tokens, start)
            expected = whole[layout.read]
            if narrowed.shape == expected.shape and torch.allclose(narrowed, expected, atol=tolerance, rtol=tolerance):
                return True
        except (AttributeError, IndexError, TypeError, RuntimeError):
            pass  # modules of other names: another version of transformers
        finally:
            encoder.train(was_training)
    if last is not None:
        vars(last).pop("forward", None)
    return False


def _attended(own: Any, query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> Tensor:
    """``(1, R, H)`` from queries of the tokens that are read and keys and values of all."""
    query, key, value = (
        states.view(1, states.shape[1], -1, own.attention_head_size).transpose(1, 2) for states in (query, key, value)
    )  # (1, N, R or T, D)
    dropout = own.dropout.p if own.training else 0.0
    attended, _ = packed_attention(
        own, query, key, value, None, layout=layout, asking=layout.reading, dropout=dropout, scaling=own.scaling
    )
    return attended.flatten(2)
