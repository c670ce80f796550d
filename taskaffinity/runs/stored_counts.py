"""Read ``counts.npz`` of a run: arrays by key, checked for shape and range, and against the scores of the run."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import shown
from taskaffinity.runs.stored_result import RESULT, DamagedRun, StoredResult, checked_bytes, damage
from taskaffinity.tasks.count_checks import SCORE_TOLERANCE, fault_in_counts, score_of
from taskaffinity.tasks.metrics import METRICS

COUNTS = "counts.npz"
DOCUMENTS = "documents:"
"""Begins the keys of ``RunResult.documents`` in the file of counts; no task's name holds a colon."""
Arrays = Mapping[str, npt.NDArray[Any]]

_MOST_BYTES = 2**31
"""Largest unpacked array of a file of counts."""


def read_counts(folder: Path, stored: StoredResult) -> tuple[Arrays, Arrays]:
    """Read the counts and the document numbers of a run, by key of ``RunResult.counts``.

    Raises
    ------
    DamagedRun
        If the file is broken, lacks an array, or has one that is not possible or contradicts ``result.json``.
    """
    arrays = _arrays(folder, stored)
    counts = {key: array for key, array in arrays.items() if not key.startswith(DOCUMENTS)}
    documents = {key.removeprefix(DOCUMENTS): array for key, array in arrays.items() if key not in counts}
    _check_counts(folder / COUNTS, stored, counts)
    _check_documents(folder / COUNTS, counts, documents)
    return counts, {key: numbers.astype(np.int64) for key, numbers in documents.items()}


def _arrays(folder: Path, stored: StoredResult) -> dict[str, npt.NDArray[Any]]:
    """Arrays by key. ``numpy.load`` gives the same at several times the time."""
    content = checked_bytes(folder, COUNTS, stored)
    arrays: dict[str, npt.NDArray[Any]] = {}
    with damage(folder, COUNTS), zipfile.ZipFile(io.BytesIO(content)) as members:
        for member in members.infolist():
            if member.file_size > _MOST_BYTES or not member.filename.endswith(".npy"):
                raise ValueError("not a file of counts")
            data = _unpacked(content, member)
            start = _HEADER_LENGTH + int.from_bytes(data[8:_HEADER_LENGTH], "little")
            shape, dtype = _array_header(data[:start])
            array = np.frombuffer(data, dtype, offset=start).reshape(shape)
            arrays[member.filename.removesuffix(".npy")] = array
    return arrays


def _unpacked(content: bytes, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member of an archive; ``ZipFile.read`` gives the same more slowly."""
    at = member.header_offset + 30
    at += int.from_bytes(content[at - 4 : at - 2], "little") + int.from_bytes(content[at - 2 : at], "little")
    packed = content[at : at + member.compress_size]
    data = zlib.decompressobj(-15).decompress(packed, member.file_size + 1) if member.compress_type else packed
    if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
        raise ValueError("an array is damaged")
    return data


_HEADER_LENGTH = 10
"""Bytes of an array file before its header: magic string, version, length of the header."""


@lru_cache(maxsize=1024)
def _array_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array file; few headers differ in a study."""
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if is_fortran or dtype.kind not in "fi":
        raise ValueError(f"an array of {dtype.name} numbers")
    return shape, dtype


def _check_counts(path: Path, stored: StoredResult, counts: Arrays) -> None:
    """Check every array, and that the scores follow from the counts."""
    has_dev = any(f"{name}/dev" in counts for name in stored.outcomes)
    legal: dict[str, str] = {}
    for name, outcome in stored.outcomes.items():
        for split, score in (("test", outcome.test), ("dev", outcome.dev)):
            key = f"{name}/{split}"
            legal[key] = outcome.metric
            if key not in counts and (split == "test" or has_dev):
                raise DamagedRun(path, f"no counts of {key}")
            if key in counts:
                _check_score(path, key, outcome.metric, counts[key], score)
        legal |= {f"{name}/test/{metric}": metric for metric in METRICS if metric != outcome.metric}
    for key, array in counts.items():
        if key not in legal:
            raise DamagedRun(path, f"counts of {shown(key)}, which this run has not")
        test = key.rpartition("/")[0]
        if test in counts:
            _check_secondary(path, key, legal[key], array, legal[test], counts[test])


def _check_documents(path: Path, counts: Arrays, documents: Arrays) -> None:
    """Check that every example has a document, and that documents are numbered from 0 without gaps."""
    for key, numbers in documents.items():
        fits = key in counts and numbers.shape == counts[key].shape[:1] and numbers.dtype.kind == "i"
        fits = fits and len(numbers) > 0 and numbers.min() >= 0 and numbers.max() < len(numbers)
        if not fits or not np.bincount(numbers).all():
            raise DamagedRun(path, f"documents of {shown(key)} that are not those of its examples")


def _check_score(path: Path, key: str, metric: str, counts: npt.NDArray[Any], score: float) -> None:
    fault = fault_in_counts(metric, counts)
    if not fault and not len(counts) and key.endswith("/test"):
        fault = "no example"
    if fault:
        raise DamagedRun(path, f"{key}: {fault}")
    found = score_of(metric, counts)
    if abs(found - score) > SCORE_TOLERANCE and abs(_as_earlier(metric, counts) - score) > SCORE_TOLERANCE:
        raise DamagedRun(path, f"{key}: its counts give {metric} {found:.6g}, but {RESULT} says {score:.6g}")


def _as_earlier(metric: str, counts: npt.NDArray[Any]) -> float:
    """The score as earlier versions computed it: without centred scores."""
    return float(METRICS[metric].score(counts.sum(axis=0)))


def _check_secondary(
    path: Path, key: str, metric: str, counts: npt.NDArray[Any], official: str, of_official: npt.NDArray[Any]
) -> None:
    if fault := fault_in_counts(metric, counts):
        raise DamagedRun(path, f"{key}: {fault}")
    if metric == "document_f1":  # its rows are pairs of mentions
        return
    if len(counts) != len(of_official):
        raise DamagedRun(path, f"{key}: {len(counts)} examples, but {len(of_official)} by {official}")
    if {metric, official} == {"micro_f1", "macro_f1"}:
        totals = [array.reshape(len(array), -1, 3).sum(axis=1) for array in (counts, of_official)]
        if not np.array_equal(*totals):
            raise DamagedRun(path, f"{key}: other predictions than those by {official}")
