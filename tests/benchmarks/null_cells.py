"""The cells of ``error_rates.csv``: worlds in which null arrows are tested, and how often each test calls them.

Each cell but the first is one in which an audit of an earlier version found false calls or searched for them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from compared_tests import TESTS, error_of, evidence_of, rule_of, stack
from simulated import draw_study
from simulated_worlds import LUCK, NOISES, OWN, SIMULATED_METRICS, World

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.tasks.given_score import SMALLEST_DIFFERENCE
from taskaffinity.tasks.metrics import GIVEN_SCORE, METRICS

TAIL = 0.001
BATCH = 100
"""Studies that are tested at once."""


@dataclass(frozen=True)
class Planned:
    """One row of the file for each test."""

    world: World
    studies: int
    shifted: bool = True
    """Whether some arrows are shifted by .4: they count for coverage and power."""
    estimand: str = "population"
    every: bool = False
    """Whether arrows with few effective documents are tested, too."""
    alone: bool = False
    """Whether the tests know the scores only, as ``taskaffinity verdicts`` without predictions."""


def base() -> list[Planned]:
    """All metrics, small and large test sets, 3 to 10 seeds."""
    return [
        Planned(World(metric, 4, n_test, pair, single, noise), 1000 if n_test == 300 else 800)
        for noise in NOISES
        for metric in SIMULATED_METRICS
        for n_test in (300, 2000)
        for pair, single in ((3, 3), (3, 6), (5, 5), (5, 9), (10, 10))
    ]


def documents() -> list[Planned]:
    """Few and many documents, of equal and of very unequal sizes."""
    return [
        Planned(World(metric, documents=number, sizes=sizes), 1000)
        for metric, numbers in (("accuracy", (5, 10, 20, 30, 50, 150)), ("span_f1", (10, 50)))
        for sizes in ("equal", "dirichlet")
        for number in numbers
    ] + [Planned(World(documents=number, sizes=sizes), 1000) for number, sizes in _FEW]


_FEW = ((1, "large"), (3, "large"), (5, "large"), (6, "large"), (3, "geometric"), (5, "geometric"), (6, "geometric"))


def few_documents() -> list[Planned]:
    """Every arrow tested, also those that a study does not test; seeds move scores as usual, or hardly."""
    numbers = {"large": (1, 2, 3, 4, 5, 6, 8), "equal": (3, 4, 5, 6)}
    return [
        Planned(World(n_test=300, seeds_single=3, luck=luck, documents=number, sizes=sizes), 1000, False, every=True)
        for sizes, of_sizes in numbers.items()
        for number in of_sizes
        for luck in (LUCK, 0.03)
    ]


def heteroscedastic() -> list[Planned]:
    """Seeds that move the pairs' scores 3 and 5 times as much as single-task scores, and the reverse.

    At three times the usual SD the scores of seeds are skewed (accuracy has a ceiling); at a third they are not.
    """
    ratios = [(1.0, 1.0), (3.0, 1.0), (5.0, 1.0), (1.0, 3.0), (1.0, 5.0), (1.0, 1 / 3), (1 / 3, 1.0)]
    return [
        Planned(World(n_test=2000, seeds_pair=3, seeds_single=single, sd_pair=up, sd_single=down), 1000)
        for single in (3, 6)
        for up, down in ratios
    ]


def two_tasks() -> list[Planned]:
    """Two tasks at the default seeds: four arms in all."""
    return [
        Planned(World(metric, 2, n_test, 3, noise=noise), 3000)
        for noise in NOISES
        for metric in SIMULATED_METRICS
        for n_test in (300, 2000)
    ]


def collapse() -> list[Planned]:
    """Runs of all arms collapse equally often, at the default seeds."""
    return [
        Planned(World(metric, collapse_pair=rate, collapse_single=rate), 1000)
        for metric in ("accuracy", "span_f1")
        for rate in (0.0, 0.03, 0.1, 0.3, 0.5)
    ]


def macro_f1() -> list[Planned]:
    """Three classes; of 56 examples some eight are in the rarest; alone, and beside tasks of 1,000 examples."""
    alone = [(World("macro_f1", n_test=n_test), 1000) for n_test in (56, 500)]
    beside = [(World(metric, n_test=n_test, others=1000), 2500) for metric, n_test in _BESIDE]
    return [
        Planned(replace(world, own=own), studies, shifted, estimand)
        for world, studies in alone + beside
        for estimand, own, shifted in (("population", OWN, True), ("test-set", 0.0, False))
    ]


_BESIDE = (("macro_f1", 56), ("macro_f1", 500), ("accuracy", 56))


def far_tail() -> list[Planned]:
    """All arrows of eight tasks null: 100,800 arrows a row."""
    rows = [(300, single, noise, "population", OWN) for single in (3, 8) for noise in NOISES]
    rows += [(600, single, "gaussian", "population", OWN) for single in (3, 8)]
    rows += [(300, single, "gaussian", "test-set", 0.0) for single in (3, 8)]
    return [
        Planned(World("accuracy", 8, n, 3, single, noise, own), 1800, False, estimand)
        for n, single, noise, estimand, own in rows
    ]


def scores_alone() -> list[Planned]:
    """Scores without predictions, on exactly this test set."""
    designs = [(4, 300, 3, 3), (4, 300, 3, 6), (4, 2000, 5, 5)]
    worlds = [World(metric, *design, own=0.0) for metric in SIMULATED_METRICS for design in designs]
    worlds += [World("accuracy", tasks, n_test, 3, 3, own=0.0) for tasks, n_test in ((2, 500), (8, 600))]
    return [Planned(world, 8000 // world.tasks**2, False, "test-set", alone=True) for world in worlds]


def noisy_target() -> list[Planned]:
    """Seeds move the last target's scores more than those of the others; only its arrows are counted."""
    return [
        Planned(World("accuracy", tasks, 600, 3, own=0.0, sd_last=ratio), studies, False, "test-set", alone=alone)
        for tasks, studies in ((2, 4000), (4, 2000), (8, 1000))
        for ratio in (2.0, 3.0)
        for alone in (True, False)
    ]


