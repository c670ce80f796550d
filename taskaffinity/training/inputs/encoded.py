"""Store a task's tokens as flat arrays, memory-mapped from a cache on disk.

A *row* is one input sequence of the encoder; an *example* is one scored item. Each example is one row, except in
tagging, where a long sentence has several rows (``tokenize.py`` splits it). Tokens reveal the text. The cache is
therefore outside the results folder, and only its owner can read it. Each task's folder is sealed with the hashes of
its files (``training.checksums``), because arrays that were cut or exchanged can still be read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Kind, Split, Task
from taskaffinity.training.checksums import is_intact, seal

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
"""By field of ``EncodedSplit``: the name of the array's file in the cache."""
_VERSION = 4
TOKEN_CLASSES = ("X", "CLS", "SEP")
"""Classes of the released code for tokens that begin no word: they continue a word, or are the first or last token."""


@dataclass(frozen=True)
class TaskMeta:
    """The properties of a task that training needs, without its arrays."""

    name: str
    kind: Kind
    outputs: tuple[str, ...]
    """Classes, or tags (``O``, ``B-x``, ``I-x``, ...), in the order of the head's outputs; empty for similarity."""
    scored: tuple[str, ...]
    """The labels that the metric counts."""
    metric_name: str
    missed: Mapping[Split, int] = field(default_factory=dict)
    """By split, the number of gold relations without an example; empty if unknown."""
    token_classes: tuple[str, ...] = ()
    """Classes that follow ``outputs`` in the training loss only (``TOKEN_CLASSES``); empty by default."""

    @property
    def negative(self) -> str | None:
        """The class that is trained but not scored; None if there is none."""
        return next((label for label in self.outputs if label not in self.scored), None) if self.kind != "ner" else None


@dataclass(frozen=True)
class EncodedSplit:
    """One split of one task, as flat arrays (memory-mapped from the cache)."""

    ids: Sequence[str]  # (n_examples,)
    gold: Sequence[Any]  # (n_examples,) labels in the metric's form
    documents: Sequence[str]  # (n_examples,) hashes of document names; empty strings if unknown
    tokens: npt.NDArray[np.int32]  # (T,)
    token_types: npt.NDArray[np.int8]  # (T,)
    bounds: IntArray  # (n_rows + 1,) row i has the tokens bounds[i]:bounds[i + 1]
    examples_of_rows: IntArray  # (n_rows,) number of each row's example
    targets: npt.NDArray[Any]  # (n_examples,) scores or classes; (n_words,) tags for tagging
    word_positions: npt.NDArray[np.int32]  # (n_words,) position of each word's first token in its row
    word_numbers: npt.NDArray[np.int32]  # (n_words,) number of each word in its sentence
    word_bounds: IntArray  # (n_rows + 1,) row i has the words word_bounds[i]:word_bounds[i + 1]
    is_tagging: bool

    @property
    def n_rows(self) -> int:
        return len(self.bounds) - 1

    @property
    def n_examples(self) -> int:
        return len(self.ids)

    def sample(self, n: int | None, seed: int) -> EncodedSplit:
        """A random sample of ``n`` examples with all their rows, in the original order.

        The whole split if ``n`` is None or the split has no more than ``n`` examples.
        """
        if n is None or n >= self.n_examples:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(self.n_examples, n, replace=False)))

    def downsample_negatives(self, negative: str, ratio: float, seed: int) -> EncodedSplit:
        """Keep all positive examples and a random sample of the negative ones.

        Parameters
        ----------
        negative : str
            The negative class.
        ratio : float
            Negative examples per positive example, at most. At least one negative example stays.
        """
        is_negative = np.array([label == negative for label in self.gold])
        negatives, others = np.flatnonzero(is_negative), np.flatnonzero(~is_negative)
        n = min(len(negatives), max(1, round(ratio * len(others))))
        sample = np.random.default_rng(seed).choice(negatives, n, replace=False) if len(negatives) else negatives
        return self.take(np.sort(np.concatenate([others, sample])))

    def label_every_token(self, n_tags: int) -> EncodedSplit:
        """Tagged sentences in which every token is a word with a target, as the released code trains them.

        The first token of a word keeps its tag. All other tokens have the classes ``TOKEN_CLASSES``.

        Parameters
        ----------
        n_tags : int
            Number of tags; the other classes follow them.
        """
        continuation, first, last = range(n_tags, n_tags + len(TOKEN_CLASSES))
        starts = self.bounds[:-1]
        targets = np.full(len(self.tokens), continuation, dtype=np.int64)
        targets[starts], targets[self.bounds[1:] - 1] = first, last
        targets[np.repeat(starts, np.diff(self.word_bounds)) + self.word_positions] = self.targets
        positions = (np.arange(len(self.tokens)) - np.repeat(starts, np.diff(self.bounds))).astype(np.int32)
        return replace(self, targets=targets, word_positions=positions, word_numbers=positions, word_bounds=self.bounds)

    def split_half(self, seed: int) -> tuple[EncodedSplit, EncodedSplit]:
        """Two random halves of the examples; the first has one more if the number is odd.

        Raises
        ------
        InputError
            If there are fewer than two examples.
        """
        if self.n_examples < 2:
            raise InputError(
                f"{self.n_examples} training example(s); a positive control splits them in two, so it needs at least 2"
            )
        order = np.random.default_rng(seed).permutation(self.n_examples)
        middle = (self.n_examples + 1) // 2
        return self.take(np.sort(order[:middle])), self.take(np.sort(order[middle:]))

    def take(self, chosen: IntArray) -> EncodedSplit:
        """The examples with these numbers, in ascending order, with all their rows."""
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
    """The properties of a task that training needs."""
    outputs = task.labels
    if task.kind == "ner":
        outputs = ("O", *(f"{prefix}-{label}" for label in task.labels for prefix in "BI"))
    return TaskMeta(task.name, task.kind, outputs, task.scored, task.metric_name, dict(task.missed))


def meta_of(content: Mapping[str, Any]) -> TaskMeta:
    """Rebuild a ``TaskMeta`` from its JSON object."""
    lists = {name: tuple(content.get(name, ())) for name in ("outputs", "scored", "token_classes")}
    return TaskMeta(**{**content, **lists})


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
    beside = folder.with_name(f".{folder.name}")
    _remove(beside)
    beside.mkdir(mode=0o700)
    (beside / "task.json").write_text(json.dumps(asdict(meta)), encoding="utf-8")
    for split, encoded in splits:
        (beside / split).mkdir(mode=0o700)
        for name, file in _ARRAYS.items():
            np.save(beside / split / f"{file}.npy", getattr(encoded, name))
        content = json.dumps({"ids": encoded.ids, "gold": encoded.gold, "documents": encoded.documents})
        (beside / split / "examples.json").write_text(content, encoding="utf-8")
    seal(beside, folder.name)
    _remove(folder)
    beside.rename(folder)


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


def bounds_of(lengths: Sequence[int] | IntArray) -> IntArray:
    """Bounds of consecutive parts with these lengths, ``(n + 1,)``: from 0 to the sum."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """The ranges ``s, ..., s + n - 1`` of all starts ``s`` and lengths ``n``, concatenated."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - lengths), lengths))
