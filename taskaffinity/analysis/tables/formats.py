"""Format a table of texts for a terminal, as Markdown and as LaTeX, with its caption.

LaTeX comes from pandas' ``Styler``. Markdown is written here: pandas needs another package for it.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict

_MOST_COLUMNS = 5
"""Columns of scores that fit on a page; a wider table is transposed, like the paper's Table 6."""

_MARKDOWN_TEXT = re.compile(r"<(?=[A-Za-z/!?])|\*")
_MARKDOWN = re.compile(rf"{_MARKDOWN_TEXT.pattern}|[|`]|\\(?=[!-/:-@\[-`{{-~])|(?<!\w)_|_(?!\w)")
"""What is escaped: it would start a tag, a cell, code, an escape or emphasis. Captions may have code."""

_LATEX = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # at the start of a row it would be an option of the line break before it
    "]": "{]}",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "–": "--",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
}


def as_text(table: pd.DataFrame, words: str) -> Table:
    """Return the table for a terminal, with ``words`` as its caption."""
    table = _fit(table)
    caption = Text("\n".join(textwrap.wrap(words, 100)))
    shown = Table(caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption_justify="left")
    shown.add_column("", no_wrap=True)
    for name in table.columns:
        shown.add_column(str(name), justify="right", no_wrap=True)
    for row, cells in table.iterrows():
        shown.add_row(Text(str(row)), *(Text(str(cell)) for cell in cells))
    return shown


def as_markdown(table: pd.DataFrame, words: str) -> str:
    """Return the table as Markdown, with ``words`` below it."""
    table = _fit(table)
    head = ["", *map(str, table.columns)]
    rows = [head, ["---", *["---:"] * len(table.columns)], *([str(name), *cells] for name, cells in table.iterrows())]
    lines = ["| " + " | ".join(_MARKDOWN.sub(r"\\\g<0>", cell.strip()) for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", _MARKDOWN_TEXT.sub(r"\\\g<0>", words), ""])


def as_latex(table: pd.DataFrame, words: str) -> str:
    """Return the table as a LaTeX ``table`` float that needs no package, with ``words`` as its caption."""
    table = _fit(table)
    rules: list[CSSDict] = [{"selector": f"{place}rule", "props": ":hline"} for place in ("top", "mid", "bottom")]
    numbered = table.set_axis(range(len(table)), axis=0).set_axis(range(len(table.columns)), axis=1)
    style = numbered.style.format(_escaped)  # pandas asks for unique names, and titles need not be
    rows, columns = (dict[object, str](enumerate(map(_escaped, names))) for names in (table.index, table.columns))
    style = style.format_index(rows.__getitem__, axis=0)  # relabel_index would read braces as fields
    style = style.format_index(columns.__getitem__, axis=1)
    return style.set_table_styles(rules).to_latex(column_format="l" + "r" * len(table.columns), caption=_escaped(words))


def _fit(table: pd.DataFrame) -> pd.DataFrame:
    return table.T if len(table.columns) > _MOST_COLUMNS else table


def _escaped(cell: object) -> str:
    words = " ".join(str(cell).split())  # no line ends and tabs
    return "".join(_LATEX.get(character, character) for character in words if character.isprintable())
