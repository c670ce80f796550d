"""Examples and tasks.

One ``Example`` class serves every kind of task. A ``Task`` is a value: a name, a kind, a metric and a reader of its
splits. The ``repr`` of an example shows only its id and size, because tracebacks and logs show ``repr`` and must not
show the text of a corpus.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from taskaffinity.errors import InputError, has_controls, quoted, shown
from taskaffinity.tasks.kinds import DEFAULT_METRIC as DEFAULT_METRIC
from taskaffinity.tasks.kinds import KINDS as KINDS
from taskaffinity.tasks.kinds import METRICS_OF_KIND as METRICS_OF_KIND
from taskaffinity.tasks.kinds import SCORE_KINDS as SCORE_KINDS
from taskaffinity.tasks.kinds import TAG_KINDS
from taskaffinity.tasks.kinds import Kind as Kind
from taskaffinity.tasks.metrics import METRICS, Metric
from taskaffinity.tasks.reading import DEFAULT, Reading
from taskaffinity.tasks.splits import SPLITS as SPLITS
from taskaffinity.tasks.splits import Split as Split
from taskaffinity.tasks.splits import is_test, split_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
A_NAME = "letters, digits, '-', '_' and '.' (at most 80), because files are named after it"


def is_name(value: object) -> bool:
    """Return whether a value is a legal name of a suite or task."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


Label = str | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text."""

    id: str
    """Unique within its task."""
    label: Label
    """A class, a score (similarity, regression), one IOB2 tag per word (ner), the classes that hold (multilabel) in the
    order of the task's labels, the letter of the right option (choice), or the places of the answers in ``text_pair``
    (spans), such as ``"17:29"``."""
    text: str = field(default="", repr=False)
    text_pair: str | None = field(default=None, repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    """The words of a tagged sentence. ``text`` is then empty."""
    document: str = field(default="", repr=False)
    """Group of examples that are not independent (an abstract, a premise). Empty if unknown. Standard errors are
    computed over documents."""
    options: tuple[str, ...] = field(default=(), repr=False)
    """The texts to choose from. Their labels are ``option_names``."""

    def __repr__(self) -> str:
        size = f"{len(self.words)} words" if self.words else f"{len(self.text)} characters"
        return f"Example(id={self.id!r}, {size})"


def tags_of(example: Example) -> tuple[str, ...]:
    """Return the tags of a tagged sentence, or the classes of a multi-label example.

    Raises
    ------
    TypeError
        If the example has one label or a score.
    """
    if not isinstance(example.label, tuple):
        raise TypeError(f"example {example.id}: found one label; expected several")
    return example.label


@dataclass(frozen=True, eq=False)
class Task:
    """A task: labelled splits, their kind and their metric.

    Two tasks are equal if their names and their data are equal. The reader is not compared; runs are identified by the
    ``fingerprint`` of the data.
    """

    name: str
    """The id in files and on the command line, such as ``ddi2013-type``."""
    kind: Kind
    read: Callable[[Split], Sequence[Example]] = field(repr=False)
    labels: tuple[str, ...] = ()
    """Classes in the order of their ids. For ner, the entity types; for choice, the letters of as many options as an
    example has at most; for spans, ``answer``, and ``none`` if a training example has no answer. Empty for similarity
    and regression."""
    negative: str | None = None
    """The class that is trained but not scored (``false``)."""
    metric_name: str = ""
    """One of ``METRICS_OF_KIND``. Empty: the default metric of the kind."""
    title: str = ""
    """Name in figures. Empty: ``name``."""
    missed: Mapping[Split, int] = field(default_factory=dict)
    """Number of gold relations without an example, by split. Empty if unknown."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What the reader converted or ignored, one line each. They quote no text of the data and are not in the
    fingerprint."""
    reading: Reading = DEFAULT
    """How texts are read that are longer than an input of the encoder."""

    has_test: bool = True
    """Whether the task has a test part. If not, its dev part is read as its test part too."""
    test_sets: tuple[str, ...] = ()
    """Names of further test sets, which ``read`` reads as the splits ``test@NAME``. No epoch is selected on them."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"task {self.name}: no kind {self.kind!r}; there are {', '.join(KINDS)}")
        if not self.metric_name:
            object.__setattr__(self, "metric_name", DEFAULT_METRIC[self.kind])
        if self.metric_name not in (fitting := METRICS_OF_KIND[self.kind]):
            of = f"for kind {self.kind}; there are {', '.join(fitting)}"
            raise ValueError(f"task {self.name}: no metric {self.metric_name!r} {of}")
        if not self.title:
            object.__setattr__(self, "title", self.name)
        if not is_name(self.name):
            raise ValueError(f"task {quoted(self.name)}: a name has {A_NAME}")
        if (illegal := next((name for name in self.test_sets if not is_name(name)), None)) is not None:
            raise ValueError(f"task {self.name}: test set {quoted(illegal)}: a name has {A_NAME}")
        if has_controls("".join((self.title, *self.labels))):
            raise ValueError(f"task {self.name}: a control character in its title or labels; expected printable text")

    @property
    def metric(self) -> Metric:
        return METRICS[self.metric_name]

    @property
    def scored(self) -> tuple[str, ...]:
        """The labels that the metric counts."""
        return tuple(label for label in self.labels if label != self.negative)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the task has."""
        return (*(SPLITS if self.has_test else SPLITS[:2]), *map(split_of, self.test_sets))

    @cached_property
    def examples(self) -> dict[Split, tuple[Example, ...]]:
        """All splits, read once.

        Raises
        ------
        InputError
            If an id occurs in two splits that are not both test sets, a tagged sentence has no word, or its numbers of
            tags and words differ; or as the reader.
        """
        read = {split: tuple(self.read(split)) for split in (*SPLITS, *map(split_of, self.test_sets))}
        of: dict[str, Split] = {}
        for split in self.splits:
            for example in read[split]:
                name = shown(example.id)
                if self.kind in TAG_KINDS and not example.words:
                    raise InputError(f"task {self.name}: {name} in {split} has no word; expected one or more")
                if self.kind in TAG_KINDS and len(tags_of(example)) != len(example.words):
                    tags, words = len(tags_of(example)), len(example.words)
                    raise InputError(
                        f"task {self.name}: {name} in {split} has {tags} tag{'s' * (tags != 1)} for "
                        f"{words} word{'s' * (words != 1)}; expected one tag per word"
                    )
                other = of.setdefault(example.id, split)
                if other != split and not (is_test(other) and is_test(split)):
                    raise InputError(f"task {self.name}: id {name} is in {other} and in {split}; expected one")
        return read

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of a hash over name, kind, labels, metric, examples, and settings of how they are read.

        The hash covers everything that can change a score or its standard error.
        """
        digest = hashlib.sha256()
        head: list[Any] = [self.name, self.kind, self.labels, self.negative, self.metric_name]
        if any(self.missed.values()):
            head.append(sorted(self.missed.items()))
        if stated := self.reading.stated():
            head.append(stated)
        digest.update(json.dumps(head).encode())
        for split, examples in self.examples.items():
            for example in examples:
                row: list[Any] = [split, example.id, example.label, example.text, example.text_pair, example.words]
                if example.document:
                    row.append(example.document)
                if example.options:
                    row.append(example.options)
                digest.update(json.dumps(row, ensure_ascii=False).encode())
        return digest.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self.ref == other.ref

    def __hash__(self) -> int:
        return hash(self.ref)

    @property
    def ref(self) -> tuple[str, str]:
        """Name and fingerprint, which identify the task in a run."""
        return (self.name, self.fingerprint)
