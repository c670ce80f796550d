"""Read the splits of a user's task: one file per split, one file of all splits, or the hub."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from taskaffinity.errors import InputError, input_error, meant, named
from taskaffinity.tasks.splits import Split, split_of, test_sets_of
from taskaffinity.tasks.standoff.brat import text_files
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.files import object_rows, read_rows
from taskaffinity.tasks.user.find import STEMS, find_files
from taskaffinity.tasks.user.hub import hub_parts, hub_rows, load_hub
from taskaffinity.tasks.user.jsonfile import read_split_lists
from taskaffinity.tasks.user.labels import text_of
from taskaffinity.tasks.user.layout import Layout, ending
from taskaffinity.tasks.user.shares import SplitShares, part_of
from taskaffinity.tasks.user.task_block import At, Files, UserTask

Parts = Mapping[Split, tuple[str, Located]]
"""The place of each split and its rows."""

SplitRecords = Mapping[Split, tuple[str, Iterator[tuple[str, object]]]]
"""Split -> its name in a JSON file, and its records."""

_SPLIT_OF: dict[str, Split] = {stem: split for split, stems in STEMS.items() for stem in stems}


def parts_from_files(block: UserTask, root: Path, at: At, shares: SplitShares, columns: Columns) -> Parts:
    """Return the rows of a task's files.

    A split that is a share of the training split is absent.

    Raises
    ------
    InputError
        If a file is missing, or a column that names the split of each row has another value.
    """
    layout = Layout(block.format, block.header, block.separator, block.encoding)
    lists = _lists_of(block, root, at, columns)
    files = {"train": lists[0]} if lists else files_of(block, root, at, shares)
    further = {split_of(name): _path_of(root, file) for name, file in block.tests.items()}
    _check_files({**files, **further}, at)
    without_split = replace(columns, given={name: of for name, of in columns.given.items() if name != "split"})
    tests = {split: (str(path), read_rows(path, layout, without_split)) for split, path in further.items()}
    if lists:
        path, records_of = lists
        keyed = replace(columns, of="keys")
        rows_of = {
            split: (f"{path}: {name}", object_rows(records, keyed, "a JSON object", f"{path}: {name}"))
            for split, (name, records) in records_of.items()
        }
        _check_splits(rows_of, path, f"{path.name}", block, shares, at)
        return {**rows_of, **tests}
    if "split" in block.columns:
        rows = read_rows(files["train"], layout, columns)
        return {**_parts_of_column(files["train"], rows, block, shares, at), **tests}
    return {split: (str(path), read_rows(path, layout, columns)) for split, path in files.items()} | tests


def _lists_of(block: UserTask, root: Path, at: At, columns: Columns) -> tuple[Path, SplitRecords] | None:
    """Return the file of a block that is one JSON file with all splits, and the records of each; None for other files.

    Raises
    ------
    InputError
        If the file cannot be read, or ``splits:`` names no list in it.
    """
    assert block.path is not None
    path = _path_of(root, block.path.folder)
    is_json = block.format == "jsonl" or (block.format is None and ending(path) == ".json")
    if not block.path.folder or "split" in block.columns or not is_json or not os.path.isfile(path):
        return None
    known = _SPLIT_OF | {name.strip().lower(): split for split, name in block.splits.items()}
    records = read_split_lists(path, block.encoding, known, columns.notes)
    if records is None and block.splits:
        raise input_error(
            at("splits"), f"splits: and no list of them in {path.name}", "its keys, or columns: {split: NAME}"
        )
    return None if records is None else (path, records)


def _check_files(files: Mapping[Split, Path], at: At) -> None:
    """Raise ``InputError`` if a file is missing, or is that of two splits."""
    where: dict[str, Split] = {}
    for split, path in files.items():
        key = "tests" if test_sets_of([split]) else "path"
        if not os.path.lexists(path):
            near = meant(path.name, os.listdir(path.parent)) if os.path.isdir(path.parent) else ""
            raise input_error(path, "no such file", f"the {split} file of {at(key)}{near}")
        if (other := where.setdefault(os.path.realpath(path), split)) != split:
            raise input_error(at(key), f"one file for {other} and {split}", "one file per split")


def _parts_of_column(path: Path, rows: Located, block: UserTask, shares: SplitShares, at: At) -> Parts:
    known = _SPLIT_OF | {name.strip().lower(): split for split, name in block.splits.items()}
    parts: dict[Split, list[tuple[str, dict[str, object]]]] = {}
    for where, row in rows:
        value = row.pop("split", None)
        value = text_of(value)
        split = known.get(value.lower()) if isinstance(value, str) else None
        if split is None:
            expected = f"one of {', '.join(known)}, or splits: {{train: NAME, ...}} for other names"
            raise input_error(where, f"split {named(value, known)}", expected)
        parts.setdefault(split, []).append((where, row))
    _check_splits(parts, path, "the column of the splits", block, shares, at)
    return {split: (str(path), iter(parts[split])) for split in STEMS if split in parts}


def _check_splits(parts: Collection[Split], path: Path, of: str, block: UserTask, shares: SplitShares, at: At) -> None:
    """Raise ``InputError`` if the one file of all splits lacks one, or has one that is also a share."""
    for split in STEMS:
        share = split != "train" and shares[split]
        if split in parts and share:
            raise input_error(at(split), f"{split}: and rows of {split} in {of}", "one of them")
        if split not in parts and not shares.may_lack(split):
            more = f", or {split}: 10% to take a share of train" if split != "train" else ""
            raise input_error(path, f"no row of {split} in {of}", f"some{more}")


def parts_from_hub(block: UserTask, at: At, shares: SplitShares, columns: Columns) -> Parts:
    """Return the rows of a data set of the hub, as ``parts_from_files`` does for files.

    Raises
    ------
    InputError
        If the data set cannot be loaded, or lacks a split.
    """
    splits = load_hub(block.hub, block.config, block.revision, at("hub"))
    parts = hub_parts(block, list(splits), shares, block.hub, at)
    places = {split: f"{block.hub}: {name}" for split, name in parts.items()}
    return {split: (places[split], hub_rows(splits[name], places[split], columns)) for split, name in parts.items()}


def files_of(block: UserTask, root: Path, at: At, shares: SplitShares) -> dict[Split, Path]:
    """Return the file of each split; a share of the training split has none.

    Raises
    ------
    InputError
        If a split has no file, or a file and a share.
    """
    assert block.path is not None
    said: dict[Split, str] = {"train": block.path.train, "dev": block.path.dev, "test": block.path.test}
    files = {split: _path_of(root, name) for split, name in said.items() if name}
    if block.path.folder and files:
        raise input_error(at("path"), "a folder and files", "one of them")
    if block.path.folder:
        folder = _path_of(root, block.path.folder)
        is_one = os.path.isfile(folder) or (block.format == "brat" and _is_one_of_documents(folder))
        if is_one and ("split" in block.columns or shares.may_lack("test")):
            return files_of(block.model_copy(update={"path": Files(train=block.path.folder)}), root, at, shares)
        if not os.path.lexists(folder):
            raise _no_such(folder, at)
        files = find_files(
            folder, block.format, block.kind, may_lack=[part for part in shares if shares.may_lack(part)]
        )
    if "train" not in files:
        raise input_error(at("path"), "no train file", "a folder, or {train: FILE, dev: FILE, test: FILE}")
    has_splits = "split" in block.columns
    if has_splits and len(files) > 1:
        raise input_error(at("columns"), "columns: {split: ...} for several files", "one file, path: FILE")
    for part in shares:
        if shares[part] and part in files:
            raise input_error(
                at(part), f"{part}: {part_of(block, part)}, and {files[part].name} as well", "one of them"
            )
        if not shares.may_lack(part) and part not in files and not has_splits:
            example = {"dev": "10%", "test": "20%"}[part]
            file = f"{part}{files['train'].suffix} beside {files['train'].name}"
            if not block.path.folder:
                file = f"{part}: FILE inside path:"
            raise input_error(
                at("path"), f"no {part} split", f"{file}, or {part}: {example} to take a share of the train file"
            )
    return files


def _is_one_of_documents(folder: Path) -> bool:
    """Return whether a brat folder has documents, and no folder of a split."""
    has_splits = any((folder / stem).is_dir() for stem in _SPLIT_OF)
    return any(folder.glob("*.txt")) or (not has_splits and bool(text_files(folder)))


def _no_such(path: Path, at: At) -> InputError:
    """Return the error for a path that does not exist; files have an ending."""
    what = "file" if path.suffix else "folder"
    if any(mark in path.name for mark in "*?{"):
        return input_error(
            path, "no such file", "names without * and {}, as path: {train: FILE, dev: FILE, test: FILE}"
        )
    beside = os.listdir(path.parent) if os.path.isdir(path.parent) else ()
    near = meant(path.name, (name for name in beside if os.path.isdir(path.parent / name) == (what == "folder")))
    return input_error(path, f"no such {what}", f"the one of {at('path')}{near}")


def _path_of(root: Path, name: str) -> Path:
    try:
        return root / Path(name).expanduser()
    except RuntimeError:  # ~NAME of a user who has no home folder
        return root / name
