"""Name classes and tags that a file gives as numbers.

A number is the index, from 0, of a name in ``labels:``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from taskaffinity.errors import input_error
from taskaffinity.tasks.numbers import whole_number, without_decimal

_TAG = re.compile(r"O|[BIESLUM]-\S{1,40}")


def types_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the entity types of a tagging task.

    If ``labels`` are tags, the types are collected and sorted. Otherwise they are ``labels``. Tags without ``O`` have
    ``B-`` and another mark for each type: ``B-cell`` alone is a type.

    Examples
    --------
    >>> types_of(["O", "B-Drug", "I-Drug"]), types_of(["B-Drug", "I-Drug"]), types_of(["Drug", "B-cell"])
    (('Drug',), ('Drug',), ('Drug', 'B-cell'))
    """
    types = {label[2:] for label in labels} - {""}
    is_each_twice = all(_TAG.fullmatch(label) for label in labels) and all(
        f"B-{kind}" in labels and sum(label[2:] == kind for label in labels) > 1 for kind in types
    )
    return tuple(sorted(types)) if _are_tags(labels) or (types and is_each_twice) else tuple(labels)


def named_tags(where: str, tags: Sequence[object], labels: Sequence[str]) -> list[object]:
    """Return the tags of a sentence, each number replaced by its name.

    Raises
    ------
    InputError
        If a number has no name in ``labels``, or ``labels`` does not list the tags.

    Examples
    --------
    >>> named_tags("a.jsonl: line 1", [1, 2, 0], ["O", "B-Drug", "I-Drug"])
    ['B-Drug', 'I-Drug', 'O']
    """
    found = list(tags)
    for position, tag in enumerate(map(without_decimal, tags)):
        if isinstance(tag, bool) or not isinstance(tag, int):
            continue
        fault = f"tag {tag} on word {position + 1}, a number"
        if not _are_tags(labels):
            raise input_error(where, fault, "names; or all tags in their order, labels: [O, B-TYPE, I-TYPE]")
        if not 0 <= tag < len(labels):
            raise input_error(where, fault, f"0 to {len(labels) - 1}, because labels: has {len(labels)} tags")
        found[position] = labels[tag]
    return found


def named_class(value: object, labels: Sequence[str]) -> object:
    """Return the class that a number stands for.

    Any other value, and a number that is itself a class, is returned; of 1.0, as pandas writes the numbers of a column
    with gaps, the number 1. The text ``1.0`` is the number 1 only if ``labels`` are known and lack it.

    Examples
    --------
    >>> named_class(1, ["no", "yes"]), named_class("0", ["no", "yes"]), named_class("1", ["0", "1"])
    ('yes', 'no', '1')
    >>> named_class(1.0, ["no", "yes"]), named_class("1.0", ["no", "yes"]), named_class("1.0", ["1.0", "1.5"])
    ('yes', 'yes', '1.0')
    """
    if not isinstance(value, str) or (labels and value.strip() not in labels):
        value = without_decimal(value)
    number = whole_number(value.strip()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(labels):
        return value
    return value if any(whole_number(label) is not None for label in labels) else labels[number]


def _are_tags(labels: Sequence[str]) -> bool:
    return "O" in labels and all(_TAG.fullmatch(label) for label in labels)
