"""Read and write ``counts.npz`` of a run, checked for shape, range and scores.

Whole numbers are stored in one or two bytes; earlier versions stored every count in eight.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import shown
from taskaffinity.runs.stored.packed_counts import PackedCounts
from taskaffinity.runs.stored.run_result import RESULT, DamagedRun, StoredResult, checked_bytes, damage
from taskaffinity.tasks.count_checks import SCORE_TOLERANCE, compact, fault_in_counts
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.splits import is_test, split_of

COUNTS = "counts.npz"
DOCUMENTS = "documents:"
"""Prefix of the keys of ``RunResult.documents`` in the file of counts. No task's name has a colon."""
Arrays = Mapping[str, npt.NDArray[Any]]

_MOST_BYTES = 2**31
"""Largest unpacked array of a file of counts, in bytes."""


def archive(counts: Arrays, documents: Arrays) -> bytes:
    """Return the content of a file of counts and documents; keys are unchanged."""
    content = io.BytesIO()
    small = {key: compact(array) for key, array in counts.items()}
    np.savez_compressed(content, allow_pickle=False, **small, **documents)
    return content.getvalue()


def read_counts(folder: Path, stored: StoredResult) -> tuple[PackedCounts, Arrays]:
    """Read the counts and the document numbers of a run, by key of ``RunResult.counts``.

    Raises
    ------
    DamagedRun
        If the file is broken or lacks an array, or if an array is impossible or contradicts ``result.json``.
    """
    arrays = read_arrays(folder, stored.sha256)
    counts = {key: compact(array) for key, array in arrays.items() if not key.startswith(DOCUMENTS)}
    documents = {key.removeprefix(DOCUMENTS): array for key, array in arrays.items() if key not in counts}
    _check_all(folder, stored, counts)
    for key, numbers in documents.items():
        check_documents(folder, key, numbers, counts.get(key))
    return PackedCounts(counts), {key: numbers.astype(np.int64) for key, numbers in documents.items()}


def read_arrays(folder: Path, sha256: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the file of counts, by key."""
    with damage(folder, COUNTS):
        return parse_arrays(checked_bytes(folder, COUNTS, sha256))


def parse_arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an archive of numbers, by key; ``numpy.load`` gives the same at several times the time.

    Raises
    ------
    ValueError
        If the content is no archive that ``numpy`` wrote, or a member is damaged. Damage can raise ``LookupError``,
        ``zlib.error`` and the like, too.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, data in _members(content):
        if not name.endswith(".npy") or name in arrays:
            raise ValueError("not a file of counts")
        start = _HEADER_LENGTH + int.from_bytes(data[8:_HEADER_LENGTH], "little")
        shape, dtype = _array_header(data[:start])
        arrays[name.removesuffix(".npy")] = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return arrays


_END = struct.Struct("<4s4H2IH")
"""End of an archive: mark, two numbers of disks, entries on this disk and in all, size and place of the directory,
length of the comment."""
_ENTRY = struct.Struct("<4s6H3I5H2I")
"""Entry of the directory: mark, two versions, flags, method, time and date, checksum, packed and unpacked size, lengths
of name, extra field and comment, disk, two attributes, place of the member."""
_STORED, _DEFLATED, _UTF_8 = 0, 8, 0x800


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of the members of numpy's ZIP archive, faster than ``zipfile``."""
    at = len(content) - _END.size
    mark, *_, n_entries, size, start, comment = _END.unpack(content[max(at, 0) :].ljust(_END.size))
    if mark != b"PK\5\6" or comment or start + size != at:
        raise ValueError("not an archive, or not whole")
    for _ in range(n_entries):
        entry = _ENTRY.unpack(content[start : min(start + _ENTRY.size, at)].ljust(_ENTRY.size))
        mark, _, _, flags, method, _, _, crc, packed, unpacked, n_name, n_extra, n_comment, *_, place = entry
        if mark != b"PK\1\2" or method not in (_STORED, _DEFLATED) or unpacked > _MOST_BYTES:
            raise ValueError("not an archive of arrays")
        start += _ENTRY.size
        name = content[start : start + n_name].decode("utf-8" if flags & _UTF_8 else "cp437")
        start += n_name + n_extra + n_comment
        lengths = content[place + 26 : place + 30]  # lengths of the name and the extra field before the member's bytes
        begin = place + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        data = content[begin : begin + packed]
        if method == _DEFLATED:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, unpacked + 1)
        if len(data) != unpacked or zlib.crc32(data) != crc:
            raise ValueError("an array is damaged")
        yield name, data


