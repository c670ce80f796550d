"""Documents in brat's standoff format: ``<name>.txt`` and ``<name>.ann`` with one annotation per line.

* ``T3<tab>Condition 186 205<tab>progressive disease`` is a mention. Offsets count the characters of the text and the
  end is exclusive. A discontinuous mention has several parts: ``start end;start end``.
* ``E5<tab>Condition:T3 Severity:T4`` is an event. Its trigger is a mention of the event's type. Its arguments are not
  read.
* ``R1<tab>Caused-By Arg1:E5 Arg2:T9`` is a directed relation between two events or mentions. An event stands for its
  trigger.
* Lines of attributes and notes (``A``, ``M``, ``N``, ``#``, ``*``) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.standoff.offsets import (
    moved_error,
    numbered_lines,
    offset_error,
    offsets_inside,
    read_text_exactly,
)
from taskaffinity.tasks.standoff.sentences import Span

_ID = "[0-9]{1,18}"
_MENTION = re.compile(rf"(T{_ID})\t(\S+) ([0-9]+ [0-9]+(?:;[0-9]+ [0-9]+)*)\t(.+)")
_EVENT = re.compile(rf"(E{_ID})\t([^\s:]+):(T{_ID})(?: [^\s:]+:[TE]{_ID})*")
_RELATION = re.compile(rf"(R{_ID})\t(\S+) Arg1:([TE]{_ID}) Arg2:([TE]{_ID})")
_PATTERNS = {
    "T": (_MENTION, "a mention", "T1, type and offsets, text between tabs"),
    "E": (_EVENT, "an event", "E1<tab>type:T1 role:id ..."),
    "R": (_RELATION, "a relation", "R1<tab>type Arg1:id Arg2:id"),
}
_IGNORED = "AMN#*"


@dataclass(frozen=True)
class Mention:
    """A mention: its id, type and offsets."""

    name: str
    kind: str
    parts: tuple[Span, ...]
    """Sorted; a discontinuous mention has several."""

    @property
    def hull(self) -> Span:
        """Start of the first part and end of the last part."""
        return self.parts[0][0], self.parts[-1][1]


@dataclass(frozen=True)
class Relation:
    """A directed relation from its first argument to its second."""

    where: str
    """File and line."""
    kind: str
    first: Mention
    second: Mention


@dataclass(frozen=True)
class Document:
    """A text, its mentions sorted by position, and its relations in file order."""

    name: str
    text: str = field(repr=False)
    mentions: tuple[Mention, ...]
    relations: tuple[Relation, ...]


def text_files(folder: Path) -> list[Path]:
    """Return the texts of a folder, sorted; those of its subfolders with an ``.ann`` file if it has none itself."""
    return sorted(folder.glob("*.txt")) or sorted(
        path for path in folder.rglob("*.txt") if path.with_suffix(".ann").exists()
    )


def read_folder(folder: Path, encoding: str | None = None) -> Iterator[tuple[Path, Document]]:
    """Yield the ``.ann`` file and the content of each document of ``text_files``.

    The name of a document in a subfolder has the names of its folders.

    Raises
    ------
    InputError
        If there is no document, or as ``read_document``.
    """
    paths = text_files(folder)
    if not paths:
        raise input_error(folder, "no text" if folder.is_dir() else "a file", "a folder of NAME.txt with NAME.ann")
    for path in paths:
        annotations = path.with_suffix(".ann")
        if not annotations.exists():
            expected = "one for each NAME.txt; an empty one if nothing is annotated"
            raise input_error(path, f"no {annotations.name} beside it", expected)
        name = path.relative_to(folder).with_suffix("").as_posix()
        yield annotations, replace(read_document(path, encoding), name=name)


def read_document(text_path: Path, encoding: str | None = None) -> Document:
    """Read and check ``<name>.txt`` and the ``.ann`` file next to it.

    Raises
    ------
    InputError
        If a file is missing or not in the encoding (UTF-8 unless given), a line does not match the format in the
        module's docstring, an id is defined twice or not at all, or a mention's text differs from the text at its
        offsets.
    """
    text, path = read_text_exactly(text_path, encoding), text_path.with_suffix(".ann")
    annotations = list(_parse_lines(path, encoding))
    mentions: dict[str, Mention] = {}
    for where, match in annotations:
        if match.re is _MENTION:
            mentions[match[1]] = _mention(where, text, match)
    triggers: dict[str, Mention] = {}
    for where, match in annotations:
        if match.re is _EVENT:
            trigger = _find_mention(where, match[3], mentions)
            if trigger.kind != match[2]:
                raise input_error(
                    where, f"trigger {match[3]} of another type than its event", "a trigger of the event's type"
                )
            triggers[match[1]] = trigger
    known = mentions | triggers
    relations = []
    for where, match in annotations:
        if match.re is _RELATION:
            first, second = _find_mention(where, match[3], known), _find_mention(where, match[4], known)
            if first == second:
                raise input_error(where, f"a relation of {first.name} with itself", "two mentions")
            relations.append(Relation(where, match[2], first, second))
    in_order = sorted(mentions.values(), key=lambda mention: (mention.hull, int(mention.name[1:])))
    return Document(text_path.stem, text, tuple(in_order), tuple(relations))


def _parse_lines(path: Path, encoding: str | None) -> Iterator[tuple[str, re.Match[str]]]:
    seen: dict[str, int] = {}
    for where, number, line in numbered_lines(path, encoding):
        if line[0] in _IGNORED:
            continue
        if line[0] not in _PATTERNS:
            raise input_error(
                where, f"a line of {len(line)} characters that is not an annotation", "a line that starts with T1"
            )
        shape, what, expected = _PATTERNS[line[0]]
        match = shape.fullmatch(line)
        if match is None:
            raise input_error(where, f"a line of {len(line)} characters that is not {what}", expected)
        if (first := seen.setdefault(match[1], number)) != number:
            raise input_error(where, f"a second {match[1]} (first: line {first})", "each id once")
        yield where, match


def _mention(where: str, text: str, match: re.Match[str]) -> Mention:
    parts = []
    for part in match[3].split(";"):
        start, end = part.split()
        parts.append(offsets_inside(where, text, start, end))
    # brat writes one blank between parts and in place of a line break
    if " ".join(text[start:end] for start, end in parts).split() != match[4].split():
        if len(parts) == 1:
            raise moved_error(where, text, parts[0], match[4], match[3])
        raise offset_error(where, match[3], len(match[4]))
    return Mention(match[1], match[2], tuple(sorted(parts)))


def _find_mention(where: str, name: str, known: dict[str, Mention]) -> Mention:
    if name not in known:
        raise input_error(where, f"argument {shown(name)}, which no line defines", "the id of a mention or an event")
    return known[name]
