"""The multi-task model: one shared encoder, and one head per task."""

# E examples, if some have several rows: windows, or options
# B sequences, L longest sequence, R states that the head reads, H hidden width, W words, C outputs of the task

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from taskaffinity.training.encoders.load import load_encoder
from taskaffinity.training.heads import Head, form_of, make_head
from taskaffinity.training.inputs.batches import Batch, seed_of
from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.inputs.padded import padded
from taskaffinity.training.optim.one_pass import leave_bf16
from taskaffinity.training.outputs import outputs_of_examples
from taskaffinity.training.packing.dropout import replace_dropout
from taskaffinity.training.packing.last_layer import narrow_last_layer
from taskaffinity.training.packing.packed import first_position, packs_exactly
from taskaffinity.training.weighting import Weighting


class MultiTaskModel(nn.Module):
    """A stock encoder, its pre-trained pooler if any, and a head for each task.

    Weights that are not pre-trained depend only on the seed and the name of the part. A task's head therefore starts
    the same in single-task and multi-task training. The loss of a ``detached`` task reaches only its own head: the head
    shares no pooler, and the encoder gets no gradient from it.

    Attributes
    ----------
    precision : {"bf16", None}
        Precision of matrix products: bf16 or, with None (the initial value), fp32.
    masters : dict
        The fp32 values of weights that the optimizer keeps in bf16, by name; none on a CPU.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Mapping[str, TaskMeta],
        *,
        seed: int,
        head_dropout: float = 0.1,
        encoder_dropout: float | None = None,
        max_length: int = 128,
        packed: bool = True,
        detached: Collection[str] = (),
        device: str = "cpu",
    ) -> None:
        super().__init__()
        torch.manual_seed(seed_of(seed, "encoder"))
        self.encoder, pooler = load_encoder(folder, encoder_dropout)
        self.encoder.to(device)  # type: ignore[arg-type]  # packed attention is compared on the device
        self.pooler = pooler if form_of(self.encoder.config).pooler else None
        self.is_packed = packed and packs_exactly(self.encoder, max_length)
        self.is_narrow = self.is_packed and narrow_last_layer(self.encoder, max_length)
        self.first_position = first_position(self.encoder)
        self.has_token_types = getattr(self.encoder.config, "type_vocab_size", 0) > 1
        self.detached = frozenset(detached)
        self.precision: Literal["bf16"] | None = None
        self.masters: dict[str, Tensor] = {}
        self.tasks = dict(tasks)
        self.heads: dict[str, Head] = {}
        for name, task in tasks.items():
            torch.manual_seed(seed_of(seed, "head", name))
            shared = None if name in detached else self.pooler
            self.heads[name] = make_head(task, self.encoder.config, head_dropout, shared)
        self.parts = nn.ModuleList(self.heads.values())  # a ModuleDict refuses names such as "v1.0"
        self.weighting = Weighting()
        replace_dropout(self)
        self.to(device)

    def set_precision(self, precision: Literal["bf16"] | None) -> None:
        """Set the precision; all weights are then in fp32.

        An optimizer with bf16 weights cannot continue after this.
        """
        leave_bf16(self)
        self.precision = precision

    def forward(self, batch: Batch) -> Tensor:
        """Outputs of the batch's task in fp32: ``(B, C)``, ``(W, C)`` for tagging, ``(E, C)`` of windows or options."""
        with torch.autocast(batch.tokens.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            with torch.set_grad_enabled(torch.is_grad_enabled() and batch.task not in self.detached):
                read = self.states(batch)
            outputs: Tensor = self.heads[batch.task](read)
        if batch.owners is None:
            return outputs.float()
        return outputs_of_examples(self.tasks[batch.task], outputs.float(), batch.owners, len(batch.targets))

    def states(self, batch: Batch) -> Tensor:
        """Return the encoder's states that the head reads, ``(R, H)``."""
        return self._packed(batch) if self.is_packed else self._padded(batch)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of the batch, a scalar."""
        return self.heads[batch.task].loss(self(batch), batch)

    def _packed(self, batch: Batch) -> Tensor:
        extra = {"token_type_ids": batch.token_types[None]} if self.has_token_types else {}
        hidden: Tensor = self.encoder(
            input_ids=batch.tokens[None],
            position_ids=batch.positions[None] + self.first_position,
            layout=batch.layout,
            **extra,
        ).last_hidden_state
        return hidden[0] if self.is_narrow else hidden[0, batch.layout.read]

    def _padded(self, batch: Batch) -> Tensor:
        inputs, positions = padded(batch, self.encoder.config)
        hidden: Tensor = self.encoder(**inputs).last_hidden_state  # (B, L, H)
        return hidden.flatten(0, 1).index_select(0, positions.index_select(0, batch.layout.read))
