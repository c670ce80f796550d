"""Known counts of the corpora, and the reasons why counts of our splits differ.

The known counts of the paper's corpora are its Table 1. The paper does not use the other open corpora. Their counts
are stated by their authors, or come from a plain search of the original files (``open_counts.csv``).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from taskaffinity.corpora.blue_rows import REPAIRED_TAGS
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import SplitCount
from taskaffinity.tasks.task import SPLITS, Split

TABLE_1 = "Table 1"
"""Source of the known counts of the paper's tasks."""

_DDI_TYPED_POSITIVES = 4_020
DDI_LACKING = (
    "BLUE's 3,941 lack 79 of effect: 77 in two sentences of one document (DDI-DrugBank.d64.s29, .s87), 2 unexplained"
)
CHEMPROT_LOST = "BLUE's sentence splitter lost three CPR:4 relations of the official 4,157"
_OPEN_REASONS: dict[tuple[str, Split, int], str] = {
    ("lct-relation", "train", -4): "4 relations are given twice",
    ("lct-relation", "dev", -16): (
        "3 relations are given twice, and 13 join types that no relation of the training part joins, "
        "so they have no rows"
    ),
    ("lct-relation", "test", -23): (
        "4 relations are given twice, and 19 join types that no relation of the training part joins, "
        "so they have no rows"
    ),
    ("rqe", "train", -1): "one pair lacks a question",
}
"""By task, split and difference."""

_COUNTS_IN_BLUE_FILES: dict[tuple[str, Split], int] = {("i2b2-2010-re", "dev"): 10, ("shareclefe", "dev"): 1_065}
"""Counts in BLUE's released files that differ from Table 1."""

_I2B2_POSITIVES = 3_120
_SHARE_MENTIONS = 5_693


@dataclass(frozen=True)
class KnownCounts:
    """The known counts of a task's splits."""

    counts: dict[Split, int]
    counted: str
    """Unit of the counts."""
    source: str
    """Source of the counts."""


@cache
def table1() -> dict[str, KnownCounts]:
    """Return the counts of the paper's Table 1, by task id."""
    return {
        row["task"]: KnownCounts({split: int(row[split]) for split in SPLITS}, row["counted"], TABLE_1)
        for row in _table("table1.csv")
    }


@cache
def open_counts() -> dict[str, KnownCounts]:
    """Return the counts of the other open tasks, by task id."""
    return {
        row["task"]: KnownCounts({split: int(row[split]) for split in SPLITS}, row["counted"], row["source"])
        for row in _table("open_counts.csv")
    }


@cache
def blue_classes() -> dict[tuple[str, str], dict[str, int]]:
    """Return the rows by class in BLUE's released files, by task and split.

    sy-wada/blue_benchmark_with_transformers counted them. Their sums equal Table 1, except for one relation of the dev
    split of i2b2.
    """
    classes: dict[tuple[str, str], dict[str, int]] = {}
    for row in _table("blue_classes.csv"):
        classes.setdefault((row["task"], row["split"]), {})[row["label"]] = int(row["count"])
    return classes


def _table(name: str) -> list[dict[str, str]]:
    text = (files("taskaffinity.corpora") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def why_different(
    task: str, split: Split, counts: dict[Split, SplitCount], known: KnownCounts | None, card: TaskCard
) -> str:
    """Return why a split's count differs from the known one.

    The reason is empty if they are equal, or if it is unknown.
    """
    if known is None or counts[split].counted == known.counts[split]:
        return ""
    if reason := _reason_in_blue_files(task, split, counts[split].counted, known.counts[split], card):
        return reason
    difference = counts[split].counted - known.counts[split]
    if (task, split, difference) == ("chemprot", "train", 3):
        return CHEMPROT_LOST
    if reason := _OPEN_REASONS.get((task, split, difference), ""):
        return reason
    both = counts["train"].counted + counts["dev"].counted
    if task == "ddi2013-type" and split != "test" and both == _DDI_TYPED_POSITIVES:
        cut = "there is no official dev part, and ours differs from BLUE's; train + dev hold all 4,020 typed positives"
        return f"{cut}, {DDI_LACKING}"
    if task == "i2b2-2010-re" and split != "test" and both == _I2B2_POSITIVES:
        return (
            "BLUE's dev part is one record, because of an error in reading its list; ours is more records, and "
            "train + dev hold all 3,120 relations of BLUE's files (the paper's dev of 11 is 10 there)"
        )
    if task == "shareclefe" and split != "test" and both == _SHARE_MENTIONS:
        return (
            "BLUE's list of dev notes is not published, and our dev part differs; train + dev hold all 5,693 mentions "
            "of BLUE's files (the paper's dev of 1,075 is 1,065 there)"
        )
    return ""


def _reason_in_blue_files(task: str, split: Split, counted: int, table1: int, card: TaskCard) -> str:
    """Return why counts differ if the rows come from BLUE's files."""
    noted = card.notes.get(f"{REPAIRED_TAGS}_{split}")
    repaired = noted if isinstance(noted, int) else 0
    in_files = _COUNTS_IN_BLUE_FILES.get((task, split), table1)
    if counted - repaired != in_files:
        return ""
    reasons = []
    if repaired:
        reasons.append(f"{repaired:,} tags I that follow no mention became B, as the paper's scorer reads them")
    if in_files != table1:
        reasons.append(f"the paper's {table1:,} is {in_files:,} in BLUE's files")
    return "; ".join(reasons)