def without_examples(arms: Arms) -> Arms:
    """Return the arms as they are if only the scores of the runs are known."""
    by_key = {}
    for of_target in arms.of_target.values():
        scores = np.unique(np.concatenate([arm.scores for arm in of_target.values()]))
        gaps = np.diff(scores)
        step = min(gaps[gaps > SMALLEST_DIFFERENCE], default=0.0)
        for key, arm in of_target.items():
            counts = np.stack([[[score, 1.0, step]] for score in arm.scores])
            by_key[key] = Arm.from_counts(counts, METRICS[GIVEN_SCORE])
    return replace(arms, by_key=by_key)


CELLS: dict[str, Callable[[], list[Planned]]] = {
    "base": base,
    "documents": documents,
    "few documents": few_documents,
    "heteroscedastic": heteroscedastic,
    "two tasks": two_tasks,
    "collapse": collapse,
    "macro-F1": macro_f1,
    "far tail": far_tail,
    "scores alone": scores_alone,
    "noisy target": noisy_target,
}


def rates(cell: str, studies: int | None = None) -> pd.DataFrame:
    """Return the rows of one cell.

    Parameters
    ----------
    studies : int, optional
        Studies per row. Default: as many as planned.
    """
    rows: list[dict[str, Any]] = []
    for planned in CELLS[cell]():
        began = time.monotonic()
        found = measure(planned, studies or planned.studies)
        rows += [{"cell": cell, "test": test, **describe(planned), **row} for test, row in found.items()]
        for row in rows[-len(TESTS) :]:
            print({key: value for key, value in row.items() if value not in ("", 0)}, flush=True)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return pd.DataFrame(rows)


def describe(planned: Planned) -> dict[str, Any]:
    """Return the parameters of a row."""
    world = planned.world
    parameters = {**asdict(world), "seeds_single": world.single_runs, "sizes": world.sizes if world.documents else ""}
    return {"estimand": planned.estimand, "alone": planned.alone, **parameters}


