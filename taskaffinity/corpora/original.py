"""Locate, read and check an original distribution; all converters use these functions.

The structure is checked before anything is written. An ``InputError`` names the file and the line or element, what was
found and what is expected.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Split


@dataclass(frozen=True)
class ConvertedTask:
    """A converted task, ready for ``write_task``."""

    name: str
    card: TaskCard
    splits: Mapping[Split, Sequence[Row]] = field(repr=False)


def locate(raw: Path, needed: Mapping[str, Sequence[str]], below: Sequence[str] = ()) -> dict[str, Path]:
    """Locate the files or folders that a corpus requires.

    They are searched in ``raw`` and in its folders ``below``. If ``raw`` is one of the required folders itself, they
    are also searched next to it.

    Parameters
    ----------
    needed
        Role -> relative paths; any one of them is enough.
    below
        Folders that the distribution may be in, relative to ``raw``.

    Raises
    ------
    InputError
        If no place has them all. The message names what the best place lacks, and the places searched.
    """
    roots = [raw, *(raw / name for name in below)]
    if any(raw.name == Path(path).parts[0] for paths in needed.values() for path in paths):
        roots.append(raw.parent)
    found = [
        {role: root / path for role, paths in needed.items() for path in reversed(paths) if (root / path).exists()}
        for root in roots
    ]
    best = max(found, key=len)
    if len(best) < len(needed):
        lacking = [" or ".join(paths) for role, paths in needed.items() if role not in best]
        places = ", ".join(str(root) for root in roots if root.is_dir()) or "no folder: it does not exist"
        raise input_error(
            raw, f"no {', no '.join(lacking)} (searched in {places})", "the folder of the original distribution"
        )
    return best


def complete_lines(path: Path, *, may_lack_end: bool = False) -> Iterator[tuple[str, str]]:
    """Yield ``(where, line)`` for each line of a text file.

    Raises
    ------
    InputError
        If the file is not UTF-8, is empty, or is cut off: its last line has no line end (unless ``may_lack_end``).
    """
    lines, ended = read_lines(path)
    if not any(lines):
        raise input_error(path, "an empty file", "a split of the corpus")
    if not (ended or may_lack_end):
        raise input_error(
            f"{path}: line {len(lines)}", "a last line without a line end", "a complete file; this one looks cut off"
        )
    for number, line in enumerate(lines, start=1):
        yield f"{path}: line {number}", line


def columns(
    path: Path, names: Sequence[str], *, headed: bool = False, may_lack_end: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """Yield ``(where, fields)`` for each line of a tab-separated file.

    Parameters
    ----------
    headed
        Whether the first line is a header, which must hold the names.

    Raises
    ------
    InputError
        As ``complete_lines``, or the number of columns or the header differs.
    """
    lines = complete_lines(path, may_lack_end=may_lack_end)
    if headed:
        where, line = next(lines)
        header = line.split("\t")
        if header != list(names):
            raise input_error(
                where, f"{how_many(len(header), 'column')} with other names", f"a header of {', '.join(names)}"
            )
    for where, line in lines:
        fields = line.split("\t")
        if len(fields) != len(names):
            raise input_error(where, how_many(len(fields), "column"), f"{len(names)}: {', '.join(names)}")
        yield where, fields


def attribute(where: str, element: ET.Element, key: str, empty: bool = False) -> str:
    """Return an attribute of an element, or raise ``InputError``; it may be empty if ``empty``."""
    value = element.get(key)
    if value is None or (not value and not empty):
        raise input_error(where, f"no {key!r} on a {element.tag}", f"the attribute {key!r}")
    return value


def premise_id(premise: str) -> str:
    """Return one document id for all pairs with the same first text.

    Examples are the three hypotheses of a premise.
    """
    return hashlib.sha256(premise.encode()).hexdigest()[:16]
