"""``taskaffinity report RESULTS``: write a study as one HTML page, without torch and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: RESULTS/report.html).")] = None,
) -> None:
    """Write a study as one self-contained HTML page."""
    from taskaffinity.analysis.publish import check_has_runs
    from taskaffinity.analysis.report import write_report  # matplotlib and pandas: not for --help

    page = out or results / "report.html"
    if page.is_dir():
        raise InputError(f"--out {page}: a folder; expected a file, such as {page / 'report.html'}")
    try:
        study = Study.load(results)
        check_has_runs(study, RunStore(results), results)
        write_report(study, RunStore(results), page)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(str(error)) from error
    print(page)
    warn_if_synthetic(study.synthetic)
