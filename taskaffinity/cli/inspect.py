"""``taskaffinity data inspect``: what tasks hold, before anything is trained on them."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.options.run import Json
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import REFINE
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.survey import labels_by_split, n_words, overlaps, tasks_of
from taskaffinity.tasks.task import SPLITS, Split, Task

_MOST_LABELS = 20
_SHOWN = 3


def command(
    place: Annotated[Path, typer.Argument(help="A suite file, or a folder of task folders.", metavar="SUITE|DATA")],
    encoder: Annotated[
        str | None, typer.Option(help="Encoder whose tokens are counted; without it, words are.")
    ] = None,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Also three training examples of each task, on a terminal only.")
    ] = False,
    json: Json = False,
) -> None:
    """Print sizes, lengths, labels, and texts that occur in two places; never the texts themselves."""
    if show_text and not sys.stdout.isatty():
        raise InputError(
            "--show-text: only where the output is a terminal, for text under an agreement stays off disks"
        )
    tasks = tasks_of(place)
    tokenizer = None
    if encoder is not None:
        from taskaffinity.training.encoders import find_encoder, load_tokenizer  # torch: only where it is asked for

        tokenizer = load_tokenizer(find_encoder(encoder).folder)
    if json:
        print_json({"tasks": [_summary(task, tokenizer) for task in tasks], "overlaps": _overlap_rows(tasks)})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    unit = "tokens" if tokenizer else "words"
    table = _table("task", "kind", "split", "examples", "median", "longest", "cut")
    for task in tasks:
        for split in SPLITS:
            lengths, cut = _lengths(task, split, tokenizer)
            middle = f"{median(lengths):.0f}"
            table.add_row(task.name, task.kind, split, f"{len(lengths):,}", middle, f"{max(lengths):,}", cut)
    console.print(table)
    print(f"median, longest: {unit} of an example")
    if tokenizer:
        print(f"cut: examples of more than {REFINE.max_length} tokens, whose end the encoder does not see")
    else:
        print(f"cut: by words alone; --encoder NAME counts the pieces, of which the encoder sees {REFINE.max_length}")
    console.print(_labels(tasks))
    _print_overlaps(tasks)
    if show_text:
        _print_text(console, tasks)


def _summary(task: Task, tokenizer: object) -> dict[str, object]:
    """What ``--json`` says of a task; lengths are in tokens of the encoder, else in words."""
    splits: dict[str, object] = {}
    for split in SPLITS:
        lengths, cut = _lengths(task, split, tokenizer)
        n_cut = int(cut.removeprefix(">= ").replace(",", "")) if cut != "?" else None
        splits[split] = {
            "examples": len(lengths),
            "median": median(lengths),
            "longest": max(lengths),
            "cut": n_cut,
            "cut_is_exact": tokenizer is not None,
            "labels": {} if task.kind == "similarity" else dict(_label_counts(task, split)),
        }
    return {"task": task.name, "kind": task.kind, "splits": splits}


def _label_counts(task: Task, split: Split) -> Mapping[str, int]:
    counts = count(task.examples[split], task.kind, task.negative).labels
    return {label: counts.get(label, 0) for label in task.labels}


def _overlap_rows(tasks: Sequence[Task]) -> list[dict[str, object]]:
    return [asdict(overlap) for overlap in overlaps(tasks)]


def _lengths(task: Task, split: Split, tokenizer: object) -> tuple[list[int], str]:
    """Length of each example of a split, and how many are cut."""
    if tokenizer is not None:
        from taskaffinity.training.inputs.tokenize import token_counts

        pieces = token_counts(task, split, tokenizer, REFINE.max_words)
        return pieces, f"{sum(n > REFINE.max_length for n in pieces):,}"
    words = [n_words(example) for example in task.examples[split]]
    if task.kind == "ner":  # long sentences are several rows
        return words, "?"
    room = REFINE.max_length - (3 if any(example.text_pair for example in task.examples[split]) else 2)
    return words, f">= {sum(n > room for n in words):,}"


def _labels(tasks: Sequence[Task]) -> Table:
    table = _table("task", "label", *SPLITS)
    for task in tasks:
        found = labels_by_split(task)
        for label, counts in list(found.items())[:_MOST_LABELS]:
            negative = " (negative)" if label == task.negative else ""
            table.add_row(task.name, f"{label}{negative}", *(counts[split] for split in SPLITS))
        if len(found) > _MOST_LABELS:
            table.add_row(task.name, f"and {len(found) - _MOST_LABELS} more", *("" for _ in SPLITS))
    return table


def _print_overlaps(tasks: Sequence[Task]) -> None:
    found = overlaps(tasks)
    if not found:
        print("no text stands in two splits, or in two tasks' training parts, or in one's training and another's test")
    for overlap in found:
        part = f"{overlap.task} {overlap.split}"
        print(f"overlap: {overlap.examples:,} examples of {part} have a text of {overlap.other} {overlap.other_split}")


def _print_text(console: Console, tasks: Sequence[Task]) -> None:
    for task in tasks:
        train = task.examples["train"]
        for example in random.sample(train, min(_SHOWN, len(train))):
            console.print(f"\n{task.name} {example.id}: {example.label}", style="bold")
            for text in filter(None, (example.text, example.text_pair, " ".join(example.words))):
                console.print(f"  {text}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        left = name in ("task", "kind", "split", "label")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    return table
