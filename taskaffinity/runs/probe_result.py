"""The result of a probe (``runs.spec.Probe``): dev counts of its target, twice; and its folder in the store.

The folder has the files of a run's folder, but for history and models. A probe never reads test.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import STRICT, shown
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.files import write_json
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored_json import Amount, FiniteScore, Words, parse_model
from taskaffinity.runs.stored_result import RESULT, DamagedRun, damage
from taskaffinity.tasks.count_checks import SCORE_TOLERANCE, fault_in_counts, whole_numbers
from taskaffinity.tasks.metrics import METRICS

COUNTS, SPEC = "counts.npz", "spec.json"
_LAST, _AVERAGED, _DOCUMENTS = "last", "averaged", "documents"


@dataclass(frozen=True)
class ProbeScores:
    """What a probe found, without its counts."""

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
    """Dev score of the source at the end; None for a probe of the target alone."""
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
    """(n_examples, n_counts), dev counts of the target with the last weights."""
    averaged: npt.NDArray[np.float64]
    """The same with averaged weights."""
    documents: npt.NDArray[np.int64] | None = None
    """(n_examples,), number of each example's document; None if every example is one."""

    @property
    def source_is_learned(self) -> bool:
        """Whether the source reached its goal; true for a probe of the target alone."""
        assert self.spec.probe is not None  # a probe has its settings
        return self.scores.source is None or self.scores.source >= self.spec.probe.source_goal


def write_probe(folder: Path, result: ProbeResult) -> None:
    """Write a finished probe, ``result.json`` last."""
    (folder / RESULT).unlink(missing_ok=True)
    arrays: dict[str, Any] = {_LAST: result.last, _AVERAGED: result.averaged}
    if result.documents is not None:
        arrays[_DOCUMENTS] = result.documents
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    content = packed.getvalue()
    with atomic_write(folder / COUNTS) as file:
        file.write(content)
    (folder / "error.txt").unlink(missing_ok=True)
    summary: dict[str, Any] = {
        name: getattr(result.scores, name)
        for name in ("run_id", "metric", "last", "averaged", "rounds", "source", "work", "versions")
    }
    write_json(folder / RESULT, {**summary, "sha256": {COUNTS: hashlib.sha256(content).hexdigest()}})


def read_probe(store: RunStore, spec: RunSpec) -> ProbeResult | None:
    """Read a finished probe; None if it is not done.

    Raises
    ------
    DamagedRun
        If a file of its folder is missing or broken, or contradicts another one: one line with the way out.
    """
    folder = store.folder(spec)
    try:
        with damage(folder, RESULT):
            scores: ProbeScores = parse_model(read_regular(folder / RESULT), ProbeScores)
    except FileNotFoundError:
        return None
    _check_scores(folder, scores, spec)
    with damage(folder, SPEC):
        if parse_model(read_regular(folder / SPEC), RunSpec) != spec:
            raise DamagedRun(folder / SPEC, "not the spec of this run")
    arrays = _arrays(folder, scores)
    for name, score in ((_LAST, scores.last), (_AVERAGED, scores.averaged)):
        fault = fault_in_counts(scores.metric, arrays[name], whole_numbers(arrays[name]))
        if fault:
            raise DamagedRun(folder / COUNTS, f"{name}: {fault}")
        found = float(METRICS[scores.metric].score_examples(arrays[name]))
        if abs(found - score) > SCORE_TOLERANCE:
            raise DamagedRun(
                folder / COUNTS, f"{name}: its counts give {scores.metric} {found:.6g}, but {RESULT} says {score:.6g}"
            )
    if len(arrays[_LAST]) != len(arrays[_AVERAGED]):
        raise DamagedRun(folder / COUNTS, f"{len(arrays[_LAST])} and {len(arrays[_AVERAGED])} examples")
    documents = arrays.get(_DOCUMENTS)
    if documents is not None:
        _check_documents(folder, documents, len(arrays[_LAST]))
    return ProbeResult(spec, scores, arrays[_LAST], arrays[_AVERAGED], documents)


def _check_scores(folder: Path, scores: ProbeScores, spec: RunSpec) -> None:
    assert spec.probe is not None  # only probes are read here
    fault = ""
    if scores.run_id != spec.run_id:
        fault = f"the result of run {shown(scores.run_id)}"
    elif scores.metric not in METRICS:
        fault = f"metric {shown(scores.metric)}, which is none of {', '.join(METRICS)}"
    elif scores.rounds > spec.probe.most_rounds:
        fault = f"{scores.rounds} rounds; expected {spec.probe.most_rounds} at most"
    elif (scores.source is None) != (spec.partner is None):
        fault = "a dev score of a source if and only if the probe has one is expected"
    if fault:
        raise DamagedRun(folder / RESULT, fault)


def _arrays(folder: Path, scores: ProbeScores) -> Mapping[str, npt.NDArray[Any]]:
    with damage(folder, COUNTS):
        content = read_regular(folder / COUNTS)
    if hashlib.sha256(content).hexdigest() != scores.sha256.get(COUNTS):
        raise DamagedRun(folder / COUNTS, f"not the file that was written: its checksum is not that in {RESULT}")
    with damage(folder, COUNTS), np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if not {_LAST, _AVERAGED} <= arrays.keys() <= {_LAST, _AVERAGED, _DOCUMENTS}:
        raise DamagedRun(folder / COUNTS, f"arrays {shown(', '.join(sorted(arrays)))}; expected {_LAST}, {_AVERAGED}")
    return arrays


def _check_documents(folder: Path, documents: npt.NDArray[Any], n_examples: int) -> None:
    fits = documents.shape == (n_examples,) and documents.dtype == np.int64 and n_examples > 0
    if not fits or documents.min() < 0 or documents.max() >= n_examples or not np.bincount(documents).all():
        raise DamagedRun(folder / COUNTS, "documents that are not those of its examples")
