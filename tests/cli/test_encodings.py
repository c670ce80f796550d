"""Every command prints in any encoding of its output, and ends as it does in UTF-8."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.cli import main
from taskaffinity.cli.console.output_encoding import nearest, print_in_any_encoding

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"
ENCODINGS = ("ascii", "latin-1", "cp1252", "koi8-r", "shift_jis", "utf-8", "utf-16")
COMMANDS = {
    "graph": ["graph", "RESULTS", "--figures=graph", "--format=svg"],
    "report": ["report", "RESULTS", "--out=report.html"],
    "status": ["status", "RESULTS"],
    "compare": ["compare", "RESULTS", "OTHER"],
    "table": ["table", "2", "RESULTS"],
    "doctor": ["doctor"],
    "data inspect": ["data", "inspect", "suite.yaml"],
    "help": ["--help"],
    "help of pairwise": ["pairwise", "--help"],
    "refused": ["graph", "fehlt-ü-→-한"],
    "no suite": ["pairwise", "--domain=klinisch→"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from taskaffinity.tasks.user.template import example_files

    home = tmp_path_factory.mktemp("encodings")
    for name, content in example_files("suite.yaml").items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    for folder in ("RESULTS", "OTHER"):
        shutil.copytree(EXAMPLE, home / folder)
    return home


def printed(arguments: list[str], encoding: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command whose output has this encoding."""
    streams = [TextIOWrapper(BytesIO(), encoding, newline="", write_through=True) for _ in range(2)]
    monkeypatch.chdir(home)
    asked = mock.patch.object(sys, "argv", ["taskaffinity", *arguments])
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]), asked, pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    assert isinstance(code, int | None)
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)  # type: ignore[attr-defined]
    return code or 0, out, err


DRAWS = ("graph", "report")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in DRAWS else []) for name in COMMANDS]
)
def test_a_command_prints_and_ends_alike_in_every_encoding(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = printed(COMMANDS[name], "utf-8", home, monkeypatch)
    assert out or err
    for encoding in ("ascii", "cp1252"):
        code_here, out_here, err_here = printed(COMMANDS[name], encoding, home, monkeypatch)
        assert code_here == code
        assert len(out_here.splitlines()) == len(out.splitlines())
        assert len(err_here.splitlines()) == len(err.splitlines())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "koi8-r"])
def test_json_has_the_same_content_in_every_encoding(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"text {n},{label}" for n, label in enumerate(["심장", "신장", "→"] * 20)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    task = "{kind: classification, path: {train: rows.csv}, dev: 25%, test: 25%}"
    (tmp_path / "suite.yaml").write_text(f"name: mine\ntasks:\n  a: {task}\n  b: {task}\n")
    arguments = ["data", "inspect", "suite.yaml", "--json"]
    expected = json.loads(printed(arguments, "utf-8", tmp_path, monkeypatch)[1])
    assert set(expected["tasks"][0]["splits"]["train"]["labels"]) == {"심장", "신장", "→"}
    assert json.loads(printed(arguments, encoding, tmp_path, monkeypatch)[1]) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.long),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, marks=pytest.mark.long),
    ],
    ids=["C", "ascii", "latin-1"],
)
def test_a_study_ends_alike_where_the_locale_has_ascii_only(changes: dict[str, str], tmp_path: Path) -> None:
    """Python uses UTF-8 in the locale C, unless an option turns this off."""
    small = [
        "--set=precision=none",
        "--set=num_train_epochs=1",
        "--set=max_train_examples=64",
        "--set=max_eval_examples=50",
    ]
    study = ["pairwise", "--domain=clinical", "--executor=local", "--seeds=1", "--seeds-single=1", *small]
    done = subprocess.run(
        [sys.executable, "-m", "taskaffinity", *study],
        cwd=tmp_path,
        env={**os.environ, **changes},
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"edges.csv" in done.stdout
    assert b"Traceback" not in done.stderr


@given(st.text(st.characters(), min_size=1), st.sampled_from(ENCODINGS))
def test_any_text_is_printed(text: str, encoding: str) -> None:
    """Lone surrogates too, which stand for the bytes of a file's name that are no UTF-8."""
    stream = TextIOWrapper(BytesIO(), encoding, newline="", write_through=True)
    with mock.patch.object(sys, "stdout", stream), mock.patch.object(sys, "stderr", None):
        print_in_any_encoding()
    stream.write(text)
    said = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert len(said) >= sum(character.isascii() for character in text)
    if text.isascii():
        assert said == text


def test_another_error_is_no_matter_of_output() -> None:
    with pytest.raises(UnicodeDecodeError):
        nearest(UnicodeDecodeError("ascii", b"\xff", 0, 1, "no ASCII"))
