"""Read keys inside objects: the column ``a.b`` is the key ``b`` inside the object under ``a``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def with_inner_keys(row: Mapping[str, object], columns: Iterable[str]) -> Mapping[str, object]:
    """Return the row with a value for each column that names a key inside an object.

    A key of the row that has a dot in its name wins. A column without a value is left out.

    Examples
    --------
    >>> with_inner_keys({"note": {"body": "No fever."}, "n": 1}, ["note.body", "note.date", "n"])
    {'note': {'body': 'No fever.'}, 'n': 1, 'note.body': 'No fever.'}
    >>> with_inner_keys({"a.b": 1, "a": {"b": 2}}, ["a.b"])["a.b"]
    1
    """
    found: dict[str, object] = {}
    for column in columns:
        if "." not in column or column in row:
            continue
        value: object = row
        for key in column.split("."):
            if not isinstance(value, Mapping) or key not in value:
                break
            value = value[key]
        else:
            found[column] = value
    return {**row, **found} if found else row
