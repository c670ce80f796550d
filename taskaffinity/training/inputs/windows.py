"""Cut the tokens of a long text into overlapping windows.

A window has the special tokens and as many tokens of the text as fit. In a pair, each window also has the other text.
That text is truncated to half of the shared room, unless the windowed text needs less than its half. A window starts
``stride`` tokens after the previous one. The last window ends with the text, so it is as long as the others. A text
that fits into one input is one window, equal to the input without windows.
"""

# N tokens of an input that is not cut, L tokens of the windowed text, K windows, W words

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from taskaffinity.tasks.reading import Reading
from taskaffinity.training.inputs.encoded import IntArray


class WordsOfWindow(NamedTuple):
    """One window of a tagged sentence."""

    tokens: IntArray  # places of its tokens in the uncut input
    words: IntArray  # numbers of the words that are read in it, ascending
    positions: IntArray  # place of each of their first tokens in the window


def window_starts(n: int, window: int, stride: int | None) -> list[int]:
    """Return the first tokens of the windows over ``n`` tokens; each token is in a window.

    Parameters
    ----------
    window : int
        Tokens of a window.
    stride : int, optional
        Tokens between two starts, at most a window. Default: half a window.

    Examples
    --------
    >>> window_starts(10, 4, None), window_starts(10, 4, 4), window_starts(4, 4, 1)
    ([0, 2, 4, 6], [0, 4, 6], [0])
    """
    step = min(stride or max(1, window // 2), window)
    return [*range(0, n - window, step), max(0, n - window)]


def sentence_windows(texts: Sequence[int | None], max_length: int, reading: Reading) -> list[IntArray]:
    """Return the windows of one text or a pair, as places in the uncut input.

    Parameters
    ----------
    texts : (N,) sequence
        Number of the text of each token: 0 or 1; None for a special token.
    """
    if len(texts) <= max_length:
        return [np.arange(len(texts))]
    of = np.array([-1 if text is None else text for text in texts])
    side = int(reading.windowed == "text_pair" and bool((of == 1).any()))  # an example may have one text
    special, windowed, other = (np.flatnonzero(of == text) for text in (-1, side, 1 - side))
    room = max_length - len(special)
    other = other[: max(room // 2, room - len(windowed))]
    window, always = room - len(other), np.concatenate([special, other])
    starts = window_starts(len(windowed), window, reading.stride)
    return [np.sort(np.concatenate([always, windowed[start : start + window]])) for start in starts]


def tagging_windows(words: Sequence[int | None], max_length: int, reading: Reading) -> list[WordsOfWindow]:
    """Return the windows of a tagged sentence; each word is read with the most context.

    The context of a word in a window is the smaller of the numbers of tokens on its two sides. A side that reaches the
    end of the sentence does not count. Windows in which no word is read are left out.

    Parameters
    ----------
    words : (N,) sequence
        Number of the word of each token, ascending; None for a special token.
    """
    of = np.array([-1 if word is None else word for word in words])
    special, tokens = np.flatnonzero(of == -1), np.flatnonzero(of >= 0)
    numbers, first = np.unique(of[tokens], return_index=True)  # (W,)
    if len(of) <= max_length:
        return [WordsOfWindow(np.arange(len(of)), numbers, tokens[first])]
    window = max_length - len(special)
    starts = np.array(window_starts(len(tokens), window, reading.stride))
    chosen = _most_context(first, np.append(first[1:], len(tokens)), starts, window)
    found = []
    for k in np.unique(chosen):
        here = chosen == k
        places = np.sort(np.concatenate([special, tokens[starts[k] : starts[k] + window]]))
        positions = np.searchsorted(places, tokens[first[here]])
        found.append(WordsOfWindow(places, numbers[here], positions))
    return found


def _most_context(first: IntArray, end: IntArray, starts: IntArray, window: int) -> IntArray:
    """Return the window in which each word is read, (W,), from the word's bounds in tokens."""
    n, ends = int(end[-1]), starts + window
    left, right = ((first[:, None] - starts).astype(float), (ends - end[:, None]).astype(float))  # (W, K)
    outside = (left < 0) | (first[:, None] >= ends)
    left[:, starts == 0], right[:, ends >= n] = np.inf, np.inf
    return np.asarray(np.argmax(np.where(outside, -np.inf, np.minimum(left, right)), axis=1))
