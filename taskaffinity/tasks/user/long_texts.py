"""The keys of a task block that say how long texts are read."""

from __future__ import annotations

from taskaffinity.errors import input_error, quoted
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.reading import LEAST_LENGTH, MOST_LENGTH, WHOLE, Reading
from taskaffinity.tasks.user.task_block import At, UserTask


def reading_of(block: UserTask, at: At) -> Reading:
    """Return how a task block reads long texts.

    Raises
    ------
    InputError
        If a value is out of its range, or a key does not fit the kind or the other keys.
    """
    traits, is_tagging, has_windows = TRAITS[block.kind], block.kind in TAG_KINDS, block.long == "windows"
    for key in ("stride", "pool", "windowed"):
        if getattr(block, key) and not has_windows:
            raise input_error(at(key), f"{key}: without windows", "long: windows too")
        if getattr(block, key) and traits.not_pooled and key != "stride":
            raise input_error(at(key), f"{key}: for kind {block.kind}, which {traits.not_pooled}", "none")
    if block.max_words and not is_tagging:
        raise input_error(at("max_words"), f"max_words: for kind {block.kind}", "kind: ner, or max_length:")
    if has_windows and is_tagging and not block.max_words:
        expected = "max_words: none, for sentences that are not split, or a number"
        found = f"long: windows for kind {block.kind}, whose sentences are split before"
        raise input_error(at("long"), found, expected)
    if has_windows and traits.windowed is None:
        expected = "long: truncate, and max_length: for longer inputs"
        raise input_error(at("long"), f"long: windows for kind {block.kind}", expected)
    is_whole = block.max_words == "none"
    return Reading(
        _number(block, "max_length", LEAST_LENGTH, at),
        WHOLE if is_whole else _number(block, "max_words", 1, at),
        block.long,
        _number(block, "stride", 1, at),
        block.pool or "mean",
        block.windowed or traits.windowed or "text",
    )


def _number(block: UserTask, key: str, least: int, at: At) -> int | None:
    said: str = getattr(block, key)
    if not said:
        return None
    number = whole_number(said)
    if number is None or not least <= number <= MOST_LENGTH:
        also = ", or none" if key == "max_words" else ""
        raise input_error(at(key), f"{key}: {quoted(said)}", f"a whole number from {least} to {MOST_LENGTH:,}{also}")
    return number
