"""Tokenize the examples of a task, once per corpus and tokenizer.

A tagged sentence of more than ``max_words`` words is split into several rows:

* In train, a row ends after the last ``O`` tag among the next ``max_words`` words, so that no mention is split (the
  paper's rule). Without an ``O`` tag, it ends after ``max_words`` words.
* In dev and test, a row ends after the last punctuation mark among them, because a split at a gold ``O`` would leak
  gold tags. A mention across such a split counts as missed.
* Dev examples that are trained on are split by the rule of train. Their scored copies are split as in test.

Words beyond ``max_length`` tokens are predicted ``O``. A word without tokens is replaced by the unknown token, so that
every word has a first token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from taskaffinity.private import private_folder
from taskaffinity.tasks.task import SCORE_KINDS, Example, Split, Task, tags_of
from taskaffinity.training.checksums import is_intact
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, bounds_of, task_meta
from taskaffinity.training.inputs.encoded_cache import write_encoded


def encode_task(
    task: Task,
    tokenizer: Any,
    folder: Path,
    *,
    max_length: int,
    max_words: int,
    trains_on_dev: bool = False,
    reversed_pairs: bool = False,
) -> None:
    """Write a task's arrays to ``folder`` unless they are there and intact.

    Parameters
    ----------
    trains_on_dev : bool
        Whether the training split holds the examples of train and then those of dev.
    reversed_pairs : bool
        Whether the second text of a pair is read before the first.
    """
    private_folder(folder.parent)
    with FileLock(f"{folder}.lock"):
        if not is_intact(folder):
            meta = task_meta(task)
            examples_of = dict(task.examples)
            if trains_on_dev:
                examples_of["train"] = (*examples_of["train"], *examples_of["dev"])
            if reversed_pairs:
                examples_of = {split: tuple(map(_reversed, examples)) for split, examples in examples_of.items()}
            splits = (
                (split, encode_examples(examples, tokenizer, meta, max_length, max_words, is_train=split == "train"))
                for split, examples in examples_of.items()
            )
            write_encoded(folder, meta, splits)


def encode_examples(
    examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int, max_words: int, *, is_train: bool
) -> EncodedSplit:
    """Tokenize the examples of one task.

    Parameters
    ----------
    is_train : bool
        Which of the two rules splits long sentences of a tagging task.
    """
    if meta.kind == "ner":
        return _encode_tagging(examples, tokenizer, meta, max_length, max_words, is_train=is_train)
    return _encode_sentences(examples, tokenizer, meta, max_length)


def _encode_sentences(examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int) -> EncodedSplit:
    encoded = _tokenized(
        examples, tokenizer, truncation="longest_first", max_length=max_length, return_token_type_ids=True
    )
    if meta.kind in SCORE_KINDS:
        targets: npt.NDArray[Any] = np.array([example.label for example in examples], dtype=np.float32)
    elif meta.kind == "multilabel":
        targets = np.array(
            [[float(label in tags_of(example)) for label in meta.outputs] for example in examples], dtype=np.float32
        ).reshape(len(examples), len(meta.outputs))
    else:
        number = {label: i for i, label in enumerate(meta.outputs)}
        targets = np.array([number[str(example.label)] for example in examples], dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int32)
    return EncodedSplit(
        ids=[example.id for example in examples],
        gold=[list(example.label) if isinstance(example.label, tuple) else example.label for example in examples],
        documents=[_document_hash(example.document) for example in examples],
        tokens=_flat(encoded["input_ids"], np.int32),
        token_types=_flat(encoded["token_type_ids"], np.int8),
        bounds=bounds_of([len(row) for row in encoded["input_ids"]]),
        examples_of_rows=np.arange(len(examples)),
        targets=targets,
        word_positions=nothing,
        word_numbers=nothing,
        word_bounds=np.zeros(len(examples) + 1, dtype=np.int64),
        is_tagging=False,
    )


def _tokenized(examples: Sequence[Example], tokenizer: Any, **options: Any) -> dict[str, list[list[int]]]:
    """Token ids and token types of each example, from its two texts or its only text."""
    rows_of: dict[str, list[list[int]]] = {
        "input_ids": [[] for _ in examples],
        "token_type_ids": [[] for _ in examples],
    }
    for are_pairs in (False, True):
        numbers = [number for number, example in enumerate(examples) if (example.text_pair is not None) == are_pairs]
        if numbers:
            texts = [examples[number].text for number in numbers]
            seconds = [examples[number].text_pair for number in numbers] if are_pairs else None
            encoded = tokenizer(texts, seconds, return_attention_mask=False, **options)
            for name in rows_of.keys() & encoded.keys():
                for number, row in zip(numbers, encoded[name], strict=True):
                    rows_of[name][number] = row
    return rows_of


def _reversed(example: Example) -> Example:
    if example.text_pair is None:
        return example
    return replace(example, text=example.text_pair, text_pair=example.text)


def _document_hash(document: str) -> str:
    """A hash of a document's name, because a user may name a document by its text."""
    return document and hashlib.sha256(document.encode()).hexdigest()[:16]


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
        gold = tags_of(examples[example_number])
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
        gold=[list(tags_of(example)) for example in examples],
        documents=[_document_hash(example.document) for example in examples],
        tokens=_flat(encoded["input_ids"], np.int32),
        token_types=_flat(encoded["token_type_ids"], np.int8),
        bounds=bounds_of([len(row) for row in encoded["input_ids"]]),
        examples_of_rows=np.array([number for number, _, _ in rows]),
        targets=np.array(tags, dtype=np.int64),
        word_positions=np.array(positions, dtype=np.int32),
        word_numbers=np.array(numbers, dtype=np.int32),
        word_bounds=bounds_of(n_words),
        is_tagging=True,
    )


