"""The block of one task in a suite file, and its checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from taskaffinity.errors import InputError, has_controls, input_error, meant, quoted
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import CLASS_KINDS, DEFAULT_METRIC, METRICS_OF_KIND, ONE_CLASS, TAG_KINDS, TRAITS, Kind
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.numbers import whole_number
from taskaffinity.tasks.reading import Long, Pool, Side
from taskaffinity.tasks.splits import MainSplit
from taskaffinity.tasks.task import A_NAME, is_name
from taskaffinity.tasks.user.columns import MENTION_FIELDS, NEEDED, Field
from taskaffinity.tasks.user.layout import COMMON_ENCODINGS, Format, check_fields, ending, formats_of, is_encoding
from taskaffinity.tasks.user.other_names import meant_field, meant_kind
from taskaffinity.tasks.user.pair_rule import Pairs

Number = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
"""A whole number as text; data in memory may give an int."""


class Files(BaseModel):
    """The data files: a folder, or one file per split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = ""
    train: str = ""
    dev: str = ""
    test: str = ""


class UserTask(BaseModel):
    """A task block of a suite file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    path: Files | None = None
    hub: str = ""
    """A data set of the Hugging Face hub, OWNER/NAME, instead of files."""
    config: str = ""
    revision: str = ""
    """Branch, tag or commit of the data set."""
    splits: dict[MainSplit, str] = {}
    """Unusual names of its splits, or in a column of splits: train, dev or test -> name."""
    format: Format | None = None
    """None: from the suffix of each file."""
    header: tuple[str, ...] = ()
    """Names of the columns of files without a header."""
    separator: str = ""
    """The character between two columns of a csv file. Empty: a comma."""
    encoding: str = ""
    """Encoding of the files. Empty: UTF-8."""
    pairs: Pairs = Pairs()
    """Which pairs of mentions of annotated documents are examples of relations."""
    overlaps: Literal["", "longest"] = ""
    """What to do with overlapping mentions. Empty: refuse them."""
    groups: Literal["", "one-right"] = ""
    """What to do with groups without exactly one right candidate. Empty: refuse them."""
    columns: dict[Field, str] = {}
    options: tuple[str, ...] = ()
    """Columns of the options of choice, if each has its own. Empty: one column has them all."""
    labels: tuple[str, ...] = ()
    """Classes, or entity types. Empty: collected from the training split."""
    label_separator: str = ""
    """Separator of the classes of a multi-label example. Empty: the one of ``|``, ``;`` and ``,`` in the column."""
    negative: str | None = None
    metric: str = ""
    title: str = ""
    train: str = ""
    """What is left for train, such as ``80%``: with it, shares are exact and stratified. Empty: by a hash of the id."""
    dev: str = ""
    """A share of the training split such as ``10%``. Empty: a file or split."""
    test: str = ""
    """As ``dev``, for test. Both are shares of the whole file, and no example is in both."""
    tests: dict[str, str] = {}
    """Further test sets: name -> file, or split of the hub or of data in memory."""
    max_length: Number = ""
    """Longest input in tokens. Empty: that of the recipe."""
    max_words: Number = ""
    """Longest tagged sentence in words, or ``none``. Empty: that of the recipe."""
    long: Long = "truncate"
    stride: Number = ""
    pool: Literal["", Pool] = ""
    windowed: Literal["", Side] = ""


_WITHOUT_LABELS = {
    "score": "it learns numbers",
    "answers": "answers are parts of the text",
}
"""Form of a kind's labels -> why the user lists none."""

_SEPARATORS = {
    "\\t": 'format: tsv, or separator: "\\t"',
    "tab": "format: tsv",
    "tabs": "format: tsv",
    "semicolon": 'separator: ";"',
    "pipe": 'separator: "|"',
    "bar": 'separator: "|"',
    "space": 'separator: " "',
}
"""Words for a separator -> what to write."""
_ENCODINGS = {"ansi": "cp1252", "windows": "cp1252", "western": "cp1252", "excel": "cp1252", "unicode": "utf-16"}
"""Names that programs show for an encoding -> its name."""

At = Callable[[str], str]
"""Key of the task -> its file and line, for a message."""


