"""Read JSON files of five forms.

These are an object per line (blank lines are skipped), a list of objects, one object that has such a list under
``data`` or a similar key, one object that has objects under their ids, or SQuAD's articles. One file may also hold all
splits, each under its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.lines import parse_line, read_lines
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.splits import Split
from taskaffinity.tasks.user.articles import has_articles, question_rows

_SHAPES = "one JSON object per line, a list of objects, an object with an object under each id, or SQuAD's articles"
_WRAPPERS = ("data", "examples", "instances", "rows")
"""Keys under which an object may have the list of its records."""


def read_json(path: Path, encoding: str = "") -> Iterator[tuple[str, object]]:
    """Yield ``(where, object)`` for each record.

    ``where`` has its line, its number in a list, or its id.

    An object under an id gets this id as ``id``, unless it already has one. Of articles, each question is a record.

    Raises
    ------
    InputError
        If the file cannot be read as text, or is JSON of none of these forms.
    """
    lines, ended = read_lines(path, encoding=encoding)
    filled = [number for number, line in enumerate(lines) if line and not line.isspace()]
    first = lines[filled[0]].strip() if filled else ""
    if first.startswith("["):
        yield from _list(path, "\n".join(lines))
        return
    if first.startswith("{") and (len(filled) == 1 or not _is_json(first)):
        objects = _in_an_object(path, "\n".join(lines), is_one_line=len(filled) == 1)
        if objects is not None:
            yield from objects
            return
    for number in filled:
        where, is_last = f"{path}: line {number + 1}", number + 1 == len(lines)
        yield where, parse_line(where, lines[number], is_cut=not ended and is_last)


@dataclass(frozen=True)
class SplitLists:
    """The lists of records in a file that has all splits of a task, each under its name."""

    names: Mapping[Split, str]
    """Split -> its name in the file."""
    records: Mapping[Split, Iterator[tuple[str, object]]]
    """Split -> ``(where, object)`` for each record."""
    others: Mapping[str, int]
    """Name that is no split -> number of its records."""


def read_split_lists(
    path: Path, encoding: str, known: Mapping[str, Split], is_row: Callable[[Collection[str]], bool]
) -> SplitLists | None:
    """Return the records of a file that has all splits of a task, each under its name; None for any other file.

    The records of a split are a list, objects under their ids, or SQuAD's articles. A split may lack: the file may use
    names that are not known.

    Parameters
    ----------
    known
        Name of a split, in lower case -> split.
    is_row
        Whether the keys of an object are fields of one example.

    Raises
    ------
    InputError
        If the file cannot be read as text or is broken JSON, if two names are those of one split, or if a split is no
        list of objects.
    """
    lines, _ = read_lines(path, encoding=encoding)
    text = "\n".join(lines)
    if not text.lstrip().startswith("{"):
        return None
    opening = next(line for line in lines if line.strip())
    if len(lines) > 1 and _is_json(opening):  # an object per line
        return None
    parsed = parse_line(str(path), text, is_document=True)
    assert isinstance(parsed, Mapping)  # a text that begins with a brace
    names: dict[Split, str] = {}
    found: dict[Split, Iterator[tuple[str, object]]] = {}
    others: dict[str, int] = {}
    no_records: list[str] = []
    for name, value in parsed.items():
        split = known.get(name.strip().lower())
        records = _records_of(f"{path}: {shown(name)}", value)
        if records is None:
            no_records += [name] if split else []
        elif split is None:
            others[name] = len(value)
        elif split in found:
            raise input_error(path, f"{shown(names[split])} and {shown(name)}, both for {split}", "one of them")
        else:
            names[split], found[split] = name, records
    is_wrapped = sum(name in others for name in _WRAPPERS) == 1
    if "train" not in found and (is_row(parsed) or (not found and (not others or is_wrapped))):
        return None
    if no_records and found:
        raise input_error(path, f"{shown(parsed[no_records[0]])} under {shown(no_records[0])}", "a list of objects")
    return SplitLists(names, found, others)


def _records_of(place: str, value: object) -> Iterator[tuple[str, object]] | None:
    """Return the records of a list, of an object of objects or of articles; None for any other value."""
    if isinstance(value, list):
        if not all(isinstance(one, Mapping) for one in value):
            return None
        return question_rows(place, {"data": value}) if has_articles({"data": value}) else _records(place, value)
    if not isinstance(value, Mapping):
        return None
    if has_articles(value):
        return question_rows(place, value)
    wrapped = [value[key] for key in _WRAPPERS if key in value]
    if len(wrapped) == 1 and isinstance(wrapped[0], list) and all(isinstance(one, Mapping) for one in wrapped[0]):
        return _records(place, wrapped[0])
    if not value or not all(isinstance(one, Mapping) for one in value.values()):
        return None
    if rows := _rows_of_columns(value):
        return _records(place, rows)
    return (
        (f"{place}: record {shown(name)}", one if "id" in one else {"id": name, **one}) for name, one in value.items()
    )


def _rows_of_columns(columns: Mapping[str, Mapping[str, object]]) -> list[dict[str, object]]:
    """Return the rows of a table that pandas wrote column by column (its default); none of another object.

    Each column is an object with the value of each row under its number.
    """
    first = list(next(iter(columns.values())))
    if any(whole_number(number) is None for number in first) or any(list(one) != first for one in columns.values()):
        return []
    return [{name: column[number] for name, column in columns.items()} for number in first]


def _list(path: Path, text: str) -> Iterator[tuple[str, object]]:
    parsed = parse_line(str(path), text, is_document=True)
    assert isinstance(parsed, list)
    return question_rows(path, {"data": parsed}) if has_articles({"data": parsed}) else _records(path, parsed)


def _records(path: Path | str, records: Iterable[object]) -> Iterator[tuple[str, object]]:
    for number, value in enumerate(records, start=1):
        yield f"{path}: record {number}", value


def _in_an_object(path: Path, text: str, *, is_one_line: bool) -> Iterator[tuple[str, object]] | None:
    """Return the records of an object of objects or articles; None if the file has one object per line."""
    fault: InputError | None = None
    try:
        parsed = parse_line(str(path), text, is_document=True)
    except InputError as error:
        fault = error
    if fault is not None:
        opening = text.lstrip().partition("\n")[0].rstrip()
        if not is_one_line and opening.endswith(("{", ",", ":", "[")):  # no line of JSON Lines ends like this
            raise fault
        return None
    records = _records_of(str(path), parsed) if isinstance(parsed, Mapping) else None
    if records is not None:
        return records
    if isinstance(parsed, Mapping) and isinstance(parsed.get("train"), list):
        raise input_error(path, "one file with all splits", "path: FILE, with this file and no folder")
    if is_one_line:
        return None
    raise input_error(path, f"{shown(parsed)} over several lines", _SHAPES)


def _is_json(line: str) -> bool:
    try:
        parse_line("", line)
    except InputError:
        return False
    return True
