"""Task files: ``DATA/<task>/{train,dev,test}.jsonl`` and ``task.json``, which says what they are.

One JSON object a line (``rows.py`` has its keys), UTF-8; ``datasets.load_dataset("json")`` reads them as they are. A
folder is written whole or not at all: beside first, then file by file by renaming, ``task.json`` last. A folder
without ``task.json`` is no task.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.lines import parse_line, read_lines
from taskaffinity.tasks.rows import Row, SplitCount, count, parse_rows
from taskaffinity.tasks.task import DEFAULT_METRIC, METRICS_OF_KIND, SPLITS, Example, Kind, Split, Task

CARD = "task.json"


class TaskCard(BaseModel):
    """What a task folder holds; the content of its ``task.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    labels: tuple[str, ...] = ()
    """Classes in the order of their ids; for ner the entity types; empty for similarity."""
    negative: str | None = None
    """The class that is trained but not scored."""
    metric: str = ""
    """One of ``METRICS_OF_KIND``; empty for the kind's own."""
    title: str = ""
    source: str = ""
    """Where the original comes from."""
    licence: str = ""
    missed: dict[Split, int] = Field(default_factory=dict)
    """Gold relations that no row was made for; empty where that is not known."""
    split: str = ""
    """How train, dev and test were made."""
    notes: dict[str, int | str] = Field(default_factory=dict)
    """What the conversion decided, and how often."""
    counts: dict[Split, SplitCount] = Field(default_factory=dict)
    sha256: dict[str, str] = Field(default_factory=dict)
    """By file name."""

    @model_validator(mode="after")
    def _holds_together(self) -> TaskCard:
        if bool(self.labels) == (self.kind == "similarity"):
            raise ValueError(f"{len(self.labels)} labels for kind {self.kind}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label that stands twice")
        if self.negative is not None and self.negative not in self.labels:
            raise ValueError(f"negative {shown(self.negative)}, which is none of the labels")
        if self.metric and self.metric not in (fitting := METRICS_OF_KIND[self.kind]):
            raise ValueError(f"metric {shown(self.metric)} for kind {self.kind}, which is none of {', '.join(fitting)}")
        return self


def read_split(path: Path, kind: Kind, labels: Sequence[str]) -> list[Example]:
    """Examples of one task file, in its order.

    Raises
    ------
    InputError
        No such file, not UTF-8, not JSON, cut off, a row that is not as ``rows.py`` says, an id twice, or no row.
    """
    examples = parse_rows(read_objects(path), kind, labels)
    if not examples:
        raise input_error(path, "no row", "at least one example")
    return examples


def write_task(folder: Path, card: TaskCard, splits: Mapping[Split, Sequence[Row]]) -> TaskCard:
    """Write a task folder and return its card, counts and hashes filled in.

    Raises
    ------
    InputError
        A row that could not be read again, an id twice in the task, or a split that is missing or empty. Nothing is
        written then.
    """
    counts: dict[Split, SplitCount] = {}
    hashes: dict[str, str] = {}
    seen: dict[str, str] = {}
    beside = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        beside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise input_error(
            folder.parent, f"no folder that can be written ({error.strerror})", "a folder for the tasks"
        ) from None
    try:
        for split in SPLITS:
            rows = [row.to_json() for row in splits.get(split, ())]
            located = ((f"{folder.name}/{split}: row {n}", row) for n, row in enumerate(rows, start=1))
            examples = parse_rows(located, card.kind, card.labels, seen)
            if not examples:
                raise input_error(f"{folder.name}/{split}", "no row", "at least one example")
            counts[split] = count(examples, card.kind, card.negative)
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
            hashes[f"{split}.jsonl"] = hashlib.sha256(content).hexdigest()
            (beside / f"{split}.jsonl").write_bytes(content)
        metric = card.metric or DEFAULT_METRIC[card.kind]
        card = card.model_copy(update={"metric": metric, "counts": counts, "sha256": hashes})
        (beside / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)  # from here to the last rename the folder is no task
        for name in (*hashes, CARD):
            os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return card


def read_card(folder: Path) -> TaskCard:
    """What a task folder says of itself.

    Raises
    ------
    InputError
        No ``task.json``, not JSON, or a key that is missing, unknown or wrong.
    """
    path = folder / CARD
    text = "\n".join(read_lines(path)[0])
    try:
        return TaskCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        found = f"key {shown(key)}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
    raise input_error(path, found, f"a task card with {', '.join(TaskCard.model_fields)}")


def read_task(folder: Path) -> Task:
    """The task of a folder. Its splits are read when they are asked for; the task can be pickled.

    Raises
    ------
    InputError
        A folder whose name no task can have; as ``read_card``; and as ``read_split`` when the examples are read.
    """
    card = read_card(folder)
    read = partial(_read, folder, card)
    try:
        return Task(folder.name, card.kind, read, card.labels, card.negative, card.metric, card.title, card.missed)
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from None


def task_folders(data: Path) -> list[Path]:
    """The folders of a data folder that have a card, by name; without what a ``write_task`` that was killed left."""
    return sorted(card.parent for card in data.glob(f"*/{CARD}") if not card.parent.name.startswith("."))


def missing_files(folder: Path) -> list[str]:
    """Names of the files that a task folder should hold and does not."""
    return [name for name in (CARD, *(f"{split}.jsonl" for split in SPLITS)) if not (folder / name).is_file()]


def _read(folder: Path, card: TaskCard, split: Split) -> list[Example]:
    path = folder / f"{split}.jsonl"
    examples = read_split(path, card.kind, card.labels)
    told = card.counts[split].rows if split in card.counts else len(examples)
    if len(examples) != told:  # a file cut at the end of a line looks whole
        raise input_error(
            path, f"{len(examples)} rows", f"the {told} that {folder / CARD} tells of; prepare the task again"
        )
    return examples


def read_objects(path: Path) -> Iterator[tuple[str, object]]:
    """``(where, object)`` of each line of a JSON Lines file.

    Raises
    ------
    InputError
        No such file, not UTF-8, or as ``parse_line``.
    """
    lines, ended = read_lines(path)
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        yield where, parse_line(where, line, is_cut=number == len(lines) and not ended)