def describe_fault(error: ValidationError, where: str, number: int = 0) -> InputError:
    """Return the error for a value that pydantic rejected.

    ``number`` is its index in ``error``.
    """
    fault = error.errors(include_url=False)[number]
    given, kind, key = fault["input"], fault["type"], str(fault["loc"][-1])
    if kind == "literal_error":
        legal = tuple(filter(None, re.findall(r"'([^']*)'", str(fault.get("ctx", {}).get("expected", "")))))
        what = f"{key} " if key != "[key]" else "split " if "splits" in fault["loc"] else "field "
        hint = {"kind": meant_kind, "[key]": meant_field}.get(key, meant)(given, legal)
        return input_error(where, f"{what}{quoted(given)}", f"one of {', '.join(legal)}{hint}")
    wanted = {"string_type": "a text", "tuple_type": "a list", "dict_type": "keys and values", "model_type": "keys"}
    return input_error(where, f"{quoted(given)} as {key}", wanted.get(kind, "another form"))


def check(block: UserTask, at: At) -> None:
    """Check the block by itself, without its data.

    Raises
    ------
    InputError
        With the line of the key.
    """
    fitting = METRICS_OF_KIND[block.kind]
    has_classes = block.kind in CLASS_KINDS
    if block.metric and block.metric not in fitting:
        of = f" for kind {block.kind}" if block.metric in METRICS else ""
        raise input_error(
            at("metric"),
            f"metric {quoted(block.metric)}{of}",
            f"one of {', '.join(fitting)}{meant(block.metric, fitting)}",
        )
    if block.labels and (why := _WITHOUT_LABELS.get(TRAITS[block.kind].label)):
        raise input_error(at("labels"), f"labels for kind {block.kind}", f"none: {why}")
    if has_controls(block.title):
        raise input_error(at("title"), f"title {quoted(block.title)}", "printable characters")
    if garbled := next((label for label in block.labels if has_controls(label)), None):
        raise input_error(at("labels"), f"label {quoted(garbled)}", "printable characters")
    if any(not label.strip() for label in block.labels) or len(set(block.labels)) != len(block.labels):
        raise input_error(at("labels"), "a label that is empty or listed twice", "each label once")
    if has_classes and len(block.labels) == 1:
        raise input_error(at("labels"), "one label", "two or more labels")
    if block.label_separator and block.kind != "multilabel":
        raise input_error(at("label_separator"), f"label_separator for kind {block.kind}", "kind: multilabel")
    if block.negative is not None and block.kind not in ONE_CLASS:
        raise input_error(at("negative"), f"a negative class for kind {block.kind}", "none")
    if block.negative is not None and (block.metric or DEFAULT_METRIC[block.kind]) == "accuracy":
        raise input_error(
            at("negative"), "a negative class with metric accuracy, which scores every class", "metric: micro_f1"
        )
    fields = {
        *NEEDED[block.kind],
        "id",
        "idx",
        "document",
        "split",
        *TRAITS[block.kind].optional,
        *(("group",) if block.kind == "choice" else ()),
        *(MENTION_FIELDS if block.kind in TAG_KINDS else ()),
    }
    if wrong := [name for name in block.columns if name not in fields]:
        expected = f"some of {', '.join(sorted(fields))}{meant_field(wrong[0], fields)}"
        raise input_error(at("columns"), f"columns: {wrong[0]} for kind {block.kind}", expected)
    _check_format(block, at)
    _check_each_column_once(block, at)
    _check_layout(block, at)
    if (illegal := next((name for name in block.tests if not is_name(name)), None)) is not None:
        raise input_error(at("tests"), f"test set {quoted(illegal)}", A_NAME)
    if block.pairs != Pairs() and (block.kind != "relation" or block.format not in (None, "brat", "jsonl", "parquet")):
        found = f"pairs: for kind {block.kind}{f' and format {block.format}' if block.format else ''}"
        raise input_error(at("pairs"), found, "kind: relation, and format: brat or documents in BigBIO's schema")
    if any(len(pair) != 2 for pair in block.pairs.types):
        raise input_error(at("pairs"), "types that are no pairs", "types: [[TYPE, TYPE], ...]")
    if block.pairs.max_words and whole_number(block.pairs.max_words) is None:
        raise input_error(at("pairs"), f"max_words: {quoted(block.pairs.max_words)}", "a whole number")


