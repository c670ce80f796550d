"""Workers and nodes that die: the study finishes with the bytes of an undisturbed one, or says plainly what it lacks.

Each trial is a process of its own with a time limit, for a hang is what is feared. Processes are ended by id, and only
descendants of that process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LIMIT = 150
"""Seconds a trial may take."""

HEAD = """
import json, os, signal, sys, threading, time
from pathlib import Path

root, cache, temporary = map(Path, sys.argv[1:])
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_health_check_period_ms"] = "1000"
os.environ["RAY_health_check_failure_threshold"] = "3"

import psutil
import ray
from conftest import make_tiny_study
from taskaffinity.schedule.resources import Resources

tiny = make_tiny_study(cache, num_train_epochs=EPOCHS)
quiet = dict(include_dashboard=False, log_to_driver=False, logging_level="error")

def workers(name):
    \"\"\"Our own workers that are at the run of that name; Ray writes it into their title.\"\"\"
    for process in psutil.Process().children(recursive=True):
        try:
            if name in " ".join(process.cmdline()):
                yield process
        except psutil.Error:
            pass

def kill(name, how=signal.SIGKILL):
    killed = 0
    for process in workers(name):
        os.kill(process.pid, how)
        killed += 1
    return killed

def write_outcome(report, **more):
    failed = {spec.run_id: reason for spec, reason in report.failed.items()}
    content = {"failed": failed, "trained": [spec.run_id for spec in report.trained], **more}
    (root / "outcome.json").write_text(json.dumps(content))
"""

LOCAL = """
root.mkdir()
tiny.train(root, resources=Resources("local"))
tiny.edges(root)
"""

ONE_WORKER_KILLED = """
ray.init(address="local", num_cpus=2, object_store_memory=80 * 2**20, **quiet)
victim, since = [], {}

def on_progress(progress):
    for name in progress.running:
        if not victim and time.monotonic() - since.setdefault(name, time.monotonic()) > 1:
            if kill(name):
                victim.append(name)

report = tiny.train(root, resources=Resources("ray"), on_progress=on_progress)
write_outcome(report, victims=victim)
tiny.edges(root)
"""

ONE_WORKER_TERMINATED = """
ray.init(address="local", num_cpus=2, object_store_memory=80 * 2**20, **quiet)
victim, since, continued = [], {}, {}

def on_progress(progress):
    continued.update({name: beat.continued_in for name, beat in progress.heartbeats.items() if beat.continued_in})
    for name in progress.running:
        if not victim and time.monotonic() - since.setdefault(name, time.monotonic()) > 1:
            if kill(name, signal.SIGTERM):
                victim.append(name)

report = tiny.train(root, resources=Resources("ray"), on_progress=on_progress)
write_outcome(report, victims=victim, continued=continued)
tiny.edges(root)
"""

ONE_RUN_ALWAYS_KILLED = """
ray.init(address="local", num_cpus=2, object_store_memory=80 * 2**20, **quiet)
victim = next(spec.run_id for spec in tiny.study.plan if spec.arm == "single" and spec.seed == 0)
killed = set()
over = threading.Event()

def hunt():
    while not over.wait(0.1):
        for process in workers(victim):
            try:
                os.kill(process.pid, signal.SIGKILL)
                killed.add(process.pid)
            except ProcessLookupError:
                pass

hunter = threading.Thread(target=hunt)
hunter.start()
try:
    report = tiny.train(root, resources=Resources("ray"))
finally:
    over.set()
    hunter.join()
write_outcome(report, victims=[victim], kills=len(killed))
tiny.edges(root)
"""

GCS_SERVER_KILLED = """
victims = []

def on_progress(progress):
    if progress.running and not victims:
        for process in psutil.Process().children(recursive=True):
            if process.name() == "gcs_server":
                victims.append(process.pid)
                process.kill()

report = tiny.train(root, resources=Resources("ray"), on_progress=on_progress)
time.sleep(1)
left = [process.name() for process in psutil.Process().children(recursive=True) if process.status() != "zombie"]
write_outcome(report, victims=victims, left=left)
tiny.edges(root)
"""

A_NODE_REMOVED = """
from ray.cluster_utils import Cluster

os.makedirs(ray._common.utils.get_default_ray_temp_dir(), exist_ok=True)
head = dict(num_cpus=0, object_store_memory=80 * 2**20, include_dashboard=False, temp_dir=str(temporary))
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = [cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=80 * 2**20) for _ in range(2)]
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
victims, since = [], {}

def on_progress(progress):
    for name in progress.running:
        since.setdefault(name, time.monotonic())
    busy = [name for name in progress.running if time.monotonic() - since[name] > 1]
    if not victims and len(busy) == 2:
        victims.extend(busy)
        cluster.remove_node(nodes[0], allow_graceful=False)

report = tiny.train(root, resources=Resources("ray", address=cluster.address), on_progress=on_progress)
write_outcome(report, victims=victims)
tiny.edges(root)
ray.shutdown()
cluster.shutdown()
"""

A_RUN_THAT_FITS_NO_NODE = """
from ray.cluster_utils import Cluster

