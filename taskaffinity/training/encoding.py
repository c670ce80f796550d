"""Examples as word pieces: flat arrays in a cache on disk, made once for each corpus and tokenizer.

A *row* is one sequence that the encoder sees, an *example* is what is scored. They are the same but for tagging,
where a sentence of more than ``max_words`` words becomes several rows:

* for training it is cut after the last ``O`` tag among its next ``max_words`` words, so that no mention is cut (the
  paper's rule; where there is no ``O``, after ``max_words``);
* for dev and test it is cut after the last punctuation mark, for a cut at a gold ``O`` would tell the tagger where no
  mention can be. Mentions that cross such a cut can be missed, and count as missed.

Words beyond ``max_length`` word pieces are predicted ``O``. A word that the tokenizer makes nothing of becomes its
unknown piece, so that every word has a first piece. The cache holds word pieces, which is text: it lies outside the
results folder, readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from taskaffinity.tasks.task import SPLITS, BadInput, Example, Kind, Split, Task

IntArray = npt.NDArray[np.int64]

_ARRAYS = (
    "pieces",
    "token_types",
    "bounds",
    "examples_of_rows",
    "targets",
    "word_positions",
    "word_numbers",
    "word_bounds",
)
_VERSION = 3


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
    pieces: npt.NDArray[np.int32]  # (T,)
    token_types: npt.NDArray[np.int8]  # (T,)
    bounds: IntArray  # (n_rows + 1,) where each row's pieces begin
    examples_of_rows: IntArray  # (n_rows,)
    targets: npt.NDArray[Any]  # (n_examples,) scores or classes; (n_words,) tags for tagging
    word_positions: npt.NDArray[np.int32]  # (n_words,) a word's first piece, counted from its row's beginning
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

    def thinned(self, negative: str, ratio: float, seed: int) -> EncodedSplit:
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
            pieces=both("pieces"),
            token_types=both("token_types"),
            bounds=following("bounds"),
            examples_of_rows=np.concatenate([self.examples_of_rows, self.n_examples + other.examples_of_rows]),
            targets=both("targets"),
            word_positions=both("word_positions"),
            word_numbers=both("word_numbers"),
            word_bounds=following("word_bounds"),
            is_tagging=self.is_tagging,
        )

    def halves(self, seed: int) -> tuple[EncodedSplit, EncodedSplit]:
        """All examples, dealt out to two splits by ``seed``; the first has one more where they are odd.

        Raises
        ------
        BadInput
            If there is one example alone.
        """
        if self.n_examples < 2:
            raise BadInput("one training example has no halves: this task can have no positive control")
        order = np.random.default_rng(seed).permutation(self.n_examples)
        middle = (self.n_examples + 1) // 2
        return self.take(np.sort(order[:middle])), self.take(np.sort(order[middle:]))

    def take(self, chosen: IntArray) -> EncodedSplit:
        """The examples of these numbers (ascending), with all their rows."""
        rows = np.flatnonzero(np.isin(self.examples_of_rows, chosen))
        pieces = _gather(self.bounds, rows)
        words = _gather(self.word_bounds, rows)
        return EncodedSplit(
            ids=[self.ids[i] for i in chosen],
            gold=[self.gold[i] for i in chosen],
            pieces=self.pieces[pieces],
            token_types=self.token_types[pieces],
            bounds=_bounds(np.diff(self.bounds)[rows]),
            examples_of_rows=np.searchsorted(chosen, self.examples_of_rows[rows]),
            targets=self.targets[words] if self.is_tagging else self.targets[chosen],
            word_positions=self.word_positions[words],
            word_numbers=self.word_numbers[words],
            word_bounds=_bounds(np.diff(self.word_bounds)[rows]),
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


def encode_task(task: Task, tokenizer: Any, folder: Path, *, max_length: int, max_words: int) -> None:
    """Write a task's arrays to ``folder``, unless they are there. Whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(f"{folder}.lock"):
        if folder.is_dir():
            return
        beside = folder.with_name(f".{folder.name}")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700)
        meta = task_meta(task)
        (beside / "task.json").write_text(json.dumps(asdict(meta)), encoding="utf-8")
        for split, examples in task.examples.items():
            encoded = encode_examples(examples, tokenizer, meta, max_length, max_words, is_train=split == "train")
            (beside / split).mkdir()
            for name in _ARRAYS:
                np.save(beside / split / f"{name}.npy", getattr(encoded, name))
            content = json.dumps({"ids": encoded.ids, "gold": encoded.gold})
            (beside / split / "examples.json").write_text(content, encoding="utf-8")
        beside.rename(folder)


