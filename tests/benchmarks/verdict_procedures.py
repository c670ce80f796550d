"""Whole verdict procedures on simulated studies: how many of their significant arrows are false, and what they say.

* ``half_null``: fixed designs of eight tasks, half of the arrows null, a quarter of about one point, a quarter of two
  to eight points;
* ``all_null``: families of 12 and 56 arrows, all of them null: the share of studies with any significant arrow;
* ``sequential_designs``: sequential designs with all arrows null;
* ``collapsed_runs``: what "no effect" is worth if some runs collapse.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from compared_tests import OLD, TESTS, covariance_of, error_of, evidence_of, rule_of
from null_cells import ratio, seed_of
from simulated import SimulatedStudy, draw_study
from simulated_worlds import World

from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.sequential import Covariance, IntArray, sequential_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents
from taskaffinity.analysis.statistics.verdicts import Decision, decide
from taskaffinity.runs.rule import Rule

SIGNIFICANT = ("improves", "degrades")
INTERIM_SEEDS = (3, 5, 8, 12)
SIZES = {"below_2": (0.0, 0.02), "2_to_4": (0.02, 0.04), "from_4": (0.04, np.inf)}
"""Sizes of true gains, in score units."""
NULL_WORLDS = {
    "base": World(),
    "documents": World(documents=6, sizes="large"),
    "collapse": World(collapse_pair=0.1, collapse_single=0.1),
    "heteroscedastic": World(n_test=2000, sd_pair=3.0),
}


def half_null(studies: int | None = None) -> pd.DataFrame:
    """Return the rates of several corrections; with 3 or 5 seeds hardly any "no effect" can be said, with 40 many."""
    rows = []
    for metric in ("accuracy", "span_f1"):
        for pair, single, n_test, planned in ((3, 8, 2000, 200), (5, 14, 2000, 200), (40, 106, 4000, 30)):
            world = World(metric, 8, n_test, pair, single)
            rules = {
                (test, correction): rule_of(test, correction=correction) for test in TESTS for correction in _CHECKED
            }
            rng, scores = seed_of(world), {key: [] for key in rules}  # type: dict[Any, list[dict[str, float]]]
            sizes: dict[Any, list[pd.DataFrame]] = {key: [] for key in rules}
            for _ in range(studies or planned):
                study = draw_study(rng, world, half_null_shifts(rng))
                for key, rule in rules.items():
                    decision = verdict_of(study.arms, rule)
                    scores[key].append(score(decision.verdict, study.gains))
                    estimates = (decision.low + decision.high) / 2
                    sizes[key].append(sizes_of_significant(decision.verdict, estimates, study.gains))
            rows += [
                {**row_of("half null", "fixed", world, rules[key], found), **exaggeration(sizes[key])}
                for key, found in scores.items()
            ]
            _show(rows, len(rules))
    return pd.DataFrame(rows)


_CHECKED = ("bh", "by", "holm")
"""Dunnett's correction takes minutes a study."""


def all_null(cell: str, studies: int | None = None) -> pd.DataFrame:
    """Return the rows of one of ``NULL_WORLDS``."""
    rows = []
    for tasks, planned in ((4, 1500), (8, 1000)):
        family, rules = replace(NULL_WORLDS[cell], tasks=tasks), {test: rule_of(test) for test in TESTS}
        rng, scores = seed_of(family), {test: [] for test in rules}  # type: dict[str, list[dict[str, float]]]
        for _ in range(studies or planned):
            study = draw_study(rng, family)
            for test, rule in rules.items():
                scores[test].append(score(verdict_of(study.arms, rule).verdict, study.gains))
        rows += [row_of(cell, "fixed", family, rules[test], found) for test, found in scores.items()]
        _show(rows, len(rules))
    return pd.DataFrame(rows)


def sequential_designs(cell: str, studies: int | None = None) -> pd.DataFrame:
    """Return the rows of one of ``NULL_WORLDS``."""
    full = replace(NULL_WORLDS[cell], seeds_pair=INTERIM_SEEDS[-1])
    rules = {test: rule_of(test) for test in TESTS}
    rng, scores = seed_of(full), {test: [] for test in rules}  # type: dict[str, list[dict[str, float]]]
    for _ in range(studies or 500):
        study = draw_study(rng, full)
        for test, rule in rules.items():
            verdict, saved = run_sequential(study.arms, rule)
            scores[test].append({**score(verdict, study.gains), "pair_runs_saved": saved})
    rows = [row_of(cell, "sequential", full, rules[test], found) for test, found in scores.items()]
    _show(rows, len(rules))
    return pd.DataFrame(rows)


