"""Read JSON files of five forms.

These are an object per line, a list of objects, one object that has such a list under ``data`` or a similar key, one
object that has objects under their ids, or SQuAD's articles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.lines import parse_line, read_lines
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
    for number, line in enumerate(lines, start=1):
        yield (
            f"{path}: line {number}",
            parse_line(f"{path}: line {number}", line, is_cut=not ended and number == len(lines)),
        )


def _list(path: Path, text: str) -> Iterator[tuple[str, object]]:
    parsed = parse_line(str(path), text, is_document=True)
    assert isinstance(parsed, list)
    return question_rows(path, {"data": parsed}) if has_articles({"data": parsed}) else _records(path, parsed)


def _records(path: Path, records: list[object]) -> Iterator[tuple[str, object]]:
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
    if isinstance(parsed, Mapping) and has_articles(parsed):
        return question_rows(path, parsed)
    wrapped = [parsed[key] for key in _WRAPPERS if key in parsed] if isinstance(parsed, Mapping) else []
    if len(wrapped) == 1 and isinstance(wrapped[0], list) and all(isinstance(one, Mapping) for one in wrapped[0]):
        return _records(path, wrapped[0])
    if (
        not isinstance(parsed, Mapping)
        or not parsed
        or not all(isinstance(value, Mapping) for value in parsed.values())
    ):
        if is_one_line:
            return None
        raise input_error(path, f"{shown(parsed)} over several lines", _SHAPES)
    return (
        (f"{path}: record {shown(name)}", value if "id" in value else {"id": name, **value})
        for name, value in parsed.items()
    )


def _is_json(line: str) -> bool:
    try:
        parse_line("", line)
    except InputError:
        return False
    return True
