"""How much training does a study lose that is killed or terminated, with checkpoints?

    python tests/benchmarks/checkpoint_kills.py [--kills 30] [--only local,terminated,...] [--seed 0] [--out OUT.csv]
        [--epochs 300] [--interval 1]

Each way to end a study is one ``pairwise`` command with a tiny encoder and 6 runs, which is given again until it is
done. Runs of 300 epochs take seconds. With ``--epochs 6000 --interval 10`` they take minutes (``longest_run``, in
seconds, when nothing ends the study), with a checkpoint every ten seconds:

* ``local``: SIGKILL to the command with ``--executor local``, at random moments.
* ``terminated``: SIGTERM to that command; timed until it has ended.
* ``ray terminated``: SIGTERM to a command that trains on Ray.
* ``ray worker``: SIGTERM to one worker of Ray.
* ``ray step``: SIGTERM to every process of a command on Ray at once, as a scheduler does that ends a job step.
* ``ray node``: a node of a Ray cluster is removed, without a farewell, and another one is there.

A ``sitecustomize`` module notes every epoch that a run ends, in every process. A finished epoch may be trained again
only if it ended less than the interval between two checkpoints before the end of its process, one epoch and one writing
more: ``oldest_repeated`` is the largest such age, ``allowed`` the limit, both in seconds. After SIGTERM no finished
epoch may be trained again. The study must have the ``edges.csv`` of an undisturbed one, and leave no checkpoint, no
process and no file of Ray. Writes ``results/checkpoint_kills.csv``, one row per way; ways that are left out keep their
rows. ``--only "ray node"`` takes a few minutes with runs of seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from checkpoint_notes import NOTES, read_notes, trained_twice
from ray_faults import MARK, end_of, processes, victim_of

from taskaffinity.tasks.user.template import example_files
from taskaffinity.training.encoders.load import tiny_encoder

RESULTS = Path(__file__).parent / "results"
STUDY = [
    *("pairwise", "--suite=suite.yaml", "--encoder=encoder", "--gpus-per-run=0", "--seeds=1", "--seeds-single=1"),
    *("--no-predictions", "--quiet", "--set=precision=none"),
]
CLUSTER = """
import os, sys, time
told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever Ray prints is no answer
import ray
from ray.cluster_utils import Cluster
os.makedirs(ray._common.utils.get_default_ray_temp_dir(), exist_ok=True)
small = dict(num_gpus=0, object_store_memory=80 * 2**20)
cluster = Cluster(True, head_node_args=dict(small, num_cpus=0, include_dashboard=False, temp_dir=sys.argv[1]))
nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
cluster.wait_for_nodes()
print(cluster.address, file=told, flush=True)
for line in sys.stdin:  # for each line one node is lost
    nodes.append(cluster.add_node(num_cpus=1, **small))
    print(time.time(), file=told, flush=True)
    cluster.remove_node(nodes.pop(0), allow_graceful=False)
