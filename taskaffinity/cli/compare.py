"""``taskaffinity compare A B``: print what changed between two studies, without torch or data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.cli.options.run import Json
from taskaffinity.errors import InputError
from taskaffinity.python_names import command_function
from taskaffinity.studies.compare import ComparisonResults, compare


def command(
    first: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.", metavar="RESULTS")],
    second: Annotated[
        Path,
        typer.Argument(
            help="Results folder of another study of the same tasks; encoder and settings may differ.",
            metavar="RESULTS_2",
        ),
    ],
    format_: Annotated[Literal["text", "csv"], typer.Option("--format", help="Output format.")] = "text",
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
    json: Json = False,
) -> None:
    """Print which verdicts changed between two studies, and by how much each gain changed.

    Options of the rule hold for both studies; those that are not given are as in each study.
    """
    if json and format_ != "text":
        raise InputError(f"--json with --format {format_}: two formats; expected one of them")
    found = command_function(compare)(
        first, second, alpha=alpha, margin=margin, correction=correction, estimand=estimand, test=test
    )
    if json:
        print_json({"first": str(first), "second": str(second), "arrows": found.to_frame().to_dict(orient="records")})
    elif format_ == "csv":
        from taskaffinity.analysis.tables.frames import as_csv  # pandas: not for --help

        print(as_csv(found.to_frame()), end="")
    else:
        _print(found)
    warn_if_synthetic(found.comparison.first.study.synthetic)


def _print(found: ComparisonResults) -> None:
    from taskaffinity.analysis.tables.comparison import comparison_table, describe_comparison

    table = comparison_table(found.comparison)
    needed = Console(width=1000).measure(table).maximum  # no cell is cut, however narrow the terminal
    console = Console(highlight=False, soft_wrap=True, markup=False, width=max(needed, Console().width))
    console.print(table)
    words = describe_comparison(found.comparison, n_shared=found.n_shared)
    for line in (f"first: {found.first}, second: {found.second}", *words):
        console.print(line)
