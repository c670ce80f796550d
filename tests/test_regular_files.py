"""Every file is opened by ``regular_file``: a pipe in the place of a file is one line, not a command that hangs."""

from __future__ import annotations

import ast
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from finished_run import RESULT, SPEC

import taskaffinity
from taskaffinity.analysis.encoder_folders import encoder_study_folders
from taskaffinity.analysis.publish import check_has_runs
from taskaffinity.errors import InputError
from taskaffinity.regular_file import IrregularFile, check_regular, open_regular, read_regular
from taskaffinity.runs.files import read_json
from taskaffinity.runs.heartbeat import Heartbeat
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.run_result import DamagedRun

PACKAGE = Path(taskaffinity.__file__).parent
READERS = {
    *(
        "open",
        "io.open",
        "os.open",
        "os.fdopen",
        "read_text",
        "read_bytes",
        "fromfile",
        "memmap",
        "loadtxt",
        "load_file",
    ),
    *("safe_open", "np.load", "json.load", "torch.load", "read_csv", "read_parquet", "ParquetFile", "ZipFile"),
}
"""Functions and methods that open a path, by their last name, or with their module where the name alone says less."""
ALLOWED = {
    "regular_file.py": "the home of opening",
    "atomic.py": "temporary files that this process has just created, and a number of the kernel",
    "training/profile/precision.py": "the load of the machine, a number of the kernel",
    "training/checkpoint.py": "safetensors opens a path, which check_regular has seen",
    "training/resume.py": "likewise",
    "runs/stored/checkpoint_files.py": "likewise, and open_regular has compared its checksum",
    "training/inputs/encoded_cache.py": "arrays of a folder whose files is_intact has seen are mapped into memory",
    "training/gpu.py": "the version of a driver, which the kernel reports",
    "schedule/ray_session.py": "a new file (O_EXCL)",
    "schedule/resources.py": "the quota of a container, numbers of the kernel",
    "corpora/archive.py": "an archive that open_regular opened, and its members",
}


def opens_a_path(node: ast.Call) -> bool:
    """Whether a call opens a file to read it; resources of the package and files that are written do not count."""
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if name not in READERS and not ("." in name and last in READERS - {"open"}) and not name.endswith(".open"):
        return False
    if "files(" in name or (isinstance(node.func, ast.Name) and last in ("read_bytes", "read_csv")):
        return False
    if node.args and (ast.unparse(node.args[0]) == "file" or ast.unparse(node.args[0]).startswith("io.BytesIO(")):
        return False  # opened already
    given = (*node.args, *(keyword.value for keyword in node.keywords))
    modes = {one.value for part in given for one in ast.walk(part) if isinstance(one, ast.Constant)}
    return not modes & {"wb", "ab", "w", "xb", "x"}


def test_files_are_read_by_one_opener() -> None:
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and opens_a_path(node):
                found.setdefault(path.relative_to(PACKAGE).as_posix(), []).append(ast.unparse(node))
    assert {place: calls for place, calls in found.items() if place not in ALLOWED} == {}
    assert found.keys() == ALLOWED.keys()


def test_the_search_finds_what_it_should() -> None:
    reads = ["open(path)", "open(path, 'rb')", "path.open()", "a.read_text()", "np.load(path)", "Image.open(path)"]
    others = ["open(path, 'wb')", "path.open('ab')", "read_bytes(path)", "files('x').read_text()", "os.close(one)"]
    trees = [ast.parse(one, mode="eval").body for one in (*reads, *others)]
    assert [opens_a_path(one) for one in trees if isinstance(one, ast.Call)] == [True] * 6 + [False] * 5


NO_RUNS: Any = SimpleNamespace(plan=(), design="pairwise")


@pytest.fixture
def soon() -> Iterator[None]:
    """Fail after five seconds."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("result.json", lambda store: store.seconds(SPEC)),
        ("result.json", lambda store: store.fingerprint(SPEC)),
        *((name, lambda store: store.read(SPEC)) for name in ("spec.json", "history.jsonl", "counts.npz")),
        ("predictions.parquet", lambda store: store.predictions(SPEC)),
    ],
)
def test_a_pipe_in_the_place_of_a_file_of_a_run(name: str, read: Callable[[RunStore], object], tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(replace(RESULT))
    pipe(store.folder(SPEC) / name)
    with pytest.raises(InputError, match=f"{name}: .*a pipe") as caught:
        read(store)
    assert isinstance(caught.value, DamagedRun | IrregularFile)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("name", "read", "message"),
    [
        ("encoders.csv", encoder_study_folders, "encoders.csv: found a pipe; expected a regular file"),
        ("edges.csv", lambda root: check_has_runs(NO_RUNS, NO_RUNS, root), "edges.csv: found a pipe; expected"),
        ("x.json", lambda root: read_json(root / "x.json"), "x.json: found a pipe; expected"),
        ("runs/R/.lock", lambda root: RunStore(root).is_held(SPEC), ""),
        ("runs/R/progress.json", lambda root: Heartbeat.read(root / f"runs/{SPEC.run_id}"), ""),
        ("runs/R/error.txt", lambda root: RunStore(root).failure(SPEC), "error.txt: found a pipe"),
    ],
)
def test_a_pipe_in_another_place(name: str, read: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    pipe(tmp_path / name.replace("R/", f"{SPEC.run_id}/"))
    if message:
        with pytest.raises(InputError, match=message):
            read(tmp_path)
    else:
        assert not read(tmp_path)


@pytest.mark.usefixtures("soon")
def test_what_is_opened_is_a_regular_file_and_not_too_large(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    pipe(tmp_path / "pipe")
    for call in (open_regular, read_regular, check_regular):
        for path, found in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
            with pytest.raises(IrregularFile, match=f"found {found}; expected a regular file"):
                call(path)
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "none")
    assert read_regular(tmp_path / "file", 3) == b"abc"
    with pytest.raises(IrregularFile, match="found 3 bytes; expected at most 2"):
        read_regular(tmp_path / "file", 2)
