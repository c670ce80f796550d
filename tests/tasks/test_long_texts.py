"""The keys of a suite file that say how long texts are read, and what they do to a task's identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import REFINE
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.tasks.reading import WHOLE, Reading
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Task
from taskaffinity.tasks.user.suitefile import read_suite

PAIRS = [{"id": f"p{n}", "text": f"a {n}", "text_pair": f"b {n}", "label": ("yes", "no")[n % 2]} for n in range(6)]
SENTENCES = [{"id": f"s{n}", "words": ["a", str(n)], "tags": ["B-x", "O"]} for n in range(6)]


def everywhere(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {split: [{**row, "id": split + row["id"]} for row in rows] for split in SPLITS}


def suite_of(folder: Path, of_pairs: str = "", of_tags: str = "") -> Suite:
    for name, rows in (("pairs", PAIRS), ("tags", SENTENCES)):
        (folder / name).mkdir(exist_ok=True)
        for split, of_split in everywhere(rows).items():
            (folder / f"{name}/{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in of_split))
    (folder / "suite.yaml").write_text(
        f"name: mine\ntasks:\n  pairs:\n    kind: inference\n    path: pairs\n{of_pairs}\n"
        f"  tags:\n    kind: ner\n    path: tags\n{of_tags}\n"
    )
    return read_suite(folder / "suite.yaml")


def lines(**keys: object) -> str:
    return "".join(f"    {key}: {value}\n" for key, value in keys.items())


@pytest.mark.parametrize(
    ("of_pairs", "of_tags", "expected"),
    [
        ({}, {}, (Reading(), Reading())),
        ({"long": "truncate"}, {"long": "truncate"}, (Reading(), Reading())),
        ({"max_length": 512}, {"max_words": 50}, (Reading(max_length=512), Reading(max_words=50))),
        (
            {"long": "windows", "stride": 64, "pool": "max", "windowed": "text_pair"},
            {"long": "windows", "max_words": "none", "max_length": 256},
            (
                Reading(long="windows", stride=64, pool="max", windowed="text_pair"),
                Reading(max_length=256, max_words=WHOLE, long="windows"),
            ),
        ),
    ],
    ids=["none", "defaults", "lengths", "windows"],
)
def test_keys_of_a_file_and_of_data_in_memory_are_read_alike(
    of_pairs: dict[str, object], of_tags: dict[str, object], expected: tuple[Reading, Reading], tmp_path: Path
) -> None:
    suite = suite_of(tmp_path, lines(**of_pairs), lines(**of_tags))
    assert tuple(task.reading for task in suite) == expected
    given = {"pairs": (everywhere(PAIRS), {}, of_pairs), "tags": (everywhere(SENTENCES), {}, of_tags)}
    assert [task.ref for task in Suite.from_datasets(given)] == [task.ref for task in suite]


FAULTS = [
    ({"max_length": 7}, {}, r"max_length: '7'; expected a whole number from 8 to 1,000,000$"),
    ({"max_length": "many"}, {}, "max_length: 'many'"),
    ({"max_words": 9}, {}, "max_words: for kind inference; expected kind: ner, or max_length:"),
    ({"long": "left"}, {}, "long 'left'; expected one of truncate, windows"),
    ({"stride": 8}, {}, "stride: without windows; expected long: windows too"),
    ({"pool": "max"}, {}, "pool: without windows"),
    ({"long": "windows", "stride": 0}, {}, "stride: '0'; expected a whole number from 1"),
    ({"long": "windows", "pool": "sum"}, {}, "pool 'sum'; expected one of mean, max"),
    ({}, {"max_words": 0}, r"max_words: '0'; expected a whole number from 1 to 1,000,000, or none"),
    ({}, {"long": "windows"}, "long: windows for kind ner, whose sentences are split before; expected max_words: none"),
    ({}, {"long": "windows", "max_words": "none", "pool": "max"}, "pool: for kind ner, which reads each word in one"),
    ({}, {"long": "windows", "max_words": "none", "windowed": "text"}, "windowed: for kind ner"),
]


@pytest.mark.parametrize(("of_pairs", "of_tags", "expected"), FAULTS, ids=[fault[2][:30] for fault in FAULTS])
def test_a_fault_is_one_line_at_the_key(
    of_pairs: dict[str, object], of_tags: dict[str, object], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=expected) as raised:
        suite_of(tmp_path, lines(**of_pairs), lines(**of_tags))
    key = [*of_pairs, *of_tags][-1]
    number = next(
        n for n, line in enumerate((tmp_path / "suite.yaml").read_text().splitlines(), 1) if f" {key}: " in line
    )
    if "split before" not in expected:
        assert f"line {number}: " in str(raised.value)
    assert "\n" not in str(raised.value)


def by_hand(task: Task) -> str:
    """The fingerprint as it was before tasks had a reading."""
    digest = hashlib.sha256(json.dumps([task.name, task.kind, task.labels, task.negative, task.metric_name]).encode())
    for split, examples in task.examples.items():
        for e in examples:
            row = [split, e.id, e.label, e.text, e.text_pair, e.words]
            digest.update(json.dumps(row, ensure_ascii=False).encode())
    return digest.hexdigest()[:16]


def test_only_what_differs_from_the_default_enters_the_identity() -> None:
    task = Task("a", "classification", lambda split: [Example(f"{split}{n}", "xy"[n], "t") for n in (0, 1)], ("x", "y"))
    assert task.fingerprint == by_hand(task)
    readings = [
        Reading(),
        Reading(max_length=128),
        Reading(max_length=512),
        Reading(max_words=WHOLE),
        Reading(long="windows"),
        Reading(long="windows", stride=9),
        Reading(long="windows", pool="max"),
        Reading(long="windows", windowed="text_pair"),
    ]
    tasks = [replace(task, reading=reading) for reading in readings]
    assert tasks[0].fingerprint == task.fingerprint
    assert len({one.fingerprint for one in tasks}) == len(tasks)
    encoder = EncoderRef("an encoder", "e" * 64)
    assert len({RunSpec((one.ref,), encoder, 0, REFINE).run_id for one in tasks}) == len(tasks)
