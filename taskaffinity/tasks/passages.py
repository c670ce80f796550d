"""Running text for pre-training: the passages of text files and task files, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.tasks.lines import parse_line, read_lines


def read_passages(paths: Iterable[Path]) -> list[str]:
    """A passage a line of every ``.txt`` file, and the texts of every row of a ``.jsonl`` file; none twice.

    A relation task's rows repeat a sentence for each of its pairs, with other words masked: those stay, being other
    texts.

    Raises
    ------
    InputError
        A file that cannot be read, is neither of the two, or a line that is not as it should be; no passage at all.
    """
    paths = list(paths)
    passages = dict.fromkeys(passage for path in paths for passage in _passages(path))
    if not passages:
        raise input_error(", ".join(str(path) for path in paths) or "--text", "no text", "a passage a line")
    return list(passages)


def _passages(path: Path) -> Iterator[str]:
    if path.suffix not in (".txt", ".jsonl"):
        raise input_error(
            path, f"a file named {path.suffix or 'without suffix'}", ".txt (a passage a line) or .jsonl (rows)"
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
