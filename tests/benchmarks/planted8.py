"""The tool on trial: ``planted-8``, whose truth is known, by the command line.

    python tests/benchmarks/planted8.py race OUT [SEEDS]              a sequential, then a fixed design of 12 seeds
                                                                      -> racing.csv, planted_eight_truth.csv
    python tests/benchmarks/planted8.py by-estimates OUT [BASE_SEED ...]     sequential designs of all pairs and of the
                                                      pairs that estimates admit -> racing_by_estimates.csv
    python tests/benchmarks/planted8.py study OUT [BASE_SEED ...]     3 seeds per pair, with controls -> planted8.csv

The sequential design comes first. It is compared with a fixed design of 12 seeds per pair and 32 per single task. No
study has these seeds, so the fixed design is the reference of the studies: it estimates every arrow's gain, with an
interval. An arrow is *large* if that gain is five points or more, and *null* if its interval lies within a point of
zero. The reference has an error of its own. So a study's interval holds the truth if the two gains differ by at most
the root of the sum of squares of the two half widths, and "no effect" is wrong if the reference's interval excludes
the margin.
``race`` stores every score of the reference in ``planted8_reference_scores.csv``. A command that was interrupted
continues.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from taskaffinity.analysis.estimates.admission import admit
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.verdicts import VERDICTS
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks import planted_eight

RESULTS = Path(__file__).parent / "results"
TRUTH = Path(planted_eight.__file__).with_name("planted_eight_truth.csv")
LARGE, NULL = 5.0, 1.0
TRUTH_SEED = 5000
DESIGNS = {"10%": ("2", "1.5", "1"), "20%": ("1.5", "1")}
"""Budget of the estimates -> standard errors at which they admit pairs."""


def run(name: str, out: Path, *options: str) -> float:
    """Run a command of the toolkit and return its seconds."""
    began = time.monotonic()
    command = [sys.executable, "-m", "taskaffinity", name, "--domain", "planted-8", "--results", str(out)]
    subprocess.run([*command, *options, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return round(time.monotonic() - began)


def pairwise(out: Path, *options: str) -> float:
    return run("pairwise", out, *options, "--no-predictions")


def judge(edges: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Return counts that compare a study's verdicts with the truth."""
    both = edges.merge(truth, on=["source", "target"], suffixes=("", "_true"), validate="one_to_one")
    assert len(both) == len(truth)
    significant = both.verdict.isin(["improves", "degrades"])
    large, null = both.gain_true.abs() >= LARGE, both[["low_true", "high_true"]].abs().max(axis=1) <= NULL
    half, half_true = ((both[f"high{of}"] - both[f"low{of}"]) / 2 for of in ("", "_true"))
    agrees = (both.gain - both.gain_true).abs() <= np.hypot(half, half_true)
    beyond = (both.low_true >= NULL) | (both.high_true <= -NULL)
    right = (both.verdict == "improves") & (both.gain_true > 0) | (both.verdict == "degrades") & (both.gain_true < 0)
    scores: dict[str, float] = {
        "arrows": len(both),
        "large": int(large.sum()),
        "large_found": int((large & significant & right).sum()),
        "nulls": int(null.sum()),
        "nulls_coloured": int((null & significant).sum()),
        "sign_errors": int((significant & ~right & ~null).sum()),
        "wrong_no_effect": int(((both.verdict == "no effect") & beyond).sum()),
        "inconclusive": int((both.verdict == "inconclusive").sum()),
        "covered": round(float(agrees.mean()), 3),
    }
    for word, sign in (("improves", 1), ("degrades", -1)):
        said, is_so = both.verdict == word, large & (np.sign(both.gain_true) == sign)
        scores[f"precision_{word}"] = round(float((np.sign(both.gain_true[said]) == sign).mean()), 3)
        scores[f"recall_{word}"] = round(float(said[is_so].mean()), 3)
    return scores


def study(out: Path, seeds: list[int]) -> None:
    truth, rows, edges = pd.read_csv(TRUTH), [], []
    for seed in seeds or [0, 100, 200]:
        folder = out / f"study-{seed}"
        seconds = pairwise(folder, "--base-seed", str(seed), "--controls")
        found = pd.read_csv(folder / "edges.csv")
        controls = pd.read_csv(folder / "controls.csv")
        placebos = controls[controls.control == "placebo"]
        positives = controls[controls.control == "positive"]
        rows.append(
            {
                "base_seed": seed,
                **judge(found, truth),
                "placebos": len(placebos),
                "placebos_called": int((placebos.p <= 0.05).sum()),
                "positive_controls_seen": int(((positives.p <= 0.05) & (positives.gain > 0)).sum()),
                "runs": len(list(folder.glob("runs/*/result.json"))),
                "seconds": seconds,
            }
        )
        print(rows[-1], flush=True)
        edges.append(found.assign(base_seed=seed))
        RESULTS.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(RESULTS / "planted8.csv", index=False)
        pd.concat(edges).to_csv(RESULTS / "planted8_edges.csv", index=False)


