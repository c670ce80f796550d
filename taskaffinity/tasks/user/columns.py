"""Map the columns of a user's data to the fields of a row.

Columns are recognised by the names in task files, in Hugging Face data sets or (format ``blue``) in BLUE's files.
``columns:`` in a suite file maps other names. Other columns are ignored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from taskaffinity.errors import InputError, input_error, meant, quoted
from taskaffinity.tasks.kinds import TAG_KINDS, TRAITS, Kind
from taskaffinity.tasks.kinds import Field as Field
from taskaffinity.tasks.standoff.bigbio import is_bigbio
from taskaffinity.tasks.user.column_names import BLUE, USUAL
from taskaffinity.tasks.user.other_names import like_field
from taskaffinity.tasks.user.pair_rule import PairRule, Pairs

Located = Iterator[tuple[str, dict[str, object]]]

NEEDED: dict[Kind, tuple[Field, ...]] = {kind: traits.fields for kind, traits in TRAITS.items()}
MENTION_FIELDS: tuple[Field, ...] = ("text", "entities")
"""Instead of words and tags: a text, and mentions at offsets."""
_ONLY_IF_GIVEN: tuple[Field, ...] = ("split", "group")
"""Fields whose columns the user names; they have no usual name."""
_OF_ONE_TEXT: dict[Kind, Kind] = {"similarity": "regression", "inference": "classification"}
"""Kind of two texts -> that of one."""
_LIKE_A_NAME = re.compile(r"[^\W\d][\w.-]{0,29}")
_LIKE_SPLIT = ("split", "fold", "partition")
_NO_HEADER = "this seems to be no header"
_HOW = ", or header: [NAME, ...] for a file without one"
_LISTED = 12
_PEEK_ROWS = 200
_OF_KINDS = (names for traits in TRAITS.values() for names in traits.usual.values())
_KNOWN = frozenset(name for known in (*USUAL.values(), *BLUE.values(), *_OF_KINDS) for name in known)


def column_of(
    name: Field, given: Mapping[str, str], names: Collection[str], kind: Kind = "classification"
) -> str | None:
    """Return the column of a field: the given one, else the first usual name for the kind, else None."""
    usual = (*USUAL[name], *TRAITS[kind].usual.get(name, ()))
    return given.get(name) or next((one for one in usual if one in names), None)


@dataclass(frozen=True)
class Columns:
    """The column of each field of a row."""

    kind: Kind
    given: Mapping[Field, str] = field(default_factory=dict)
    is_blue: bool = False
    of: Literal["header", "columns", "keys"] = "columns"
    """What the names are: the first line of a table, columns of data that name them, or keys of JSON objects."""
    options: tuple[str, ...] = ()
    """Columns of the options of choice, if each has its own."""
    classes: tuple[str, ...] = ()
    """Classes of multilabel; without a column of labels, each may have its own, of 0 and 1."""
    relations: PairRule = field(default_factory=PairRule)
    """Which pairs of mentions of documents are examples of relations."""
    ignored: set[str] = field(default_factory=set, compare=False)
    """Ignored columns that may name the split of a row."""
    notes: Counter[str] = field(default_factory=Counter, compare=False)
    """Description of a reader's change -> number of changes."""
    missed: dict[str, Counter[str]] = field(default_factory=dict, compare=False)
    """Folder or file -> document -> number of gold relations without an example."""

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that the user names."""
        return (*self.given.values(), *self.options)

    def place(self, where: str, names: Collection[str]) -> dict[Field, str]:
        """Map each field to one of the columns ``names``.

        Raises
        ------
        InputError
            If a needed column is missing, or two columns could be the same field.
        """
        if self.relations.pairs != Pairs():
            raise input_error(
                where, "rows, and pairs: in the suite file", "format: brat, or documents in BigBIO's schema"
            )
        needed = tuple(name for name in NEEDED[self.kind] if name != "options" or not self.options)
        if absent := [column for column in self.options if column not in names]:
            lacks = f"no {self._noun} {quoted(absent[0])} among {len(names)}{self._in_words(names)}"
            hint = meant(absent[0], names if self.knows(names) else ())
            raise input_error(where, lacks, f"the names of {self._noun}s as options: [NAME, ...]{hint}")
        if self._has_column_per_class(names):
            needed = tuple(name for name in needed if name != "label")
        if self.kind in TAG_KINDS and self._has_mentions(names):
            needed = MENTION_FIELDS
        if "split" not in self.given:
            self.ignored.update(name for name in names if name.lower() in _LIKE_SPLIT)
        optional = TRAITS[self.kind].optional
        if "text_pair" in optional and not {"text", "text_pair"} & self.given.keys():
            pair = next((name for name in USUAL["text_pair"] if name != "text_pair" and name in names), None)
            if pair:
                pairs = "similarity" if self.kind == "regression" else "inference"
                expected = f"kind: {pairs} for pairs, or columns: {{text: NAME}} for one of them"
                raise input_error(where, f"{self._noun} {pair!r} for kind {self.kind}, which has one text", expected)
        found = {
            name: self._column(where, name, names, is_needed=name in needed)
            for name in (*needed, *optional, "id", "idx", "document", *_ONLY_IF_GIVEN)
            if name != "group" or self.kind == "choice"
        }
        return {name: column for name, column in found.items() if column is not None}

    def has_documents(self, names: Collection[str]) -> bool:
        """Return whether the rows are documents in BigBIO's schema, and not examples."""
        return self.kind in (*TAG_KINDS, "relation") and not self.given and is_bigbio(names, self.kind)

    def is_row(self, names: Collection[str]) -> bool:
        """Return whether the keys of an object are fields of one example or document."""
        given: dict[str, str] = dict(self.given.items())
        found = (column_of(name, given, names, self.kind) for name in (*NEEDED[self.kind], *MENTION_FIELDS))
        return self.has_documents(names) or any(column is not None and column in names for column in found)

    def row(self, at: Mapping[Field, str], value_of: Callable[[str], object]) -> dict[str, object]:
        """Return the fields of a row.

        Parameters
        ----------
        at
            Column of each field, as ``place`` returns it.
        value_of
            Returns the value of a column.
        """
        row: dict[str, object] = {name: value_of(column) for name, column in at.items()}
        if self.options:
            row["options"] = [value_of(column) for column in self.options]
        if classes := self.classes_of(at):
            row["label"] = {column: value_of(column) for column in classes}
        return row

    def classes_of(self, at: Collection[Field]) -> tuple[str, ...]:
        """Return the classes that have their own columns, because no column of labels was placed."""
        return () if "label" in at else self.classes

    def _has_column_per_class(self, names: Collection[str]) -> bool:
        """Return whether the rows have no column of labels, and a column for each class."""
        usual = (*USUAL["label"], *TRAITS[self.kind].usual.get("label", ()))
        has_labels = "label" in self.given or any(name in names for name in usual)
        return bool(self.classes) and not has_labels and all(name in names for name in self.classes)

    def _has_mentions(self, names: Collection[str]) -> bool:
        """Return whether the rows have mentions at offsets, and no tags; they may have the tokens of a tool."""
        if {"words", "tags"} & self.given.keys() or not self._names_one("entities", names):
            return False
        return "entities" in self.given or not all(self._names_one(name, names) for name in ("words", "tags"))

    def _names_one(self, name: Field, names: Collection[str]) -> bool:
        return name in self.given or any(usual in names for usual in USUAL[name])

    def _column(self, where: str, name: Field, names: Collection[str], *, is_needed: bool) -> str | None:
        if name in self.given:
            column = self.given[name]
            if column in names:
                return column
            raise input_error(
                where,
                f"no {self._noun} {quoted(column)} among {len(names)}{self._in_words(names)}",
                f"one of them as columns: {{{name}: NAME}}{meant(column, names if self.knows(names) else ())}",
            )
        if self.is_blue:
            legal = BLUE.get(name, ())
        else:
            legal = (
                *(USUAL[name] if is_needed or name in _ONLY_IF_GIVEN else (name,)),
                *TRAITS[self.kind].usual.get(name, ()),
            )
        taken = set(self.given.values())
        present = [column for column in legal if column in names and column not in taken]
        if len(present) > 1:
            both = " and ".join(map(repr, present))
            raise input_error(
                where, f"{self._noun}s {both}, any of which could be the {name}", f"columns: {{{name}: {present[0]}}}"
            )
        if not present and is_needed:
            raise self._lacks(where, name, names, legal)
        return present[0] if present else None

    def _lacks(self, where: str, name: Field, names: Collection[str], legal: Sequence[str]) -> InputError:
        """Return the error for a field without a column; it names one that is probably meant."""
        other = next((column for column in names if column.lower() in legal), None)
        free = [column for column in names if column not in self.given.values()]
        like = other or like_field(name, free)
        given = {str(field): column for field, column in self.given.items()}
        needed = [field for field in NEEDED[self.kind] if field != "options" or not self.options]
        lacking = [field for field in needed if not column_of(field, given, names, self.kind)]
        likely = {field: column for field in lacking if (column := like_field(field, free))} | {name: like or "NAME"}
        written = ", ".join(f"{field}: {likely[field]}" for field in NEEDED[self.kind] if field in likely)
        written = written if name in NEEDED[self.kind] else f"{name}: {like or 'NAME'}"
        near = f" (case differs in {other!r})" if other else self._in_words(names)
        if near.endswith(_NO_HEADER) and any(column != "NAME" for column in likely.values()):
            near = ""
        also = _HOW if near.endswith(_NO_HEADER) else ""
        if name == "label" and self.kind == "multilabel":
            absent = next((column for column in self.classes if column not in names), "")
            none = f" (there is none for {quoted(absent)})" if absent else ""
            also = f", or a column of 0 and 1 for each class, labels: [NAME, ...]{none}{also}"
        if name in ("words", "tags") and "text" in names:
            marked = like_field("entities", names) or "NAME"
            also = f", or, for a text with mentions at offsets, columns: {{entities: {marked}}}"
        if name == "text_pair" and not like and self.kind in _OF_ONE_TEXT:
            also = f", or kind: {_OF_ONE_TEXT[self.kind]} for one text{also}"
        return input_error(
            where,
            f"no {name} among {len(names)} {self._noun}{'s' * (len(names) != 1)}{near}",
            f"a {self._noun} {' or '.join(map(repr, legal))}, or columns: {{{written}}}{also}",
        )

    def knows(self, names: Collection[str]) -> bool:
        """Return whether at least one name is the name of a field.

        Otherwise the table may have no header, and the "names" may be text of the corpus, which no message may quote.
        Other data name their columns; they are quoted if all of them look like names.
        """
        if self.of != "header":
            return all(_LIKE_A_NAME.fullmatch(name) for name in names)
        return any(
            name.lower() in _KNOWN or name in (*self.given.values(), *self.options, *self.classes) for name in names
        )

    @property
    def _noun(self) -> str:
        return "key" if self.of == "keys" else "column"

    def _in_words(self, names: Collection[str]) -> str:
        """Return the names for a message, or a note that a table seems to have no header."""
        if not self.knows(names):
            return f", none with a known name: {_NO_HEADER}" if self.of == "header" else ""
        listed = [name for name in names if _LIKE_A_NAME.fullmatch(name)]
        more = ", ..." if len(listed) > _LISTED or len(listed) < len(names) else ""
        return f" ({', '.join(listed[:_LISTED])}{more})"

    def check_header(self, where: str, header: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Raise an error with the columns if no column is mapped and no name is known.

        The error is raised only if the first line is surely a header: its cells look like names, no cell occurs again
        below, and some column has running text below.

        Raises
        ------
        InputError
            With the names of the columns.
        """
        if self.given or self.options or self.knows(header) or not all(_LIKE_A_NAME.fullmatch(name) for name in header):
            return
        below: list[Sequence[str]] = []
        with suppress(InputError):  # of a row below; it gets its own line later
            below.extend(fields for _, fields in islice(rows, _PEEK_ROWS))
        columns = [[fields[number].strip() for fields in below] for number in range(len(header))]
        is_running = any(2 * sum(" " in cell for cell in cells) > len(cells) for cells in columns)
        if is_running and not any(name in cells for name, cells in zip(header, columns, strict=True)):
            example = ", ".join(f"{name}: ..." for name in NEEDED[self.kind])
            found = f"columns {', '.join(header[:_LISTED])}, none with a known name"
            raise input_error(where, found, f"columns: {{{example}}} with the names in this file")
