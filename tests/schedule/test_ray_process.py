"""Ray ends at any time: the study goes on or ends plainly, nothing outlives it, and nothing of it is open to others."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import on_ray, ray_driver, ray_process
from taskaffinity.schedule.ray_process import RayEnded, RaySessions
from taskaffinity.schedule.resources import Resources
from taskaffinity.schedule.worker import Finished, train_and_store
from taskaffinity.training.sigterm import Terminated

MakeStudy = Callable[..., Any]  # conftest's make_tiny_study

RAY = """
import subprocess, sys, types
gcs = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
class node:
    head = True
    all_processes = {"gcs_server": [types.SimpleNamespace(process=gcs)]}
def init(**options):
    _private = sys.modules["ray"]._private = types.SimpleNamespace(worker=types.SimpleNamespace(_global_node=node))
"""
"""A module in the place of Ray, with one process."""

JOINED = """
import sys, types
from taskaffinity.schedule import ray_driver
ray_driver.LOST_SECONDS, ray_driver._ASK_SECONDS = 0.5, 0.05
def init(**options):
    sys.modules["ray"]._private = types.SimpleNamespace(worker=types.SimpleNamespace(_global_node=None))
def get_runtime_context():
    return types.SimpleNamespace(gcs_address="127.0.0.1:{port}")
"""
"""In the place of Ray: it joins a cluster that answers at a port."""

HANGING = """
import os, time
from pathlib import Path
at_last, place = init, Path(__file__).with_name("hung")
def init(**options):
    hung = place.read_text() if place.exists() else ""
    if len(hung.split()) < {hangs}:
        place.write_text(f"{{hung}} {{os.getpid()}}")
        time.sleep(600)
    at_last(**options)
"""

UNWILLING = """
from pathlib import Path
at_last = init
def init(**options):
    tries = Path(__file__).with_name("tries")
    tries.write_text((tries.read_text() if tries.exists() else "") + "x")
    if len(tries.read_text()) <= {failures}:
        raise Exception("{said}. This could happen because of many reasons.")
    at_last(**options)
"""
"""After ``RAY``: a start that fails a few times."""

STAND_IN = """
import os, time
def echo(ray, n, *, tell):
    answer = n
    for _ in range(n):
        answer = tell(answer)
def ids(ray, *, tell):
    try:
        while True:
            yield os.getpid(), ray.gcs.pid
            time.sleep(0.02)
    finally:
        time.sleep(0.1)
        open(os.path.join(os.environ["RAY_TMPDIR"], "in order"), "w").close()
def environment(ray, *, tell):
    yield dict(os.environ)
def stuck(ray, *, tell):
    yield "joined"
    time.sleep(60)