os.makedirs(ray._common.utils.get_default_ray_temp_dir(), exist_ok=True)
head = dict(num_cpus=0, object_store_memory=80 * 2**20, include_dashboard=False, temp_dir=str(temporary))
cluster = Cluster(initialize_head=True, head_node_args=head)
for _ in range(2):
    cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=80 * 2**20)
cluster.wait_for_nodes()
ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
try:
    tiny.train(root, resources=Resources("ray", cpus_per_run=2))
except ValueError as error:
    (root / "outcome.json").write_text(json.dumps({"refused": str(error)}))
ray.shutdown()
cluster.shutdown()
"""

NEVER_ENOUGH_MEMORY = """
os.environ["RAY_memory_usage_threshold"] = "0.001"  # Ray's memory monitor ends every worker
os.environ["RAY_memory_monitor_refresh_ms"] = "200"
write_outcome(tiny.train(root, resources=Resources("ray")))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose name leaves room for Ray's sockets (107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="ta", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def trial(script: str, root: Path, cache: Path, temporary: Path, epochs: int = 100, limit: float = LIMIT) -> Any:
    """Run a script in its own session and return its outcome; processes that it leaves behind are ended."""
    code = HEAD.replace("EPOCHS", str(epochs)) + script
    errors = root.with_suffix(".stderr")
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(root), str(cache), str(temporary)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = f"no end after {limit} s"
            descendants = descendants_of(process.pid)
            for pid in [process.pid, *descendants]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait(30)
    assert status == 0, f"{status}: {errors.read_text()[-2000:]}"
    outcome = root / "outcome.json"
    return json.loads(outcome.read_text()) if outcome.exists() else None


def descendants_of(pid: int) -> list[int]:
    import psutil

    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


@pytest.fixture(scope="module")
def undisturbed(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("undisturbed") / "study"
    trial(LOCAL, root, cache, root)
    return (root / "edges.csv").read_bytes()


def test_a_killed_worker_changes_nothing(undisturbed: bytes, cache: Path, tmp_path: Path, short: Path) -> None:
    outcome = trial(ONE_WORKER_KILLED, tmp_path / "study", cache, short)
    assert len(outcome["victims"]) == 1, "no worker was killed: the trial shows nothing"
    assert outcome["failed"] == {}
    assert len(outcome["trained"]) == 6
    assert (tmp_path / "study" / "edges.csv").read_bytes() == undisturbed


@pytest.mark.long
def test_a_terminated_worker_leaves_a_checkpoint_from_which_its_run_continues(
    cache: Path, tmp_path: Path, short: Path
) -> None:
    outcome = trial(ONE_WORKER_TERMINATED, tmp_path / "study", cache, short, epochs=600)
    assert outcome["failed"] == {}
    assert len(outcome["trained"]) == 6
    assert list(outcome["continued"]) == outcome["victims"]


def test_a_killed_gcs_server_changes_nothing_and_nothing_is_left(
    undisturbed: bytes, cache: Path, tmp_path: Path, short: Path
) -> None:
    outcome = trial(GCS_SERVER_KILLED, tmp_path / "study", cache, short)
    assert len(outcome["victims"]) == 1, "it was not killed: the trial shows nothing"
    assert (outcome["failed"], outcome["left"]) == ({}, [])
    assert len(outcome["trained"]) == 6
    assert (tmp_path / "study" / "edges.csv").read_bytes() == undisturbed


def test_a_removed_node_changes_nothing(undisturbed: bytes, cache: Path, tmp_path: Path, short: Path) -> None:
    outcome = trial(A_NODE_REMOVED, tmp_path / "study", cache, short)
    assert len(outcome["victims"]) == 2, "no node was removed: the trial shows nothing"
    assert outcome["failed"] == {}
    assert len(outcome["trained"]) == 6
    assert (tmp_path / "study" / "edges.csv").read_bytes() == undisturbed


@pytest.mark.long
def test_a_run_whose_workers_always_die_fails_alone(cache: Path, tmp_path: Path, short: Path) -> None:
    root = tmp_path / "study"
    outcome = trial(ONE_RUN_ALWAYS_KILLED, root, cache, short, epochs=30)
    [victim] = outcome["victims"]
    assert outcome["kills"] == 4, "once, and three times more"
    assert list(outcome["failed"]) == [victim]
    assert "the worker died" in outcome["failed"][victim]
    assert len(outcome["trained"]) == 5
    error = (root / "runs" / victim / "error.txt").read_text(encoding="utf-8")
    assert error.partition("\n")[0] == outcome["failed"][victim]
    assert (root / "edges.csv").exists()


def test_a_run_that_fits_no_single_node_is_refused(cache: Path, tmp_path: Path, short: Path) -> None:
    outcome = trial(A_RUN_THAT_FITS_NO_NODE, tmp_path / "study", cache, short, epochs=1, limit=60)
    assert "--cpus-per-run" in outcome["refused"]


@pytest.mark.long
def test_workers_that_the_memory_monitor_always_ends_become_failed_runs(
    cache: Path, tmp_path: Path, short: Path
) -> None:
    outcome = trial(NEVER_ENOUGH_MEMORY, tmp_path / "study", cache, short, epochs=1, limit=90)
    assert outcome["trained"] == []
    assert len(outcome["failed"]) == 6
    assert all(reason.startswith("out of memory: ") for reason in outcome["failed"].values())
