"""Functions that all converters share: locate and read an original distribution, and check its structure.

The structure is checked before anything is written. An ``InputError`` names the file and the line or element, what was
found and what is expected.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.sentences import Span
from taskaffinity.errors import InputError, input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.lines import read_bytes, read_lines, text_lines, utf8
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Split

_ENCODING = re.compile(r"""<\?xml[^>]{0,100}?\bencoding\s*=\s*(["'])([^"'<>]{1,100})\1""")


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
        No place has them all. The message names what the best place lacks, and the places searched.
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
        The file is not UTF-8, is empty, or is cut off: its last line has no line end (unless ``may_lack_end``).
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


def numbered_lines(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield ``(where, number, line)`` for each line that is not blank, numbered from 1.

    Raises
    ------
    InputError
        The file is missing or not UTF-8.
    """
    for number, line in enumerate(read_lines(path)[0], start=1):
        if line.strip():
            yield f"{path}: line {number}", number, line.strip()


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
            raise input_error(where, f"{len(header)} columns with other names", f"a header of {', '.join(names)}")
    for where, line in lines:
        fields = line.split("\t")
        if len(fields) != len(names):
            raise input_error(where, f"{len(fields)} columns", f"{len(names)}: {', '.join(names)}")
        yield where, fields


def read_text_exactly(path: Path) -> str:
    """Read a text file without converting line ends, because offsets count every character.

    Raises
    ------
    InputError
        The file is missing or not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise input_error(path, "text that is not UTF-8", "a UTF-8 text file") from None


def xml_root(path: Path) -> ET.Element:
    """Read an XML file and return its root element.

    Raises
    ------
    InputError
        The file is missing, not UTF-8, declares another encoding, is empty, or is not well-formed. The message names
        the line.
    """
    lines, _ = text_lines(path, utf8(path))
    text = "\n".join(lines)
    declared = _ENCODING.match(text)
    if declared and not text.isascii() and declared[2].casefold() not in ("utf-8", "utf8"):
        raise input_error(f"{path}: line 1", f"encoding {shown(declared[2])}", "UTF-8: save the file as UTF-8")
    fault: InputError
    try:
        return ET.fromstring(text)  # of a text, not of bytes: the declared encoding is then ignored
    except ET.ParseError as error:
        line, column = error.position
        found = f"XML that is not well-formed at column {column + 1}" if any(lines) else "an empty file"
        fault = input_error(f"{path}: line {line}", found, f"a complete document; this one has {len(lines)} lines")
    raise fault


def attribute(where: str, element: ET.Element, key: str, empty: bool = False) -> str:
    """A required attribute of an element; it may be empty only if ``empty``."""
    value = element.get(key)
    if value is None or (not value and not empty):
        raise input_error(where, f"no {key!r} on a {element.tag}", f"the attribute {key!r}")
    return value


def mention_span(where: str, text: str, start: str, end: str, mention_text: str) -> Span:
    """Offsets of a mention (end exclusive), checked against the text of its document.

    Raises
    ------
    InputError
        The offsets are not numbers, lie outside the text, or do not point to ``mention_text``.
    """
    span = offsets_inside(where, text, start, end)
    if text[span[0] : span[1]] != mention_text:
        raise offset_error(where, f"{start}-{end}", len(mention_text))
    return span


def offsets_inside(where: str, text: str, start: str, end: str) -> Span:
    """The span that two texts give, end exclusive.

    Raises
    ------
    InputError
        They are not two whole numbers, or the span is empty or outside the text.
    """
    first, last = whole_number(start), whole_number(end)
    if first is None or last is None:
        raise input_error(where, f"offsets {named(start, ())} and {named(end, ())}", "two whole numbers")
    check_inside(where, text, (first, last))
    return first, last


def check_inside(where: str, text: str, span: Span) -> None:
    """Raise ``InputError`` if a span is empty or outside the text."""
    if not 0 <= span[0] < span[1] <= len(text):
        found = f"offsets {span[0]}-{span[1]} in a text of {len(text)} characters"
        raise input_error(where, found, "start < end, inside the text")


def premise_id(premise: str) -> str:
    """A document id for all pairs with the same first text, such as the three hypotheses of a premise."""
    return hashlib.sha256(premise.encode()).hexdigest()[:16]


def without_spaces(text: str) -> str:
    """The text without white space, because corpora join the parts of a mention with or without a blank."""
    return "".join(text.split())


def offset_error(where: str, offsets: str, length: int) -> InputError:
    """The error for a mention that is not at its offsets; it quotes no text."""
    found = f"a mention of {length} characters that is not at its offsets {offsets}"
    return input_error(where, found, "offsets that point to the mention; was the text changed?")
