"""Passages of text and task files: each once, in order, and no text in a complaint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.passages import read_passages


def test_lines_of_text_and_rows_of_task_files(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("One passage.\n\n  Another one. \nOne passage.\n")
    rows = [
        {"id": "1", "text": "The premise.", "text_pair": "The hypothesis.", "label": "neutral"},
        {"id": "2", "words": ["Two", "words"], "tags": ["O", "O"]},
        {"id": "3", "text": "Another one.", "label": 2.5},
    ]
    task = tmp_path / "train.jsonl"
    task.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_passages([notes, task]) == [
        "One passage.",
        "Another one.",
        "The premise.",
        "The hypothesis.",
        "Two words",
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"\n \n", "found no text; expected one passage per line"),
        ("a.csv", b"text\nsecret", "named .csv; expected .txt"),
        ("a.jsonl", b'{"id": "secret"}', "line 1: found no text"),
        ("a.jsonl", b'["secret"]', "line 1: found no text"),
        ("a.jsonl", b'{"text": "fine"}\n{"text": "sec', "line 2: found no JSON at column"),
        ("a.jsonl", b"[" * 100_000, "line 1: found JSON that is nested too deeply"),
        ("a.txt", b"fine\nsecret \xff", "line 2: found byte 0xff"),
    ],
)
def test_faults_are_one_line_with_a_place(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_passages([path])
    assert said in str(refused.value)
    assert "secret" not in str(refused.value).replace(str(path), "")
    assert "\n" not in str(refused.value)


def test_no_file_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file that can be read"):
        read_passages([tmp_path / "nothing.txt"])
