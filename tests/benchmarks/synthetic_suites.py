"""Check verdicts on the synthetic suites: run the README's command on both with several base seeds.

    python tests/benchmarks/synthetic_suites.py OUT [BASE_SEED ...]

prints one line per study. It writes ``results/synthetic_suites.csv`` (one row per study) and
``results/synthetic_suites_edges.csv`` (one row per arrow) beside this file. The truth is in
``tasks/planted_truth.csv``. The script counts arrows that should be significant and are not (missed), arrows with the
opposite sign (reversed), and arrows that should not be significant and are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from taskaffinity.tasks import planted

RESULTS = Path(__file__).parent / "results"
OPPOSITE = {"improves": "degrades", "degrades": "improves"}


def judge(edges: pd.DataFrame, truth: dict[tuple[str, str], str]) -> dict[str, int]:
    """Count the arrows that a study missed, reversed, or wrongly called significant."""
    verdict = {(row.source, row.target): str(row.verdict) for row in edges.itertuples()}
    assert verdict.keys() == truth.keys()
    significant = {arrow for arrow, word in verdict.items() if word in OPPOSITE}
    return {
        "planted": sum(word in OPPOSITE for word in truth.values()),
        "missed": sum(word in OPPOSITE and verdict[arrow] != word for arrow, word in truth.items()),
        "reversed": sum(
            verdict[arrow] == OPPOSITE.get(word, "degrades" if word == "not degrades" else "")
            for arrow, word in truth.items()
        ),
        "wrongly_significant": sum(word == "not significant" and arrow in significant for arrow, word in truth.items()),
    }


def run_study(domain: str, base_seed: int, out: Path) -> dict[str, float | int | str]:
    """Run one study by the command line; return its errors and its cost.

    ``share_not_training`` is the share of workers x wall time that was neither training nor evaluation.
    ``share_not_training_once_begun`` counts from the moment that the study is written, before Ray starts, until the
    last run is done.
    """
    began = time.monotonic()
    command = ["pairwise", "--domain", domain, "--base-seed", str(base_seed), "--results", str(out), "--quiet"]
    subprocess.run([sys.executable, "-m", "taskaffinity", *command], check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - began
    edges = pd.read_csv(out / "edges.csv")
    results = sorted(out.glob("runs/*/result.json"))
    work = [json.loads(path.read_text())["work"] for path in results]
    useful = sum(w["train_seconds"] + w["evaluate_seconds"] for w in work) / len(os.sched_getaffinity(0))
    begun = max(path.stat().st_mtime for path in results) - (out / "study.json").stat().st_mtime
    return {
        "suite": domain,
        "base_seed": base_seed,
        **judge(edges, planted.truth(domain)),
        "runs": len(work),
        "seconds": round(wall, 1),
        "longest_run_seconds": round(max(w["total_seconds"] for w in work), 1),
        "share_not_training": round(1 - useful / wall, 3),
        "share_not_training_once_begun": round(1 - useful / begun, 3),
    }


def main() -> None:
    out, seeds = Path(sys.argv[1]), [int(seed) for seed in sys.argv[2:]] or [0, 100, 200]
    rows, edges = [], []
    for domain in ("clinical", "biomedical"):
        for seed in seeds:
            folder = out / f"{domain}-{seed}"
            rows.append(run_study(domain, seed, folder))
            print(rows[-1], flush=True)
            edges.append(pd.read_csv(folder / "edges.csv").assign(suite=domain, base_seed=seed))
    RESULTS.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(RESULTS / "synthetic_suites.csv", index=False)
    pd.concat(edges).to_csv(RESULTS / "synthetic_suites_edges.csv", index=False)


if __name__ == "__main__":
    main()
