"""A table of words as text for a terminal, as Markdown and as LaTeX; with the sentence that says how to read it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from taskaffinity.analysis.captions import SYNTHETIC, describe_precision
from taskaffinity.analysis.paper.encoders import ENCODER_TABLES, EncoderScores
from taskaffinity.analysis.paper.stages import PAPER_TABLES, uneven
from taskaffinity.analysis.style import plural
from taskaffinity.runs.paper_protocol import describe_protocol
from taskaffinity.runs.study import Study

_MOST_COLUMNS = 5
"""Of scores, that a page holds beside one another; a wider table is turned, as the paper's Table 6 is."""

_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "−": "$-$"}


_PAPERS_ROWS = (
    " The paper's rows are of one seed, its epoch picked on test; its first is BLUE's single-task training in other"
    " code (30 or 10 epochs, relations, inference and similarity without dev), its DDI there probably macro-F1."
)


def describe_stages(
    study: Study, uneven: Sequence[str] = (), failures: Sequence[str] = (), *, of_table: bool = True
) -> str:
    """How to read the table of a study in stages, with what is missing from it; or a picture of it, which has neither
    standard deviations nor the paper's rows."""
    epochs = study.recipe.num_train_epochs
    lengths = sorted({recipe.num_train_epochs for recipe in study.finetune.values()})
    rates = sorted({recipe.learning_rate for recipe in study.finetune.values()})
    after = (
        f", then {'1 epoch' if lengths == [1] else f'{_range(lengths)} epochs'} of fine-tuning at {_range(rates)}"
        if rates
        else ""
    )
    mean = "mean (SD)" if of_table else "mean"
    level = f"{100 * (1 - study.rule.alpha):g}%"
    stamp = f" {SYNTHETIC.capitalize()}: not real text." if study.synthetic else ""
    return (
        f"Test scores in points, {mean} over {plural(len(study.seeds), 'seed')}; gain over training alone with its "
        f"{level} interval, one by one. Suite {study.suite}; encoder {study.encoder.name}{describe_precision(study)}; "
        f"{plural(epochs, 'epoch')} at {study.recipe.learning_rate:g} alone and together{after}; "
        f"{describe_protocol(study.protocol)}.{stamp}"
        + (_PAPERS_ROWS if of_table and not study.synthetic and study.suite in PAPER_TABLES else "")
        + (f" Fewer seeds: {', '.join(uneven)}." if uneven else "")
        + (f" Failed and left out: {'; '.join(failures)}." if failures else "")
    )


def _range(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def describe_encoders(found: Sequence[EncoderScores]) -> str:
    """How to read the table of several encoders, with what is missing from it."""
    studies = [encoder.study for encoder in found]
    few = [f"{e.study.encoder.name}, {told}" for e in found for told in uneven(e.study, e.fine_tuned)]
    failed = [f"{e.study.encoder.name}, {told}" for e in found for told in e.failed]
    first = studies[0]
    seeds = sorted({len(study.seeds) for study in studies})
    differ = len({(study.recipe, tuple(study.finetune.items())) for study in studies}) > 1
    paper = not first.synthetic and first.suite in ENCODER_TABLES
    stamp = f" {SYNTHETIC.capitalize()}: not real text." if first.synthetic else ""
    return (
        f"Test scores in points after fine-tuning, mean (SD) over {' or '.join(map(str, seeds))} "
        f"{'seed' if seeds == [1] else 'seeds'}. Suite {first.suite}; {describe_protocol(first.protocol)}"
        f"{describe_precision(first)}.{stamp}"
        + (" The rows' settings differ in more than the encoder." if differ else "")
        + (" The last row of the paper's Table 5 repeats its Table 3's refinement: a copy error." if paper else "")
        + (f" Fewer seeds: {', '.join(few)}." if few else "")
        + (f" Failed and left out: {'; '.join(failed)}." if failed else "")
    )


def as_text(table: pd.DataFrame, words: str) -> Table:
    """For a terminal."""
    table = _turned(table)
    caption = Text("\n".join(textwrap.wrap(words, 100)))
    shown = Table(caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption_justify="left")
    shown.add_column("", no_wrap=True)
    for name in table.columns:
        shown.add_column(str(name), justify="right", no_wrap=True)
    for row, cells in table.iterrows():
        shown.add_row(Text(str(row)), *(Text(str(cell)) for cell in cells))
    return shown


def as_markdown(table: pd.DataFrame, words: str) -> str:
    table = _turned(table)
    head = ["", *map(str, table.columns)]
    rows = [head, ["---", *["---:"] * len(table.columns)], *([str(name), *cells] for name, cells in table.iterrows())]
    lines = ["| " + " | ".join(cell.strip().replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", words, ""])


def as_latex(table: pd.DataFrame, words: str) -> str:
    """A ``table`` float; needs no package."""
    table = _turned(table)
    rows = [["", *map(str, table.columns)], *([str(name), *cells] for name, cells in table.iterrows())]
    lines = [" & ".join(_escaped(cell.strip()) for cell in row) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            r"\begin{tabular}{l" + "r" * len(table.columns) + "}",
            r"\hline",
            lines[0],
            r"\hline",
            *lines[1:],
            r"\hline",
            r"\end{tabular}",
            rf"\caption{{{_escaped(words)}}}",
            r"\end{table}",
            "",
        ]
    )


def _turned(table: pd.DataFrame) -> pd.DataFrame:
    return table.T if len(table.columns) > _MOST_COLUMNS else table


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
