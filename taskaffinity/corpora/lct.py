"""Leaf Clinical Trials corpus: the tasks ``lct-condition`` and ``lct-relation``.

The corpus has eligibility criteria from ClinicalTrials.gov. The input is one document per trial in brat's format
(``brat.py``), in folders of batches. A line of a text is a criterion or a heading. The corpus has no official split.
Ours assigns whole trials by md5.

``lct-condition``: a row is a sentence of a line, tagged with the mentions of type ``Condition``.

``lct-relation``: a row is a pair of mentions of one line. Both are masked by their types (``@Condition$``). The label
is the class of their relation or ``false``. A pair with two classes becomes two rows, and the id of the second ends in
``#2``. The logical links ``Or``, ``And`` and ``If-Then`` are not used.

* Only pairs whose two types are joined by a relation of the training part are rows: 61,501. This rule misses 32
  relations of dev and test, and no training example shows these types. All pairs of event triggers would be 68,533 rows
  and miss 295 relations.
* Relations are directed (``Arg1 Caused-By Arg2``) but labels are not: masks are in text order and the label is the
  class. Little is lost: for 94% of dev and test, class and types imply the direction. ``offsets`` keep the direction:
  they begin with the first argument of the relation. In a ``false`` row they begin with the first mention of the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path

from taskaffinity.corpora.choices import MD5_RULE, md5_split
from taskaffinity.corpora.original import ConvertedTask, locate
from taskaffinity.corpora.tagging import tagged_rows
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.open_clinical import LCT_CLASSES
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.brat import Document, Mention, Relation, read_document
from taskaffinity.tasks.standoff.masking import Argument, masked, overlap
from taskaffinity.tasks.standoff.sentences import Span, line_sentences, line_spans
from taskaffinity.tasks.task import SPLITS, Example, Split

KIND = "Condition"
LINKS = ("Or", "And", "If-Then")

_REQUIRED = {"documents": ["brat", "ner/nic"]}
_BELOW = ("lct", "leaf_clinical_trials", "clinical-trials-gov-data")

Pair = frozenset[Mention]
Types = frozenset[str]
"""The types of a pair; one type if both mentions have the same."""


@dataclass
class Trial:
    """A document as lines with their mentions, and the relations within a line."""

    document: Document
    split: Split
    lines: list[tuple[Span, list[Mention]]]
    gold: dict[Pair, list[Relation]] = field(default_factory=lambda: defaultdict(list))
    """At most one relation per pair and class."""


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus to both tasks.

    Raises
    ------
    InputError
        If a folder or file is missing, a document cannot be read (``brat.read_document``), a trial occurs twice, or the
        class of a relation is unknown.
    """
    documents = read_documents(locate(raw, _REQUIRED, _BELOW)["documents"])
    condition: Counter[str] = Counter(mentions_in_parts=0, overlapping_mentions_dropped=0)
    tagged: dict[Split, list[Row]] = {part: [] for part in SPLITS}
    for document in documents:
        parts = [mention.parts for mention in document.mentions if mention.kind == KIND]
        sentences = line_sentences(document.text)
        rows = tagged_rows(document.name, document.text, sentences, parts, KIND, "whole", condition)
        tagged[md5_split(document.name)] += rows
    condition_card = TaskCard(
        kind="ner",
        labels=(KIND,),
        title="LCT condition",
        source="Leaf Clinical Trials corpus, final annotations (Dobbins et al. 2022)",
        licence="CC BY 4.0 (figshare, doi 10.6084/m9.figshare.17209610)",
        split=f"no official split; whole trials, {MD5_RULE}",
        notes=dict(sorted(condition.items())),
    )

    lost: Counter[str] = Counter(
        {f"{part}_relations_{why}": 0 for part in SPLITS for why in ("across_lines", "given_twice", "of_unseen_types")}
    )
    trials = [_trial(document, lost) for document in documents]
    joined = frozenset(_types(pair) for trial in trials if trial.split == "train" for pair in trial.gold)
    lost["pairs_of_types"] = len(joined)
    related: dict[Split, list[Row]] = {part: [] for part in SPLITS}
    for trial in trials:
        related[trial.split] += _relation_rows(trial, joined, lost)
    relation_card = TaskCard(
        kind="relation",
        labels=(*LCT_CLASSES, "false"),
        negative="false",
        title="LCT relation",
        source=condition_card.source,
        licence=condition_card.licence,
        missed={
            part: lost[f"{part}_relations_across_lines"] + lost[f"{part}_relations_of_unseen_types"] for part in SPLITS
        },
        split=condition_card.split,
        notes=dict(sorted(lost.items())),
    )
    return [
        ConvertedTask("lct-condition", condition_card, tagged),
        ConvertedTask("lct-relation", relation_card, related),
    ]


