"""Encode and decode extractive question answering: the head reads the first token and those of the second text.

The first token stands for *no answer*. A row whose text does not have the whole answer has none: the text was cut, or
the row is another window. Several gold answers count in evaluation; the first of them is learned.
"""

# W tokens of a row that the head reads: the first one, then those of the context

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.answers import parse_place, place_of
from taskaffinity.tasks.task import Example, tags_of
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta
from taskaffinity.training.inputs.token_rows import TokenRow, WordsOfRows, split_of_rows
from taskaffinity.training.inputs.windows import sentence_windows

START, END = 1, 2
"""Target of the first and of the last token of the answer; their sum if it has one token."""
_BITS = 32


def encode_answers(examples: Sequence[Example], tokenizer: Any, meta: TaskMeta, max_length: int) -> EncodedSplit:
    """Tokenize questions, each with the text that may answer it.

    A longer text is cut at its end, or read in windows; each window is a row with the question.
    """
    has_windows = meta.reading.has_windows
    encoded = tokenizer(
        [example.text for example in examples],
        [example.text_pair for example in examples],
        return_offsets_mapping=True,
        return_token_type_ids=True,
        return_attention_mask=False,
        **({"verbose": False} if has_windows else {"truncation": "longest_first", "max_length": max_length}),
    )
    rows: list[TokenRow] = []
    example_of_row, positions, packed, targets = [], [], [], []
    for number, example in enumerate(examples):
        whole = TokenRow(encoded["input_ids"][number], encoded["token_type_ids"][number])
        texts = encoded.sequence_ids(number)
        windows = sentence_windows(texts, max_length, meta.reading) if has_windows else [np.arange(len(texts))]
        offsets = _without_blanks(example.text_pair or "", encoded["offset_mapping"][number])
        for window in windows:
            read = [place for place, token in enumerate(window.tolist()) if place == 0 or texts[token] == 1]
            of_row = packed_characters([offsets[window[place]] if place else (0, 0) for place in read])
            rows.append(whole.at(window))
            example_of_row.append(number)
            positions += read
            packed.append(of_row)
            targets.append(answer_targets(of_row, tags_of(example)))
    gold = [[example.text_pair or "", *tags_of(example)] for example in examples]
    words = WordsOfRows(positions, np.concatenate(packed), list(map(len, packed)))
    return split_of_rows(examples, rows, np.array(example_of_row), gold, np.concatenate(targets), words)


def _without_blanks(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the characters of tokens without white space at their start, which some tokenizers count."""
    found = []
    for start, end in offsets:
        n_blanks = len(text[start:end]) - len(text[start:end].lstrip())
        found.append((start + n_blanks, end) if n_blanks < end - start else (start, end))
    return found


def packed_characters(offsets: Sequence[tuple[int, int]]) -> IntArray:
    """Return the first character and the last + 1 of tokens, as one number each, (W,)."""
    found = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    return np.asarray((found[:, 0] << _BITS) + found[:, 1])


def characters(packed: npt.NDArray[np.integer[Any]]) -> tuple[IntArray, IntArray]:
    """Invert ``packed_characters``: return starts and ends, (W,)."""
    return packed >> _BITS, packed & ((1 << _BITS) - 1)


def answer_targets(packed: IntArray, places: Sequence[str]) -> IntArray:
    """Return the targets of the tokens that the head reads, (W,).

    Examples
    --------
    >>> answer_targets(packed_characters([(0, 0), (0, 2), (3, 6), (6, 7)]), ["3:7"]).tolist()
    [0, 0, 1, 2]
    >>> answer_targets(packed_characters([(0, 0), (0, 2)]), ["3:7"]).tolist()
    [3, 0]
    """
    targets = np.zeros(len(packed), dtype=np.int64)
    starts, ends = (of[1:] for of in characters(packed))
    answer = parse_place(places[0]) if places else None
    if answer is not None:
        first, last = np.searchsorted(ends, answer[0], side="right"), np.searchsorted(ends, answer[1])
        if last < len(ends) and starts[first] <= answer[0] and starts[last] < answer[1]:
            targets[1 + first] += START
            targets[1 + last] += END
            return targets
    targets[0] = START + END
    return targets


class Best(NamedTuple):
    """The best answer of one row."""

    place: str
    """Empty if the row has no token of the context."""
    logit: float
    """Sum of its start's and its end's logit."""
    of_none: float
    """The same for no answer."""
    probability: float
    """Of the answer, among all answers of the row and none."""
    probability_of_none: float


def best_of_row(logits: npt.NDArray[np.floating[Any]], packed: IntArray) -> Best:
    """Return the answer with the highest sum of logits; its end is not before its start.

    Parameters
    ----------
    logits : (W, 2)
        Of start and end.
    """
    start, end = logits[:, 0].astype(np.float64), logits[:, 1].astype(np.float64)
    none, total = float(start[0] + end[0]), np.logaddexp.reduce(start) + np.logaddexp.reduce(end)
    of_none = float(np.exp(none - total))
    if len(packed) < 2:
        return Best("", -np.inf, none, 0.0, of_none)
    ahead = np.maximum.accumulate(end[:0:-1])[::-1]  # highest end at or after each token of the context
    first = int(np.argmax(start[1:] + ahead)) + 1
    last = first + int(np.argmax(end[first:]))
    starts, ends = characters(packed)
    logit = float(start[first] + end[last])
    return Best(place_of(int(starts[first]), int(ends[last])), logit, none, float(np.exp(logit - total)), of_none)


def best_answers(split: EncodedSplit, outputs: Sequence[npt.NDArray[Any]], *, can_abstain: bool) -> list[Best]:
    """Return the best answer of each example over its rows; an empty place for no answer.

    Parameters
    ----------
    outputs : sequence of (W, 2)
        Logits of each row.
    can_abstain : bool
        Whether no answer is a possible prediction: if in every row its logit is above that of the best answer of all.
    """
    rows_of: list[list[Best]] = [[] for _ in split.ids]
    for row, logits in enumerate(outputs):
        packed = split.word_numbers[split.word_bounds[row] : split.word_bounds[row + 1]]
        rows_of[split.examples_of_rows[row]].append(best_of_row(logits, np.asarray(packed, dtype=np.int64)))
    found = []
    for rows in rows_of:
        best = max(rows, key=lambda row: row.logit)
        of_none = min(row.of_none for row in rows)
        least = min(row.probability_of_none for row in rows)
        abstains = can_abstain and of_none > best.logit
        found.append(best._replace(place="" if abstains else best.place, of_none=of_none, probability_of_none=least))
    return found
