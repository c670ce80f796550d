"""Do verdicts err as seldom as they say? On simulated studies (``simulated.py``), whose true gains are known.

    python tests/benchmarks/error_rates.py [PART ...] [--studies N] [--out FOLDER]

writes to ``results/``, nearly every row for the default test and for ``--test satterthwaite`` from the same draws:

* ``error_rates.csv``: how often a null arrow has p <= .05 and p <= .001, and how often a 95% interval holds the true
  gain, in the cells of ``null_cells.py`` (a part each: base, documents, few-documents, heteroscedastic, two-tasks,
  collapse, macro-f1, far-tail, scores-alone);
* ``error_rates_kinds.csv`` (kinds-regression and so on): the same for null arrows of the newer kinds of task, by the
  default test alone (``null_kinds.py``);
* ``power.csv`` (power): chance of calling a shift of two seed SDs at 3 against 3 seeds, on exactly this test set;
* ``false_discoveries.csv`` (half-null; all-null-base, races-base and so on for each of ``NULL_WORLDS``): false
  significant arrows and false "no effect" of whole verdict procedures (``verdict_procedures.py``);
* ``by_estimates.csv`` (by-estimates): sequential designs whose pairs estimates admit (``admitted_designs.py``);
* ``collapsed_runs.csv`` (collapsed-runs): what "no effect" is worth if some runs collapse;
* ``normal_runs.csv`` (normal-runs): how often a normal run is flagged as collapsed;
* ``fresh_test_sets.csv`` (fresh-test-sets): how well the error from test examples is known, without seeds.

Each part replaces its rows when it ends. ``--studies N`` draws N studies per row for a quick check and writes only with
``--out``.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from admitted_designs import admitted_designs
from compared_tests import TESTS, error_of, evidence_of, rule_of
from fresh_test_sets import fresh_test_sets
from normal_runs import normal_runs
from null_cells import CELLS, rates, seed_of
from null_kinds import KINDS, kind_rates
from scipy import stats
from verdict_procedures import NULL_WORLDS, all_null, collapsed_runs, half_null, sequential_designs

from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.atomic import write_atomic
from taskaffinity.tasks.metrics import METRICS

RESULTS = Path(__file__).parent / "results"
_EXAMPLES = np.tile([-40.0, 40.0], 8)
"""Influences of the examples of ``arm_of_scores``, in points."""


def arm_of_scores(scores: np.ndarray) -> Arm:
    """Return an arm with these scores, whose examples are equally spread in every run."""
    values = scores[:, None] + _EXAMPLES
    return Arm.from_counts(np.stack([values, np.ones_like(values)], axis=-1), METRICS["accuracy"])


def power(studies: int | None = None) -> pd.DataFrame:
    """Gaussian scores without counts; the SD over seeds differs between targets by a log-normal factor (SD 0.5)."""
    rows = []
    for n_tasks in (4, 8):
        rng, hits = seed_of("power", n_tasks), {}  # type: tuple[np.random.Generator, dict[tuple[str, float], list[bool]]]
        for _ in range(studies or 12_000 // n_tasks):
            sd = 2 * np.exp(rng.normal(0, 0.5, n_tasks))
            single = sd[:, None] * rng.standard_normal((n_tasks, 3))
            pair = sd[:, None] * rng.standard_normal((n_tasks, n_tasks, 3))  # [source, target, run]
            for shift in (0.0, 2.0):
                for test, p in _p_values(single, pair, shift * sd).items():
                    hits.setdefault((test, shift), []).extend((p[~np.eye(n_tasks, dtype=bool)] <= 0.05).tolist())
        for test in dict.fromkeys(name for name, _ in hits):
            rows.append(
                {
                    "tasks": n_tasks,
                    "test": test,
                    "type1": round(float(np.mean(hits[test, 0.0])), 4),
                    "power": round(float(np.mean(hits[test, 2.0])), 4),
                    "replications": len(hits[test, 0.0]),
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _p_values(single: np.ndarray, pair: np.ndarray, shifts: np.ndarray) -> dict[str, np.ndarray]:
    """p-values ``[source, target]`` of every test."""
    names = tuple(f"t{place}" for place in range(len(single)))
    by_key: dict[Key, Arm] = {
        (name, "single", ""): arm_of_scores(runs) for name, runs in zip(names, single, strict=True)
    }
    for s, source in enumerate(names):
        by_key |= {(target, "pair", source): arm_of_scores(pair[s, t]) for t, target in enumerate(names) if s != t}
    arms = Arms(names, by_key, dict.fromkeys(by_key, (0, 1, 2)))
    found = {}
    for test in TESTS:
        rule = rule_of(test, estimand="test-set")
        evidence = evidence_of(arms, rule)
        found[test] = np.asarray(error_of(evidence.map({"gain": evidence.gain + shifts}), rule).p(), dtype=np.float64)
    moved, repeated = pair + shifts[:, None], np.broadcast_to(single, pair.shape)
    found["student"] = stats.ttest_ind(moved, repeated, axis=-1).pvalue
    found["welch"] = stats.ttest_ind(moved, repeated, axis=-1, equal_var=False).pvalue
    found["paired"] = stats.ttest_rel(moved, repeated, axis=-1).pvalue
    return found


class Part(NamedTuple):
    """A part of the benchmark: its file, which of the file's rows it replaces, and its function."""

    file: str
    rows: dict[str, list[str]]
    measure: Callable[[int | None], pd.DataFrame]


PARTS = {
    **{cell.lower().replace(" ", "-"): Part("error_rates", {"cell": [cell]}, partial(rates, cell)) for cell in CELLS},
    **{f"kinds-{kind}": Part("error_rates_kinds", {"kind": [kind]}, partial(kind_rates, kind)) for kind in KINDS},
    "power": Part("power", {}, power),
    "half-null": Part("false_discoveries", {"cell": ["half null"]}, half_null),
    **{
        f"{name}-{cell}": Part("false_discoveries", {"cell": [cell], "design": [design]}, partial(measure, cell))
        for name, design, measure in (("all-null", "fixed", all_null), ("races", "sequential", sequential_designs))
        for cell in NULL_WORLDS
    },
    "normal-runs": Part("normal_runs", {}, normal_runs),
    "fresh-test-sets": Part("fresh_test_sets", {}, fresh_test_sets),
    "collapsed-runs": Part("collapsed_runs", {}, collapsed_runs),
    "by-estimates": Part("by_estimates", {}, admitted_designs),
}


def replace_rows(path: Path, rows: dict[str, list[str]], new: pd.DataFrame) -> None:
    """Replace the rows whose columns have one of the values of ``rows`` (all rows, if it is empty) in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # two parts may end at once
        old = pd.read_csv(path) if path.exists() else pd.DataFrame()
        if rows and set(rows) <= set(old):
            replaced = np.logical_and.reduce([old[column].isin(values) for column, values in rows.items()])
            new = pd.concat([old[~replaced], new])
        write_atomic(path, new.to_csv(index=False).encode())
    finally:
        os.close(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    parser.add_argument("--studies", type=int, metavar="N", help="studies per row")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder of the files (default: results)")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    out = given.out or (None if given.studies else RESULTS)
    for name in given.parts or PARTS:
        began, part = time.monotonic(), PARTS[name]
        found = part.measure(given.studies)
        if out:
            replace_rows(out / f"{part.file}.csv", part.rows, found)
        print(f"{name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
