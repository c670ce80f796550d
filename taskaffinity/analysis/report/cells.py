"""Frames as tables of a page: every cell keeps the text that the CSV file has beside what is shown of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from taskaffinity.analysis.style import STYLES, probability, signed
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.tasks.metrics import METRICS

HEADINGS = {
    "low": "from",
    "high": "to",
    "q_tost": "q of no effect",
    "p_tost": "p of no effect",
    "df": "degrees of freedom",
    "se_seeds": "error, seeds",
    "se_examples": "error, examples",
    "n_test": "test examples",
    "seeds_pair": "seeds together",
    "seeds_single": "seeds alone",
    "score_single": "alone",
    "score_pair": "together",
    "mde": "detectable gain",
    "seeds_to_significance": "seeds to a colour",
    "seeds_to_equivalence": "seeds to no effect",
    "decided_at_seeds": "decided at seeds",
    "untested_reason": "no test because",
    "seeds_against": "seeds of the other arm",
    "pieces": "word pieces",
}
"""Of columns whose name is not what readers need; others have their name without underscores."""


@dataclass(frozen=True)
class Cell:
    """One value."""

    raw: str
    """As in the CSV file: what is sorted by."""
    shown: str
    kind: str
    """``name`` of a task (``short`` if it fits on a line), ``number``, ``word``, or the class of a verdict."""


@dataclass(frozen=True)
class Sheet:
    """One table of a page."""

    name: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    """Names in the CSV file with what stands above."""
    rows: tuple[tuple[Cell, ...], ...]


def sheet_of(
    frame: pd.DataFrame, columns: Sequence[str], name: str, caption: str, titles: Mapping[str, str] | None = None
) -> Sheet:
    """Some columns of a frame; names of tasks are shown by their titles."""
    text = list(csv.DictReader(io.StringIO(as_csv(frame))))
    rows = tuple(tuple(_cell(column, row[column], titles or {}) for column in columns) for row in text)
    headings = tuple((column, HEADINGS.get(column, column.replace("_", " "))) for column in columns)
    return Sheet(name, caption, headings, rows)


def _cell(column: str, raw: str, titles: Mapping[str, str]) -> Cell:
    if column in ("source", "target", "task"):
        shown = titles.get(raw, raw)
        return Cell(raw, shown, "name" if len(shown) > 24 else "short name")
    if column == "verdict":
        return Cell(raw, f"{STYLES[raw].mark} {raw}", raw.replace(" ", "-"))  # type: ignore[index]
    if column == "metric":
        return Cell(raw, METRICS[raw].title, "word")
    if column not in _SHOWN:
        return Cell(raw, raw, "word")
    return Cell(raw, _SHOWN[column](float(raw)) if raw else "", "number")


def _format(spec: str) -> Callable[[float], str]:
    return lambda value: format(value, spec)


_SHOWN: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("gain", "low", "high"), signed),
    **dict.fromkeys(("p", "q", "q_tost", "p_tost"), probability),
    **dict.fromkeys(("df", "score_single", "score_pair", "mde"), _format(".1f")),
    **dict.fromkeys(("se_seeds", "se_examples"), _format(".2f")),
    **dict.fromkeys(("alpha_spent", "alpha", "margin"), _format("g")),
    **dict.fromkeys(
        (
            "n_test",
            "seeds_pair",
            "seeds_single",
            "seeds_to_significance",
            "seeds_to_equivalence",
            "decided_at_seeds",
            "seeds",
        ),
        _format(".0f"),
    ),
    **dict.fromkeys(
        ("seeds_against", "planned", "done", "failed", "seconds", "steps", "pieces", "train", "dev", "test"),
        _format(",.0f"),
    ),
}
