"""Training recipes: every setting that can change a score, and the paper's presets."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from taskaffinity.errors import STRICT, one_line_errors
from taskaffinity.runs.limits import MOST_BATCH, MOST_CPUS, MOST_EPOCHS, MOST_EXAMPLES, MOST_SAMPLE_SEED, MOST_TOKENS
from taskaffinity.runs.sampling import SamplingText
from taskaffinity.runs.weights import BalanceName, ClassWeights, LossWeights
from taskaffinity.tasks.splits import Split, is_test

Share = Annotated[float, Field(ge=0, lt=1)]
"""A number in [0, 1)."""


OF_THE_PAPER = ("train_on_dev", "released_classes", "reversed_pairs")
"""Settings that only the paper's protocol has."""
NOT_OF_THE_PAPER = {
    "early_stopping_patience": "trains every epoch",
    "similarity_targets": "learns scores as they are",
    "sampling": "draws every example once an epoch",
    **dict.fromkeys(("loss_weight", "class_weights", "balance"), "has no weights"),
}
"""Settings that it does not have, and what it does instead."""


@one_line_errors
@dataclass(frozen=True, config=STRICT)
class Recipe:
    """Settings of training: all that can change a score.

    The ``description`` of a field gives its meaning, its unit and its default.

    Raises
    ------
    ValueError
        If a setting has the wrong type or is out of range: one line with its name, its value and what is legal.

    Examples
    --------
    >>> Recipe(batch_size=0)
    Traceback (most recent call last):
    ...
    ValueError: batch_size is 0; it must be at least 1 and at most 1000000
    """

    learning_rate: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="Peak learning rate. The paper uses 5e-5 (section 4.2).")
    ] = 5e-5
    num_train_epochs: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_EPOCHS,
            description="Number of epochs. An epoch shows every training example of every task once, so a target gets "
            "as many updates in a pair as in a single-task run (sampling changes that).",
        ),
    ] = 10
    batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_BATCH,
            description="Examples per mini-batch, all of one task. The paper uses 32 (section 4.2).",
        ),
    ] = 32
    optimizer: Annotated[
        Literal["adamax", "adamw"],
        Field(description="Optimizer. Both have bias correction and decoupled weight decay."),
    ] = "adamax"
    weight_decay: Annotated[
        Share, Field(description="Weight decay. It applies to weights only, not to biases and layer norms.")
    ] = 0.01
    warmup_ratio: Annotated[
        Share,
        Field(
            description="Share of the run's updates in which the learning rate rises linearly from 0. It then falls "
            "linearly to 0."
        ),
    ] = 0.1
    max_grad_norm: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="Gradients are scaled down to this norm at most.")
    ] = 1.0
    head_dropout: Annotated[Share, Field(description="Dropout before the task heads.")] = 0.1
    encoder_dropout: Annotated[
        float | None,
        Field(
            ge=0,
            lt=1,
            description="Dropout in every layer of the encoder, attention included. By default the value of the "
            "encoder's configuration. 0 learns faster if a run has few updates.",
        ),
    ] = None
    max_length: Annotated[
        int,
        Field(
            ge=8,
            le=MOST_TOKENS,
            description="Longest input in tokens, special tokens included. Longer inputs are truncated; of a pair, "
            "the longer text is truncated first. A task's max_length or long: windows in the suite file comes first.",
        ),
    ] = 128
    max_words: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_TOKENS,
            description="Longest sentence of a tagging task in words. Longer sentences are split. A task's max_words "
            "in the suite file comes first.",
        ),
    ] = 30
    max_train_examples: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_EXAMPLES,
            description="Training examples per task, sampled once with sample_seed and the same for every run. By "
            "default all.",
        ),
    ] = None
    max_eval_examples: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_EXAMPLES,
            description="Dev examples per task, and as many examples of each test set. By default all.",
        ),
    ] = None
    max_dev_examples: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_EXAMPLES,
            description="Dev examples per task, sampled once with sample_seed. They select the epoch; test stays "
            "complete. By default as many as max_eval_examples.",
        ),
    ] = None
    negatives_per_positive: Annotated[
        float | None,
        Field(
            gt=0,
            allow_inf_nan=False,
            description="Training examples of a relation task's negative class per example of another class. They are "
            "sampled with sample_seed before max_train_examples applies. By default all. Dev and test stay complete.",
        ),
    ] = None
    early_stopping_patience: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_EPOCHS,
            description="Epochs without a better dev score after which the epoch of a task is final. A run ends when "
            "the epochs of all its tasks are final. The learning rate falls as if all epochs ran. By default a run "
            "trains every epoch.",
        ),
    ] = None
    precision: Annotated[
        Literal["bf16"] | None,
        Field(
            description="bf16 trains and evaluates dev in mixed precision; weights, their updates and the test scores "
            "stay in fp32. none is fp32 throughout. If you set nothing, the machine "
            "chooses: bf16 if a short trial finds it at least 1.15 times as fast, or on a GPU of compute "
            "capability 8.0 or later."
        ),
    ] = None
    protocol: Annotated[
        Literal["paper"] | None,
        Field(
            description="paper follows the released code: dev joins the training examples, every epoch is trained and "
            "the last weights are used. none selects the epoch on dev."
        ),
    ] = None
    train_on_dev: Annotated[
        bool | None,
        Field(
            description="Only with --protocol paper, which trains on dev too: false keeps dev out of the training "
            "examples. The last weights are used either way. none is true under that protocol."
        ),
    ] = None
    released_classes: Annotated[
        bool | None,
        Field(
            description="Only with --protocol paper: true trains taggers on every token, as the released code does. "
            "Tokens that continue a word, the first and the last token of a sentence are classes of their own (X, CLS, "
            "SEP) in the training loss. Predictions are tags of words."
        ),
    ] = None
    reversed_pairs: Annotated[
        bool | None,
        Field(
            description="Only with --protocol paper: true reads the second text of a pair before the first, as the "
            "released code does. Models of such runs are not exported."
        ),
    ] = None
    similarity_targets: Annotated[
        Literal["standardized"] | None,
        Field(
            description="standardized learns similarity and regression on scores with mean 0 and SD 1 in the training "
            "examples, so that their unit decides nothing; predictions are in the unit of the data. It is the default "
            "outside --protocol paper. none learns the scores as they are, as the released code and earlier versions "
            "do."
        ),
    ] = None
    sampling: SamplingText = None
    loss_weight: LossWeights = None
    class_weights: ClassWeights = None
    balance: BalanceName = None
    sample_seed: Annotated[int, Field(ge=0, le=MOST_SAMPLE_SEED, description="Seed of every sample of examples.")] = 0
    threads: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_CPUS,
            description="CPU threads of a run, 1 on a GPU. Floating-point sums depend on it, so it is part of a run.",
        ),
    ] = 1
    device: Annotated[Literal["cpu", "cuda"], Field(description="Device of a run.")] = "cpu"

    def __post_init__(self) -> None:
        for name, what in NOT_OF_THE_PAPER.items():
            if getattr(self, name) is not None and self.protocol == "paper":
                raise ValueError(f"{name}: the paper's protocol {what}; leave it out")
        if self.loss_weight is not None and self.balance is not None:
            raise ValueError("loss_weight: balance=uncertainty learns these weights; leave one of them out")
        for name in OF_THE_PAPER:
            if getattr(self, name) is not None and self.protocol != "paper":
                raise ValueError(f"{name}: a setting of --protocol paper; leave it out, or give --protocol paper")

    @property
    def trains_on_dev(self) -> bool:
        """Whether dev examples are also training examples, as in the paper's released code."""
        return self.protocol == "paper" and self.train_on_dev is not False

    def max_examples(self, split: Split) -> int | None:
        """Return the most examples of a split that a run uses; None: all."""
        if split == "train":
            return self.max_train_examples
        return self.max_eval_examples if is_test(split) else self.max_dev_examples or self.max_eval_examples


