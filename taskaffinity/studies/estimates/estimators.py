"""Cheap estimators of gains, beside the probes: each is one function, and one row of ``ESTIMATORS``.

An estimator gives every arrow a score; a higher one means a larger gain. It sees the data, the encoder and the
single-task models of a study, and no pair. It trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from taskaffinity.analysis.estimates.design_file import SCORES
from taskaffinity.analysis.estimates.log_evidence import label_evidence
from taskaffinity.analysis.estimates.validation import log_size_ratios, scores_of_estimators
from taskaffinity.analysis.outdated import made_anew
from taskaffinity.analysis.tables.frames import write_csv
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.probes import singles_to_probe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies.planned import PlannedStudy
from taskaffinity.tasks.task import SCORE_KINDS
from taskaffinity.training.frozen import FrozenModels

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """What an estimator may look at."""

    study: Study
    store: RunStore
    models: FrozenModels

    @cached_property
    def singles(self) -> dict[str, RunSpec]:
        """The single-task run with the first seed of every task that has its model stored."""
        found = singles_to_probe(self.study, 1)
        return {name: spec for (name, _), spec in found.items() if self.store.has_model(spec, name)}

    def scores(self, score_of: Callable[[str, str], float]) -> FloatArray:
        """Return the score of every arrow, [source, target]; NaN if a model of its tasks is missing."""
        names = [task.name for task in self.study.tasks]
        found = np.full((len(names), len(names)), np.nan)
        for s, t in permutations(range(len(names)), 2):
            if {names[s], names[t]} <= self.singles.keys():
                found[s, t] = score_of(names[s], names[t])
        return found


Estimator = Callable[[Material], FloatArray]


def log_size_ratio(material: Material) -> FloatArray:
    """Logarithm of the source's training examples over the target's: large sources help small targets."""
    return log_size_ratios(material.study)


def vocabulary_coverage(material: Material) -> FloatArray:
    """Share of the target's dev tokens that its own training lacks and the source's training has."""
    tokens = {
        name: tuple(material.models.tokens(spec.tasks[0], spec, split) for split in ("train", "dev"))
        for name, spec in material.singles.items()
    }

    def added(source: str, target: str) -> float:
        own, dev = tokens[target]
        new = dev[~np.isin(dev, own)]
        return float(np.isin(new, tokens[source][0]).sum()) / max(1, len(dev))

    return material.scores(added)


def ridge_probe(material: Material) -> FloatArray:
    """Evidence of the target's labels in features of the source's model (LogME), less that in the encoder's own."""
    kinds = {task.name: task.kind for task in material.study.tasks}

    def evidence(source: str | None, target: str) -> float:
        spec = material.singles[target]
        start = material.store.weights(material.singles[source], source) if source else None
        return label_evidence(*material.models.states(spec, start), is_score=kinds[target] in SCORE_KINDS)

    before = {name: evidence(None, name) for name in material.singles}
    return material.scores(lambda source, target: evidence(source, target) - before[target])


def gradient_cosine(material: Material) -> FloatArray:
    """Cosine of the source's gradient and the target's dev gradient, at the target's single-task weights."""

    def cosine(source: str, target: str) -> float:
        of_target, of_source = material.singles[target], material.singles[source]
        tasks = tuple(sorted((*of_target.tasks, *of_source.tasks)))
        spec = RunSpec(tasks, of_target.encoder, of_target.seed, material.study.recipe)
        start = material.store.weights(of_target, target)
        heads = {name: material.store.head(material.singles[name], name) for name in (target, source)}
        assert start is not None  # ``singles`` have their model
        return material.models.gradient_cosine(spec, target, start, {n: path for n, path in heads.items() if path})

    return material.scores(cosine)


ESTIMATORS: Mapping[str, Estimator] = {
    "log size ratio": log_size_ratio,
    "vocabulary coverage": vocabulary_coverage,
    "ridge probe (LogME)": ridge_probe,
    "gradient cosine": gradient_cosine,
}
"""Every estimator that trains nothing, by name."""


def write_scores(planned: PlannedStudy, notice: Callable[[str], object]) -> pd.DataFrame:
    """Score every arrow by every estimator, and write ``estimators.csv``: one row per estimator and arrow.

    The single-task models are stored, as ``train_estimates`` leaves them. ``notice`` gets a line before each estimator,
    because the last two take minutes on a CPU.
    """
    study = planned.study
    material = Material(study, RunStore(planned.root), FrozenModels(planned.encoder.folder, cache_folder()))
    scores = {}
    for name, estimator in ESTIMATORS.items():
        notice(f"every arrow is scored by {name}, which trains nothing")
        scores[name] = estimator(material)
    frame = scores_of_estimators(scores, [task.name for task in study.tasks])
    write_csv(frame, planned.root / SCORES)
    made_anew(planned.root, [SCORES])
    return frame
