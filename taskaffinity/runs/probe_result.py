"""The result of a probe (``runs.spec.Probe``), and its folder in the store.

The result has the dev counts of the target, twice. The folder has the files of a run's folder, except history and
models. A probe never reads test.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import STRICT, shown
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.counts import COUNTS, archive, check_counts, check_documents, read_arrays
from taskaffinity.runs.stored.json_files import Amount, FiniteScore, Words
from taskaffinity.runs.stored.run_result import (
    RESULT,
    DamagedRun,
    check_metric,
    check_spec,
    read_result_as,
    write_result,
)
from taskaffinity.tasks.count_checks import compact

_LAST, _AVERAGED, _DOCUMENTS = "last", "averaged", "documents"


@dataclass(frozen=True)
class ProbeScores:
    """The scores of a probe, without its counts."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str
    metric: str
    """The target's metric."""
    last: FiniteScore
    """Dev score of the target with the last weights."""
    averaged: FiniteScore
    """Dev score with the mean of the weights over the second half of the last round."""
    rounds: Annotated[int, Field(ge=1)]
    """Rounds that were trained."""
    source: FiniteScore | None = None
    """Dev score of the source at the end; None for a probe without a source."""
    work: dict[str, Amount] = field(default_factory=dict)
    """As ``RunResult.work``."""
    versions: dict[str, Words] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    """Checksum of each other file."""

    @property
    def readout(self) -> float:
        """Mean of the two dev scores."""
        return (self.last + self.averaged) / 2


@dataclass(frozen=True)
class ProbeResult:
    """One finished probe."""

    spec: RunSpec
    scores: ProbeScores
    last: npt.NDArray[np.float64]
    """(n_examples, n_counts): dev counts of the target with the last weights."""
    averaged: npt.NDArray[np.float64]
    """The same with averaged weights."""
    documents: npt.NDArray[np.int64] | None = None
    """(n_examples,): number of each example's document; None if every example is a document."""

    @property
    def source_is_learned(self) -> bool:
        """Whether the source reached its goal; true for a probe without a source."""
        assert self.spec.probe is not None  # the spec of a probe has its settings
        return self.scores.source is None or self.scores.source >= self.spec.probe.source_goal


def write_probe(folder: Path, result: ProbeResult) -> None:
    """Write a finished probe, ``result.json`` last."""
    (folder / RESULT).unlink(missing_ok=True)
    documents = {} if result.documents is None else {_DOCUMENTS: result.documents}
    content = archive({_LAST: result.last, _AVERAGED: result.averaged}, documents)
    with atomic_write(folder / COUNTS) as file:
        file.write(content)
    (folder / "error.txt").unlink(missing_ok=True)
    summary = {
        name: getattr(result.scores, name)
        for name in ("run_id", "metric", "last", "averaged", "rounds", "source", "work", "versions")
    }
    write_result(folder, summary, {COUNTS: hashlib.sha256(content).hexdigest()})


def read_probe(store: RunStore, spec: RunSpec) -> ProbeResult | None:
    """Read a finished probe; None if it is not done.

    Raises
    ------
    DamagedRun
        If a file of its folder is missing or broken, or contradicts another one: one line with the way out.
    """
    folder = store.folder(spec)
    try:
        scores = read_result_as(ProbeScores, folder, spec)
    except FileNotFoundError:
        return None
    _check_scores(folder, scores, spec)
    check_spec(folder, spec)
    arrays = {name: compact(array) for name, array in read_arrays(folder, scores.sha256).items()}
    if not {_LAST, _AVERAGED} <= arrays.keys() <= {_LAST, _AVERAGED, _DOCUMENTS}:
        raise DamagedRun(folder / COUNTS, f"arrays {shown(', '.join(sorted(arrays)))}; expected {_LAST}, {_AVERAGED}")
    documents = arrays.pop(_DOCUMENTS, None)
    for name, score in ((_LAST, scores.last), (_AVERAGED, scores.averaged)):
        check_counts(folder, name, scores.metric, arrays[name], score, may_be_earlier=False)
    if len(arrays[_LAST]) != len(arrays[_AVERAGED]):
        raise DamagedRun(folder / COUNTS, f"{len(arrays[_LAST])} and {len(arrays[_AVERAGED])} examples")
    if documents is not None:
        check_documents(folder, _LAST, documents, arrays[_LAST])
    last, averaged = (arrays[name].astype(np.float64) for name in (_LAST, _AVERAGED))
    return ProbeResult(spec, scores, last, averaged, documents)


def _check_scores(folder: Path, scores: ProbeScores, spec: RunSpec) -> None:
    assert spec.probe is not None  # only probes are read here
    check_metric(folder, scores.metric)
    fault = ""
    if scores.rounds > spec.probe.most_rounds:
        fault = f"{scores.rounds} rounds; expected {spec.probe.most_rounds} at most"
    elif (scores.source is None) != (spec.partner is None):
        fault = "a dev score of a source if and only if the probe has one is expected"
    elif COUNTS not in scores.sha256:
        fault = f"no checksum of {COUNTS}"
    if fault:
        raise DamagedRun(folder / RESULT, fault)
