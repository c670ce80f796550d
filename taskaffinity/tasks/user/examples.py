"""Read the examples of a user's task, from files or from a data set of the hub.

Labels are given, or collected from the training split. A row without an id gets its split and number as id. Data that
would fail later, or give a meaningless score, raise an error here: a class with one training example, or equal scores.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from taskaffinity.errors import has_controls, input_error, meant, named, quoted, shown
from taskaffinity.tasks.numbers import finite_number
from taskaffinity.tasks.rows import parse_rows
from taskaffinity.tasks.task import SCORE_KINDS, Example, Kind, Split, Task
from taskaffinity.tasks.user.columns import Columns, Located
from taskaffinity.tasks.user.conll import iob2
from taskaffinity.tasks.user.files import read_rows
from taskaffinity.tasks.user.hub import hub_parts, hub_rows, load_hub
from taskaffinity.tasks.user.task_block import At, Shared, UserTask, check, check_place, files_of, part_of, shares_of

_MOST_CLASSES = 100
_UNLABELLED = "-1"
_LONGEST_LABEL = 40
_MOST_WORDS = 3
_LISTED = 10


Parts = Mapping[Split, tuple[str, Located]]
"""The place of each split and its rows."""


def read_user_task(name: str, block: UserTask, root: Path, at: At) -> Task:
    """Read a task of a suite file and check every example.

    Parameters
    ----------
    root
        Folder of relative paths.

    Raises
    ------
    InputError
        If the task block or a file has a fault.
    """
    check_place(block, at)
    check(block, at)
    shares = shares_of(block, at)
    return make_task(
        name, block, _from_hub(block, at, shares) if block.hub else _from_files(block, root, at, shares), at
    )


def make_task(name: str, block: UserTask, parts: Parts, at: At) -> Task:
    """Make a task from the rows of its splits.

    Parameters
    ----------
    parts
        The place and the rows of each split. A split that is a share of the training split is absent.

    Raises
    ------
    InputError
        At the first row that does not fit, or if the rows are too few to learn from.
    """
    places = {split: where for split, (where, _) in parts.items()}
    rows = {split: list(_normalised(block, split, located)) for split, (_, located) in parts.items()}
    for split, where in places.items():
        if not rows[split]:
            raise input_error(where, "no row", "at least one example")
    labels = block.labels or _labels(block.kind, rows["train"], places["train"])
    if not block.labels and block.kind not in (*SCORE_KINDS, "ner"):
        _check_known_labels(rows, labels)
    seen: dict[str, str] = {}
    examples = {split: tuple(parse_rows(located, block.kind, labels, seen)) for split, located in rows.items()}
    lines = {example.id: where for example, (where, _) in zip(examples["train"], rows["train"], strict=True)}
    _split_off_shares(block, examples, at)
    if block.negative is not None and block.negative not in labels:
        legal = "one of the labels of the training split"
        raise input_error(
            at("negative"), f"negative {quoted(block.negative)}", f"{legal}{meant(block.negative, labels)}"
        )
    _check_enough(block, labels, examples, lines, places, at)
    splits: dict[Split, tuple[Example, ...]] = {split: examples[split] for split in ("train", "dev", "test")}
    return Task(name, block.kind, splits.__getitem__, labels, block.negative, block.metric, block.title)


def _split_off_shares(block: UserTask, examples: dict[Split, tuple[Example, ...]], at: At) -> None:
    """Move the dev and test shares out of the training examples."""
    whole = examples["train"]
    for part, share in shares_of(block, at).items():
        if not share:
            continue
        taken = {e.id for e in whole if in_share(e.document or e.id, share, is_last=part == "test")}
        examples[part] = tuple(example for example in whole if example.id in taken)
        examples["train"] = tuple(example for example in examples["train"] if example.id not in taken)
        if not examples[part] or not examples["train"]:
            documents = {example.document for example in whole} - {""}
            of = f" (in whole documents; there are {len(documents)})" if documents else ""
            said = f"{part}: {part_of(block, part)}, which takes {len(examples[part])} of {len(whole)} examples{of}"
            raise input_error(at(part), said, f"a share that leaves examples in both splits, or a {part} file")


def _from_files(block: UserTask, root: Path, at: At, shares: Mapping[Shared, float]) -> Parts:
    columns = Columns(block.kind, block.columns)
    files = files_of(block, root, at, shares)
    return {split: (str(path), read_rows(path, block.format, columns)) for split, path in files.items()}


def _from_hub(block: UserTask, at: At, shares: Mapping[Shared, float]) -> Parts:
    columns = Columns(block.kind, block.columns)
    splits = load_hub(block.hub, block.config, block.revision, at("hub"))
    parts = hub_parts(block.hub, list(splits), block.splits, shares, at("splits" if block.splits else "hub"))
    places = {split: f"{block.hub}: {name}" for split, name in parts.items()}
    return {split: (places[split], hub_rows(splits[name], places[split], columns)) for split, name in parts.items()}


def in_share(name: str, share: float, *, is_last: bool = False) -> bool:
    """Whether an id (of an example or of a document) falls into a share of the training split.

    The first 8 bytes of its sha256, big-endian, are read as a fraction in [0, 1). The dev share takes the fractions
    below ``share``; with ``is_last``, the test share takes the same amount at the upper end.
    """
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return (2**64 - 1 - place if is_last else place) < share * 2**64


def _normalised(block: UserTask, split: Split, rows: Located) -> Located:
    """Yield the rows with an id, labels as text or numbers, and tags in IOB2."""
    for number, (where, row) in enumerate(rows, start=1):
        if row.get("id") is not None:
            row["id"] = _text_of(row["id"])
        elif row.get("idx") is not None:
            row["id"] = f"{split}.{_text_of(row['idx'])}"
        else:
            row["id"] = f"{split}.{number}"
        row["document"] = None if row.get("document") == "" else _text_of(row.get("document"))
        if "tags" in row:
            tags = row["tags"]
            if not isinstance(tags, list):
                raise input_error(where, f"{named(tags, ())} as tags", "a list with one tag per word")
            places = row.get("places")
            row["tags"] = iob2(where, tags, block.labels, places if isinstance(places, tuple) else None)
        key = "tags" if block.kind == "ner" else "label"
        if key not in row:
            raise input_error(where, f"no {key}", f"{key} in every row")
        if "label" in row:
            value = row["label"]
            row["label"] = _score(where, value) if block.kind in SCORE_KINDS else _class(where, value, block.labels)
        yield where, row


def _text_of(value: object) -> object:
    """A whole number as text, a text without surrounding white space; other values unchanged."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _class(where: str, value: object, labels: Sequence[str]) -> str:
    label = ("false", "true")[value] if isinstance(value, bool) else _text_of(value)
    if not isinstance(label, str) or not label:
        raise input_error(where, f"label {shown(label)}", "a class: a text or a whole number")
    if label == _UNLABELLED and label not in labels:
        expected = "rows with labels; if -1 is a class here, list every class under labels:"
        raise input_error(where, "label -1, which means no label", expected)
    if has_controls(label):
        raise input_error(where, f"a label of {len(label)} characters with a control character", "printable characters")
    return label


