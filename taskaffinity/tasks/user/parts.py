"""The splits of a user's task and their rows: from one file each, from one file with a column, or from the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from taskaffinity.errors import input_error, named
from taskaffinity.tasks.task import Split
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.files import STEMS, read_rows
from taskaffinity.tasks.user.hub import hub_parts, hub_rows, load_hub
from taskaffinity.tasks.user.layout import Layout
from taskaffinity.tasks.user.task_block import At, Shared, UserTask, files_of

Parts = Mapping[Split, tuple[str, Located]]
"""The place of each split and its rows."""

_SPLIT_OF: dict[str, Split] = {stem: split for split, stems in STEMS.items() for stem in stems}


def parts_from_files(block: UserTask, root: Path, at: At, shares: Mapping[Shared, float], columns: Columns) -> Parts:
    """The rows of the files of a task; a split that is a share of the training split is absent.

    Raises
    ------
    InputError
        If a file is missing, or a column that names the split of each row has another value.
    """
    files = files_of(block, root, at, shares)
    layout = Layout(block.format, block.header, block.separator, block.encoding)
    if "split" in block.columns:
        return _parts_of_column(files["train"], read_rows(files["train"], layout, columns), shares, at)
    return {split: (str(path), read_rows(path, layout, columns)) for split, path in files.items()}


def _parts_of_column(path: Path, rows: Located, shares: Mapping[Shared, float], at: At) -> Parts:
    parts: dict[Split, list[tuple[str, dict[str, object]]]] = {}
    for where, row in rows:
        value = row.pop("split", None)
        split = _SPLIT_OF.get(value.strip().lower()) if isinstance(value, str) else None
        if split is None:
            raise input_error(where, f"split {named(value, _SPLIT_OF)}", f"one of {', '.join(_SPLIT_OF)}")
        parts.setdefault(split, []).append((where, row))
    for split in STEMS:
        share = split != "train" and shares[split]
        if split in parts and share:
            raise input_error(at(split), f"{split}: and rows of {split} in the column", "one of them")
        if split not in parts and not share:
            more = f", or {split}: 10% to take a share of train" if split != "train" else ""
            raise input_error(path, f"no row of {split} in the column of the splits", f"some{more}")
    return {split: (str(path), iter(parts[split])) for split in STEMS if split in parts}


def parts_from_hub(block: UserTask, at: At, shares: Mapping[Shared, float], columns: Columns) -> Parts:
    """The rows of a data set of the hub, as ``parts_from_files`` from files.

    Raises
    ------
    InputError
        If the data set cannot be loaded, or lacks a split.
    """
    splits = load_hub(block.hub, block.config, block.revision, at("hub"))
    parts = hub_parts(block.hub, list(splits), block.splits, shares, at("splits" if block.splits else "hub"))
    places = {split: f"{block.hub}: {name}" for split, name in parts.items()}
    return {split: (places[split], hub_rows(splits[name], places[split], columns)) for split, name in parts.items()}
