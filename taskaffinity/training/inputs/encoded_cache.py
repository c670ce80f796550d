"""Store encoded tasks in a cache on disk, and read them memory-mapped.

Tokens reveal the text; of spans, the cache has the text itself, to compare answers. It is therefore outside the results
folder, and only its owner can read it. Each task's folder is sealed with the hashes of its files
(``training.checksums``), because truncated or exchanged arrays can still be read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from taskaffinity.atomic import atomic_folder
from taskaffinity.errors import STRICT, InputError
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.stored.json_files import Finite, parse_model
from taskaffinity.tasks.kinds import TRAITS, LabelForm
from taskaffinity.tasks.splits import SPLITS, Split, split_of
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
    """Return the folder of a task's arrays in the cache.

    Parameters
    ----------
    fingerprint : str
        Fingerprint of the task's data.
    encoder : str
        Fingerprint of the encoder.
    trains_on_dev : bool
        Whether the training split also has the dev examples.
    reversed_pairs : bool
        Whether the second text of a pair comes first.
    """
    variants = ["dev"] * trains_on_dev + ["reversed"] * reversed_pairs
    key = (_VERSION, fingerprint, encoder, max_length, max_words, *variants)
    return cache / "encoded" / hashlib.sha256(repr(key).encode()).hexdigest()[:16]


def write_encoded(folder: Path, meta: TaskMeta, splits: Iterable[tuple[Split, EncodedSplit]]) -> None:
    """Write a task's arrays, replacing earlier ones; the folder appears complete or not at all.

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
        If the folder is missing, has changed since it was written, or is of another version.
    """
    if not is_intact(folder):
        raise InputError(f"{folder}: a damaged task of the cache; repeat the command, which encodes it afresh")
    path = folder / "task.json"
    try:
        meta: TaskMeta = meta_of(parse_model(read_regular(path), dict[str, Any]))
        splits: dict[Split, EncodedSplit] = {}
        for split in (*SPLITS, *map(split_of, meta.test_sets)):
            path = folder / split / "examples.json"
            examples: _Examples = parse_model(read_regular(path), _MODELS[TRAITS[meta.kind].label])
            # plain arrays over the same memory, because indexing a memmap is slower
            arrays: dict[str, Any] = {
                name: np.asarray(np.load(folder / split / f"{file}.npy", mmap_mode="r"))
                for name, file in _ARRAYS.items()
            }
            splits[split] = EncodedSplit(
                **vars(examples), **arrays, is_tagging=TRAITS[meta.kind].reads_tokens, n_options=meta.n_options
            )
            _check_lengths(splits[split])
    except (OSError, ValueError) as error:
        fault = str(error) if type(error) is ValueError else type(error).__name__
        raise InputError(f"{path}: {fault}; delete {folder}, and the same command encodes the task afresh") from None
    return meta, splits


@dataclass(frozen=True)
class _Examples:
    """The content of ``examples.json`` of one split; lists are ``(n_examples,)``."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    ids: list[str]
    gold: list[Any]
    documents: list[str]


@dataclass(frozen=True)
class _ClassExamples(_Examples):
    gold: list[str]


@dataclass(frozen=True)
class _ScoredExamples(_Examples):
    gold: list[int | Finite]


@dataclass(frozen=True)
class _ListExamples(_Examples):
    gold: list[list[str]]


_MODELS: dict[LabelForm, type[_Examples]] = {
    "score": _ScoredExamples,
    "class": _ClassExamples,
    "option": _ClassExamples,
    "classes": _ListExamples,
    "tags": _ListExamples,
    "answers": _ListExamples,
}


def _check_lengths(split: EncodedSplit) -> None:
    """Raise ValueError if the parts of a split differ in their number of examples or rows."""
    n, n_rows = split.n_examples, split.n_rows
    of_examples = [len(split.gold), len(split.documents)] + ([] if split.is_tagging else [len(split.targets)])
    if set(of_examples) != {n} or {len(split.examples_of_rows), len(split.word_bounds) - 1} != {n_rows}:
        raise ValueError(f"lists of other lengths than {n} examples and {n_rows} rows")


def _remove(path: Path) -> None:
    """Remove a folder, or any file of its name."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
