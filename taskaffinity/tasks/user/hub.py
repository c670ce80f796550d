"""Read data sets of the Hugging Face hub with ``datasets``, an optional dependency.

Numbered classes and tags (``ClassLabel``) are read by name. ``datasets`` first looks for a local folder with the
name of the data set, and it caches its downloads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taskaffinity.errors import InputError, input_error, meant, shown
from taskaffinity.tasks.splits import Split, split_of, test_sets_of
from taskaffinity.tasks.standoff.bigbio import keys_of
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.files import DECISION, REJECTED, document_rows, is_rejected
from taskaffinity.tasks.user.find import STEMS
from taskaffinity.tasks.user.missing_splits import either, lacking, listed, share_lines, splits_line
from taskaffinity.tasks.user.shares import SplitShares
from taskaffinity.tasks.user.task_block import At, UserTask

_INSTALL = 'pip install -c constraints.txt -e ".[datasets]"'
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_CONFIGS = re.compile(r"\[('[^']*'(?:, )?)+\]")
_UNLABELLED = -1

Dataset = Mapping[str, Any]
"""Splits by name."""


def load_hub(name: str, config: str, revision: str, where: str) -> Dataset:
    """Load a data set of the hub.

    Raises
    ------
    InputError
        If ``datasets`` cannot load it, in one line.
    """
    if not _NAME.fullmatch(name):
        raise input_error(where, f"hub: {shown(name)}", "OWNER/NAME of a data set")
    load = _loader(where)
    fault: InputError | None = None
    try:
        splits: Dataset = load(name, name=config or None, revision=revision or None)
    except Exception as error:  # many error types, and a message may quote a row
        fault = _complaint(name, where, error)
    if fault:
        raise fault
    return splits


def hub_parts(block: UserTask, present: Sequence[str], shares: SplitShares, name: str, at: At) -> dict[Split, str]:
    """Map train, dev, test and further test sets to splits of a data set.

    The splits that the block gives come first, then the usual names.

    A part that is a share of the training split is absent, and so is a test part that is not needed.

    Raises
    ------
    InputError
        If a split does not exist, or is given for two parts.
    """
    parts: dict[Split, str] = {}
    lack: list[Split] = []
    given, where = block.splits, at("splits" if block.splits else "hub")
    for split, usual in STEMS.items():
        if split != "train" and shares[split]:
            if split in given:
                raise input_error(where, f"a {split} split, and a share under {split}: as well", "one of them")
            continue
        chosen = given.get(split) or next((stem for stem in usual if stem in present), None)
        if chosen is not None:
            parts[split] = chosen
        elif not shares.may_lack(split):
            lack.append(split)
    if lack:
        needed: list[Split] = [split for split in STEMS if split in {*given, *lack}]
        unused = [one for one in present if one not in parts.values()]
        line = splits_line(unused, needed, dict(given.items()))
        train = splits_line(unused, ["train"]) if "train" in lack else ""
        share = share_lines([split for split in lack if split != "test" or not block.hub], train=train)
        has = f"{name}, which has {listed(present)}"
        raise input_error(
            where, f"{lacking(lack, 'split')} in {has}", either(line * bool(unused), share) or "a data set that has it"
        )
    parts |= {split_of(test_set): chosen for test_set, chosen in block.tests.items()}
    for place, (split_or_test_set, part) in enumerate(parts.items()):
        of = at("tests") if test_sets_of([split_or_test_set]) else where
        if part not in present:
            expected = f"one of {', '.join(present)}{meant(part, present)}"
            raise input_error(of, f"no split {shown(part)} in {name}", expected)
        if part in list(parts.values())[:place]:
            raise input_error(of, f"split {shown(part)} for two parts", "one split per part")
    return parts


def hub_rows(part: Any, where: str, columns: Columns) -> Located:
    """Read ``(where, row)`` pairs from a split, as ``files.read_rows`` from a file.

    Parameters
    ----------
    where
        Data set and split. The place of a row adds its number, from 1.

    Raises
    ------
    InputError
        If a column is missing, or a row has no label.
    """
    if columns.has_documents(part.column_names):
        for number, row in enumerate(part.select_columns(list(keys_of(columns.kind))), start=1):
            yield from document_rows(f"{where} row {number}", row, columns, where)
        return
    at = columns.place(where, part.column_names)
    chosen = list(dict.fromkeys((*at.values(), *columns.options, *columns.classes_of(at))))
    names_of = {column: _names(part.features[column]) for column in chosen}
    decisions = [name for name in part.column_names if name == DECISION and name not in chosen]
    for number, row in enumerate(part.select_columns([*chosen, *decisions]), start=1):
        if is_rejected(row, columns):
            columns.notes[REJECTED] += 1
            continue
        place = f"{where} row {number}"
        named = {column: _named(place, row[column], names_of[column]) for column in chosen}
        yield place, columns.row(at, named.__getitem__)


def _names(feature: Any) -> Sequence[str] | None:
    """Return the class names of a column, or of the items of its lists.

    The result is None if the classes are not numbered.
    """
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    found: Sequence[str] | None = getattr(inner, "names", None)
    return found


def _named(where: str, value: object, names: Sequence[str] | None) -> object:
    if names is None or value is None:
        return value
    if isinstance(value, list):
        return [_named(where, item, names) for item in value]
    if value == _UNLABELLED:
        raise input_error(
            where, "label -1, which means no label", "a split with labels; choose another with splits: {test: NAME}"
        )
    if not isinstance(value, int):
        raise input_error(where, f"{type(value).__name__} as a numbered label", "a number, or a column without classes")
    if not 0 <= value < len(names):
        raise input_error(where, f"label {value}", f"a class from 0 to {len(names) - 1}")
    return names[value]


def _loader(where: str) -> Callable[..., Any]:
    try:
        import datasets
    except ImportError:
        raise input_error(where, "a data set of the hub, which needs the package datasets", _INSTALL) from None
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    load: Callable[..., Any] = datasets.load_dataset
    return load


def _complaint(name: str, where: str, error: Exception) -> InputError:
    kind, message = type(error).__name__, str(error)
    configs = _CONFIGS.search(message)
    if "scripts are no longer supported" in message:
        expected = "a data set of data files; try revision: refs/convert/parquet"
        found = f"{name}, which needs a loading script; `datasets` no longer runs scripts"
        return input_error(where, found, expected)
    if configs and "onfig" in message:
        return input_error(
            where, f"{name} without one of its configurations", f"config: one of {configs.group()[1:-1]}"
        )
    if isinstance(error, ConnectionError) or "Offline" in kind:
        expected = "a network connection without HF_HUB_OFFLINE, or a data set that was loaded before"
        return input_error(where, f"{name}, which is not in the cache, and the hub cannot be reached", expected)
    if "NotFound" in kind:
        return input_error(
            where, f"no data set {name}", "OWNER/NAME; for a gated data set, log in first: `hf auth login`"
        )
    return input_error(
        where, f"{name}, which `datasets` cannot load ({kind})", "a data set of parquet, JSON, CSV or text"
    )