def _score(where: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    score = finite_number(value)
    if score is not None:
        return score
    raise input_error(
        where, f"label {named(value.strip(), ())}", "a number (for classes, use kind: inference or classification)"
    )


def _labels(kind: Kind, rows: Sequence[tuple[str, dict[str, object]]], place: str) -> tuple[str, ...]:
    """Classes or entity types of the training split, sorted."""
    if kind in SCORE_KINDS:
        return ()
    if kind == "ner":
        tags = [row["tags"] for _, row in rows if isinstance(row["tags"], list)]
        found = {tag[2:] for sentence in tags for tag in sentence if tag != "O"}
        if not found:
            raise input_error(place, "no mention", "some tags other than O")
        return tuple(sorted(found))
    for where, row in rows:
        label = str(row["label"])
        if len(label) > _LONGEST_LABEL or "\n" in label:
            expected = f"at most {_LONGEST_LABEL}; is this the label column? If so, list all labels under labels:"
            raise input_error(where, f"a label of {len(label)} characters", expected)
    found = {str(row["label"]) for _, row in rows}
    if not 1 < len(found) <= _MOST_CLASSES:
        expected = f"2 to {_MOST_CLASSES}; is this the label column? If so, list all labels under labels:"
        raise input_error(place, f"{len(found)} class{'es' * (len(found) != 1)} in {len(rows)} rows", expected)
    return tuple(sorted(found))


def _check_known_labels(rows: Mapping[Split, Sequence[tuple[str, dict[str, object]]]], labels: Sequence[str]) -> None:
    for split in rows:
        for where, row in rows[split]:
            if row["label"] not in labels:
                found = f"label {_class_name(str(row['label']))}, which no training example has"
                some = f"{', '.join(labels[:_LISTED])}{', ...' * (len(labels) > _LISTED)}"
                expected = f"one of the {len(labels)} classes of the training split ({some})"
                mend = "list it under labels, move an example of it to train, or drop this example"
                raise input_error(where, found, f"{expected}; {mend}{meant(row['label'], labels)}")


def _check_scores_are_labels(examples: Sequence[Example], lines: Mapping[str, str], place: str) -> None:
    """Refuse -1 among scores that have no other negative one and lie beyond 1: many data sets mark rows so."""
    scores = {example.label for example in examples if isinstance(example.label, float)}
    if min(scores, default=0) == -1 and max(scores) > 1 and not any(-1 < score < 0 for score in scores):
        first = next(example.id for example in examples if example.label == -1)
        raise input_error(lines.get(first, place), "label -1, which means no label", "rows with scores; leave it out")


def _class_name(label: str) -> str:
    """The name of a class for a message; only its size if it is too long for a name."""
    return repr(label) if len(label) <= _LONGEST_LABEL and len(label.split()) <= _MOST_WORDS else shown(label)


def _check_enough(
    block: UserTask,
    labels: Sequence[str],
    examples: Mapping[Split, Sequence[Example]],
    lines: Mapping[str, str],
    places: Mapping[Split, str],
    at: At,
) -> None:
    """Check for two training examples per class, a mention per type and two scores per split.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    if block.kind in SCORE_KINDS:
        for split, part in examples.items():
            _check_scores_are_labels(part, lines, places[split] if split in places else places["train"])
            if len({example.label for example in part}) < 2:
                found = f"{split} scores that are all equal ({len(part)} rows)"
                raise input_error(
                    places.get(split, places["train"]), found, "two different scores, because a correlation needs them"
                )
        return
    counts: Counter[str] = Counter()
    for example in examples["train"]:
        tags = example.label
        counts.update({tag[2:] for tag in tags if tag != "O"} if isinstance(tags, tuple) else [str(tags)])
    parts = [f"{part}: {said}" for part, said in (("dev", block.dev), ("test", block.test)) if said]
    remaining = f" after {' and '.join(parts)} {'are' if len(parts) > 1 else 'is'} taken" if parts else ""
    if nothing := [label for label in labels if not counts[label]]:
        others = [e for part in examples.values() for e in part if e.label == nothing[0]] if not block.labels else []
        where = at("labels") if block.labels else lines[others[0].id] if others else places["train"]
        name = shown(nothing[0]) if block.labels else f"class {_class_name(nothing[0])}"
        raise input_error(where, f"{name} without a training example{remaining}", "two or more of each class")
    if block.kind == "ner":
        return
    for example in examples["train"]:
        label = str(example.label)
        if counts[label] == 1:
            few = sum(n == 1 for n in counts.values()) <= len(counts) / 2  # otherwise it may be a column of text
            near = next((other for other in labels if other != label and other.lower() == label.lower()), None)
            hint = f"; {label!r} and {near!r} differ only in case" if near and few else ""
            name = _class_name(label) if few else "its class"
            raise input_error(
                lines[example.id], f"the only training example of {name}{remaining}", f"two or more of each class{hint}"
            )
