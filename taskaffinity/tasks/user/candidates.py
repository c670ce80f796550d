"""Join the rows of choice that have one candidate each: a group, a candidate, and 1 if it is the right one.

Corpora of answer selection are distributed in this form: one row per question and candidate answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import Field
from taskaffinity.tasks.user.columns import Located

Numbered = tuple[str, object, int, int]
"""The place of a row, the row, its line, and the number of bytes up to its end."""

JOINED = "<row|rows> with one candidate each, joined by their group"
LEFT_OUT = "<group|groups> without exactly one right of two or more candidates, left out because groups: one-right"
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

    @property
    def is_example(self) -> bool:
        """Whether it has two or more candidates, exactly one of them right."""
        return len(self.right) == 1 and len(self.candidates) > 1

    def unlabelled(self, *, has_ids: bool) -> dict[str, object]:
        """Return its text and its options; with ``has_ids``, its name as id."""
        name = {"id": self.row["group"]} if has_ids else {}
        return {key: self.row[key] for key in ("text", "text_pair") if key in self.row} | {
            **name,
            "options": self.candidates,
        }


def joined(rows: Located, counted: Counter[str], *, has_ids: bool, leave_out: bool = False) -> Located:
    """Yield one row per group, in the order of their first rows, with a list of options and the place of the right one.

    Parameters
    ----------
    rows
        Rows with ``group``; their own ids are not used, unless they are unique in their split only (``idx``).
    counted
        Counts the rows that were joined, and the groups that were left out.
    has_ids
        Whether the groups are ids, which the examples get; otherwise they are texts.
    leave_out
        Whether groups that are no examples are left out; otherwise they are refused.

    Raises
    ------
    InputError
        If a row has no group or no candidate, its label is not 0 or 1, or its text is not that of its group; or,
        without ``leave_out``, if a group has one row, or has not exactly one right candidate.
    """
    groups: dict[str, _Group] = {}
    for where, row in rows:
        _add(groups, where, row, has_ids=has_ids)
    found = groups.values()
    wrong = [group for group in found if not group.is_example]
    if wrong and not leave_out:
        first, n = wrong[0], len(wrong[0].candidates)
        what = f"group {shown(first.name)} of {how_many(n, 'row')}, {len(first.right)} of them right"
        more = f"; {len(wrong):,} of {how_many(len(groups), 'group')} {'is' if len(wrong) == 1 else 'are'} such"
        expected = "two or more candidates, and exactly one of them with label 1; groups: one-right leaves others out"
        raise input_error(first.where, f"{what}{more}", expected)
    examples = [group for group in found if group.is_example]
    counted[JOINED] += sum(len(group.candidates) for group in examples)
    counted[LEFT_OUT] += len(wrong)
    for group in examples:
        own_id = {"id": group.name} if has_ids and "idx" not in group.row else {}
        kept = {key: value for key, value in group.row.items() if key not in ("id", "group")}
        yield group.where, {**own_id, **kept, "options": group.candidates, "label": group.right[0]}


def joined_beside(rows: Iterable[Numbered], *, has_ids: bool) -> Iterator[Numbered]:
    """Yield one row per group of rows beside each other, with a list of options; labels are not read.

    Parameters
    ----------
    rows
        The place, the row, the line and the number of bytes up to its end.
    has_ids
        Whether the groups are ids, which the rows get.

    Raises
    ------
    InputError
        If a row has no group or no candidate, its text is not that of its group, or a group begins a second time.
    """
    seen: set[str] = set()
    now: dict[str, _Group] = {}
    at = ("", 0, 0)
    for where, row, number, end in rows:
        if not isinstance(row, dict):
            raise input_error(where, shown(row), "an object with text, group and options")
        key = _plain(row.get("group"))
        if key not in now:
            if key in seen:
                name = f"group {shown(key)}" if has_ids else "a group"
                raise input_error(where, f"{name} again", "the rows of a group beside each other")
            for group in now.values():
                yield at[0], group.unlabelled(has_ids=has_ids), *at[1:]
            now, at = {}, (where, number, end)
        group = _group_of(now, where, row, has_ids=has_ids)
        seen.update(now)
        group.candidates.append(_candidate(where, row))
        at = (at[0], at[1], end)
    for group in now.values():
        yield at[0], group.unlabelled(has_ids=has_ids), *at[1:]


def _add(groups: dict[str, _Group], where: str, row: dict[str, object], *, has_ids: bool) -> None:
    """Add the candidate of a row to its group."""
    group = _group_of(groups, where, row, has_ids=has_ids)
    candidate = _candidate(where, row)
    if _is_right(where, row.get("label")):
        group.right.append(len(group.candidates))
    group.candidates.append(candidate)


def _group_of(groups: dict[str, _Group], where: str, row: dict[str, object], *, has_ids: bool) -> _Group:
    """Return the group of a row, which is added if it is new."""
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
    return group


def _candidate(where: str, row: dict[str, object]) -> object:
    candidate = row.get("options")
    if candidate is None or (isinstance(candidate, str) and not candidate.strip()):
        raise input_error(where, "no text as candidate", "one candidate in every row")
    if not isinstance(candidate, str | int | float):
        raise input_error(where, f"{named(candidate, ())} as candidate", "one text in every row, because of group:")
    return candidate


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
