"""What can be asked of a study: one field per option, with the default that the command line and Python share.

Nothing here needs torch: bad options are refused before it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from taskaffinity.errors import InputError
from taskaffinity.runs.rule import Correction, Estimand
from taskaffinity.runs.study import Baseline, EvaluateAfter, InitFrom, Protocol
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.resources import AUTO
from taskaffinity.studies.settings import Settings, make_rule, read_settings

INTERIM_SEEDS = (5, 8)
"""Seeds of a pair at the interim analyses between the first (``seeds``) and the last (``max_seeds``)."""
MAX_SEEDS = 12

Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Options = TypeVar("Options", bound="StudyOptions | TuneOptions")


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Options of every study."""

    encoder: str | None = None
    """Folder or hub id of a transformers encoder. Default: the paper's encoder for real text, a tiny one for planted
    suites."""
    seeds: Positive = 3
    """Seeds of every pair, or of every stage."""
    base_seed: Natural = 0
    """The first seed; the others follow it."""
    recipe: str | Path | None = None
    """A recipe file, as ``tune`` writes it."""
    settings: Sequence[str] | Mapping[str, Any] = ()
    """Settings over the recipe: ``KEY=VALUE`` texts, or values by key. ``finetune.KEY`` is for fine-tuning alone."""
    protocol: Protocol = "honest"
    """``honest``: dev selects the epoch, test is scored once. ``paper``: as the paper's released code."""
    alpha: float | None = None
    """Level of tests and intervals. Default: 0.05."""
    estimand: Estimand | None = None
    """Gains on test sets like this one (``population``, the default), or on this very one (``test-set``)."""
    output_dir: str | Path | None = None
    """Results folder. Default: ``results/SUITE``."""
    overwrite: bool = False
    """Whether the study may replace another one in the folder; the runs stay."""
    executor: Executor = "ray"
    """``ray``: runs in parallel. ``local``: one run after the other in this process."""
    address: str | None = None
    """Address of a running Ray cluster. Default: a Ray that is started on this machine."""
    gpus_per_run: float | str | None = None
    """GPUs that a run takes, or ``auto``. Default: 1 if there is one."""
    cpus_per_run: Positive = 1
    """CPU cores, and threads, that a run takes."""
    keep_predictions: bool = True
    """Whether each run keeps its predictions, by id."""
    keep_models: bool = False
    """Whether each run keeps its trained models, for ``export``."""
    suite_file: Path | None = None
    """The YAML file of the suite; its copy lies beside the results."""


@dataclass(frozen=True, kw_only=True)
class PairwiseOptions(StudyOptions):
    """Options of a study of all pairs."""

    seeds_single: Positive | None = None
    """Seeds of every single-task arm. Default: ``seeds`` times the square root of the number of partners."""
    baseline: Baseline = "single"
    """Single-task runs have as many updates on the target (``single``), or as many in all (``compute-matched``)."""
    evaluate_after: EvaluateAfter = "joint"
    """Models are compared after joint training, or after both are fine-tuned on the target."""
    init_from: InitFrom = "encoder"
    """Runs start from the encoder, or from the multi-task model of the whole set."""
    controls: bool = False
    """Whether every task also has a placebo and a positive control."""
    sequential: bool = False
    """Whether pairs get seeds in steps, until they are decided."""
    max_seeds: Positive | None = None
    """Most seeds of a pair in a sequential design. Default: 12."""
    full: bool = False
    """Whether the whole set is trained too."""
    margin: float | Mapping[str, float] | Sequence[str] | None = None
    """Points below which a gain is "no effect"; one number, or numbers by metric. Default: 1."""
    correction: Correction | None = None
    """Correction for many arrows: ``bh`` (default), ``by``, ``holm`` or ``dunnett``."""


@dataclass(frozen=True, kw_only=True)
class FullOptions(StudyOptions):
    """Options of a study of the whole set in stages."""

    encoders: Sequence[str] | None = None
    """Several encoders instead of one: a study of each in a folder of its own, and one table."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Options of a search of the recipe."""

    encoder: str | None = None
    """As in ``StudyOptions``."""
    n_trials: Positive = 12
    """Recipes to try beside the default."""
    finalists: Positive = 3
    """So many of the best are trained again, and the default with them."""
    confirm_seeds: Positive = 2
    """Fresh seeds for that; their mean decides."""
    search_seed: Natural = 0
    """Another seed draws and trains other recipes."""
    recipe: str | Path | None = None
    """A recipe file whose settings are not searched."""
    settings: Sequence[str] | Mapping[str, Any] = ()
    """Settings that are not searched."""
    output_dir: str | Path | None = None
    """Results folder. Default: ``results/SUITE``."""
    out: str | Path | None = None
    """The recipe file to write. Default: ``recipe.yaml`` in the results folder."""
    executor: Executor = "ray"
    address: str | None = None
    gpus_per_run: float | str | None = None
    cpus_per_run: Positive = 1
    suite_file: Path | None = None


