"""Tokenize the examples of a task, once per corpus and tokenizer.

A text of more than ``max_length`` tokens is truncated, or is read in windows (``windows.py``), as the task's
``Reading`` says. Lengths of ``Reading`` override the recipe's.

A long tagged sentence is first split into several rows (``sentence_rows.py``). Without windows, words beyond
``max_length`` tokens are predicted ``O``. A word without tokens is replaced by the unknown token, so that every word
has a first token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from taskaffinity.private import private_folder
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS
from taskaffinity.tasks.reading import Reading, Side
from taskaffinity.tasks.task import Example, Split, Task, tags_of
from taskaffinity.training.checksums import is_intact
from taskaffinity.training.inputs.answers import encode_answers
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, task_meta
from taskaffinity.training.inputs.encoded_cache import write_encoded
from taskaffinity.training.inputs.sentence_rows import sentence_rows, words_per_row
from taskaffinity.training.inputs.token_rows import TokenRow, WordsOfRows, split_of_rows
from taskaffinity.training.inputs.windows import sentence_windows, tagging_windows


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
    """Write a task's arrays to ``folder`` unless it already has them intact.

    Parameters
    ----------
    trains_on_dev : bool
        Whether the training split has the examples of train, then those of dev.
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
            is_reversed = reversed_pairs and TRAITS[meta.kind].texts_swap
            if is_reversed:
                examples_of = {split: tuple(map(_reversed, examples)) for split, examples in examples_of.items()}
            read = _reversed_reading(meta) if is_reversed else meta
            splits = (
                (split, encode_examples(examples, tokenizer, read, max_length, max_words, is_train=split == "train"))
                for split, examples in examples_of.items()
            )
            write_encoded(folder, meta, splits)


def encode_examples(
    examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int, max_words: int, *, is_train: bool
) -> EncodedSplit:
    """Tokenize the examples of one task.

    Parameters
    ----------
    max_length, max_words : int
        The recipe's settings.
    is_train : bool
        Whether long tagged sentences are split by the rule of train, or by that of dev and test.
    """
    max_length = meta.reading.max_length or max_length
    form = TRAITS[meta.kind].label
    if form == "answers":
        return encode_answers(examples, tokenizer, meta, max_length)
    if form == "tags":
        return _encode_tagging(examples, tokenizer, meta, max_length, max_words, is_train=is_train)
    return _encode_sentences(examples, tokenizer, meta, max_length)


def _encode_sentences(examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int) -> EncodedSplit:
    inputs = [_inputs(example) for example in examples]
    encoded = iter(_tokenized([one for some in inputs for one in some], tokenizer, meta.reading, max_length))
    rows_of = [[row for _ in some for row in next(encoded)] for some in inputs]
    rows = [row for of_example in rows_of for row in of_example]
    form = TRAITS[meta.kind].label
    if form == "score":
        targets: npt.NDArray[Any] = np.array([example.label for example in examples], dtype=np.float32)
    elif form == "classes":
        targets = np.array(
            [[float(label in tags_of(example)) for label in meta.outputs] for example in examples], dtype=np.float32
        ).reshape(len(examples), len(meta.outputs))
    else:
        number = {label: i for i, label in enumerate(meta.outputs)}
        targets = np.array([number[str(example.label)] for example in examples], dtype=np.int64)
    gold = [list(example.label) if isinstance(example.label, tuple) else example.label for example in examples]
    of_rows = np.repeat(np.arange(len(examples)), list(map(len, rows_of)))
    return split_of_rows(examples, rows, of_rows, gold, targets, n_options=meta.n_options)


def _tokenized(examples: Sequence[Example], tokenizer: Any, reading: Reading, max_length: int) -> list[list[TokenRow]]:
    """Return the rows of each example: one, or one per window."""
    rows_of: list[list[TokenRow]] = [[] for _ in examples]
    options: dict[str, Any] = {"return_attention_mask": False, "return_token_type_ids": True}
    options |= {"verbose": False} if reading.has_windows else {"truncation": "longest_first", "max_length": max_length}
    for numbers, texts in _by_texts(examples):
        encoded = tokenizer(*texts, **options)
        for i, number in enumerate(numbers):
            row = TokenRow(encoded["input_ids"][i], encoded["token_type_ids"][i])
            if reading.has_windows and len(row.tokens) > max_length:
                windows = sentence_windows(encoded.sequence_ids(i), max_length, reading)
                rows_of[number] = [row.at(places) for places in windows]
            else:
                rows_of[number] = [row]
    return rows_of


def _inputs(example: Example) -> list[Example]:
    """Return the texts that are read for an example: its own, or those with each option.

    An option follows the second text if there is one, as a question before its answers.
    """
    if not example.options:
        return [example]
    before = "" if example.text_pair is None else f"{example.text_pair} "
    return [replace(example, text_pair=f"{before}{option}", options=()) for option in example.options]


def _by_texts(examples: Sequence[Example]) -> Iterator[tuple[list[int], tuple[list[str], ...]]]:
    """Yield numbers and texts of the examples with one text, then of those with two."""
    alone = [number for number, example in enumerate(examples) if example.text_pair is None]
    if alone:
        yield alone, ([examples[number].text for number in alone],)
    paired = [(number, example.text_pair) for number, example in enumerate(examples) if example.text_pair is not None]
    if paired:
        yield [number for number, _ in paired], ([examples[n].text for n, _ in paired], [other for _, other in paired])


