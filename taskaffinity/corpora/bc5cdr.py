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
from pathlib import Path

from taskaffinity.corpora.original import ConvertedTask, complete_lines, locate
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.pubtator import Document, read_pubtator
from taskaffinity.tasks.standoff.sentences import Span, document_sentences, merge_cut_sentences
from taskaffinity.tasks.standoff.tokens import drop_overlaps, iob2, word_spans
from taskaffinity.tasks.task import Example, Split

TYPES = {"bc5cdr-disease": "Disease", "bc5cdr-chemical": "Chemical"}
LICENCE = "public domain (US Government work)"

_FILES = {
    "train": ["CDR_TrainingSet.PubTator.txt"],
    "dev": ["CDR_DevelopmentSet.PubTator.txt"],
    "test": ["CDR_TestSet.PubTator.txt"],
}
_BELOW = ("bc5cdr", "CDR.Corpus.v010516", "CDR_Data/CDR.Corpus.v010516")


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus to both tasks.

    Raises
    ------
    InputError
        If a file is missing or cut off, or a line does not match the format in the module's docstring.
    """
    files = locate(raw, _FILES, _BELOW)
    rows: dict[str, dict[Split, list[Row]]] = {task: {"train": [], "dev": [], "test": []} for task in TYPES}
    notes: dict[str, Counter[str]] = {task: Counter() for task in TYPES}
    for split in rows["bc5cdr-disease"]:
        for document in read_documents(files[split]):
            every = [span for _, span in document.mentions]
            sentences, n_merged = merge_cut_sentences(document_sentences(document.title, document.abstract), every)
            for task in TYPES:
                notes[task]["boundaries_merged"] += n_merged
                rows[task][split] += _rows(document, sentences, TYPES[task], notes[task])
    return [ConvertedTask(task, _card(TYPES[task], notes[task]), rows[task]) for task in TYPES]


def read_documents(path: Path) -> Iterator[Document]:
    """Read and check the documents of one PubTator file."""
    yield from read_pubtator(complete_lines(path), types=tuple(TYPES.values()))


def _rows(document: Document, sentences: list[Span], kind: str, notes: Counter[str]) -> Iterator[Row]:
    text = document.text
    mentions, n_dropped = drop_overlaps(span for of, span in document.mentions if of == kind)
    notes["overlapping_mentions_dropped"] += n_dropped
    for sentence in sentences:
        inside = [mention for mention in mentions if sentence[0] <= mention[0] and mention[1] <= sentence[1]]
        words, n_cut = word_spans(text, sentence, inside)
        notes["words_cut_at_mentions"] += n_cut
        yield Row(
            Example(
                f"{document.name}.{sentence[0]}",
                iob2(words, inside, kind),
                words=tuple(text[start:end] for start, end in words),
                document=document.name,
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
