"""Read documents in PubTator format.

A document starts with ``pmid|t|title`` and ``pmid|a|abstract``. Tab-separated annotation lines follow, and a blank line
ends the document. A mention has pmid, start, end, text, type and possibly an id; a composite mention lists its parts in
a seventh column. A relation has pmid, its type and two arguments; relations are not read. Offsets count the characters
of title + one blank + abstract; the end is exclusive. Instead of the pmid, a document may have another id (``PMC1``).
A document that occurs twice with equal text and equal mentions, as one of the NCBI disease corpus does, is read once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.standoff.offsets import mention_span
from taskaffinity.tasks.standoff.sentences import Span

_NAME = re.compile(r"[\w.:/-]{1,40}")
"""An id of a document, such as ``10491763`` or ``PMC1``."""
REPEATED = "<document|documents> that <occurs|occur> twice, read once"
_COLUMNS = "4 (pmid, CID, chemical, disease), or {} (pmid, start, end, text, type, id, parts)"


@dataclass
class Document:
    """An abstract and its mentions, as ``(type, span)``, in the order of the file."""

    name: str
    title: str = field(repr=False)
    abstract: str = field(repr=False)
    mentions: list[tuple[str, Span]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return f"{self.title} {self.abstract}"


def read_pubtator(
    lines: Iterable[tuple[str, str]], types: Collection[str] = (), notes: Counter[str] | None = None
) -> Iterator[Document]:
    """Read and check documents from ``(where, line)`` pairs.

    Parameters
    ----------
    types
        The legal types of mentions. Empty: any.
    notes
        Counts the documents that occur again.

    Raises
    ------
    InputError
        If a line does not match the format in the module's docstring, a mention is not at its offsets, or two different
        documents have one id.
    """
    seen: dict[str, int] = {}
    for where, document in _documents(lines, types):
        content = hash((document.title, document.abstract, tuple(document.mentions)))
        if document.name not in seen:
            seen[document.name] = content
            yield document
        elif seen[document.name] != content:
            raise input_error(where, f"a second document {shown(document.name)}", "each document once")
        elif notes is not None:
            notes[REPEATED] += 1


def _documents(lines: Iterable[tuple[str, str]], types: Collection[str]) -> Iterator[tuple[str, Document]]:
    """Yield documents, each with the line of its title."""
    document: Document | None = None
    title: tuple[str, str] | None = None
    begins = where = ""
    for where, line in lines:
        if not line:
            if title:
                raise input_error(where, "a blank line after a title", "the document's abstract, pmid|a|...")
            if document:
                yield begins, document
            document = None
        elif title:
            document = Document(*title, _parse_headed(where, line, "a", title[0]))
            title = None
        elif document is None:
            pmid, begins = line.partition("|")[0], where
            title = pmid, _parse_headed(where, line, "t", pmid)
        else:
            _add_annotation(where, line, document, types)
    if title:
        raise input_error(where, "a title as the last line", "its abstract; the file looks cut off")
    if document:
        yield begins, document


def _parse_headed(where: str, line: str, letter: str, pmid: str) -> str:
    parts = line.split("|", 2)
    if len(parts) != 3 or parts[1] != letter or parts[0] != pmid or not _NAME.fullmatch(pmid):
        what = "title" if letter == "t" else "abstract"
        raise input_error(where, f"a line of {len(line)} characters that is no {what}", f"{what} as pmid|{letter}|...")
    return parts[2]


def _add_annotation(where: str, line: str, document: Document, types: Collection[str]) -> None:
    fields = line.split("\t")
    is_relation = len(fields) > 1 and (fields[1] == "CID" or (not types and whole_number(fields[1]) is None))
    if len(fields) not in (((4,) if types else (4, 5)) if is_relation else (6, 7) if types else (5, 6, 7)):
        raise input_error(where, how_many(len(fields), "column"), _COLUMNS.format("6 or 7" if types else "5 to 7"))
    if fields[0] != document.name:
        raise input_error(
            where, f"pmid {shown(fields[0])} in document {document.name}", "the same pmid, or a blank line before"
        )
    if is_relation:
        return
    if types and fields[4] not in types:
        raise input_error(where, f"type {named(fields[4], types)}", f"one of {', '.join(types)}")
    document.mentions.append((fields[4], mention_span(where, document.text, fields[1], fields[2], fields[3])))
