"""Output whose reader has gone, or whose disk is full; options with an empty value."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskaffinity.cli import main
from taskaffinity.errors import InputError
from taskaffinity.studies.folders import results_folder
from taskaffinity.tasks.suite import Suite

EXAMPLE = str(Path(__file__).parents[2] / "notebooks" / "example_results")


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["taskaffinity", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.fixture
def closed_pipe() -> Iterator[io.TextIOWrapper]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = io.TextIOWrapper(io.FileIO(writer, "w"), encoding="utf-8", write_through=True)
    yield stream
    stream.close()


@pytest.mark.parametrize(
    "arguments", [("status", EXAMPLE), ("status", EXAMPLE, "--json"), ("data", "list"), ("--help",)]
)
def test_a_command_whose_reader_has_gone_ends_as_usual(
    monkeypatch: pytest.MonkeyPatch,
    closed_pipe: io.TextIOWrapper,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    usual = exit_code(monkeypatch, *arguments)
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    assert exit_code(monkeypatch, *arguments) == usual
    assert capsys.readouterr().err == ""


def test_a_refusal_whose_reader_has_gone_has_its_code(
    monkeypatch: pytest.MonkeyPatch, closed_pipe: io.TextIOWrapper
) -> None:
    monkeypatch.setattr(sys, "stderr", closed_pipe)
    assert exit_code(monkeypatch, "status", "nosuch") == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_below_standard_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch, open("/dev/full", "w", encoding="utf-8") as full:
        patch.setattr(sys, "stdout", full)
        assert exit_code(patch, "data", "list") == 2
    assert capsys.readouterr().err == "taskaffinity: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (("pairwise", "--domain", "clinical", "--results", ""), "--results"),
        (("pairwise", "--domain", "clinical", "--results="), "--results"),
        (("full", "--domain", "clinical", "--results", " "), "--results"),
        (("pairwise", "--suite", ""), "--suite"),
        (("tune", "--domain", "clinical", "--out", ""), "--out"),
        (("export", EXAMPLE, "--task", "mednli", "--out", ""), "--out"),
        (("pretrain", "--text", "", "--encoder", "x", "--out", "y"), "--text"),
        (("data", "fetch", "rqe", "--raw="), "--raw"),
        (("graph", ""), "an argument"),
        (("init", ""), "an argument"),
    ],
)
def test_an_empty_value_is_refused_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    where: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith(f"taskaffinity: {where}: found an empty value; expected")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_refused_in_python_too() -> None:
    with pytest.raises(InputError, match="an empty name"):
        results_folder("", Suite("zorbifex", ()), None)


def test_an_interrupted_init_is_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert exit_code(monkeypatch, "init", str(tmp_path)) == 0
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "suite.yaml").unlink()
    (tmp_path / "mentions" / "dev.conll").unlink()
    assert exit_code(monkeypatch, "init", str(tmp_path)) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole
    (tmp_path / "suite.yaml").unlink()
    (tmp_path / "mentions" / "dev.conll").write_text("mine O\n")
    assert exit_code(monkeypatch, "init", str(tmp_path)) == 2
    assert "mentions/dev.conll: found a file that exists" in capsys.readouterr().err
    assert not (tmp_path / "suite.yaml").exists()
