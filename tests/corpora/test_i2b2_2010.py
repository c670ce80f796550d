"""i2b2 2010: pairs of concepts, masks, the dev part, and an error for each input fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.choices import Choices
from taskaffinity.corpora.i2b2_2010 import convert

BETH = "concept_assertion_relation_training_data/beth"


def test_one_row_per_pair_of_one_line(i2b2_raw: Path) -> None:
    (task,) = convert(i2b2_raw)
    rows = [(r.example.id, r.example.label, r.example.text) for r in task.splits["test"] if r.example.document == "000"]
    rest = "; Zorbifex , Zorbifex"
    assert rows == [
        ("000.l1.l2", "TrAP", "frumious mimsy @treatment$ for @problem$ ."),
        ("000.l3.l4", "TeRP", f"@test$ showed @problem$ and vorpal mimsy {rest}"),
        ("000.l3.l4#2", "TeCP", f"@test$ showed @problem$ and vorpal mimsy {rest}"),
        ("000.l3.l6", "false", f"@test$ showed quuxitis and @problem$ {rest}"),
        ("000.l4.l6", "false", f"snarkol showed @problem$ and @problem$ {rest}"),
    ]


def test_offsets_point_into_the_record(i2b2_raw: Path) -> None:
    text = (i2b2_raw / "test_data/000.txt").read_text(encoding="utf-8")
    said = [
        [text[start:end] for ((start, end),) in row.offsets]
        for row in convert(i2b2_raw)[0].splits["test"]
        if row.example.document == "000"
    ]
    assert said == [
        ["Zorbifex", "the quuxitis"],
        *(2 * [["snarkol", "quuxitis"]]),
        ["snarkol", "vorpal mimsy"],
        ["quuxitis", "vorpal mimsy"],
    ]


def test_dev_is_whole_records(i2b2_raw: Path) -> None:
    splits = convert(i2b2_raw)[0].splits
    train, dev = ({row.example.document for row in splits[split]} for split in ("train", "dev"))
    assert dev
    assert len(train) + len(dev) == 40
    assert not train & dev
    listed = convert(i2b2_raw, Choices(dev_ids=("record-7",)))[0].splits
    assert {row.example.document for row in listed["dev"]} == {"record-7"}


def test_notes_count_the_changes(i2b2_raw: Path) -> None:
    notes = convert(i2b2_raw)[0].card.notes
    assert notes["concepts_twice"] == notes["pairs_with_two_relations"] == 42
    assert notes["rows_with_one_joint_mask"] == 0


@pytest.mark.parametrize("moves", [{"concepts": "concept"}, {"rel": "rel"}])
def test_both_spellings_of_a_folder(i2b2_raw: Path, moves: dict[str, str]) -> None:
    expected = convert(i2b2_raw)[0].splits
    gold = i2b2_raw / "reference_standard_for_test_data"
    for old, new in moves.items():
        (gold / old).rename(gold / new)
    (i2b2_raw / "test_data").rename(gold / "txt")
    assert convert(i2b2_raw)[0].splits == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("concept/record-0.con", 't="treatment"', 't="treatmnt"', ("line 1", "'treatmnt'", "problem, treatment")),
        ("concept/record-0.con", 't="treatment"', 't="vorpal"', ("line 1", "a text of 6 characters")),
        ("concept/record-0.con", "||t=", "|t=", ("line 1", "not a concept")),
        ("concept/record-0.con", "2:2 2:2", "2:3 2:3", ("line 1", "8 characters", "words 3 to 3 of line 2")),
        ("concept/record-0.con", "2:2 2:2", "2:2 3:2", ("line 1", "lines 2 and 3")),
        ("concept/record-0.con", "2:2 2:2", "9:2 9:2", ("line 1", "lines 9 and 9", "1 to 3")),
        ("concept/record-0.con", "2:4 2:5", "2:4 2:50", ("line 2", "words 4 to 50")),
        ("rel/record-0.rel", "TrAP", "TrAPP", ("line 1", "'TrAPP'", "PIP, TeCP")),
        ("rel/record-0.rel", "||r=", "|r=", ("line 1", "not a relation")),
        ("rel/record-0.rel", 'c="the quuxitis" 2:4 2:5', 'c="quuxitis" 2:5 2:5', ("line 1", "not a concept")),
        ("rel/record-0.rel", 'c="the quuxitis" 2:4 2:5', 'c="quuxitis" 3:3 3:3', ("line 1", "lines 2 and 3")),
    ],
)
def test_fault_is_a_one_line_error(
    i2b2_raw: Path,
    expect_input_error: Callable[..., str],
    edit: Callable[..., None],
    file: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(i2b2_raw / BETH / file, old, new)
    expect_input_error(lambda: convert(i2b2_raw), Path(file).name, *parts)


def test_missing_file_is_an_input_error(i2b2_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (i2b2_raw / BETH / "rel/record-3.rel").unlink()
    expect_input_error(lambda: convert(i2b2_raw), "record-3.rel", "no file that can be read")


def test_missing_part_is_an_input_error(i2b2_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (i2b2_raw / "test_data").rename(i2b2_raw / "elsewhere")
    expect_input_error(lambda: convert(i2b2_raw), "test_data or", "searched in")


def test_record_of_both_sites_is_an_input_error(i2b2_raw: Path, expect_input_error: Callable[..., str]) -> None:
    partners = i2b2_raw / "concept_assertion_relation_training_data/partners"
    for folder, ending in (("txt", "txt"), ("concept", "con"), ("rel", "rel")):
        (partners / folder / f"90.{ending}").rename(partners / folder / f"record-0.{ending}")
    expect_input_error(lambda: convert(i2b2_raw), "'record-0' twice")
