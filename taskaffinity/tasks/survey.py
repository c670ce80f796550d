"""Describe tasks in numbers: sizes, lengths, labels, and texts in two splits.

If a text occurs in the training split of one task and in the test split of another, an arrow may show a leak instead of
transfer. The same holds for the splits of one task. Only counts of such texts are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from taskaffinity.tasks.compared_text import sides, whole_input
from taskaffinity.tasks.formats import read_task, task_folders
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS
from taskaffinity.tasks.numbers import without_decimal
from taskaffinity.tasks.rows import count, names_in
from taskaffinity.tasks.splits import Split, is_test
from taskaffinity.tasks.task import SCORE_KINDS, Example, Task
from taskaffinity.tasks.user.no_suite import no_suite
from taskaffinity.tasks.user.suitefile import read_suite

MANY_SHARED = 0.05
"""Share of the test texts that are also in dev, from which ``leaks`` has them. Fewer hardly change the chosen epoch."""


@dataclass(frozen=True)
class Overlap:
    """Number of examples of a split whose text or document is also in another split.

    Texts are compared without case and white space. Documents are known only if the data name them.
    """

    task: str
    split: Split
    examples: int
    other: str
    other_split: Split
    of: Literal["text", "document"] = "text"

    def described(self) -> str:
        """Return one line with the number of texts and both splits."""
        if self.of == "document":
            rows = "1 row" if self.examples == 1 else f"{self.examples:,} rows"
            whose = "whose document is" if self.examples == 1 else "whose documents are"
            return f"leak: {rows} of {self.task} {self.split} {whose} also in {self.other} {self.other_split}"
        texts = "1 text" if self.examples == 1 else f"{self.examples:,} texts"
        return f"leak: {texts} of {self.task} {self.split} also in {self.other} {self.other_split}"


def tasks_of(place: Path) -> tuple[Task, ...]:
    """Read the tasks of a suite file or of a data folder, with all examples.

    Raises
    ------
    InputError
        If ``place`` is neither, or has a fault.
    """
    if not place.exists():
        raise no_suite(place)
    if not place.is_dir():
        return read_suite(place, needs_test=False, least=1).tasks
    folders = task_folders(place)
    if not folders:
        raise no_suite(place)
    tasks = tuple(read_task(folder) for folder in folders)
    for task in tasks:
        _ = task.examples
    return tasks


def labels_by_split(task: Task) -> dict[str, dict[Split, str]]:
    """Return label -> split -> number of examples.

    For scores, it has the lowest, the mean and the highest instead.
    """
    found: dict[str, dict[Split, str]] = {label: {} for label in task.labels or ("lowest", "mean", "highest")}
    for split in task.splits:
        examples = task.examples[split]
        if task.kind in SCORE_KINDS:
            scores = [example.label for example in examples if isinstance(example.label, float)]
            for name, score in zip(found, (min(scores), sum(scores) / len(scores), max(scores)), strict=True):
                found[name][split] = f"{score:.2f}"
            continue
        counts = count(examples, task.kind, task.negative).labels
        total = sum(counts.values()) or 1
        for label in found:
            n = counts.get(label, 0)
            found[label][split] = f"{n:,} ({100 * n / total:.0f}%)"
    return found


def labels_by_frequency(task: Task) -> list[str]:
    """Return the labels of a task, the most frequent in training first.

    Equally frequent labels keep the task's order.
    """
    counts = count(task.examples["train"], task.kind, task.negative).labels
    return sorted(task.labels, key=lambda label: -counts.get(label, 0))


def n_documents(task: Task, split: Split) -> int | None:
    """Return the number of documents of a split, or None if no example names its document.

    As in standard errors, an example without a document counts as one.
    """
    names = [example.document for example in task.examples[split]]
    return len(set(names) - {""}) + names.count("") if any(names) else None


def n_empty(task: Task, split: Split) -> int | None:
    """Return how many examples have no class, mention or answer; None if every example of the kind has a label."""
    if TRAITS[task.kind].label not in ("classes", "tags", "answers"):
        return None
    if task.kind in TAG_KINDS:
        return sum(not names_in(example, task.kind) for example in task.examples[split])
    return sum(not example.label for example in task.examples[split])


def n_contradictions(task: Task, split: Split) -> int:
    """Return how many examples of a split have a text that occurs there with another label.

    Texts are compared without case and white space.
    """
    labels: dict[str, set[object]] = {}
    inputs = [whole_input(example) for example in task.examples[split]]
    for text, example in zip(inputs, task.examples[split], strict=True):
        labels.setdefault(text, set()).add(example.label)
    return sum(len(labels[text]) > 1 for text in inputs)


def n_words(example: Example) -> int:
    """Return the number of words of an example, over both texts; with its longest option if it has some."""
    longest = max((len(option.split()) for option in example.options), default=0)
    return len(example.words) or len(f"{example.text} {example.text_pair or ''}".split()) + longest


def overlaps(tasks: Sequence[Task]) -> list[Overlap]:
    """Find pairs of splits that share texts.

    Two splits of one task are compared by their whole inputs, and by the documents of their rows. The training split
    of one task is compared with every split of another task, by either side of a pair. Test sets may share texts.
    """
    found: list[Overlap] = []
    for task in tasks:
        inputs = {split: [whole_input(example) for example in task.examples[split]] for split in task.splits}
        for before, after in _compared(task):
            found += _overlap(task, after, ([text] for text in inputs[after]), task, before, set(inputs[before]))
        found += _document_overlaps(task)
    return found + _overlaps_between(tasks)


def _compared(task: Task) -> Iterator[tuple[Split, Split]]:
    """Yield the pairs of splits that must not share texts."""
    pairs = combinations(task.splits, 2)
    return ((before, after) for before, after in pairs if not (is_test(before) and is_test(after)))


def _overlaps_between(tasks: Sequence[Task]) -> list[Overlap]:
    """Compare the training split of each task with every split of the others; each text counts once."""
    trained_in: dict[str, set[int]] = {}
    for number, task in enumerate(tasks):
        for example in task.examples["train"]:
            for text in sides(example):
                trained_in.setdefault(text, set()).add(number)
    found: list[Overlap] = []
    for number, task in enumerate(tasks):
        shared: Counter[tuple[int, Split]] = Counter()
        for split in task.splits:
            for example in task.examples[split]:
                others = set().union(*(trained_in.get(text, ()) for text in sides(example)))
                shared.update((other, split) for other in others)
        found += [
            Overlap(task.name, split, shared[other_number, split], other.name, "train")
            for other_number, other in enumerate(tasks)
            for split in task.splits
            if number != other_number and shared[other_number, split]
            if split != "train" or number < other_number  # two training splits overlap in both directions
        ]
    return found


def leaks(tasks: Sequence[Task]) -> list[Overlap]:
    """Return the ``overlaps`` that can raise a score.

    These are dev or test texts in a training split, and test texts in dev if they are ``MANY_SHARED`` of the test set
    or more: dev selects the epoch.
    """
    sizes = {(task.name, split): len(task.examples[split]) for task in tasks for split in task.splits}
    return [
        overlap
        for overlap in overlaps(tasks)
        if (overlap.split != "train" and overlap.other_split == "train")
        or (
            (is_test(overlap.split), overlap.other_split, overlap.of) == (True, "dev", "text")
            and overlap.examples >= MANY_SHARED * sizes[overlap.task, overlap.split]
        )
    ]


def _overlap(
    task: Task, split: Split, texts: Iterable[Sequence[str]], other: Task, other_split: Split, known: set[str]
) -> Iterator[Overlap]:
    if n := sum(any(text in known for text in of_one) for of_one in texts):
        yield Overlap(task.name, split, n, other.name, other_split)


def _document_overlaps(task: Task) -> Iterator[Overlap]:
    documents = {  # 7.0 is 7 in a file whose column has no gap
        split: [without_decimal(e.document) for e in task.examples[split] if e.document] for split in task.splits
    }
    for before, after in _compared(task):
        known = set(documents[before])
        if n := sum(document in known for document in documents[after]):
            yield Overlap(task.name, after, n, task.name, before, "document")