def sequential_design(out: Path, most: int = 12) -> None:
    base = ("--base-seed", str(TRUTH_SEED))
    seconds = pairwise(out / "race", "--sequential", "--max-seeds", str(most), *base)
    sequential = pd.read_csv(out / "race" / "edges.csv")
    sequential.to_csv(out / "raced.csv", index=False)
    state = measure(Study.load(out / "race"), RunStore(out / "race")).sequential
    assert state is not None
    spent = state.pair_runs
    fixed_folder = out / "fixed"  # a folder with a sequential design takes no other design
    if not fixed_folder.exists():
        shutil.copytree(out / "race" / "runs", fixed_folder / "runs")
    rest = pairwise(fixed_folder, "--seeds", str(most), *base)  # trains what the sequential design left out
    fixed = pd.read_csv(fixed_folder / "edges.csv")
    fixed[["source", "target", "gain", "low", "high", "seeds_pair", "seeds_single"]].round(2).to_csv(TRUTH, index=False)
    scores = pd.read_csv(fixed_folder / "scores.csv")
    scores.to_csv(RESULTS / "planted8_reference_scores.csv", index=False)
    both = sequential.merge(fixed, on=["source", "target"], suffixes=("", "_fixed"), validate="one_to_one")
    large = both[both.gain_fixed.abs() >= LARGE]
    pair_runs = math.comb(8, 2) * most
    designs = [("race", sequential, spent, seconds), ("fixed", fixed, pair_runs, seconds + rest)]
    rows = [
        {
            "design": design,
            "seeds": most,
            "pair_runs": runs,
            "seconds": spent_seconds,
            **{word: int((edges.verdict == word).sum()) for word in VERDICTS},
        }
        for design, edges, runs, spent_seconds in designs
    ]
    rows[0] |= {
        "pair_runs_saved": round(1 - spent / pair_runs, 3),
        "large": len(large),
        "same_verdict_on_large": int((large.verdict == large.verdict_fixed).sum()),
        "same_verdict": int((both.verdict == both.verdict_fixed).sum()),
    }
    RESULTS.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS / "racing.csv", index=False)
    print(*rows, sep="\n")


def by_estimates(out: Path, seeds: list[int]) -> None:
    rows = []
    for seed in seeds or [0]:
        base = ("--base-seed", str(seed))
        plain = out / f"plain-{seed}"
        pairwise(plain, "--sequential", *base)
        of_all = found_by_estimates(plain)
        rows.append({"base_seed": seed, **of_all, "of_the_plain_race": 1.0})
        for budget, bounds in DESIGNS.items():
            estimated = out / f"estimated-{seed}-{budget.rstrip('%')}"
            run("estimate", estimated, *base, "--budget", budget)
            for least in bounds:
                folder = out / f"admitted-{least}-{estimated.name}"
                if not folder.exists():
                    prepare_design(folder, estimated, plain, float(least))
                pairwise(folder, "--sequential", "--by-estimates", "--admit", least, *base)
                found = found_by_estimates(folder)
                share = round(int(found["pair_runs"]) / int(of_all["pair_runs"]), 3)
                rows.append({"base_seed": seed, "budget": budget, "admit": least, **found, "of_the_plain_race": share})
                print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(RESULTS / "racing_by_estimates.csv", index=False)


def prepare_design(folder: Path, estimated: Path, plain: Path, at: float) -> None:
    """Copy the estimates, and the runs of the design of all pairs that a design of the admitted pairs may need.

    A run is determined by its settings, so the design would train the same.
    """
    names = tuple(card.name for card in Study.load(estimated).tasks)
    found = read_estimates(estimated, names)
    assert found is not None
    wanted = [f"refine-{'+'.join(sorted(pair.tasks))}-s*" for pair in admit(names, found, at, set()).admitted]
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(estimated, part)
    for run_folder in chain.from_iterable(plain.joinpath("runs").glob(name) for name in ["single-*", *wanted]):
        if not (part / "runs" / run_folder.name).exists():  # the single-task runs of the estimate hold their models
            shutil.copytree(run_folder, part / "runs" / run_folder.name)
    part.rename(folder)


def found_by_estimates(folder: Path) -> dict[str, Any]:
    """Return what a sequential design of all or of the admitted pairs spent and found."""
    truth, found = pd.read_csv(TRUTH), pd.read_csv(folder / "edges.csv")
    state = measure(Study.load(folder), RunStore(folder)).sequential
    assert state is not None
    large = truth[truth.gain.abs() >= LARGE].merge(found, on=["source", "target"], suffixes=("_true", ""))
    right = np.where(large.gain_true > 0, "improves", "degrades")
    return {
        "pairs": int((found.verdict != "not measured").sum()) // 2,
        "pair_runs": state.pair_runs,
        "large": len(large),
        "large_found": int((large.verdict == right).sum()),
        "large_not_measured": int((large.verdict == "not measured").sum()),
        "not_measured": int((found.verdict == "not measured").sum()),
        **{word: int((found.verdict == word).sum()) for word in VERDICTS},
    }


if __name__ == "__main__":
    what, out = sys.argv[1], Path(sys.argv[2])
    rest = [int(value) for value in sys.argv[3:]]
    modes = {
        "study": lambda: study(out, rest),
        "race": lambda: sequential_design(out, *rest),
        "by-estimates": lambda: by_estimates(out, rest),
    }
    modes[what]()
