"""What every command that ends in a graph prints: the table of arrows, and where the files are."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.task import BadInput

BANNER = (
    "SYNTHETIC STAND-IN: no data folder was given, so the text is made up and the encoder is tiny and starts from\n"
    "random weights. This shows how the tool works; it says nothing about the real tasks of these names."
)


def publish_and_print(results: Path, *, alpha: float = 0.05, margin: float = 1.0) -> None:
    """Measure and draw what a results folder holds; results go to stdout.

    Raises
    ------
    BadInput
        If the folder holds no study.
    """
    try:
        study = Study.read(results)
    except (FileNotFoundError, ValueError) as error:
        raise BadInput(str(error)) from error
    from taskaffinity.analysis.publish import publish  # matplotlib and pandas: not for --help
    from taskaffinity.analysis.tables import edge_table

    matrix = publish(study, RunStore(results), results, alpha=alpha, margin=margin)
    console = Console(highlight=False, soft_wrap=True)
    if study.synthetic:
        console.print(BANNER, style="bold yellow")
    console.print(edge_table(matrix))
    console.print(f"{results / 'affinity.png'}, edges.csv and gains.csv beside it")
