"""The runs of a study that other programs trained, in one file: ``runs/external.npz``.

Trained runs have a folder each. For a table of thousands of runs, writing folders would take most of the time. The file
holds counts per example; scores follow from them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import InputError
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.external.keys import target_of, test_set_of
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import RunSpec, TaskName, TaskRef
from taskaffinity.runs.stored.counts import parse_arrays
from taskaffinity.runs.stored.json_files import Words, parse_model
from taskaffinity.runs.stored.packed_counts import PackedCounts
from taskaffinity.tasks.count_checks import compact, fault_in_counts
from taskaffinity.tasks.metrics import GIVEN_SCORE, METRICS
from taskaffinity.tasks.splits import split_of

FILE = "external.npz"
"""Name in the folder ``runs``."""
_TASKS = "tasks"
"""Key of the names and fingerprints of all tasks, as JSON; other keys begin with the name of a target."""
_CHECKSUM = "sha256"
"""Key of the SHA-256 of all other arrays, ``(32,)`` bytes; it shows a changed count. Keys of a task have a slash."""
_Row = tuple[TaskName, Words, str] | tuple[TaskName, Words, str, list[TaskName]]
"""Name, fingerprint and metric of a task (empty if it is no target), and its further test sets if it has some."""
_SINGLE = -1
"""Source of a single-task run in the file, where the source of a pair is its place in the list of tasks."""
_MOST_SEED = 2**32
"""Seeds are below it."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TargetRuns:
    """All runs that score one target."""

    metric: str
    """A key of ``METRICS``."""
    sources: Sequence[str]
    """(n_runs,), the name of the task trained with the target; an empty text for a single-task run."""
    seeds: Sequence[int]
    """(n_runs,), seeds in [0, 2**32); no two runs have the same source and seed."""
    counts: Mapping[str, Array]
    """Metric -> counts of the test split, (n_runs, n_examples, n_counts), as ``compact`` returns them. The official
    ``metric`` is one of the keys."""
    documents: npt.NDArray[np.int64] | None = None
    """(n_examples,), number of each example's document, from 0 without gaps; None if no two examples share one."""


class PackedRuns:
    """Runs of single tasks and of pairs, found by their spec.

    Parameters
    ----------
    refs : sequence of (str, str)
        Names and fingerprints of all tasks of the study.
    targets : mapping of str to TargetRuns
        Name of a target, or of a target on a further test set (``rte@notes``) -> its runs.
    """

    def __init__(self, refs: Sequence[TaskRef], targets: Mapping[str, TargetRuns]) -> None:
        self._refs = dict(refs)
        self._targets = targets
        self._names = {task: [name for name in targets if target_of(name) == task] for task in map(target_of, targets)}
        self._places = {
            (target, source, seed): place
            for target, runs in targets.items()
            for place, (source, seed) in enumerate(zip(runs.sources, runs.seeds, strict=True))
        }
        self._kept: dict[tuple[tuple[str, ...], int], RunResult] = {}

    def __contains__(self, spec: RunSpec) -> bool:
        return any(True for _ in self._rows(spec))

    def get(self, spec: RunSpec) -> RunResult | None:
        """Return the run, with an outcome for each of its tasks that was scored; None if no task was."""
        rows = list(self._rows(spec))
        if not rows:
            return None
        key = (spec.task_names, spec.seed)
        if key not in self._kept:
            self._kept[key] = self._run(spec, rows)
        return self._kept[key]

    def _run(self, spec: RunSpec, rows: Sequence[tuple[str, int]]) -> RunResult:
        outcomes, counts, documents = {}, {}, {}
        scores: dict[str, dict[str, float]] = {}
        for target, place in rows:
            runs, task, test_set = self._targets[target], target_of(target), test_set_of(target)
            for metric, array in runs.counts.items():
                name = f"{task}/{split_of(test_set)}" + ("" if metric == runs.metric else f"/{metric}")
                counts[name] = array[place]
                if runs.documents is not None:
                    documents[name] = runs.documents
            found = METRICS[runs.metric].score_examples(runs.counts[runs.metric][place].astype(np.float64))
            scores.setdefault(task, {})[test_set] = float(found)
        for task, of_test_set in scores.items():
            further = {name: score for name, score in of_test_set.items() if name}
            outcomes[task] = Outcome(self._targets[task].metric, 0, None, of_test_set[""], further)
        return RunResult(spec, outcomes, PackedCounts(counts), documents=documents)

    def _rows(self, spec: RunSpec) -> Iterator[tuple[str, int]]:
        """Yield each scored target of a run on each of its test sets, and the run's place in its ``TargetRuns``."""
        if all(self._refs.get(name) == fingerprint for name, fingerprint in spec.tasks) and len(spec.tasks) <= 2:
            for target in spec.task_names:
                source = "".join(name for name in spec.task_names if name != target)
                for name in self._names.get(target, ()):
                    if (place := self._places.get((name, source, spec.seed))) is not None:
                        yield name, place


class PackedFile:
    """The file ``runs/external.npz`` of a results folder; it is read and checked again only after it changed."""

    def __init__(self, root: Path) -> None:
        self._path = root / "runs" / FILE
        self._kept: tuple[tuple[int, int, int], PackedRuns] | None = None

    def read(self) -> PackedRuns:
        """Return the runs of the file; no run if there is no file.

        Raises
        ------
        InputError
            If the file cannot be read, or an array is missing, damaged or impossible.
        """
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return PackedRuns((), {})
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, _read(self._path))
        return self._kept[1]