REFINE = Recipe()
"""The paper's refinement (4.2): Adamax, learning rate 5e-5, batches of 32, warm-up 0.1. It trains 10 epochs and selects
one on dev; the paper's code trains 100 and selects on test."""

PAPER_REFINE = Recipe(optimizer="adamw", num_train_epochs=100, protocol="paper")
"""The refinement of the released code. Its scripts use Adam (BertAdam) where the text says Adamax, and 100 epochs."""

FINETUNE = dataclasses.replace(REFINE, learning_rate=1e-5)
"""The paper's fine-tuning as in its text (4.2): a learning rate of the order of 1e-5, and 10 epochs. Its scripts use 10
to 30 epochs and 1e-5 to 6e-5, chosen for each task."""

FROM_SCRATCH = Recipe(learning_rate=2e-3, num_train_epochs=12, optimizer="adamw")
"""For the planted suites and their two-layer encoder with random weights. The source tasks reach 98 points, so a
partner costs them less than one point."""

FINETUNE_FROM_SCRATCH = dataclasses.replace(FROM_SCRATCH, learning_rate=5e-4, num_train_epochs=4)
"""Fine-tuning after ``FROM_SCRATCH``: a quarter of its learning rate and a third of its epochs."""


def finetune_after(recipe: Recipe, preset: Recipe) -> Recipe:
    """Return ``recipe`` with the learning rate and the number of epochs of ``preset``."""
    return dataclasses.replace(recipe, learning_rate=preset.learning_rate, num_train_epochs=preset.num_train_epochs)
