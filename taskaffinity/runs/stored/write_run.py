"""Write the files of a finished run; ``result.json``, with their checksums, comes last.

All files are written into a folder beside those of an earlier training, which they then replace. A full disk or a kill
therefore costs no finished run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from taskaffinity.atomic import atomic_write, temporary_folder
from taskaffinity.private import file_mode, folder_mode
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.stored.counts import COUNTS, DOCUMENTS, archive
from taskaffinity.runs.stored.run_files import HISTORY, MODEL, PREDICTIONS, head_path, prediction_table, weights_path
from taskaffinity.runs.stored.run_result import RESULT, write_result

REPLACEMENT = "replacement"
"""Folder of a run's new files, which are complete, while they replace those of an earlier training."""


def replace_run(folder: Path, result: RunResult, *, share_with_group: bool) -> None:
    """Write all files of a run except the spec, in the place of those of an earlier training."""
    with temporary_folder(folder / REPLACEMENT) as beside:
        _write_run(beside, result, share_with_group=share_with_group)
        shutil.rmtree(folder / REPLACEMENT, ignore_errors=True)
        os.rename(beside, folder / REPLACEMENT)
    (folder / "error.txt").unlink(missing_ok=True)
    finish_replacement(folder)


def finish_replacement(folder: Path) -> None:
    """Move the new files of a run into its folder, if there are any; a killed process may have begun it."""
    new = folder / REPLACEMENT
    if (new / HISTORY).is_file():  # it is moved first, so the other files in the folder are the old ones
        (folder / RESULT).unlink(missing_ok=True)
        (folder / PREDICTIONS).unlink(missing_ok=True)
        shutil.rmtree(folder / MODEL, ignore_errors=True)
    if (new / RESULT).is_file():
        for name in sorted(os.listdir(new), key=lambda name: (name == RESULT, name != HISTORY)):
            os.replace(new / name, folder / name)
    shutil.rmtree(new, ignore_errors=True)


def _write_run(folder: Path, result: RunResult, *, share_with_group: bool) -> None:
    """Write all files except the spec into an empty folder.

    Parameters
    ----------
    share_with_group : bool
        Whether the group may read models and predictions.
    """
    mode = file_mode(share_with_group)
    sums: dict[str, str] = {}
    _put(folder, HISTORY, "".join(json.dumps(row) + "\n" for row in result.history).encode(), sums)
    documents = {f"{DOCUMENTS}{key}": numbers for key, numbers in result.documents.items()}
    _put(folder, COUNTS, archive(result.counts, documents), sums)
    if result.predictions:
        table = pa.BufferOutputStream()
        pq.write_table(prediction_table(result), table)
        _put(folder, PREDICTIONS, table.getvalue().to_pybytes(), sums, mode)
    if result.weights or result.heads:
        (folder / MODEL).mkdir(mode=0o700, exist_ok=True)
        (folder / MODEL).chmod(folder_mode(share_with_group))
    for epoch, weights in result.weights.items():
        _put(folder, str(weights_path(Path(), epoch)), save(dict(weights)), sums, mode)
    for task, head in result.heads.items():
        _put(folder, str(head_path(Path(), task)), save(dict(head.weights), metadata=dict(head.about)), sums, mode)
    summary = {
        "run_id": result.spec.run_id,
        "outcomes": {name: _stored(outcome) for name, outcome in result.outcomes.items()},
        "work": dict(result.work),
        "versions": dict(result.versions),
    }
    write_result(folder, summary, sums)


def _stored(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as ``result.json`` has it; most tasks have one test set."""
    content = asdict(outcome)
    return content if outcome.test_sets else {key: content[key] for key in content if key != "test_sets"}


def _put(folder: Path, name: str, content: bytes, sums: dict[str, str], mode: int | None = None) -> None:
    """Write a file, and store its checksum under its name."""
    with atomic_write(folder / name, mode) as file:
        file.write(content)
    sums[name] = hashlib.sha256(content).hexdigest()