def _check_format(block: UserTask, at: At) -> None:
    """Raise ``InputError`` if the kind does not have the format, or the format does not use a key."""
    forms = formats_of(block.kind)
    if block.format and block.format not in forms:
        raise input_error(at("format"), f"format {block.format} for kind {block.kind}", f"one of {', '.join(forms)}")
    if block.format:
        check_fields(at("columns"), block.format, block.kind, block.header, block.columns)
    if block.overlaps and block.kind != "ner":
        raise input_error(at("overlaps"), f"overlaps: for kind {block.kind}", "kind: ner")
    if block.overlaps and block.format in ("conll", "conllu", "blue"):
        raise input_error(at("overlaps"), f"overlaps: for format {block.format}", "a format with mentions at offsets")
    if block.label_separator and block.format == "fasttext":
        raise input_error(
            at("label_separator"), "label_separator for format fasttext", "none: __label__ begins a label"
        )


def _check_layout(block: UserTask, at: At) -> None:
    if len(set(block.header)) != len(block.header) or "" in block.header:
        raise input_error(at("header"), "a name that is empty or listed twice", "one name per column")
    if block.separator and (len(block.separator) != 1 or block.separator in '"\r\n'):
        hint = _SEPARATORS.get(block.separator.casefold(), "")
        expected = f'one character, such as ";"{hint and f"; did you mean {hint}?"}'
        raise input_error(at("separator"), f"separator {quoted(block.separator)}", expected)
    if block.encoding and not is_encoding(block.encoding):
        hint = _ENCODINGS.get(block.encoding.casefold(), "")
        hint = f"; did you mean {hint}?" if hint else meant(block.encoding, COMMON_ENCODINGS)
        expected = f"an encoding, such as latin-1 or cp1252{hint}"
        raise input_error(at("encoding"), f"encoding {quoted(block.encoding)}", expected)


def _check_each_column_once(block: UserTask, at: At) -> None:
    if block.options and block.kind != "choice":
        raise input_error(at("options"), f"options: for kind {block.kind}", "kind: choice")
    if block.options and (len(block.options) < 2 or len(set(block.options)) < len(block.options)):
        raise input_error(
            at("options"), f"{how_many(len(block.options), 'column')} of options", "two or more, each once"
        )
    if block.options and "options" in block.columns:
        raise input_error(at("options"), "options: and columns: {options: ...}", "one of them")
    if "group" in block.columns and (key := "options" if block.options else "labels" if block.labels else ""):
        raise input_error(at(key), f"{key}: and columns: {{group: ...}}", f"no {key}:, because each row is a candidate")
    if block.groups and "group" not in block.columns:
        raise input_error(at("groups"), "groups: without columns: {group: ...}", "columns: {group: NAME} as well")
    marked, tagged = ([one for one in block.columns if one in some] for some in (MENTION_FIELDS, ("words", "tags")))
    if block.kind in TAG_KINDS and marked and tagged:
        expected = "words and tags, or text and entities"
        raise input_error(at("columns"), f"columns: {marked[0]} and columns: {tagged[0]}", expected)
    fields: dict[str, str] = {}
    for name, column in block.columns.items():
        if (other := fields.setdefault(column, name)) != name and not {name, other} & {"group"}:
            raise input_error(
                at("columns"), f"column {quoted(column)} as {other} and as {name}", "one column per field"
            )


def check_place(block: UserTask, at: At) -> None:
    """Check that the block has files or a data set of the hub, and only fitting keys.

    Raises
    ------
    InputError
        With the line of the key.
    """
    if block.hub and block.path:
        raise input_error(at("hub"), "path: and hub:", "one of them")
    if not block.hub and block.path is None:
        expected = "path: a folder, or {train: FILE, dev: FILE, test: FILE}; or hub: OWNER/NAME"
        raise input_error(at("path"), "no key 'path'", expected)
    for key, value in (("config", block.config), ("revision", block.revision), ("splits", block.splits)):
        is_one_json = block.path is not None and ending(Path(block.path.folder)) == ".json"
        if key == "splits" and ("split" in block.columns or is_one_json):
            continue
        if value and not block.hub:
            raise input_error(at(key), f"{key}: without hub:", "hub: OWNER/NAME too")
    if block.hub and block.test:
        raise input_error(at("test"), "test: with hub:", "splits: {test: NAME}")
    for key in ("format", "header", "separator", "encoding") if block.hub else ():
        if getattr(block, key):
            raise input_error(at(key), f"{key}: with hub:", "none")
    if block.hub and "split" in block.columns:
        raise input_error(at("columns"), "columns: {split: ...} with hub:", "splits: {test: NAME}")
