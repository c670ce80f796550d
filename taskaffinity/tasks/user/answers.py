"""Read the gold answers of extractive question answering from a user's row.

Answers are an object of two lists, ``text`` and ``answer_start`` (as in data sets of the hub), an object of one answer,
a list of such objects (as in SQuAD's own files), a list of texts, one text, or one of these as JSON text. Offsets count
characters from 0. Nothing, an empty list or an empty text says that the text does not answer the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from taskaffinity.errors import input_error, named
from taskaffinity.tasks.answers import place_of
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.numbers import whole_number, without_decimal
from taskaffinity.tasks.user.cells import parsed_cell

FIRST = (
    "<answer|answers> without a start that <occurs|occur> several times in <its|their> text; the first place is taken"
)
MOVED = (
    "<answer that is|answers that are> not at <its|their> start, found at the only place where <it occurs|they occur>"
)
_FORMS = "a text, a list of texts, or {text: [...], answer_start: [...]}"


def places_of(where: str, value: object, start: object, text: str, notes: Counter[str]) -> list[str]:
    """Return the places of the gold answers in a text, each once.

    Parameters
    ----------
    value
        The answers.
    start
        The start of a single answer, if another column has it.
    notes
        Counts answers that were found by their text.

    Raises
    ------
    InputError
        If the value has another form, or an answer is not in the text.

    Examples
    --------
    >>> places_of("line 1", {"text": ["Rome"], "answer_start": [7]}, None, "It was Rome.", Counter())
    ['7:11']
    >>> places_of("line 1", "Rome", None, "It was Rome.", Counter()), places_of("line 1", [], None, "No.", Counter())
    (['7:11'], [])
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        value = _parsed(value)
    answers = _answers(where, value)
    if start not in (None, ""):
        if len(answers) != 1:
            raise input_error(where, f"a start for {len(answers)} answers", "one answer")
        answers = [(answers[0][0], start)]
    found = [_place(where, answer, _start(where, begin), text, notes) for answer, begin in answers]
    return list(dict.fromkeys(found))


def _answers(where: str, value: object) -> list[tuple[str, object]]:
    """Return the text of each answer, and its start as given."""
    if value is None:
        return []
    if isinstance(value, list):
        if any(isinstance(one, list) for one in value):
            raise input_error(where, "a list within a list as answers", _FORMS)
        return [answer for one in value for answer in _answers(where, one)]
    if isinstance(value, str):
        return [(value.strip(), None)] if value.strip() else []
    if not isinstance(value, Mapping) or "text" not in value:
        raise input_error(where, f"{named(value, ())} as answers", _FORMS)
    texts, starts = value["text"], value.get("answer_start", value.get("start"))
    if isinstance(texts, str) and not isinstance(starts, list):
        texts, starts = [texts], [starts]
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise input_error(where, f"{named(texts, ())} as text of answers", _FORMS)
    starts = [None] * len(texts) if starts is None else starts
    if not isinstance(starts, list) or len(starts) != len(texts):
        raise input_error(
            where, f"{named(starts, ())} as answer_start of {how_many(len(texts), 'answer')}", "one start per answer"
        )
    return [(one, begin) for one, begin in zip(texts, starts, strict=True) if one.strip()]


def _start(where: str, value: object) -> int | None:
    if value is None:
        return None
    number = without_decimal(value)  # an integer column with missing values
    number = whole_number(number.strip()) if isinstance(number, str) else number
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise input_error(where, f"answer_start {named(value, ())}", "the number of a character, from 0")
    return number


def _place(where: str, answer: str, start: int | None, text: str, notes: Counter[str]) -> str:
    """Return the place of an answer, without white space around it."""
    if start is not None and text[start : start + len(answer)] == answer:
        begin = start + len(answer) - len(answer.lstrip())
        return place_of(begin, begin + len(answer.strip()))
    answer = answer.strip()
    n, begin = text.count(answer), text.find(answer)
    if not n or (start is not None and n > 1):
        at = "at its start" if n else "in its text"
        expected = "answers that are parts of the text, letter by letter, and characters counted from 0"
        raise input_error(where, f"an answer of {len(answer)} characters that is not {at}", expected)
    if n > 1 or start is not None:
        notes[FIRST if start is None else MOVED] += 1
    return place_of(begin, begin + len(answer))


def _parsed(text: str) -> object:
    """Return the list or object in a text; any other text unchanged, because an answer may begin with a bracket."""
    found = parsed_cell(text)
    is_answers = isinstance(found, list) and all(isinstance(one, str | dict) for one in found)
    return found if is_answers or isinstance(found, dict) else text
