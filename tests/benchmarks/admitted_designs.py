"""Sequential designs whose pairs estimates admit, on simulated studies: false verdicts, savings, and what they miss.

Every study of four tasks is analysed three times from the same draws: with all pairs, with the pairs that its estimates
admit at one standard error, and with those of estimates that share a part of the luck of the measured gains. The last
is a worst case: estimates come from dev and from other weights, so they should share none.

An estimate is the true gain over a ratio from 1 to 6 (log-uniform, by arrow), as probes of planted suites are, plus
normal noise of ``SD`` points: the standard deviation of a mean of two probes. It has the code of the tool from
``estimates.csv`` on: ``admit`` and ``sequential_design``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from compared_tests import NEW, covariance_of, error_of, evidence_of, rule_of
from null_cells import seed_of
from simulated import SimulatedStudy, draw_study
from simulated_worlds import World
from verdict_procedures import INTERIM_SEEDS, half_null_shifts, score

from taskaffinity.analysis.estimates.admission import admit
from taskaffinity.analysis.estimates.probes import RATIO
from taskaffinity.analysis.estimates.stored import StoredEstimates
from taskaffinity.analysis.statistics.arms import Arms, Key
from taskaffinity.analysis.statistics.sequential import BoolArray, Covariance, IntArray, sequential_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents
from taskaffinity.analysis.statistics.verdicts import NOT_MEASURED
from taskaffinity.runs.rule import Rule

RESULTS = Path(__file__).parent / "results"
SD = 0.9
"""Points: one probe of a null arrow of planted-8 has a standard deviation of 1.2 to 1.5; this is of two."""
DESIGNS = {"sequential": None, "by estimates": 0.0, "by estimates, shared luck": 0.5}
"""Design -> correlation of the error of an estimate and of the measured gain; None measures every pair."""
CELLS = {"all null": World(seeds_pair=INTERIM_SEEDS[-1]), "half null": World(n_test=2000, seeds_pair=INTERIM_SEEDS[-1])}
STUDIES = {"all null": 1000, "half null": 300}
LARGE = 0.02
"""A gain of two points."""


def admitted_designs(studies: int | None = None) -> pd.DataFrame:
    """Return one row per cell and design."""
    rows = []
    for cell, world in CELLS.items():
        rule, rng = rule_of(NEW), seed_of("by estimates", cell)
        scores: dict[str, list[dict[str, float]]] = {design: [] for design in DESIGNS}
        for _ in range(studies or STUDIES[cell]):
            shifts = half_null_shifts(rng, world.tasks) if cell == "half null" else None
            study = draw_study(rng, world, shifts)
            for design, shared in DESIGNS.items():
                admitted = None if shared is None else admitted_arrows(study, draw_estimates(rng, study, rule, shared))
                scores[design].append(judged(study, rule, admitted))
        for design, found in scores.items():
            rows.append({"cell": cell, "design": design, **means(pd.DataFrame(found))})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def draw_estimates(rng: np.random.Generator, study: SimulatedStudy, rule: Rule, shared: float) -> StoredEstimates:
    """Draw an estimate of every arrow, in points."""
    size = len(study.arms.tasks)
    error = error_of(evidence_of(study.arms, rule), rule)
    luck = np.nan_to_num((np.asarray(error.gain) - study.gains) / np.asarray(error.se))
    noise = shared * luck + np.sqrt(1 - shared**2) * rng.standard_normal((size, size))
    ratio = np.exp(rng.uniform(0, np.log(RATIO), (size, size)))
    probe = 100 * study.gains / ratio + SD * noise
    unused = np.full((size, size), np.nan)
    return StoredEstimates(
        probe=probe,
        se=np.where(np.isnan(probe), np.nan, SD),
        low=unused,
        high=unused,
        sign=np.full((size, size), "", dtype="<U8"),
        source_learned=~np.isnan(probe),
    )


def admitted_arrows(study: SimulatedStudy, found: StoredEstimates) -> BoolArray:
    """Return the arrows of the pairs that estimates admit, ``[source, target]``."""
    names = study.arms.tasks
    admission = admit(names, found, 1.0)
    return np.array([[s != t and not admission.defers(s, t) for t in names] for s in names])


def judged(study: SimulatedStudy, rule: Rule, admitted: BoolArray | None) -> dict[str, float]:
    """Return what the verdicts of one study got wrong and right, what it saved, and what it did not measure."""
    arms, size = study.arms, len(study.arms.tasks)
    margins = np.full(size, rule.margin / 100)
    state = sequential_design(INTERIM_SEEDS, size, evidence_of_seeds(arms, rule), margins, rule, admitted)
    verdict = state.decision.verdict.copy()
    verdict[~state.admitted & ~np.eye(size, dtype=bool)] = NOT_MEASURED
    large, deferred = np.abs(study.gains) >= LARGE, verdict == NOT_MEASURED
    return {
        **score(verdict, study.gains),
        "large_deferred": float((large & deferred).sum()),
        "large": float(large.sum()),
        "deferred": float(deferred.sum()),
        "pair_runs_saved": 1 - 2 * state.pair_runs / (size * (size - 1) * INTERIM_SEEDS[-1]),
    }


def evidence_of_seeds(arms: Arms, rule: Rule) -> Any:
    """Return the evidence of a complete study by numbers of seeds, as ``sequential_design`` asks for it."""
    place = {name: number for number, name in enumerate(arms.tasks)}

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance]:
        assert n_pair is not None
        assert n_single is not None

        def seeds_of(key: Key) -> range:
            target, arm, partner = key
            return range(int(n_single[place[target]] if arm == "single" else n_pair[place[partner], place[target]]))

        used = arms.only(seeds_of)
        return evidence_of(used, rule), covariance_of(used, rule)

    return evidence_at


def admitted_of_planted_eight(base_seed: int, at: float) -> tuple[int, int, int]:
    """Return how many pairs the committed estimates of planted-8 admit, how many of the gains of five points or more
    these pairs have, and the number of pairs."""
    of_study = "suite == 'planted-8' and base_seed == @base_seed and budget == '10%'"
    rows = pd.read_csv(RESULTS / "estimates_arrows.csv").query(of_study)
    names = list(dict.fromkeys(rows.target))
    grid = {
        name: rows.pivot_table(index="source", columns="target", values=name, dropna=False).reindex(names)[names]
        for name in ("probe", "se", "gain")
    }
    learned = rows.pivot(index="source", columns="target", values="source_learned").reindex(names)[names]
    unused = np.full((len(names), len(names)), np.nan)
    found = StoredEstimates(
        probe=grid["probe"].to_numpy(float),
        se=grid["se"].to_numpy(float),
        low=unused,
        high=unused,
        sign=np.full(unused.shape, "", dtype="<U8"),
        source_learned=(learned == True).to_numpy(bool),  # noqa: E712  (the diagonal is NaN)
    )
    admission = admit(names, found, at)
    large = [(s, t) for s in names for t in names if abs(grid["gain"].loc[s, t]) >= 5]
    measured = [arrow for arrow in large if not admission.defers(*arrow)]
    return len(admission.admitted), len(measured), len(admission.pairs)


def means(found: pd.DataFrame) -> dict[str, float]:
    """Return means over studies; shares of large arrows are of all studies together."""
    large, arrows = found.large.sum(), 12 * len(found)
    return {
        "false_colours": round(float(found.false_colours.mean()), 4),
        "false_colours_error": round(float(found.false_colours.sem(ddof=0)), 4),
        "false_no_effect": round(float(found.false_no_effect.mean()), 4),
        "large_found": round(float(found.coloured_of_two_points.mean()), 4),
        "large_deferred": round(float(found.large_deferred.sum() / large), 4) if large else np.nan,
        "large_of_deferred": round(float(found.large_deferred.sum() / max(1.0, found.deferred.sum())), 4),
        "deferred": round(float(found.deferred.sum() / arrows), 4),
        "pair_runs_saved": round(float(found.pair_runs_saved.mean()), 4),
        "studies": len(found),
    }
