"""Split the labels of multi-label rows into classes, by one reading for the whole column.

A label is a list, a text with separators, an object class -> 0 or 1, or a list of 0 and 1 for all classes. What a list
of 0 and 1 means, and what separates the classes in a text, follows from the rows of all splits together: rows that are
read by themselves could be read in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.user.cells import parsed_names

Rows = Sequence[tuple[str, dict[str, object]]]
Key = TypeVar("Key", bound=str)

_SEPARATORS = "|;,"
MARKED = (1, "1", "1.0", "true")
UNMARKED = (0, "0", "0.0", "false")
_A_COLUMN_EACH = "or a column of 0 and 1 for each class, without a column of labels"


def split_labels(rows: Mapping[Key, Rows], labels: Sequence[str], separator: str) -> None:
    """Replace the label of each row by the list of its classes, as the file gives them.

    Parameters
    ----------
    rows
        The rows of all splits.
    labels
        The classes. Empty: not known.
    separator
        What separates the classes in a text. Empty: the one of ``|``, ``;`` and ``,`` that the texts of the column
        have.

    Raises
    ------
    InputError
        If the texts of the column have two separators, or lists of 0 and 1 have no reading or two.

    Examples
    --------
    >>> rows = {"train": [("line 1", {"label": [1, 1, 0]}), ("line 2", {"label": [0, 0, 1]})]}
    >>> split_labels(rows, ["fever", "cough", "rash"], "")
    >>> [row["label"] for _, row in rows["train"]]
    [['fever', 'cough'], ['rash']]
    """
    labelled = [(where, row) for part in rows.values() for where, row in part if "label" in row]
    separator = separator or _separator(labelled)
    for where, row in labelled:
        row["label"] = _names(where, row["label"], separator)
    filled = [(where, row, found) for where, row in labelled if isinstance(found := row["label"], list) and found]
    if not filled or not _are_vectors(filled, len(labels)):
        return
    for _, row, values in filled:
        row["label"] = [label for label, value in zip(labels, values, strict=True) if _mark(value)]


def _separator(labelled: Rows) -> str:
    """Return the separator that the texts of a column have; empty if none has one."""
    found = ""
    for where, row in labelled:
        text = row["label"]
        if not isinstance(text, str) or parsed_names(text) is not None:
            continue
        for mark in _SEPARATORS:
            if mark not in text or _brackets(text, mark):
                continue
            found = found or mark
            if mark != found:
                expected = f'label_separator: "{mark}" or "{found}", whichever stands between two classes'
                raise input_error(where, f'"{found}" and "{mark}" in the labels of the column', expected)
    return found


def _names(where: str, value: object, separator: str) -> list[object] | tuple[object, ...]:
    """Return the parts of a label, not yet as names of classes; a tuple if a format names them in any case."""
    if value is None:
        return []
    if isinstance(value, str):
        value = _listed(where, value, separator)
    if isinstance(value, dict) and list(value) == ["choices"] and isinstance(value["choices"], list):
        return value["choices"]  # as Label Studio exports several classes
    if isinstance(value, dict):
        return tuple(name for name, mark in value.items() if _is_marked(where, name, mark))
    return value if isinstance(value, list | tuple) else [value]


def _listed(where: str, text: str, separator: str) -> list[object] | dict[str, object]:
    """Return the parts of a text: a list or an object as JSON or as Python prints it, or texts between separators."""
    found = parsed_names(text)
    if found is not None:
        return found
    if _brackets(text, separator):
        expected = 'a list as JSON, such as ["a", "b"], or names between |, ; or ,'
        raise input_error(where, f"label of {len(text)} characters in brackets, which is no list", expected)
    return [part for part in (text.split(separator) if separator else [text]) if part.strip()]


def _brackets(text: str, separator: str) -> bool:
    return separator in ("", ",") and re.fullmatch(r"\s*(\[.*\]|\{.*\})\s*", text, re.DOTALL) is not None


def _are_vectors(filled: Sequence[tuple[str, dict[str, object], list[object]]], n: int) -> bool:
    """Return whether the lists of a column have a 0 or 1 for each of ``n`` classes, and are no lists of classes.

    They are if each is so long and one of them has a number twice, because a class cannot be listed twice.

    Raises
    ------
    InputError
        If both readings are possible, or the lists are such and have another length.
    """
    lengths = {len(values) for _, _, values in filled}
    if len(lengths) > 1 or lengths == {1} or any(_mark(value) is None for *_, values in filled for value in values):
        return False
    [length] = lengths
    again = next((where for where, _, values in filled if len(set(map(_mark, values))) < length), "")
    if again and length == n:
        return True
    if not again and n > length:  # a list of two of several classes
        return False
    if again:
        of = f"{how_many(n, 'name')} under labels:" if n else "no labels:"
        expected = f"labels: [NAME, ...] with a name for each number, {_A_COLUMN_EACH}"
        raise input_error(again, f"a list of {length} numbers, each 0 or 1, and {of}", expected)
    expected = f"names of classes in the lists, {_A_COLUMN_EACH}"
    raise input_error(filled[0][0], "0 and 1 in each list: two classes, or a 0 or 1 for each class", expected)


def _mark(value: object) -> bool | None:
    """Return whether a value is 1 (or true); None if it is neither 1 nor 0."""
    said = value.strip().lower() if isinstance(value, str) else value
    if isinstance(said, str | int | float):
        return True if said in MARKED else False if said in UNMARKED else None
    return None


def _is_marked(where: str, name: object, mark: object) -> bool:
    """Return whether a class's own column says 1 (or true) for a row."""
    if (said := _mark(mark)) is None:
        found = f"{named(mark, ())} in column {shown(name)}"
        raise input_error(where, found, "0 or 1, because each class has its column")
    return said
