"""What a study cost, by which versions, and what is missing: read from each run's ``result.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

COST_COLUMNS = ("arm", "planned", "done", "failed", "seconds", "steps", "pieces")


@dataclass(frozen=True)
class Accounts:
    """Of all runs of a study."""

    cost: pd.DataFrame
    """One row an arm: ``COST_COLUMNS``; seconds, steps and word pieces are sums over the runs that are done."""
    planned: int
    """Of a race at most."""
    done: int
    seconds: float
    """Of all runs, as if one after another; 0 where runs did not say."""
    peak_memory_mib: float
    """Of the run that took most."""
    versions: Mapping[str, Sequence[str]]
    """Of every library the versions that were met, the study's own first."""
    missing: tuple[str, ...]
    """Runs that are neither done nor failed; empty in a race, which may never need them."""
    is_race: bool

    @property
    def describe(self) -> str:
        """``42 of 42 runs are done. They took 6.6 minutes, if one after another, ...``"""
        words = f"{self.done} of {'at most ' * self.is_race}{self.planned} runs are done."
        if not self.seconds:
            return words
        spent = f"{self.seconds / 3600:.1f} hours" if self.seconds >= 3600 else f"{self.seconds / 60:.1f} minutes"
        memory = f", and at most {self.peak_memory_mib:,.0f} MiB of memory" if self.peak_memory_mib else ""
        return f"{words} They took {spent}, if one after another{memory}."


def cost_of(study: Study, store: RunStore) -> Accounts:
    """Read what every run says of itself.

    Raises
    ------
    ValueError
        If a file of the store is broken.
    """
    arms: dict[str, dict[str, float]] = {}
    versions = {name: [version] for name, version in study.versions.items()}
    missing, memory = [], 0.0
    for spec in study.plan:
        row = arms.setdefault(_words(spec), dict.fromkeys(COST_COLUMNS[1:], 0.0))
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
    return Accounts(
        cost=cost,
        planned=int(cost.planned.sum()),
        done=int(cost.done.sum()),
        seconds=float(cost.seconds.sum()),
        peak_memory_mib=memory,
        versions=versions,
        missing=tuple(missing),
        is_race=bool(study.interim_seeds),
    )


def _words(spec: RunSpec) -> str:
    return {
        "single": "task alone",
        "pair": "pair",
        "full": "whole set",
        "finetune": "fine-tuned after it",
        "matched": "alone, as many updates as a pair",
        "placebo": "placebo",
        "half": "half of the task's data",
        "halves": "both halves of the task's data",
    }[spec.arm]
