"""Read the options of choice from a user's row, and which of them is right.

Options are a list of texts, such a list as text, an object of two lists, ``text`` and ``label`` (as in data sets of the
hub), a list of objects with these keys, an object with the text of each option under its label (as in MedQA), or the
values of several columns. The last columns may be empty, so that examples have different numbers of options.

The right option is named by its label in such an object, by its name under ``labels:``, by its letter, by its place
(from 0), or by its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import option_names
from taskaffinity.tasks.numbers import whole_number, without_decimal
from taskaffinity.tasks.user.cells import parsed_cell

_A_LIST = (
    "a list of texts, or {text: [...], label: [...]}; for one column per option, options: [NAME, ...]; "
    "for one row per option, columns: {group: NAME}"
)
_A_LABEL = "its letter, its place from 0, or its text"
_FROM_ONE = "; for places from 1: labels: [1, 2, ...]"


def options_of(where: str, value: object) -> tuple[list[str], list[str]]:
    """Return the texts of the options, and their labels in the file if it has some.

    Raises
    ------
    InputError
        If the value has another form, or an option before the last one is empty.

    Examples
    --------
    >>> options_of("line 1", ["no", "yes", None]), options_of("line 1", {"text": ["no", "yes"], "label": [1, 2]})
    ((['no', 'yes'], []), (['no', 'yes'], ['1', '2']))
    >>> options_of("line 1", {"A": "no", "B": "yes"})
    (['no', 'yes'], ['A', 'B'])
    """
    if isinstance(value, str):
        value = _parsed(where, value)
    labels: object = []
    objects = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
    if objects and isinstance(value, list) and len(objects) == len(value):
        value = {key: [one.get(key) for one in objects] for key in ("text", "label")}
    if isinstance(value, Mapping) and "text" not in value and all(_text(one) is not None for one in value.values()):
        under = {label: text for label, text in value.items() if _text(text)}  # of a struct, some may be null
        value = {"text": list(under.values()), "label": list(under)}
    if isinstance(value, Mapping):
        labels = value.get("label") or []
        value = value.get("text")
    if not isinstance(value, list) or not isinstance(labels, list):
        raise input_error(where, f"{named(value, ())} as options", _A_LIST)
    texts = [_text(one) for one in value]
    while texts and texts[-1] == "":
        texts.pop()
    if None in texts or "" in texts:
        number = next(place for place, text in enumerate(texts, start=1) if not text)
        raise input_error(where, f"no text as option {number} of {len(texts)}", "options that are not empty")
    if labels and len(labels) != len(texts):
        found = f"{how_many(len(labels), 'label')} of {how_many(len(texts), 'option')}"
        raise input_error(where, found, "one label per option")
    named_by = [_text(without_decimal(label)) or "" for label in labels]
    return [text for text in texts if text], named_by if any(named_by) else []


def right_option(
    where: str, value: object, options: Sequence[str], labels: Sequence[str] = (), columns: Sequence[str] = ()
) -> str:
    """Return the letter of the right option.

    Parameters
    ----------
    labels
        The labels of the options in the file, or their names under ``labels:``. Empty: letters and places from 0.
    columns
        The column of each option, if each has its own.

    Raises
    ------
    InputError
        If the value names no option, or could name two.

    Examples
    --------
    >>> [right_option("line 1", value, ["no", "yes"]) for value in (1, "1", "B", "(b)", "yes")]
    ['B', 'B', 'B', 'B', 'B']
    >>> right_option("line 1", "2", ["no", "yes"], ["1", "2"]), right_option("line 1", "1.0", ["no", "yes"])
    ('B', 'B')
    >>> right_option("line 1", "opb", ["no", "yes"], columns=["opa", "opb"])
    'B'
    """
    names = option_names(len(options))
    of_text = _places(options, value.strip()) if isinstance(value, str) else set()  # an option can be the text 1.0
    value = without_decimal(value)
    if value is None or isinstance(value, bool) or not isinstance(value, str | int) or value in ("", -1, "-1"):
        raise input_error(where, f"label {shown(value)}, which names no option", _A_LABEL)
    said = str(value).strip()
    if labels:
        found = _places(labels, said) or of_text
    else:
        number = value if isinstance(value, int) else whole_number(said)
        found = of_text | _places(names, said)
        found |= {number} if number is not None and 0 <= number < len(options) else set()
    letter = said.strip("().:").upper()
    found = found or _places([label.upper() for label in labels or names], letter)
    found = found or _places(columns[: len(options)], said)  # a row may lack the last options
    if len(found) == 1:
        return names[found.pop()]
    what = f"label {named(said, names)}"
    if found:
        raise input_error(where, f"{what}, which could be {len(found)} of the options", f"a letter, {_letters(names)}")
    hint = _FROM_ONE if said == str(len(options)) else ""
    expected = "one of the labels of its options" if labels else f"{_A_LABEL} ({_letters(names)}){hint}"
    raise input_error(where, f"{what}, which is none of {how_many(len(options), 'option')}", expected)


def _places(names: Sequence[str], said: str) -> set[int]:
    return {place for place, name in enumerate(names) if name == said}


def _letters(names: Sequence[str]) -> str:
    return f"{names[0]} to {names[-1]}" if names else "there is none"


def _parsed(where: str, text: str) -> object:
    found = parsed_cell(text)
    if found is not None:
        return found
    raise input_error(where, f"a text of {len(text)} characters as options", _A_LIST)


def _text(value: object) -> str | None:
    """Return a text without surrounding white space, a number as text, nothing as an empty text; else None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
