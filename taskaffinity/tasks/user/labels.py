"""Convert values of a user's file to labels, and check that there are enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from taskaffinity.errors import has_controls, input_error, is_unspaced_text, meant, named, shown
from taskaffinity.tasks.answers import ANSWER, NO_ANSWER
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.kinds import TRAITS, Kind, option_names
from taskaffinity.tasks.numbers import finite_number, whole_number, without_decimal
from taskaffinity.tasks.task import Example, Split
from taskaffinity.tasks.user.answers import places_of
from taskaffinity.tasks.user.class_lists import MARKED, UNMARKED
from taskaffinity.tasks.user.numbered import named_class
from taskaffinity.tasks.user.options import options_of, right_option
from taskaffinity.tasks.user.task_block import At, UserTask

_MOST_CLASSES = 100
_UNLABELLED = ("-1", "-")
"""Labels that mean "no label": in data sets of the hub, and in SNLI and MultiNLI, where annotators disagreed."""
_LONGEST_LABEL = 40
_MOST_WORDS = 3
_LISTED = 10


def text_of(value: object) -> object:
    """Return a whole number as text, also 1.0, and a text without surrounding white space.

    Other values are returned unchanged.
    """
    value = value if isinstance(value, str) else without_decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _class(where: str, value: object, block: UserTask) -> str:
    labels = block.labels
    value = named_class(value, labels)
    _check_counts_from_0(where, value, labels)
    label = ("false", "true")[value] if isinstance(value, bool) else text_of(value)
    if not isinstance(label, str) or not label:
        more = "" if block.kind == "multilabel" else "; for several classes per row, or none, kind: multilabel"
        raise input_error(where, f"label {shown(label)}", f"a class: a text or a whole number{more}")
    if (said := str(without_decimal(label))) in _UNLABELLED and label not in (*labels, block.negative):
        expected = f"rows with labels; if {said} is a class here, list every class under labels:"
        raise input_error(where, f"label {said}, which means no label", expected)
    if has_controls(label):
        raise input_error(where, f"a label of {len(label)} characters with a control character", "printable characters")
    return label


def _check_counts_from_0(where: str, value: object, labels: Sequence[str]) -> None:
    """Raise an error if a number is one too large for the names under ``labels:``: the file may count from 1."""
    n = len(labels)
    if n and text_of(value) == str(n) and not any(whole_number(label) is not None for label in labels):
        expected = f"0 to {n - 1}; for classes from 1: labels: [{', '.join(map(str, range(1, min(n, 3) + 1)))}"
        raise input_error(where, f"label {n}, and {n} names under labels:", f"{expected}{', ...' * (n > 3)}]")


def _score(where: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    score = finite_number(value)
    if score is not None:
        return score
    expected = "a number (for classes, use kind: inference or classification)"
    if finite_number(value.replace(",", ".", 1)) is not None:
        expected = "a number with a decimal point instead of the comma"
    raise input_error(where, f"label {named(value.strip(), ())}", expected)


def convert_label(where: str, row: dict[str, object], block: UserTask, counted: Counter[str]) -> None:
    """Convert the label of a row, in place.

    It becomes a class, a score, a list of classes or of places of answers, or the letter of an option. ``counted``
    counts answers that were found by their text.

    Raises
    ------
    InputError
        If the label has another type than the kind of the task, or is -1 (no label).
    """
    row["label"] = _CONVERTERS[TRAITS[block.kind].label](where, row, block, counted)


def _option(where: str, row: dict[str, object], block: UserTask, counted: Counter[str]) -> str:
    """Return the letter of the right option; the options of the row become a list of texts."""
    row["options"], labels = found = options_of(where, row["options"])
    n = len(found[0])
    if block.labels and n > len(block.labels):
        raise input_error(where, how_many(n, "option"), f"at most {len(block.labels)}, as many as names under labels:")
    value = row["label"] if labels else named_class(row["label"], block.labels)
    return right_option(where, value, found[0], labels or block.labels[:n], block.options)


def _classes(where: str, value: object, block: UserTask) -> list[str]:
    """Return the classes of a multi-label example, from the list that ``split_labels`` made."""
    assert isinstance(value, list | tuple)
    found = [_class(where, one, block) for one in value]
    if barred := next((one for one in found if "|" in one), None):
        raise input_error(
            where, f"label {named(barred, ())} with |", "labels without it, because files separate labels by it"
        )
    if len(set(found)) != len(found):
        expected = "each label once; lists of a 0 or 1 for each class are all as long as labels:"
        raise input_error(where, "a label twice", expected)
    return found


def _answers(where: str, row: dict[str, object], block: UserTask, counted: Counter[str]) -> list[str]:
    if _is_impossible(where, row.get("is_impossible")):
        return []
    text = row["text_pair"] if isinstance(row["text_pair"], str) else ""  # another value is refused later
    return places_of(where, row["label"], row.get("start"), text, counted)


def _is_impossible(where: str, value: object) -> bool:
    """Return whether a row says that its text does not answer its question; its answers do not count then."""
    said = value.strip().lower() if isinstance(value, str) else value
    if said is None or said == "":
        return False
    if isinstance(said, bool | int | float | str) and said in (*MARKED, *UNMARKED):
        return said in MARKED
    raise input_error(where, f"{named(value, ())} as is_impossible", "true or false")


_CONVERTERS: dict[str, Callable[[str, dict[str, object], UserTask, Counter[str]], object]] = {
    "class": lambda where, row, block, _: _class(where, row["label"], block),
    "classes": lambda where, row, block, _: _classes(where, row["label"], block),
    "score": lambda where, row, block, _: _score(where, row["label"]),
    "option": _option,
    "answers": _answers,
}
"""Form of a kind's labels -> what reads them; tags are read elsewhere."""


