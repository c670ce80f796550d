"""Join the rows of choice that have one candidate each: a group, a candidate, and 1 if it is the right one.

Corpora of answer selection are distributed in this form: one row per question and candidate answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.kinds import Field

Located = Iterator[tuple[str, dict[str, object]]]

JOINED = "rows with one candidate each, joined by their group"
_SHARED: tuple[Field, ...] = ("text", "text_pair", "document")
"""Fields that are equal in all rows of a group."""


@dataclass
class _Group:
    where: str
    """Place of its first row."""
    name: str
    row: dict[str, object]
    """Its first row."""
    candidates: list[object] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    """Places of the right candidates, from 0."""


def joined(rows: Located, counted: Counter[str], *, has_ids: bool) -> Located:
    """Yield one row per group, in the order of their first rows, with a list of options and the place of the right one.

    Parameters
    ----------
    rows
        Rows with ``group``; their own ids are not used, unless they are unique in their split only (``idx``).
    counted
        Counts the rows that were joined.
    has_ids
        Whether the groups are ids, which the examples get; otherwise they are texts.

    Raises
    ------
    InputError
        If a row has no group or no candidate, its label is not 0 or 1, or its text is not that of its group; or if a
        group has one row, or has not exactly one right candidate.
    """
    groups: dict[str, _Group] = {}
    for where, row in rows:
        _add(groups, where, row, has_ids=has_ids)
        counted[JOINED] += 1
    found = groups.values()
    wrong = [group for group in found if len(group.right) != 1 or len(group.candidates) == 1]
    if wrong:
        first, n = wrong[0], len(wrong[0].candidates)
        what = f"group {shown(first.name)} of {n} row{'s' * (n != 1)}, {len(first.right)} of them right"
        more = f"; {len(wrong):,} of {len(groups):,} groups are such"
        expected = "two or more candidates, and exactly one of them with label 1; leave other groups out"
        raise input_error(first.where, f"{what}{more}", expected)
    for group in found:
        own_id = {"id": group.name} if has_ids and "idx" not in group.row else {}
        kept = {key: value for key, value in group.row.items() if key not in ("id", "group")}
        yield group.where, {**own_id, **kept, "options": group.candidates, "label": group.right[0]}


def _add(groups: dict[str, _Group], where: str, row: dict[str, object], *, has_ids: bool) -> None:
    """Add the candidate of a row to its group."""
    key = _plain(row.get("group"))
    if key is None:
        raise input_error(
            where, f"{shown(row.get('group'))} as group", "the same text or number in all rows of a group"
        )
    group = groups.setdefault(key, _Group(where, key if has_ids else str(len(groups) + 1), row))
    for name in _SHARED:
        if row.get(name) != group.row.get(name):
            first = group.where.removeprefix(f"{where.rpartition(': ')[0]}: ")
            found = f"another {name} than in the first row of its group ({first})"
            raise input_error(where, found, f"one {name} for all rows of a group")
    candidate = row.get("options")
    if candidate is None or (isinstance(candidate, str) and not candidate.strip()):
        raise input_error(where, "no text as candidate", "one candidate in every row")
    if not isinstance(candidate, str | int | float):
        raise input_error(where, f"{named(candidate, ())} as candidate", "one text in every row, because of group:")
    if _is_right(where, row.get("label")):
        group.right.append(len(group.candidates))
    group.candidates.append(candidate)


def _plain(value: object) -> str | None:
    """Return the name of a group as text; None if it is none."""
    if isinstance(value, float) and value.is_integer():  # an integer column with missing values
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _is_right(where: str, value: object) -> bool:
    said = value.strip().lower() if isinstance(value, str) else value
    if said in (1, "1", "1.0", "true"):
        return True
    if said in (0, "0", "0.0", "false"):
        return False
    raise input_error(where, f"label {named(value, ())}", "0 or 1, because each row is one candidate of a group")