def make_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Options of this kind from values by name. An encoder may be a path, and one setting a text.

    Raises
    ------
    InputError
        If a value has the wrong type or is out of its range.
    """
    values = dict(values)
    if isinstance(values.get("encoder"), Path):
        values["encoder"] = str(values["encoder"])
    if isinstance(values.get("encoders"), list | tuple):
        values["encoders"] = [str(name) for name in values["encoders"]]
    if isinstance(values.get("settings"), str):
        values["settings"] = [values["settings"]]
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InputError(f"{name}={values.get(name)!r}: {first['msg'].lower()}") from error


def check_pairwise_options(options: PairwiseOptions) -> Settings:
    """The settings of a pairwise study; refuses options that do not go together.

    Raises
    ------
    InputError
    """
    settings = read_settings(
        options.settings, options.recipe, options.protocol, finetunes=options.evaluate_after == "finetune"
    )
    make_rule(options.alpha, options.margin, options.correction, options.estimand)
    if options.controls and options.protocol == "paper":
        raise InputError("--controls: not under --protocol paper, whose update moves what a placebo must leave alone")
    if options.max_seeds is not None and not options.sequential:
        raise InputError(
            f"--max-seeds {options.max_seeds}: of a sequential design; give --sequential too, or "
            f"--seeds {options.max_seeds} to every pair"
        )
    if options.sequential:
        interim_seeds(options)
    return settings


def interim_seeds(options: PairwiseOptions) -> tuple[int, ...]:
    """Seeds of a pair at each interim analysis of a sequential design.

    Raises
    ------
    InputError
        If the first analysis has fewer than 2 seeds or is not before the last; if ``seeds_single`` is given.
    """
    first, last = options.seeds, options.max_seeds or MAX_SEEDS
    if options.seeds_single is not None:
        raise InputError("--seeds-single: not with --sequential, which sets the seeds of single-task arms")
    if not 2 <= first < last:
        raise InputError(
            f"--sequential: the first interim analysis is at --seeds {first}; expected 2 or more, below --max-seeds"
        )
    return (first, *(n for n in INTERIM_SEEDS if first < n < last), last)


def check_full_options(options: FullOptions) -> Settings:
    """The settings of a study in stages; refuses options that do not go together.

    Raises
    ------
    InputError
    """
    encoder_names(options)
    make_rule(options.alpha, estimand=options.estimand)
    return read_settings(options.settings, options.recipe, options.protocol)


def encoder_names(options: FullOptions) -> list[str | None]:
    """The encoders that are asked for; None is the suite's default.

    Raises
    ------
    InputError
        If both ``encoder`` and ``encoders`` are given, or a name is empty.
    """
    if options.encoders is None:
        return [options.encoder]
    names = [name.strip() for name in options.encoders]
    if options.encoder is not None:
        raise InputError(f"--encoder {options.encoder}, --encoders {','.join(names)}: give one of the two options")
    if not names or "" in names:
        raise InputError(f"--encoders {','.join(names)}: expected names or folders, joined by commas")
    return [*names]


def check_tune_options(options: TuneOptions) -> tuple[Settings, Settings]:
    """The settings over the recipe file, and the settings that are given by themselves.

    Raises
    ------
    InputError
        If a setting cannot be used in a search.
    """
    given = read_settings(options.settings)
    if given.finetune:
        raise InputError(
            f"--set finetune.{next(iter(given.finetune))}: nothing is fine-tuned here; give it to the study"
        )
    if given.measures_precision:
        raise InputError("--set precision=auto: of a study, whose machine chooses it; give bf16 or nothing here")
    if options.gpus_per_run == AUTO:
        raise InputError(f"--gpus-per-run {AUTO}: of a study, which measures a run; give a number here")
    return read_settings(options.settings, options.recipe), given


def recipe_path(options: TuneOptions, folder: Path) -> Path:
    """The recipe file that a search writes.

    Raises
    ------
    InputError
        If it is a folder, or the recipe file that is read.
    """
    out = Path(options.out) if options.out is not None else folder / "recipe.yaml"
    if out.is_dir():
        raise InputError(f"--out {out}: a folder; expected a file")
    if options.recipe is not None and out.resolve() == Path(options.recipe).resolve():
        raise InputError(f"--recipe {options.recipe}: the search would write over it; give another --out")
    return out
