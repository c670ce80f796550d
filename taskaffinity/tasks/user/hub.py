"""Rows of a data set of the Hugging Face hub, through ``datasets``, which is an extra.

Classes and tags that the data set numbers (``ClassLabel``) are read by their names. ``datasets`` looks for a folder of
the data set's name below the current one first, and keeps what it downloads in a cache of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taskaffinity.errors import InputError, input_error, meant, shown
from taskaffinity.tasks.task import Split
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.files import STEMS
from taskaffinity.tasks.user.task_block import Shared

_INSTALL = 'pip install -c constraints.txt -e ".[datasets]"'
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_CONFIGS = re.compile(r"\[('[^']*'(?:, )?)+\]")
_UNLABELLED = -1

Dataset = Mapping[str, Any]
"""Splits by name."""


def load_hub(name: str, config: str, revision: str, where: str) -> Dataset:
    """A data set of the hub.

    Raises
    ------
    InputError
        One line, whatever it is that ``datasets`` says.
    """
    if not _NAME.fullmatch(name):
        raise input_error(where, f"hub: {shown(name)}", "OWNER/NAME of a data set")
    load = _loader(where)
    fault: InputError | None = None
    try:
        splits: Dataset = load(name, name=config or None, revision=revision or None)
    except Exception as error:  # a dozen kinds, and a message may quote a row
        fault = _complaint(name, where, error)
    if fault:
        raise fault
    return splits


def hub_parts(
    name: str, there: Sequence[str], said: Mapping[Split, str], shares: Mapping[Shared, float], where: str
) -> dict[Split, str]:
    """Which split of the data set is which of ours: as said, else by the usual names; no dev part where it is a share.

    Raises
    ------
    InputError
        A split that is not there, or one for two parts.
    """
    parts: dict[Split, str] = {}
    for split, usual in STEMS.items():
        if split != "train" and shares[split]:
            if split in said:
                raise input_error(where, f"a {split} split, and {split}: a share as well", "one of them")
            continue
        chosen = said.get(split) or next((stem for stem in usual if stem in there), None)
        if chosen is None:
            more = ", or dev: 10% to take a share of train" if split == "dev" else ""
            raise input_error(
                where, f"no {split} split in {name}", f"splits: {{{split}: one of {', '.join(there)}}}{more}"
            )
        if chosen not in there:
            expected = f"one of {', '.join(there)}{meant(chosen, there)}"
            raise input_error(where, f"no split {shown(chosen)} in {name}", expected)
        if chosen in parts.values():
            raise input_error(where, f"split {shown(chosen)} for two parts", "a split a part")
        parts[split] = chosen
    return parts


def hub_rows(part: Any, here: str, columns: Columns) -> Located:
    """``(where, row)`` of a split, as ``files.read_rows`` gives those of a file.

    Parameters
    ----------
    here
        Data set and split; the number of the row follows, counted from 1.

    Raises
    ------
    InputError
        A column that is missing, or a row without a label.
    """
    at = columns.place(here, part.column_names)
    names_of = {field: _names(part.features[column]) for field, column in at.items()}
    for number, row in enumerate(part.select_columns(list(dict.fromkeys(at.values()))), start=1):
        place = f"{here} row {number}"
        yield place, {field: _named(place, row[column], names_of[field]) for field, column in at.items()}


def _names(feature: Any) -> Sequence[str] | None:
    """Names of the numbered classes of a column, or of the items of its lists."""
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
            where, "label -1, which stands for none", "a split with labels; splits: {test: NAME} names another"
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
    kind, said = type(error).__name__, str(error)
    configs = _CONFIGS.search(said)
    if "scripts are no longer supported" in said:
        expected = "one of data files; its copy may be there as revision: refs/convert/parquet"
        return input_error(where, f"{name}, which needs a loading script: `datasets` runs none any more", expected)
    if configs and "onfig" in said:
        return input_error(
            where, f"{name} without one of its configurations", f"config: one of {configs.group()[1:-1]}"
        )
    if isinstance(error, ConnectionError) or "Offline" in kind:
        expected = "a network and no HF_HUB_OFFLINE, or a data set that was loaded before"
        return input_error(where, f"{name}, which is not in the cache, and no hub within reach", expected)
    if "NotFound" in kind:
        return input_error(
            where, f"no data set {name}", "OWNER/NAME, or of a closed one a login first: `hf auth login`"
        )
    return input_error(
        where, f"{name}, which `datasets` cannot load ({kind})", "a data set of parquet, JSON, CSV or text"
    )
