"""Atomic writes: a process that is killed at any event leaves the old file or the new one, and no litter for long."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity import atomic
from taskaffinity.atomic import atomic_folder, atomic_write, exclusive, remove_litter, write_atomic
from taskaffinity.errors import InputError
from taskaffinity.tasks.formats import TaskCard, read_card, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example

OLD, NEW = b"old " * 999, b"new " * 999
EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}


def killed_at(event: int, write: Callable[[], object]) -> bool:
    """Whether a process that writes is killed at its file-system event of this number, or is done before."""
    child = os.fork()
    if not child:
        count = 0

        def hook(name: str, _: object) -> None:
            nonlocal count
            if name in EVENTS and (count := count + 1) == event:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            write()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*") if path.name != atomic.LOCK]


def write_folder(out: Path) -> None:
    with atomic_folder(out) as beside:
        (beside / "model").write_bytes(NEW)
        (beside / "below").mkdir()
        (beside / "below" / "card").write_bytes(NEW)


def test_a_write_that_is_killed_at_any_event_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path, event = tmp_path / "edges.csv", 0
    while True:
        event += 1
        path.write_bytes(OLD)
        was_killed = killed_at(event, lambda: write_atomic(path, NEW))
        assert path.read_bytes() in (OLD, NEW)
        write_atomic(tmp_path / "other.csv", NEW)  # the next command, whatever it writes
        assert hidden(tmp_path) == []
        if not was_killed:
            break
    assert event > 3
    assert path.read_bytes() == NEW


def test_a_folder_whose_writer_is_killed_at_any_event_is_whole_or_absent_and_can_be_written_again(
    tmp_path: Path,
) -> None:
    event = 0
    while True:
        event += 1
        out = tmp_path / str(event) / "out"
        was_killed = killed_at(event, lambda out=out: write_folder(out))
        if out.exists():
            assert (out / "below" / "card").read_bytes() == NEW
        else:
            write_folder(out)
        remove_litter(out.parent)
        assert hidden(tmp_path) == []
        assert sorted(path.name for path in out.rglob("*")) == ["below", "card", "model"]
        if not was_killed:
            break
    assert event > 6


def test_what_a_living_process_writes_is_no_litter(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as file, atomic_folder(tmp_path / "b") as beside:
        file.write(OLD)
        (beside / "model").write_bytes(OLD)
        remove_litter(tmp_path)
        write_atomic(tmp_path / "a", NEW)  # another writer of the same file
    assert (tmp_path / "a").read_bytes() == OLD
    assert (tmp_path / "b" / "model").read_bytes() == OLD
    assert hidden(tmp_path) == []


def test_a_name_that_another_process_is_about_to_remove_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for litter between the creation of the name and its lock."""
    real, removals = fcntl.flock, list[threading.Thread]()

    def remove(path: Path, descriptor: int) -> None:
        time.sleep(0.05)
        path.unlink()
        os.close(descriptor)

    def flock(descriptor: int, how: int) -> None:
        if not removals:
            [path] = tmp_path.iterdir()
            other = os.open(path, os.O_RDWR)
            real(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            removals.append(threading.Thread(target=remove, args=[path, other]))
            removals[0].start()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with atomic_write(tmp_path / "a") as file:
        removals[0].join()
        file.write(NEW)
    assert (tmp_path / "a").read_bytes() == NEW
    assert hidden(tmp_path) == []


def kill_while_writing(tmp_path: Path) -> None:
    """Leave a temporary file and a temporary folder of a process that is no more."""
    child = os.fork()
    if not child:
        with atomic_write(tmp_path / "a") as file, atomic_folder(tmp_path / "b") as beside:
            file.write(OLD)
            (beside / "model").write_bytes(OLD)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(hidden(tmp_path)) == 3


def make_old(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, times=(0, time.time() - 2 * atomic.SILENCE))


@pytest.mark.parametrize("reason", ["another machine", "no locks"])
def test_where_a_lock_proves_nothing_only_names_that_were_silent_for_an_hour_are_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    kill_while_writing(tmp_path)
    if reason == "another machine":
        monkeypatch.setattr(atomic, "_machine", lambda: "abcdef")
    else:

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, "no locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
    remove_litter(tmp_path)
    assert len(hidden(tmp_path)) == 3
    with atomic_write(tmp_path / "c") as file:  # nor is a file without a lock a reason to wait
        file.write(NEW)
    make_old(tmp_path)
    remove_litter(tmp_path)
    assert hidden(tmp_path) == []


def test_a_locked_name_of_another_machine_is_never_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic_write(tmp_path / "a") as file, atomic_folder(tmp_path / "b"):
        file.write(OLD)
        make_old(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "_machine", lambda: "abcdef")
            remove_litter(tmp_path)
    assert (tmp_path / "a").read_bytes() == OLD
    assert (tmp_path / "b").is_dir()


def test_files_of_others_stay(tmp_path: Path) -> None:
    names = [".a.tmp", ".a.1234", ".a.b-c.tmp", "a.abcdef-01234567.tmp", ".lock", ".a.abcdef-01234567.tmp.bak"]
    for name in names:
        (tmp_path / name).write_bytes(OLD)
    make_old(tmp_path)
    remove_litter(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


WRITER = """
import sys
from pathlib import Path
from taskaffinity.atomic import write_atomic
path, letter = Path(sys.argv[1]), sys.argv[2].encode()
for n in range(150):
    write_atomic(path, letter * 50_000)
    found = path.read_bytes()
    assert len(found) == 50_000 and len(set(found)) == 1, "torn"
"""


def in_a_pid_namespace() -> list[str]:
    """The command that runs another one as the first process of a pid namespace; empty if that is not allowed."""
    command = ["unshare", "--user", "--pid", "--fork"]
    allowed = shutil.which("unshare") and not subprocess.run([*command, "true"], capture_output=True).returncode
    return command if allowed else []


def test_two_containers_that_write_one_file_lose_no_write_and_tear_no_read(tmp_path: Path) -> None:
    begin = [*in_a_pid_namespace(), sys.executable, "-c"]
    simulated = "import os\nos.getpid = lambda: 1\n"
    both = [
        subprocess.Popen([*begin, simulated + WRITER, tmp_path / "study.json", letter], stderr=subprocess.PIPE)
        for letter in "ab"
    ]
    assert [process.communicate()[1] for process in both] == [b"", b""]
    assert hidden(tmp_path) == []


def write_zorbifex(folder: Path, word: str) -> None:
    card = TaskCard(kind="classification", labels=("yes", "no"))
    rows = [Row(Example(f"{word}-{n}", "yes", text=f"zorbifex {word}")) for n in range(9)]
    write_task(folder, card, {"train": rows[:3], "dev": rows[3:6], "test": rows[6:]})


def test_writers_of_one_task_leave_the_files_of_one_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    threads = [threading.Thread(target=write_zorbifex, args=(folder, word)) for word in ("one", "two") for _ in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read_card(folder)
    words = {json.loads(line)["id"][:3] for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()}
    assert len(words) == 1
    assert hidden(tmp_path) == []


def test_a_task_whose_writer_is_killed_is_no_task_or_whole_and_leaves_no_text_behind(tmp_path: Path) -> None:
    event = 0
    while True:
        event += 1
        was_killed = killed_at(event, lambda: write_zorbifex(tmp_path / "task", "one"))
        if (tmp_path / "task").exists():
            read_card(tmp_path / "task")
        write_zorbifex(tmp_path / "other", "two")
        assert hidden(tmp_path) == []
        if not was_killed:
            break
        shutil.rmtree(tmp_path / "task", ignore_errors=True)
        shutil.rmtree(tmp_path / "other")
    assert event > 6


def test_the_litter_of_earlier_versions_goes_after_a_day(tmp_path: Path) -> None:
    for name in (".task.1", ".task.22", ".task.d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_bytes(OLD)
    (tmp_path / ".task.333").mkdir()
    (tmp_path / ".task.333" / "mine.txt").write_bytes(OLD)
    for name in (".task.1", ".task.333", ".task.d"):
        os.utime(tmp_path / name, times=(0, 0))
    write_zorbifex(tmp_path / "task", "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".task.22", ".task.333", ".task.d", "task"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_while_writing_names_the_file_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=os.strerror(number)) as of_file:
        write_atomic(tmp_path / "edges.csv", NEW)
    with pytest.raises(OSError, match=os.strerror(number)) as of_folder:
        write_folder(tmp_path / "out")
    assert (of_file.value.errno, of_file.value.filename) == (number, str(tmp_path / "edges.csv"))
    assert of_folder.value.filename == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError("512 requested and 96 written"), errno.EIO),  # NumPy
        (RuntimeError("I/O error: No space left on device (os error 28)"), errno.ENOSPC),  # safetensors
    ],
)
def test_the_errors_of_libraries_name_the_file_too(tmp_path: Path, error: Exception, number: int) -> None:
    with pytest.raises(OSError, match=r"disk|space") as caught, atomic_folder(tmp_path / "out"):
        raise error
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "out"))


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    for error in (ValueError("zorbifex"), InputError("(os error 28)"), FileNotFoundError(2, "no", "another file")):
        with pytest.raises(type(error)) as caught, atomic_write(tmp_path / "a"):
            raise error
        assert caught.value is error


def test_a_folder_that_is_not_empty_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out")
    with pytest.raises(FileExistsError) as caught:
        write_folder(tmp_path / "out")
    assert caught.value.filename == str(tmp_path / "out")
    assert hidden(tmp_path) == []


def test_a_pipe_a_device_or_a_link_to_one_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "link", "null"):
        with pytest.raises(InputError, match=f"{name}: found a device or a pipe; expected a name"):
            write_atomic(tmp_path / name, NEW)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "null").is_symlink()
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "folder", NEW)
    assert hidden(tmp_path) == []


def test_a_lock_that_is_held_too_long_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "LONGEST_WAIT", 0.0)
    with exclusive(tmp_path), pytest.raises(InputError, match="another process"), exclusive(tmp_path):
        raise AssertionError


def test_names_of_any_length_and_of_any_bytes_can_be_written(tmp_path: Path) -> None:
    for name in (b"a" * 250, "\u00e9".encode() * 125, b"\xff\xfe", b"a\nb"):
        path = tmp_path / os.fsdecode(name)
        write_atomic(path, NEW)
        assert path.read_bytes() == NEW
