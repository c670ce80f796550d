"""Invented files in the exact layouts of the four restricted corpora; the expected rows are written by hand.

Needs ``TASKAFFINITY_RAW``: the files lie there, in ``restricted_examples``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from taskaffinity.corpora import clinicalsts, i2b2_2010, mednli, shareclefe
from taskaffinity.corpora.choices import Choices, Discontinuous

PREMISE = "Toy patient has a history of squeaky elbow and invented gout ."


@pytest.fixture(scope="module")
def examples(real_raw: Path) -> Path:
    folder = real_raw / "restricted_examples"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the converters of the restricted corpora were NOT held against it")
    return folder


def test_i2b2(examples: Path) -> None:
    (task,) = i2b2_2010.convert(examples / "i2b2_2010", Choices(dev_ids=("999000001_TOY",)))
    rows = {
        split: [(r.example.id, r.example.label, r.example.text) for r in rows] for split, rows in task.splits.items()
    }
    assert rows == {
        "train": [
            ("record-9001.l1.l2", "TrAP", "The imaginary patient was given @treatment$ for @problem$ ."),
            ("record-9001.l3.l4", "TeRP", "@test$ showed @problem$ without purple rash ."),
            ("record-9001.l3.l5", "false", "@test$ showed squeaky elbow without @problem$ ."),
            ("record-9001.l4.l5", "false", "A pretend x-ray showed @problem$ without @problem$ ."),
            ("record-9001.l6.l7", "TrCP", "@treatment$ was stopped because of @problem$ ."),
        ],
        "dev": [
            ("999000001_TOY.l1.l2", "PIP", "Toy patient has @problem$ secondary to @problem$ ."),
            ("999000001_TOY.l3.l4", "TeCP", "@test$ was ordered to evaluate @problem$ ."),
        ],
        "test": [
            ("9999.l1.l2", "TrIP", "@treatment$ improved @problem$ ."),
            ("9999.l3.l4", "TrNAP", "@treatment$ was withheld due to @problem$ ."),
            ("9999.l5.l6", "TrWP", "Despite @treatment$ , @problem$ worsened ."),
        ],
    }


@pytest.mark.parametrize(
    ("rule", "valve", "atrium"),
    [
        ("whole", "O B I I I I I O", "O B I I I I I I I I O"),
        ("first", "O B I I O O O O", "O B I O O O O O O O O"),
        ("parts", "O B I I O O B O", "O B I O O O O O O B O"),
        ("drop", "O O O O O O O O", "O O O O O O O O O O O"),
    ],
)
def test_shareclefe(examples: Path, rule: Discontinuous, valve: str, atrium: str) -> None:
    (task,) = shareclefe.convert(examples / "shareclef2013", Choices(discontinuous=rule))
    tagged = {
        split: [(" ".join(r.example.words), " ".join(t[0] for t in r.example.label)) for r in rows]
        for split, rows in task.splits.items()
        for r in rows[:1]
        if isinstance(r.example.label, tuple)
    }
    assert tagged["train"] == [
        ("Admission Date : PATTERN", "O O O O"),
        (
            "HISTORY : The imaginary patient PATTERN had squeaky elbow and made - up gout of the left thumb .",
            "O O O O O O O B I O B I I I O O O O O",
        ),
        ("No purple rash was seen .", "O B I O O O"),
        ("The left toy valve is mildly bent .", valve),
    ]
    assert tagged["test"] == [
        ("ECHO REPORT ( toy )", "O O O O O"),
        ("The left atrium of the plastic heart is moderately dilated .", atrium),
        ("There is trivial pretend regurgitation .", "O O O B I O"),
    ]
    assert (task.card.notes["mentions"], task.card.notes["mentions_in_parts"]) == (6, 2)
    assert "mentions_whose_text_differs" not in task.card.notes


def test_mednli(examples: Path) -> None:
    (task,) = mednli.convert(examples / "mednli")
    assert {split: len(rows) for split, rows in task.splits.items()} == {"train": 3, "dev": 3, "test": 3}
    assert [
        (r.example.id[-4:], r.example.label, r.example.text, r.example.text_pair) for r in task.splits["train"]
    ] == [
        ("1000", "entailment", PREMISE, "the toy patient has squeaky elbow"),
        ("1001", "contradiction", PREMISE, "the toy patient has never had any problem"),
        ("1002", "neutral", PREMISE, "the toy patient takes zorbimycin"),
    ]


def test_clinicalsts(examples: Path) -> None:
    (task,) = clinicalsts.convert(examples / "clinicalsts2018", Choices(dev_ids=("train.3",)))
    rows = {
        split: [(r.example.id, r.example.label, r.example.text, r.example.text_pair) for r in rows]
        for split, rows in task.splits.items()
    }
    tablet = "Zorbimycin {} mg [TOYBRAND] tablet by mouth every imaginary {}."
    assert rows == {
        "train": [
            ("train.1", 3.5, tablet.format(10, "morning"), tablet.format(20, "evening")),
            ("train.2", 5.0, "The toy patient denies squeaky elbow.", "The toy patient reports no squeaky elbow."),
        ],
        "dev": [("train.3", 0.5, "The toy patient will return next week.", "Glitter nausea was not observed.")],
        "test": [
            ("test.1", 4.0, "The pretend x-ray was read as normal.", "The pretend x-ray showed no finding."),
            ("test.2", 0.0, "Please call the toy clinic if whistling cough returns.", "Fictadrine was withheld."),
        ],
    }
