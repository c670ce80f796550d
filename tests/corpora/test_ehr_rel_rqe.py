"""EHR-RelB and RQE, the open corpora of text pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora import ehr_rel, rqe

ExpectInputError = Callable[..., str]
Edit = Callable[..., None]

TRAIN, DEV = "RQE_Train_8588_AMIA2016.xml", "RQE_Test_302_pairs_AMIA2016.xml"


def test_a_pair_of_terms_keeps_its_score(ehr_rel_raw: Path) -> None:
    (task,) = ehr_rel.convert(ehr_rel_raw)
    found = {split: [(row.example.id, row.example.label) for row in rows] for split, rows in task.splits.items()}
    assert found == {
        "train": [
            ("13645005-79955004", 2.0),
            ("102549009-400047006", 1.6666666666666667),
            ("13645005-79955004#2", 1.0),
        ],
        "dev": [("57891003-169839008", 3.0)],
        "test": [("109894007-47821001", 0.0)],
    }
    example = task.splits["dev"][0].example
    assert (example.text, example.text_pair) == ("mimsy Zorbifex", "quuxitis")
    assert task.card.notes == {"pairs_rated_again": 1}


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("\tmean_rating", "\tmean", ("line 1", "12 columns with other names", "mean_rating")),
        ("\t2.0\tC1\tC2", "\tvorpal\tC1\tC2", ("line 2", "a text of 6 characters", "0 to 3")),
        ("\t2.0\tC1\tC2", "\t3.5\tC1\tC2", ("line 2", "'3.5'", "0 to 3")),
        ("\t2.0\tC1\tC2", "\t\tC1\tC2", ("line 2", "mean_rating", "0 to 3")),
        ("\tC1\tC2", "\tC1", ("line 2", "11 columns", "snomed_id_1")),
        ("mimsy Zorbifex", " ", ("line 2", "an empty label 1")),
        ("13645005\t", "vorpal\t", ("line 2", "SNOMED id a text of 6 characters")),
    ],
)
def test_fault_in_ehr_rel_is_a_one_line_error(
    ehr_rel_raw: Path, expect_input_error: ExpectInputError, edit: Edit, old: str, new: str, parts: tuple[str, ...]
) -> None:
    edit(ehr_rel_raw / "EHR-RelB.tsv", old, new)
    expect_input_error(lambda: ehr_rel.convert(ehr_rel_raw), "EHR-RelB.tsv", *parts)


def test_truncated_ehr_rel_is_an_input_error(ehr_rel_raw: Path, expect_input_error: ExpectInputError) -> None:
    path = ehr_rel_raw / "EHR-RelB.tsv"
    path.write_bytes(path.read_bytes()[:-1])
    expect_input_error(lambda: ehr_rel.convert(ehr_rel_raw), "line 6", "cut off")
    path.write_bytes(b"")
    expect_input_error(lambda: ehr_rel.convert(ehr_rel_raw), "an empty file")


def test_questions_are_one_line_and_a_pair_without_one_is_left_out(rqe_raw: Path) -> None:
    (task,) = rqe.convert(rqe_raw)
    for split, rows in task.splits.items():
        assert [(row.example.id, row.example.label) for row in rows] == [
            (f"{split}.1", "true"),
            (f"{split}.2", "false"),
        ]
        assert len({row.example.document for row in rows}) == len({row.example.text for row in rows})
    example = task.splits["train"][0].example
    assert (example.text, example.text_pair) == ("Zorbifex & quuxitis. Why?", "Why Zorbifex?")
    assert task.card.notes == {"pairs_without_a_question_left_out": 1}


@pytest.mark.parametrize("place", ["", "rqe", "mediqa2019_task2"])
def test_rqe_is_read_from_either_folder_and_from_their_parent(rqe_raw: Path, place: str) -> None:
    assert rqe.convert(rqe_raw.parent / place)[0].splits == rqe.convert(rqe_raw)[0].splits


def test_rqe_in_one_folder(rqe_raw: Path) -> None:
    expected = rqe.convert(rqe_raw)[0].splits
    for path in (rqe_raw.parent / "mediqa2019_task2").iterdir():
        path.rename(rqe_raw / path.name)
    assert rqe.convert(rqe_raw)[0].splits == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        (TRAIN, 'value="true"', 'value="True"', ("pair '1'", "value 'True'", "false, true")),
        (TRAIN, 'value="true"', "", ("pair '1'", "no 'value' on a pair")),
        (TRAIN, 'pid="1"', "", ("pair 1", "no 'pid'")),
        (DEV, "<faq>Why  Zorbifex?</faq>", "", ("pair '1'", "no faq")),
        (DEV, "</RQE-med-test>", "", ("line", "XML that is not well-formed")),
        (DEV, "&amp;", "&", ("line 5", "XML that is not well-formed")),
        (TRAIN, 'pid="2"', 'pid="1"', ("'train.1' again",)),
    ],
)
def test_fault_in_rqe_is_a_one_line_error(
    rqe_raw: Path,
    tmp_path: Path,
    expect_input_error: ExpectInputError,
    edit: Edit,
    file: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    from taskaffinity.corpora.prepare import prepare

    edit(rqe_raw / file, old, new)
    expect_input_error(lambda: prepare("rqe", rqe_raw, tmp_path / "out"), *parts)


def test_rqe_without_its_test_file_is_an_input_error(rqe_raw: Path, expect_input_error: ExpectInputError) -> None:
    (rqe_raw.parent / "mediqa2019_task2/MEDIQA2019-Task2-RQE-TestSet-wLabels.xml").unlink()
    expect_input_error(lambda: rqe.convert(rqe_raw), "no MEDIQA2019-Task2-RQE-TestSet-wLabels.xml")
    (rqe_raw / TRAIN).write_text("<mimsy/>\n", encoding="utf-8")
    (rqe_raw / "MEDIQA2019-Task2-RQE-TestSet-wLabels.xml").write_text("<mimsy/>\n", encoding="utf-8")
    expect_input_error(lambda: rqe.convert(rqe_raw), TRAIN, "no pair")
