"""A task as tokens: flat arrays, memory-mapped from a cache on disk.

A *row* is one sequence that the encoder sees, an *example* is what is scored. They are the same but for tagging,
where a long sentence is several rows (``encoding.py`` says how it is cut). The cache holds tokens, which is text:
it lies outside the results folder, readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Kind, Split, Task

IntArray = npt.NDArray[np.int64]

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
"""Each array's field and the name of its file in the cache."""
_VERSION = 4


@dataclass(frozen=True)
class TaskMeta:
    """What training needs to know of a task beside its arrays."""

    name: str
    kind: Kind
    outputs: tuple[str, ...]
    """Classes, or tags (``O``, ``B-x``, ``I-x``, ...), in the order of the head's outputs; empty for similarity."""
    scored: tuple[str, ...]
    """The labels that the metric counts."""
    metric_name: str
    missed: Mapping[Split, int] = field(default_factory=dict)
    """Gold relations without an example, by split; empty where not known."""

    @property
    def negative(self) -> str | None:
        """The class that is trained but not scored."""
        return next((label for label in self.outputs if label not in self.scored), None) if self.kind != "ner" else None


@dataclass(frozen=True)
class EncodedSplit:
    """One split of one task, as flat arrays (memory-mapped from the cache)."""

    ids: Sequence[str]  # (n_examples,)
    gold: Sequence[Any]  # (n_examples,) labels as the metric takes them
    documents: Sequence[str]  # (n_examples,) hashes; empty where not known
    tokens: npt.NDArray[np.int32]  # (T,)
    token_types: npt.NDArray[np.int8]  # (T,)
    bounds: IntArray  # (n_rows + 1,) where each row's tokens begin
    examples_of_rows: IntArray  # (n_rows,)
    targets: npt.NDArray[Any]  # (n_examples,) scores or classes; (n_words,) tags for tagging
    word_positions: npt.NDArray[np.int32]  # (n_words,) a word's first token, counted from its row's beginning
    word_numbers: npt.NDArray[np.int32]  # (n_words,) a word's number in its sentence
    word_bounds: IntArray  # (n_rows + 1,) where each row's words begin
    is_tagging: bool

    @property
    def n_rows(self) -> int:
        return len(self.bounds) - 1

    @property
    def n_examples(self) -> int:
        return len(self.ids)

    def sample(self, n: int | None, seed: int) -> EncodedSplit:
        """``n`` examples drawn by ``seed``, in their old order, with all their rows; all if the split has no more."""
        if n is None or n >= self.n_examples:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(self.n_examples, n, replace=False)))

    def downsample_negatives(self, negative: str, ratio: float, seed: int) -> EncodedSplit:
        """The examples of all classes but ``negative``, and ``ratio`` times as many of that one, drawn by ``seed``."""
        is_negative = np.array([label == negative for label in self.gold])
        negatives, others = np.flatnonzero(is_negative), np.flatnonzero(~is_negative)
        n_kept = min(len(negatives), max(1, round(ratio * len(others))))
        kept = np.random.default_rng(seed).choice(negatives, n_kept, replace=False) if len(negatives) else negatives
        return self.take(np.sort(np.concatenate([others, kept])))

    def joined(self, other: EncodedSplit) -> EncodedSplit:
        """Both, one after the other."""

        def both(name: str) -> Any:
            return np.concatenate([getattr(self, name), getattr(other, name)])

        def following(name: str) -> IntArray:
            ends = getattr(self, name)
            return np.concatenate([ends, ends[-1] + getattr(other, name)[1:]])

        return EncodedSplit(
            ids=[*self.ids, *other.ids],
            gold=[*self.gold, *other.gold],
            documents=[*self.documents, *other.documents],
            tokens=both("tokens"),
            token_types=both("token_types"),
            bounds=following("bounds"),
            examples_of_rows=np.concatenate([self.examples_of_rows, self.n_examples + other.examples_of_rows]),
            targets=both("targets"),
            word_positions=both("word_positions"),
            word_numbers=both("word_numbers"),
            word_bounds=following("word_bounds"),
            is_tagging=self.is_tagging,
        )

    def split_half(self, seed: int) -> tuple[EncodedSplit, EncodedSplit]:
        """All examples, dealt out to two splits by ``seed``; the first has one more where they are odd.

        Raises
        ------
        InputError
            If there is one example alone.
        """
        if self.n_examples < 2:
            raise InputError("one training example has no halves: this task can have no positive control")
        order = np.random.default_rng(seed).permutation(self.n_examples)
        middle = (self.n_examples + 1) // 2
        return self.take(np.sort(order[:middle])), self.take(np.sort(order[middle:]))

    def take(self, chosen: IntArray) -> EncodedSplit:
        """The examples of these numbers (ascending), with all their rows."""
        rows = np.flatnonzero(np.isin(self.examples_of_rows, chosen))
        tokens = ranges(self.bounds[rows], np.diff(self.bounds)[rows])
        words = ranges(self.word_bounds[rows], np.diff(self.word_bounds)[rows])
        return EncodedSplit(
            ids=[self.ids[i] for i in chosen],
            gold=[self.gold[i] for i in chosen],
            documents=[self.documents[i] for i in chosen],
            tokens=self.tokens[tokens],
            token_types=self.token_types[tokens],
            bounds=bounds_of(np.diff(self.bounds)[rows]),
            examples_of_rows=np.searchsorted(chosen, self.examples_of_rows[rows]),
            targets=self.targets[words] if self.is_tagging else self.targets[chosen],
            word_positions=self.word_positions[words],
            word_numbers=self.word_numbers[words],
            word_bounds=bounds_of(np.diff(self.word_bounds)[rows]),
            is_tagging=self.is_tagging,
        )


