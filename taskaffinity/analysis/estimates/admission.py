"""Which pairs estimates admit to a sequential design, and how a text names them.

A pair is deferred only if both of its arrows have a usable estimate near zero. The estimates come from dev and decide
what is measured, never a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

import numpy as np

from taskaffinity.analysis.estimates.stored import StoredEstimates
from taskaffinity.analysis.style import plural, rounded
from taskaffinity.runs.admission import Admission, RankedPair
from taskaffinity.runs.study import Study

MOST_PAIRS = 40
"""Most pairs that a text names one by one."""


def admit(
    tasks: Sequence[str], found: StoredEstimates, at: float, measured: Collection[frozenset[str]] = ()
) -> Admission:
    """Rank the pairs of tasks by their estimates, and admit those that are far enough from zero.

    Parameters
    ----------
    tasks : sequence of str
        Names in the order of the arrays.
    at : float
        Standard errors from zero at which an arrow admits its pair.
    measured : collection of frozenset of str
        Pairs that have a finished run. They are admitted whatever their estimates are.
    """
    is_usable = found.known & (found.se > 0)
    errors = np.where(is_usable, np.abs(found.probe) / np.where(is_usable, found.se, 1.0), np.nan)
    pairs = []
    for (s, source), (t, target) in combinations(enumerate(tasks), 2):
        both = (float(errors[s, t]), float(errors[t, s]))
        largest = None if any(np.isnan(both)) else max(both)
        is_admitted = largest is None or largest >= at or frozenset((source, target)) in measured
        pairs.append(RankedPair((source, target), largest, is_admitted))
    return Admission(at, tuple(sorted(pairs, key=lambda pair: (pair.errors is None, -(pair.errors or 0.0)))))


def describe_admission(study: Study) -> list[str]:
    """Return a line on how many pairs are measured and deferred; none if estimates decide nothing."""
    if study.admission is None:
        return []
    admission = study.admission
    unknown = sum(pair.errors is None for pair in admission.admitted)
    near = sum(pair.errors is not None and pair.errors < admission.at for pair in admission.admitted)
    others = [f"{unknown} because an arrow has no usable estimate"] * bool(unknown)
    others += [f"{near} because {'it has' if near == 1 else 'they have'} a finished run"] * bool(near)
    why = f" ({', '.join(others)})" if others else ""
    return [
        f"By estimates: {len(admission.admitted)} of {plural(len(admission.pairs), 'pair')} admitted at "
        f"{plural(admission.at, 'standard error')}{why}; {len(admission.deferred)} deferred and not measured."
    ]


def list_admission(study: Study) -> list[str]:
    """Return lines that name the admitted and the deferred pairs, each with its standard errors from zero."""
    if study.admission is None:
        return []
    titles = {card.name: card.title for card in study.tasks}
    return [
        f"{word}: {_named(pairs, titles, study.admission.at)}"
        for word, pairs in (("admitted", study.admission.admitted), ("deferred", study.admission.deferred))
        if pairs
    ]


def _named(pairs: Sequence[RankedPair], titles: dict[str, str], at: float) -> str:
    words = [
        f"{' + '.join(titles[name] for name in pair.tasks)} "
        f"({'no estimate' if pair.errors is None else f'{rounded(pair.errors, 1, lambda shown: shown >= at)} SE'})"
        for pair in pairs[:MOST_PAIRS]
    ]
    more = [f"and {len(pairs) - MOST_PAIRS} more"] if len(pairs) > MOST_PAIRS else []
    return ", ".join([*words, *more])
