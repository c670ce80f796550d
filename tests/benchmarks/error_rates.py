"""Do verdicts err as seldom as they say? On simulated studies (``simulated.py``), whose true gains are known.

    python tests/benchmarks/error_rates.py [rates|power|discoveries ...]

writes to ``results/``:

* ``error_rates.csv``: how often a null arrow has p <= .05, and how often a 95 % interval holds the true gain, by noise
  of the seeds, metric, test examples and seeds; studies of four tasks, a third of the arrows shifted (nulls alone count
  for type I, all for coverage);
* ``power.csv``: chance of calling a shift of two seed SDs at 3 against 3 seeds, on this very test set, for four tests;
* ``false_discoveries.csv``: whole verdict procedures on studies of eight tasks with half of the arrows null: false
  colours, and "no effect" where the true gain is a point or more (a quarter of the arrows lies just there).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from simulated import NOISES, SIMULATED_METRICS, draw_study

from taskaffinity.analysis.statistics.seed_variance import fit_prior
from taskaffinity.analysis.statistics.standard_errors import standard_error
from taskaffinity.analysis.statistics.verdicts import decide
from taskaffinity.runs.rule import Rule

RESULTS = Path(__file__).parent / "results"
STUDIES = 1000
"""Of twelve arrows each: 8,000 nulls a cell, 12,000 intervals."""


def rates() -> pd.DataFrame:
    """Type I error and coverage of the default test."""
    rows = []
    shifts = np.zeros((4, 4))
    shifts[0, 1:] = shifts[1, 0] = 0.4
    for noise in NOISES:
        for metric in SIMULATED_METRICS:
            for n_test in (300, 2000):
                for seeds_pair, seeds_single in ((3, 3), (3, 6), (5, 5), (5, 9), (10, 10)):
                    began, rng = time.monotonic(), np.random.default_rng([n_test, seeds_pair, seeds_single])
                    called, covered = [], []
                    for _ in range(STUDIES):
                        arms, gains = draw_study(
                            rng,
                            metric,
                            shifts=shifts,
                            n_test=n_test,
                            seeds_pair=seeds_pair,
                            seeds_single=seeds_single,
                            noise=noise,
                        )
                        error = standard_error(arms.evidence)
                        low, high = error.interval(0.05)
                        known = ~np.isnan(gains)
                        called += (error.p()[gains == 0] <= 0.05).tolist()
                        covered += ((low <= gains) & (gains <= high))[known].tolist()
                    rows.append(
                        {
                            "noise": noise,
                            "metric": metric,
                            "n_test": n_test,
                            "seeds_pair": seeds_pair,
                            "seeds_single": seeds_single,
                            "type1": round(float(np.mean(called)), 4),
                            "coverage": round(float(np.mean(covered)), 4),
                            "replications": len(called),
                        }
                    )
                    print(rows[-1], round(time.monotonic() - began), "s", flush=True)
    return pd.DataFrame(rows)


def power() -> pd.DataFrame:
    """Scores alone, Gaussian; the SD over seeds differs between targets by a log-normal factor (SD 0.5)."""
    rng, rows = np.random.default_rng(0), []
    for n_tasks in (4, 8):
        hits: dict[tuple[str, float], list[bool]] = {}
        for _ in range(20_000 // n_tasks):
            sd = np.exp(rng.normal(0, 0.5, (n_tasks, 1, 1)))
            single = sd * rng.standard_normal((n_tasks, 1, 3))
            pair = sd * rng.standard_normal((n_tasks, n_tasks - 1, 3))
            variances = [arm.var(axis=-1, ddof=1) for arm in (pair, single)]
            everything = np.concatenate([v.ravel() for v in variances])
            prior = fit_prior(everything, np.full(len(everything), 2.0))
            moderated, d = zip(*(prior.shrink(v, 2.0, 1.0) for v in variances), strict=True)
            for shift in (0.0, 2.0):
                moved = pair + shift * sd
                t = (moved.mean(-1) - single.mean(-1)) / np.sqrt((moderated[0] + moderated[1]) / 3)
                alone = np.broadcast_to(single, pair.shape)
                found = {
                    "moderated": 2 * stats.t.sf(np.abs(t), min(d)),
                    "student": stats.ttest_ind(moved, alone, axis=-1).pvalue,
                    "welch": stats.ttest_ind(moved, alone, axis=-1, equal_var=False).pvalue,
                    "paired": stats.ttest_rel(moved, alone, axis=-1).pvalue,
                }
                for test, p in found.items():
                    hits.setdefault((test, shift), []).extend((p <= 0.05).ravel().tolist())
        for test in ("moderated", "student", "welch", "paired"):
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


def discoveries(studies: int = 100) -> pd.DataFrame:
    """Rules on whole studies: half of the arrows null, a quarter of about one point, a quarter of two to eight.

    With 3 or 5 seeds hardly any "no effect" can be said; the design of 40 says many.
    """
    rules = {"bh": Rule(), "by": Rule(correction="by"), "holm": Rule(correction="holm")}  # dunnett: minutes a study
    rows = []
    for metric in ("accuracy", "span_f1"):
        for seeds_pair, seeds_single, n_test, n in ((3, 8, 2000, studies), (5, 14, 2000, studies), (40, 106, 4000, 30)):
            rng = np.random.default_rng([seeds_pair, len(metric)])
            found: dict[str, list[dict[str, float]]] = {name: [] for name in rules}
            for _ in range(n):
                shifts = _shifts(rng)
                arms, gains = draw_study(
                    rng, metric, shifts=shifts, n_test=n_test, seeds_pair=seeds_pair, seeds_single=seeds_single
                )
                for name, rule in rules.items():
                    margins = np.full(len(shifts), rule.margin / 100)
                    call = decide(standard_error(arms.evidence), margins, rule, arms.covariance)
                    found[name].append(_score(call.verdict, gains))
            for name, scores in found.items():
                means = pd.DataFrame(scores).mean().round(4).to_dict()
                rows.append(
                    {
                        "metric": metric,
                        "seeds_pair": seeds_pair,
                        "seeds_single": seeds_single,
                        "n_test": n_test,
                        "correction": name,
                        **means,
                        "studies": len(scores),
                    }
                )
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _shifts(rng: np.random.Generator) -> np.ndarray:
    size = 8
    arrows = rng.permutation([(s, t) for s in range(size) for t in range(size) if s != t])
    shifts = np.zeros((size, size))
    for place, (s, t) in enumerate(arrows[:28]):
        sign = rng.choice([-1.0, 1.0])
        shifts[s, t] = sign * (rng.uniform(0.07, 0.09) if place < 14 else rng.uniform(0.15, 0.7))
    return shifts


def _score(verdict: np.ndarray, gains: np.ndarray) -> dict[str, float]:
    coloured = np.isin(verdict, ("improves", "degrades"))
    wrong = coloured & ((gains == 0) | (np.sign(gains) != np.where(verdict == "improves", 1, -1)))
    equal = verdict == "no effect"
    large = np.abs(gains) >= 0.02
    return {
        "false_colours": wrong.sum() / max(1, coloured.sum()),
        "false_no_effect": (equal & (np.abs(gains) >= 0.01)).sum() / max(1, equal.sum()),
        "reversed": float((coloured & (gains != 0) & wrong).sum()),
        "coloured_of_two_points": (coloured & large).sum() / max(1, large.sum()),
        "no_effect_of_nulls": (equal & (gains == 0)).sum() / 28,
    }


PARTS = {"rates": ("error_rates", rates), "power": ("power", power), "discoveries": ("false_discoveries", discoveries)}

if __name__ == "__main__":
    for part in sys.argv[1:] or list(PARTS):
        name, measure = PARTS[part]
        frame = measure()
        RESULTS.mkdir(exist_ok=True)
        frame.to_csv(RESULTS / f"{name}.csv", index=False)
