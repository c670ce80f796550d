"""What every converter shares: finding and reading an original distribution, and what a conversion gives.

Structure is checked here and in the converters, before anything is written: each fault is one ``InputError`` with file,
line or element id, what was found and what would do.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.sentences import Span
from taskaffinity.errors import InputError, input_error, named
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Split


@dataclass(frozen=True)
class Converted:
    """A task made from a corpus, ready for ``write_task``."""

    name: str
    card: TaskCard
    splits: Mapping[Split, Sequence[Row]] = field(repr=False)


def locate(raw: Path, needed: Mapping[str, Sequence[str]], below: Sequence[str] = ()) -> dict[str, Path]:
    """Paths of the files or folders that a corpus needs.

    They are looked for in ``raw``, in the folders ``below`` it, and beside ``raw`` where ``raw`` is one of the needed
    folders itself.

    Parameters
    ----------
    needed
        Role -> relative paths, any of which will do.
    below
        Folder names that a distribution may come in.

    Raises
    ------
    InputError
        Where no place has them all: what the best place lacks, and where was looked.
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
        places = ", ".join(str(root) for root in roots if root.is_dir()) or "no folder, since there is none"
        raise input_error(
            raw, f"no {', no '.join(lacking)} (looked in {places})", "the folder of the original distribution"
        )
    return best


def whole_lines(path: Path, *, may_lack_end: bool = False) -> Iterator[tuple[str, str]]:
    """``(where, line)`` of a text file.

    Raises
    ------
    InputError
        Not UTF-8, empty, or cut off: the last line has no end, unless the distribution's own may lack it.
    """
    lines, ended = read_lines(path)
    if not any(lines):
        raise input_error(path, "an empty file", "a split of the corpus")
    if not (ended or may_lack_end):
        raise input_error(
            f"{path}: line {len(lines)}", "a last line without its end", "a whole file; this looks cut off"
        )
    for number, line in enumerate(lines, start=1):
        yield f"{path}: line {number}", line


def entries(path: Path) -> Iterator[tuple[str, int, str]]:
    """``(where, number, line)`` of the lines that are not blank, numbered from 1; an empty file has none.

    Raises
    ------
    InputError
        No such file, or not UTF-8.
    """
    for number, line in enumerate(read_lines(path)[0], start=1):
        if line.strip():
            yield f"{path}: line {number}", number, line.strip()


def columns(
    path: Path, names: Sequence[str], *, headed: bool = False, may_lack_end: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """``(where, fields)`` of a tab-separated file.

    Parameters
    ----------
    headed
        Whether the first line must hold the names; it is not among the fields then.

    Raises
    ------
    InputError
        As ``whole_lines``, another number of columns than of names, or another header.
    """
    lines = whole_lines(path, may_lack_end=may_lack_end)
    if headed:
        where, line = next(lines)
        header = line.split("\t")
        if header != list(names):
            raise input_error(where, f"{len(header)} columns, not all so named", f"a header of {', '.join(names)}")
    for where, line in lines:
        fields = line.split("\t")
        if len(fields) != len(names):
            raise input_error(where, f"{len(fields)} columns", f"{len(names)}: {', '.join(names)}")
        yield where, fields


def whole_text(path: Path) -> str:
    """Every character, for offsets count them: line ends too.

    Raises
    ------
    InputError
        No such file, or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        kind = "no file that can be read" if isinstance(error, OSError) else "text that is not UTF-8"
        raise input_error(path, kind, "a UTF-8 text file") from None


def xml_root(path: Path) -> ET.Element:
    """Root element of an XML file.

    Raises
    ------
    InputError
        No such file, not UTF-8, empty, or XML that breaks: the line is named.
    """
    lines, _ = read_lines(path)
    fault: InputError
    try:
        return ET.fromstring("\n".join(lines).encode())
    except ET.ParseError as error:
        line, column = error.position
        found = f"XML that breaks at column {column + 1}" if any(lines) else "an empty file"
        fault = input_error(f"{path}: line {line}", found, f"a whole document; this has {len(lines)} lines")
    raise fault


def attribute(where: str, element: ET.Element, key: str, empty: bool = False) -> str:
    """An attribute that must be there, and hold something unless it may be empty."""
    value = element.get(key)
    if value is None or (not value and not empty):
        raise input_error(where, f"no {key!r} on a {element.tag}", f"the attribute {key!r}")
    return value


def mention_span(where: str, text: str, start: str, end: str, said: str) -> Span:
    """Offsets of a mention (end exclusive), checked against the text that they point into.

    Raises
    ------
    InputError
        No numbers, outside the text, or other characters there than the mention is said to have.
    """
    if not (start.isdecimal() and end.isdecimal()):
        raise input_error(where, f"offsets {named(start, ())} and {named(end, ())}", "two whole numbers")
    span = int(start), int(end)
    check_inside(where, text, span)
    if text[span[0] : span[1]] != said:
        raise misplaced(where, f"{start}-{end}", len(said))
    return span


def check_inside(where: str, text: str, span: Span) -> None:
    """Raise ``InputError`` where a span is empty or outside the text."""
    if not 0 <= span[0] < span[1] <= len(text):
        found = f"offsets {span[0]}-{span[1]} in a text of {len(text)} characters"
        raise input_error(where, found, "start < end, inside the text")


def premise_id(premise: str) -> str:
    """A document's id for the pairs of one first text: three hypotheses of a premise, several answers to a question."""
    return hashlib.sha256(premise.encode()).hexdigest()[:16]


def letters(text: str) -> str:
    """Without white space: the parts of a discontinuous mention are joined by a blank, or by none."""
    return "".join(text.split())


def misplaced(where: str, offsets: str, length: int) -> InputError:
    """The complaint about a mention that is not at its offsets; neither text is quoted."""
    found = f"a mention of {length} characters that does not stand at its offsets {offsets}"
    return input_error(where, found, "offsets that point at the mention; was the text changed?")
