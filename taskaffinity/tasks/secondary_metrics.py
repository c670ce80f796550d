"""Secondary metrics, reported beside the official metric that decides the verdicts.

Their counts of the test split are stored beside the official ones, as ``"<task>/test/<metric>"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.metrics import METRICS, Counts
from taskaffinity.tasks.task import DEFAULT_METRIC, METRICS_OF_KIND, Kind, Label

_SECOND = re.compile("#[0-9]+$")
"""End of the id of a pair's second class, and of further ones."""
SHOW_COLLAPSE = ("macro_f1", "answered")
"""Metrics whose counts show a run that predicts one class, or no answer, where the official counts may not."""


def secondary_metrics(
    kind: Kind, official: str, *, missed_are_known: bool, may_abstain: bool = False
) -> tuple[str, ...]:
    """Return the secondary metrics of a task, as keys of ``METRICS``.

    Parameters
    ----------
    missed_are_known : bool
        Whether the number of gold relations without an example is known. ``document_f1`` needs it.
    may_abstain : bool
        Whether some questions of ``spans`` have no answer. Then ``answered`` shows runs that never answer.
    """
    default = DEFAULT_METRIC[kind]  # accuracy or micro-F1 for classes: a second one of them adds little
    others = (name for name in METRICS_OF_KIND[kind] if name not in (default, "accuracy", "micro_f1"))
    names = (default, *others, *(("document_f1",) if missed_are_known else ()), *(("answered",) if may_abstain else ()))
    return tuple(name for name in names if name != official)


def tally(
    metric: str,
    ids: Sequence[str],
    gold: Sequence[Label],
    predicted: Sequence[Label],
    labels: Sequence[str],
    missed: int = 0,
) -> Counts:
    """Return the counts of a metric over a task's examples, ``(n_units, n_counts)``.

    A unit is an example. For ``document_f1`` it is a pair of mentions.
    """
    if metric == "document_f1":
        units = by_pair(ids, [str(label) for label in gold], [str(label) for label in predicted], labels, missed)
        return METRICS[metric].tally(*units, labels)
    return METRICS[metric].tally(gold, predicted, labels)


def documents_of(
    metric: str, ids: Sequence[str], documents: Sequence[str], missed: int = 0
) -> npt.NDArray[np.int64] | None:
    """Return the document number of each row of ``tally``, ``(n_units,)``.

    The result is None if no two rows share a document.

    Documents are numbered from 0 by first appearance. A row without a document, and a relation without an example,
    counts as a separate document.
    """
    named = list(documents)
    if metric == "document_f1":
        of_pairs: dict[str, str] = {}
        for name, document in zip(ids, documents, strict=True):
            of_pairs.setdefault(_SECOND.sub("", name), document)
        named = [*of_pairs.values(), *[""] * missed]
    numbers: dict[object, int] = {}
    found = np.array([numbers.setdefault(name or place, len(numbers)) for place, name in enumerate(named)])
    return found if len(numbers) < len(named) else None


def by_pair(
    ids: Sequence[str], gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], missed: int = 0
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return the gold and the predicted classes of each pair of mentions.

    BioCreative scores these pairs.

    A pair with two classes is two examples of one text, ``x`` and ``x#2``, and no classifier can be right on both. Here
    it is one unit with both classes. ``missed`` adds units for relations without an example.

    Examples
    --------
    >>> by_pair(["a", "a#2", "b"], ["x", "y", "false"], ["x", "x", "x"], ["x", "y"], missed=1)
    ([('x', 'y'), ('false',), ('x',)], [('x',), ('x',), ()])
    """
    sides: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for name, g, p in zip(ids, gold, predicted, strict=True):
        gold_classes, predicted_classes = sides.setdefault(_SECOND.sub("", name), ({}, {}))
        gold_classes[g] = predicted_classes[p] = None
    pairs = [(tuple(g), tuple(p)) for g, p in sides.values()] + [((labels[0],), ())] * missed
    return [g for g, _ in pairs], [p for _, p in pairs]
