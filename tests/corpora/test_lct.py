"""Leaf Clinical Trials: tagged sentences, pairs of mentions, and an error for each fault in brat's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora.lct import convert
from taskaffinity.corpora.original import ConvertedTask
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL_TASKS

ExpectInputError = Callable[..., str]
Edit = Callable[..., None]

TRAIN = "NCT03860025"
ANN = f"brat/batch1/{TRAIN}.ann"


def both(raw: Path) -> tuple[ConvertedTask, ConvertedTask]:
    condition, relation = convert(raw)
    return condition, relation


def test_a_row_is_a_sentence_of_a_line(lct_raw: Path) -> None:
    condition, _ = both(lct_raw)
    assert [(" ".join(row.example.words), row.example.label) for row in condition.splits["train"]] == [
        ("Mimsy :", ("O", "O")),
        ("1 . quuxitis due to Zorbifex .", ("O", "O", "B-Condition", "O", "O", "O", "O")),
        (
            "No stable vorpal quuxitis ( vq ) after snarkol",
            ("O", "O", "B-Condition", "I-Condition", "O", "B-Condition", "O", "O", "O"),
        ),
        ("2 . snarkol", ("O", "O", "O")),
    ]
    row = condition.splits["train"][1]
    assert (row.example.id, row.example.document, row.offsets[2]) == (f"{TRAIN}.10", TRAIN, (13, 21))
    assert {split: {r.example.document for r in rows} for split, rows in condition.splits.items()} == {
        "train": {TRAIN},
        "dev": {"NCT03860012"},
        "test": {"NCT03860038"},
    }
    assert condition.card.notes["mentions"] == 3 * 3


def test_a_pair_is_a_row_where_training_joins_its_types(lct_raw: Path) -> None:
    _, relation = both(lct_raw)
    assert [(row.example.id.removeprefix(f"{TRAIN}."), row.example.label) for row in relation.splits["train"]] == [
        ("T1.T2", "Caused-By"),
        ("T1.T3", "false"),
        ("T1.T4", "false"),
        ("T1.T5", "false"),
        ("T2.T3", "false"),
        ("T2.T4", "false"),
        ("T3.T4", "Abbrev-Of"),
        ("T3.T5", "After"),
        ("T3.T5#2", "During"),
        ("T4.T5", "false"),
    ]
    assert len(relation.splits["dev"]) == len(relation.splits["test"]) == 10


def test_the_line_is_masked_and_offsets_keep_the_direction(lct_raw: Path) -> None:
    _, relation = both(lct_raw)
    rows = {row.example.id.removeprefix(f"{TRAIN}."): row for row in relation.splits["train"]}
    masked = "1. quuxitis due to Zorbifex. No stable @Condition$ (@Condition$) after snarkol"
    assert rows["T3.T4"].example.text == masked
    assert rows["T1.T2"].example.text.startswith("1. @Condition$ due to @Drug$. No")
    starts = {name: tuple(argument[0][0] for argument in row.offsets) for name, row in rows.items()}
    assert starts["T3.T4"] == (66, 49)  # T4 is an abbreviation of T3
    assert starts["T1.T2"] == (13, 29)
    assert starts["T1.T3"] == (13, 49)


def test_relations_without_a_row_are_counted(lct_raw: Path) -> None:
    notes = both(lct_raw)[1].card.notes
    assert notes["pairs_of_types"] == 2  # Condition and Drug, two of Condition
    assert notes["logical_links_left_out"] == notes["pairs_with_two_classes"] == 3
    for split, unseen in (("train", 0), ("dev", 1), ("test", 1)):
        assert notes[f"{split}_relations_across_lines"] == 1
        assert notes[f"{split}_relations_given_twice"] == 1
        assert notes[f"{split}_relations_of_unseen_types"] == unseen
    assert both(lct_raw)[1].card.missed == {"train": 1, "dev": 2, "test": 2}


def test_a_mention_in_parts_is_tagged_and_masked_as_a_whole(lct_raw: Path, edit: Edit) -> None:
    edit(lct_raw / ANN, "T3\tCondition 49 64\tvorpal quuxitis", "T3\tCondition 66 68;49 55\tvq vorpal")
    condition, relation = both(lct_raw)
    assert condition.splits["train"][2].example.label == tuple("OO") + ("B-Condition",) + ("I-Condition",) * 3 + tuple(
        "OOO"
    )
    assert condition.card.notes["mentions_in_parts"] == condition.card.notes["overlapping_mentions_dropped"] == 1
    texts = {row.example.id: row.example.text for row in relation.splits["train"]}
    assert texts[f"{TRAIN}.T1.T3"] == "1. @Condition$ due to Zorbifex. No stable @Condition$) after snarkol"
    assert texts[f"{TRAIN}.T3.T4"].endswith("No stable @Condition-Condition$) after snarkol")
    assert relation.card.notes["rows_with_one_joint_mask"] == 1


def test_a_mention_over_two_lines_makes_one_sentence_and_no_pair(lct_raw: Path, edit: Edit) -> None:
    edit(lct_raw / ANN, "T5\tDrug 76 83\tsnarkol", "T5\tDrug 76 88\tsnarkol 2.")
    _, relation = both(lct_raw)
    assert not any("T5" in row.example.id for row in relation.splits["train"])
    assert relation.card.notes["train_relations_across_lines"] == 3
    edit(lct_raw / ANN, "T4\tCondition 66 68\tvq", "T4\tCondition 66 88\tvq) after snarkol 2.")
    condition, _ = both(lct_raw)
    assert len(condition.splits["train"]) == 3
    assert condition.card.notes["boundaries_merged"] == 1


def test_classes_are_the_ten_of_the_corpus() -> None:
    assert OPEN_CLINICAL_TASKS["lct-relation"].labels == (
        "Caused-By",
        "Treatment-For",
        "Found-By",
        "Using",
        "Example-Of",
        "Equivalent-To",
        "Abbrev-Of",
        "Before",
        "After",
        "During",
        "false",
    )


@pytest.mark.parametrize("folder", ["clinical-trials-gov-data/ner/nic", "brat"])
def test_raw_folder_may_have_other_layouts(lct_raw: Path, folder: str) -> None:
    expected = convert(lct_raw)
    other = lct_raw.parent / "other"
    (other / folder).parent.mkdir(parents=True, exist_ok=True)
    (lct_raw / "brat").rename(other / folder)
    assert [task.splits for task in convert(other)] == [task.splits for task in expected]


def test_the_folder_of_batches_itself(lct_raw: Path) -> None:
    expected = convert(lct_raw)
    assert [task.splits for task in convert(lct_raw / "brat")] == [task.splits for task in expected]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("T3\tCondition 49 64", "T3\tCondition 48 63", ("line 10", "15 characters", "offsets 48 63")),
        ("T3\tCondition 49 64", "T3\tCondition 49 999", ("line 10", "offsets 49-999", "inside the text")),
        ("T3\tCondition 49 64", "T3 Condition 49 64", ("line 10", "that is not a mention")),
        ("T3\tCondition 49 64", "T2\tCondition 49 64", ("line 10", "a second T2 (first: line 9)")),
        ("E3\tCondition:T3", "E3\tDrug:T3", ("line 3", "trigger T3 of another type")),
        ("E3\tCondition:T3", "E3\tCondition:T33", ("line 3", "argument 'T33'", "no line defines")),
        ("E3\tCondition:T3", "E3\tCondition-T3", ("line 3", "that is not an event")),
        ("Arg1:E4 Arg2:E3", "Arg1:E4 Arg2:E9", ("line 17", "argument 'E9'")),
        ("Arg1:E4 Arg2:E3", "Arg1:E4 Arg2:T4", ("line 17", "T4 with itself")),
        ("Arg1:E4 Arg2:E3", "Arg2:E4 Arg1:E3", ("line 17", "that is not a relation")),
        ("Abbrev-Of", "Abbrev-off", ("line 17", "relation 'Abbrev-off'", "Caused-By, Treatment-For")),
        ("Abbrev-Of", "quuxitis", ("line 17", "a text of 8 characters")),
        ("A1\tStability-Value", "vorpal\tmimsy", ("line 7", "not an annotation")),
    ],
)
def test_fault_is_a_one_line_error(
    lct_raw: Path, expect_input_error: ExpectInputError, edit: Edit, old: str, new: str, parts: tuple[str, ...]
) -> None:
    edit(lct_raw / ANN, old, new)
    expect_input_error(lambda: convert(lct_raw), f"{TRAIN}.ann", *parts)


def test_text_and_annotation_files_must_match(lct_raw: Path, expect_input_error: ExpectInputError) -> None:
    text = lct_raw / f"brat/batch1/{TRAIN}.txt"
    again = lct_raw / f"brat/training/{TRAIN}.txt"
    again.write_bytes(text.read_bytes())
    expect_input_error(lambda: convert(lct_raw), f"a second trial {TRAIN!r} (first: batch1)")
    again.unlink()
    text.rename(text.with_suffix(".kept"))
    expect_input_error(lambda: convert(lct_raw), f"{TRAIN}.ann", "without a text")
    text.with_suffix(".kept").rename(text)
    (lct_raw / ANN).unlink()
    expect_input_error(lambda: convert(lct_raw), f"{TRAIN}.ann", "no file that can be read")


def test_a_folder_without_trials(lct_raw: Path, expect_input_error: ExpectInputError) -> None:
    (lct_raw / "brat").rename(lct_raw / "brat-old")
    expect_input_error(lambda: convert(lct_raw), "no brat or ner/nic")
    (lct_raw / "brat").mkdir()
    expect_input_error(lambda: convert(lct_raw), "no <batch>/<trial>.txt")
