"""BC5CDR: PubTator files become tagged sentences, and each input fault is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.bc5cdr import convert
from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.rows import Row

TRAIN = "CDR_TrainingSet.PubTator.txt"


def rows(raw: Path, task: int) -> list[Row]:
    return list(convert(raw)[task].splits["train"])


def mentions(row: Row) -> list[tuple[str, ...]]:
    assert isinstance(row.example.label, tuple)
    return [row.example.words[first:last] for _, first, last in strict_mentions(row.example.label)]


def test_both_tasks_have_the_same_sentences_with_different_tags(bc5cdr_raw: Path) -> None:
    disease, chemical = rows(bc5cdr_raw, 0), rows(bc5cdr_raw, 1)
    assert [r.example.id for r in disease] == [r.example.id for r in chemical] == ["11.0", "11.23", "11.57"]
    assert [mentions(r) for r in disease] == [[("quuxitis",)], [], [("quuxitis",)]]
    assert [mentions(r) for r in chemical] == [[("Zorbifex",)], [], [("snarkol",), ("Blorp",)]]


def test_a_word_is_cut_where_a_mention_ends_inside_it(bc5cdr_raw: Path) -> None:
    last = rows(bc5cdr_raw, 1)[-1]
    at = last.example.words.index("Blorp")
    assert last.example.words[at : at + 4] == ("Blorp", "tase", "-", "like")
    assert [c.card.notes["words_cut_at_mentions"] for c in convert(bc5cdr_raw)] == [0, 3]


def test_offsets_point_into_the_document(bc5cdr_raw: Path) -> None:
    first = (bc5cdr_raw / TRAIN).read_text(encoding="utf-8").splitlines()
    text = f"{first[0].split('|', 2)[2]} {first[1].split('|', 2)[2]}"
    for row in rows(bc5cdr_raw, 0):
        assert row.example.document == "11"
        assert tuple(text[start:end] for start, end in row.offsets) == row.example.words


def test_a_sentence_never_cuts_a_mention(bc5cdr_raw: Path, edit: Callable[..., None]) -> None:
    said = "in mimsy. The snarkol"
    at = len("Zorbifex and quuxitis. Zorbifex frumious, e.g. ")
    edit(bc5cdr_raw / TRAIN, "11\tCID", f"11\t{at}\t{at + len(said)}\t{said}\tDisease\tD9\n11\tCID")
    disease, chemical = convert(bc5cdr_raw)
    assert [c.card.notes["boundaries_merged"] for c in (disease, chemical)] == [1, 1]
    assert [r.example.id for r in disease.splits["train"]] == ["11.0", "11.23"]
    assert sum(len(mentions(r)) for r in disease.splits["train"]) == 3


def test_longest_of_overlapping_mentions_is_tagged(bc5cdr_raw: Path, edit: Callable[..., None]) -> None:
    edit(bc5cdr_raw / TRAIN, "11\tCID", "11\t0\t21\tZorbifex and quuxitis\tDisease\tD9\n11\tCID")
    disease, chemical = convert(bc5cdr_raw)
    assert disease.card.notes["overlapping_mentions_dropped"] == 1
    assert mentions(disease.splits["train"][0]) == [("Zorbifex", "and", "quuxitis")]
    assert chemical.card.notes["overlapping_mentions_dropped"] == 0


@pytest.mark.parametrize("place", ["raw", "raw/bc5cdr"])
def test_raw_folder_may_be_the_corpus_or_its_parent(bc5cdr_raw: Path, tmp_path: Path, place: str) -> None:
    assert len(convert(tmp_path / place)) == 2


def test_last_document_needs_no_blank_line(bc5cdr_raw: Path, edit: Callable[..., None]) -> None:
    edit(bc5cdr_raw / TRAIN, "CID\tD01\tD02\n\n", "CID\tD01\tD02\n")
    assert len(rows(bc5cdr_raw, 0)) == 3


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("11\t0\t8\tZorbifex\tChemical\tD01", "11\t0\t8\tZorbifex\tChemical", ("line 3", "5 columns", "6 or 7")),
        ("11\tCID\tD01\tD02", "11\tCID\tD01", ("line 8", "3 columns", "4 (pmid")),
        ("Zorbifex\tChemical", "Zorbifex\tGene", ("line 3", "a text of 4 characters", "Disease, Chemical")),
        ("11\t0\t8", "11\t0\t800", ("line 3", "offsets 0-800", "characters")),
        ("11\t0\t8", "11\t8\t8", ("line 3", "offsets 8-8")),
        ("11\t0\t8", "11\tzero\t8", ("line 3", "a text of 4 characters", "whole numbers")),
        ("11\t0\t8", "11\t1\t9", ("line 3", "8 characters", "1-9")),
        ("11\t0\t8", "12\t0\t8", ("line 3", "'12'", "document 11")),
        ("|t|", "|x|", ("line 1", "no title", "pmid|t|")),
        ("11|a|", "12|a|", ("line 2", "no abstract", "pmid|a|")),
        ("11|a|", "\n11|a|", ("line 2", "blank line", "abstract")),
        ("11\tCID\tD01\tD02\n\n", "11\tCID\tD01\tD0", ("line 8", "cut off")),
        ("11\tCID\tD01\tD02\n\n", "12|t|Zorbifex\n", ("line 8", "1 column;")),
        ("11\tCID\tD01\tD02\n\n", "\n12|t|Zorbifex\n", ("line 9", "title as the last line", "cut off")),
        ("11\tCID\tD01\tD02\n\n", "\n11|t|Zorbifex\n11|a|\n\n", ("line 9", "a second document '11'")),
    ],
)
def test_invalid_line_is_an_input_error(
    bc5cdr_raw: Path,
    edit: Callable[..., None],
    expect_input_error: Callable[..., str],
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(bc5cdr_raw / TRAIN, old, new)
    expect_input_error(lambda: convert(bc5cdr_raw), TRAIN, *parts)


def test_file_that_is_not_utf8_is_an_input_error(bc5cdr_raw: Path, expect_input_error: Callable[..., str]) -> None:
    path = bc5cdr_raw / "CDR_TestSet.PubTator.txt"
    path.write_bytes(path.read_bytes().replace(b"frumious", b"frum\xefous"))
    expect_input_error(lambda: convert(bc5cdr_raw), path.name, "line 2", "0xef", "UTF-8")


def test_empty_split_is_an_input_error(bc5cdr_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (bc5cdr_raw / TRAIN).write_text("", encoding="utf-8")
    expect_input_error(lambda: convert(bc5cdr_raw), TRAIN, "empty file")


def test_missing_file_is_named(bc5cdr_raw: Path, expect_input_error: Callable[..., str]) -> None:
    (bc5cdr_raw / TRAIN).unlink()
    message = expect_input_error(lambda: convert(bc5cdr_raw.parent), f"no {TRAIN}", "searched in")
    assert "CDR_TestSet" not in message
