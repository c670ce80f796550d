"""Say which splits a task lacks, which names were found, and which lines of a suite file would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from taskaffinity.errors import shown
from taskaffinity.tasks.splits import MainSplit, Split
from taskaffinity.tasks.user.layout import ending

SHARES: dict[Split, str] = {"dev": "dev: 10%", "test": "test: 20%"}
"""Split -> the line of a suite file that takes it from the training split."""
_LISTED = 6
_WORDS: dict[MainSplit, tuple[str, ...]] = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "devel", "development", "validation", "valid", "val"),
    "test": ("test", "testing", "tst"),
}
"""Split -> words of a name that mean it; others, such as ``eval``, may mean dev or test."""
_PLAIN = re.compile(r"(?:\.{0,2}/)*[^\W\d][\w./-]*")
_AS_VALUES = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
"""Words that YAML reads as another value than a text."""


def lacking(splits: Iterable[Split], what: str) -> str:
    """Return which splits are missing.

    Examples
    --------
    >>> lacking(["dev"], "split"), lacking(["train", "dev", "test"], "file")
    ('no dev split', 'no train, no dev and no test file')
    """
    return f"{joined([f'no {split}' for split in splits])} {what}"


def joined(words: Sequence[str]) -> str:
    """Return words with commas and ``and``.

    Examples
    --------
    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def listed(names: Sequence[str]) -> str:
    """Return the first names of a list, as a message shows ids."""
    return f"{', '.join(map(shown, names[:_LISTED]))}{', ...' * (len(names) > _LISTED)}"


def share_lines(splits: Iterable[Split], of: str = "train", train: str = "") -> str:
    """Return the lines that take the missing splits from the training split; empty if none may be a share.

    Parameters
    ----------
    train
        The line that names the training split, if it is missing as well.

    Examples
    --------
    >>> share_lines(["dev", "test"], "this file")
    'dev: 10% and test: 20% to take shares of this file'
    >>> share_lines(["train", "dev"], train="path: {train: FILE}"), share_lines(["train"])
    ('path: {train: FILE} with dev: 10% to take a share of it', '')
    """
    lines = [SHARES[split] for split in splits if split in SHARES]
    if not lines:
        return ""
    a_share = "a share" if len(lines) == 1 else "shares"
    return f"{train and f'{train} with '}{joined(lines)} to take {a_share} of {'it' if train else of}"


def either(*ways: str) -> str:
    """Return the ways that are not empty, with ``or`` between them."""
    return ", or ".join(filter(None, ways))


def splits_line(names: Iterable[str], needed: Iterable[Split], given: Mapping[Split, str] | None = None) -> str:
    """Return the line ``splits:`` of a suite file, with ``NAME`` where the name of a split says too little.

    Parameters
    ----------
    names
        Names in the data.
    given
        Splits whose names are known.

    Examples
    --------
    >>> splits_line(["training", "eval", "final"], ["train", "dev", "test"])
    'splits: {train: training, dev: NAME, test: NAME}'
    """
    plain = [name for name in names if shown(name) == repr(name)]  # another may be a text of the data
    chosen = {**_meant(plain), **(given or {})}
    return f"splits: {_mapping({split: chosen.get(split, 'NAME') for split in needed})}"


def path_line(
    names: Iterable[str], needed: Iterable[Split], given: Mapping[Split, str] | None = None, folder: str = ""
) -> str:
    """Return the line ``path:`` of a suite file, with ``FILE`` where the name of a file says too little.

    Parameters
    ----------
    names
        Files in ``folder``, as the suite file names it.
    given
        Splits whose files are known, each with its folder.

    Examples
    --------
    >>> path_line(["my_train.csv", "my_eval.csv"], ["train", "test"], folder="my")
    'path: {train: my/my_train.csv, test: my/FILE}'
    """
    within = f"{folder.rstrip('/')}/" if folder else ""
    chosen = {split: f"{within}{name}" for split, name in _meant(names).items()} | dict(given or {})
    return f"path: {_mapping({split: chosen.get(split, f'{within}FILE') for split in needed})}"


def common_ending(names: Iterable[str], endings: Sequence[str]) -> str:
    """Return the most frequent ending of file names, among ``endings`` and with ``.gz`` left out, or the first."""
    found = [end for name in names if (end := ending(Path(name))) in endings]
    return max(endings, key=found.count)


def _meant(names: Iterable[str]) -> dict[Split, str]:
    """Return the only name of each split by its words; a split with several names has none."""
    of_split: dict[Split, list[str]] = {}
    for name in names:
        words = re.findall(r"[a-z]+", name.lower())
        means = [split for split, known in _WORDS.items() if any(word in known for word in words)]
        if len(means) == 1:
            of_split.setdefault(means[0], []).append(name)
    return {split: found[0] for split, found in of_split.items() if len(found) == 1}


def _mapping(values: Mapping[Split, str]) -> str:
    return f"{{{', '.join(f'{split}: {as_yaml(value)}' for split, value in values.items())}}}"


def as_yaml(text: str) -> str:
    """Return a text as YAML reads it within braces."""
    if _PLAIN.fullmatch(text) and text.lower() not in _AS_VALUES:
        return text
    return "'" + text.replace("'", "''") + "'"
