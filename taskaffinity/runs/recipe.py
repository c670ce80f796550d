"""How to train: every setting that can change a score, and the presets of the paper."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """How to train: every setting that can change a score."""

    learning_rate: float = 5e-5
    """Peak rate (paper 4.2)."""
    num_train_epochs: int = 10
    """An epoch shows every example of every task once, so the target gets equally many updates alone and paired."""
    batch_size: int = 32
    """Sequences of one task in a mini-batch (paper 4.2)."""
    optimizer: Literal["adamax", "adamw"] = "adamax"
    """Both bias-corrected, both with decoupled weight decay (``torch.optim.Adamax`` alone would couple it)."""
    weight_decay: float = 0.01
    """On weights only: biases and layer norms are left alone."""
    warmup_ratio: float = 0.1
    """Share of the run's steps in which the rate climbs from 0; then it falls linearly to 0."""
    max_grad_norm: float = 1.0
    head_dropout: float = 0.1
    encoder_dropout: float | None = None
    """In every layer of the encoder, attention included; None for what its configuration says. 0 learns faster where a
    run has few updates."""
    max_length: int = 128
    """Word pieces, special tokens included; of a pair, the longer side loses first."""
    max_words: int = 30
    """A longer sentence of a tagging task is split."""
    max_train_examples: int | None = None
    """Drawn once by ``sample_seed``, the same for every run; None for all."""
    max_eval_examples: int | None = None
    """The same cap for dev and for test."""
    negatives_per_positive: float | None = None
    """Training examples of a relation task's negative class for each of the others, drawn by ``sample_seed`` before
    ``max_train_examples`` are; None for all. Dev and test keep theirs."""
    early_stopping_patience: int | None = None
    """Epochs without a better dev score after which a task's epoch is settled; a run ends when all its tasks' are. It
    counts alike alone and in company: what a task would gain after its patience ended is not looked at. None for all
    epochs. The rate falls as if all were to come."""
    precision: Literal["bf16"] | None = None
    """``bf16`` trains and looks at dev with matrix products in 16 bits (autocast; weights and their updates stay in 32,
    and test is scored in 32); None for 32 bits throughout. It moves scores a little, so it is part of what
    identifies a run; the command line has a machine choose it for a study by a few updates tried in both
    (``pacing.fast_precision``), unless it is told."""
    protocol: Literal["paper"] | None = None
    """``paper`` for the released code's ways: dev joins the training examples before any are drawn, all epochs, the
    weights of the last, and the update of ``training.released``; None for ours, where dev decides."""
    sample_seed: int = 0
    threads: int = 1
    """CPU threads of a run. Float sums depend on it, so it identifies a run."""
    device: Literal["cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        shares = ("warmup_ratio", "head_dropout", "weight_decay", "encoder_dropout")
        above_zero = ("learning_rate", "max_grad_norm", "negatives_per_positive")
        for name in shares + above_zero:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))  # 1 and 1.0 are one recipe, and hash as one
        at_least = {"num_train_epochs": 1, "batch_size": 1, "max_length": 8, "max_words": 1, "threads": 1}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("max_train_examples", "max_eval_examples"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1, or none for all")
        if self.early_stopping_patience is not None:
            if self.early_stopping_patience < 1:
                raise ValueError(
                    f"early_stopping_patience is {self.early_stopping_patience}; it must be at least 1, or none"
                )
            if self.protocol == "paper":
                raise ValueError("early_stopping_patience: the paper's protocol trains every epoch; leave it out")
        if self.sample_seed < 0:
            raise ValueError(f"sample_seed is {self.sample_seed}; it must be at least 0")
        for name in shares:
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1)")
        for name in above_zero:
            if getattr(self, name) is not None and not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a number above 0")
        legal_values = {
            "optimizer": ("adamax", "adamw"),
            "device": ("cpu", "cuda"),
            "precision": ("bf16", None),
            "protocol": ("paper", None),
        }
        for name, legal in legal_values.items():
            if getattr(self, name) not in legal:
                raise ValueError(f"no {name} {getattr(self, name)!r}; there are {', '.join(filter(None, legal))}")


REFINE = Recipe()
"""The paper's refinement (4.2): Adamax, 5e-5, batches of 32, warm-up 0.1; but 10 epochs with the best chosen on dev,
where the paper's code ran 100 and chose on test."""

PAPER_REFINE = Recipe(optimizer="adamw", num_train_epochs=100, protocol="paper")
"""The released code's refinement: its scripts say Adam (BertAdam), where the text says Adamax, and 100 epochs."""

PAPER_FINETUNE: dict[str, tuple[int, float]] = {
    "clinicalsts": (30, 5e-5),
    "mednli": (10, 1e-5),
    "i2b2-2010-re": (10, 2e-5),
    "shareclefe": (20, 5e-5),
    "bc5cdr-disease": (20, 6e-5),
    "bc5cdr-chemical": (20, 5e-5),
    "ddi2013-type": (10, 5e-5),
    "chemprot": (20, 2e-5),
}
"""Epochs and rate of each task's fine-tuning in the released scripts (``run_blue_fine_tune.sh``)."""

FINETUNE = dataclasses.replace(REFINE, learning_rate=1e-5)
"""The paper's fine-tuning by its text (4.2): a rate of e-5 and 10 epochs. Its scripts use 10 to 30 epochs and 1e-5 to
6e-5, chosen for each task."""

FROM_SCRATCH = Recipe(learning_rate=2e-3, num_train_epochs=12, optimizer="adamw")
"""For the planted stand-in and its two-layer encoder from random weights: the sources reach 98 points and more, so
that what a partner costs them stays well inside a point (at 10 epochs and fewer examples it came near)."""


FINETUNE_FROM_SCRATCH = dataclasses.replace(FROM_SCRATCH, learning_rate=5e-4, num_train_epochs=4)
"""What follows ``FROM_SCRATCH``: a quarter of its rate for a third of its epochs."""


def finetune_after(recipe: Recipe, preset: Recipe) -> Recipe:
    """Fine-tuning with the rate and the epochs of ``preset``, and all else as in the refinement that it starts from."""
    return dataclasses.replace(recipe, learning_rate=preset.learning_rate, num_train_epochs=preset.num_train_epochs)
