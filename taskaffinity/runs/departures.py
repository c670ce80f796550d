"""The departures of both protocols from the paper's released code.

Files, pages and messages follow from one table.

``departures.csv`` is this table. The released code is ``mt-bluebert`` for multi-task runs, BLUE's scripts for data, and
``bluebert`` (TensorFlow) for the single-task rows of the paper. Sizes are in points of test score (100 x the metric).
"Below 0.2 points" means that the departure affects fewer than 0.2% of the examples that it can affect, on the
named corpora.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from taskaffinity.runs.settings import value_of
from taskaffinity.runs.study import Study


@dataclass(frozen=True)
class Departure:
    """One difference from the released code."""

    protocols: tuple[str, ...]
    """Protocols with this departure."""
    baselines: tuple[str, ...]
    """Values of ``Study.baseline`` with this departure."""
    ours: str
    theirs: str
    concerns: str
    """The tasks, the source of the data, or the arm that it changes."""
    size: str
    """Effect of the departure: points, a count, or ``not measured``."""
    removed_by: Mapping[str, Any]
    """Setting of the recipe -> value that follows the released code; empty if there is none."""

    def __str__(self) -> str:
        theirs = f"the released code {self.theirs}{self.setting}"
        return f"{self.ours}; {theirs}. Concerns: {self.concerns}. Size: {self.size}."

    @property
    def setting(self) -> str:
        """How to follow the released code, in brackets; empty if no setting does."""
        return "".join(f" (so does --set {name}={str(value).lower()})" for name, value in self.removed_by.items())

    def holds_for(self, study: Study) -> bool:
        """Return whether a study has this departure."""
        follows = any(getattr(study.recipe, name) == value for name, value in self.removed_by.items())
        return study.protocol in self.protocols and study.baseline in self.baselines and not follows


def _read() -> tuple[Departure, ...]:
    text = (files("taskaffinity.runs") / "departures.csv").read_text(encoding="utf-8")
    found = []
    for row in csv.DictReader(text.splitlines()):
        settings = (setting.split("=") for setting in row.pop("removed_by").split())
        protocols, baselines = (tuple(row.pop(name).split()) for name in ("protocols", "baselines"))
        found.append(
            Departure(protocols, baselines, **row, removed_by={name: value_of(name, v) for name, v in settings})
        )
    return tuple(found)


DEPARTURES = _read()
