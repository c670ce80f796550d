"""Read and write task folders: ``DATA/<task>/{train,dev,test}.jsonl`` and ``task.json``.

``task.json`` describes the other files.

Each line is one JSON object in UTF-8 (``rows.py`` lists its keys); ``datasets.load_dataset("json")`` reads the files
too. A new folder appears complete or not at all. In a folder that exists, each file is replaced in one step,
``task.json`` last. A folder without ``task.json`` is no task. Only the owner can read a folder, unless it is shared.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from glob import escape
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from taskaffinity.atomic import LOCK, atomic_folder, atomic_write, exclusive, remove_litter
from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.private import file_mode, folder_mode, protect
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.lines import LARGEST_SETTINGS, parse_line, read_lines
from taskaffinity.tasks.rows import Row, SplitCount, count, parse_rows
from taskaffinity.tasks.task import DEFAULT_METRIC, METRICS_OF_KIND, SCORE_KINDS, SPLITS, Example, Kind, Split, Task

CARD = "task.json"
_FILES = {CARD, *(f"{split}.jsonl" for split in SPLITS)}
_DAY = 24 * 3600.0


class TaskCard(BaseModel):
    """The content of ``task.json``: a description of a task folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    labels: tuple[str, ...] = ()
    """Classes in the order of their ids. For ner, the entity types. Empty for similarity."""
    negative: str | None = None
    """The class that is trained but not scored."""
    metric: str = ""
    """One of ``METRICS_OF_KIND``. Empty: the default metric of the kind."""
    title: str = ""
    source: str = ""
    """Where the corpus comes from."""
    licence: str = ""
    missed: dict[Split, int] = Field(default_factory=dict)
    """Number of gold relations without a row, by split. Empty if unknown."""
    split: str = ""
    """How train, dev and test were made."""
    notes: dict[str, int | str] = Field(default_factory=dict)
    """Decisions of the conversion, and how often each was taken."""
    counts: dict[Split, SplitCount] = Field(default_factory=dict)
    sha256: dict[str, str] = Field(default_factory=dict)
    """Hash of each file, by file name."""

    @model_validator(mode="after")
    def _holds_together(self) -> TaskCard:
        if bool(self.labels) == (self.kind in SCORE_KINDS):
            raise ValueError(f"{how_many(len(self.labels), 'label')} for kind {self.kind}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label is listed twice")
        if self.negative is not None and self.negative not in self.labels:
            raise ValueError(f"negative {shown(self.negative)}, which is none of the labels")
        if self.metric and self.metric not in (fitting := METRICS_OF_KIND[self.kind]):
            raise ValueError(f"metric {shown(self.metric)} for kind {self.kind}, which is none of {', '.join(fitting)}")
        return self


def read_split(path: Path, kind: Kind, labels: Sequence[str]) -> list[Example]:
    """Read the examples of one task file, in the order of the file.

    Raises
    ------
    InputError
        If the file does not exist, is not UTF-8, is no JSON, is truncated or has no row; if an id occurs twice; or if
        ``rows.py`` does not accept a row.
    """
    examples = parse_rows(read_objects(path), kind, labels)
    if not examples:
        raise input_error(path, "no row", "at least one example")
    return examples


def write_task(
    folder: Path, card: TaskCard, splits: Mapping[Split, Sequence[Row]], *, share_with_group: bool = False
) -> TaskCard:
    """Write a task folder; return its card with counts and hashes.

    Parameters
    ----------
    share_with_group : bool
        Whether the group may read the folder (modes 0750 and 0640); otherwise only its owner can (0700 and 0600).

    Raises
    ------
    InputError
        If a row could not be read again, an id occurs twice in the task, or a split is missing or empty. Then nothing
        is written.
    """
    counts: dict[Split, SplitCount] = {}
    hashes: dict[str, str] = {}
    seen: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for split in SPLITS:
        rows = [row.to_json() for row in splits.get(split, ())]
        located = ((f"{folder.name}/{split}: row {n}", row) for n, row in enumerate(rows, start=1))
        examples = parse_rows(located, card.kind, card.labels, seen)
        if not examples:
            raise input_error(f"{folder.name}/{split}", "no row", "at least one example")
        counts[split] = count(examples, card.kind, card.negative)
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        hashes[f"{split}.jsonl"] = hashlib.sha256(content).hexdigest()
        contents[f"{split}.jsonl"] = content
    metric = card.metric or DEFAULT_METRIC[card.kind]
    card = card.model_copy(update={"metric": metric, "counts": counts, "sha256": hashes})
    contents[CARD] = (card.model_dump_json(indent=1) + "\n").encode()
    _replace_files(folder, contents, share_with_group)
    return card


