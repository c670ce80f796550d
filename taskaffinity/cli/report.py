"""``taskaffinity report RESULTS``: write a study as one HTML page, without torch or data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.cli.console.results import warn_if_synthetic
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.errors import InputError
from taskaffinity.output_file import REPORT, check_output
from taskaffinity.studies.settings import rule_of_study


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of `taskaffinity pairwise`.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: RESULTS/report.html).")] = None,
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
) -> None:
    """Write a study as one self-contained HTML page.

    Options of the rule that are not given are as in the study.
    """
    if out is not None:
        if out.is_dir():
            raise InputError(f"--out {out}: a folder; expected a file, such as {out / 'report.html'}")
        check_output(out, REPORT, "report")
    result = PairwiseResults.load(results)
    rule = rule_of_study(result.study, alpha, margin, correction, estimand, test)
    print(replace(result, rule=rule).report(out))
    warn_if_synthetic(result.study.synthetic)