def token_counts(task: Task, split: Split, tokenizer: Any, max_words: int) -> list[int]:
    """Number of tokens of each example, with special tokens and without truncation.

    For a tagged sentence, the number of its longest row.
    """
    examples = task.examples[split]
    if task.kind != "ner":
        return [len(row) for row in _tokenized(examples, tokenizer, verbose=False)["input_ids"]]
    words_of = _without_empty_words(examples, tokenizer)
    rows = _rows(examples, max_words, is_train=split == "train")
    texts = [words_of[number][first:last] for number, first, last in rows]
    longest = [0] * len(examples)
    encoded = tokenizer(texts, is_split_into_words=True, return_attention_mask=False, verbose=False)
    for (number, _, _), row in zip(rows, encoded["input_ids"], strict=True):
        longest[number] = max(longest[number], len(row))
    return longest


def cut_sentence(may_cut: Sequence[bool], max_words: int) -> list[tuple[int, int]]:
    """Split a sentence into ranges of at most ``max_words`` words.

    Each range but the last ends after the last word that may end one, or after ``max_words`` words if none may.

    Parameters
    ----------
    may_cut : (n_words,) sequence of bool
        Whether a range may end after each word.

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
    """For each row of tagged sentences: the number of its example, its first word, its last word + 1."""
    rows: list[tuple[int, int, int]] = []
    for number, example in enumerate(examples):
        may_cut = [tag == "O" for tag in tags_of(example)] if is_train else [not _has_letter(w) for w in example.words]
        rows += [(number, first, last) for first, last in cut_sentence(may_cut, max_words)]
    return rows


def _without_empty_words(examples: Sequence[Example], tokenizer: Any) -> list[list[str]]:
    """Words of each example, with the unknown token for every word that has no tokens."""
    distinct = sorted({word for example in examples for word in example.words})
    tokens = tokenizer([[word] for word in distinct], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    empty = {word for word, ids in zip(distinct, tokens, strict=True) if not ids}
    unknown = tokenizer.unk_token
    return [[unknown if word in empty else word for word in example.words] for example in examples]


def _has_letter(word: str) -> bool:
    return any(character.isalnum() for character in word)


def _flat(rows: Sequence[Sequence[int]], dtype: type[np.signedinteger[Any]]) -> npt.NDArray[Any]:
    return np.fromiter((value for row in rows for value in row), dtype=dtype)