_HEADER_LENGTH = 10
"""Bytes of an array file before its header: magic string, version, length of the header."""


@lru_cache(maxsize=1024)
def _array_header(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and type of an array file; a study has few different headers."""
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array of format {version}")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if is_fortran or dtype.kind not in "fiu":
        raise ValueError(f"an array of {dtype.name} numbers")
    return shape, dtype


def _check_all(folder: Path, stored: StoredResult, counts: Arrays) -> None:
    """Check every array, and that the scores follow from the counts."""
    has_dev = any(f"{name}/dev" in counts for name in stored.outcomes)
    official: dict[str, str] = {}
    for name, outcome in stored.outcomes.items():
        scores = {split_of(test_set): score for test_set, score in outcome.test_sets.items()}
        for split, score in {"test": outcome.test, "dev": outcome.dev, **scores}.items():
            key = f"{name}/{split}"
            official[key] = outcome.metric
            if key not in counts and (is_test(split) or has_dev):
                raise DamagedRun(folder / COUNTS, f"no counts of {shown(key)}")
            if is_test(split) and not counts[key].size:
                raise DamagedRun(folder / COUNTS, f"{key}: no example")
            if key in counts:
                check_counts(folder, key, outcome.metric, counts[key], score)
    for key in (key for key in counts if key not in official):
        test, _, metric = key.rpartition("/")
        is_of_test = is_test(test.rpartition("/")[2])
        if not is_of_test or metric not in METRICS or official.get(test) in (None, metric):
            raise DamagedRun(folder / COUNTS, f"counts of {shown(key)}, which this run does not have")
        if test in counts:
            check_counts(folder, key, metric, counts[key])
            _check_secondary(folder, key, metric, counts[key], official[test], counts[test])


def check_counts(
    folder: Path,
    key: str,
    metric: str,
    counts: npt.NDArray[Any],
    score: float | None = None,
    *,
    may_be_earlier: bool = True,
) -> None:
    """Raise ``DamagedRun`` unless an array can be counts of a metric.

    Its score must also be that of ``result.json``.

    Parameters
    ----------
    counts : (n_examples, n_counts)
        As ``compact`` returns them.
    score : float, optional
        Score in ``result.json``. Default: any.
    may_be_earlier : bool
        Whether an earlier version may have computed the score. Such versions did not centre scores for Pearson.
    """
    fault = fault_in_counts(metric, counts)
    if not fault and score is not None and not _gives(metric, counts, score, may_be_earlier):
        found = float(METRICS[metric].score_examples(counts))
        fault = f"its counts give {metric} {found:.6g}, but {RESULT} says {score:.6g}"
    if fault:
        raise DamagedRun(folder / COUNTS, f"{key}: {fault}")


def _gives(metric: str, counts: npt.NDArray[Any], score: float, may_be_earlier: bool) -> bool:
    """Return whether counts give a score; earlier versions did not centre scores for Pearson."""
    by = METRICS[metric]
    if abs(float(by.score_examples(counts)) - score) <= SCORE_TOLERANCE:
        return True
    return may_be_earlier and abs(float(by.score(counts.sum(axis=0))) - score) <= SCORE_TOLERANCE


def check_documents(folder: Path, key: str, numbers: npt.NDArray[Any], counts: npt.NDArray[Any] | None) -> None:
    """Raise ``DamagedRun`` unless every example has a document.

    Documents must be numbered from 0 without gaps.
    """
    fits = counts is not None and numbers.shape == counts.shape[:1] and numbers.dtype.kind == "i"
    fits = fits and len(numbers) > 0 and numbers.min() >= 0 and numbers.max() < len(numbers)
    if not fits or not np.bincount(numbers).all():
        raise DamagedRun(folder / COUNTS, f"documents of {shown(key)} that are not those of its examples")


def _check_secondary(
    folder: Path, key: str, metric: str, counts: npt.NDArray[Any], official: str, of_official: npt.NDArray[Any]
) -> None:
    if metric == "document_f1":  # the rows of this metric are pairs of mentions
        return
    if len(counts) != len(of_official):
        raise DamagedRun(folder / COUNTS, f"{key}: {len(counts)} examples, but {len(of_official)} by {official}")
    if {metric, official} == {"micro_f1", "macro_f1"}:
        totals = [array.reshape(len(array), -1, 3).sum(axis=1) for array in (counts, of_official)]
        if not np.array_equal(*totals):
            raise DamagedRun(folder / COUNTS, f"{key}: other predictions than those by {official}")
