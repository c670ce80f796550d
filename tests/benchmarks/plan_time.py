"""Time and memory of planning a large study: how long does ``pairwise --dry-run`` of 100 tasks take?

    python tests/benchmarks/plan_time.py FOLDER [TASKS EXAMPLES]     default: 100 2100

Writes tasks of invented short texts and a small encoder into FOLDER, once. The command runs twice; the first run
encodes the texts, and the second one is the measurement, imports included. ``results/scale_steps.csv`` has it.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from taskaffinity.training.encoders.load import tiny_encoder

WORDS = [f"word{number}" for number in range(500)]
SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}


def write_tasks(folder: Path, n_tasks: int, n_examples: int) -> None:
    """Write the suite file, its data and the encoder."""
    rng = random.Random(0)
    names = [f"t{place:03d}" for place in range(n_tasks)]
    for name in names:
        (folder / name).mkdir(parents=True)
        for split, share in SHARES.items():
            with (folder / name / f"{split}.csv").open("w", newline="") as file:
                table = csv.writer(file)
                table.writerow(["text", "label"])
                for _ in range(round(share * n_examples)):
                    table.writerow([" ".join(rng.choices(WORDS, k=12)), rng.choice(["yes", "no"])])
    tasks = "".join(f"  {name}: {{kind: classification, path: {name}}}\n" for name in names)
    tiny_encoder(WORDS, folder / "made").folder.rename(folder / "encoder")
    (folder / "suite.yaml").write_text(f"name: many\ntasks:\n{tasks}")


def plan(folder: Path) -> tuple[float, float, float]:
    """Plan the study; return wall seconds, CPU seconds and MiB."""
    words = ["pairwise", "--suite=suite.yaml", "--encoder=encoder", "--executor=local", "--set=precision=none"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "taskaffinity", *words, "--dry-run"],
        cwd=folder,
        env={**os.environ, "TASKAFFINITY_CACHE": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10


def main(folder: Path, sizes: list[int]) -> None:
    n_tasks, n_examples = sizes or (100, 2100)
    if not (folder / "suite.yaml").exists():
        write_tasks(folder, n_tasks, n_examples)
    for what in ("first", "plan"):
        wall, cpu, memory = plan(folder)
        print(f"{what}: {wall:.1f} s wall, {cpu:.1f} s CPU with imports, {memory:.0f} MiB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(word) for word in sys.argv[2:]])