def _replace_files(folder: Path, contents: Mapping[str, bytes], share_with_group: bool) -> None:
    """Write the files of a task folder, the card last."""
    try:
        _remove_old_litter(folder)
        remove_litter(folder.parent)  # also litter of a process that was killed after its last rename
        if not folder.exists():
            with suppress(FileExistsError), atomic_folder(folder, mode=0o700) as beside:  # another process may be first
                for name, content in contents.items():
                    (beside / name).write_bytes(content)
                protect(beside, share_with_group=share_with_group)
                return
        _check_is_ours(folder, contents)
        with exclusive(folder):
            folder.chmod(folder_mode(share_with_group))
            (folder / CARD).unlink(missing_ok=True)
            for name, content in contents.items():
                with atomic_write(folder / name, file_mode(share_with_group)) as file:
                    file.write(content)
    except OSError as error:
        raise input_error(
            error.filename or folder,
            f"nothing that can be written ({error.strerror})",
            "a folder for the tasks, with room",
        ) from None


def _check_is_ours(folder: Path, names: Iterable[str]) -> None:
    """Raise ``InputError`` if a folder without ``task.json`` holds files that would be replaced.

    A lock shows that an earlier command was killed while it replaced the files.
    """
    if not any((folder / name).exists() for name in (CARD, LOCK)):
        for name in names:
            if (folder / name).exists():
                raise input_error(folder / name, "a file that exists, and no task.json beside it", "another --out")


def _remove_old_litter(folder: Path) -> None:
    """Remove litter of earlier versions beside the folder, if it is more than a day old."""
    for beside in folder.parent.glob(f".{escape(folder.name)}.*"):
        with suppress(OSError):
            is_ours = beside.suffix[1:].isdecimal() and {path.name for path in beside.iterdir()} <= _FILES
            if is_ours and time.time() - beside.stat().st_mtime > _DAY:
                shutil.rmtree(beside)


def read_card(folder: Path) -> TaskCard:
    """Read the card of a task folder.

    Raises
    ------
    InputError
        If ``task.json`` does not exist or is not JSON, or if a key is missing, unknown or wrong.
    """
    path = folder / CARD
    text = "\n".join(read_lines(path, LARGEST_SETTINGS)[0])
    parse_line(str(path), text)  # names a key that occurs twice
    try:
        return TaskCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        found = f"key {shown(key)}: {first['msg']}" if key else first["msg"].removeprefix("Value error, ")
    raise input_error(path, found, f"a task card with {', '.join(TaskCard.model_fields)}")


def read_task(folder: Path) -> Task:
    """Read the task of a folder.

    The examples are read when they are first used. The task can be pickled.

    Raises
    ------
    InputError
        If the folder's name is no legal task name; as ``read_card``; and as ``read_split`` when the examples are read.
    """
    card = read_card(folder)
    read = partial(_read, folder, card)
    try:
        return Task(folder.name, card.kind, read, card.labels, card.negative, card.metric, card.title, card.missed)
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from None


def task_folders(data: Path) -> list[Path]:
    """Return the task folders in a data folder, sorted by name.

    Temporary folders of ``write_task`` are skipped.
    """
    return sorted(card.parent for card in data.glob(f"*/{CARD}") if not card.parent.name.startswith("."))


def missing_files(folder: Path) -> list[str]:
    """Return the names of the files that a task folder lacks."""
    return [name for name in (CARD, *(f"{split}.jsonl" for split in SPLITS)) if not (folder / name).is_file()]


def _read(folder: Path, card: TaskCard, split: Split) -> list[Example]:
    path = folder / f"{split}.jsonl"
    examples = read_split(path, card.kind, card.labels)
    expected = card.counts[split].rows if split in card.counts else len(examples)
    if len(examples) != expected:  # a file that was cut between two lines is still valid JSON
        raise input_error(
            path, how_many(len(examples), "row"), f"{expected}, as {folder / CARD} says; prepare the task again"
        )
    return examples


def read_objects(path: Path) -> Iterator[tuple[str, object]]:
    """Yield ``(where, object)`` for each line of a JSON Lines file.

    Raises
    ------
    InputError
        If the file does not exist or is not UTF-8, or as ``parse_line`` raises.
    """
    lines, ended = read_lines(path)
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        yield where, parse_line(where, line, is_cut=number == len(lines) and not ended)