def read_documents(folder: Path) -> list[Document]:
    """Read the trials of all batches, sorted by id; raises as ``convert``."""
    paths = sorted(folder.glob("*/*.txt"), key=lambda path: (path.stem, path))
    if not paths:
        raise input_error(folder, "no <batch>/<trial>.txt", "the trials, in folders of batches")
    for path, following in pairwise(paths):
        if path.stem == following.stem:
            raise input_error(
                following, f"a second trial {shown(path.stem)} (first: {path.parent.name})", "each trial once"
            )
    without_text = {path.with_suffix("") for path in folder.glob("*/*.ann")} - {path.with_suffix("") for path in paths}
    if without_text:
        raise input_error(min(without_text).with_suffix(".ann"), "annotations without a text", "a .txt for each .ann")
    return [read_document(path) for path in paths]


def _trial(document: Document, counted: Counter[str]) -> Trial:
    spans = line_spans(document.text)
    starts = [start for start, _ in spans]
    lines: list[tuple[Span, list[Mention]]] = [(span, []) for span in spans]
    line_of: dict[Mention, int] = {}
    for mention in document.mentions:
        number = bisect_right(starts, mention.hull[0]) - 1
        if number >= 0 and mention.hull[1] <= spans[number][1]:
            line_of[mention] = number
            lines[number][1].append(mention)
    trial = Trial(document, md5_split(document.name), lines)
    for relation in document.relations:
        if relation.kind in LINKS:
            counted["logical_links_left_out"] += 1
            continue
        if relation.kind not in LCT_CLASSES:
            legal = (*LCT_CLASSES, *LINKS)
            raise input_error(relation.where, f"relation {named(relation.kind, legal)}", f"one of {', '.join(legal)}")
        ends = frozenset((relation.first, relation.second))
        places = {line_of.get(end) for end in ends}
        if None in places or len(places) > 1:
            counted[f"{trial.split}_relations_across_lines"] += 1
        elif any(relation.kind == other.kind for other in trial.gold[ends]):
            counted[f"{trial.split}_relations_given_twice"] += 1
        else:
            trial.gold[ends].append(relation)
    return trial


def _relation_rows(trial: Trial, joined: frozenset[Types], counted: Counter[str]) -> Iterator[Row]:
    text, document = trial.document.text, trial.document.name
    for line, mentions in trial.lines:
        for one, other in combinations(mentions, 2):
            pair = frozenset((one, other))
            relations: Sequence[Relation | None] = trial.gold.get(pair, [None])
            if _types(pair) not in joined:
                counted[f"{trial.split}_relations_of_unseen_types"] += sum(r is not None for r in relations)
                continue
            first, second = (Argument(mention.kind, mention.parts) for mention in (one, other))
            counted["pairs_with_two_classes"] += len(relations) > 1
            counted["rows_with_one_joint_mask"] += len(relations) * overlap(first, second)
            for nth, relation in enumerate(relations, start=1):
                name = f"{document}.{one.name}.{other.name}" + (f"#{nth}" if nth > 1 else "")
                label = relation.kind if relation else "false"
                ends = (relation.first.parts, relation.second.parts) if relation else (one.parts, other.parts)
                yield Row(Example(name, label, masked(text, line, first, second), document=document), ends)


def _types(pair: Pair) -> Types:
    return frozenset(mention.kind for mention in pair)
