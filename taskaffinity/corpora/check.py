"""Compare the rows of task folders with known counts, and explain the differences.

Everything is counted from the files. The card only names the negative class and the hashes. A difference counts as
*explained* only if it is exactly the one that was investigated; any other difference is *unexplained*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskaffinity.corpora.known_counts import (
    CHEMPROT_LOST,
    DDI_LACKING,
    blue_classes,
    open_counts,
    table1,
    why_different,
)
from taskaffinity.errors import input_error
from taskaffinity.tasks.blue import BLUE
from taskaffinity.tasks.formats import CARD, missing_files, read_card, read_split, task_folders
from taskaffinity.tasks.kinds import TRAITS
from taskaffinity.tasks.lines import read_bytes
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.task import SPLITS, Split

_OUR_DEV_SPLIT = ("ddi2013-type", "i2b2-2010-re")
"""Tasks whose dev part differs from BLUE's, so that only train and dev together can be compared."""

_CHEMPROT_JOINED = (
    "BLUE joins two sentences unless . ? or ! ends the first and an upper-case letter starts the second, so that an "
    "abstract of numbered items is one sentence; ours, joined so, give {joined:,} rows; BLUE's {rest} are no more than "
    "its unpinned sentence model moves: its own script gives 442 fewer in train than its files hold"
)
_CLASS_REASONS: dict[tuple[str, str, str, int], str] = {
    ("chemprot", "train", "CPR:4", 3): CHEMPROT_LOST,
    ("chemprot", "train", "false", -1257): _CHEMPROT_JOINED.format(joined=14_902, rest="404 more"),
    ("chemprot", "dev", "false", -336): _CHEMPROT_JOINED.format(joined=9_505, rest="101 fewer"),
    ("chemprot", "test", "false", -1089): _CHEMPROT_JOINED.format(joined=13_271, rest="214 more"),
    ("ddi2013-type", "train + dev", "DDI-effect", 79): DDI_LACKING,
    ("ddi2013-type", "train + dev", "DDI-false", 1689): (
        "BLUE's lack 1,684 in two sentences of one document (DDI-DrugBank.d64.s29, .s87), and 5 unexplained"
    ),
    ("ddi2013-type", "test", "DDI-false", -45): (
        "BLUE's hold 45 rows of a document, DrugDDI.d21928724, that is not in the official test part"
    ),
}
"""By task, part, class and difference."""

_NEGATIVES_TOLERANCE = 0.01
"""Relative difference in negative rows that another sentence splitter may cause."""


@dataclass(frozen=True)
class CheckRow:
    """One split of one task."""

    task: str
    split: Split
    rows: int
    count: int
    """In the unit ``counted``."""
    counted: str
    known: int | None
    """The expected count; None if it is unknown."""
    known_by: str
    """Source of the expected count, such as ``TABLE_1``; empty if there is none."""
    reason: str
    """Why ``count`` differs from ``known``; empty if they are equal or the reason is unknown."""
    negative: str | None
    """The class that is not counted, if there is one."""
    labels: Mapping[str, int]
    """Rows by class, mentions by type."""
    blue_labels: Mapping[str, int]
    """Rows by class in BLUE's files, where known."""
    intact: bool
    """Whether the file has the sha256 in its card."""

    @property
    def negatives(self) -> int | None:
        """Rows of the negative class; None for a task without one."""
        return self.labels.get(self.negative, 0) if self.negative else None

    @property
    def blue_negatives(self) -> int | None:
        """Rows of the negative class in BLUE's files; None if unknown."""
        return self.blue_labels.get(self.negative) if self.negative else None

    @property
    def difference(self) -> int:
        """``count - known``; 0 if the expected count is unknown."""
        return 0 if self.known is None else self.count - self.known

    @property
    def status(self) -> Literal["equal", "explained", "unexplained", "not compared"]:
        if self.known is None:
            return "not compared"
        if not self.difference:
            return "equal"
        return "explained" if self.reason else "unexplained"


@dataclass(frozen=True)
class ClassDifference:
    """A class whose number of rows differs from BLUE's."""

    task: str
    part: str
    """A split, or ``train + dev`` if our dev part differs from BLUE's."""
    label: str
    count: int
    blue: int
    reason: str
    """Empty if unknown."""


def class_differences(rows: Sequence[CheckRow]) -> list[ClassDifference]:
    """Return the classes whose counts differ from BLUE's, for tasks with known counts.

    Unexplained differences of at most 1% in a negative class are left out.
    """
    parts: dict[tuple[str, str], list[CheckRow]] = {}
    for row in rows:
        part: str = "train + dev" if row.task in _OUR_DEV_SPLIT and row.split != "test" else row.split
        parts.setdefault((row.task, part), []).append(row)
    found = []
    for (task, part), group in parts.items():
        for label in group[0].blue_labels:
            ours, blue = sum(row.labels.get(label, 0) for row in group), sum(row.blue_labels[label] for row in group)
            reason = _CLASS_REASONS.get((task, part, label, ours - blue), "")
            is_near = label == group[0].negative and abs(ours - blue) <= _NEGATIVES_TOLERANCE * blue
            if ours != blue and (reason or not is_near):
                found.append(ClassDifference(task, part, label, ours, blue, reason))
    return found


def check(data: Path) -> list[CheckRow]:
    """Check every split of the task folders in ``data``.

    The paper's tasks come first, then the open ones.

    Raises
    ------
    InputError
        If there is no task folder, a file is missing, or a row cannot be read.
    """
    names = {folder.name for folder in task_folders(data)}
    if not names:
        raise input_error(data, f"no folder with a {CARD}", "a data folder, as `taskaffinity data prepare` makes it")
    known = (*BLUE, *OPEN_CLINICAL)
    ordered = [name for name in known if name in names] + sorted(names - set(known))
    return [row for name in ordered for row in check_task(data / name)]


def check_task(folder: Path) -> list[CheckRow]:
    """Check the splits of one task folder; raise ``InputError`` if a file is missing."""
    if missing := missing_files(folder):
        raise input_error(folder, f"no {', no '.join(missing)}", "a complete task folder; prepare it again")
    card = read_card(folder)
    paths: dict[str, Path] = {split: folder / f"{split}.jsonl" for split in SPLITS}
    counts = {s: count(read_split(path, card.kind, card.labels), card.kind, card.negative) for s, path in paths.items()}
    known, blue = (table1() | open_counts()).get(folder.name), blue_classes()
    return [
        CheckRow(
            task=folder.name,
            split=split,
            rows=found.rows,
            count=found.counted,
            counted=known.counted if known else TRAITS[card.kind].counted,
            known=known.counts[split] if known else None,
            known_by=known.source if known else "",
            reason=why_different(folder.name, split, counts, known, card),
            negative=card.negative,
            labels=found.labels,
            blue_labels=blue.get((folder.name, split), {}),
            intact=card.sha256.get(paths[split].name) == hashlib.sha256(read_bytes(paths[split])).hexdigest(),
        )
        for split, found in counts.items()
    ]
