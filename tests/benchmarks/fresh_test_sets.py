"""How well is the error from test examples known? Two trained models without a true difference, on many test sets.

Seeds play no part: each test set gives one gain, its standard error over examples, and the interval of 1.96 standard
errors. The forms of labels are those of ``simulated_kinds``. A few examples decide macro-F1 with rare labels and
Pearson's r of skewed numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from null_cells import ratio, seed_of
from simulated_kinds import FORMS, Latent, count
from simulated_worlds import EASE, OWN

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.standard_errors import variance_components
from taskaffinity.tasks.metrics import METRICS

PLANNED = [
    (("classification", "4 classes"), "accuracy", (100,)),
    (("classification", "4 classes"), "micro_f1", (30, 100)),
    (("regression", "ratings"), "pearson", (100,)),
    (("regression", "skewed numbers"), "pearson", (100, 300, 1000)),
    (("multilabel", "6 labels"), "multilabel_f1", (30, 100)),
    (("multilabel", "6 labels"), "macro_f1", (30, 60, 100, 300)),
]
"""Form of labels, metric, and numbers of test examples."""


def fresh_test_sets(test_sets: int | None = None) -> pd.DataFrame:
    """Return the rows of ``fresh_test_sets.csv``.

    ``variance_ratio`` is the mean of the squared standard errors over the variance of the gains. ``outside`` is how
    often the interval does not hold the true gain, 0.
    """
    rows = []
    for form, metric, sizes in PLANNED:
        for n_test in sizes:
            rows.append(measure_fresh(form, metric, n_test, test_sets or 3000))
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def measure_fresh(form: tuple[str, str], metric: str, n_test: int, test_sets: int) -> dict[str, Any]:
    """Return one row."""
    rng, found = seed_of("fresh test sets", form, metric, n_test), []
    for _ in range(test_sets):
        gold, ease = FORMS[form].draw_gold(rng, n_test), EASE * rng.standard_normal(n_test)
        arms = []
        for own in OWN * rng.standard_normal((2, n_test)):
            predicted = FORMS[form].predict(rng, gold, Latent(1.0, ease, own, np.zeros((1, 1))))
            arms.append(Arm.from_counts(count(form, metric, gold, predicted), METRICS[metric]))
        components = variance_components(*arms)
        found.append((components.gain, components.v_examples))
    gains, variances = np.array(found).T
    outside, error = ratio(gains**2 > 1.96**2 * variances, np.ones(test_sets))
    return {
        **{"kind": form[0], "labels": form[1], "metric": metric, "n_test": n_test},
        "variance_ratio": round(float(variances.mean() / np.mean(gains**2)), 3),
        **{"outside": round(outside, 4), "outside_error": round(error, 4), "test_sets": test_sets},
    }
