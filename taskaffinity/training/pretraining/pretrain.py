"""Continue the pre-training of an encoder on the user's text, by masked-language modelling.

BlueBERT was made from BERT, and ClinicalBERT from BioBERT, in this way. The passages are concatenated and cut into
blocks, without padding. The held-out passages are consecutive, so that most sentences of a document stay together.
They are masked once, so that losses before and after training are comparable. The result is an ordinary encoder
folder. It has the old pooler if that was pre-trained, otherwise no pooler, because masked-language modelling trains
none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import MODEL_FOR_MASKED_LM_MAPPING, DataCollatorForLanguageModeling, PreTrainedModel

from taskaffinity.atomic import check_writable, remove_litter
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import Recipe
from taskaffinity.training.encoders.checks import check_bidirectional, check_max_length
from taskaffinity.training.encoders.load import Encoder, load_config, load_encoder, load_tokenizer
from taskaffinity.training.inputs.batches import seed_of
from taskaffinity.training.loop import Diverged
from taskaffinity.training.optim.optimizer import Stepper
from taskaffinity.training.pretraining.folder import load_with_language_head, write_encoder
from taskaffinity.training.pretraining.resume import PretrainCheckpoints, identity_of, only_writer, refuse_used

Blocks = list[list[int]]

OnProgress = Callable[[int, int, float], None]
"""Called after each step with the step's number, the total number of steps, and the step's loss."""


@dataclass(frozen=True)
class Pretraining:
    """Settings of pre-training, named as in transformers."""

    learning_rate: float = 5e-5
    num_train_epochs: int = 1
    batch_size: int = 32
    """Blocks per mini-batch."""
    max_length: int = 128
    """Tokens per block, with special tokens."""
    mlm_probability: float = 0.15
    held_out: float = 0.05
    """Share of the passages that are held out, in (0, 1)."""
    max_passages: int | None = None
    """Size of a random sample of the passages, drawn before some are held out; None for all."""
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        at_least = {"num_train_epochs": 1, "batch_size": 1, "max_length": 8, "seed": 0}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.max_passages is not None and self.max_passages < 2:
            raise ValueError(f"max_passages is {self.max_passages}; it must be at least 2, or none for all")
        for name in ("mlm_probability", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be a number above 0")


@dataclass(frozen=True)
class Pretrained:
    """The result of pre-training."""

    folder: Path
    passages: int
    """Number of training passages."""
    held_out: int
    """Number of held-out passages."""
    steps: int
    """Number of updates; a mini-batch without a masked token has none."""
    losses: tuple[float, ...]
    """Mean loss of the masked tokens of held-out passages, in nats, before training and after each epoch."""


def pretrain(
    passages: Sequence[str],
    encoder: Encoder,
    out: Path,
    settings: Pretraining,
    *,
    on_progress: OnProgress = lambda step, steps, loss: None,
    share_with_group: bool = False,
    checkpoint_minutes: float = 0.0,
) -> Pretrained:
    """Pre-train an encoder on passages and write it to ``out``, a folder for ``--encoder``.

    An interrupted pre-training continues from its last checkpoint, in a folder ``.unfinished`` beside ``out``. Its
    result has the same bytes as that of an uninterrupted one.

    Parameters
    ----------
    checkpoint_minutes : float
        Shortest time between two checkpoints, in minutes; 0 for none.
    share_with_group : bool
        Whether the group may read the folder; otherwise only the owner can.

    Raises
    ------
    InputError
        If ``out`` is not empty, there are fewer than two passages, ``max_length`` exceeds the encoder's positions, the
        tokenizer has no mask token, the encoder has no head for masked tokens or is not bidirectional, or another
        process pre-trains into ``out``.
    Diverged
        If a loss is infinite or not a number.
    """
    out = out.resolve()
    remove_litter(out.parent)
    refuse_used(out)
    if len(passages) < 2:
        raise InputError(f"{len(passages)} passage(s) of text; expected at least 2, because some are held out")
    tokenizer = _tokenizer(encoder)
    check_max_length(f"--max-length {settings.max_length}", settings.max_length, encoder.folder)
    passages = _sampled(passages, settings)
    n_held = min(len(passages) - 1, max(1, round(settings.held_out * len(passages))))
    first = int(np.random.default_rng(settings.seed).integers(len(passages) - n_held + 1))
    held, trained = passages[first : first + n_held], [*passages[:first], *passages[first + n_held :]]
    held_blocks = blocks_of(held, tokenizer, settings.max_length)
    dev = list(_masked(held_blocks, tokenizer, settings, seed_of(settings.seed, "dev")))
    if not any(bool((batch["labels"] != -100).any()) for batch in dev):
        raise InputError(
            f"too little text: no token of the {n_held} held-out passages was masked; give more text or another --seed"
        )
    bare, pooler = load_encoder(encoder.folder)  # missing files are reported before the first step
    check_bidirectional(bare, encoder.folder)
    check_writable(out.parent)
    torch.manual_seed(seed_of(settings.seed, "encoder"))
    model = load_with_language_head(encoder.folder)
    nn.Module.to(model, settings.device)
    checkpoints = PretrainCheckpoints(out, checkpoint_minutes, identity_of(encoder.ref, settings, passages))
    blocks = blocks_of(trained, tokenizer, settings.max_length)
    with only_writer(out):
        with checkpoints:
            steps, losses = _train(model, blocks, dev, tokenizer, settings, on_progress, checkpoints)
        result = Pretrained(out, len(trained), n_held, steps, losses)
        about = {
            "encoder": asdict(encoder.ref),
            "settings": asdict(settings),
            "passages": result.passages,
            "held_out": result.held_out,
            "steps": result.steps,
            "held_out_losses": list(result.losses),
        }
        write_encoder(model, pooler, tokenizer, out, about, share_with_group=share_with_group)
    return result


def _sampled(passages: Sequence[str], settings: Pretraining) -> Sequence[str]:
    """Return a random sample of ``max_passages`` in their order, or all if there are fewer."""
    if settings.max_passages is None or settings.max_passages >= len(passages):
        return passages
    rng = np.random.default_rng(seed_of(settings.seed, "passages"))
    return [passages[place] for place in np.sort(rng.choice(len(passages), settings.max_passages, replace=False))]


def _tokenizer(encoder: Encoder) -> Any:
    """Return the encoder's tokenizer, if masked-language modelling is possible."""
    tokenizer = load_tokenizer(encoder.folder)
    if tokenizer.mask_token is None:
        raise InputError(
            f"{encoder.folder}: its tokenizer has no mask token, so masked-language modelling is not possible"
        )
    if type(config := load_config(encoder.folder)) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise InputError(
            f"{encoder.folder}: {config.model_type} has no head for masked tokens; expected an encoder such as BERT"
        )
    return tokenizer


