"""What a scenario of ``faults.py`` found, and the table of all."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

FAULTS = (
    *("trained_again", "byte_differences", "tracebacks", "wrong_numbers", "litter", "corpus_text"),
    *("failed_again", "unclear_refusals", "hung", "network"),
)
"""Columns of the table after ``scenario`` and ``tried``. The right value of each is 0.

trained_again: finished runs that were trained again. byte_differences: files that differ from the undisturbed
command's, or are missing. tracebacks: Python's, anywhere. wrong_numbers: damaged files that were read without a word
and gave other numbers. litter: files that the undisturbed command does not leave. corpus_text: words of the corpus in a
message or in a file that may hold none. failed_again: the same command did not succeed. unclear_refusals: a message of
several lines, over 1,000 characters or with control characters. hung: longer than the limit. network: ports that were
opened and other machines that were asked.
"""


@dataclass
class Tally:
    """The counts of one scenario."""

    scenario: str
    tried: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    cases: list[str] = field(default_factory=list)
    """What was found, in words."""

    def count(self, fault: str, n: int, case: str) -> None:
        """Add to a count; remember the case if there is a fault."""
        self.counts[fault] += int(n)
        if n:
            self.cases.append(f"{fault}: {case}")

    @property
    def is_right(self) -> bool:
        return not any(self.counts.values())


def write_table(path: Path, tallies: Iterable[Tally]) -> None:
    """Write one row per scenario; rows of scenarios that were not tried now stay."""
    rows = {}
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = {row[0]: row for row in list(csv.reader(file))[1:]}
    rows |= {t.scenario: [t.scenario, str(t.tried), *map(str, t.counts.values())] for t in tallies}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["scenario", "tried", *FAULTS])
        writer.writerows(rows.values())
