"""What becomes of a study whose Ray processes are killed?

    python tests/benchmarks/ray_faults.py [--kills 10] [--only raylet,worker] [--seed 0] [--too-often]

Each study is a ``pairwise`` command on Ray with a tiny encoder and 12 runs. It kills one kind of process with SIGKILL,
up to three times, each when another random number of runs is done. ``command`` is the command itself and ``driver`` its
process that talks to Ray. ``--too-often`` kills it more often than Ray is started again. A study is right if

* it ends with the ``edges.csv`` of an undisturbed study, or with plain lines and the same command then does so,
* no process that it started is left five seconds later, and no file in Ray's temporary folder.

On an overloaded machine Ray may not start before any process is killed. Such a study is no fault: its row has
``not_started``, and it is repeated once.

Writes ``results/ray_faults.csv``, one row per study. Processes are found by a variable in their
environment, and by their session.
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
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from taskaffinity.tasks.user.template import example_files
from taskaffinity.training.encoders.load import tiny_encoder

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
SLOW = ("Ray did not start in time", "Ray has not started within a minute")
"""What a command says whose Ray does not start, as on an overloaded machine."""


_SESSIONS: defaultdict[str, set[int]] = defaultdict(set)
"""Of each trial, the sessions of its processes. Agents overwrite their environment, but keep their session."""


def processes(mark: str) -> Iterator[tuple[int, str]]:
    """Id and command line of the living processes of a trial."""
    found: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                _SESSIONS[mark].add(session)
        except OSError:  # it ended, or belongs to another user
            continue
        if line:  # one that ended and was not waited for has none
            found[int(folder.name)] = session, line
    yield from ((pid, line) for pid, (session, line) in found.items() if session in _SESSIONS[mark])


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


def kill_in_turn(kind: str, n_kills: int, process: subprocess.Popen[str], mark: str, home: Path) -> list[int]:
    """Kill a process of that kind ``n_kills`` times; the number of runs that were done each time."""
    moments = sorted(random.Random(mark).sample(range(N_RUNS - 3), n_kills))
    killed: dict[int, int] = {}
    until = time.monotonic() + 250
    while len(killed) < n_kills and process.poll() is None and time.monotonic() < until:
        done = len([*home.glob(f"{mark}/runs/*/result.json")])
        pid = victim_of(kind, mark)
        if done >= moments[len(killed)] and victim_of("worker", mark) is not None and pid not in (None, *killed):
            killed[pid] = done  # type: ignore[index]
            os.kill(pid, signal.SIGKILL)  # type: ignore[arg-type]
        time.sleep(0.02)
    return [*killed.values()]


def study(kind: str, n_kills: int, mark: str, home: Path, expected: bytes) -> dict[str, object]:
    """Kill processes of a study; if it does not end right, give the same command again."""
    edges = home / mark / "edges.csv"
    with tempfile.TemporaryDirectory(prefix="tf", dir="/tmp") as temporary:
        began = time.monotonic()
        process = start(home, mark, Path(temporary))
        killed = kill_in_turn(kind, n_kills, process, mark, home)
        code, said, left = end_of(process, mark)
        files = [path for path in Path(temporary).iterdir() if not keeps_logs(said, path)]
        row = {
            "killed": kind,
            "times": len(killed),
            "runs_done": " ".join(map(str, killed)),
            "exit_code": code,
            "seconds": round(time.monotonic() - began, 1),
            "same_edges": edges.exists() and edges.read_bytes() == expected,
            "processes_left": len(left),
            "files_left": len(files),
            "tracebacks": said.count("Traceback"),
            "not_started": not killed and is_slow(said),
            "exit_code_again": "",
            "same_edges_again": "",
        }
        if not row["same_edges"]:
            code, again, left = end_of(start(home, mark, Path(temporary)), mark)
            said += again
            is_same = edges.exists() and edges.read_bytes() == expected
            row |= {"exit_code_again": code, "same_edges_again": is_same}
            row["processes_left"] = len(left) + int(str(row["processes_left"]))
            row["tracebacks"] = said.count("Traceback")
    print(said, row, flush=True)
    return row


def keeps_logs(said: str, path: Path) -> bool:
    """Whether the command said that the logs of a Ray that it gave up lie there."""
    return path.name in said


def is_slow(said: str) -> bool:
    """Whether the command said that Ray did not start in time."""
    return any(words in said for words in SLOW)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", default=",".join(VICTIMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--too-often", action="store_true", help="one study more, whose process is killed five times")
    parser.add_argument("--out", type=Path, default=RESULTS / "ray_faults.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, content in example_files("suite.yaml").items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(content)
        tiny_encoder(["one", "two"], home / "made", layers=1, width=16).folder.rename(home / "encoder")
        for _ in range(2):
            with tempfile.TemporaryDirectory(prefix="tf", dir="/tmp") as temporary:
                code, said, left = end_of(start(home, "undisturbed", Path(temporary)), "undisturbed")
                files = list(Path(temporary).iterdir())
            if code == 0 or not is_slow(said):
                break
        assert (code, left, files) == (0, [], []), said
        expected = (home / "undisturbed" / "edges.csv").read_bytes()
        rows = []
        for kind in given.only.split(","):
            at_once = 1 if kind in ("command", "log monitor", "dashboard") else 3  # these do not come back
            times = [min(at_once, given.kills - n) for n in range(0, given.kills, at_once)]
            for number, n_kills in enumerate([*times, *([5] if given.too_often else [])]):
                mark = f"{kind.replace(' ', '-')}-{given.seed}-{number}"
                for suffix in ("", "-again"):
                    rows.append(study(kind, n_kills, mark + suffix, home, expected))
                    pd.DataFrame(rows).to_csv(given.out, index=False)
                    if not rows[-1]["not_started"]:
                        break


if __name__ == "__main__":
    main()
