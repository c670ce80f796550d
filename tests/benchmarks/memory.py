"""How much memory does a run take, and does it grow? Ours beside the Hugging Face Trainer, a process each.

    python tests/benchmarks/memory.py DATA ENCODER [--steps 40,200] [--out FOLDER]

Peak resident memory of a process that trains for so many steps of 32 (ChemProt and BC5CDR in turn; the Trainer on
ChemProt alone, which is the larger), the largest batch among the first. Writes
``memory.csv`` and ``memory_machine.json`` into ``results/``, or into ``--out``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from train_speed import BATCH, OURS, RESULTS, TASKS, Ours, encoded, machine, ours_here

from taskaffinity.training.encoders.load import find_encoder

WAYS = (*OURS, "trainer")


def train(way: str, steps: int, data: Path, encoder: Path) -> float:
    """Peak resident MiB of this process after ``steps`` updates."""
    from peers import TrainerWay

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as work:
        metas, splits = encoded(data, find_encoder(str(encoder)), Path(work))
        largest = {name: np.argsort(np.diff(split.bounds))[-BATCH:] for name, split in splits.items()}
        if way == "trainer":
            name = TASKS[0]
            drawn = [rng.choice(splits[name].n_rows, BATCH, replace=False) for _ in range(steps - 1)]
            TrainerWay(encoder, metas[name], splits[name], Path(work)).train([largest[name], *drawn])
        else:
            ours = Ours(encoder, metas, splits, *OURS[way])
            ours.train(list(largest.items()))
            for number in range(steps - 2):
                name = TASKS[number % 2]
                ours.train([(name, rng.choice(splits[name].n_rows, BATCH, replace=False))])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--steps", default="40,200")
    parser.add_argument("--way", choices=WAYS, help="one process's part")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder; default: %(default)s")
    asked = parser.parse_args()
    if asked.way:
        print(f"peak {train(asked.way, int(asked.steps), asked.data, asked.encoder):.0f}")
        return
    rows = []
    for steps in asked.steps.split(","):
        for way in (*ours_here("cpu"), "trainer"):
            command = [sys.executable, __file__, str(asked.data), str(asked.encoder), "--steps", steps, "--way", way]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({"way": way, "steps": int(steps), "peak_mib": int(said.rpartition("peak ")[2])})
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(asked.out / "memory.csv", index=False)
    (asked.out / "memory_machine.json").write_text(json.dumps(machine(), indent=1) + "\n")


if __name__ == "__main__":
    main()
