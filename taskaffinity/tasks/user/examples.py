"""Read the examples of a user's task, from files or the hub.

Labels are given, or collected from the training split. A row without an id gets its split and number as id. Data that
would fail later, or give a meaningless score, raise an error here: a class with one training example, or equal scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from taskaffinity.errors import input_error, meant, named, quoted
from taskaffinity.tasks.compared_text import whole_input
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import CLASS_KINDS, TAG_KINDS, Kind
from taskaffinity.tasks.rows import parse_rows
from taskaffinity.tasks.splits import SPLITS, Split, is_test
from taskaffinity.tasks.task import Example, Task
from taskaffinity.tasks.user.alike_labels import alike_notes
from taskaffinity.tasks.user.candidates import joined
from taskaffinity.tasks.user.class_lists import split_labels
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.encoding_note import encoding_note
from taskaffinity.tasks.user.files import REJECTED
from taskaffinity.tasks.user.labels import (
    check_enough,
    check_known_labels,
    class_name,
    convert_label,
    labels_of,
    text_of,
)
from taskaffinity.tasks.user.long_texts import reading_of
from taskaffinity.tasks.user.mentions import tagged
from taskaffinity.tasks.user.missing_labels import missing_notes
from taskaffinity.tasks.user.numbered import named_tags, types_of
from taskaffinity.tasks.user.pair_rule import PairRule
from taskaffinity.tasks.user.parts import Parts, parts_from_files, parts_from_hub
from taskaffinity.tasks.user.shares import SplitShares, part_of_name, shares_of, split_off_shares
from taskaffinity.tasks.user.tag_schemes import described_scheme, iob2
from taskaffinity.tasks.user.task_block import At, UserTask, check, check_place

_UNIQUE = (
    "ids and names of documents that differ in all splits; if the ids of a column start again in each split, "
    "columns: {idx: NAME}"
)


def read_user_task(name: str, block: UserTask, root: Path, at: At, *, needs_test: bool = True) -> Task:
    """Read a task of a suite file and check every example.

    Parameters
    ----------
    root
        Folder of relative paths.
    needs_test
        Whether a task without a test part is refused. If not, its dev part is also its test part.

    Raises
    ------
    InputError
        If the task block or a file has a fault.
    """
    check_place(block, at)
    check(block, at)
    shares = shares_of(block, at, needs_test=needs_test)
    columns = columns_of(block)
    from_hub = parts_from_hub(block, at, shares, columns) if block.hub else None
    parts = from_hub or parts_from_files(block, root, at, shares, columns)
    task = make_task(name, block, parts, at, columns.notes)
    task = with_missed(task, columns, parts, shares)
    if letters := encoding_note(chain.from_iterable(task.examples[split] for split in task.splits), block.encoding):
        task = replace(task, notes=(*task.notes, letters))
    if block.hub or not (shares.dev or shares.test):
        return task
    notes = sorted(
        f"column {column!r} is ignored; to use it: columns: {{split: {column}}}" for column in columns.ignored
    )
    if not shares.train and (n := _drawn_apart(task, shares)):
        rest = f"train: {round(100 * (1 - shares.dev - shares.test))}%"
        notes.append(f"{how_many(n, 'text')} drawn into several splits; with {rest}, equal texts stay together")
    return replace(task, notes=(*task.notes, *notes))


def _drawn_apart(task: Task, shares: SplitShares) -> int:
    """Return the number of texts of which the shares took some, but not all."""
    drawn: tuple[Split, ...] = ("train", *(part for part in shares if shares[part]))
    texts = [{whole_input(example) for example in task.examples[split]} for split in drawn]
    return sum(n > 1 for n in Counter(text for of_split in texts for text in of_split).values())


def columns_of(block: UserTask) -> Columns:
    """Return the names of columns that a block gives."""
    classes = block.labels if block.kind == "multilabel" else ()
    relations = PairRule(block.pairs, block.negative, block.labels)
    return Columns(block.kind, block.columns, options=block.options, classes=classes, relations=relations)


def with_missed(task: Task, columns: Columns, parts: Parts, shares: SplitShares) -> Task:
    """Return a task with the numbers of gold relations without an example, if its reader counted them."""
    if not columns.missed:
        return task
    missed = _missed_by_split(columns, parts, shares, task)
    return replace(task, missed=missed if task.has_test else {**missed, "test": missed["dev"]})


def _missed_by_split(columns: Columns, parts: Parts, shares: SplitShares, task: Task) -> dict[Split, int]:
    """Return the numbers of gold relations without an example, by split.

    A share of the training split has those of its documents. By exact shares, a document without any example stays in
    train.
    """
    drawn: dict[str, Split] = {}
    if shares.train:
        # further test sets have files of their own, which may repeat a document of a share
        drawn = {example.document: split for split in SPLITS for example in task.examples[split]}
    found: dict[Split, int] = dict.fromkeys((*SPLITS, *parts), 0)
    for split, (place, _) in parts.items():
        for document, n in columns.missed.get(place, {}).items():
            of_share = drawn.get(document, "train") if shares.train else part_of_name(document, shares)
            found[of_share if split == "train" else split] += n
    return found


def make_task(name: str, block: UserTask, parts: Parts, at: At, changes: Counter[str] | None = None) -> Task:
    """Make a task from the rows of its splits.

    Parameters
    ----------
    parts
        The place and the rows of each split. A split that is a share of the training split is absent, and so is the
        test split of a task without one.
    changes
        The reader's changes and their numbers, for the notes of the task.

    Raises
    ------
    InputError
        At the first row that does not fit, or if there are too few rows to train on.
    """
    places = {split: where for split, (where, _) in parts.items()}
    reading = reading_of(block, at)
    marks: set[str] = set()
    changes = Counter() if changes is None else changes
    if block.kind == "multilabel":
        listed = {split: list(located) for split, (_, located) in parts.items()}
        split_labels(listed, block.labels, block.label_separator)
        parts = {split: (places[split], iter(located)) for split, located in listed.items()}
    rows = {split: list(_normalised(block, split, located, marks, changes)) for split, (_, located) in parts.items()}
    for split, where in places.items():
        if not rows[split]:
            lost = [how_many(n, what) for what, n in changes.items() if what == REJECTED and n]
            raise input_error(where, ", and ".join(["no row", *lost]), "at least one example")
    given = types_of(block.labels) if block.kind in TAG_KINDS else block.labels
    labels = (block.kind != "choice" and given) or labels_of(block.kind, rows, places["train"])
    if not block.labels and block.kind in CLASS_KINDS:
        check_known_labels(rows, labels)
    examples = _parsed(block.kind, rows, labels)
    lines = {example.id: where for example, (where, _) in zip(examples["train"], rows["train"], strict=True)}
    split_off_shares(block, shares_of(block, at), examples, at)
    has_test = "test" in examples
    if not has_test:
        examples["test"] = examples["dev"]
    if block.negative is not None and block.negative not in labels:
        legal = "one of the labels of the training split"
        raise input_error(
            at("negative"), f"negative {quoted(block.negative)}", f"{legal}{meant(block.negative, labels)}"
        )
    check_enough(block, labels, examples, lines, places, at)
    task = Task(
        *(name, block.kind, examples.__getitem__, labels, block.negative, block.metric, block.title),
        has_test=has_test,
        test_sets=tuple(block.tests),
    )
    scheme = described_scheme(marks)
    changed = (how_many(n, what) for what, n in changes.items() if n)
    has_names = block.kind in CLASS_KINDS or block.kind in TAG_KINDS
    names = [class_name(label) for label in labels] if has_names else []
    alike = alike_notes(labels, names) if names else ()
    missing = missing_notes(labels, names) if names and not block.labels else ()
    lacks = () if has_test else ("no test part: `pairwise` refuses this task, and `train` reports dev scores",)
    return replace(task, notes=(*((scheme,) if scheme else ()), *changed, *alike, *missing, *lacks), reading=reading)


def _parsed(
    kind: Kind, rows: Mapping[Split, Sequence[tuple[str, object]]], labels: Sequence[str]
) -> dict[Split, tuple[Example, ...]]:
    """Return the examples of each split; ids are unique but for those of different test sets."""
    seen: dict[str, str] = {}
    examples: dict[Split, tuple[Example, ...]] = {}
    for split, located in rows.items():
        known = dict(seen) if is_test(split) else seen
        examples[split] = tuple(parse_rows(located, kind, labels, known, _UNIQUE))
    return examples


def _normalised(block: UserTask, split: Split, rows: Located, marks: set[str], counted: Counter[str]) -> Located:
    """Yield the rows with an id, labels as text or numbers, and tags in IOB2."""
    if "group" in block.columns:
        has_ids = block.columns["group"] != block.columns.get("text")
        rows = joined(rows, counted, has_ids=has_ids, leave_out=block.groups == "one-right")
    for number, (where, row) in enumerate(rows, start=1):
        if row.get("id") is not None:
            row["id"] = text_of(row["id"])
        elif row.get("idx") is not None:
            row["id"] = f"{split}.{text_of(row['idx'])}"
        else:
            row["id"] = f"{split}.{number}"
        row["document"] = None if row.get("document") == "" else text_of(row.get("document"))
        if "entities" in row:
            tagged(where, row, block.labels, block.overlaps, counted)
        elif "tags" in row:
            if block.overlaps:
                raise input_error(where, "tags of words, and overlaps:", "mentions at offsets; or leave overlaps: out")
            tags = row["tags"]
            if not isinstance(tags, list):
                raise input_error(where, f"{named(tags, ())} as tags", "a list with one tag per word")
            places = row.get("places")
            tags, types = named_tags(where, tags, block.labels), types_of(block.labels)
            row["tags"] = iob2(where, tags, types, places if isinstance(places, tuple) else None, marks)
        key = "tags" if block.kind in TAG_KINDS else "label"
        if key not in row:
            raise input_error(where, f"no {key}", f"{key} in every row")
        if "label" in row:
            convert_label(where, row, block, counted)
        yield where, row
