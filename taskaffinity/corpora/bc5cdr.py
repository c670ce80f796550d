"""BC5CDR in PubTator format: the tasks ``bc5cdr-disease`` and ``bc5cdr-chemical``.

The corpus has 1,500 PubMed abstracts with disease and chemical mentions (BioCreative V). The input is three PubTator
files. A document starts with ``pmid|t|title`` and ``pmid|a|abstract``. Tab-separated annotation lines follow, and a
blank line ends the document. A mention has pmid, start, end, text, type and id; a composite mention lists its parts in
a seventh column. A relation has pmid, ``CID``, chemical and disease; relations are not used.

Offsets count the characters of title + one blank + abstract; the end is exclusive. A row is a sentence. Both tasks have
the same sentences, and no sentence cuts a mention of either task. The splits are the official ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.original import ConvertedTask, complete_lines, locate, mention_span
from taskaffinity.corpora.sentences import Span, document_sentences, merge_cut_sentences
from taskaffinity.corpora.tokens import drop_overlaps, iob2, word_spans
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Split

TYPES = {"bc5cdr-disease": "Disease", "bc5cdr-chemical": "Chemical"}
LICENCE = "public domain (US Government work)"

_FILES = {
    "train": ["CDR_TrainingSet.PubTator.txt"],
    "dev": ["CDR_DevelopmentSet.PubTator.txt"],
    "test": ["CDR_TestSet.PubTator.txt"],
}
_BELOW = ("bc5cdr", "CDR.Corpus.v010516", "CDR_Data/CDR.Corpus.v010516")
_COLUMNS = "4 (pmid, CID, chemical, disease), or 6 or 7 (pmid, start, end, text, type, id, parts)"


@dataclass
class Document:
    """An abstract and its mentions by type."""

    pmid: str
    title: str = field(repr=False)
    abstract: str = field(repr=False)
    mentions: dict[str, list[Span]] = field(default_factory=lambda: {kind: [] for kind in TYPES.values()})

    @property
    def text(self) -> str:
        return f"{self.title} {self.abstract}"


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus to both tasks.

    Raises
    ------
    InputError
        A file is missing or cut off, or a line does not match the format in the module's docstring.
    """
    files = locate(raw, _FILES, _BELOW)
    rows: dict[str, dict[Split, list[Row]]] = {task: {"train": [], "dev": [], "test": []} for task in TYPES}
    notes: dict[str, Counter[str]] = {task: Counter() for task in TYPES}
    for split in rows["bc5cdr-disease"]:
        for document in read_documents(files[split]):
            every = [mention for mentions in document.mentions.values() for mention in mentions]
            sentences, n_merged = merge_cut_sentences(document_sentences(document.title, document.abstract), every)
            for task in TYPES:
                notes[task]["boundaries_merged"] += n_merged
                rows[task][split] += _rows(document, sentences, TYPES[task], notes[task])
    return [ConvertedTask(task, _card(TYPES[task], notes[task]), rows[task]) for task in TYPES]


def read_documents(path: Path) -> Iterator[Document]:
    """Read and check the documents of one PubTator file."""
    document: Document | None = None
    title: tuple[str, str] | None = None
    seen: set[str] = set()
    where = str(path)
    for where, line in complete_lines(path):
        if not line:
            if title:
                raise input_error(where, "a blank line after a title", "the document's abstract, pmid|a|...")
            if document:
                yield document
            document = None
        elif title:
            document = Document(*title, _parse_headed(where, line, "a", title[0]))
            title = None
        elif document is None:
            pmid = line.partition("|")[0]
            if pmid in seen:
                raise input_error(where, f"a second document {shown(pmid)}", "each document once")
            seen.add(pmid)
            title = pmid, _parse_headed(where, line, "t", pmid)
        else:
            _add_annotation(where, line, document)
    if title:
        raise input_error(where, "a title as the last line", "its abstract; the file looks cut off")
    if document:
        yield document


def _parse_headed(where: str, line: str, letter: str, pmid: str) -> str:
    parts = line.split("|", 2)
    if len(parts) != 3 or parts[1] != letter or parts[0] != pmid or whole_number(pmid) is None:
        what = "title" if letter == "t" else "abstract"
        raise input_error(where, f"a line of {len(line)} characters that is no {what}", f"{what} as pmid|{letter}|...")
    return parts[2]


def _add_annotation(where: str, line: str, document: Document) -> None:
    fields = line.split("\t")
    is_relation = len(fields) > 1 and fields[1] == "CID"
    if len(fields) not in ((4,) if is_relation else (6, 7)):
        raise input_error(where, f"{len(fields)} columns", _COLUMNS)
    if fields[0] != document.pmid:
        raise input_error(
            where, f"pmid {shown(fields[0])} in document {document.pmid}", "the same pmid, or a blank line before"
        )
    if is_relation:
        return
    if fields[4] not in document.mentions:
        raise input_error(
            where, f"type {named(fields[4], document.mentions)}", f"one of {', '.join(document.mentions)}"
        )
    document.mentions[fields[4]].append(mention_span(where, document.text, fields[1], fields[2], fields[3]))


def _rows(document: Document, sentences: list[Span], kind: str, notes: Counter[str]) -> Iterator[Row]:
    text = document.text
    mentions, n_dropped = drop_overlaps(document.mentions[kind])
    notes["overlapping_mentions_dropped"] += n_dropped
    for sentence in sentences:
        inside = [mention for mention in mentions if sentence[0] <= mention[0] and mention[1] <= sentence[1]]
        words, n_cut = word_spans(text, sentence, inside)
        notes["words_cut_at_mentions"] += n_cut
        yield Row(
            Example(
                f"{document.pmid}.{sentence[0]}",
                iob2(words, inside, kind),
                words=tuple(text[start:end] for start, end in words),
                document=document.pmid,
            ),
            tuple(words),
        )


def _card(kind: str, notes: Counter[str]) -> TaskCard:
    return TaskCard(
        kind="ner",
        labels=(kind,),
        title=f"BC5CDR {kind.lower()}",
        source="BioCreative V CDR corpus, PubTator files (Li et al. 2016)",
        licence=LICENCE,
        split="official training, development and test sets, 500 abstracts each",
        notes=dict(notes),
    )