@contextmanager
def replacing_packed(root: Path, refs: Sequence[TaskRef], targets: Mapping[str, TargetRuns]) -> Iterator[None]:
    """Write ``runs/external.npz`` of a results folder, which replaces an older one when the block succeeds."""
    rows = [[*ref, targets[ref[0]].metric if ref[0] in targets else ""] for ref in refs]
    further: dict[str, list[str]] = {}
    for name in targets:
        if test_set_of(name):
            further.setdefault(target_of(name), []).append(test_set_of(name))
    header = json.dumps([[*row, further[row[0]]] if row[0] in further else row for row in rows])
    arrays: dict[str, Array] = {_TASKS: np.frombuffer(header.encode(), np.uint8)}
    place_of = {"": _SINGLE, **{name: place for place, (name, _) in enumerate(refs)}}
    for target, runs in targets.items():
        arrays[f"{target}/runs"] = np.array(
            [(place_of[source], seed) for source, seed in zip(runs.sources, runs.seeds, strict=True)], np.int64
        )
        arrays |= {f"{target}/counts/{metric}": counts for metric, counts in runs.counts.items()}
        if runs.documents is not None:
            arrays[f"{target}/documents"] = runs.documents
    arrays[_CHECKSUM] = checksum(arrays)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    path = root / "runs" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content.getvalue())
        file.flush()
        yield


def checksum(arrays: Mapping[str, Array]) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of the keys, types, shapes and values of arrays, ``(32,)`` bytes, in any order of them."""
    digest = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        digest.update(repr((key, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _read(path: Path) -> PackedRuns:
    with _damage(path):
        arrays = parse_arrays(read_regular(path))
        if not np.array_equal(arrays.pop(_CHECKSUM), checksum(arrays)):
            raise ValueError("its checksum is that of other counts")
        header: list[_Row] = parse_model(arrays.pop(_TASKS).tobytes(), list[_Row])
        names = [name for name, *_ in header]
        if len(set(names)) < len(names):
            raise ValueError("a task is listed twice")
        targets: dict[str, TargetRuns] = {}
        for name, _, metric, *further in header:
            for test_set in ("", *(further[0] if further else ())) if metric else ():
                scored = f"{name}@{test_set}" if test_set else name
                targets[scored] = _target(scored, metric, names, arrays)
        if arrays:
            raise ValueError("arrays of no task")
        _check_first(targets)
    return PackedRuns([(name, fingerprint) for name, fingerprint, *_ in header], targets)


def _check_first(targets: Mapping[str, TargetRuns]) -> None:
    """Raise ``ValueError`` if a run is scored on a further test set only."""
    for name, runs in targets.items():
        first = targets[target_of(name)]
        if not set(zip(runs.sources, runs.seeds, strict=True)) <= set(zip(first.sources, first.seeds, strict=True)):
            raise ValueError(f"a run of {name} that is none of {target_of(name)}")


def _target(target: str, metric: str, names: Sequence[str], arrays: dict[str, Array]) -> TargetRuns:
    """Take the arrays of a target, and check them."""
    runs = arrays.pop(f"{target}/runs")
    begin = f"{target}/counts/"
    counts = {key.removeprefix(begin): arrays.pop(key) for key in [key for key in arrays if key.startswith(begin)]}
    documents = arrays.pop(f"{target}/documents", None)
    if runs.dtype != np.int64 or runs.ndim != 2 or runs.shape[1] != 2 or not len(runs):
        raise ValueError(f"no runs of {target}")
    sources, seeds = runs[:, 0].tolist(), runs[:, 1].tolist()
    if len(set(zip(sources, seeds, strict=True))) < len(runs):
        raise ValueError(f"a run of {target} twice")
    if min(seeds) < 0 or max(seeds) >= _MOST_SEED or min(sources) < _SINGLE or max(sources) >= len(names):
        raise ValueError(f"a source or a seed of {target} that cannot be")
    if names.index(target_of(target)) in sources or metric not in counts:
        raise ValueError(f"runs of {target} with itself" if metric in counts else f"no counts of {target}")
    for name, array in counts.items():
        _check_counts(name, array, (len(runs), counts[metric].shape[1]))
    if documents is not None:
        _check_documents(documents, counts[metric].shape[1])
    return TargetRuns(metric, ["" if place == _SINGLE else names[place] for place in sources], seeds, counts, documents)


def _check_counts(metric: str, counts: Array, shape: tuple[int, int]) -> None:
    if metric not in METRICS or counts.ndim != 3 or counts.shape[:2] != shape or not counts.size:
        raise ValueError("counts of another shape, or of no metric")
    every = list(counts) if metric == GIVEN_SCORE else [counts.reshape(-1, counts.shape[2])]
    for array in every:
        if fault := fault_in_counts(metric, compact(array)):
            raise ValueError(fault)


def _check_documents(documents: Array, n_examples: int) -> None:
    if documents.dtype != np.int64 or documents.shape != (n_examples,):
        raise ValueError("documents that are not those of the examples")
    if documents.min() < 0 or documents.max() >= n_examples or not np.bincount(documents).all():
        raise ValueError("documents that are not numbered from 0")


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn every fault of the file into an ``InputError``."""
    fault = ""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    except (ValueError, LookupError, TypeError, EOFError, RecursionError, OverflowError) as error:
        fault = str(error) if type(error) is ValueError else type(error).__name__
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        fault = type(error).__name__
    if fault:
        raise InputError(
            f"{path}: damaged, or of another version of taskaffinity ({fault}); repeat the command "
            "`taskaffinity verdicts` that made it"
        )
