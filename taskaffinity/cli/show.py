"""What every command that ends in a graph prints: the table of arrows, and where the files are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput

if TYPE_CHECKING:
    from taskaffinity.analysis.verdicts import Rule

BANNER = (
    "SYNTHETIC STAND-IN: no data folder was given, so the text is made up. This shows how the tool works;\n"
    "it says nothing about the real tasks of these names."
)


def warn_if_synthetic(is_synthetic: bool) -> None:
    """The banner, on stderr whatever ``--quiet`` says."""
    if is_synthetic:
        Console(stderr=True, highlight=False, soft_wrap=True).print(BANNER, style="bold yellow")


def publish_and_print(study: Study, results: Path, rule: Rule) -> None:
    """Measure and draw what a study's results folder holds; results go to stdout.

    Raises
    ------
    BadInput
        If a file of the folder is broken.
    """
    from taskaffinity.analysis.captions import controls_in_words, needs_in_words, race_in_words
    from taskaffinity.analysis.publish import publish  # matplotlib and pandas: not for --help
    from taskaffinity.analysis.tables import edge_table

    try:
        matrix = publish(study, RunStore(results), results, rule)
    except ValueError as error:
        raise BadInput(str(error)) from error
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(edge_table(matrix))
    for line in (*needs_in_words(matrix), *controls_in_words(matrix), *race_in_words(matrix)):
        console.print(line)
    console.print(f"{results / 'affinity.png'}, edges.csv and gains.csv beside it")
