"""ChemProt (BioCreative VI track 5): the task ``chemprot``.

The corpus has PubMed abstracts with chemical-gene relations. The input is three tab-separated files per split, without
headers: abstracts (pmid, title, abstract), entities (pmid, id, type, start, end, text) and the gold standard (pmid,
class, Arg1:id, Arg2:id). Offsets count the characters of title + one character + abstract; the end is exclusive. The
gold standard holds the five evaluated classes. ``relations.tsv``, which also has the others, is not used.

A row is a pair of a chemical and a gene in one sentence, with the gold class or ``false``. All pairs of a sentence are
rows. A pair with two classes becomes two rows, and the id of the second ends in ``#2``. A gold pair across two
sentences has no row and is counted as missed. The splits are the official ones. The text is not changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.original import ConvertedTask, columns, locate
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.masking import Argument, masked, overlap
from taskaffinity.tasks.standoff.offsets import mention_span
from taskaffinity.tasks.standoff.sentences import Span, document_sentences, merge_cut_sentences
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
    """Id -> mask type and offsets."""
    gold: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(chemical, gene) -> classes."""


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a file is missing or cut off, or a line does not match the format in the module's docstring.
    """
    files = locate(raw, _required_files(), _BELOW)
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
    return [ConvertedTask("chemprot", card, splits)]


def read_documents(abstracts: Path, entities: Path, gold: Path) -> list[Document]:
    """Read and check the documents of one split; raises as ``convert``."""
    documents: dict[str, Document] = {}
    for where, (pmid, title, abstract) in columns(abstracts, ("pmid", "title", "abstract")):
        if whole_number(pmid) is None:
            raise input_error(where, f"pmid {shown(pmid)}", "a number")
        if pmid in documents:
            raise input_error(where, f"a second document {shown(pmid)}", "each document once")
        documents[pmid] = Document(pmid, title, abstract)
    for where, (pmid, name, kind, start, end, mention_text) in columns(
        entities, ("pmid", "id", "type", "start", "end", "text")
    ):
        document = _document(where, pmid, documents)
        if kind not in MASKS:
            raise input_error(where, f"type {named(kind, MASKS)}", f"one of {', '.join(MASKS)}")
        if name in document.mentions:
            raise input_error(where, f"a second mention {shown(name)} in document {pmid}", "each id once per document")
        span = mention_span(where, f"{document.title} {document.abstract}", start, end, mention_text)
        document.mentions[name] = MASKS[kind], span
    for where, (pmid, label, first, second) in columns(gold, ("pmid", "class", "Arg1:id", "Arg2:id")):
        document = _document(where, pmid, documents)
        if label not in CLASSES:
            raise input_error(where, f"class {named(label, CLASSES)}", f"one of {', '.join(CLASSES)}")
        chemical = _argument(where, "Arg1:", first, "CHEMICAL", document)
        gene = _argument(where, "Arg2:", second, "GENE", document)
        classes = document.gold.setdefault((chemical, gene), [])
        if label in classes:
            raise input_error(where, f"a second {label} for the same two mentions", "each class once per pair")
        classes.append(label)
    return list(documents.values())


def _required_files() -> dict[str, list[str]]:
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


def _argument(where: str, prefix: str, reference: str, kind: str, document: Document) -> str:
    name = reference.removeprefix(prefix)
    if name == reference or name not in document.mentions:
        raise input_error(
            where, f"argument {shown(reference)}", f"{prefix} and the id of a mention of document {document.pmid}"
        )
    if document.mentions[name][0] != kind:
        raise input_error(where, f"{shown(reference)}, a {document.mentions[name][0]}", f"a {kind}")
    return name


def _rows(document: Document, notes: Counter[str]) -> Iterator[Row]:
    text = f"{document.title} {document.abstract}"
    spans = [span for _, span in document.mentions.values()]
    sentences, n_merged = merge_cut_sentences(document_sentences(document.title, document.abstract), spans)
    notes["boundaries_merged"] += n_merged
    unmatched = dict(document.gold)
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
                classes = unmatched.pop((chemical, gene), ["false"])
                notes["pairs_with_two_classes"] += len(classes) > 1
                notes["rows_with_one_joint_mask"] += len(classes) * overlap(first, second)
                for nth, label in enumerate(classes, start=1):
                    name = f"{document.pmid}.{chemical}.{gene}" + (f"#{nth}" if nth > 1 else "")
                    example = Example(
                        name, label, masked(text, sentence, first, second, "CHEM-GENE"), document=document.pmid
                    )
                    yield Row(example, (first.parts, second.parts))
    notes["gold_pairs_across_sentences"] += sum(len(classes) for classes in unmatched.values())
