"""Options of ``taskaffinity verdicts``: the tables of runs that were trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from taskaffinity.cli.options.run import DATA, OUTPUT

ScoresFile = Annotated[
    Path | None,
    typer.Argument(
        help="CSV or parquet file with the columns target, source, seed and score (larger is better); not needed with "
        "--predictions."
    ),
]
PredictionsFile = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="CSV or parquet file with the columns target, source, seed, id, gold, predicted, and document if examples "
        "have groups.",
        rich_help_panel=DATA,
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Metric of the predictions: METRIC for all targets, or TARGET=METRIC. accuracy, micro_f1, macro_f1, "
        "pearson, multilabel_f1 (classes joined by |), span_f1 or span_f1_conlleval (tags joined by spaces), answer_f1 "
        "or exact_match (texts; several gold ones joined by |).",
        rich_help_panel=DATA,
    ),
]
Negative = Annotated[
    list[str] | None,
    typer.Option(help="TARGET=LABEL: the class that F1 does not score.", rich_help_panel=DATA),
]
ScaleOption = Annotated[
    Literal["fraction", "point"] | None,
    typer.Option(
        help="Unit of the scores (default: fraction if no score is above 1, else point).", rich_help_panel=DATA
    ),
]
FactsFile = Annotated[
    Path | None,
    typer.Option(
        "--facts",
        help="CSV or parquet file with the facts of a study that was exported (columns task, fact, of and value).",
        rich_help_panel=DATA,
    ),
]
SmallerIsBetter = Annotated[
    list[str] | None,
    typer.Option(
        "--smaller-is-better",
        metavar="TASK",
        help="Task whose scores are errors or losses, such as RMSE: they are negated, so that a smaller error is a "
        "positive gain. May be given several times.",
        rich_help_panel=DATA,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option("--name", help="Name of the study in captions (default: that of the file).", rich_help_panel=OUTPUT),
]
OverwriteTables = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace scores in the results folder that have more tasks or seeds.",
        rich_help_panel=OUTPUT,
    ),
]
