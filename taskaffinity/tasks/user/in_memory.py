"""Tasks from data sets in memory: a ``datasets.DatasetDict``, or plain mappings of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from taskaffinity.errors import input_error, quoted, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.task import A_NAME, Kind, Split, Task, is_name
from taskaffinity.tasks.user.columns import Columns, Located, column_of
from taskaffinity.tasks.user.examples import columns_of, make_task, with_missed
from taskaffinity.tasks.user.files import object_rows
from taskaffinity.tasks.user.hub import hub_parts, hub_rows
from taskaffinity.tasks.user.other_names import meant_key
from taskaffinity.tasks.user.shares import shares_of
from taskaffinity.tasks.user.task_block import UserTask, check, describe_fault

_OPTIONS = (
    *("kind", "labels", "negative", "metric", "title", "splits", "train", "dev", "test", "tests", "options"),
    *("max_length", "max_words", "long", "stride", "pool", "windowed"),
)
"""Keys of a suite file that also apply to data in memory."""

_A_TASK = "a tuple (data, columns) or (data, columns, options)"
_ROWS = "a mapping of column name to value"

Rows = list[Mapping[str, object]]


def read_datasets(datasets: Mapping[str, tuple[Any, ...]], suite: str, *, needs_test: bool = True) -> tuple[Task, ...]:
    """Read the tasks of ``Suite.from_datasets`` and check every example.

    Raises
    ------
    InputError
        At the first fault: one line with the task, the split and the row.
    """
    if not is_name(suite):
        raise input_error("suite", f"name {quoted(suite)}", A_NAME)
    if not isinstance(datasets, Mapping):
        raise input_error(f"suite {suite}", shown(datasets), f"a mapping of task name to {_A_TASK}")
    if len(datasets) < 2:
        n = len(datasets)
        raise input_error(f"suite {suite}", how_many(n, "task"), "two or more, which are trained together")
    return tuple(_read_task(name, given, suite, needs_test=needs_test) for name, given in datasets.items())


def _read_task(name: str, given: object, suite: str, *, needs_test: bool) -> Task:
    if not is_name(name):
        raise input_error(f"suite {suite}", f"task {quoted(name)}", A_NAME)
    where = f"task {name}"
    if not isinstance(given, tuple | list) or not 2 <= len(given) <= 3:
        found = how_many(len(given), "<entry|entries>") if isinstance(given, tuple) else shown(given)
        raise input_error(where, found, _A_TASK)
    data, columns, options = (*given, {}) if len(given) == 2 else given
    for what, value in (("columns", columns), ("options", options)):
        if not isinstance(value, Mapping):
            raise input_error(where, f"{shown(value)} as {what}", "a mapping")
    if not isinstance(data, Mapping) or not data:
        expected = "a mapping of split names to rows, such as a datasets.DatasetDict"
        raise input_error(
            where, "no split" if isinstance(data, Mapping) else f"{type(data).__name__} as data", expected
        )
    for option in options:
        if option not in _OPTIONS:
            expected = f"one of {', '.join(_OPTIONS)}{meant_key(option, _OPTIONS)}"
            raise input_error(where, f"unknown option {quoted(option)}", expected)

    def at(key: str) -> str:
        return where

    parts = {str(split): part if _is_dataset(part) else _rows_of(part, where, split) for split, part in data.items()}
    kind = options.get("kind") or _kind_of(next(iter(parts.values())), columns, options)
    task = _task_block(kind, columns, options, where)
    check(task, at)
    shares = shares_of(task, at, needs_test=needs_test)
    names = hub_parts(task, list(parts), shares, where, at)
    how = columns_of(task)
    located: dict[Split, tuple[str, Located]] = {}
    for split, part in names.items():
        place = f"{where}: {part}"
        rows = parts[part]
        located[split] = (place, _located(rows, place, how) if isinstance(rows, list) else hub_rows(rows, place, how))
    return with_missed(make_task(name, task, located, at, how.notes), how, located, shares)


def _task_block(kind: object, columns: Mapping[str, str], options: Mapping[str, object], where: str) -> UserTask:
    labels = options.get("labels", ())
    if isinstance(labels, Iterable) and not isinstance(labels, str):
        labels = tuple(
            str(label) if isinstance(label, int) and not isinstance(label, bool) else label for label in labels
        )
    try:
        return UserTask.model_validate({**options, "kind": kind, "columns": dict(columns), "labels": labels})
    except ValidationError as error:
        fault = describe_fault(error, where)
    raise fault


def _is_dataset(part: object) -> bool:
    """Return whether a split is a ``datasets.Dataset``, with columns and class names."""
    return hasattr(part, "select_columns") and getattr(part, "features", None) is not None


def _rows_of(part: object, where: str, split: object) -> Rows:
    if not isinstance(part, Iterable) or isinstance(part, str | Mapping):
        raise input_error(f"{where}: {split}", shown(part), f"rows, each {_ROWS}")
    return list(part)


def _located(rows: Rows, place: str, columns: Columns) -> Located:
    plain = ((f"{place} row {number}", _plain(row)) for number, row in enumerate(rows, start=1))
    return object_rows(plain, columns, _ROWS, place)


def _plain(row: object) -> object:
    """Return a row with Python values for numpy values and a list for every sequence."""
    return {key: _value(value) for key, value in row.items()} if isinstance(row, Mapping) else row


def _value(value: object) -> object:
    if hasattr(value, "tolist"):
        value = value.tolist()  # of objects, which may have arrays in turn
    if isinstance(value, Mapping):
        return {key: _value(item) for key, item in value.items()}
    return [_value(item) for item in value] if isinstance(value, tuple | list) else value


def _kind_of(part: Any, columns: Mapping[str, str], options: Mapping[str, object]) -> Kind:
    """Return the kind that the columns and labels of a split suggest."""
    if isinstance(part, list):
        names: Collection[str] = part[0] if part and isinstance(part[0], Mapping) else ()
    else:
        names = part.column_names
    if column_of("tags", columns, names) and not column_of("text", columns, names):
        return "ner"
    if options.get("options") or column_of("options", columns, names):
        return "choice"
    if any(name in names for name in ("answers", "answer_start")) or "start" in columns:
        return "spans"
    label = column_of("label", columns, names) or next((name for name in ("score", "labels") if name in names), None)
    if any(isinstance(value, list) for value in _labels_in(part, label)):
        return "multilabel"
    has_scores = any(isinstance(value, float) for value in _labels_in(part, label))
    if not column_of("text_pair", columns, names):
        return "regression" if has_scores else "classification"
    return "similarity" if has_scores else "inference"


def _labels_in(part: Any, column: str | None) -> Iterator[object]:
    if column is None:
        return
    for row in part if isinstance(part, list) else part.select_columns([column]):
        yield _value(row.get(column)) if isinstance(row, Mapping) else None
