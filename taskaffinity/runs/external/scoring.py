"""How predictions are scored: the metric of each task, and how its labels are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from taskaffinity.errors import InputError, input_error, meant, named, quoted
from taskaffinity.tasks.numbers import finite_number
from taskaffinity.tasks.task import METRICS_OF_KIND, Kind, Label

SCORED_HERE = tuple(dict.fromkeys(metric for metrics in METRICS_OF_KIND.values() for metric in metrics))
"""Metrics that counts can be made of from predictions alone."""
TAGGED = ("span_f1", "span_f1_conlleval")
ANSWERS = ("answer_f1", "exact_match")
SEPARATOR = "|"
"""Between the classes of a multi-label example, or the gold answers of a question; between the tags of a sentence there
are spaces."""
_TAG = re.compile(r"O|[BI]-.+")
_EVERY = ""
"""Key of the metric of all tasks that have none of their own."""


@dataclass(frozen=True)
class Scoring:
    """The metric of each task, and its class that is not scored."""

    metrics: Mapping[str, str] = field(default_factory=dict)
    """By task; of the empty name, for all others."""
    negatives: Mapping[str, str] = field(default_factory=dict)
    """By task."""
    known_metrics: Mapping[str, str] = field(default_factory=dict)
    """Metrics, negative classes and kinds by task, as a table of facts has them; an option counts more."""
    known_negatives: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        metric: str | Mapping[str, str] | Sequence[str] | None,
        negative: Mapping[str, str] | Sequence[str] | None = None,
    ) -> Scoring:
        """Read ``METRIC`` or ``TASK=METRIC`` texts, and ``TASK=LABEL`` texts; or mappings.

        Raises
        ------
        InputError
            If a metric is unknown, or a text has another form.
        """
        metrics = _by_task("--metric", metric, may_be_for_all=True)
        for name in metrics.values():
            if name not in SCORED_HERE:
                expected = f"one of {', '.join(SCORED_HERE)}{meant(name, SCORED_HERE)}"
                raise input_error("--metric", quoted(name), expected)
        return cls(metrics, _by_task("--negative", negative))

    def check_tasks(self, tasks: Iterable[str]) -> None:
        """Raise ``InputError`` if a metric or a class is given for a task without predictions."""
        known = list(tasks)
        for option, given in (("--metric", self.metrics), ("--negative", self.negatives)):
            for name in given:
                if name not in known and name != _EVERY:
                    raise InputError(f"{option} {quoted(name)}: no predictions of this task{meant(name, known)}")

    def metric_of(self, task: str) -> str:
        """The metric of a task.

        Raises
        ------
        InputError
            If none is given.
        """
        found = self.given_metric(task)
        if found is None:
            raise InputError(f"--metric: none for {task}; expected {task}=METRIC, of {', '.join(SCORED_HERE)}")
        return found

    def given_metric(self, task: str) -> str | None:
        """The metric of a task; None if none is given."""
        return self.metrics.get(task) or self.metrics.get(_EVERY) or self.known_metrics.get(task)

    def negative_of(self, task: str) -> str | None:
        """The class of a task that F1 does not score; None if none is given."""
        return self.negatives.get(task, self.known_negatives.get(task))

    def kind_of(self, task: str, metric: str) -> Kind:
        """The kind of task, or what the metric suggests; only secondary metrics and titles depend on it."""
        if task in self.kinds:
            return self.kinds[task]
        if metric in TAGGED or metric in ANSWERS:
            return "ner" if metric in TAGGED else "spans"
        if metric in ("pearson", "multilabel_f1"):
            return "regression" if metric == "pearson" else "multilabel"
        return "relation" if self.negative_of(task) is not None else "classification"


def parse_label(where: str, text: str, metric: str) -> Label:
    """Return a label as a metric counts it: a class, a number, the tags of a sentence, several classes or answers.

    Raises
    ------
    InputError
        If the text has another form; labels are not quoted, except short numbers.
    """
    if metric == "multilabel_f1" or metric in ANSWERS:
        return tuple(dict.fromkeys(one for part in text.split(SEPARATOR) if (one := part.strip())))
    if metric == "pearson":
        number = finite_number(text)
        if number is None:
            raise input_error(where, named(text, ("nan",)), "a finite number, for pearson")
        return number
    if not text:
        raise input_error(where, "nothing", "a label")
    if metric in TAGGED:
        tags = tuple(text.split())
        for tag in tags:
            if not _TAG.fullmatch(tag):
                raise input_error(
                    where, f"{named(tag, ('O', 'B-', 'I-'))} as a tag", "O, B-TYPE or I-TYPE, joined by spaces"
                )
        return tags
    return text


def classes_of(labels: Iterable[Label], metric: str) -> tuple[str, ...]:
    """Return the sorted classes that occur in labels; types of spans for tags, none for numbers and answers."""
    if metric == "pearson" or metric in ANSWERS:
        return ()
    if metric in TAGGED:
        return tuple(sorted({tag[2:] for tags in labels if isinstance(tags, tuple) for tag in tags if tag != "O"}))
    found: set[str] = set()
    for label in labels:
        found.update(label if isinstance(label, tuple) else [str(label)])
    return tuple(sorted(found))


def _by_task(
    option: str, given: str | Mapping[str, str] | Sequence[str] | None, *, may_be_for_all: bool = False
) -> dict[str, str]:
    """Return values by task; that of the empty name is for all others."""
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    found: dict[str, str] = {}
    form = "TASK=METRIC, or a metric for all tasks" if may_be_for_all else "TASK=LABEL"
    for text in [given] if isinstance(given, str) else given or ():
        name, equals, value = text.partition("=")
        if not equals and may_be_for_all:
            name, value = _EVERY, text
        if not value or (equals and not name) or not (equals or may_be_for_all):
            raise input_error(option, quoted(text), form)
        if name in found:
            raise input_error(option, f"two for {name or 'all tasks'}", "one")
        found[name] = value
    return found
