"""Turn frames into tables of a page; a cell has the text of the CSV file and the shown text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from taskaffinity.analysis.style import probability, signed, style_of
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.tasks.metrics import METRICS

ARROW_COLUMNS = (
    *("source", "target", "verdict", "gain", "low", "high", "q"),
    *("score_single", "score_pair", "seeds_pair", "seeds_single"),
)
"""Columns of every table of arrows."""
HEADINGS = {
    "q": "p adj of the difference",
    "p": "p of the difference",
    "q_tost": "p adj of no effect",
    "p_tost": "p of no effect",
    "df": "degrees of freedom",
    "se_seeds": "standard error, seeds",
    "se_examples": "standard error, examples",
    "n_test": "test examples",
    "seeds_pair": "seeds, pair",
    "seeds_single": "seeds, single-task",
    "score_single": "single-task",
    "score_pair": "pair",
    "collapsed_pair": "collapsed, pair",
    "collapsed_single": "collapsed, single-task",
    "gain_trained": "gain without them",
    "mde": "detectable gain",
    "seeds_to_significance": "seeds to significance",
    "seeds_to_equivalence": "seeds to no effect",
    "decided_at_seeds": "decided at seeds",
    "untested_reason": "no test because",
    "seeds_against": "seeds of the other arm",
    "pieces": "tokens",
    "used_train": "train, used",
    "used_dev": "dev, used",
    "used_test": "test, used",
    "test_sets": "further test sets",
    "long_train": "train, long rows %",
    "long_test": "test, long rows %",
}
"""Headings that are not the name of the column without underscores."""


@dataclass(frozen=True)
class Cell:
    """One value."""

    raw: str
    """The text of the CSV file; the page sorts by it."""
    shown: str
    kind: str
    """``name`` of a task (``short`` if it fits on a line), ``number``, ``word``, or the class of a verdict."""


@dataclass(frozen=True)
class Sheet:
    """One table of a page."""

    name: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    """Name in the CSV file and heading of each column."""
    rows: tuple[tuple[Cell, ...], ...]


def sheet_of(
    frame: pd.DataFrame,
    columns: Sequence[str],
    name: str,
    caption: str,
    tasks: Sequence[StudiedTask] = (),
) -> Sheet:
    """Return a table of some columns of a frame.

    Tasks are shown by their titles, and metrics by their title for the task.
    """
    cards = {card.name: card for card in tasks}
    text = list(csv.DictReader(io.StringIO(as_csv(frame))))
    rows = tuple(tuple(_cell(column, row, cards) for column in columns) for row in text)
    headings = tuple((column, HEADINGS.get(column, column.replace("_", " "))) for column in columns)
    return Sheet(name, caption, headings, rows)


def _cell(column: str, row: Mapping[str, str], cards: Mapping[str, StudiedTask]) -> Cell:
    raw = row[column]
    if column in ("source", "target", "task", "sources", "given"):
        shown = " + ".join(cards[name].title if name in cards else name for name in raw.split("+"))
        return Cell(raw, shown, "name" if len(shown) > 24 else "short name")
    if column == "verdict":
        return Cell(raw, f"{style_of(raw).mark} {raw}", raw.replace(" ", "-"))  # type: ignore[arg-type]
    if column == "metric":
        card = cards.get(row.get("target", row.get("task", "")))
        return Cell(raw, card.title_of(raw) if card else METRICS[raw].title, "word")
    if column in _PROBABILITIES:
        level = float(row.get("alpha_spent") or row.get("alpha") or _ALPHA)
        return Cell(raw, probability(float(raw), level) if raw else "", "number")
    if column not in _SHOWN:
        return Cell(raw, raw, "word")
    return Cell(raw, _SHOWN[column](float(raw)) if raw else "", "number")


def _format(spec: str) -> Callable[[float], str]:
    return lambda value: format(value, spec)


_PROBABILITIES = ("p", "q", "q_tost", "p_tost")
_ALPHA = 0.05
"""Level of p-values in a table that does not have it."""
_SHOWN: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("gain", "gain_trained", "low", "high", "pair_sum", "pair_mean"), signed),
    **dict.fromkeys(("df", "score", "score_single", "score_pair", "mde"), _format("z.1f")),
    **dict.fromkeys(("se_seeds", "se_examples"), _format("z.2f")),
    **dict.fromkeys(("alpha_spent", "alpha", "margin"), _format("g")),
    **dict.fromkeys(
        (
            "n_test",
            "effective_documents",
            "collapsed_pair",
            "collapsed_single",
            "seeds_pair",
            "seeds_single",
            "seeds_with",
            "seeds_without",
            "seeds_to_significance",
            "seeds_to_equivalence",
            "decided_at_seeds",
            "seed",
            "seeds",
            "long_train",
            "long_test",
        ),
        _format(".0f"),
    ),
    **dict.fromkeys(
        (
            *("seeds_against", "planned", "done", "failed", "seconds", "steps", "pieces"),
            *("train", "dev", "test", "used_train", "used_dev", "used_test"),
        ),
        _format(",.0f"),
    ),
}