def run_sequential(arms: Arms, rule: Rule) -> tuple[np.ndarray, float]:
    """Return the verdicts of a sequential design on a complete study, and the share of pair runs that it saves."""
    place, size = {name: number for number, name in enumerate(arms.tasks)}, len(arms.tasks)

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance]:
        def seeds_of(key: Key) -> range:
            target, arm, partner = key
            if n_pair is None or n_single is None:
                return range(INTERIM_SEEDS[-1])
            return range(int(n_single[place[target]] if arm == "single" else n_pair[place[partner], place[target]]))

        used = arms.only(seeds_of)
        return evidence_of(used, rule), covariance_of(used, rule)

    margins = np.full(size, rule.margin / 100)
    state = sequential_design(INTERIM_SEEDS, size, evidence_at, margins, rule)
    return state.decision.verdict, 1 - 2 * state.pair_runs / (size * (size - 1) * INTERIM_SEEDS[-1])


def verdict_of(arms: Arms, rule: Rule) -> Decision:
    """Return the decision of a fixed design."""
    error = error_of(evidence_of(arms, rule), rule)
    return decide(error, np.full(len(arms.tasks), rule.margin / 100), rule, covariance_of(arms, rule))


def half_null_shifts(rng: np.random.Generator, size: int = 8) -> np.ndarray:
    """Return shifts: half of the arrows null, a quarter of about one point, a quarter larger."""
    arrows = rng.permutation([(s, t) for s in range(size) for t in range(size) if s != t])
    shifts, quarter = np.zeros((size, size)), len(arrows) // 4
    for place, (s, t) in enumerate(arrows[: 2 * quarter]):
        sign = rng.choice([-1.0, 1.0])
        shifts[s, t] = sign * (rng.uniform(0.07, 0.09) if place < quarter else rng.uniform(0.15, 0.7))
    return shifts


def score(verdict: np.ndarray, gains: np.ndarray) -> dict[str, float]:
    """Return what one study's verdicts got wrong and right."""
    significant = np.isin(verdict, SIGNIFICANT)
    wrong = significant & ((gains == 0) | (np.sign(gains) != np.where(verdict == "improves", 1, -1)))
    equal = verdict == "no effect"
    large, nulls = np.abs(gains) >= 0.02, gains == 0
    return {
        "false_colours": wrong.sum() / max(1, significant.sum()),
        "false_no_effect": (equal & (np.abs(gains) >= 0.01)).sum() / max(1, equal.sum()),
        "reversed": float((significant & (gains != 0) & wrong).sum()),
        "coloured_of_two_points": (significant & large).sum() / large.sum() if large.any() else np.nan,
        "no_effect_of_nulls": (equal & nulls).sum() / max(1, nulls.sum()),
    }


def sizes_of_significant(verdict: np.ndarray, estimates: np.ndarray, gains: np.ndarray) -> pd.DataFrame:
    """Return the true and the estimated sizes of one study's significant gains that are not zero, in score units."""
    found = np.isin(verdict, SIGNIFICANT) & (gains != 0)
    return pd.DataFrame({"true": np.abs(gains[found]), "estimated": np.abs(estimates[found])})


def exaggeration(sizes: list[pd.DataFrame]) -> dict[str, float]:
    """Return how many times too large significant gains are (winner's curse), by the size of the true gain.

    It is the sum of the estimates over that of the true gains, of all studies together; NaN without a significant gain.
    """
    found = pd.concat(sizes)
    return {
        f"exaggeration_{name}": round(float(some.estimated.sum() / some.true.sum()), 4) if len(some) else np.nan
        for name, (least, below) in SIZES.items()
        for some in [found[(found.true >= least) & (found.true < below)]]
    } | {
        f"significant_{name}": int(found.true.between(least, below, inclusive="left").sum())
        for name, (least, below) in SIZES.items()
    }


