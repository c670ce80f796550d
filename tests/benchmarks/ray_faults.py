"""What becomes of a study whose Ray processes are killed?

    python tests/benchmarks/ray_faults.py [--kills 10] [--only raylet,worker] [--seed 0]

Each trial starts ``pairwise`` on Ray with the tiny encoder, kills one process with SIGKILL when a random number of
its 12 runs is done, and gives the same command again. ``command`` is the command itself
and ``driver`` its process that talks to Ray. A trial is right if

* the study ends with the ``edges.csv`` of an undisturbed study, or with plain lines and does so on the next try,
* no process that it started is left five seconds later, and no file in Ray's temporary folder.

Writes ``results/ray_faults.csv``, a row a trial. Processes are found by a variable in their environment.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pandas as pd

from taskaffinity.tasks.user.template import example_files
from taskaffinity.training.encoders import tiny_encoder

RESULTS = Path(__file__).parent / "results"
MARK = "TASKAFFINITY_FAULT_TRIAL"
VICTIMS = {  # what the command line of a process holds
    "gcs_server": "gcs/gcs_server",
    "raylet": "raylet/raylet ",
    "worker": "ray::",
    "runtime env agent": "ray::RuntimeEnvAgent",
    "dashboard agent": "ray::DashboardAgent",
    "dashboard": "dashboard/dashboard.py",
    "log monitor": "log_monitor.py",
    "driver": "ray_driver import main",
    "command": "-m taskaffinity",
}
STUDY = ["pairwise", "--suite=suite.yaml", "--gpus-per-run=0", "--seeds=2", "--seeds-single=2", "--no-predictions"]
SETTINGS = ("num_train_epochs=20", "precision=none")
N_RUNS = 12


def processes(mark: str) -> Iterator[tuple[int, str]]:
    """Id and command line of the living processes of a trial."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:  # it ended, or belongs to another user
            continue


def victim_of(kind: str, mark: str) -> int | None:
    agents = ("Agent", "IDLE_") if kind == "worker" else ()
    found = [pid for pid, line in processes(mark) if VICTIMS[kind] in line and not any(word in line for word in agents)]
    return min(found, default=None)


def start(home: Path, mark: str, temporary: Path) -> subprocess.Popen[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-m", "taskaffinity", *STUDY, "--quiet", "--encoder", "encoder", "--results", mark, *settings],
        cwd=home,
        env={**os.environ, MARK: mark, "RAY_TMPDIR": str(temporary), "TASKAFFINITY_CACHE": str(home / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: subprocess.Popen[str], mark: str, limit: float = 300) -> tuple[int, str, list[str]]:
    """Exit code, stderr, and the processes that are left five seconds after the command; these are killed."""
    try:
        _, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        said += f"\nno end after {limit} s"
    until = time.monotonic() + 5
    while left := dict(processes(mark)):
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.1)
    return process.returncode, said, sorted(line[:40] for line in left.values())


def trial(kind: str, home: Path, rng: random.Random, expected: bytes) -> dict[str, object]:
    """Kill one process of a study, and continue the study."""
    mark = uuid4().hex[:12]
    with tempfile.TemporaryDirectory(prefix="tf", dir="/tmp") as temporary:
        began = time.monotonic()
        process = start(home, mark, Path(temporary))
        runs = rng.randrange(N_RUNS - 2)
        while len([*home.glob(f"{mark}/runs/*/result.json")]) < runs or victim_of("worker", mark) is None:
            if process.poll() is not None or time.monotonic() - began > 200:
                raise RuntimeError(f"no run began: {end_of(process, mark)}")
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.5))
        if (pid := victim_of(kind, mark)) is not None:
            os.kill(pid, signal.SIGKILL)
        code, said, left = end_of(process, mark)
        seconds = time.monotonic() - began
        files = sorted(path.name for path in Path(temporary).iterdir())
        edges = home / mark / "edges.csv"
        same = edges.exists() and edges.read_bytes() == expected
        again = start(home, mark, Path(temporary))
        code_again, said_again, left_again = end_of(again, mark)
        files_again = sorted(path.name for path in Path(temporary).iterdir())
    return {
        "killed": kind if pid is not None else f"{kind} (had ended)",
        "after_runs": runs,
        "exit_code": code,
        "lines": len(said.splitlines()),
        "traceback": "Traceback" in said + said_again,
        "seconds": round(seconds, 1),
        "same_edges": same,
        "exit_code_again": code_again,
        "same_edges_again": edges.exists() and edges.read_bytes() == expected,
        "processes_left": len(left) + len(left_again),
        "files_left": len(files),
        "files_left_again": len(files_again),
        "said": said.splitlines()[-1][:160] if said else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", default=",".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "ray_faults.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, content in example_files("suite.yaml").items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(content)
        tiny_encoder(["one", "two"], home / "made", layers=1, width=16).folder.rename(home / "encoder")
        with tempfile.TemporaryDirectory(prefix="tf", dir="/tmp") as temporary:
            code, said, left = end_of(start(home, "undisturbed", Path(temporary)), "undisturbed")
            assert (code, left, list(Path(temporary).iterdir())) == (0, [], []), said
        expected = (home / "undisturbed" / "edges.csv").read_bytes()
        rng = random.Random(given.seed)
        rows = []
        for kind in given.only.split(","):
            for _ in range(given.kills):
                rows.append(trial(kind, home, rng, expected))
                print(rows[-1], flush=True)
                pd.DataFrame(rows).to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
