"""What does a study cost beside its training? Two runs at once beside one, and the README's main command.

    python tests/benchmarks/study_overhead.py DATA ENCODER OUT [--before CHECKOUT] [--rounds 2]

* ``two at once``: examples a second of two processes of one thread each, that train on real text (as
  ``train_speed.py``), over those of one alone; in turn, medians of rounds.
* ``main command``: seconds of ``pairwise --domain clinical``, the share of workers x wall that is neither training nor
  evaluation (of the whole command, and from just before Ray starts until the last run is done), and planted arrows that
  were missed or wrongly significant. With ``--before``, the same command in an older checkout, in turn with this one
  (A B A B), and the ratio of their seconds.

Writes ``results/study_overhead.csv``, a row a figure, and ``overhead_machine.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from synthetic_suites import run_study
from train_speed import BATCH, RESULTS, Ours, commit_of, encoded, machine

from taskaffinity.training.encoders.load import find_encoder


def rate(data: Path, encoder: Path, seconds: float) -> float:
    """Examples a second of this process, one thread, after a warm-up."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as work:
        metas, splits = encoded(data, find_encoder(str(encoder)), Path(work))
        ours = Ours(encoder, metas, splits, "adamax")
        ours.train([(name, np.argsort(np.diff(split.bounds))[-BATCH:]) for name, split in splits.items()])
        print("ready", flush=True)
        sys.stdin.readline()
        spent = examples = 0.0
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for name, split in splits.items():
                spent += ours.train([(name, rng.choice(split.n_rows, BATCH, replace=False))])
                examples += BATCH
    return examples / spent


def at_once(n: int, data: Path, encoder: Path, seconds: float) -> float:
    """Examples a second of ``n`` processes together."""
    command = [sys.executable, __file__, str(data), str(encoder), "-", "--rate", str(seconds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(n)]  # type: ignore[call-overload]
    for process in processes:
        process.stdout.readline()
    for process in processes:  # all are warm: now
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(float(process.communicate()[0]) for process in processes)


def main_command(checkout: Path, out: Path) -> float:
    """Seconds of the README's main command in another checkout."""
    command = [
        sys.executable,
        "-m",
        "taskaffinity",
        "pairwise",
        "--domain",
        "clinical",
        "--results",
        str(out),
        "--quiet",
    ]
    began = time.monotonic()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}
    )
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--before", type=Path, help="an older checkout")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rate", type=float, help="one process's part")
    asked = parser.parse_args()
    if asked.rate:
        print(rate(asked.data, asked.encoder, asked.rate))
        return
    out = asked.out.resolve()
    rates = {n: [] for n in (1, 2)}
    for _ in range(3):
        for n, found in rates.items():
            found.append(at_once(n, asked.data, asked.encoder, 20))
    two = [both / one for one, both in zip(rates[1], rates[2], strict=True)]
    rows: list[tuple[str, float]] = [
        ("two at once, times one", median(two)),
        ("two at once, times one, least of rounds", min(two)),
        ("two at once, times one, most of rounds", max(two)),
    ]
    now, before = [], []
    for number in range(asked.rounds):
        if asked.before:
            before.append(main_command(asked.before.resolve(), out / f"before-{number}"))
        now.append(run_study("clinical", 0, out / f"now-{number}"))
        print(now[-1], before[-1:], flush=True)
    rows += [
        (f"main command, {key}", median(float(study[key]) for study in now))
        for key in (
            *("seconds", "share_not_training", "share_not_training_once_begun", "longest_run_seconds"),
            *("missed", "reversed", "wrongly_significant"),
        )
    ]
    if before:
        ratios = [old / float(new["seconds"]) for old, new in zip(before, now, strict=True)]
        rows += [("main command before, seconds", median(before)), ("main command, times as fast", median(ratios))]
    table = pd.DataFrame(rows, columns=["figure", "value"]).round(3)
    table.to_csv(RESULTS / "study_overhead.csv", index=False)
    torch.set_num_threads(1)
    of_before = {"commit_before": commit_of(asked.before)} if asked.before else {}
    (RESULTS / "overhead_machine.json").write_text(json.dumps(machine() | of_before, indent=1) + "\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