cluster.shutdown()
"""


@dataclass
class Ways:
    """One study that is ended again and again."""

    home: Path
    name: str
    n_ends: int
    temporary: Path
    rng: random.Random
    n_epochs: int
    """Epochs of a run."""
    interval: float
    """Seconds between two checkpoints of a run, at least."""
    address: str | None = None
    ended: list[float] = field(default_factory=list)
    """When it was ended, in seconds since 1970."""
    took: list[float] = field(default_factory=list)
    """Seconds from SIGTERM to the end of the command, or of the worker."""
    problems: list[str] = field(default_factory=list)

    @property
    def mark(self) -> str:
        return self.name.replace(" ", "-")

    @property
    def notes(self) -> Path:
        return self.home / f"{self.mark}.notes"

    def start(self) -> subprocess.Popen[str]:
        executor = ["--cpus-per-run=1"] if self.name.startswith("ray") else ["--executor=local"]
        executor += [f"--address={self.address}"] if self.address else []
        words = [*STUDY, f"--set=num_train_epochs={self.n_epochs}", *executor]
        words += [f"--checkpoint-minutes={self.interval / 60}", "--results", self.mark]
        return subprocess.Popen(
            [sys.executable, "-m", "taskaffinity", *words],
            cwd=self.home,
            env={
                **os.environ,
                MARK: self.mark,
                "RAY_TMPDIR": str(self.temporary),
                "TASKAFFINITY_CACHE": str(self.home / "cache"),
                "CHECKPOINT_NOTES": str(self.notes),
                "PYTHONPATH": f"{self.home}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_training(self, process: subprocess.Popen[str]) -> bool:
        """Wait until runs have trained for a random time; whether the command still runs."""
        before, until = len(read_notes(self.notes)), time.monotonic() + 200
        while not any(what == "ended" for what, *_ in read_notes(self.notes)[before:]) and time.monotonic() < until:
            if process.poll() is not None:
                return False
            time.sleep(0.05)
        time.sleep(self.rng.uniform(0, 3 * self.interval))
        return process.poll() is None

    def expect(self, process: subprocess.Popen[str], codes: tuple[int, ...]) -> None:
        code, said, left = end_of(process, self.mark, limit=300 + self.n_epochs)  # a second an epoch at most
        if code not in codes or left or "Traceback" in said:
            self.problems.append(f"exit code {code}, left {left}, said {said[-300:]!r}")


def to_command(ways: Ways, process: subprocess.Popen[str], how: signal.Signals) -> None:
    ways.ended.append(time.time())
    process.send_signal(how)
    ways.expect(process, (-how, 128 + how))
    ways.took.append(time.time() - ways.ended[-1])


def to_step(ways: Ways, process: subprocess.Popen[str]) -> None:
    ways.ended.append(time.time())
    for pid, _ in list(processes(ways.mark)):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    ways.expect(process, (143,))
    ways.took.append(time.time() - ways.ended[-1])


def to_worker(ways: Ways, process: subprocess.Popen[str]) -> None:
    if (pid := victim_of("worker", ways.mark)) is None:
        return
    ways.ended.append(time.time())
    os.kill(pid, signal.SIGTERM)
    while pid in dict(processes(ways.mark)) and time.time() - ways.ended[-1] < 60:
        time.sleep(0.02)
    ways.took.append(time.time() - ways.ended[-1])


@contextmanager
def cluster(ways: Ways) -> Iterator[Callable[[Ways, subprocess.Popen[str]], None]]:
    """Start a Ray cluster of two nodes; yield what removes one of them."""
    log = ways.home / "cluster.log"
    with log.open("w") as errors:
        served = subprocess.Popen(
            [sys.executable, "-c", CLUSTER, str(ways.temporary / "r")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={
                **os.environ,
                "RAY_TMPDIR": str(ways.temporary),  # where the address of the cluster is written too
                "RAY_health_check_period_ms": "1000",
                "RAY_health_check_failure_threshold": "3",
                "RAY_USAGE_STATS_ENABLED": "0",
                "CHECKPOINT_NOTES": str(ways.notes),
                "PYTHONPATH": f"{ways.home}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
        )
    assert served.stdin is not None
    assert served.stdout is not None

    def answer() -> str:
        line = served.stdout.readline().strip()  # type: ignore[union-attr]
        assert line, f"the cluster ended: {log.read_text()[-1000:]}"
        return line

    def remove(ways: Ways, process: subprocess.Popen[str]) -> None:
        served.stdin.write("\n")  # type: ignore[union-attr]
        served.stdin.flush()  # type: ignore[union-attr]
        ways.ended.append(float(answer()))

    try:
        ways.address = answer()
        yield remove
    finally:
        served.stdin.close()
        try:
            served.wait(120)
        except subprocess.TimeoutExpired:
            served.kill()  # Ray's reapers end the nodes
            print("the cluster did not end", flush=True)


def longest_run(results: Path) -> float:
    """Return the seconds of the longest run of a finished study."""
    return max(
        float(json.loads(path.read_text())["work"]["total_seconds"]) for path in results.glob("runs/*/result.json")
    )


def row_of(ways: Ways, act: Callable[[Ways, subprocess.Popen[str]], None], expected: bytes) -> dict[str, object]:
    """End the study ``n_ends`` times, let it end, and say what became of it."""
    process = ways.start()
    while len(ways.ended) < ways.n_ends and not ways.problems and ways.wait_for_training(process):
        act(ways, process)
        if process.poll() is not None:
            process = ways.start()
    ways.expect(process, (0,))
    edges = ways.home / ways.mark / "edges.csv"
    row: dict[str, object] = {
        "way": ways.name,
        "ends": len(ways.ended),
        **trained_twice(read_notes(ways.notes), ways.ended, ways.interval),
        "longest_end": round(max(ways.took), 2) if ways.took and ways.name != "local" else "",
        "same_edges": edges.exists() and edges.read_bytes() == expected,
        "checkpoints_left": len([*(ways.home / ways.mark).glob("runs/*/checkpoint")]),
        "problems": len(ways.problems),
    }
    print(row, ways.problems, flush=True)
    return row


ACTS: dict[str, Callable[[Ways, subprocess.Popen[str]], None]] = {
    "local": lambda ways, process: to_command(ways, process, signal.SIGKILL),
    "terminated": lambda ways, process: to_command(ways, process, signal.SIGTERM),
    "ray terminated": lambda ways, process: to_command(ways, process, signal.SIGTERM),
    "ray step": to_step,
    "ray worker": to_worker,
}


def write_rows(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write the rows of ways in the place of older ones; rows of other ways stay as they are."""
    new = pd.DataFrame(rows)
    if path.exists():
        old = pd.read_csv(path, dtype=str, keep_default_na=False)
        new = pd.concat([old[~old.way.isin(new.way)], new])
    order = [*ACTS, "ray node"]
    new.sort_values("way", key=lambda ways: ways.map(order.index)).to_csv(path, index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="SIGKILLs of the local command; a tenth of the others")
    parser.add_argument("--only", default=",".join([*ACTS, "ray node"]))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "checkpoint_kills.csv")
    parser.add_argument("--epochs", type=int, default=300, help="epochs of a run")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two checkpoints")
    given = parser.parse_args()
    lengths = given.epochs, given.interval
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "sitecustomize.py").write_text(NOTES)
        for name, content in example_files("suite.yaml").items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(content)
        tiny_encoder(["one", "two"], home / "made", layers=1, width=16).folder.rename(home / "encoder")
        whole = Ways(home, "whole", 0, home, random.Random(0), *lengths)
        whole.expect(whole.start(), (0,))
        assert not whole.problems, whole.problems
        expected, rows = (home / "whole" / "edges.csv").read_bytes(), []
        seconds = round(longest_run(home / "whole"), 1)
        print(f"the longest run takes {seconds} s", flush=True)
        for name in given.only.split(","):
            n_ends = given.kills if name == "local" else max(1, given.kills // 10)
            with tempfile.TemporaryDirectory(prefix="tc", dir="/tmp", ignore_cleanup_errors=True) as temporary:
                ways = Ways(home, name, n_ends, Path(temporary), random.Random(f"{name} {given.seed}"), *lengths)
                if name == "ray node":
                    with cluster(ways) as remove:
                        row = row_of(ways, remove, expected)
                else:
                    row = row_of(ways, ACTS[name], expected)
                rows.append({**row, "longest_run": seconds})
            write_rows(rows, given.out)


if __name__ == "__main__":
    main()