def row_of(cell: str, design: str, world: World, rule: Rule, scores: list[dict[str, float]]) -> dict[str, Any]:
    """Return the means over studies, with the Monte Carlo error of the first."""
    found = pd.DataFrame(scores)
    return {
        "cell": cell,
        "design": design,
        "test": getattr(rule, "test", OLD),
        "correction": rule.correction,
        "metric": world.metric,
        "arrows": world.tasks * (world.tasks - 1),
        "n_test": world.n_test,
        "seeds_pair": world.seeds_pair,
        "seeds_single": world.single_runs,
        **found.mean().round(4).to_dict(),
        "false_colours_error": round(float(found.false_colours.sem(ddof=0)), 4),
        "studies": len(found),
    }


def collapsed_runs(studies: int | None = None) -> pd.DataFrame:
    """Return what "no effect" is worth; seeds move scores so little that it can be said of most null arrows."""
    rows = []
    for arms in ("single", "both"):
        for rate in (0.0, 0.03, 0.1, 0.3, 0.5):
            world = World(n_test=2000, seeds_pair=8, own=0.0, luck=0.03, collapse_single=rate)
            world = replace(world, collapse_pair=rate if arms == "both" else 0.0)
            rules = {test: rule_of(test) for test in TESTS}
            rng, counts = seed_of(world), {test: [] for test in rules}  # type: dict[str, list[dict[str, float]]]
            for _ in range(studies or 400):
                study = draw_study(rng, world, half_null_shifts(rng, world.tasks))
                for test, rule in rules.items():
                    counts[test].append(count_collapsed(study, rule))
            for test, found in counts.items():
                rows.append({"arms": arms, "collapse": rate, "test": test, **_collapse_rates(pd.DataFrame(found))})
            _show(rows, len(rules))
    return pd.DataFrame(rows)


def count_collapsed(study: SimulatedStudy, rule: Rule) -> dict[str, float]:
    """Count one study's "no effect", right and wrong, and its flagged runs."""
    arms, verdict = study.arms, verdict_of(study.arms, rule).verdict
    equal, null, large = verdict == "no effect", study.trained_gains == 0, np.abs(study.trained_gains) >= 0.01
    counts = {
        "nulls": null.sum(),
        "right": (equal & null).sum(),
        "no_effect": equal.sum(),
        "wrong_of_all": (equal & (np.abs(study.gains) >= 0.01)).sum(),
        "wrong_of_trained": (equal & large).sum(),
        "collapsed": sum(runs.sum() for runs in study.collapsed.values()),
    }
    flagged = arms.collapsed
    hit, marked = _arrows_with(arms, study.collapsed), _arrows_with(arms, flagged)
    return counts | {
        "hit": (equal & hit).sum(),
        "hit_and_marked": (equal & hit & marked).sum(),
        "found": sum((study.collapsed[key] & runs).sum() for key, runs in flagged.items()),
        "trained": sum((~runs).sum() for runs in study.collapsed.values()),
        "false_flags": sum((~study.collapsed[key] & runs).sum() for key, runs in flagged.items()),
    }


def _collapse_rates(counts: pd.DataFrame) -> dict[str, float]:
    rates = {
        "no_effect_of_nulls": ("right", "nulls"),
        "wrong_no_effect": ("wrong_of_all", "no_effect"),
        "wrong_no_effect_among_trained": ("wrong_of_trained", "no_effect"),
        "no_effect_flagged": ("hit_and_marked", "hit"),
        "collapsed_runs_flagged": ("found", "collapsed"),
        "trained_runs_flagged": ("false_flags", "trained"),
    }
    known = {name: pair for name, pair in rates.items() if set(pair) <= set(counts)}
    return {
        **{name: round(ratio(counts[up].to_numpy(), counts[of].to_numpy())[0], 4) for name, (up, of) in known.items()},
        "no_effect": int(counts.no_effect.sum()),
        "collapsed_runs": int(counts.collapsed.sum()),
        "studies": len(counts),
    }


def _arrows_with(arms: Arms, runs: dict[Key, Any]) -> np.ndarray:
    """``[source, target]``, whether any run of either arm is marked in ``runs``."""
    size = len(arms.tasks)
    found = np.zeros((size, size), dtype=bool)
    for s, source in enumerate(arms.tasks):
        for t, target in enumerate(arms.tasks):
            keys = ((target, "pair", source), (target, "single", ""))
            found[s, t] = s != t and any(runs[key].any() for key in keys)
    return found


def _show(rows: list[dict[str, Any]], last: int) -> None:
    for row in rows[-last:]:
        print(row, flush=True)
