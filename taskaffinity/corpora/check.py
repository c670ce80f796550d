"""Task folders beside the paper's Table 1: what each split holds, what the paper counts, and why they differ.

Everything is counted anew from the files; the card is only asked for what a split is and for the hashes. A difference
is *explained* only where it is exactly the one that was looked into; any other shows as unexplained.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from taskaffinity.tasks.blue import BLUE
from taskaffinity.tasks.formats import CARD, missing_files, read_card, read_split
from taskaffinity.tasks.lines import bad
from taskaffinity.tasks.rows import SplitCount, count
from taskaffinity.tasks.task import SPLITS, Split

BLUE_NEGATIVES: dict[tuple[str, Split], int] = {
    ("ddi2013-type", "train"): 15_842,
    ("ddi2013-type", "dev"): 6_240,
    ("ddi2013-type", "test"): 4_782,
    ("chemprot", "train"): 15_306,
    ("chemprot", "dev"): 9_404,
    ("chemprot", "test"): 13_485,
}
"""Rows of the negative class in BLUE's released files, as counted by sy-wada/blue_benchmark_with_transformers."""

_DDI_TYPED_POSITIVES = 4_020


@dataclass(frozen=True)
class Table1Row:
    """A task of the paper's Table 1."""

    counts: dict[Split, int]
    counted: str
    """What the counts are counts of."""


@dataclass(frozen=True)
class CheckRow:
    """One split of one task."""

    task: str
    split: Split
    rows: int
    count: int
    """In the unit ``counted``."""
    counted: str
    table1: int | None
    """The paper's count; None for a task that is not in Table 1."""
    reason: str
    """Why ``count`` differs from ``table1``; empty where it does not, or where nobody knows."""
    negatives: int | None
    """Rows of the negative class; None for a task without one."""
    blue_negatives: int | None
    """The same in BLUE's files, where known."""
    intact: bool
    """Whether the file still has the sha256 that its card gives."""

    @property
    def difference(self) -> int:
        """Ours less the paper's; 0 where the paper has none."""
        return 0 if self.table1 is None else self.count - self.table1

    @property
    def status(self) -> Literal["equal", "explained", "unexplained", "not in Table 1"]:
        if self.table1 is None:
            return "not in Table 1"
        if not self.difference:
            return "equal"
        return "explained" if self.reason else "unexplained"


def table1() -> dict[str, Table1Row]:
    """The paper's Table 1 by task id."""
    text = (files("taskaffinity.corpora") / "table1.csv").read_text(encoding="utf-8")
    return {
        row["task"]: Table1Row({split: int(row[split]) for split in SPLITS}, row["counted"])
        for row in csv.DictReader(text.splitlines())
    }


def check(data: Path) -> list[CheckRow]:
    """Every split of every task folder below ``data``: the paper's tasks first, in its order.

    Raises
    ------
    BadInput
        No task folder, a file that is missing, or a row that cannot be read: training would stop there too.
    """
    names = {card.parent.name for card in data.glob(f"*/{CARD}")}
    if not names:
        raise bad(data, f"no folder with a {CARD}", "a data folder, as `taskaffinity data prepare` makes it")
    ordered = [name for name in BLUE if name in names] + sorted(names - set(BLUE))
    return [row for name in ordered for row in check_task(data / name)]


def check_task(folder: Path) -> list[CheckRow]:
    """The splits of one task folder."""
    if missing := missing_files(folder):
        raise bad(folder, f"no {', no '.join(missing)}", "a whole task folder; prepare it again")
    card = read_card(folder)
    paths = {split: folder / f"{split}.jsonl" for split in SPLITS}
    counts = {s: count(read_split(path, card.kind, card.labels), card.kind, card.negative) for s, path in paths.items()}
    known = table1().get(folder.name)
    return [
        CheckRow(
            task=folder.name,
            split=split,
            rows=found.rows,
            count=found.counted,
            counted=known.counted if known else _unit(card.kind),
            table1=known.counts[split] if known else None,
            reason=_reason(folder.name, split, counts, known),
            negatives=found.labels.get(card.negative, 0) if card.negative else None,
            blue_negatives=BLUE_NEGATIVES.get((folder.name, split)),
            intact=card.sha256.get(paths[split].name) == hashlib.sha256(paths[split].read_bytes()).hexdigest(),
        )
        for split, found in counts.items()
    ]


def _unit(kind: str) -> str:
    return {"ner": "mentions", "relation": "positive relations"}.get(kind, "rows")


def _reason(task: str, split: Split, counts: dict[Split, SplitCount], known: Table1Row | None) -> str:
    if known is None or counts[split].counted == known.counts[split]:
        return ""
    difference = counts[split].counted - known.counts[split]
    if (task, split, difference) == ("chemprot", "train", 3):
        return "BLUE's sentence splitter lost three CPR:4 relations of the official 4,157"
    both = counts["train"].counted + counts["dev"].counted
    if task == "ddi2013-type" and split != "test" and both == _DDI_TYPED_POSITIVES:
        return (
            "there is no official dev part and ours is our own; train + dev hold all 4,020 typed positives, BLUE's "
            "3,941 lack 79 of effect: 77 in two sentences of one document (DDI-DrugBank.d64.s29, .s87), 2 unexplained"
        )
    return ""
