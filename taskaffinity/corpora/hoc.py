"""Hallmarks of Cancer: the multi-label task ``hoc``, which of ten hallmarks a sentence of an abstract describes.

The input is two folders with one file per abstract, ``<PubMed id>.txt``: ``text`` with one tokenized sentence per line,
and ``labels`` with the labels of all sentences on one line, a ``<`` before each sentence. ``AND`` separates the labels
of a sentence. A label is a path in a hierarchy (``Resisting cell death--Apoptosis``); its first part is the hallmark.
Three in four sentences have no hallmark: their label is empty or ``NULL``.

An id is ``<PubMed id>.<line>``, and the abstract is the document. There is no official split. Ours is by the md5 of the
PubMed id, so whole abstracts are in one part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.corpora.choices import MD5_RULE, md5_split
from taskaffinity.corpora.original import ConvertedTask, complete_lines, locate
from taskaffinity.errors import input_error, named
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example, Split

HALLMARKS = (
    "Sustaining proliferative signaling",
    "Evading growth suppressors",
    "Resisting cell death",
    "Enabling replicative immortality",
    "Inducing angiogenesis",
    "Activating invasion and metastasis",
    "Genomic instability and mutation",
    "Tumor promoting inflammation",
    "Cellular energetics",
    "Avoiding immune destruction",
)
"""In the order of Hanahan and Weinberg (2011): six hallmarks, two characteristics that enable them, two that emerge."""

_REQUIRED = {"text": ["text"], "labels": ["labels"]}
_BELOW = ("hoc", "Hallmarks-of-Cancer")
_NONE = "NULL"


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        A folder or file is missing, a file has no sentence, the number of labels differs from that of the sentences, or
        a label begins with no hallmark.
    """
    folders = locate(raw, _REQUIRED, _BELOW)
    splits: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    notes: Counter[str] = Counter(abstracts=0, sentences_without_a_hallmark=0)
    for text in sorted(folders["text"].glob("*.txt")):
        if whole_number(text.stem) is None:
            raise input_error(text, f"the name {named(text.stem, ())}", "a PubMed id and .txt")
        labels = folders["labels"] / text.name
        if not labels.exists():
            raise input_error(labels, "no such file", f"the labels of {text}")
        splits[md5_split(text.stem)] += _rows(text, labels)
        notes["abstracts"] += 1
    if not notes["abstracts"]:
        raise input_error(folders["text"], "no .txt file", "one per abstract")
    notes["sentences_without_a_hallmark"] = sum(not row.example.label for rows in splits.values() for row in rows)
    card = TaskCard(
        kind="multilabel",
        labels=HALLMARKS,
        title="HoC",
        source="Hallmarks of Cancer (Baker et al. 2016)",
        licence="GPL-3.0 (the repository sb895/Hallmarks-of-Cancer)",
        split=f"no official split; whole abstracts, {MD5_RULE}",
        notes=dict(notes),
    )
    return [ConvertedTask("hoc", card, splits)]


def _rows(text: Path, labels: Path) -> Iterator[Row]:
    sentences = [(where, line.strip()) for where, line in complete_lines(text, may_lack_end=True)]
    each = " ".join(line for _, line in complete_lines(labels, may_lack_end=True)).split("<")[1:]
    if len(each) != len(sentences):
        raise input_error(
            labels, f"labels of {how_many(len(each), 'sentence')}", f"{len(sentences)}, as {text} has lines"
        )
    for number, ((where, sentence), label) in enumerate(zip(sentences, each, strict=True), start=1):
        if not sentence:
            raise input_error(where, "an empty line", "one sentence per line")
        found = _hallmarks(f"{labels}: sentence {number}", label)
        yield Row(Example(f"{text.stem}.{number}", found, sentence, document=text.stem))


def _hallmarks(where: str, label: str) -> tuple[str, ...]:
    """Return the hallmarks of a sentence, each once, in the order of ``HALLMARKS``."""
    names = {path.partition("--")[0].strip() for path in label.split("AND")} - {"", _NONE}
    if unknown := names - {*HALLMARKS}:
        raise input_error(where, named(min(unknown), HALLMARKS), f"one of {', '.join(HALLMARKS)}")
    return tuple(name for name in HALLMARKS if name in names)