def labels_of(
    kind: Kind, rows_of: Mapping[Split, Sequence[tuple[str, dict[str, object]]]], place: str
) -> tuple[str, ...]:
    """Return the classes or entity types of the training split, sorted; or the letters of the options of all splits.

    Raises
    ------
    InputError
        If there is no mention, one class, more than ``_MOST_CLASSES``, or a label as long as a text.
    """
    form = TRAITS[kind].label
    if form == "score":
        return ()
    if form == "option":
        numbers = (len(row["options"]) for rows in rows_of.values() for _, row in rows)  # type: ignore[arg-type]
        return option_names(max(numbers))
    rows = rows_of["train"]
    if form == "answers":
        return (ANSWER, *([NO_ANSWER] if any(not row["label"] for _, row in rows) else []))
    if form == "tags":
        tags = [row["tags"] for _, row in rows if isinstance(row["tags"], list)]
        found = {tag[2:] for sentence in tags for tag in sentence if tag != "O"}
        if not found:
            raise input_error(place, "no mention", "some tags other than O")
        return tuple(sorted(found))
    for where, row in rows:
        label = max(_names(row["label"]), key=len, default="")
        if len(label) > _LONGEST_LABEL or "\n" in label:
            expected = f"at most {_LONGEST_LABEL}; is this the label column? If so, list all labels under labels:"
            raise input_error(where, f"a label of {len(label)} characters", expected)
    found = {name for _, row in rows for name in _names(row["label"])}
    if not 1 < len(found) <= _MOST_CLASSES:
        expected = f"2 to {_MOST_CLASSES}; is this the label column? If so, list all labels under labels:"
        raise input_error(place, f"{how_many(len(found), '<class|classes>')} in {how_many(len(rows), 'row')}", expected)
    return tuple(sorted(found))


def _names(label: object) -> list[str]:
    """Return the classes of a label: one, or those of a multi-label example."""
    return [str(name) for name in label] if isinstance(label, list | tuple) else [str(label)]