def _reversed(example: Example) -> Example:
    if example.text_pair is None:
        return example
    return replace(example, text=example.text_pair, text_pair=example.text)


def _reversed_reading(meta: TaskMeta) -> TaskMeta:
    """Return the task for reversed pairs, in which the same text is windowed."""
    side: Side = "text" if meta.reading.windowed == "text_pair" else "text_pair"
    return replace(meta, reading=replace(meta.reading, windowed=side))


def _encode_tagging(
    examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int, max_words: int, *, is_train: bool
) -> EncodedSplit:
    words_of, has_windows = _without_empty_words(examples, tokenizer), meta.reading.has_windows
    ranges = sentence_rows(examples, words_per_row(meta.reading, max_words), is_train=is_train)
    encoded = tokenizer(
        [words_of[number][first:last] for number, first, last in ranges],
        is_split_into_words=True,
        return_token_type_ids=True,
        return_attention_mask=False,
        **({"verbose": False} if has_windows else {"truncation": True, "max_length": max_length}),
    )
    tag_number = {tag: i for i, tag in enumerate(meta.outputs)}
    rows: list[TokenRow] = []
    example_of_row, n_words = [], []
    positions, numbers, tags = [], [], []
    for i, (example_number, first, _) in enumerate(ranges):
        gold = tags_of(examples[example_number])
        row = TokenRow(encoded["input_ids"][i], encoded["token_type_ids"][i])
        for window in tagging_windows(encoded.word_ids(i), max_length, meta.reading):
            rows.append(row.at(window.tokens))
            read = (first + window.words).tolist()
            positions += window.positions.tolist()
            numbers += read
            tags += [tag_number[gold[word]] for word in read]
            example_of_row.append(example_number)
            n_words.append(len(read))
    gold_tags = [list(tags_of(example)) for example in examples]
    words_of_rows = WordsOfRows(positions, numbers, n_words)
    return split_of_rows(
        examples, rows, np.array(example_of_row), gold_tags, np.array(tags, dtype=np.int64), words_of_rows
    )


def token_counts(task: Task, split: Split, tokenizer: Any, max_words: int) -> list[int]:
    """Return the number of tokens of each example, with special tokens, untruncated.

    For a tagged sentence, or an example with options, it is the number of its longest row.
    """
    examples = task.examples[split]
    longest = [0] * len(examples)
    if task.kind not in TAG_KINDS:
        inputs = [(number, one) for number, example in enumerate(examples) for one in _inputs(example)]
        for places, of_inputs in _by_texts([one for _, one in inputs]):
            encoded = tokenizer(*of_inputs, return_attention_mask=False, verbose=False)
            for place, row in zip(places, encoded["input_ids"], strict=True):
                number, _ = inputs[place]
                longest[number] = max(longest[number], len(row))
        return longest
    words_of = _without_empty_words(examples, tokenizer)
    rows = sentence_rows(examples, words_per_row(task.reading, max_words), is_train=split == "train")
    texts = [words_of[number][first:last] for number, first, last in rows]
    encoded = tokenizer(texts, is_split_into_words=True, return_attention_mask=False, verbose=False)
    for (number, _, _), row in zip(rows, encoded["input_ids"], strict=True):
        longest[number] = max(longest[number], len(row))
    return longest


def side_counts(examples: Sequence[Example], tokenizer: Any, max_length: int) -> dict[Side, tuple[list[int], int]]:
    """Return the number of tokens of each side of the pairs, untruncated, and of how many pairs the side is cut.

    Special tokens do not count. The result is empty if no example is a pair; options are no second texts.
    """
    pairs = [(example.text, example.text_pair) for example in examples if example.text_pair and not example.options]
    if not pairs:
        return {}

    def tokens(some: Sequence[tuple[str, str]], **options: Any) -> npt.NDArray[np.int64]:
        encoded = tokenizer(*map(list, zip(*some, strict=True)), return_attention_mask=False, verbose=False, **options)
        sides = (encoded.sequence_ids(i) for i in range(len(some)))
        return np.array([[of.count(0), of.count(1), len(of)] for of in sides])

    whole = tokens(pairs)
    longer = np.flatnonzero(whole[:, 2] > max_length)
    n_cut = np.zeros(2, dtype=int)
    if len(longer):
        kept = tokens([pairs[i] for i in longer], truncation="longest_first", max_length=max_length)
        n_cut = (kept < whole[longer])[:, :2].sum(axis=0)
    return {
        "text": (whole[:, 0].tolist(), int(n_cut[0])),
        "text_pair": (whole[:, 1].tolist(), int(n_cut[1])),
    }


def _without_empty_words(examples: Sequence[Example], tokenizer: Any) -> list[list[str]]:
    """Return the words of each example, with the unknown token for words without tokens."""
    distinct = sorted({word for example in examples for word in example.words})
    tokens = tokenizer([[word] for word in distinct], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    empty = {word for word, ids in zip(distinct, tokens, strict=True) if not ids}
    unknown = tokenizer.unk_token
    return [[unknown if word in empty else word for word in example.words] for example in examples]