def seed_of(*parts: Any) -> np.random.Generator:
    """Return a generator for these parameters."""
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def measure(planned: Planned, studies: int) -> dict[str, dict[str, float]]:
    """Return each test's rates with their Monte Carlo errors, all from the same studies."""
    rng, size = seed_of(planned.world, planned.estimand), planned.world.tasks
    shifts = np.zeros((size, size))
    if planned.shifted:
        shifts[0, 1:] = 0.4
        shifts[1, 0] = 0.4 if size > 2 else 0.0
    counts: dict[str, list[np.ndarray]] = {test: [] for test in TESTS}
    p_values: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {test: ([], []) for test in TESTS}
    for start in range(0, studies, BATCH):
        drawn = [draw_study(rng, planned.world, shifts) for _ in range(min(BATCH, studies - start))]
        gains = np.stack([study.gains for study in drawn])
        if planned.alone:
            drawn = [replace(study, arms=without_examples(study.arms)) for study in drawn]
        for test in TESTS:
            rule = rule_of(test, estimand=planned.estimand)
            of_evidence = rule_of(test, estimand="test-set") if planned.every else rule
            error = error_of(stack([evidence_of(study.arms, of_evidence) for study in drawn]), rule)
            p = np.asarray(error.p(), dtype=np.float64)
            tested = ~np.isnan(p)
            if planned.world.others:
                tested[:, :, 1:] = False  # the first target is in question
            if planned.world.sd_last != 1:
                tested[:, :, :-1] = False
            null, real = tested & (gains == 0), tested & (np.abs(gains) > 0)
            of_truth = replace(error, gain=error.gain - gains).p() if planned.shifted else p
            covered = tested & (of_truth > 0.05)  # an interval inverts its test
            events = (null, null & (p <= 0.05), null & (p <= TAIL), tested, covered)
            events += (real, real & (p <= 0.05))
            counts[test].append(np.stack([event.sum(axis=(1, 2)) for event in events], axis=1))
            for kept, arrows in zip(p_values[test], (null, real), strict=True):
                kept.append(p[arrows])
    return {
        test: _summary(np.concatenate(found).astype(np.float64))
        | {"size_adjusted_power": size_adjusted_power(*map(np.concatenate, p_values[test]))}
        for test, found in counts.items()
    }


def size_adjusted_power(of_nulls: np.ndarray, of_shifted: np.ndarray) -> float:
    """Return the share of shifted arrows that a test finds if it calls exactly 5% of the null arrows.

    Tests with unequal type I errors can be compared so: a test that errs more often finds more, whatever it is worth.

    Parameters
    ----------
    of_nulls, of_shifted : (n_nulls,), (n_shifted,)
        p-values.
    """
    if not len(of_nulls) or not len(of_shifted):
        return float("nan")
    return round(float((of_shifted <= np.quantile(of_nulls, 0.05)).mean()), 4)


def _summary(counts: np.ndarray) -> dict[str, float]:
    nulls, called, far, tested, covered, real, seen = counts.T
    (type1, type1_error), (tail, tail_error) = ratio(called, nulls), ratio(far, nulls)
    coverage, coverage_error = ratio(covered, tested)
    return {
        "type1": round(type1, 4),
        "type1_error": round(type1_error, 4),
        "type1_001": round(tail, 5),
        "type1_001_error": round(tail_error, 5),
        "coverage": round(coverage, 4),
        "coverage_error": round(coverage_error, 4),
        "power": round(ratio(seen, real)[0], 4),
        "replications": int(nulls.sum()),
        "studies": len(counts),
    }


def ratio(events: np.ndarray, of: np.ndarray) -> tuple[float, float]:
    """Return a share and its Monte Carlo error; studies are independent, arrows of one study are not."""
    if not of.sum():
        return float("nan"), float("nan")
    share = events.sum() / of.sum()
    return float(share), float(np.sqrt(((events - share * of) ** 2).sum()) / of.sum())
