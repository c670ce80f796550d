"""The effective number of test documents, what follows if there are few, and the warning before training.

A study is warned before it trains, so this module loads no scipy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FEWEST_DOCUMENTS = 20
"""Effective test documents below which a study warns."""
FEWEST_FOR_TEST = 5
"""Effective test documents below which a gain on other test sets has no test.

In simulations with 3 against 3 seeds ("few documents" in error_rates.csv), null arrows have p < .05 and p < .001 at
most as often as stated from 5 on. With 4 of them the second comes up to twice as often, with one large document 400
times.
"""


def effective_number(sizes: npt.ArrayLike) -> float:
    """Return the effective number of documents, ``(sum w^2)^2 / sum w^4``.

    So many documents of equal size have as many degrees of freedom.

    ``w`` is a document's share of the gold items that the score counts (``Metric.items``). The variance between
    documents of unequal size is estimated mainly from the large ones (Satterthwaite's degrees of freedom of
    ``sum w^2 e^2``).

    Parameters
    ----------
    sizes : (n_documents,)
        Gold items of each document.
    """
    weights = np.asarray(sizes, dtype=np.float64) ** 2
    return float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0


def unit_of(n_documents: int, n_examples: int) -> str:
    """Return what a test set draws: ``document``, or ``example`` if every example is a document by itself."""
    return "example" if n_documents == n_examples else "document"


def untested_for_documents(effective: float, unit: str) -> str:
    """Return why a gain on other test sets has no test, by the effective number of test documents; else empty."""
    if effective >= FEWEST_FOR_TEST:
        return ""
    return f"{math.floor(100 * effective) / 100:.2f} effective test {unit}s"  # 4.999 is not 5


def few_documents_warning(effective: Mapping[str, tuple[float, str]]) -> list[str]:
    """Return sentences on targets with few effective test documents.

    Parameters
    ----------
    effective : mapping of (float, str)
        By title, the effective number (0 is unknown) and its unit (``unit_of``).
    """
    lines = []
    for unit, more in (
        ("document", "more documents help, more rows of the same documents do not"),
        ("example", "more examples help"),
    ):
        few = {t: number for t, (number, of) in effective.items() if of == unit and 0 < number < FEWEST_DOCUMENTS}
        tested = [f"{title} ({number:.3g})" for title, number in few.items() if number >= FEWEST_FOR_TEST]
        untested = [f"{title} ({number:.3g})" for title, number in few.items() if number < FEWEST_FOR_TEST]
        if tested:
            lines.append(
                f"Fewer than {FEWEST_DOCUMENTS} effective test {unit}s: {', '.join(tested)}. So few do not show well "
                f"how much other {unit}s would differ: intervals are wide, and few gains are decided; {more}."
            )
        if untested:
            lines.append(
                f"Fewer than {FEWEST_FOR_TEST} effective test {unit}s: {', '.join(untested)}. Gains into such a target "
                f"have no test, except on exactly this test set (--estimand test-set); {more}."
            )
    return lines
