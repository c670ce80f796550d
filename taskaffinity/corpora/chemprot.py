"""ChemProt (BioCreative VI track 5) -> the task ``chemprot``.

Tab-separated files without a header, for each split: abstracts (pmid, title, abstract), entities (pmid, id, type,
start, end, text) and the gold standard (pmid, class, Arg1:id, Arg2:id). Offsets count in title + one character +
abstract, end exclusive. The gold standard holds the five classes that are evaluated; ``relations.tsv``, with the
others, is not used.

A row is a chemical and a gene of one sentence, all pairs of them, with the gold class or ``false``; a pair with two
classes is two rows, the second's id ends in ``#2``. A gold pair across two sentences would be no row, and is counted
as missed.
Official splits; text is kept as it is, in Unicode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.masking import Argument, masked, overlap
from taskaffinity.corpora.original import Converted, columns, locate, mention_span
from taskaffinity.corpora.sentences import Span, document_sentences, keep_whole
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example, Split

CLASSES = ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9")
LICENCE = "public domain mark, as its BigBIO card says; none stated in the distribution"
MASKS = {"CHEMICAL": "CHEMICAL", "GENE-N": "GENE", "GENE-Y": "GENE"}

_NAMES = {"train": ("training", ""), "dev": ("development", ""), "test": ("test", "_gs")}
_TABLES = ("abstracts", "entities", "gold_standard")
_BELOW = ("chemprot", "ChemProt_Corpus")


@dataclass
class Document:
    """An abstract, its mentions and its gold pairs."""

    pmid: str
    title: str = field(repr=False)
    abstract: str = field(repr=False)
    mentions: dict[str, tuple[str, Span]] = field(default_factory=dict)
    """Id -> mask kind and place."""
    gold: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(chemical, gene) -> classes."""


def convert(raw: Path) -> list[Converted]:
    """The task.

    Raises
    ------
    InputError
        A file that is missing or cut off, or a line that is not as the module's docstring says.
    """
    files = locate(raw, _needed(), _BELOW)
    splits: dict[Split, list[Row]] = {}
    notes: Counter[str] = Counter(boundaries_merged=0, gold_pairs_across_sentences=0, pairs_with_two_classes=0)
    missed: dict[Split, int] = {}
    for split in SPLITS:
        documents = read_documents(*(files[f"{split} {table}"] for table in _TABLES))
        before = notes["gold_pairs_across_sentences"]
        splits[split] = [row for document in documents for row in _rows(document, notes)]
        missed[split] = notes["gold_pairs_across_sentences"] - before
    card = TaskCard(
        kind="relation",
        labels=(*CLASSES, "false"),
        negative="false",
        title="ChemProt",
        source="BioCreative VI track 5, ChemProt corpus (Krallinger et al. 2017)",
        licence=LICENCE,
        missed=missed,
        split="official training, development and test sets",
        notes=dict(notes),
    )
    return [Converted("chemprot", card, splits)]


def read_documents(abstracts: Path, entities: Path, gold: Path) -> list[Document]:
    """Documents of one split, checked."""
    documents: dict[str, Document] = {}
    for where, (pmid, title, abstract) in columns(abstracts, ("pmid", "title", "abstract")):
        if not pmid.isdecimal():
            raise input_error(where, f"pmid {shown(pmid)}", "a number")
        if pmid in documents:
            raise input_error(where, f"document {shown(pmid)} again", "each document once")
        documents[pmid] = Document(pmid, title, abstract)
    for where, (pmid, name, kind, start, end, said) in columns(
        entities, ("pmid", "id", "type", "start", "end", "text")
    ):
        document = _document(where, pmid, documents)
        if kind not in MASKS:
            raise input_error(where, f"type {named(kind, MASKS)}", f"one of {', '.join(MASKS)}")
        if name in document.mentions:
            raise input_error(where, f"mention {shown(name)} of document {pmid} again", "each id once a document")
        span = mention_span(where, f"{document.title} {document.abstract}", start, end, said)
        document.mentions[name] = MASKS[kind], span
    for where, (pmid, label, first, second) in columns(gold, ("pmid", "class", "Arg1:id", "Arg2:id")):
        document = _document(where, pmid, documents)
        if label not in CLASSES:
            raise input_error(where, f"class {named(label, CLASSES)}", f"one of {', '.join(CLASSES)}")
        chemical = _argument(where, "Arg1:", first, "CHEMICAL", document)
        gene = _argument(where, "Arg2:", second, "GENE", document)
        classes = document.gold.setdefault((chemical, gene), [])
        if label in classes:
            raise input_error(where, f"{label} again for the same two mentions", "each class once a pair")
        classes.append(label)
    return list(documents.values())


def _needed() -> dict[str, list[str]]:
    needed = {}
    for split, (name, suffix) in _NAMES.items():
        folder = f"chemprot_{name}{suffix}"
        for table in _TABLES:
            files = dict.fromkeys(f"chemprot_{name}_{table}{ending}.tsv" for ending in (suffix, ""))
            needed[f"{split} {table}"] = [f"{folder}/{file}" for file in files]
    return needed


def _document(where: str, pmid: str, documents: dict[str, Document]) -> Document:
    if pmid not in documents:
        raise input_error(where, f"document {shown(pmid)}, which has no abstract", "a document of the abstracts file")
    return documents[pmid]


def _argument(where: str, prefix: str, said: str, kind: str, document: Document) -> str:
    name = said.removeprefix(prefix)
    if name == said or name not in document.mentions:
        raise input_error(
            where, f"argument {shown(said)}", f"{prefix} and the id of a mention of document {document.pmid}"
        )
    if document.mentions[name][0] != kind:
        raise input_error(where, f"{shown(said)}, a {document.mentions[name][0]}", f"a {kind} there")
    return name


def _rows(document: Document, notes: Counter[str]) -> Iterator[Row]:
    text = f"{document.title} {document.abstract}"
    places = [span for _, span in document.mentions.values()]
    sentences, n_merged = keep_whole(document_sentences(document.title, document.abstract), places)
    notes["boundaries_merged"] += n_merged
    left = dict(document.gold)
    in_order = sorted(document.mentions.items(), key=lambda item: item[1][1])
    for sentence in sentences:
        inside = [
            (name, Argument(kind, (span,)))
            for name, (kind, span) in in_order
            if sentence[0] <= span[0] and span[1] <= sentence[1]
        ]
        for chemical, first in inside:
            for gene, second in inside:
                if first.kind != "CHEMICAL" or second.kind != "GENE":
                    continue
                classes = left.pop((chemical, gene), ["false"])
                notes["pairs_with_two_classes"] += len(classes) > 1
                notes["rows_with_one_joint_mask"] += len(classes) * overlap(first, second)
                for nth, label in enumerate(classes, start=1):
                    name = f"{document.pmid}.{chemical}.{gene}" + (f"#{nth}" if nth > 1 else "")
                    example = Example(
                        name, label, masked(text, sentence, first, second, "CHEM-GENE"), document=document.pmid
                    )
                    yield Row(example, (first.parts, second.parts))
    notes["gold_pairs_across_sentences"] += sum(len(classes) for classes in left.values())
