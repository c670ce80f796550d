"""Store encoded tasks in a cache on disk, and read them memory-mapped.

Tokens reveal the text. The cache is therefore outside the results folder, and only its owner can read it. Each task's
folder is sealed with the hashes of its files (``training.checksums``), because arrays that were cut or exchanged can
still be read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from taskaffinity.atomic import atomic_folder
from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Split
from taskaffinity.training.checksums import is_intact, seal
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, meta_of

_ARRAYS = {
    "tokens": "pieces",
    "token_types": "token_types",
    "bounds": "bounds",
    "examples_of_rows": "examples_of_rows",
    "targets": "targets",
    "word_positions": "word_positions",
    "word_numbers": "word_numbers",
    "word_bounds": "word_bounds",
}
"""By field of ``EncodedSplit``: the name of the array's file in the cache."""
_VERSION = 4


def cache_folder(
    cache: Path,
    fingerprint: str,
    encoder: str,
    max_length: int,
    max_words: int,
    *,
    trains_on_dev: bool = False,
    reversed_pairs: bool = False,
) -> Path:
    """Folder of a task's arrays in the cache.

    Parameters
    ----------
    fingerprint : str
        Fingerprint of the task's data.
    encoder : str
        Fingerprint of the encoder.
    trains_on_dev : bool
        Whether the training split holds the dev examples too.
    reversed_pairs : bool
        Whether the second text of a pair comes first.
    """
    variants = ["dev"] * trains_on_dev + ["reversed"] * reversed_pairs
    key = (_VERSION, fingerprint, encoder, max_length, max_words, *variants)
    return cache / "encoded" / hashlib.sha256(repr(key).encode()).hexdigest()[:16]


def write_encoded(folder: Path, meta: TaskMeta, splits: Iterable[tuple[Split, EncodedSplit]]) -> None:
    """Write a task's arrays in the place of any earlier ones; the folder appears complete or not at all.

    The caller holds a lock if another process may write the same folder.
    """
    with atomic_folder(folder, mode=0o700) as beside:
        (beside / "task.json").write_text(json.dumps(asdict(meta)), encoding="utf-8")
        for split, encoded in splits:
            (beside / split).mkdir(mode=0o700)
            for name, file in _ARRAYS.items():
                np.save(beside / split / f"{file}.npy", getattr(encoded, name))
            content = json.dumps({"ids": encoded.ids, "gold": encoded.gold, "documents": encoded.documents})
            (beside / split / "examples.json").write_text(content, encoding="utf-8")
        seal(beside, folder.name)
        _remove(folder)


def read_encoded(folder: Path) -> tuple[TaskMeta, dict[Split, EncodedSplit]]:
    """Read what ``write_encoded`` wrote; the arrays are memory-mapped.

    Raises
    ------
    InputError
        If the folder is missing or is not as it was written.
    """
    if not is_intact(folder):
        raise InputError(f"{folder}: a damaged task of the cache; repeat the command, which encodes it afresh")
    content = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    meta = meta_of(content)
    splits: dict[Split, EncodedSplit] = {}
    for split in SPLITS:
        examples = json.loads((folder / split / "examples.json").read_text(encoding="utf-8"))
        # plain arrays over the same memory, because indexing a memmap is slower
        arrays: dict[str, Any] = {
            name: np.asarray(np.load(folder / split / f"{file}.npy", mmap_mode="r")) for name, file in _ARRAYS.items()
        }
        splits[split] = EncodedSplit(**examples, **arrays, is_tagging=meta.kind == "ner")
    return meta, splits


def _remove(path: Path) -> None:
    """Remove a folder, or whatever has its name."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
