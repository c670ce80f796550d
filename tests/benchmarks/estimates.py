"""Do estimates from probes find the planted arrows, at a tenth of the cost of all pairs?

    python tests/benchmarks/estimates.py OUT [--suites NAME ...] [--base-seeds 0 100] [--budget 10%]
    python tests/benchmarks/estimates.py OUT --suites clinical biomedical --base-seeds 0 100 200 300 400 500

Estimates every arrow of ``planted-8``, of the two four-task suites and of ``shortcut-6`` (``shortcut.py``), with each
base seed, and compares the estimates with the truth: for ``planted-8`` and ``shortcut-6`` the gains of 12 seeds
(``planted_eight_truth.csv``, ``shortcut_truth.csv``), for the others the gains of ``synthetic_suites_edges.csv``,
averaged over its base seeds. An arrow improves if its true gain is two points or more,
and degrades if it is minus two points or less. Writes ``results/estimates.csv`` (a row per study and estimator) and
``results/estimates_arrows.csv`` (a row per arrow). A command that was interrupted continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from planted8 import TRUTH
from shortcut import SHORTCUT
from shortcut import TRUTH as SHORTCUT_TRUTH

import taskaffinity as ta
from taskaffinity.analysis.estimates.validation import agreement, estimator_scores
from taskaffinity.runs.probe_result import read_probe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.study import Study

RESULTS = Path(__file__).parent / "results"
SUITES = ("planted-8", "clinical", "biomedical", SHORTCUT.name)
CLEAR, LARGE = 2.0, 5.0


def truth_of(domain: str) -> pd.DataFrame:
    """The true gain of every arrow of a suite, in points."""
    if domain in (of_12_seeds := {"planted-8": TRUTH, SHORTCUT.name: SHORTCUT_TRUTH}):
        return pd.read_csv(of_12_seeds[domain])[["source", "target", "gain"]]
    edges = pd.read_csv(RESULTS / "synthetic_suites_edges.csv")
    edges = edges[edges.suite == domain]
    return edges.groupby(["source", "target"], sort=False).gain.mean().reset_index()


def time_share(root: Path, study: Study) -> float:
    """Time of all probes, loading included, as a share of the time of all pairs.

    A pair has the updates of its two single-task runs, so their times stand for it.
    """
    store = RunStore(root)
    specs = [parse_model(path.read_bytes(), RunSpec) for path in sorted((root / "runs").glob("probe-*/spec.json"))]
    probes = sum(found.scores.work["total_seconds"] for spec in specs if (found := read_probe(store, spec)))
    single: dict[str, list[float]] = {}
    for spec in study.plan:
        if spec.arm == "single" and (seconds := store.seconds(spec)):
            single.setdefault(spec.task_names[0], []).append(seconds)
    of_one_seed = sum(np.mean(single[one]) + np.mean(single[other]) for one, other in combinations(sorted(single), 2))
    return float(probes / (len(study.seeds) * of_one_seed))


def judge(domain: str, base_seed: int, budget: str, out: Path) -> tuple[list[dict[str, object]], pd.DataFrame]:
    """Estimate one suite, and compare it with the truth."""
    root = out / f"{domain}-{base_seed}-{budget.rstrip('%')}"
    suite = SHORTCUT if domain == SHORTCUT.name else domain
    ta.estimate(suite, budget=budget, base_seed=base_seed, output_dir=root, executor="local", baselines=True)
    frame = pd.read_csv(root / "estimates.csv")
    arrows = frame.merge(truth_of(domain), on=["source", "target"], validate="1:1")
    improves, degrades = (arrows.gain >= CLEAR).to_numpy(), (arrows.gain <= -CLEAR).to_numpy()
    study = Study.load(root)
    large, null = arrows.gain.abs() >= LARGE, arrows.gain.abs() < 1
    signs = np.sign(arrows.probe) == np.sign(arrows.gain)
    common = {"suite": domain, "base_seed": base_seed, "budget": budget}
    rows = []
    places = pd.MultiIndex.from_frame(arrows[["source", "target"]])
    for name, scores in estimator_scores(frame, study, root).items():
        found = agreement(arrows, name, scores.reindex(places).to_numpy(float), improves, degrades)
        row = {**common, **asdict(found)}
        if name == "probes":
            row |= {
                "large": int(large.sum()),
                "sign_large": round(float(signs[large].mean()), 3),
                "large_with_sign": int((large & (arrows.sign != "unclear")).sum()),
                "nulls": int(null.sum()),
                "nulls_with_sign": int((null & (arrows.sign != "unclear")).sum()),
                "not_learned": int((~arrows.source_learned.astype(bool)).sum()),
                "time_share": round(time_share(root, study), 4),
            }
        rows.append(row)
    return rows, arrows.assign(**common)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=SUITES)
    parser.add_argument("--base-seeds", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--budget", default="10%")
    given = parser.parse_args()
    rows, frames = [], []
    for domain in given.suites:
        for base_seed in given.base_seeds:
            found, arrows = judge(domain, base_seed, given.budget, given.out)
            rows += found
            frames.append(arrows)
            print(pd.DataFrame(found).round(3).to_string(index=False), flush=True)
    _write("estimates.csv", pd.DataFrame(rows).round(3), given.suites, given.budget)
    _write("estimates_arrows.csv", pd.concat(frames).round(4), given.suites, given.budget)


def _write(name: str, found: pd.DataFrame, suites: Sequence[str], budget: str) -> None:
    """Write a file of results; rows of other suites and budgets stay."""
    path = RESULTS / name
    kept = [pd.read_csv(path)] if path.exists() else []
    kept = [frame[~frame["suite"].isin(suites) | (frame["budget"] != budget)] for frame in kept]
    pd.concat([*kept, found]).to_csv(path, index=False)


if __name__ == "__main__":
    main()
