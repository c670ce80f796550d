"""``taskaffinity table N RESULTS ...``: print arrows, or a table of the paper with your scores; without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from taskaffinity.analysis.encoder_folders import encoder_study_folders
from taskaffinity.analysis.joint_results import EncoderResults, StagesResults
from taskaffinity.cli.console.results import (
    print_arrows,
    print_claims,
    print_encoders,
    print_stages,
    read_study,
    warn_if_synthetic,
)
from taskaffinity.cli.data import check_command
from taskaffinity.cli.options.rule import Alpha, CorrectionOption, EstimandOption, Margin, TestOption
from taskaffinity.errors import InputError
from taskaffinity.runs.paper_protocol import describe_departures
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Design, Study
from taskaffinity.studies.settings import rule_of_study

FormatName = Literal["text", "csv", "markdown", "latex"]


def command(
    which: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="edges: every arrow of a study. 1: task sizes. 2, 3, 6: stages (clinical, biomedical, both). 4, 5: "
            "encoders. figure2: the paper's claims about its graph. departures: where a study departs from the paper's "
            "released code.",
        ),
    ],
    results: Annotated[
        list[Path],
        typer.Argument(
            help="edges, figure2: a results folder of `taskaffinity pairwise`. 2, 3, 6: one of `taskaffinity full`. "
            "4, 5: one per encoder, or the folder of `full --encoders`. 1: the folder of task files. departures: any "
            "results folder."
        ),
    ],
    format_: Annotated[FormatName, typer.Option("--format", help="Output format.")] = "text",
    alpha: Alpha = None,
    margin: Margin = None,
    correction: CorrectionOption = None,
    estimand: EstimandOption = None,
    test: TestOption = None,
) -> None:
    """Print the arrows of a study, or a table of the paper with your scores and the published ones.

    The options of the rule are for edges and figure2; those that are not given are as in the study.
    """
    from taskaffinity.analysis.paper.encoders import ENCODER_TABLES
    from taskaffinity.analysis.paper.stages import PAPER_TABLES

    suites = {table: suite for tables in (PAPER_TABLES, ENCODER_TABLES) for suite, table in tables.items()}
    if which not in {"edges", "1", "figure2", "departures", *map(str, suites)}:
        numbers = ", ".join(map(str, sorted(suites)))
        raise InputError(f"table {which}: expected one of edges, 1, {numbers}, figure2, departures")
    if (not which.isdecimal() or which == "1" or int(which) in PAPER_TABLES.values()) and len(results) > 1:
        raise InputError(f"table {which}: {len(results)} folders; expected one")
    asked = (alpha, margin, correction, estimand, test)
    if which not in ("edges", "figure2") and any(asked):
        raise InputError(f"table {which}: found an option of the rule; only edges and figure2 have them")
    if which in ("1", "departures"):
        if format_ != "text":
            raise InputError(f"table {which} --format {format_}: expected text, the only format of table {which}")
        (check_command if which == "1" else _departures)(results[0])
        return
    if which == "edges":
        study = read_study(results[0])
        print_arrows(study, RunStore(results[0]), format_, rule_of_study(study, *asked))
        warn_if_synthetic(study.synthetic)
        return
    if which == "figure2":
        _figure2(results[0], format_, asked)
        return
    number = int(which)
    if number in ENCODER_TABLES.values():
        results = [one for folder in results for one in encoder_study_folders(folder)]
    studies = _studies_of(number, suites[number], results)
    if number in PAPER_TABLES.values():
        print_stages(studies[0], RunStore(results[0]), format_)
    else:
        each = [StagesResults(folder, study) for folder, study in zip(results, studies, strict=True)]
        print_encoders(EncoderResults(results[0], each), format_)
    warn_if_synthetic(studies[0].synthetic)


def _studies_of(number: int, suite: str, results: list[Path]) -> list[Study]:
    """Return the studies in stages of a table, which are of one suite, one protocol and the same data."""
    studies = [read_study(folder, "full") for folder in results]
    for folder, study in zip(results, studies, strict=True):
        if study.suite != suite:
            raise InputError(f"table {number}: of suite {suite}, but {folder} holds suite {study.suite}")
        for what, same in (
            ("data", study.refs == studies[0].refs),
            ("protocol", study.protocol == studies[0].protocol),
        ):
            if not same:
                raise InputError(f"table {number}: {results[0]} and {folder} differ in their {what}")
    return studies


def _departures(folder: Path) -> None:
    place = encoder_study_folders(folder)[0]
    design: Design = next((design for design, name in FILES.items() if (place / name).is_file()), "full")
    study = read_study(place, design)
    if study.is_external:
        raise InputError(f"table departures: {place} holds runs that were trained elsewhere; their recipe is not known")
    for line in describe_departures(study):
        typer.echo(line)


def _figure2(folder: Path, format_: FormatName, asked: tuple[Any, ...]) -> None:
    from taskaffinity.analysis.paper.figure2 import SUITES

    study = read_study(folder, "pairwise")
    if study.synthetic:
        raise InputError(f"table figure2: {folder} holds a study of synthetic text, of which the paper says nothing")
    if study.suite not in SUITES:
        raise InputError(f"table figure2: of suite {' or '.join(SUITES)}, but {folder} holds suite {study.suite}")
    print_claims(study, RunStore(folder), format_, rule_of_study(study, *asked))
