"""SIGTERM that is lost in a destructor: a second one, some seconds later, ends the process all the same."""

from __future__ import annotations

import signal
import subprocess
import sys

SWALLOWS = """
import os, signal, time
from taskaffinity.cli.console import signals

class Careless:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # the handler runs here; what it raises is printed, and dropped

signals.IN_ORDER = 0.5
with signals.answered():
    Careless()
    assert signals.came()
    os.kill(os.getpid(), signal.SIGTERM)
    print("goes on after a second at once", flush=True)
    time.sleep(0.6)
    os.kill(os.getpid(), signal.SIGTERM)
    print("goes on after a later one", flush=True)
"""


def test_a_second_one_is_ignored_only_for_some_seconds() -> None:
    done = subprocess.run([sys.executable, "-c", SWALLOWS], capture_output=True, text=True, timeout=60, check=False)
    assert "Terminated" in done.stderr
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "goes on after a second at once\n")
