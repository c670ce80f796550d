"""MedNLI and ClinicalSTS, the restricted corpora of sentence pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from taskaffinity.corpora import clinicalsts, mednli
from taskaffinity.corpora.choices import Choices, lowest_hashes

ExpectInputError = Callable[..., str]
Edit = Callable[..., None]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('"gold_label": "entailment"', '"gold_label": "entailed"', ("line 1", "'entailed'", "contradiction, neutral")),
        ('"gold_label": "entailment"', '"gold_label": "-"', ("line 1", "gold_label")),
        ('"sentence2": "quuxitis"', '"sentence2": " "', ("line 1", "no text as 'sentence2'")),
        ('"sentence1"', '"premise"', ("line 1", "no text as 'sentence1'")),
        ('"pairID"', "pairID", ("line 1", "no JSON at column")),
        ("train-contradiction", "train-entailment", ("again",)),
    ],
)
def test_fault_in_mednli_is_a_one_line_error(
    mednli_raw: Path,
    tmp_path: Path,
    expect_input_error: ExpectInputError,
    edit: Edit,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    from taskaffinity.corpora.prepare import prepare

    edit(mednli_raw / "mli_train_v1.jsonl", old, new)
    expect_input_error(lambda: prepare("mednli", mednli_raw, tmp_path / "out"), *parts)


def test_truncated_mednli_is_an_input_error(mednli_raw: Path, expect_input_error: ExpectInputError) -> None:
    path = mednli_raw / "mli_dev_v1.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    expect_input_error(lambda: mednli.convert(mednli_raw), "mli_dev_v1.jsonl: line 3", "cut off")


def test_a_tenth_of_the_pairs_is_dev(clinicalsts_raw: Path) -> None:
    (task,) = clinicalsts.convert(clinicalsts_raw)
    names = [f"train.{n}" for n in range(1, 21)]
    dev = {row.example.id for row in task.splits["dev"]}
    assert dev == lowest_hashes(names, 2)
    assert [row.example.id for row in task.splits["train"]] == [name for name in names if name not in dev]
    assert task.splits["test"][0].example.label == 4.5
    assert task.splits["train"][0].example.text_pair == "mimsy quuxitis"  # blanks about a field are not part of it


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("clinicalSTS.train.txt", "\t0.0", "\tvorpal", ("line 1", "a text of 6 characters", "0 to 5")),
        ("clinicalSTS.train.txt", "\t0.0", "\t5.5", ("line 1", "'5.5'", "0 to 5")),
        ("clinicalSTS.train.txt", "\t0.0", "\tnan", ("line 1", "0 to 5")),
        ("clinicalSTS.train.txt", "\t0.0", "", ("line 1", "2 columns", "sentence1, sentence2, score")),
        ("clinicalSTS.train.txt", "Zorbifex 0 ", "  ", ("line 1", "an empty sentence 1")),
        ("clinicalSTS.test.gs.sim.txt", "4.5\n", "", ("1 score;", "2, one for each pair of")),
        ("clinicalSTS.test.txt", "\tsnarkol", "", ("line 1", "1 column;")),
    ],
)
def test_fault_in_clinicalsts_is_a_one_line_error(
    clinicalsts_raw: Path,
    expect_input_error: ExpectInputError,
    edit: Edit,
    file: str,
    old: str,
    new: str,
    parts: tuple[str, ...],
) -> None:
    edit(clinicalsts_raw / file, old, new)
    expect_input_error(lambda: clinicalsts.convert(clinicalsts_raw), file, *parts)


def test_rows_can_be_listed(clinicalsts_raw: Path, expect_input_error: ExpectInputError) -> None:
    (task,) = clinicalsts.convert(clinicalsts_raw, Choices(dev_ids=("train.4", "train.9")))
    assert [row.example.id for row in task.splits["dev"]] == ["train.4", "train.9"]
    expect_input_error(
        lambda: clinicalsts.convert(clinicalsts_raw, Choices(dev_ids=("train.99",))), "--dev-ids", "'train.99', not"
    )
    several = Choices(dev_ids=("train.99", "train.4", "train.77", "train.88"))
    expect_input_error(lambda: clinicalsts.convert(clinicalsts_raw, several), "--dev-ids", "'train.77' and 2 more, not")
    every = tuple(f"train.{n}" for n in range(1, 21))
    expect_input_error(lambda: clinicalsts.convert(clinicalsts_raw, Choices(dev_ids=every)), "--dev-ids", "all 20")
