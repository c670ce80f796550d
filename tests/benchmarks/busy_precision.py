"""Does the trial of bf16 find the same on a busy machine? By the time of the process, and by the clock.

    python tests/benchmarks/busy_precision.py [--busy 2] [--trials 4] [--width 384] [--layers 6]

Times updates of an encoder with random weights in fp32 and in bf16, alone and beside busy processes, with both clocks
in turn. Writes ``results/busy_precision.csv``, one row per trial: the median, the lowest and the highest pair, whether
they decide, and how many threads of others ran.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.planted import CLINICAL, VOCABULARY
from taskaffinity.training.encoders.load import tiny_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.profile import precision

RESULTS = Path(__file__).parent / "results"
CLOCKS = {"process": time.process_time, "clock": time.perf_counter}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"busy": 2, "trials": 4, "width": 384, "layers": 6}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache, task = Path(folder), CLINICAL["mednli"]
        encoder = tiny_encoder(VOCABULARY, cache, layers=given.layers, width=given.width)
        recipe = replace(FROM_SCRATCH, max_train_examples=320)
        prepare([task], encoder, recipe, cache)
        spec = RunSpec((task.ref,), encoder.ref, 0, recipe)
        rows = []
        for n_busy in (0, given.busy):
            others = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(n_busy)]
            try:
                for _ in range(given.trials):
                    for name, clock in CLOCKS.items():
                        precision._own_clock = clock
                        began = time.perf_counter()
                        trial = precision.times_in_bf16(spec, encoder_folder=encoder.folder, cache=cache)
                        rows.append(
                            {"busy": n_busy, "time": name, **asdict(trial)}
                            | {"seconds": time.perf_counter() - began, "others": precision._others()}
                        )
                        print(rows[-1], flush=True)
            finally:
                for other in others:
                    other.kill()
                    other.wait()
    pd.DataFrame(rows).round(3).to_csv(RESULTS / "busy_precision.csv", index=False)


if __name__ == "__main__":
    main()
