"""``taskaffinity data inspect``: print sizes, lengths, labels and leaks of tasks before training."""

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
from taskaffinity.cli.options.run import Json, Tasks
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import REFINE
from taskaffinity.tasks.kinds import SCORE_KINDS, TAG_KINDS
from taskaffinity.tasks.reading import DEFAULT
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.survey import (
    labels_by_frequency,
    labels_by_split,
    n_contradictions,
    n_documents,
    n_empty,
    n_words,
    overlaps,
    tasks_of,
)
from taskaffinity.tasks.task import SPLITS, Split, Task
from taskaffinity.tasks.write_splits import write_splits

_MOST_LABELS = 20
_SHOWN = 3


def command(
    place: Annotated[
        Path, typer.Argument(help="A suite file, or a folder with one folder per task.", metavar="SUITE|DATA")
    ],
    task_names: Tasks = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of an encoder whose tokens are counted (default: words are counted)."),
    ] = None,
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Also print three training examples of each task; on a terminal only.")
    ] = False,
    all_labels: Annotated[
        bool, typer.Option("--all-labels", help="Print every label of a task (default: the 20 most frequent).")
    ] = False,
    splits: Annotated[
        Path | None,
        typer.Option(
            "--write-splits", help="Folder to write: a CSV per task with the id and the split of each example."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print sizes, text lengths and labels of tasks, and count texts that occur in two splits.

    The texts themselves are printed only with --show-text.
    """
    if show_text and not sys.stdout.isatty():
        raise InputError(
            "--show-text: the output is no terminal; expected one, because text under an agreement must not be stored"
        )
    if show_text and json:
        raise InputError("--show-text with --json: the JSON has no text; expected one of them")
    tasks = tasks_of(place)
    if task_names is not None:
        tasks = Suite(place.stem, tasks).only(task_names).tasks
    tokenizer = None
    if encoder is not None:
        from taskaffinity.training.encoders.load import find_encoder, load_tokenizer  # torch: only with --encoder

        tokenizer = load_tokenizer(find_encoder(encoder).folder)
    written = write_splits(tasks, splits) if splits is not None else []
    if json:
        print_json({"tasks": [_summary(task, tokenizer) for task in tasks], "overlaps": _overlap_rows(tasks)})
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    _print_sizes(console, tasks, tokenizer)
    if tokenizer:
        _print_sides(tasks, tokenizer)
    _print_pieces(tasks)
    console.print(_labels(tasks, most=None if all_labels else _MOST_LABELS))
    for task in tasks:
        for note in task.notes:
            print(f"note: {task.name}: {note}")
        for split in task.splits:
            if n := n_contradictions(task, split):
                print(
                    f"contradiction: {n:,} rows of {task.name} {split} have a text that also occurs "
                    "there with another label"
                )
    _print_overlaps(tasks)
    for path in written:
        print(f"{path}: the split of each example")
    if show_text:
        _print_text(console, tasks)


def _print_sizes(console: Console, tasks: Sequence[Task], tokenizer: object) -> None:
    """Print the number of examples of each split, of documents, of examples without a label, and lengths."""
    unit = "tokens" if tokenizer else "words"
    parts = [(task, split) for task in tasks for split in task.splits]
    documents, empty = ([n(*part) for part in parts] for n in (n_documents, n_empty))
    counts = {name: found for name, found in (("documents", documents), ("empty", empty)) if set(found) != {None}}
    table = _table("task", "kind", "split", "examples", *counts, "median", "longest", *(["cut"] if tokenizer else []))
    for number, (task, split) in enumerate(parts):
        lengths, cut = _lengths(task, split, tokenizer)
        row = [task.name, task.kind, split, f"{len(lengths):,}"]
        row += ["" if found[number] is None else f"{found[number]:,}" for found in counts.values()]
        table.add_row(*row, f"{median(lengths):.0f}", f"{max(lengths):,}", *([cut] if tokenizer else []))
    console.print(table)
    if "empty" in counts:
        print("empty: examples without a class (multilabel), a mention (ner) or an answer (spans)")
    print(f"median, longest: {unit} of an example")
    if tokenizer:
        own = " (or the task's max_length)" * any(task.reading.max_length for task in tasks)
        print(f"cut: examples of more than {REFINE.max_length} tokens{own}; the encoder does not see their end")
    else:
        print("give --encoder FOLDER to count tokens and cut texts")


def _summary(task: Task, tokenizer: object) -> dict[str, object]:
    """Return the JSON object of a task; lengths are in tokens of the encoder, else in words."""
    splits: dict[str, object] = {}
    for split in task.splits:
        lengths, cut = _lengths(task, split, tokenizer)
        n_cut = int(cut.removeprefix(">= ").replace(",", "")) if cut != "?" else None
        splits[split] = {
            "examples": len(lengths),
            "documents": n_documents(task, split),
            "empty": n_empty(task, split),
            "median": median(lengths),
            "longest": max(lengths),
            "cut": n_cut,
            "cut_is_exact": tokenizer is not None,
            "in_pieces": _n_in_pieces(task, split) if task.kind in TAG_KINDS else None,
            "contradictions": n_contradictions(task, split),
            "labels": {} if task.kind in SCORE_KINDS else dict(_label_counts(task, split)),
        }
    return {"task": task.name, "kind": task.kind, "splits": splits, "notes": list(task.notes)}


def _label_counts(task: Task, split: Split) -> Mapping[str, int]:
    counts = count(task.examples[split], task.kind, task.negative).labels
    return {label: counts.get(label, 0) for label in task.labels}


def _overlap_rows(tasks: Sequence[Task]) -> list[dict[str, object]]:
    return [asdict(overlap) for overlap in overlaps(tasks)]


def _lengths(task: Task, split: Split, tokenizer: object) -> tuple[list[int], str]:
    """Return the length of each example of a split, and how many are truncated."""
    if tokenizer is not None:
        from taskaffinity.training.inputs.tokenize import token_counts

        tokens = token_counts(task, split, tokenizer, REFINE.max_words)
        longer = sum(n > (task.reading.max_length or REFINE.max_length) for n in tokens)
        return tokens, "0" if task.reading.has_windows else f"{longer:,}"
    words = [n_words(example) for example in task.examples[split]]
    if task.kind in TAG_KINDS:  # a long sentence has several rows
        return words, "?"
    if task.reading.has_windows:
        return words, "0"
    longest = task.reading.max_length or REFINE.max_length
    room = longest - (3 if any(example.text_pair for example in task.examples[split]) else 2)
    return words, f">= {sum(n > room for n in words):,}"


def _print_sides(tasks: Sequence[Task], tokenizer: object) -> None:
    """Print the lengths of both sides of pairs, over all splits, and how often each side is cut."""
    from taskaffinity.training.inputs.tokenize import side_counts

    for task in tasks:
        examples = [example for split in task.splits for example in task.examples[split]]
        said = []
        for side, (lengths, n_cut) in side_counts(
            examples, tokenizer, task.reading.max_length or REFINE.max_length
        ).items():
            cut = f", cut in {0 if task.reading.has_windows else n_cut:,} pairs"
            said.append(f"{side} {median(lengths):.0f} tokens (longest {max(lengths):,}){cut}")
        if said:
            print(f"{task.name}: {'; '.join(said)}")


def _print_pieces(tasks: Sequence[Task]) -> None:
    """Print how long texts are read, and how many tagged sentences are cut in pieces before."""
    for task in tasks:
        if task.reading != DEFAULT:
            how = task.reading.describe(REFINE.max_length, task.kind)
            print(f"{task.name}: long texts: {how}")
        if n := sum(_n_in_pieces(task, split) for split in task.splits):
            sentences = f"{n:,} sentence{'s' * (n != 1)} of more than {_most_words(task)} words"
            print(f"{task.name}: {sentences}, trained and scored in pieces")


def _most_words(task: Task) -> int:
    """Return the longest sentence in words; 0 if sentences are not cut."""
    return REFINE.max_words if task.reading.max_words is None else task.reading.max_words


def _n_in_pieces(task: Task, split: Split) -> int:
    """Return how many tagged sentences of a split are cut in pieces."""
    most = _most_words(task)
    return sum(n_words(example) > most for example in task.examples[split]) if most and task.kind in TAG_KINDS else 0


def _labels(tasks: Sequence[Task], most: int | None) -> Table:
    splits = tuple(dict.fromkeys((*SPLITS, *(split for task in tasks for split in task.splits))))
    table = _table("task", "label", *splits)
    for task in tasks:
        found = labels_by_split(task)
        labels = list(found)
        if most is not None and len(labels) > most:
            labels = labels_by_frequency(task)[:most]
        for label in labels:
            counts = found[label]
            negative = " (negative)" if label == task.negative else ""
            table.add_row(task.name, f"{label}{negative}", *(counts.get(split, "") for split in splits))
        if len(labels) < len(found):
            more = f"and {len(found) - len(labels)} less frequent (--all-labels)"
            table.add_row(task.name, more, *("" for _ in splits))
    return table


def _print_overlaps(tasks: Sequence[Task]) -> None:
    found = overlaps(tasks)
    if not found:
        print(
            "no text occurs in two splits of a task, in train of two tasks, or in train of one task and test of another"
        )
    for overlap in found:
        print(overlap.described())


def _print_text(console: Console, tasks: Sequence[Task]) -> None:
    for task in tasks:
        train = task.examples["train"]
        for example in random.sample(train, min(_SHOWN, len(train))):
            console.print(f"\n{task.name} {example.id}: {example.label}", style="bold")
            for text in filter(None, (example.text, example.text_pair, " ".join(example.words), *example.options)):
                console.print(f"  {text}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        left = name in ("task", "kind", "split", "label")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    return table
