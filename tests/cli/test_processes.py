"""What only a process shows: exit codes, signals, an interrupted study that resumes, the libraries that are loaded."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, WITHOUT_TORCH, command, process, results_of

from taskaffinity.tasks.user.template import example_files
from taskaffinity.training.encoders.load import tiny_encoder

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"
STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL]
N_RUNS = 28
UNTIL_FIRST_STEP = f"""
import taskaffinity.schedule.local as local
def stop(*_): raise SystemExit(0)
local.train_and_store = stop
{WITHOUT_TORCH}"""
"""Runs the command up to its first training step."""


def end_half_way(
    home: Path, n_results: int, how: signal.Signals, study: Sequence[str] = STUDY
) -> subprocess.Popen[str]:
    """Start the study, and send ``how`` as soon as ``n_results`` runs are finished; stderr goes to a file."""
    with (home / "stderr.txt").open("w") as errors:
        started = subprocess.Popen(
            [sys.executable, "-m", "taskaffinity", *study, "--seeds=2"],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            # a shell's background job ignores SIGINT, and so would its children
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    for _ in waited(120):
        if len(results_of(home / "results" / "clinical")) >= n_results:
            break
        assert started.poll() is None, (home / "stderr.txt").read_text()
    started.send_signal(how)
    started.wait(60)
    return started


def waited(seconds: float) -> Iterator[None]:
    """Turns of a hundredth of a second; a failure after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.01)
    pytest.fail(f"nothing came in {seconds} s")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of the study, trained without an interruption."""
    home = tmp_path_factory.mktemp("uninterrupted")
    done = command(*STUDY, "--seeds=2", "--quiet", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "results" / "clinical"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A copy of a committed study."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results" / "clinical"))


def loaded_by(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(done.stderr.splitlines()[-1].split())


def test_exit_code_2_is_one_line_and_no_file(tmp_path: Path) -> None:
    refused = process("pairwise", "--domain=clincal", cwd=tmp_path)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_exit_code_1_says_which_runs_failed(tmp_path: Path) -> None:
    for name, content in example_files("suite.yaml").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    encoder = tiny_encoder(["one", "two"], tmp_path / "encoder", layers=1, width=16).folder
    few = ["--seeds=1", "--seeds-single=1", "--set=num_train_epochs=1", "--set=learning_rate=1e30"]
    study = ["pairwise", "--suite=suite.yaml", f"--encoder={encoder}", *LOCAL, *few, "--set=precision=none", "--quiet"]
    failed = process(*study, cwd=tmp_path)
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    reasons = [path.read_text() for path in tmp_path.glob("results/example/runs/*/error.txt")]
    assert [reason.partition(":")[0] for reason in reasons] == ["diverged"] * 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "how", "code", "said"),
    [
        pytest.param("local", signal.SIGINT, 130, "interrupted", id="interrupted"),
        pytest.param("local", signal.SIGTERM, 143, "terminated", id="terminated"),
        pytest.param("ray", signal.SIGTERM, 143, "terminated", id="ray-terminated", marks=pytest.mark.ray),
    ],
)
def test_a_signal_ends_with_its_code_and_one_line_that_says_how_to_continue(
    executor: str, how: signal.Signals, code: int, said: str, tmp_path: Path
) -> None:
    study = [f"--executor={executor}" if argument == "--executor=local" else argument for argument in STUDY]
    ended = end_half_way(tmp_path, 1, how, [*study, "--quiet"])
    lines = (tmp_path / "stderr.txt").read_text().splitlines()
    assert ended.returncode == code, lines
    assert lines[-1].startswith(f"{said}; this continues: taskaffinity pairwise")
    assert len(lines) == 4, lines  # the banner of synthetic text takes two, the sample of the examples one
    assert results_of(tmp_path / "results" / "clinical")


@pytest.mark.slow
def test_interrupted_then_killed_then_finished_gives_the_uninterrupted_edges(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "results" / "clinical"
    ended = end_half_way(tmp_path, 3, signal.SIGINT)
    said = (tmp_path / "stderr.txt").read_text()
    assert ended.returncode == 130, said
    assert "this continues: taskaffinity pairwise" in said
    assert "Traceback" not in said
    interrupted = results_of(root)
    assert 3 <= len(interrupted) < N_RUNS

    ended = end_half_way(tmp_path, len(interrupted) + 3, signal.SIGKILL)
    assert ended.returncode == -signal.SIGKILL
    killed = results_of(root)
    assert interrupted.items() <= killed.items()
    assert len(interrupted) < len(killed) < N_RUNS

    assert command(*STUDY, "--seeds=2", "--quiet", cwd=tmp_path).returncode == 0
    assert killed.items() <= results_of(root).items()
    assert (root / "edges.csv").read_bytes() == (finished / "edges.csv").read_bytes()


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray_by_default_interrupted_and_finished_gives_the_same_edges(finished: Path, tmp_path: Path) -> None:
    on_ray = [argument for argument in STUDY if argument != "--executor=local"]
    root = tmp_path / "results" / "clinical"
    ended = end_half_way(tmp_path, 1, signal.SIGINT, on_ray)
    said = (tmp_path / "stderr.txt").read_text()
    assert ended.returncode == 130, said
    assert "this continues: taskaffinity pairwise" in said
    assert "Traceback" not in said
    interrupted = results_of(root)
    assert len(interrupted) < N_RUNS
    again = process(*on_ray, "--seeds=2", "--quiet", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert interrupted.items() <= results_of(root).items()
    assert (root / "edges.csv").read_bytes() == (finished / "edges.csv").read_bytes()


def test_exit_code_0_and_a_graph_without_torch(mine: Path) -> None:
    drawn = process("graph", str(mine), cwd=mine, python=("-c", WITHOUT_TORCH))
    assert drawn.returncode == 0, drawn.stderr
    assert (mine / "affinity.png").is_file()
    assert "matplotlib" in loaded_by(drawn)
    assert not loaded_by(drawn) & {"torch", "transformers", "ray"}


@pytest.mark.slow
def test_a_report_without_torch(mine: Path) -> None:
    made = process("report", str(mine), "--out=page.html", cwd=mine, python=("-c", WITHOUT_TORCH))
    assert made.returncode == 0, made.stderr
    assert not loaded_by(made) & {"torch", "transformers", "ray"}


def test_a_fault_of_a_suite_is_found_without_torch(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text("tasks:\n  reviews:\n    kind: classificaton\n    path: reviews\n")
    refused = process("full", "--suite=suite.yaml", cwd=tmp_path, python=("-c", WITHOUT_TORCH))
    assert (refused.returncode, "did you mean classification?" in refused.stderr) == (2, True), refused.stderr
    assert "yaml" in loaded_by(refused)
    assert not loaded_by(refused) & {"torch", "transformers", "ray"}


@pytest.mark.parametrize("arguments", [["--help"], ["pairwise", "--help"]], ids=["of all", "of a command"])
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    helped = process(*arguments, cwd=tmp_path, python=("-c", WITHOUT_TORCH))
    assert helped.returncode == 0, helped.stderr
    assert "--domain" in helped.stdout or "pairwise" in helped.stdout
    assert "typer" in loaded_by(helped)
    assert not loaded_by(helped) & {"torch", "transformers", "ray", "pandas", "matplotlib", "scipy"}


@pytest.mark.slow
def test_tables_and_figures_load_after_the_first_step(tmp_path: Path) -> None:
    begun = process(*STUDY, cwd=tmp_path, python=("-c", UNTIL_FIRST_STEP))
    assert begun.returncode == 0, begun.stderr
    assert "torch" in loaded_by(begun)
    assert not loaded_by(begun) & {"pandas", "matplotlib", "networkx", "seaborn", "scipy.stats"}
