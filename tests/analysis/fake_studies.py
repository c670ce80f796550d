"""Tiny studies with runs that never trained: a results folder is all that the analysis reads.

Not in ``conftest.py``, for tests import it by name, and every folder may have a ``conftest``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from taskaffinity.analysis.estimates.design_file import write_design
from taskaffinity.analysis.estimates.probes import Estimate
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.recipe import REFINE
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.tasks.metrics import METRICS

Counts = npt.NDArray[np.float64]
CountsOf = Callable[[str, str, int], Counts]
"""(target, its partners as ``partners_of`` writes them, seed) -> (n_examples, n_counts)"""


def make_study(
    names: Sequence[str],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    metrics: Mapping[str, str] | None = None,
    **options: object,
) -> Study:
    titles = options.pop("titles", {})
    cards = tuple(
        StudiedTask(
            name, titles.get(name, name.title()), "relation", (metrics or {}).get(name, "accuracy"), f"f-{name}", {}
        )
        for name in names
    )
    return Study("toy", cards, EncoderRef("tiny", "e0"), REFINE, tuple(seeds), **options)


def fill(
    study: Study,
    root: Path,
    counts_of: CountsOf,
    *,
    skip: Callable[[RunSpec], bool] = lambda spec: False,
    further: Mapping[str, CountsOf] | None = None,
    epochs: int = 0,
) -> RunStore:
    """A store with every run of the study's plan that is not skipped; with counts by ``further`` metrics.

    With ``epochs`` a run's dev scores climb to its test score in so many.
    """
    store = RunStore(root)
    metrics = {card.name: card.metric for card in study.tasks}
    for spec in study.plan:
        if skip(spec):
            continue
        counts, outcomes = {}, {}
        for target in spec.task_names:
            counts[f"{target}/test"] = counts_of(target, partners_of(spec, target), spec.seed)
            score = float(METRICS[metrics[target]].score(counts[f"{target}/test"].sum(axis=0)))
            for metric, of_it in (further or {}).items():
                counts[f"{target}/test/{metric}"] = of_it(target, partners_of(spec, target), spec.seed)
            outcomes[target] = Outcome(metrics[target], max(1, epochs), score, score)
        rows = [
            {"epoch": 1 + e, "dev": {name: found.test * (1 + e) / epochs for name, found in outcomes.items()}}
            for e in range(epochs)
        ]
        store.write(RunResult(spec, outcomes, counts, rows))
    return store


def partners_of(spec: RunSpec, target: str) -> str:
    """What a target trains beside: its partners joined by +; ``~finetune`` after the whole set, ``~finetune:b`` after
    its pair with b, ``~finetune:`` after itself; of a variant ``~placebo``, ..., ``~continued:b``.

    No variant's word is a task's name, so none has a partner's effect.
    """
    first = spec.parent if spec.parent is not None and spec.stage == "finetune" else spec
    others = "+".join(name for name in first.task_names if name != target)
    if spec.stage == "finetune":
        return "~finetune" if first.arm == "full" else f"~finetune:{others}"
    if spec.variant == "continued":
        return f"~continued:{others}"
    if spec.variant == "plain":
        return others
    return f"~{spec.variant}" + (f":{spec.partner[0]}" if spec.partner else "")


def seeded(*words: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def right(scores: npt.ArrayLike) -> Counts:
    """Accuracy counts: right or not, 1."""
    column = np.asarray(scores, dtype=np.float64)
    return np.stack([column, np.ones_like(column)], axis=1)


def latent_counts(
    gains: Mapping[tuple[str, str], float], *, n: int = 1000, seed_noise: float = 0.05, item_noise: float = 0.5
) -> CountsOf:
    """Accuracy of a latent score: item ease + the partner's effect + a run's luck + noise, right above zero.

    ``gains[source, target]`` is on the latent scale: 0.3 is about eight points.
    """

    def counts_of(target: str, partners: str, seed: int) -> Counts:
        ease = seeded("items", target).normal(0.8, 1.0, n)
        rng = seeded("run", target, partners, seed)
        effect = sum(gains.get((source, target), 0.0) for source in partners.split("+"))
        return right(ease + effect + rng.normal(0, seed_noise) + rng.normal(0, item_noise, n) > 0)

    return counts_of


def write_estimates(
    root: Path, rows: Mapping[tuple[str, str], Mapping[str, object]], study: Study | None = None
) -> None:
    """Write ``estimates.csv``: arrow -> the values that differ from a probe of five points whose source was learned.

    Interval and sign follow from the probe, unless they are given. With ``study``, ``estimate.json`` names it, and its
    other arrows have no estimate.
    """
    if study is not None:
        write_design(root, ProbeDesign(steps=30, repeats=2, share=0.2), study)
    table = []
    for (source, target), given in rows.items():
        usual = {"probe": 5.0, "se": 1.0, "source_learned": True, **given}
        numbers = [value if isinstance(value, float) else 5.0 for value in (usual["probe"], usual["se"])]
        found = Estimate(source, target, *numbers, source_learned=bool(usual["source_learned"]))
        low, high = found.interval
        follows = {"low": low, "high": high, "sign": found.sign}
        table.append({"source": source, "target": target, **follows, **usual, "reason": ""})
    for source, target in arrows(task.name for task in study.tasks) if study else ():
        if (source, target) not in rows:
            table.append({"source": source, "target": target, "reason": "a probe is missing or failed"})
    pd.DataFrame(table).to_csv(root / "estimates.csv", index=False)


def arrows(names: Iterable[str]) -> list[tuple[str, str]]:
    names = list(names)
    return [(s, t) for s in names for t in names if s != t]


def with_history(run: RunResult, rows: list[dict[str, Any]]) -> RunResult:
    """The run with these epochs, and with the dev scores that they have."""
    outcomes = {
        name: replace(outcome, dev=rows[outcome.epoch - 1]["dev"].get(name, outcome.dev))
        for name, outcome in run.outcomes.items()
    }
    return replace(run, history=rows, outcomes=outcomes)
