"""Read text for pre-training from text files and task files, each passage once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.lines import parse_line, read_lines


def read_passages(paths: Iterable[Path]) -> list[str]:
    """Read the distinct lines of ``.txt`` files and texts of ``.jsonl`` files.

    The rows of a relation task repeat a sentence with other words masked. These texts differ, so all of them stay.

    Raises
    ------
    InputError
        If a file cannot be read or is neither ``.txt`` nor ``.jsonl``, a row has no text, or there is no passage.
    """
    paths = list(paths)
    passages = dict.fromkeys(passage for path in paths for passage in _passages(path))
    if not passages:
        raise input_error(", ".join(str(path) for path in paths) or "--text", "no text", "one passage per line")
    return list(passages)


def _passages(path: Path) -> Iterator[str]:
    if path.suffix not in (".txt", ".jsonl"):
        raise input_error(
            path, f"a file named {path.suffix or 'without suffix'}", ".txt (one passage per line) or .jsonl (rows)"
        )
    for number, line in enumerate(read_lines(path)[0], start=1):
        if not line.strip():
            continue
        if path.suffix == ".txt":
            yield line.strip()
        else:
            yield from _texts(f"{path}: line {number}", line)


def _texts(where: str, line: str) -> Iterator[str]:
    row = parse_line(where, line)
    words = row.get("words") if isinstance(row, dict) else None
    text = " ".join(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None
    found = [text, *(row.get(key) for key in ("text", "text_pair"))] if isinstance(row, dict) else []
    texts = [value.strip() for value in found if isinstance(value, str) and value.strip()]
    if not texts:
        raise input_error(where, "no text", "an object with text, or with words")
    yield from texts
