"""Options of studies and searches, with the defaults that the command line and Python share.

This module needs no torch, so that invalid options are refused before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from taskaffinity.errors import InputError, shown, validation_line
from taskaffinity.runs.admission import MOST_ERRORS
from taskaffinity.runs.limits import MOST_CONFIRM_SEEDS, MOST_CPUS, MOST_SEARCH_SEED, MOST_SEED, MOST_SEEDS, MOST_TRIALS
from taskaffinity.runs.rule import Correction, Estimand, Test
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES, Minutes
from taskaffinity.runs.study import Baseline, EvaluateAfter, FullBaseline, InitFrom, Protocol
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.resources import AUTO

INTERIM_SEEDS = (5, 8)
"""Seeds per pair at the interim analyses between the first (``seeds``) and the last (``max_seeds``)."""
MAX_SEEDS = 12
ADMIT = 1.0
"""Standard errors from zero at which an estimate admits its pair, unless ``admit`` says another number."""

Seeds = Annotated[int, Field(ge=1, le=MOST_SEEDS, strict=True)]
Trials = Annotated[int, Field(ge=1, le=MOST_TRIALS, strict=True)]
Cpus = Annotated[int, Field(ge=1, le=MOST_CPUS, strict=True)]
Seed = Annotated[int, Field(ge=0, le=MOST_SEED, strict=True)]
Switch = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Alpha = Annotated[float | None, Field(ge=0.0001, le=0.5, strict=True)]
Options = TypeVar("Options", bound="SuiteOptions | TuneOptions")


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Options of every command that trains runs of a suite."""

    tasks: str | Sequence[str] | None = None
    """Names of the tasks of the suite to use. Default: all."""
    encoder: str | None = None
    """Folder or hub id of a transformers encoder. Default: the paper's encoder for real text, a tiny one for synthetic
    text."""
    seeds: Seeds = 3
    """Number of seeds per pair, or per stage."""
    base_seed: Seed = 0
    """First seed; the others follow it."""
    recipe: str | Path | None = None
    """File with settings, written by ``tune``."""
    settings: Sequence[str] | Mapping[str, Any] = ()
    """Settings that override the recipe: ``KEY=VALUE`` texts, or values by key. ``finetune.KEY`` is for fine-tuning
    only."""
    protocol: Protocol = "honest"
    """``honest``: dev selects the epoch, and test is scored once; ``paper``: as the paper's released code."""
    output_dir: str | Path | None = None
    """Results folder. Default: ``results/SUITE``."""
    overwrite: Switch = False
    """Whether to replace a different study in the folder; finished runs are not deleted."""
    executor: Executor = "ray"
    """``ray``: train runs in parallel. ``local``: train them one after the other in this process."""
    address: str | None = None
    """Address of a running Ray cluster. Default: start Ray on this machine."""
    gpus_per_run: float | str | None = None
    """GPUs per run; a share below 1; or ``auto``, which measures the share. Default: 1 if there is a GPU."""
    cpus_per_run: Cpus = 1
    """CPU cores and threads per run."""
    checkpoint_minutes: Minutes = DEFAULT_MINUTES
    """Minimum minutes between two checkpoints. A killed run resumes from the last one. 0: no checkpoints."""
    keep_predictions: Switch = True
    """Whether to store each run's predictions by example id, without text."""
    keep_models: Switch = False
    """Whether to store each run's models, for ``export``."""
    share_with_group: Switch = False
    """Whether the group may read predictions and models; otherwise only you can."""
    suite_file: Path | None = None
    """YAML file of the suite; it is copied to the results folder."""


@dataclass(frozen=True, kw_only=True)
class StudyOptions(SuiteOptions):
    """Options of a study, which tests gains."""

    alpha: Alpha = None
    """Significance level of tests; intervals cover 1 - alpha. Default: 0.05."""
    estimand: Estimand | None = None
    """``population`` (default): intervals cover new seeds and test examples; ``test-set``: new seeds only."""
    test: Test | None = None
    """Test of a gain: ``behrens-fisher`` (default) or ``satterthwaite``, the t test of earlier versions."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions(SuiteOptions):
    """Options of one joint training of all tasks."""

    seeds: Seeds = 1
    """Number of models, one per seed."""
    evaluate_after: EvaluateAfter = "joint"
    """``finetune``: after joint training, each task is fine-tuned from the joint model."""
    keep_models: Switch = True
    """Whether to store each run's models, for ``export`` and ``predict``."""