"""
"""What is called there: tell a number and each answer; yield the ids of the two processes; yield the environment."""


def stand_in(name: str) -> Any:
    return getattr(import_module("stand_in"), name)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def all_end(pids: tuple[int, ...]) -> bool:
    """Whether these processes end within two seconds; a signal takes a moment."""
    until = time.monotonic() + 2
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    return not any(map(is_alive, pids))


in_session = train_and_store
"""What a session trains a run with."""


class TestRayThatEnds:
    """A substitute for the process that talks to Ray; it ends when the test says so."""

    class Sessions(RaySessions):
        """Runs the function in this process; each of ``ends`` is the number of messages until a session ends."""

        ends: ClassVar[list[int]] = []
        is_over: ClassVar[list[bool]] = []
        stores_last = False
        """Whether each session that ends has just stored one more run."""

        def call(self, function: Any, *arguments: Any) -> Any:
            specs = arguments[0]
            try:
                yield from self._messages(specs)
            finally:
                self.is_over.append(True)

        def _messages(self, specs: Any) -> Any:
            yield 2
            lives = self.ends.pop(0) if self.ends else len(specs)
            for n, (spec, settings) in enumerate(specs):
                if n == lives:
                    if self.stores_last:
                        yield (spec.run_id,)
                        train_and_store(spec, settings)
                    raise RayEnded("Ray ended (its gcs_server was killed or crashed)", is_final=not self.ends)
                outcome = in_session(spec, settings)
                yield (spec.run_id,)
                yield Finished(spec, outcome)

    @pytest.fixture
    def train(self, tiny_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        monkeypatch.setattr(on_ray, "RaySessions", self.Sessions)
        monkeypatch.setattr(on_ray, "initialized_ray", lambda: None)
        tiny = tiny_study()

        def train(*ends: int, **options: Any) -> Any:
            monkeypatch.setattr(self.Sessions, "ends", [*ends])
            monkeypatch.setattr(self.Sessions, "is_over", [])
            return tiny.train(tmp_path, resources=Resources("ray"), **options)

        return train

    def test_the_runs_that_are_left_start_again(self, train: Callable[..., Any]) -> None:
        report = train(2, 1, 0, 99)
        assert (len(report.trained), report.found, report.failed) == (6, [], {})
        assert len(set(report.trained)) == 6

    def test_a_run_that_another_command_trained_is_not_one_of_this_command(
        self, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even if it began after this command."""
        by_other: list[RunSpec] = []

        def after_another(spec: RunSpec, settings: Any) -> str | None:
            if spec.seed == 0:
                assert train_and_store(spec, settings) is None
                by_other.append(spec)
            return train_and_store(spec, settings)

        monkeypatch.setattr(sys.modules[__name__], "in_session", after_another)
        report = train()
        assert report.found == by_other
        assert {spec.seed for spec in report.trained} == {1}

    def test_a_run_that_was_stored_just_before_ray_ended_counts_as_trained(
        self, train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(self.Sessions, "stores_last", True)
        report = train(2, 99)
        assert (len(report.trained), report.found, report.failed) == (6, [], {})

    def test_a_run_that_was_stored_just_before_the_last_end_has_not_failed(
        self, train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(self.Sessions, "stores_last", True)
        report = train(2)
        assert (len(report.trained), report.found, len(report.failed)) == (3, [], 3)
        assert {path.parent.name for path in tmp_path.glob("runs/*/error.txt")} == {
            spec.run_id for spec in report.failed
        }

    def test_after_the_last_end_the_rest_has_failed(self, train: Callable[..., Any], tmp_path: Path) -> None:
        report = train(2, 1)
        assert (len(report.trained), len(report.failed)) == (3, 3)
        reason = "Ray ended (its gcs_server was killed or crashed)"
        assert set(report.failed.values()) == {reason}
        assert {RunStore(tmp_path).failure(spec) for spec in report.failed} == {reason}
        again = train()
        assert (set(again.trained), again.failed) == (set(report.failed), {})

    def test_an_error_of_the_listener_ends_ray_before_it_is_reported(self, train: Callable[..., Any]) -> None:
        """Not only when the traceback, which refers to the generator, is forgotten."""

        def on_progress(progress: object) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as _:
            train(on_progress=on_progress)
        assert self.Sessions.is_over == [True]


class TestProcessOfRay:
    """The process that talks to Ray, without Ray."""

    @pytest.fixture
    def sessions(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RaySessions]:
        """Sessions whose process starts a helper in the place of Ray."""
        (tmp_path / "ray.py").write_text(RAY)
        (tmp_path / "stand_in.py").write_text(STAND_IN)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        monkeypatch.setenv("RAY_AUTH_TOKEN", "of another Ray")
        with RaySessions(Resources()) as sessions:
            yield sessions
        sys.modules.pop("stand_in", None)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("ta-ray-")] == []

    def test_messages_are_answered_in_turn(self, sessions: RaySessions) -> None:
        messages = sessions.call(stand_in("echo"), 3)
        assert next(messages) == 3
        assert [messages.send(answer) for answer in "ab"] == ["a", "b"]
        with pytest.raises(StopIteration):
            messages.send("c")

    @pytest.mark.parametrize(
        ("said", "failures", "tries"),
        [
            ("The current node timed out during startup", 1, 2),
            ("The current node timed out during startup", 9, 2),
            ("No module named ray", 9, 1),
        ],
    )
    def test_a_start_that_took_too_long_is_tried_once_more(
        self, said: str, failures: int, tries: int, sessions: RaySessions, tmp_path: Path
    ) -> None:
        (tmp_path / "ray.py").write_text(RAY + UNWILLING.format(said=said, failures=failures))
        messages = sessions.call(stand_in("ids"))
        if failures < tries:
            assert all(is_alive(pid) for pid in next(messages))
        else:
            with pytest.raises(InputError, match=f"{said}.*its logs are in"):
                next(messages)
            [kept] = tmp_path.glob("ta-ray-*")
            assert len(list(kept.glob("*/driver.log"))) == tries
            shutil.rmtree(kept)
        assert len((tmp_path / "tries").read_text()) == tries

    def test_sigterm_ends_it_in_order_and_nothing_outlives_the_end(self, sessions: RaySessions, tmp_path: Path) -> None:
        messages = sessions.call(stand_in("ids"))
        pids = next(messages)
        for pid in pids:
            os.kill(pid, signal.SIGTERM)  # as a scheduler does that ends all processes of a job
        time.sleep(0.1)
        assert next(messages) == pids
        sessions.__exit__(Terminated, Terminated(), None)
        assert all_end(pids)
        assert (tmp_path / "in order").exists()

    def test_any_other_error_ends_it_at_once(self, sessions: RaySessions, tmp_path: Path) -> None:
        pids = next(sessions.call(stand_in("ids")))
        sessions.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        assert all_end(pids)
        assert not (tmp_path / "in order").exists()

    @pytest.mark.parametrize("victim", [0, 1], ids=["the process", "gcs_server"])
    def test_an_end_is_reported_and_the_next_call_starts_again(self, victim: int, sessions: RaySessions) -> None:
        messages = sessions.call(stand_in("ids"))
        pids = next(messages)
        os.kill(pids[victim], signal.SIGKILL)
        with pytest.raises(RayEnded, match=["the process that talks to it", "its gcs_server"][victim]) as ended:
            for _ in messages:
                pass
        assert not ended.value.is_final
        assert all_end(pids)
        assert not set(next(sessions.call(stand_in("ids")))) & set(pids)

    def test_a_session_is_private_and_on_loopback(self, sessions: RaySessions, tmp_path: Path) -> None:
        [environ] = sessions.call(stand_in("environment"))
        token = Path(environ["RAY_AUTH_TOKEN_PATH"])
        assert environ["RAY_AUTH_MODE"] == "token"
        assert "RAY_AUTH_TOKEN" not in environ
        assert (token.stat().st_mode & 0o777, len(token.read_text())) == (0o600, 64)
        [private] = tmp_path.glob("ta-ray-*")
        assert token.is_relative_to(private)
        assert private.stat().st_mode & 0o777 == 0o700
        assert environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"  # Ray's switch for loopback
        assert environ["RAY_worker_niceness"] == "0"

    def test_a_cluster_that_is_gone_ends_the_study_with_one_line(self, sessions: RaySessions, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            (tmp_path / "ray.py").write_text(JOINED.format(port=server.getsockname()[1]))
            sessions._resources = Resources(address="head:6379")
            messages = sessions.call(stand_in("stuck"))
            assert next(messages) == "joined"
        with pytest.raises(RayEnded, match="at --address head:6379 has not answered for 45 s; the same") as ended:
            next(messages)
        assert ended.value.is_final

    def test_a_cluster_that_never_answers_is_not_waited_for(
        self, sessions: RaySessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "ray.py").write_text("import time\ndef init(**options):\n    time.sleep(60)\n")
        monkeypatch.setattr(ray_process, "_JOIN_SECONDS", 0.3)
        sessions._resources = Resources(address="head:6379")
        with pytest.raises(InputError, match=r"--address head:6379: no answer within 0\.3 s; --executor local"):
            next(sessions.call(stand_in("stuck")))
        [kept] = tmp_path.glob("ta-ray-*")
        shutil.rmtree(kept)

    @pytest.mark.parametrize("hangs", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_a_start_that_never_ends_is_given_up_and_tried_once_more(
        self, hangs: int, sessions: RaySessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "ray.py").write_text(RAY + HANGING.format(hangs=hangs))
        monkeypatch.setattr(ray_process, "_LOCAL_SECONDS", 6.0)
        messages = sessions.call(stand_in("ids"))
        if hangs == 1:
            assert all(is_alive(pid) for pid in next(messages))
        else:
            with pytest.raises(InputError, match=r"Ray: its start timed out after 6 s; --executor local.*its logs are"):
                next(messages)
            [kept] = tmp_path.glob("ta-ray-*")
            shutil.rmtree(kept)
        hung = [int(pid) for pid in (tmp_path / "hung").read_text().split()]
        assert len(hung) == hangs
        assert all_end(hung)


@pytest.mark.parametrize(("answers", "gone_at"), [("1001", None), ("0000", 60), ("10010000", 120)])
def test_a_cluster_is_gone_after_a_time_without_any_answer(
    answers: str, gone_at: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked every 20 seconds; without an answer for 45 it is gone, and not before."""
    now, left = [0.0], [*answers]

    def answer(place: tuple[str, int]) -> bool:
        if not left:
            raise InterruptedError
        return left.pop(0) == "1"

    def wait(_: float) -> None:
        now[0] += 20

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(ray_driver, "_answers", answer)
    monkeypatch.setattr(ray_driver, "time", SimpleNamespace(sleep=wait, monotonic=lambda: now[0]))
    monkeypatch.setattr(ray_driver, "os", SimpleNamespace(_exit=leave))
    with pytest.raises(SystemExit if gone_at else InterruptedError):
        ray_driver._end_with_cluster(("head", 6379), tmp_path)
    assert (tmp_path / ray_driver.GONE).exists() is (gone_at is not None)
    assert gone_at in (None, now[0])
