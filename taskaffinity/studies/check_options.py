"""Check that the options of a study or search do not contradict each other, before torch is loaded."""

from __future__ import annotations

from typing import Any

from taskaffinity.errors import InputError
from taskaffinity.studies.options import (
    ADMIT,
    INTERIM_SEEDS,
    MAX_SEEDS,
    FullOptions,
    PairwiseOptions,
    SuiteOptions,
    TrainOptions,
    TuneOptions,
    make_options,
)
from taskaffinity.studies.resources import AUTO
from taskaffinity.studies.settings import Settings, check_baseline, make_rule, read_settings


def check_pairwise_options(options: PairwiseOptions) -> Settings:
    """Return the settings of a pairwise study.

    Raises
    ------
    InputError
        If options contradict each other.
    """
    _check_address(options)
    settings = read_settings(
        options.settings, options.recipe, options.protocol, finetunes=options.evaluate_after == "finetune"
    )
    make_rule(options.alpha, options.margin, options.correction, options.estimand, options.test)
    check_baseline(options.baseline, options.protocol)
    if options.controls and options.protocol == "paper":
        raise InputError("--controls: not with --protocol paper, whose updates would let a placebo change the encoder")
    _check_sequential(options)
    _check_groups(options)
    return settings


def _check_address(options: SuiteOptions | TuneOptions) -> None:
    """Raise if a Ray cluster is given to an executor that does not use it."""
    if options.executor == "local" and options.address is not None:
        raise InputError(
            f"--address {options.address}: not with --executor local, which trains in this process; leave one of them "
            "out"
        )


def _check_groups(options: PairwiseOptions) -> None:
    """Raise if group arrows are asked of a design that has none."""
    others = {
        "--sequential": options.sequential,
        f"--baseline {options.baseline}": options.baseline != "single",
        f"--evaluate-after {options.evaluate_after}": options.evaluate_after != "joint",
        f"--init-from {options.init_from}": options.init_from != "encoder",
    }
    if options.groups and (asked := [name for name, is_asked in others.items() if is_asked]):
        raise InputError(f"--groups: not with {asked[0]}; leave one of them out")


def _check_sequential(options: PairwiseOptions) -> None:
    """Raise if an option of sequential designs is given without the one that it belongs to."""
    if options.max_seeds is not None and not options.sequential:
        raise InputError(
            f"--max-seeds {options.max_seeds}: an option of sequential designs; give --sequential too, or "
            f"--seeds {options.max_seeds} for every pair"
        )
    if options.by_estimates and not options.sequential:
        raise InputError("--by-estimates: an option of sequential designs; give --sequential too")
    if options.admit is not None and not options.by_estimates:
        raise InputError(f"--admit {options.admit:g}: how far from zero an estimate admits; give --by-estimates too")
    if options.sequential:
        interim_seeds(options)


def interim_seeds(options: PairwiseOptions) -> tuple[int, ...]:
    """Return the number of seeds per pair at each interim analysis.

    Raises
    ------
    InputError
        If the first analysis has fewer than 2 seeds or is not before the last, or if ``seeds_single`` is given.
    """
    first, last = options.seeds, options.max_seeds or MAX_SEEDS
    if options.seeds_single is not None:
        raise InputError("--seeds-single: not with --sequential, which sets the seeds of single-task arms")
    if not 2 <= first < last:
        raise InputError(
            f"--sequential: the first interim analysis is at --seeds {first}; expected 2 or more, below --max-seeds"
        )
    return (first, *(n for n in INTERIM_SEEDS if first < n < last), last)


def admission_bound(options: PairwiseOptions) -> float:
    """Return the standard errors from zero at which an estimate admits its pair."""
    return ADMIT if options.admit is None else options.admit


def rule_options(**given: Any) -> tuple[Any, ...]:
    """Return alpha, margin, correction, estimand and test of a Python function, for ``rule_of_study``.

    Raises
    ------
    InputError
        If a value has the wrong type or is out of range.
    """
    options = make_options(PairwiseOptions, given)
    return options.alpha, options.margin, options.correction, options.estimand, options.test


def check_full_options(options: FullOptions) -> Settings:
    """Return the settings of a study in stages.

    Raises
    ------
    InputError
        If options contradict each other.
    """
    _check_address(options)
    encoder_names(options)
    check_baseline(options.baseline, options.protocol)
    make_rule(options.alpha, estimand=options.estimand, test=options.test)
    return read_settings(options.settings, options.recipe, options.protocol)


def encoder_names(options: FullOptions) -> list[str | None]:
    """Return the requested encoders; None stands for the default of the suite.

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


def check_train_options(options: TrainOptions) -> Settings:
    """Return the settings of one joint training.

    Raises
    ------
    InputError
        If options contradict each other.
    """
    _check_address(options)
    finetunes = options.evaluate_after == "finetune"
    return read_settings(options.settings, options.recipe, options.protocol, finetunes=finetunes)


def check_tune_options(options: TuneOptions) -> tuple[Settings, Settings]:
    """Return the settings of a search with and without those of the recipe file.

    Raises
    ------
    InputError
        If a setting cannot be used in a search.
    """
    _check_address(options)
    given = read_settings(options.settings)
    if given.finetune:
        raise InputError(
            f"--set finetune.{next(iter(given.finetune))}: a search does not fine-tune; give it to the study"
        )
    if given.measures_precision:
        raise InputError("--set precision=auto: only a study measures the precision; give bf16, or leave it out")
    if options.gpus_per_run == AUTO:
        raise InputError(f"--gpus-per-run {AUTO}: only a study measures the share of a GPU; give a number")
    return read_settings(options.settings, options.recipe), given
