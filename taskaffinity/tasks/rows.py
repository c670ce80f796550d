"""Parse and check the rows of a task file; each line is one JSON object.

Keys: ``id``; then ``text`` (with ``text_pair`` for pairs) and ``label`` (a class, a score, or a list of classes), or
``words`` and ``tags`` (IOB2, for ner). For choice, ``options`` are texts, and ``label`` is the letter of the right one.
For spans, ``label`` is a list of places in ``text_pair``, such as ``17:29``; it is empty if there is no answer.
Rows that are not independent share a ``document`` (a text or a whole number); standard errors are computed over
documents. ``offsets`` record where the row came from, for a human reader. Other keys are ignored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.answers import ANSWER, NO_ANSWER, parse_place
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import PAIR_KINDS, TRAITS, Kind, option_names
from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.task import Example

_LARGEST = 1e30
"""The largest score. The square of a larger one would exceed the range of the floats in training."""
MOST_OPTIONS = 100
"""Most options of an example."""


@dataclass(frozen=True, slots=True)
class Row:
    """An example and its place in the corpus."""

    example: Example
    offsets: tuple[Any, ...] = ()
    """Character positions in the document (ddi2013-type: in the sentence), end exclusive. For ner, ``(start, end)`` of
    each word. For relations, ``(start, end)`` of each part of each of the two arguments."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        example = self.example
        row: dict[str, Any] = {"id": example.id}
        label = list(example.label) if isinstance(example.label, tuple) else example.label
        if example.words:
            row |= {"words": list(example.words), "tags": label}
        else:
            row["text"] = example.text
            if example.text_pair is not None:
                row["text_pair"] = example.text_pair
            if example.options:
                row["options"] = list(example.options)
            row["label"] = label
        if example.document:
            row["document"] = example.document
        if self.offsets:
            row["offsets"] = self.offsets
        return row


@dataclass(frozen=True)
class SplitCount:
    """Counts of a split."""

    rows: int
    counted: int
    """The count as in the paper's Table 1: mentions (ner), rows that are not negative, or pairs."""
    labels: dict[str, int]
    """Rows by class, or mentions by type. Empty for similarity."""


def parse_rows(
    located: Iterable[tuple[str, object]],
    kind: Kind,
    labels: Sequence[str],
    seen: dict[str, str] | None = None,
    unique: str = "unique ids",
) -> list[Example]:
    """Parse ``(where, object)`` rows into examples, in order.

    Parameters
    ----------
    seen
        Id -> place of the row. It is extended. Pass one mapping for all splits of a task, so that ids are unique.
    unique
        What an error says is expected if an id occurs again.

    Raises
    ------
    InputError
        At the first row that breaks the format in the module docstring, or that repeats an id.
    """
    examples: list[Example] = []
    seen = {} if seen is None else seen
    for where, row in located:
        example = _parse(where, row, kind, labels)
        first = seen.setdefault(example.id, where)
        if first != where:
            first = first.removeprefix(f"{where.rpartition(': ')[0]}: ")
            raise input_error(where, f"id {shown(example.id)} again (first: {first})", unique)
        examples.append(example)
    return examples


def count(examples: Iterable[Example], kind: Kind, negative: str | None) -> SplitCount:
    """Count the rows, the units of Table 1 and each label."""
    labels: Counter[str] = Counter()
    rows = 0
    for example in examples:
        rows += 1
        labels.update(names_in(example, kind))
    mentions_or_positives = sum(n for label, n in labels.items() if label != negative)
    counted = rows if TRAITS[kind].counted == "rows" else mentions_or_positives
    return SplitCount(rows, counted, dict(sorted(labels.items())))


def names_in(example: Example, kind: Kind) -> Sequence[str]:
    """Return the labels that an example counts for.

    They are its class or classes, the types of its mentions, the letter of its right option, or whether it has an
    answer; none for a score.
    """
    label, form = example.label, TRAITS[kind].label
    if form == "answers":
        return [ANSWER if label else NO_ANSWER]
    if not isinstance(label, tuple):
        return [label] if isinstance(label, str) else []
    return label if form == "classes" else [mention[0] for mention in strict_mentions(label)]


def _parse(where: str, row: object, kind: Kind, labels: Sequence[str]) -> Example:
    if not isinstance(row, dict):
        raise input_error(where, named(row, ()), "a JSON object with an id")
    name, document, form = _text(where, row, "id"), _document(where, row), TRAITS[kind].label
    if form == "tags":
        words = _words(where, row)
        return Example(name, _tags(where, row, len(words), labels), words=words, document=document)
    text = _text(where, row, "text")
    pair = _text(where, row, "text_pair") if kind in PAIR_KINDS or row.get("text_pair") is not None else None
    if form == "classes":
        return Example(name, _classes(where, row, labels), text, pair, document=document)
    if form == "answers":
        return Example(name, _places(where, row, pair or ""), text, pair, document=document)
    if form == "option":
        options = _options(where, row)
        label = _class(where, row, option_names(len(options)))
        return Example(name, label, text, pair, document=document, options=options)
    value = _number(where, row) if form == "score" else _class(where, row, labels)
    return Example(name, value, text, pair, document=document)


