"""``taskaffinity pretrain``: continue the pre-training of an encoder on your own text."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.progress import Progress

from taskaffinity.cli.options.pretrain import (
    BatchSize,
    Device,
    EncoderOut,
    Epochs,
    LearningRate,
    MaxLength,
    MaxPassages,
    PretrainSeed,
    StartEncoder,
    Text,
)
from taskaffinity.cli.options.run import CheckpointMinutes, Quiet, ShareWithGroup
from taskaffinity.errors import InputError
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.tasks.passages import read_passages


def command(
    text: Text,
    encoder: StartEncoder,
    out: EncoderOut,
    epochs: Epochs = 1,
    learning_rate: LearningRate = 5e-5,
    batch_size: BatchSize = 32,
    max_length: MaxLength = 128,
    max_passages: MaxPassages = None,
    seed: PretrainSeed = 0,
    device: Device = "auto",
    checkpoint_minutes: CheckpointMinutes = DEFAULT_MINUTES,
    share_with_group: ShareWithGroup = False,
    quiet: Quiet = False,
) -> None:
    """Continue the pre-training of an encoder on your own text, by masked language modelling."""
    passages = read_passages(text)
    from taskaffinity.training.encoders.load import find_encoder  # loads torch, so only after the checks
    from taskaffinity.training.encoders.load_errors import is_lack_of_memory
    from taskaffinity.training.execute import gpus
    from taskaffinity.training.loop import Diverged
    from taskaffinity.training.pretraining.pretrain import Pretraining, pretrain

    if device == "cuda" and not gpus():
        raise InputError("--device cuda: this machine has no GPU that torch can use")
    place = ("cuda" if gpus() else "cpu") if device == "auto" else device
    try:
        settings = Pretraining(
            learning_rate, epochs, batch_size, max_length, seed=seed, device=place, max_passages=max_passages
        )
    except ValueError as error:
        raise InputError(f"pretrain: {error}") from error
    with Progress(console=Console(stderr=True, quiet=quiet), transient=True, disable=quiet) as progress:
        bar = progress.add_task("pre-training")

        def on_progress(step: int, steps: int, loss: float) -> None:
            progress.update(bar, completed=step, total=steps, description=f"pre-training, loss {loss:.2f}")
            tenth = 10 * step // steps
            if not quiet and not progress.console.is_terminal and tenth > 10 * (step - 1) // steps:
                print(f"{step} of {steps} steps, loss {loss:.2f}", file=sys.stderr)

        try:
            found = find_encoder(encoder)
            result = pretrain(
                passages,
                found,
                out,
                settings,
                on_progress=on_progress,
                share_with_group=share_with_group,
                checkpoint_minutes=checkpoint_minutes,
            )
        except Exception as error:
            if not isinstance(error, Diverged) and not is_lack_of_memory(error):
                raise
            said = error if isinstance(error, Diverged) else "out of memory: lower --batch-size or --max-length"
            print(f"taskaffinity: {said}", file=sys.stderr)
            raise typer.Exit(1) from error
    before, after = result.losses[0], result.losses[-1]
    print(f"{result.passages} passages, {result.steps} steps of batch size {batch_size}")
    print(f"loss on the masked tokens of {result.held_out} held-out passages: {before:.3f} before, {after:.3f} after")
    print(f"{out}: pass this folder to --encoder")
