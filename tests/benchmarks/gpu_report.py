"""The figures of ``gpu.py``: a row a measurement, written to ``gpu.json`` and ``gpu.csv`` as soon as it is there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FIELDS = (
    "stage",
    "variant",
    "task",
    "k",  # processes at the same time
    "ms",  # of one step, product or copy
    "examples_per_s",  # of all processes together
    "tokens_per_s",  # without padding
    "share",  # of the measured peak of matrix products in this precision
    "cpu_ms",  # CPU time of the process in a step
    "launches",  # kernels that the CPU starts in a step
    "memory_mib",  # largest amount that torch has reserved on the GPU for this variant; on a CPU, of the process
    "value",  # a figure that is none of these, in ``unit``
    "unit",
    "threshold",  # what ``value`` must not exceed, or must reach
    "passed",
)
"""Columns of ``gpu.csv``, after the GPU and the version of torch."""


def row(stage: str, variant: str, **figures: Any) -> Row:
    """A row of the table.

    Raises
    ------
    ValueError
        If a figure has the name of no column.
    """
    if unknown := figures.keys() - set(FIELDS):
        raise ValueError(f"no column is named {', '.join(sorted(unknown))}")
    found = {"stage": stage, "variant": variant, **figures}
    return {name: _rounded(found.get(name)) for name in FIELDS}


def check(stage: str, variant: str, value: float, threshold: float, **figures: Any) -> Row:
    """A row of an error that must not exceed its threshold; what is not a number exceeds it."""
    return row(stage, variant, value=value, threshold=threshold, passed=value <= threshold, **figures)


def goal(stage: str, variant: str, value: float, threshold: float, **figures: Any) -> Row:
    """A row of a figure that must reach its threshold; what is not a number does not."""
    return row(stage, variant, value=value, threshold=threshold, passed=value >= threshold, **figures)


@dataclass
class Report:
    """What is measured so far, in the folder ``out``."""

    out: Path
    machine: dict[str, Any] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    """By stage: its name, how it ended, and its seconds."""
    rows: list[Row] = field(default_factory=list)

    def write(self) -> None:
        """Write both files, each whole or not at all."""
        self.out.mkdir(parents=True, exist_ok=True)
        content = {"machine": self.machine, "stages": self.stages, "rows": self.rows}
        _replace(self.out / "gpu.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
        about = {"gpu": self.machine.get("gpu", ""), "torch": self.machine.get("torch", "")}
        with (self.out / "gpu.csv.part").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, [*about, *FIELDS], lineterminator="\n")
            table.writeheader()
            table.writerows({**about, **line} for line in self.rows)
        os.replace(self.out / "gpu.csv.part", self.out / "gpu.csv")

    @property
    def failed(self) -> list[str]:
        """The stages that did not end as they should, and the checks that did not pass."""
        stages = [f"{one['stage']}: {one['outcome']}" for one in self.stages if one["outcome"] != "done"]
        return stages + [_described(line) for line in self.rows if line["passed"] is False]


def best(rows: Iterable[Row], stage: str, unit: str, word: str) -> float | None:
    """The largest value of a stage in this unit, of variants that have this word in their name; None without one."""
    found = [one["value"] for one in rows if (one["stage"], one["unit"]) == (stage, unit) and word in one["variant"]]
    return max((value for value in found if value is not None), default=None)


def _described(line: Row) -> str:
    is_low = line["value"] is not None and line["unit"] and line["value"] < line["threshold"]
    limit = f"expected at {'least' if is_low else 'most'} {line['threshold']}"
    value = f": {line['value']} {line['unit']}; {limit}" if line["unit"] else ": no"
    return " ".join(str(part) for part in (line["stage"], line["variant"], line["task"]) if part) + value


def _rounded(value: Any) -> Any:
    """Five digits of a number; None for what is not finite, which JSON does not know."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.5g}") if abs(value) < float("inf") else None


def _replace(path: Path, content: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)