def check_known_labels(rows: Mapping[Split, Sequence[tuple[str, dict[str, object]]]], labels: Sequence[str]) -> None:
    """Raise ``InputError`` at the first label that no training example has."""
    for split in rows:
        for where, row in rows[split]:
            if unknown := [name for name in _names(row["label"]) if name not in labels]:
                found = f"label {class_name(unknown[0])}, which no training example has"
                listed = [class_name(label) for label in labels[:_LISTED]]
                some = f"{', '.join(listed)}{', ...' * (len(labels) > _LISTED)}"
                expected = f"one of the {len(labels)} classes of the training split ({some})"
                mend = "list it under labels, move an example of it to train, or drop this example"
                names = [label for label in labels if _may_be_quoted(label)]
                raise input_error(where, found, f"{expected}; {mend}{meant(unknown[0], names)}")


def _check_no_missing_scores(examples: Sequence[Example], lines: Mapping[str, str], place: str) -> None:
    """Raise if -1 seems to mean "no label": no other score is negative, and some exceed 1."""
    scores = {example.label for example in examples if isinstance(example.label, float)}
    if min(scores, default=0) == -1 and max(scores) > 1 and not any(-1 < score < 0 for score in scores):
        first = next(example.id for example in examples if example.label == -1)
        raise input_error(lines.get(first, place), "label -1, which means no label", "rows with scores; leave it out")


def class_name(label: str) -> str:
    """Return the name of a class for a message, or its size if it is too long."""
    return repr(label) if _may_be_quoted(label) else shown(label)


def _may_be_quoted(label: str) -> bool:
    """Return whether a label is as short as a name; a longer one may be a text, in the column of another field."""
    return len(label) <= _LONGEST_LABEL and len(label.split()) <= _MOST_WORDS and not is_unspaced_text(label)


def check_enough(
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
    form = TRAITS[block.kind].label
    if form == "score":
        for split, part in examples.items():
            _check_no_missing_scores(part, lines, places[split] if split in places else places["train"])
            if len({example.label for example in part}) < 2:
                found = f"{split} scores that are all equal ({how_many(len(part), 'row')})"
                raise input_error(
                    places.get(split, places["train"]), found, "two different scores, because a correlation needs them"
                )
    if form == "answers" and not any(example.label for example in examples["train"]):
        raise input_error(places["train"], "no answer", "some questions with an answer")
    if form in ("score", "option", "answers"):  # the others have classes, or types of mentions
        return
    counts: Counter[str] = Counter()
    for example in examples["train"]:
        names = _names(example.label)
        counts.update({tag[2:] for tag in names if tag != "O"} if form == "tags" else names)
    parts = [f"{part}: {said}" for part, said in (("dev", block.dev), ("test", block.test)) if said]
    remaining = f" after {' and '.join(parts)} {'are' if len(parts) > 1 else 'is'} taken" if parts else ""
    if nothing := [label for label in labels if not counts[label]]:
        everywhere = (example for part in examples.values() for example in part)
        others = [e for e in everywhere if e.id in lines and not block.labels and nothing[0] in _names(e.label)]
        where = at("labels") if block.labels else lines[others[0].id] if others else places["train"]
        name = shown(nothing[0]) if block.labels else f"class {class_name(nothing[0])}"
        raise input_error(where, f"{name} without a training example{remaining}", "two or more of each class")
    if form == "tags":
        return
    for example in examples["train"]:
        label = next((name for name in _names(example.label) if counts[name] == 1), None)
        if label is not None:
            few = sum(n == 1 for n in counts.values()) <= len(counts) / 2  # otherwise it may be a column of text
            near = next((other for other in labels if other != label and other.lower() == label.lower()), None)
            hint = f"; {class_name(label)} and {class_name(near)} differ only in case" if near and few else ""
            name = class_name(label) if few else "its class"
            raise input_error(
                lines[example.id], f"the only training example of {name}{remaining}", f"two or more of each class{hint}"
            )
