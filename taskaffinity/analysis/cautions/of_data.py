"""Describe limits of a study's data: leaks, long rows, unknown tokens, sampled examples, repeated test texts.

Planning finds them, and the study stores them.

Commands say it before they train, so this module loads no library.
"""

from __future__ import annotations

from collections.abc import Mapping

from taskaffinity.runs.rule import Rule
from taskaffinity.runs.studied_task import Leak, StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.splits import split_of

MANY_LONG = 0.05
"""Share of the rows of a split with ``max_length`` tokens or more, from which it is said."""

MANY_UNKNOWN = 0.05
"""Share of the tokens of a split that are the unknown token, from which it is said."""

MUCH_REPEATED = 1.1
"""Factor of the standard error over test examples, from which it is said that test rows repeat texts."""

_MOST_LEAKS = 3
_MOST_TASKS = 8


def describe_leaks(study: Study) -> list[str]:
    """Return a line for each of the first leaks; the others are counted."""
    lines = [f"{leak.line}{_what_follows(study, leak)}" for leak in study.leaks[:_MOST_LEAKS]]
    n_more = len(study.leaks) - _MOST_LEAKS
    return lines + ([f"and {n_more} more {'leak' if n_more == 1 else 'leaks'}"] if n_more > 0 else [])


def _what_follows(study: Study, leak: Leak) -> str:
    """Return what a leak can do, after its line; empty for a leak from training within a task."""
    if leak.is_from_dev:
        what = "test examples are trained on" if study.recipe.trains_on_dev else "test examples choose the epoch"
        return f", so {what}: scores are too good"
    return ", which can look like transfer" if leak.task != leak.other else ""


def describe_long_rows(study: Study) -> list[str]:
    """Return a sentence on tasks with many rows of ``max_length`` tokens or more, for each length; none without one."""
    named: dict[int, list[str]] = {}
    for card in study.tasks:
        if long_rows_of(card):
            length = card.reading.max_length or study.recipe.max_length
            named.setdefault(length, []).append(f"{card.title} ({long_rows_of(card)})")
    return [
        f"Many rows have {n} tokens or more, and the encoder reads the first {n} (max_length): {_few(cards)}."
        for n, cards in named.items()
    ]


def long_rows_of(card: StudiedTask) -> str:
    """Return ``34% of train, 30% of test`` for the splits with many long rows; empty without one."""
    return _shares(card, card.long_rows, MANY_LONG)


def describe_unknown_tokens(study: Study) -> list[str]:
    """Return a sentence on tasks with many tokens that the encoder does not know; none without one."""
    named = [f"{card.title} ({unknown_tokens_of(card)})" for card in study.tasks if unknown_tokens_of(card)]
    if not named:
        return []
    return [
        "Many tokens are not in the vocabulary of the encoder, which reads the same unknown token for all of them: "
        f"{_few(named)}. Take an encoder of the language and the symbols of these texts."
    ]


def unknown_tokens_of(card: StudiedTask) -> str:
    """Return ``62% of train, 60% of test`` for the splits with many unknown tokens; empty without one."""
    return _shares(card, card.unknown_tokens, MANY_UNKNOWN)


def _shares(card: StudiedTask, shares: Mapping[str, float], least: float) -> str:
    of_splits = {split: shares.get(split, 0.0) for split in _scored(card)}
    return ", ".join(f"{100 * share:.0f}% of {split}" for split, share in of_splits.items() if share >= least)


def describe_used_sizes(study: Study) -> list[str]:
    """Return a sentence on tasks whose runs use only some examples.

    It is empty if every run uses all examples.
    """
    named = [f"{card.title} ({used_of(card)})" for card in study.tasks if used_of(card)]
    return [f"Runs use a sample of the examples: {_few(named)}."] if named else []


def used_of(card: StudiedTask) -> str:
    """Return ``32 of 1,000 train, 20 of 200 test`` for the splits that are sampled; empty without one."""
    sizes = {split: (card.used.get(split), card.sizes.get(split)) for split in _scored(card)}
    return ", ".join(
        f"{used:,} of {size:,} {split}" for split, (used, size) in sizes.items() if used and size and used < size
    )


def describe_repeated(study: Study, rule: Rule) -> list[str]:
    """Return a sentence on tasks whose test rows repeat texts; none without one.

    Errors on exactly this test set (``test-set``) have no such part.
    """
    named = [f"{card.title} ({repeated_of(card)})" for card in study.tasks if repeated_of(card)]
    if not named or rule.estimand != "population":
        return []
    return [
        "Test rows have the text of another test row and count as independent examples, so the standard error over "
        f"test examples is too small by a factor: {_few(named)}. Name a document for each text (columns: document), or "
        "leave the copies out."
    ]


def repeated_of(card: StudiedTask) -> str:
    """Return ``2.2 on test`` for the test splits with many repeated texts; empty without one."""
    factors = {split: card.repeated.get(split, 1.0) for split in _scored(card)}
    return ", ".join(f"{factor:.1f} on {split}" for split, factor in factors.items() if factor >= MUCH_REPEATED)


def _scored(card: StudiedTask) -> tuple[str, ...]:
    """Return the splits that are trained on or scored."""
    return "train", *map(split_of, ("", *card.test_sets))


def describe_data(study: Study, rule: Rule | None = None) -> list[str]:
    """Return all sentences on the data, by the rule of the study if none is given."""
    of_sizes = [*describe_long_rows(study), *describe_unknown_tokens(study), *describe_used_sizes(study)]
    return [*describe_leaks(study), *of_sizes, *describe_repeated(study, rule or study.rule)]


def _few(named: list[str]) -> str:
    more = f"; and {len(named) - _MOST_TASKS} more tasks" if len(named) > _MOST_TASKS else ""
    return f"{', '.join(named[:_MOST_TASKS])}{more}"
