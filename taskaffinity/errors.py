"""Errors of the user's input, and how a message shows a value.

A message is one line: the place (file, line or element id), what was found, what is expected. It never quotes the text
of a corpus; ``shown`` decides what a message may quote.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ConfigDict, ValidationError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

T = TypeVar("T")


class InputError(ValueError):
    """Raised for a fault in the user's input.

    The message is one line: the place, what was found, what is expected. It never quotes the text of a corpus. Control
    characters in it, such as those of a file name, are escaped.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shortened(printable(str(message))))


_LONGEST_LINE = 1000
_LONGEST_NAME = 40
_LONGEST_VALUE = 80
_LONGEST_UNSPACED = 10
_UNSPACED = re.compile(
    "[\u0e00-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Characters of languages that write no blanks: Thai, Lao, Tibetan, Burmese, Khmer, Japanese, Chinese."""
_MARK = re.compile(r"[BIESLUMO](-|$)")
"""The beginning of a tag in any scheme."""
_NUMBER = re.compile(r"[-+]?\d{1,2}(\.\d{1,2})?")
"""A score or a class. A longer number may be a date, a phone number or a record number."""

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph separators, overrides of the direction of text, halves of characters."""


def printable(text: str) -> str:
    """Return a text with its control characters escaped.

    So it cannot move a cursor or break a line.

    Every text from a file, a file name or a server goes through this function before it is printed.

    Examples
    --------
    >>> printable("train\\x1b[2J.csv"), printable("one\\ntwo"), printable("Fieber \u00fcber 38 \u00b0C")
    ('train\\\\x1b[2J.csv', 'one\\\\ntwo', 'Fieber \u00fcber 38 \u00b0C')
    """
    return text if text.isprintable() else _CONTROLS.sub(lambda c: ascii(c.group())[1:-1], text)


def shortened(line: str) -> str:
    """Return a line, without its middle if it has more than 1,000 characters.

    Examples
    --------
    >>> len(shortened("x" * 200_000)), shortened("a.csv: found nothing")
    (1000, 'a.csv: found nothing')
    """
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 305]} ... {line[-300:]}"


def has_controls(text: str) -> bool:
    """Return whether a text has characters that ``printable`` escapes."""
    return not text.isprintable() and _CONTROLS.search(text) is not None


def input_error(where: object, found: str, expected: str) -> InputError:
    """Return an ``InputError`` with its place, what was found and what is expected.

    Examples
    --------
    >>> print(input_error("train.jsonl: line 3", "label 'CPR:7'", "one of CPR:3, false"))
    train.jsonl: line 3: found label 'CPR:7'; expected one of CPR:3, false
    """
    return InputError(f"{where}: found {found}; expected {expected}")


def named(value: object, legal: Iterable[str]) -> str:
    """Return how a message shows a value that should be one of ``legal``.

    The value is quoted if it resembles a legal one; otherwise its size is given.

    A shifted column puts a word of the corpus in the place of a label, and that word must not be quoted. A misspelt
    label resembles a legal one. A tag of another scheme resembles a tag with a legal type. Short numbers are quoted.

    Examples
    --------
    >>> named("CPR:33", ["CPR:3", "CPR:4"]), named("aspirin", ["CPR:3", "CPR:4"]), named("-1", [])
    ("'CPR:33'", 'a text of 7 characters', "'-1'")
    >>> named("S-Drug", ["O", "B-Drug"]), named("S-phase", ["O", "B-Drug"]), named("555-0123", [])
    ("'S-Drug'", 'a text of 7 characters', 'a text of 8 characters')
    """
    if isinstance(value, str) and value and not _is_near(value, list(legal)):
        return f"a text of {len(value)} character{'s' * (len(value) != 1)}"
    return shown(value)


def _is_near(value: str, legal: Sequence[str]) -> bool:
    """Return whether a value may be quoted: a short number, or close to a legal value.

    Tags are compared by their types.
    """
    kind, kinds = _MARK.sub("", value), [_MARK.sub("", one) for one in legal]
    return not kind or bool(_NUMBER.fullmatch(value) or get_close_matches(kind, kinds, n=1))


def meant(value: object, legal: Iterable[str]) -> str:
    """Return a hint at the legal value that a misspelt word resembles, or an empty text.

    Examples
    --------
    >>> meant("knd", ["kind", "path"]), meant("NER", ["ner", "relation"]), meant("aspirin", ["kind", "path"])
    ('; did you mean kind?', '; did you mean ner?', '')
    """
    by_case = {word.casefold(): word for word in legal}
    close = get_close_matches(str(value).casefold(), list(by_case), n=1)
    return f"; did you mean {by_case[close[0]]}?" if close else ""


def quoted(value: object) -> str:
    """Return a value of the user's configuration, quoted up to 80 characters.

    Such a value is no text of a corpus.

    Examples
    --------
    >>> quoted("my toys"), quoted(["a", "b"])
    ("'my toys'", 'a list of 2')
    """
    return repr(value) if isinstance(value, str) and 0 < len(value) <= _LONGEST_VALUE else shown(value)


def is_unspaced_text(text: str) -> bool:
    """Return whether a text is too long for a name, in a language that writes no blanks.

    Examples
    --------
    >>> is_unspaced_text("药物"), is_unspaced_text("病人今天早上开始发烧咳嗽"), is_unspaced_text("Arzneimittelwirkung")
    (False, True, False)
    """
    return len(text) > _LONGEST_UNSPACED and _UNSPACED.search(text) is not None


def shown(value: object) -> str:
    """Return how a message shows a value: ids and numbers unchanged, others by size.

    Examples
    --------
    >>> shown("CPR:7"), shown("It rose."), shown("病人今天早上开始发烧咳嗽"), shown(None), shown([1, 2])
    ("'CPR:7'", 'a text of 8 characters', 'a text of 12 characters', 'null', 'a list of 2')
    >>> shown(" ")
    'a text of 1 character'
    """
    if isinstance(value, str):
        if not value:
            return "an empty text"
        if len(value) <= _LONGEST_NAME and not any(c.isspace() for c in value) and not is_unspaced_text(value):
            return repr(value)
        return f"a text of {len(value)} character{'s' * (len(value) != 1)}"
    if value is None:
        return "null"
    if isinstance(value, int) and abs(value) >= 10**_LONGEST_NAME:  # repr() refuses thousands of digits
        return f"a number of more than {_LONGEST_NAME} digits"
    if isinstance(value, bool | int | float):
        return _shown_number(value)
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return type(value).__name__


def _shown_number(value: float) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python limits the digits that it writes
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_NAME else f"a number of {len(text)} characters"


def trace_of(error: BaseException) -> str:
    """Return the traceback, causes first, without messages: one may quote a corpus."""
    cause = error.__cause__ or error.__context__
    before = trace_of(cause) if cause else ""
    return f"{before}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}\n"


@contextmanager
def as_user_error() -> Iterator[None]:
    """Turn the error of a broken or missing file into an ``InputError`` of the same line."""
    try:
        yield
    except InputError:
        raise
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error


STRICT = ConfigDict(strict=True, extra="forbid")
"""Configuration of a dataclass of settings. A text or a bool is no number; an int is converted to a float."""

_UNKNOWN = ("unexpected_keyword_argument", "missing_argument", "unexpected_positional_argument")
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
_TYPES = {"int": "a whole number", "float": "a number", "str": "a text", "string": "a text", "bool": "true or false"}


def one_line_errors(cls: type[T]) -> type[T]:
    """Make a pydantic dataclass raise ``ValueError`` with one line.

    ``validation_line`` writes the line.

    An unknown or missing argument is a ``TypeError``, as in any dataclass.
    """
    validate = cls.__init__

    @wraps(validate)
    def __init__(self: T, *args: Any, **kwargs: Any) -> None:
        try:
            validate(self, *args, **kwargs)
        except ValidationError as error:
            kind = TypeError if error.errors()[0]["type"] in _UNKNOWN else ValueError
            fault = kind(validation_line(error, getattr(cls, "__pydantic_fields__", {})))
        else:
            return
        raise fault

    setattr(cls, "__init__", __init__)  # noqa: B010 (mypy refuses the plain assignment)
    return cls


def validation_line(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """Return pydantic's first fault in one line: the setting, its value and what is legal.

    Parameters
    ----------
    fields
        The fields of the class, for their ranges.
    """
    fault = error.errors(include_url=False)[0]
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    name = ".".join(map(str, fault["loc"]))
    if kind in _UNKNOWN:
        return f"no setting {name!r}; there are {', '.join(fields)}"
    info = fields.get(name)
    or_none = ", or none" if info is not None and info.default is None else ""
    if kind == "literal_error":
        legal = re.findall(r"'([^']+)'", str(context.get("expected", "")))
        return f"no {name} {shown(given)}; there are {', '.join(legal)}{or_none}{meant(given, legal)}"
    bounds = {key: getattr(one, key) for one in (info.metadata if info else ()) for key in _BOUNDS if hasattr(one, key)}
    if kind.endswith(("_type", "_parsing")):
        return f"{name} is {shown(given)}; it must be {_TYPES.get(kind.split('_')[0], 'of another type')}{or_none}"
    if set(bounds) == {"ge", "lt"}:
        return f"{name} is {shown(given)}; it must lie in [{bounds['ge']}, {bounds['lt']}){or_none}"
    legal_range = " and ".join(_BOUNDS[key].format(bound) for key, bound in bounds.items())
    number = "a number " if list(bounds) == ["gt"] else ""
    return f"{name} is {shown(given)}; it must be {number}{legal_range}{or_none}"