def _train(
    model: PreTrainedModel,
    blocks: Blocks,
    dev: Sequence[dict[str, Tensor]],
    tokenizer: Any,
    settings: Pretraining,
    on_progress: OnProgress,
    checkpoints: PretrainCheckpoints,
) -> tuple[int, tuple[float, ...]]:
    """Train the model; return the number of steps and the held-out losses.

    A loss is computed before training and after each epoch.
    """
    per_epoch = math.ceil(len(blocks) / settings.batch_size)
    n_steps = per_epoch * settings.num_train_epochs
    stepper = Stepper(model, Recipe(learning_rate=settings.learning_rate, optimizer="adamw"), n_steps)
    checkpoints.resume(model, stepper)
    at = checkpoints.position
    at.losses = at.losses or [_held_out_loss(model, dev, settings.device)]
    while at.epoch < settings.num_train_epochs:
        model.train()
        shuffled = np.random.default_rng([settings.seed, at.epoch]).permutation(len(blocks))
        batches = _masked([blocks[i] for i in shuffled], tokenizer, settings, seed_of(settings.seed, "mask", at.epoch))
        for batch in islice(batches, at.batches, None):
            at.batches += 1
            step = at.epoch * per_epoch + at.batches
            if not (batch["labels"] != -100).any():  # no masked token, so no loss
                continue
            loss = masked_loss(model, {name: value.to(settings.device) for name, value in batch.items()})
            loss.backward()
            stepper.step()
            on_progress(step, n_steps, _finite(float(loss.detach()), f"the loss of step {step}"))
            checkpoints.after_batch()
        with checkpoints.evaluating():
            held_out = _held_out_loss(model, dev, settings.device)
        at.losses.append(_finite(held_out, f"the held-out loss after epoch {at.epoch + 1}"))
        at.epoch, at.batches = at.epoch + 1, 0
    return stepper.step_number, tuple(at.losses)


def _finite(loss: float, what: str) -> float:
    if not math.isfinite(loss):
        raise Diverged(f"diverged: {what} is not a number; try a smaller learning_rate")
    return loss


def blocks_of(passages: Sequence[str], tokenizer: Any, max_length: int) -> Blocks:
    """Concatenate the passages and cut them into blocks of ``max_length`` tokens.

    A separator follows each passage. Each block begins with the classification token and ends with the separator. The
    last block may be shorter.
    """
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    stream: list[int] = []
    for tokens in tokenizer(list(passages), add_special_tokens=False, verbose=False)["input_ids"]:
        stream += [*tokens, last]
    room = max_length - 2
    return [[first, *stream[start : start + room], last] for start in range(0, len(stream), room)]


def _masked(blocks: Blocks, tokenizer: Any, settings: Pretraining, seed: int) -> Iterator[dict[str, Tensor]]:
    """Yield mini-batches that the transformers collator masked, with their labels."""
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=settings.mlm_probability, seed=seed % 2**32)
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    for start in range(0, len(blocks), settings.batch_size):
        rows = [
            {"input_ids": block, "special_tokens_mask": [int(token in special) for token in block]}
            for block in blocks[start : start + settings.batch_size]
        ]
        yield dict(collate(rows))


def masked_loss(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the mean loss of the masked tokens, a scalar equal to ``model(**batch).loss``.

    Only the masked positions, about one in seven, are projected to the vocabulary. That projection is the largest
    matrix product of the step.
    """
    labels = batch["labels"]
    has_label = labels != -100
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, states: (states[0][has_label],))
    try:
        return nn.functional.cross_entropy(model(**inputs).logits, labels[has_label])
    finally:
        hook.remove()


@torch.inference_mode()
def _held_out_loss(model: PreTrainedModel, batches: Sequence[dict[str, Tensor]], device: str) -> float:
    """Return the mean loss of all masked tokens; NaN if there are none."""
    model.eval()
    total = count = 0.0
    for batch in batches:
        masked = int((batch["labels"] != -100).sum())
        if masked:
            total += masked * float(masked_loss(model, {name: value.to(device) for name, value in batch.items()}))
            count += masked
    return total / count if count else math.nan
