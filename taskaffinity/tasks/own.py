"""One task of a user's own: what the suite file says of it, and its examples.

Labels are given, or those of the training part. A row without an id is called by its split and number. What would
fail later, or make a score that means nothing, is refused here: a class with one training example, scores that are all
alike.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from taskaffinity.tasks.conll import iob2
from taskaffinity.tasks.lines import bad, meant, named, shown
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.ownfiles import NEEDED, Columns, Field, Format, Located, find_files, read_rows
from taskaffinity.tasks.rows import parse_rows
from taskaffinity.tasks.task import DEFAULT_METRIC, Example, Kind, Split, Task

_OF_CLASSES = ("accuracy", "micro_f1", "macro_f1")
OF_KIND: dict[Kind, tuple[str, ...]] = {
    "similarity": ("pearson",),
    "relation": _OF_CLASSES,
    "inference": _OF_CLASSES,
    "ner": ("span_f1", "span_f1_conlleval"),
    "classification": _OF_CLASSES,
}
"""Metrics that can score a task of a kind."""

_MOST_CLASSES = 100
_LONGEST_LABEL = 40
_LARGEST_SHARE = 50


class Files(BaseModel):
    """Where the examples are: a folder, or a file a split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = ""
    train: str = ""
    dev: str = ""
    test: str = ""


class OwnTask(BaseModel):
    """A task as a suite file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    path: Files
    format: Format | None = None
    """None: by the end of each file's name."""
    columns: dict[Field, str] = {}
    labels: tuple[str, ...] = ()
    """Classes, or entity types; empty for those of the training part."""
    negative: str | None = None
    metric: str = ""
    title: str = ""
    dev: str = ""
    """``10%``: a share of the training part, by a hash of the id."""


At = Callable[[str], str]
"""File and line of a key of the task, to begin a complaint with."""


def read_own(name: str, own: OwnTask, root: Path, at: At) -> Task:
    """The task, its examples read and checked.

    Parameters
    ----------
    root
        The folder that paths are relative to.

    Raises
    ------
    BadInput
        Whatever is wrong with the block or with the files.
    """
    _check(own, at)
    share = _share(own.dev, at)
    files = _files(own, root, at, share)
    columns = Columns(own.kind, own.columns)
    rows = {split: list(_whole(own, split, read_rows(path, own.format, columns))) for split, path in files.items()}
    for split, path in files.items():
        if not rows[split]:
            raise bad(path, "no row", "at least one example")
    labels = own.labels or _labels(own.kind, rows["train"], files["train"])
    if not own.labels and own.kind not in ("similarity", "ner"):
        _refuse_new_labels(rows, labels)
    seen: dict[str, str] = {}
    examples = {split: tuple(parse_rows(located, own.kind, labels, seen)) for split, located in rows.items()}
    places = {example.id: where for example, (where, _) in zip(examples["train"], rows["train"], strict=True)}
    if share:
        train = examples["train"]
        examples["dev"] = tuple(example for example in train if in_share(example.id, share))
        examples["train"] = tuple(example for example in train if not in_share(example.id, share))
        if not examples["dev"] or not examples["train"]:
            found = f"dev: {own.dev}, which takes {len(examples['dev'])} of {len(train)} examples"
            raise bad(at("dev"), found, "a share that leaves both parts some, or a dev file")
    if own.negative is not None and own.negative not in labels:
        legal = "one of the labels of the training part"
        raise bad(at("negative"), shown(own.negative), f"{legal}{meant(own.negative, labels)}")
    _check_enough(own, labels, examples, places, files, at)
    splits: dict[Split, tuple[Example, ...]] = {split: examples[split] for split in ("train", "dev", "test")}
    return Task(name, own.kind, splits.__getitem__, labels, own.negative, own.metric, own.title)