def read_encoded(folder: Path) -> tuple[TaskMeta, dict[Split, EncodedSplit]]:
    """What ``encode_task`` wrote; the arrays are memory-mapped."""
    content = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    meta = meta_of(content)
    splits: dict[Split, EncodedSplit] = {}
    for split in SPLITS:
        examples = json.loads((folder / split / "examples.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / split / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        splits[split] = EncodedSplit(**examples, **arrays, is_tagging=meta.kind == "ner")
    return meta, splits


def encode_examples(
    examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int, max_words: int, *, is_train: bool
) -> EncodedSplit:
    """Examples of one task as arrays; sentences of a tagging task are cut as the split wants it."""
    if meta.kind == "ner":
        return _encode_tagging(examples, tokenizer, meta, max_length, max_words, is_train=is_train)
    return _encode_sentences(examples, tokenizer, meta, max_length)


def _encode_sentences(examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int) -> EncodedSplit:
    has_pairs = any(example.text_pair is not None for example in examples)
    encoded = tokenizer(
        [example.text for example in examples],
        [example.text_pair or "" for example in examples] if has_pairs else None,
        truncation="longest_first",
        max_length=max_length,
        return_token_type_ids=True,
        return_attention_mask=False,
    )
    if meta.kind == "similarity":
        targets: npt.NDArray[Any] = np.array([example.label for example in examples], dtype=np.float32)
    else:
        number = {label: i for i, label in enumerate(meta.outputs)}
        targets = np.array([number[str(example.label)] for example in examples], dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int32)
    return EncodedSplit(
        ids=[example.id for example in examples],
        gold=[example.label for example in examples],
        pieces=_flat(encoded["input_ids"], np.int32),
        token_types=_flat(encoded["token_type_ids"], np.int8),
        bounds=_bounds([len(row) for row in encoded["input_ids"]]),
        examples_of_rows=np.arange(len(examples)),
        targets=targets,
        word_positions=nothing,
        word_numbers=nothing,
        word_bounds=np.zeros(len(examples) + 1, dtype=np.int64),
        is_tagging=False,
    )


def _encode_tagging(
    examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int, max_words: int, *, is_train: bool
) -> EncodedSplit:
    words_of = _without_empty_words(examples, tokenizer)
    rows = _rows(examples, max_words, is_train=is_train)
    encoded = tokenizer(
        [words_of[number][first:last] for number, first, last in rows],
        is_split_into_words=True,
        truncation=True,
        max_length=max_length,
        return_token_type_ids=True,
        return_attention_mask=False,
    )
    tag_number = {tag: i for i, tag in enumerate(meta.outputs)}
    positions: list[int] = []
    numbers: list[int] = []
    tags: list[int] = []
    n_words: list[int] = []
    for row, (example_number, first, _) in enumerate(rows):
        gold = _tags(examples[example_number])
        before, seen = None, 0
        for position, word in enumerate(encoded.word_ids(row)):
            if word is not None and word != before:
                positions.append(position)
                numbers.append(first + word)
                tags.append(tag_number[gold[first + word]])
                seen += 1
            before = word
        n_words.append(seen)
    return EncodedSplit(
        ids=[example.id for example in examples],
        gold=[list(_tags(example)) for example in examples],
        pieces=_flat(encoded["input_ids"], np.int32),
        token_types=_flat(encoded["token_type_ids"], np.int8),
        bounds=_bounds([len(row) for row in encoded["input_ids"]]),
        examples_of_rows=np.array([number for number, _, _ in rows]),
        targets=np.array(tags, dtype=np.int64),
        word_positions=np.array(positions, dtype=np.int32),
        word_numbers=np.array(numbers, dtype=np.int32),
        word_bounds=_bounds(n_words),
        is_tagging=True,
    )


def n_pieces(task: Task, split: Split, tokenizer: Any, max_words: int) -> list[int]:
    """Word pieces of each example, uncut and with the special ones; of a tagged sentence those of its longest row."""
    examples = task.examples[split]
    options = {"return_attention_mask": False, "verbose": False}
    if task.kind != "ner":
        pairs = [example.text_pair or "" for example in examples]
        encoded = tokenizer([example.text for example in examples], pairs if any(pairs) else None, **options)
        return [len(row) for row in encoded["input_ids"]]
    words_of = _without_empty_words(examples, tokenizer)
    rows = _rows(examples, max_words, is_train=split == "train")
    texts = [words_of[number][first:last] for number, first, last in rows]
    longest = [0] * len(examples)
    for (number, _, _), row in zip(
        rows, tokenizer(texts, is_split_into_words=True, **options)["input_ids"], strict=True
    ):
        longest[number] = max(longest[number], len(row))
    return longest


def cut_sentence(may_cut: Sequence[bool], max_words: int) -> list[tuple[int, int]]:
    """Ranges of at most ``max_words`` words, each but the last ending after the last word that may end one.

    Where no word of a range may, it ends after ``max_words``.

    Examples
    --------
    >>> cut_sentence([False, True, False, False, False], 3)
    [(0, 2), (2, 5)]
    """
    ranges: list[tuple[int, int]] = []
    first = 0
    while len(may_cut) - first > max_words:
        ends = [i + 1 for i in range(first, first + max_words) if may_cut[i]]
        ranges.append((first, ends[-1] if ends else first + max_words))
        first = ranges[-1][1]
    ranges.append((first, len(may_cut)))
    return ranges


def _rows(examples: Sequence[Example], max_words: int, *, is_train: bool) -> list[tuple[int, int, int]]:
    """Of each row of tagged sentences: the example, its first word, its last word + 1."""
    rows: list[tuple[int, int, int]] = []
    for number, example in enumerate(examples):
        may_cut = [tag == "O" for tag in _tags(example)] if is_train else [not _has_letter(w) for w in example.words]
        rows += [(number, first, last) for first, last in cut_sentence(may_cut, max_words)]
    return rows


def _without_empty_words(examples: Sequence[Example], tokenizer: Any) -> list[list[str]]:
    distinct = sorted({word for example in examples for word in example.words})
    pieces = tokenizer([[word] for word in distinct], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    empty = {word for word, ids in zip(distinct, pieces, strict=True) if not ids}
    unknown = tokenizer.unk_token
    return [[unknown if word in empty else word for word in example.words] for example in examples]


def _tags(example: Example) -> tuple[str, ...]:
    if not isinstance(example.label, tuple):
        raise TypeError(f"example {example.id}: a tagging task has one tag a word")
    return example.label


def _has_letter(word: str) -> bool:
    return any(character.isalnum() for character in word)


def _flat(rows: Sequence[Sequence[int]], dtype: type[np.signedinteger[Any]]) -> npt.NDArray[Any]:
    return np.fromiter((value for row in rows for value in row), dtype=dtype)


def _bounds(lengths: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _gather(bounds: IntArray, rows: IntArray) -> IntArray:
    return np.concatenate([np.arange(bounds[r], bounds[r + 1]) for r in rows] or [np.zeros(0, dtype=np.int64)])
