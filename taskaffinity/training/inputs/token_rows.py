"""Rows of tokens, and the arrays of a split that are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from taskaffinity.tasks.task import Example
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, bounds_of


class TokenRow(NamedTuple):
    """One input sequence."""

    tokens: Sequence[int]
    types: Sequence[int]

    def at(self, places: IntArray) -> TokenRow:
        """Return the tokens at ascending places; the row itself if these are all tokens."""
        if len(places) == len(self.tokens):
            return self
        return TokenRow(np.asarray(self.tokens)[places].tolist(), np.asarray(self.types)[places].tolist())


class WordsOfRows(NamedTuple):
    """The tokens of rows that a head reads; of a row, they are consecutive here."""

    positions: Sequence[int] | npt.NDArray[Any]  # (n_words,) place of each in its row
    numbers: Sequence[int] | npt.NDArray[Any]  # (n_words,) as ``EncodedSplit.word_numbers``
    n_words: Sequence[int]  # (n_rows,)


def split_of_rows(
    examples: Sequence[Example],
    rows: Sequence[TokenRow],
    examples_of_rows: npt.NDArray[Any],
    gold: Sequence[Any],
    targets: npt.NDArray[Any],
    words: WordsOfRows | None = None,
    n_options: int = 0,
) -> EncodedSplit:
    """Return the arrays of a split.

    Parameters
    ----------
    words : WordsOfRows, optional
        The tokens that a head reads, if it reads several of a row.
    """
    read = words or WordsOfRows([], [], [0] * len(rows))
    return EncodedSplit(
        ids=[example.id for example in examples],
        gold=gold,
        documents=[_document_hash(example.document) for example in examples],
        tokens=_flat([row.tokens for row in rows], np.int32),
        token_types=_flat([row.types for row in rows], np.int8),
        bounds=bounds_of([len(row.tokens) for row in rows]),
        examples_of_rows=examples_of_rows,
        targets=targets,
        word_positions=np.asarray(read.positions, dtype=np.int32),
        word_numbers=read.numbers if isinstance(read.numbers, np.ndarray) else np.array(read.numbers, dtype=np.int32),
        word_bounds=bounds_of(read.n_words),
        is_tagging=words is not None,
        n_options=n_options,
    )


def _document_hash(document: str) -> str:
    """Return a hash of a document's name, because the name may be its text."""
    return document and hashlib.sha256(document.encode()).hexdigest()[:16]


def _flat(rows: Sequence[Sequence[int]], dtype: type[np.signedinteger[Any]]) -> npt.NDArray[Any]:
    return np.fromiter((value for row in rows for value in row), dtype=dtype)
