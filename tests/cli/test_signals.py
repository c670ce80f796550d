"""A signal that arrives in a destructor, where Python drops exceptions, ends the command all the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DROPS = """
import os, signal, time
from taskaffinity.cli.console import signals

class Careless:
    def __del__(self):
        os.kill(os.getpid(), {number})
        time.sleep(0.01)  # the handler runs here; Python drops what it raises

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs that ignore SIGINT
with signals.answered():
    try:
        Careless()  # the signal that is sent again may come at once
        time.sleep(30)
    except KeyboardInterrupt as error:
        print(type(error).__name__, signals.came())
"""

SWALLOWS = """
import os, signal, time
from taskaffinity.cli.console import signals

signals.IN_ORDER = 0.5
with signals.answered():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
    except BaseException:  # as a careless library does
        pass
    assert signals.came()
    os.kill(os.getpid(), signal.SIGTERM)
    print("goes on after a second at once", flush=True)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGTERM)
    print("goes on after a later one", flush=True)
"""


WHILE_IMPORTING = """
import os, runpy, signal, sys

class Interrupted:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupted())
sys.argv = ["taskaffinity", "status", "my results"]
runpy.run_module("taskaffinity", run_name="__main__", alter_sys=True)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, "Terminated True"), (signal.SIGINT, "KeyboardInterrupt False")]
)
def test_a_dropped_one_is_sent_again(number: signal.Signals, raised: str) -> None:
    done = run(DROPS.format(number=int(number)))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{raised}\n", "")


def test_a_second_one_is_ignored_only_for_some_seconds() -> None:
    done = run(SWALLOWS)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "goes on after a second at once\n")


def test_an_interrupt_during_imports_is_one_line() -> None:
    done = run(WHILE_IMPORTING)
    line = "interrupted; nothing was done; this starts again: taskaffinity status 'my results'\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", line)


WHILE_RUNNING = """
import sys
import taskaffinity.cli

def interrupted():
    def command(*_, **__):
        raise KeyboardInterrupt
    return command

taskaffinity.cli._commands = interrupted
sys.argv = ["taskaffinity", *{arguments!r}]
taskaffinity.cli.main()
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "results"], "this starts again"),
        (["group", "results", "--groups", "3"], "this starts again"),
        (["group", "results", "--groups", "3", "--retrain", "2"], "this continues"),
        (["group", "results", "--groups", "3", "--retrain=2"], "this continues"),
        (["estimate", "--domain", "clinical"], "this continues"),
        (["data", "fetch", "chemprot"], "this continues"),
        (["export", "results"], "nothing was stored; this starts again"),
    ],
)
def test_an_interrupted_command_says_whether_it_continues(arguments: list[str], said: str) -> None:
    done = run(WHILE_RUNNING.format(arguments=arguments))
    line = f"interrupted; {said}: taskaffinity {' '.join(arguments)}\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", line)


WRAPPED = """
import os
import signal
import sys
import time
import taskaffinity.cli

def wrapping():
    def command(*_, **__):
        try:
            if {number}:
                os.kill(os.getpid(), {number})
                time.sleep(5)
        except KeyboardInterrupt:
            pass
        raise RuntimeError("wrapped")
    return command

taskaffinity.cli._commands = wrapping
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
sys.argv = ["taskaffinity", "pairwise"]
taskaffinity.cli.main()
"""


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_that_other_code_turns_into_an_error_is_no_traceback(
    number: signal.Signals, code: int, said: str
) -> None:
    done = run(WRAPPED.format(number=int(number)))
    assert (done.returncode, done.stderr) == (code, f"{said}; this continues: taskaffinity pairwise\n")


def test_an_error_without_a_signal_has_its_traceback() -> None:
    done = run(WRAPPED.format(number=0))
    assert done.returncode == 1
    assert done.stderr.endswith("RuntimeError: wrapped\n")


def test_the_installed_command_is_the_module() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"taskaffinity": "taskaffinity.__main__:main"}
