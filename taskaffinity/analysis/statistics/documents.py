"""The effective number of test documents, and the warning if there are few.

A study is warned before it trains, so this module loads no scipy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FEWEST_DOCUMENTS = 20
"""Effective test documents below which the errors of gains tend to be too small."""


def effective_number(sizes: npt.ArrayLike) -> float:
    """Return the number of documents of equal size with as many degrees of freedom: ``(sum w^2)^2 / sum w^4``.

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


def few_documents_warning(effective: Mapping[str, float]) -> list[str]:
    """Return the sentence of ``describe_few_documents`` for effective numbers of documents, by title; 0 is unknown."""
    few = [f"{title} ({number:.3g})" for title, number in effective.items() if 0 < number < FEWEST_DOCUMENTS]
    if not few:
        return []
    return [
        f"Fewer than {FEWEST_DOCUMENTS} effective test documents: {', '.join(few)}. Intervals and p-values into such a "
        "target are too small; more documents help, more rows of the same documents do not."
    ]
