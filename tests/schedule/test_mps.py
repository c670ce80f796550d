"""The service by which runs share a GPU, with invented programs of NVIDIA."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskaffinity.schedule import mps
from taskaffinity.schedule.mps import PIPES, start_mps, stop_mps
from taskaffinity.schedule.resources import Resources

SHARED = Resources(gpus_per_run=0.25)
CONTROL = """#!/bin/sh
if [ "$1" = -f ]; then
    echo "visible: ${CUDA_VISIBLE_DEVICES-all}" > "$CUDA_MPS_LOG_DIRECTORY/control.log"
    echo $$ > "$CUDA_MPS_LOG_DIRECTORY/pid"
    echo $$ > "$CUDA_MPS_PIPE_DIRECTORY/control"
    exec sleep 60
fi
read -r said
echo "$said" > "$CUDA_MPS_PIPE_DIRECTORY/said"
kill "$(cat "$CUDA_MPS_PIPE_DIRECTORY/control")"
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Programs on the path, and a private folder; whatever they started is ended."""
    programs, folder = tmp_path / "programs", tmp_path / "session"
    folder.mkdir()

    def installed(mig: str = "Disabled", control: str = CONTROL, trial: str = "", others: bool = False) -> Path:
        programs.mkdir()
        for name, script in (("nvidia-smi", f"#!/bin/sh\necho '{mig}'\n"), ("nvidia-cuda-mps-control", control)):
            if script:
                (programs / name).write_text(script)
                (programs / name).chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.delenv(PIPES, raising=False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
        monkeypatch.setattr(mps, "_TRIAL", trial)
        monkeypatch.setattr(mps, "_OF_OTHERS", folder if others else folder / "none")
        return folder

    yield installed
    stop_mps(folder)


def ends(pid: int) -> bool:
    """Whether a process ends soon."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_runs_that_share_a_gpu_get_a_service_that_ends_with_the_session(install: Install) -> None:
    folder = install(trial=f"import os; assert os.environ[{PIPES!r}]; assert os.environ['CUDA_VISIBLE_DEVICES'] == '3'")
    variables = start_mps(SHARED, folder)
    assert variables[PIPES] == str(folder / "mps")
    assert stat.S_IMODE((folder / "mps").stat().st_mode) == 0o700
    assert (folder / "mps-logs" / "control.log").read_text() == "visible: all\n"
    pid = int((folder / "mps" / "control").read_text())
    os.kill(pid, 0)  # it runs
    stop_mps(folder)
    assert (folder / "mps" / "said").read_text() == "quit -t 1\n"
    assert ends(pid)


@pytest.mark.parametrize(
    "resources",
    [Resources(), Resources(gpus_per_run=1.0), Resources(gpus_per_run=2.0), Resources(gpus_per_run=0.5, address="a:1")],
)
def test_without_sharing_or_on_a_ray_of_others_there_is_none(resources: Resources, install: Install) -> None:
    folder = install()
    assert start_mps(resources, folder) == {}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("how", [{"mig": "Enabled\nDisabled"}, {"control": ""}, {"others": True}], ids=str)
def test_none_on_divided_gpus_without_the_program_or_beside_that_of_others(
    how: dict[str, object], install: Install
) -> None:
    folder = install(**how)
    assert start_mps(SHARED, folder) == {}
    assert list(folder.iterdir()) == []


def test_none_if_the_user_has_set_one_up(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install()
    monkeypatch.setenv(PIPES, "/elsewhere")
    assert start_mps(SHARED, folder) == {}
    stop_mps(folder)
    assert list(folder.iterdir()) == []


def test_a_service_that_does_not_work_ends_again(install: Install) -> None:
    folder = install(trial="raise SystemExit(1)")
    assert start_mps(SHARED, folder) == {}
    assert not (folder / "mps").exists()
    assert ends(int((folder / "mps-logs" / "pid").read_text()))


def test_a_service_that_does_not_start_is_given_up(install: Install) -> None:
    folder = install(control="#!/bin/sh\nexit 1\n")
    assert start_mps(SHARED, folder) == {}
    assert not (folder / "mps").exists()
