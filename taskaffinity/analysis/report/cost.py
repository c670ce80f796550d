"""Cost, software versions and missing runs of a study, from the ``result.json`` of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

_UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
COST_COLUMNS = ("arm", "planned", "done", "failed", "seconds", "steps", "pieces")


@dataclass(frozen=True)
class Cost:
    """Cost of all runs of a study."""

    cost: pd.DataFrame
    """One row per arm: ``COST_COLUMNS``; seconds, steps and tokens (``pieces``) are sums over finished runs."""
    planned: int
    """Number of runs; in a sequential design the most that it may need."""
    done: int
    seconds: float
    """Sum over runs; 0 if runs do not record it."""
    peak_memory_mib: float
    """Largest of all runs."""
    versions: Mapping[str, Sequence[str]]
    """Versions of each library, the study's first."""
    missing: tuple[str, ...]
    """Runs that are neither done nor failed; empty in a sequential design, which may not need them."""
    is_sequential: bool

    @property
    def unfinished(self) -> str:
        """A sentence on a study with missing runs; empty if none is missing."""
        if not self.missing:
            return ""
        return (
            f"This study is not finished: {self.done} of {self.planned} runs are done. Gains and verdicts may change, "
            "and an arrow without its runs counts as inconclusive."
        )

    @property
    def describe(self) -> str:
        """One line, as ``42 of 42 runs are done. Their times add up to 6.6 minutes ...``"""
        words = f"{self.done} of {'at most ' * self.is_sequential}{self.planned} runs are done."
        if not self.seconds:
            return words
        unit, length = next((one for one in _UNITS if self.seconds >= one[1]), _UNITS[-1])
        spent = f"{self.seconds / length:.1f} {unit}"
        memory = f"; memory at most {self.peak_memory_mib:,.0f} MiB" if self.peak_memory_mib else ""
        return f"{words} Their times add up to {spent}{memory}."


def cost_of(study: Study, store: RunStore) -> Cost:
    """Read the cost of every run.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    arms: dict[str, dict[str, float]] = {}
    versions = {name: [version] for name, version in study.versions.items()}
    missing, memory = [], 0.0
    plan = [spec for spec in study.plan if spec in store] if study.is_external else study.plan  # all that is given
    for spec in plan:
        row = arms.setdefault(_arm_title(spec), dict.fromkeys(COST_COLUMNS[1:], 0.0))
        row["planned"] += 1
        run = store.get(spec)
        if run is None:
            row["failed"] += store.failure(spec) is not None
            if store.failure(spec) is None and not study.interim_seeds:
                missing.append(spec.run_id)
            continue
        row["done"] += 1
        row["seconds"] += run.work.get("total_seconds", 0.0)
        row["steps"] += run.work.get("steps", 0)
        row["pieces"] += run.work.get("pieces", 0)
        memory = max(memory, run.work.get("peak_memory_mib", 0.0))
        for name, version in run.versions.items():
            if version not in versions.setdefault(name, []):
                versions[name].append(version)
    cost = pd.DataFrame([(arm, *row.values()) for arm, row in arms.items()], columns=list(COST_COLUMNS))
    counts = [name for name in COST_COLUMNS[1:] if name != "seconds"]
    cost = cost.astype(dict.fromkeys(counts, "int64"))
    return Cost(
        cost=cost,
        planned=int(cost.planned.sum()),
        done=int(cost.done.sum()),
        seconds=float(cost.seconds.sum()),
        peak_memory_mib=memory,
        versions=versions,
        missing=tuple(missing),
        is_sequential=bool(study.interim_seeds),
    )


def _arm_title(spec: RunSpec) -> str:
    return {
        "single": "single-task",
        "pair": "pair",
        "full": "whole set, or a group of three or more",
        "finetune": "fine-tuned after the whole set",
        "matched": "single-task, compute-matched",
        "placebo": "placebo",
        "half": "half of the task's data",
        "halves": "both halves of the task's data",
    }[spec.arm]