def task_meta(task: Task) -> TaskMeta:
    outputs = task.labels
    if task.kind == "ner":
        outputs = ("O", *(f"{prefix}-{label}" for label in task.labels for prefix in "BI"))
    return TaskMeta(task.name, task.kind, outputs, task.scored, task.metric_name, dict(task.missed))


def meta_of(content: Mapping[str, Any]) -> TaskMeta:
    """What ``dataclasses.asdict`` and JSON made of one."""
    return TaskMeta(**{**content, "outputs": tuple(content["outputs"]), "scored": tuple(content["scored"])})


def cache_folder(cache: Path, fingerprint: str, encoder: str, max_length: int, max_words: int) -> Path:
    """Where a corpus of that fingerprint lies, encoded for the encoder of that fingerprint."""
    key = repr((_VERSION, fingerprint, encoder, max_length, max_words))
    return cache / "encoded" / hashlib.sha256(key.encode()).hexdigest()[:16]


def write_encoded(folder: Path, meta: TaskMeta, splits: Iterable[tuple[Split, EncodedSplit]]) -> None:
    """Write a task's arrays, whole or not at all. Whoever may write the same folder at once holds a lock."""
    beside = folder.with_name(f".{folder.name}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    (beside / "task.json").write_text(json.dumps(asdict(meta)), encoding="utf-8")
    for split, encoded in splits:
        (beside / split).mkdir()
        for name, file in _ARRAYS.items():
            np.save(beside / split / f"{file}.npy", getattr(encoded, name))
        content = json.dumps({"ids": encoded.ids, "gold": encoded.gold, "documents": encoded.documents})
        (beside / split / "examples.json").write_text(content, encoding="utf-8")
    beside.rename(folder)


def read_encoded(folder: Path) -> tuple[TaskMeta, dict[Split, EncodedSplit]]:
    """What ``write_encoded`` wrote; the arrays are memory-mapped."""
    content = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    meta = meta_of(content)
    splits: dict[Split, EncodedSplit] = {}
    for split in SPLITS:
        examples = json.loads((folder / split / "examples.json").read_text(encoding="utf-8"))
        # as plain arrays over the same memory: a memmap's every indexing costs a microsecond of its own
        arrays: dict[str, Any] = {
            name: np.asarray(np.load(folder / split / f"{file}.npy", mmap_mode="r")) for name, file in _ARRAYS.items()
        }
        splits[split] = EncodedSplit(**examples, **arrays, is_tagging=meta.kind == "ner")
    return meta, splits


def bounds_of(lengths: Sequence[int] | IntArray) -> IntArray:
    """Where parts of these lengths begin, one after the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """``concatenate([arange(s, s + n) for s, n in zip(starts, lengths)])``."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - lengths), lengths))