def in_share(name: str, share: float) -> bool:
    """Whether an id is in a part of about this share: the first 8 bytes of its sha256, big-endian, are below it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) < share * 2**64


def _check(own: OwnTask, at: At) -> None:
    """What can be wrong with the block by itself."""
    fitting = OF_KIND[own.kind]
    has_classes = own.kind not in ("similarity", "ner")
    if own.metric and own.metric not in fitting:
        of = f" for kind {own.kind}" if own.metric in METRICS else ""
        raise bad(
            at("metric"), f"metric {shown(own.metric)}{of}", f"one of {', '.join(fitting)}{meant(own.metric, fitting)}"
        )
    if own.labels and own.kind == "similarity":
        raise bad(at("labels"), "labels for kind similarity", "none: it learns numbers")
    if any(not label.strip() for label in own.labels) or len(set(own.labels)) != len(own.labels):
        raise bad(at("labels"), "a label that is empty or stands twice", "each label once")
    if own.negative is not None and not has_classes:
        raise bad(at("negative"), f"a negative class for kind {own.kind}", "none")
    if own.negative is not None and (own.metric or DEFAULT_METRIC[own.kind]) == "accuracy":
        raise bad(at("negative"), "a negative class with metric accuracy, which scores every class", "metric: micro_f1")
    fields = {*NEEDED[own.kind], "id", "idx", *(("text_pair",) if own.kind != "ner" else ())}
    if wrong := [name for name in own.columns if name not in fields]:
        raise bad(at("columns"), f"columns: {wrong[0]} for kind {own.kind}", f"some of {', '.join(sorted(fields))}")
    if own.columns and own.format == "conll":
        raise bad(at("columns"), "columns for format conll", "none: the first is the word, the last the tag")


def _share(said: str, at: At) -> float:
    percent = said.removesuffix("%").strip()
    if not said:
        return 0.0
    if not said.endswith("%") or not percent.isdecimal() or not 1 <= int(percent) <= _LARGEST_SHARE:
        expected = f"1% to {_LARGEST_SHARE}% of the training part, such as 10%; a file goes under path: {{dev: FILE}}"
        raise bad(at("dev"), f"dev {named(said, ())}", expected)
    return int(percent) / 100


def _files(own: OwnTask, root: Path, at: At, share: float) -> dict[Split, Path]:
    """The file of each split; none for a dev part that is a share."""
    said: dict[Split, str] = {"train": own.path.train, "dev": own.path.dev, "test": own.path.test}
    files = {split: root / name for split, name in said.items() if name}
    if own.path.folder and files:
        raise bad(at("path"), "a folder and files", "one of them")
    if own.path.folder:
        files = find_files(root / own.path.folder, own.format, own.kind)
    for split in ("train", "test"):
        if split not in files:
            raise bad(at("path"), f"no {split} file", "a folder, or {train: FILE, dev: FILE, test: FILE}")
    if share and "dev" in files:
        raise bad(at("dev"), f"dev: {own.dev}, and {files['dev'].name} as well", "one of them")
    if not share and "dev" not in files:
        expected = f"dev{files['train'].suffix} beside {files['train'].name}, or dev: 10% to take a share of it"
        raise bad(at("path"), "no dev part", expected)
    where: dict[Path, Split] = {}
    for split, path in files.items():
        if not path.is_file():
            found = "a folder" if path.is_dir() else "no such file"
            near = meant(path.name, (p.name for p in path.parent.iterdir())) if path.parent.is_dir() else ""
            raise bad(path, found, f"the {split} file of {at('path')}{near}")
        if where.setdefault(path.resolve(), split) != split:
            raise bad(at("path"), f"one file for {where[path.resolve()]} and {split}", "a file a split")
    return files


def _whole(own: OwnTask, split: Split, rows: Located) -> Located:
    """Rows with an id, with labels as text or numbers, and tags in IOB2."""
    for number, (where, row) in enumerate(rows, start=1):
        if row.get("id") is not None:
            row["id"] = _text_of(row["id"])
        elif row.get("idx") is not None:
            row["id"] = f"{split}.{_text_of(row['idx'])}"
        else:
            row["id"] = f"{split}.{number}"
        if isinstance(row.get("tags"), list):
            row["tags"] = iob2(where, row["tags"], own.labels)  # type: ignore[arg-type]
        if "label" in row:
            row["label"] = (_score if own.kind == "similarity" else _class)(where, row["label"])
        yield where, row


def _text_of(value: object) -> object:
    """Whole numbers as text; text without the blanks about it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _class(where: str, value: object) -> str:
    label = ("false", "true")[value] if isinstance(value, bool) else _text_of(value)
    if not isinstance(label, str) or not label:
        raise bad(where, f"label {shown(label)}", "a class: a text or a whole number")
    return label


def _score(where: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        pass
    raise bad(where, f"label {named(value.strip(), ())}", "a number")


def _labels(kind: Kind, rows: Sequence[tuple[str, dict[str, object]]], path: Path) -> tuple[str, ...]:
    """Classes or entity types of the training part, in the order of the alphabet."""
    if kind == "similarity":
        return ()
    if kind == "ner":
        tags = [row["tags"] for _, row in rows if isinstance(row["tags"], list)]
        found = {tag[2:] for sentence in tags for tag in sentence if tag != "O"}
        if not found:
            raise bad(path, "no mention", "some tags beside O")
        return tuple(sorted(found))
    for where, row in rows:
        label = str(row["label"])
        if len(label) > _LONGEST_LABEL or "\n" in label:
            expected = f"classes of at most {_LONGEST_LABEL}; is this the label's column? Else list all under labels:"
            raise bad(where, f"a label of {len(label)} characters", expected)
    found = {str(row["label"]) for _, row in rows}
    if not 1 < len(found) <= _MOST_CLASSES:
        expected = f"2 to {_MOST_CLASSES}; is this the label's column? Else list all under labels:"
        raise bad(path, f"{len(found)} different labels in {len(rows)} rows", expected)
    return tuple(sorted(found))


def _refuse_new_labels(rows: Mapping[Split, Sequence[tuple[str, dict[str, object]]]], labels: Sequence[str]) -> None:
    for split in rows:
        for where, row in rows[split]:
            if row["label"] not in labels:
                found = f"label {named(row['label'], labels)}, which no training example has"
                raise bad(where, found, f"one of the {len(labels)} classes of the training part")


def _check_enough(
    own: OwnTask,
    labels: Sequence[str],
    examples: Mapping[Split, Sequence[Example]],
    places: Mapping[str, str],
    files: Mapping[Split, Path],
    at: At,
) -> None:
    """Two training examples of every class, a mention of every type, two different scores in every part."""
    if own.kind == "similarity":
        for split, part in examples.items():
            if len({example.label for example in part}) < 2:
                found = f"{split} scores that are all alike ({len(part)} rows)"
                raise bad(files.get(split, files["train"]), found, "two different ones, for a correlation")
        return
    counts: Counter[str] = Counter()
    for example in examples["train"]:
        tags = example.label
        counts.update({tag[2:] for tag in tags if tag != "O"} if isinstance(tags, tuple) else [str(tags)])
    left = f" once dev: {own.dev} is taken" if own.dev else ""
    if nothing := [label for label in labels if not counts[label]]:
        where = at("labels") if own.labels else files["train"]
        name = shown(nothing[0]) if own.labels else "a class"
        raise bad(where, f"{name} without a training example{left}", "two or more of each class")
    if own.kind == "ner":
        return
    for example in examples["train"]:
        if counts[str(example.label)] == 1:
            raise bad(places[example.id], f"the only training example of its class{left}", "two or more of each class")
