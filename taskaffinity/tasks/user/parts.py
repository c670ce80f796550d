"""Read the splits of a user's task: one file per split, one file of all splits, or the hub."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.errors import InputError, input_error, meant, named, quoted, shown
from taskaffinity.tasks.splits import MainSplit, Split, split_of, test_sets_of
from taskaffinity.tasks.standoff.brat import text_files
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.files import object_rows, read_rows
from taskaffinity.tasks.user.find import STEMS, find_files
from taskaffinity.tasks.user.hub import hub_parts, hub_rows, load_hub
from taskaffinity.tasks.user.jsonfile import SplitLists, read_split_lists
from taskaffinity.tasks.user.labels import text_of
from taskaffinity.tasks.user.layout import Layout, ending
from taskaffinity.tasks.user.missing_splits import either, lacking, listed, path_line, share_lines, splits_line
from taskaffinity.tasks.user.shares import SplitShares, part_of
from taskaffinity.tasks.user.task_block import At, Files, UserTask

Parts = Mapping[Split, tuple[str, Located]]
"""The place of each split and its rows."""

_MOST_NAMES = 6

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
        path, found = lists
        _check_splits(found.names, (*found.names.values(), *found.others), str(path), path.name, block, shares, at)
        for name, n in found.others.items():
            columns.notes[f"<record|records> under {shown(name)}, which names no split, left out"] = n
        keyed = replace(columns, of="keys")
        rows_of = {
            split: (where := f"{path}: {shown(name)}", object_rows(found.records[split], keyed, "a JSON object", where))
            for split, name in found.names.items()
        }
        return {**rows_of, **tests}
    if "split" in block.columns:
        rows = read_rows(files["train"], layout, columns)
        return {**_parts_of_column(files["train"], rows, block, shares, at), **tests}
    return {split: (str(path), read_rows(path, layout, columns)) for split, path in files.items()} | tests


def _lists_of(block: UserTask, root: Path, at: At, columns: Columns) -> tuple[Path, SplitLists] | None:
    """Return the file of a block that is one JSON file with all splits, and the lists in it; None for other files.

    Raises
    ------
    InputError
        If the file cannot be read, or ``splits:`` is given for another file.
    """
    assert block.path is not None
    path = _path_of(root, block.path.folder)
    is_json = block.format == "jsonl" or (block.format is None and ending(path) == ".json")
    if not block.path.folder or "split" in block.columns or not is_json or not os.path.isfile(path):
        return None
    lists = read_split_lists(path, block.encoding, _known_splits(block), columns.is_row)
    if lists is None and block.splits:
        raise input_error(
            at("splits"), f"splits: and no list of them in {path.name}", "its keys, or columns: {split: NAME}"
        )
    return None if lists is None else (path, lists)


def _known_splits(block: UserTask) -> dict[str, Split]:
    return _SPLIT_OF | {name.strip().lower(): split for split, name in block.splits.items()}


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
    known = _known_splits(block)
    parts: dict[Split, list[tuple[str, dict[str, object]]]] = {}
    counts: Counter[object] = Counter()
    unknown: dict[object, str] = {}
    for where, row in rows:
        name = text_of(row.pop("split", None))
        counts[name] += 1
        if split := known.get(name.lower()) if isinstance(name, str) else None:
            parts.setdefault(split, []).append((where, row))
        else:
            unknown.setdefault(name, where)
    if not unknown or (_are_names(counts) and any(_lacks(split, parts, shares) for split in STEMS)):
        of = f"column {quoted(block.columns['split'])}"
        _check_splits(parts, list(map(str, counts)), f"{path}: {of}", of, block, shares, at)
    for value, where in unknown.items():
        expected = f"one of {', '.join(known)}, or splits: {{train: NAME, ...}} for other names"
        raise input_error(where, f"split {named(value, known)}", expected)
    return {split: (str(path), iter(parts[split])) for split in STEMS if split in parts}


def _are_names(counts: Mapping[object, int]) -> bool:
    """Return whether the values of a column are names and no texts of examples: few, and each in several rows."""
    return len(counts) <= _MOST_NAMES and all(isinstance(name, str) and n > 1 for name, n in counts.items())


def _lacks(split: MainSplit, parts: Collection[Split], shares: SplitShares) -> bool:
    return split not in parts and not shares.may_lack(split)


def _check_splits(
    parts: Collection[Split], names: Sequence[str], where: str, of: str, block: UserTask, shares: SplitShares, at: At
) -> None:
    """Raise ``InputError`` if the one file of all splits lacks one, or has one that is also a share.

    ``names`` are the names of splits in the file.
    """
    for part in shares:
        if part in parts and shares[part]:
            raise input_error(at(part), f"{part}: and rows of {part} in {of}", "one of them")
    if lack := [split for split in STEMS if _lacks(split, parts, shares)]:
        known = _known_splits(block)
        unused = [name for name in names if name.strip().lower() not in known]
        given: dict[Split, str] = {split: name for split, name in block.splits.items() if split not in lack}
        line = splits_line(unused, [split for split in STEMS if split in {*given, *lack}], given)
        train = splits_line(unused, ["train"]) if "train" in lack else ""
        wrong = next((meant(block.splits[split], unused) for split in lack if split in block.splits), "")
        shares_do = not unused or "split" not in block.columns  # a column with other names is refused
        ways = either(line * bool(unused), share_lines(lack, train=train) * shares_do)
        raise input_error(where, f"{lacking(lack, 'split')} among {listed(names)}", f"{ways}{wrong}")


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
    said = _named_files(block.path)
    files = {split: _path_of(root, name) for split, name in said.items()}
    if block.path.folder and files:
        raise input_error(at("path"), "a folder and files", "one of them")
    has_splits = "split" in block.columns
    if block.path.folder:
        folder = _path_of(root, block.path.folder)
        if os.path.isfile(folder) or (block.format == "brat" and _is_one_of_documents(folder)):
            if not has_splits and not shares.may_lack("test"):
                raise _one_file(folder, block, shares)
            return files_of(block.model_copy(update={"path": Files(train=block.path.folder)}), root, at, shares)
        if not os.path.lexists(folder):
            raise _no_such(folder, at)
        may_lack = [part for part in shares if shares.may_lack(part)]
        files = find_files(folder, block.format, block.kind, may_lack=may_lack, said=block.path.folder)
    if "train" not in files:
        raise input_error(at("path"), "no train file", "a folder, or {train: FILE, dev: FILE, test: FILE}")
    if has_splits and len(files) > 1:
        raise input_error(at("columns"), "columns: {split: ...} for several files", "one file, path: FILE")
    if twice := next((part for part in shares if shares[part] and part in files), None):
        raise input_error(
            at(twice), f"{twice}: {part_of(block, twice)}, and {files[twice].name} as well", "one of them"
        )
    if not has_splits and (lack := [part for part in shares if _lacks(part, files, shares)]):
        line = path_line((), ["train", *(part for part in shares if part in {*files, *lack})], said)
        raise input_error(at("path"), lacking(lack, "split"), either(share_lines(lack, "the train file"), line))
    return files


def _named_files(path: Files) -> dict[Split, str]:
    files: dict[Split, str] = {"train": path.train, "dev": path.dev, "test": path.test}
    return {split: name for split, name in files.items() if name}


def _one_file(path: Path, block: UserTask, shares: SplitShares) -> InputError:
    """Return the error for one file, or one folder of documents, without a way to its splits."""
    lack = [part for part in shares if not shares.may_lack(part)]
    if os.path.isdir(path):
        return input_error(path, "one folder of documents for all splits", share_lines(lack, "it"))
    assert block.path is not None
    column = "columns: {split: NAME} if a column names the split of each row"
    files = path_line((), ["train", *lack], {"train": block.path.folder})
    lists = "one list of objects per split, under the keys train, dev and test" * (ending(path) == ".json")
    expected = either(share_lines(lack, "this file"), column, files, lists)
    return input_error(path, "one file for all splits", expected)


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
