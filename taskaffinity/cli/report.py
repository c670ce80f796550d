"""``taskaffinity report RESULTS``: write a study as one HTML page, without torch or data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.errors import InputError


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: RESULTS/report.html).")] = None,
) -> None:
    """Write a study as one self-contained HTML page."""
    if out is not None and out.is_dir():
        raise InputError(f"--out {out}: a folder; expected a file, such as {out / 'report.html'}")
    result = PairwiseResults.load(results)
    print(result.report(out))
    warn_if_synthetic(result.study.synthetic)
