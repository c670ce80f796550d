"""ChemProt: candidate pairs, classes, masks, and an error for each input fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.chemprot import convert

FOLDER = "chemprot_training"


def test_row_per_chemical_and_gene_of_a_sentence(chemprot_raw: Path) -> None:
    (task,) = convert(chemprot_raw)
    found = [(r.example.id, r.example.label, r.example.text) for r in task.splits["train"]]
    assert found == [
        ("11.T1.T3", "CPR:4", "@GENE$ binds @CHEMICAL$ and snarkol; the snarkol receptor is mimsy."),
        ("11.T1.T3#2", "CPR:3", "@GENE$ binds @CHEMICAL$ and snarkol; the snarkol receptor is mimsy."),
        ("11.T1.T4", "false", "Blorptase binds @CHEMICAL$ and snarkol; the @GENE$ is mimsy."),
        ("11.T2.T3", "false", "@GENE$ binds Zorbifex and snarkol; the @CHEMICAL$ receptor is mimsy."),
        ("11.T2.T4", "false", "Blorptase binds Zorbifex and snarkol; the @CHEM-GENE$ is mimsy."),
    ]


def test_notes_count_the_changes(chemprot_raw: Path) -> None:
    notes, missed = convert(chemprot_raw)[0].card.notes, convert(chemprot_raw)[0].card.missed
    assert missed == {"train": 1, "dev": 1, "test": 1}
    assert notes["gold_pairs_across_sentences"] == 3  # T5 is in the title, once per split
    assert notes["pairs_with_two_classes"] == 3
    assert notes["rows_with_one_joint_mask"] == 3
    assert notes["boundaries_merged"] == 0


def test_offsets_hold_both_arguments(chemprot_raw: Path) -> None:
    text = "Zorbifex β-effects. Blorptase binds Zorbifex and snarkol; the snarkol receptor is mimsy."
    (task,) = convert(chemprot_raw)
    last = task.splits["train"][-1]
    assert last.example.document == "11"
    assert [[text[a:b] for a, b in parts] for parts in last.offsets] == [["snarkol"], ["snarkol receptor"]]


@pytest.mark.parametrize("place", ["raw", "raw/chemprot", "raw/chemprot/chemprot_training"])
def test_raw_folder_may_be_the_corpus_its_parent_or_an_inner_folder(
    chemprot_raw: Path, tmp_path: Path, place: str
) -> None:
    assert convert(tmp_path / place)[0].splits == convert(chemprot_raw)[0].splits


def test_test_files_may_lack_the_gs_suffix(chemprot_raw: Path) -> None:
    expected = convert(chemprot_raw)[0].splits
    for path in (chemprot_raw / "chemprot_test_gs").glob("*_gs.tsv"):
        path.rename(path.with_name(path.name.replace("_gs", "")))
    assert convert(chemprot_raw)[0].splits == expected


@pytest.mark.parametrize(
    ("table", "old", "new", "parts"),
    [
        ("abstracts", "11\tZorbifex", "11 Zorbifex", ("line 1", "2 columns", "3: pmid, title, abstract")),
        ("abstracts", "11\tZorbifex", "Zorbifex x\tZorbifex", ("line 1", "text of 10 characters", "number")),
        ("abstracts", "mimsy.\n", "mimsy.\n11\tvorpal\tvorpal\n", ("line 2", "a second document '11'")),
        ("abstracts", "mimsy.\n", "mimsy.", ("line 1", "cut off")),
        ("entities", "\tZorbifex", "", ("line 1", "5 columns", "6: pmid")),
        ("entities", "GENE-Y", "GENE", ("line 3", "'GENE'", "CHEMICAL, GENE-N, GENE-Y")),
        ("entities", "11\tT1", "12\tT1", ("line 1", "'12'", "no abstract")),
        ("entities", "T2", "T1", ("line 2", "a second mention 'T1'")),
        ("entities", "T5\tCHEMICAL\t0\t8", "T5\tCHEMICAL\t0\t900", ("line 5", "offsets 0-900")),
        ("entities", "T5\tCHEMICAL\t0\t8", "T5\tCHEMICAL\t-1\t8", ("line 5", "'-1'", "whole numbers")),
        ("entities", "T5\tCHEMICAL\t0\t8", "T5\tCHEMICAL\t0\t9", ("line 5", "8 characters", "0-9")),
        ("gold_standard", "CPR:4\t", "", ("line 1", "3 columns", "4: pmid")),
        ("gold_standard", "CPR:4", "CPR:7", ("line 1", "'CPR:7'", "CPR:3, CPR:4")),
        ("gold_standard", "CPR:4", "CPR:3", ("line 2", "a second CPR:3")),
        ("gold_standard", "Arg1:T1", "T1", ("line 1", "'T1'", "Arg1:")),
        ("gold_standard", "Arg1:T1", "Arg1:T99", ("line 1", "'Arg1:T99'", "document 11")),
        ("gold_standard", "Arg1:T1", "Arg1:T3", ("line 1", "a GENE", "a CHEMICAL")),
    ],
)
def test_invalid_line_is_an_input_error(
    chemprot_raw: Path,
    edit: Callable[..., None],
    expect_input_error: Callable[..., str],
    table: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    path = chemprot_raw / FOLDER / f"chemprot_training_{table}.tsv"
    edit(path, old, new)
    expect_input_error(lambda: convert(chemprot_raw), path.name, *parts)


def test_file_that_is_not_utf8_is_an_input_error(chemprot_raw: Path, expect_input_error: Callable[..., str]) -> None:
    path = chemprot_raw / FOLDER / "chemprot_training_abstracts.tsv"
    path.write_bytes(path.read_text(encoding="utf-8").replace("β", "ß").encode("latin-1"))
    expect_input_error(lambda: convert(chemprot_raw), path.name, "line 1", "0xdf", "UTF-8")


def test_empty_split_is_an_input_error(chemprot_raw: Path, expect_input_error: Callable[..., str]) -> None:
    path = chemprot_raw / FOLDER / "chemprot_training_gold_standard.tsv"
    path.write_text("", encoding="utf-8")
    expect_input_error(lambda: convert(chemprot_raw), path.name, "empty file")


def test_missing_files_are_named(chemprot_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (chemprot_raw / "chemprot_test_gs" / "chemprot_test_entities_gs.tsv").unlink()
    expect_input_error(lambda: convert(chemprot_raw), "chemprot_test_entities_gs.tsv or", "searched in")
    expect_input_error(lambda: convert(chemprot_raw / "nowhere"), "chemprot_training_abstracts.tsv", "no folder")
