"""Options of ``pretrain``: the text, and how to train on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from taskaffinity.cli.options.numbers import integer_option, number_option
from taskaffinity.cli.options.run import DATA, EXECUTION, OUTPUT, TRAINING
from taskaffinity.runs.limits import MOST_BATCH, MOST_EPOCHS, MOST_EXAMPLES, MOST_SAMPLE_SEED, MOST_TOKENS

Text = Annotated[
    list[Path],
    typer.Option(
        help="Text to train on: .txt (one passage per line) or .jsonl (task files); repeatable.",
        rich_help_panel=DATA,
    ),
]
StartEncoder = Annotated[
    str, typer.Option(help="Folder or hub id of the transformers encoder to start from.", rich_help_panel=TRAINING)
]
EncoderOut = Annotated[
    Path, typer.Option(help="Folder to write; pass it to --encoder of other commands.", rich_help_panel=OUTPUT)
]
Epochs = Annotated[
    int, integer_option(1, MOST_EPOCHS, help="Number of passes over the text.", rich_help_panel=TRAINING)
]
LearningRate = Annotated[
    float, number_option(1e-12, 10.0, help="Peak learning rate of AdamW.", rich_help_panel=TRAINING)
]
BatchSize = Annotated[int, integer_option(1, MOST_BATCH, help="Blocks per mini-batch.", rich_help_panel=TRAINING)]
MaxLength = Annotated[int, integer_option(8, MOST_TOKENS, help="Tokens per block.", rich_help_panel=TRAINING)]
MaxPassages = Annotated[
    int | None,
    integer_option(2, MOST_EXAMPLES, help="Number of passages, drawn by --seed (default: all).", rich_help_panel=DATA),
]
PretrainSeed = Annotated[
    int,
    integer_option(0, MOST_SAMPLE_SEED, help="Seed of held-out passages, order and masks.", rich_help_panel=TRAINING),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(help="Device to train on; auto: a GPU if there is one.", rich_help_panel=EXECUTION),
]