@dataclass(frozen=True, kw_only=True)
class PairwiseOptions(StudyOptions):
    """Options of a pairwise study."""

    seeds_single: Annotated[int | None, Field(ge=1, le=MOST_SEEDS, strict=True)] = None
    """Number of seeds per single task. Default: sqrt(N - 1) times ``seeds``, for N tasks."""
    baseline: Baseline = "single"
    """What a pair is compared with: a single-task run with as many updates on the target (``single``), with as many
    updates in total (``compute-matched``), or by the paper's single-task recipes (``paper-single``)."""
    evaluate_after: EvaluateAfter = "joint"
    """Compare models after joint training, or after both are then fine-tuned on the target."""
    init_from: InitFrom = "encoder"
    """Start training from the encoder, or from a multi-task model of all tasks."""
    controls: Switch = False
    """Whether to train also a placebo and a positive control for every task."""
    sequential: Switch = False
    """Whether to add seeds in steps, only for pairs that are still inconclusive."""
    max_seeds: Annotated[int | None, Field(ge=3, le=MOST_SEEDS, strict=True)] = None
    """Maximum number of seeds per pair in a sequential design. Default: 12."""
    by_estimates: Switch = False
    """Whether a sequential design measures only pairs that the estimates of the results folder admit."""
    admit: Annotated[float | None, Field(ge=0, le=MOST_ERRORS, strict=True)] = None
    """With ``by_estimates``: standard errors from zero at which an estimate admits its pair. Default: 1."""
    full: Switch = False
    """Whether to train all tasks together too."""
    groups: Sequence[str] = ()
    """Group arrows to measure too: ``leave-one-out`` (what each task adds given all others), or ``A+B>T``."""
    margin: Number | Mapping[str, float] | Sequence[str] | None = None
    """Margin of "no effect" in points; one number, or numbers by metric. Default: 1."""
    correction: Correction | None = None
    """Correction for multiple comparisons: ``bh`` (default), ``by``, ``holm`` or ``dunnett``."""


@dataclass(frozen=True, kw_only=True)
class FullOptions(StudyOptions):
    """Options of a study in stages."""

    encoders: Sequence[str] | None = None
    """Several encoders instead of one. Each gets a study in its own folder; one table compares them."""
    baseline: FullBaseline = "single"
    """How single tasks are trained: with the recipe of joint training (``single``), or by the paper's single-task
    recipes (``paper-single``)."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Options of a search of training settings."""

    tasks: str | Sequence[str] | None = None
    """Names of the tasks of the suite to use. Default: all."""
    encoder: str | None = None
    """As in ``SuiteOptions``."""
    n_trials: Trials = 12
    """Number of recipes to try besides the default."""
    finalists: Trials = 3
    """Number of best recipes that are trained again, together with the default."""
    confirm_seeds: Annotated[int, Field(ge=1, le=MOST_CONFIRM_SEEDS, strict=True)] = 2
    """Number of new seeds for each of these recipes. Their mean dev score decides."""
    search_seed: Annotated[int, Field(ge=0, le=MOST_SEARCH_SEED, strict=True)] = 0
    """Seed that draws the recipes."""
    recipe: str | Path | None = None
    """A recipe file to start from: its settings are the default that the recipes of the search vary."""
    settings: Sequence[str] | Mapping[str, Any] = ()
    """Settings that are not searched."""
    output_dir: str | Path | None = None
    """Results folder. Default: ``results/SUITE``."""
    out: str | Path | None = None
    """Recipe file to write; trials are kept beside it. Default: ``recipe.yaml`` in the results folder."""
    executor: Executor = "ray"
    address: str | None = None
    gpus_per_run: float | str | None = None
    cpus_per_run: Cpus = 1
    checkpoint_minutes: Minutes = DEFAULT_MINUTES
    """Minimum minutes between two checkpoints of a trial. A killed trial resumes from the last one. 0: none."""
    suite_file: Path | None = None


def make_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Create options from values by name.

    An encoder may be a path, and a single setting may be a text.

    Raises
    ------
    InputError
        If a value has the wrong type or is out of range.
    """
    values = dict(values)
    if isinstance(encoder := values.get("encoder"), Path):
        values["encoder"] = str(encoder)
    if isinstance(values.get("encoders"), list | tuple):
        values["encoders"] = [str(name) for name in values["encoders"]]
    for name in ("encoder", "recipe", "out"):
        if isinstance(given := values.get(name), str) and not given.strip():  # as a path, the current folder
            raise InputError(f"--{name}: an empty name; expected {_EXPECTED.get(name, 'a folder or a hub id')}")
    for name in ("settings", "margin", "groups"):
        if isinstance(values.get(name), str):
            values[name] = [values[name]]
    try:
        return kind(**values)
    except ValidationError as error:
        if (name := str(error.errors()[0]["loc"][0])) in _EXPECTED:
            raise InputError(f"{name}: found {shown(values[name])}; expected {_EXPECTED[name]}") from error
        raise InputError(validation_line(error, getattr(kind, "__pydantic_fields__"))) from error  # noqa: B009


_EXPECTED = {  # of options that take several types
    "encoders": "a list of folders or hub ids",
    "recipe": "a path",
    "output_dir": "a path",
    "out": "a path",
    "tasks": "names of tasks",
    "settings": "KEY=VALUE texts, or a mapping",
    "groups": "texts such as leave-one-out or A+B>T",
    "margin": "a number of points, METRIC=POINTS texts, or a mapping",
    "gpus_per_run": f"a number, or {AUTO}",
}