def _document(where: str, row: Mapping[str, object]) -> str:
    value = row.get("document")
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():  # an integer column with missing values
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise input_error(where, f"document {shown(value)}", "a text or a whole number that rows of one document share")
    return str(value).strip()


def _value(where: str, row: Mapping[str, object], key: str) -> object:
    if key not in row:
        raise input_error(where, f"no key {key!r} among its {how_many(len(row), 'key')}", f"the key {key!r}")
    return row[key]


def _text(where: str, row: Mapping[str, object], key: str) -> str:
    value = _value(where, row, key)
    if not isinstance(value, str) or not value.strip():
        found = "nothing but white space" if isinstance(value, str) and value else shown(value)
        raise input_error(where, f"{found} as {key!r}", "some text")
    return value


def _number(where: str, row: Mapping[str, object]) -> float:
    value = _value(where, row, "label")
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise input_error(where, f"label {shown(value)}", f"a finite number below {_LARGEST:g}")
    return float(value)


def _classes(where: str, row: Mapping[str, object], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of a multi-label row, in the order of the labels."""
    value = _value(where, row, "label")
    if not isinstance(value, list) or any(one not in labels for one in value):
        unknown = next((one for one in value if one not in labels), None) if isinstance(value, list) else value
        raise input_error(where, f"label {named(unknown, labels)}", f"a list of some of {', '.join(labels)}")
    if len(set(value)) != len(value):
        twice = next(one for one in value if value.count(one) > 1)
        raise input_error(where, f"label {named(twice, labels)} twice", "each label once")
    return tuple(label for label in labels if label in value)


def _class(where: str, row: Mapping[str, object], labels: Sequence[str]) -> str:
    value = _value(where, row, "label")
    if not isinstance(value, str) or value not in labels:
        raise input_error(where, f"label {named(value, labels)}", f"one of {', '.join(labels)}")
    return value


def _places(where: str, row: Mapping[str, object], text: str) -> tuple[str, ...]:
    value = _value(where, row, "label")
    if not isinstance(value, list) or any(parse_place(one) is None for one in value):
        raise input_error(where, f"label {named(value, ())}", "a list of places of answers, such as 17:29")
    if any((parse_place(one) or (0, 0))[1] > len(text) for one in value):
        raise input_error(where, "an answer behind the end of the text", f"places up to {len(text)}")
    return tuple(value)


def _options(where: str, row: Mapping[str, object]) -> tuple[str, ...]:
    options = _value(where, row, "options")
    if not isinstance(options, list) or not 2 <= len(options) <= MOST_OPTIONS:
        found = how_many(len(options), "option") if isinstance(options, list) else f"{named(options, ())} as 'options'"
        raise input_error(where, found, f"a list of 2 to {MOST_OPTIONS} texts")
    for number, option in enumerate(options, start=1):
        if not isinstance(option, str) or not option.strip():
            raise input_error(where, f"no text as option {number} of {len(options)}", "options that are not empty")
    return tuple(options)


def _words(where: str, row: Mapping[str, object]) -> tuple[str, ...]:
    words = _value(where, row, "words")
    if not isinstance(words, list) or not words:
        raise input_error(where, f"{named(words, ())} as 'words'", "a list of at least one word")
    for position, word in enumerate(words):
        if not isinstance(word, str) or not word.strip():
            raise input_error(where, f"no text as word {position + 1} of {len(words)}", "words that are not empty")
    return tuple(words)


def _tags(where: str, row: Mapping[str, object], n_words: int, labels: Sequence[str]) -> tuple[str, ...]:
    tags = _value(where, row, "tags")
    if not isinstance(tags, list) or len(tags) != n_words:
        found = how_many(len(tags), "tag") if isinstance(tags, list) else f"{named(tags, ())} as 'tags'"
        raise input_error(where, f"{found} for {how_many(n_words, 'word')}", "one tag per word")
    before = "O"
    for position, tag in enumerate(tags):
        mark, _, kind = tag.partition("-") if isinstance(tag, str) else ("", "", "")
        places = row.get("places")
        where = (
            str(places[position]) if isinstance(places, tuple) else where
        )  # only user files have places; JSON has none
        if tag != "O" and not (mark in ("B", "I") and kind in labels):
            legal = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
            raise input_error(where, f"tag {named(tag, legal)} on word {position + 1}", f"one of {', '.join(legal)}")
        if mark == "I" and before not in (f"B-{kind}", f"I-{kind}"):
            raise input_error(
                where, f"tag {shown(tag)} on word {position + 1} after {shown(before)}", f"B-{kind} first (IOB2)"
            )
        before = tag
    return tuple(tags)
