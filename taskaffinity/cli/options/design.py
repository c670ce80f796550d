"""Options of the design of a study, of a search and of estimates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from taskaffinity.cli.options.numbers import integer_option, number_option
from taskaffinity.cli.options.run import DESIGN, OUTPUT, TRAINING
from taskaffinity.runs.admission import MOST_ERRORS
from taskaffinity.runs.limits import MOST_CONFIRM_SEEDS, MOST_SEARCH_SEED, MOST_SEEDS, MOST_TRIALS
from taskaffinity.runs.study import Baseline, EvaluateAfter, InitFrom

PairSeeds = Annotated[
    int,
    integer_option(
        1, MOST_SEEDS, help="Number of seeds per pair; more seeds decide more arrows.", rich_help_panel=DESIGN
    ),
]
SingleSeeds = Annotated[
    int | None,
    integer_option(
        1,
        MOST_SEEDS,
        help="Number of seeds per single task (default: sqrt(N - 1) times --seeds, for N tasks).",
        rich_help_panel=DESIGN,
    ),
]
BaselineOption = Annotated[
    Baseline,
    typer.Option(
        help="What a pair is compared with: a single-task run with as many updates on the target (single), with "
        "as many updates in total (compute-matched), or, with --protocol paper, by the recipes of the paper's "
        "single-task models (paper-single).",
        rich_help_panel=DESIGN,
    ),
]
EvaluateAfterOption = Annotated[
    EvaluateAfter,
    typer.Option(
        help="Compare models after joint training, or after both are then fine-tuned on the target.",
        rich_help_panel=DESIGN,
    ),
]
InitFromOption = Annotated[
    InitFrom,
    typer.Option(
        help="Start training from the encoder, or from a multi-task model of all tasks (multitask).",
        rich_help_panel=DESIGN,
    ),
]
Controls = Annotated[
    bool,
    typer.Option(
        "--controls",
        help="Also train two controls per task, to check the method: a placebo, whose gain should be zero, and a "
        "positive control, whose gain should not.",
        rich_help_panel=DESIGN,
    ),
]
Sequential = Annotated[
    bool,
    typer.Option(
        "--sequential",
        help="Start with --seeds, and train more seeds (5, 8, then --max-seeds) only for inconclusive pairs.",
        rich_help_panel=DESIGN,
    ),
]
MaxSeeds = Annotated[
    int | None,
    integer_option(
        3,
        MOST_SEEDS,
        help="Maximum number of seeds per pair with --sequential (default: 12).",
        rich_help_panel=DESIGN,
    ),
]
ByEstimates = Annotated[
    bool,
    typer.Option(
        "--by-estimates",
        help="With --sequential: measure only pairs that the estimates in --results admit (`taskaffinity estimate` "
        "first); the others are deferred and not measured.",
        rich_help_panel=DESIGN,
    ),
]
Admit = Annotated[
    float | None,
    number_option(
        0,
        MOST_ERRORS,
        help="With --by-estimates: standard errors from zero at which an estimate admits its pair (default: 1).",
        rich_help_panel=DESIGN,
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        help="Also measure what tasks add in groups: leave-one-out (each task, given all others), or 'A+B>T' (A and B "
        "together to T); may be repeated.",
        rich_help_panel=DESIGN,
    ),
]
WholeSet = Annotated[bool, typer.Option("--full", help="Also train all tasks together.", rich_help_panel=DESIGN)]
Trials = Annotated[
    int,
    integer_option(1, MOST_TRIALS, help="Number of recipes to try besides the default.", rich_help_panel=DESIGN),
]
Finalists = Annotated[
    int,
    integer_option(
        1,
        MOST_TRIALS,
        help="Number of best recipes that are trained again, together with the default.",
        rich_help_panel=DESIGN,
    ),
]
ConfirmSeeds = Annotated[
    int,
    integer_option(
        1,
        MOST_CONFIRM_SEEDS,
        help="Number of new seeds for each of these recipes; their mean dev score decides.",
        rich_help_panel=DESIGN,
    ),
]
SearchSeed = Annotated[
    int, integer_option(0, MOST_SEARCH_SEED, help="Seed that draws the recipes.", rich_help_panel=DESIGN)
]
RecipeToTune = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help="File with settings to start from: they are the default that the candidates vary. --set overrides it, and "
        "fixes a setting.",
        rich_help_panel=TRAINING,
    ),
]
RecipeOut = Annotated[
    Path | None,
    typer.Option(
        help="Recipe file to write; trials are kept beside it (default: recipe.yaml in --results).",
        rich_help_panel=OUTPUT,
    ),
]
DryRunOfSearch = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the recipes to try and the largest number of epochs; train nothing.",
        rich_help_panel=OUTPUT,
    ),
]
StudySeeds = Annotated[
    int,
    integer_option(
        1,
        MOST_SEEDS,
        help="Seeds per pair of the full study; the budget is a share of its cost.",
        rich_help_panel=DESIGN,
    ),
]
Budget = Annotated[
    str,
    typer.Option(
        help="Cost of the probes, as a share of the training of all pairs; it decides their length and number.",
        rich_help_panel=DESIGN,
    ),
]
Baselines = Annotated[
    bool,
    typer.Option(
        "--baselines",
        help="Also score every arrow by estimators that train nothing, for --validate (estimators.csv).",
        rich_help_panel=OUTPUT,
    ),
]
Validate = Annotated[
    bool,
    typer.Option(
        "--validate",
        help="Train nothing; compare the estimates in --results with its measured gains.",
        rich_help_panel=OUTPUT,
    ),
]
