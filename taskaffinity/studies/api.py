"""The use cases of the command line as Python functions: ``pairwise``, ``full`` and ``tune``.

A function and its command take the same options with the same defaults, train the same runs and write the same files.

Examples
--------
Train the four synthetic clinical tasks for a few seconds:

>>> from tempfile import mkdtemp
>>> small = {"num_train_epochs": 1, "max_train_examples": 32, "max_eval_examples": 20}
>>> result = pairwise("clinical", seeds=1, settings=small, executor="local", output_dir=mkdtemp())
>>> len(result.to_frame()), result.failed
(12, {})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.analysis.joint_results import EncoderResults, StagesResults
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.python_names import python_function
from taskaffinity.runs.rule import Correction, Estimand, Test
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.runs.study import Baseline, EvaluateAfter, FullBaseline, InitFrom, Protocol
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.listener import Listener, LogListener, warn_once
from taskaffinity.studies.options import FullOptions, Options, PairwiseOptions, TuneOptions, make_options
from taskaffinity.studies.steps import plan_full, plan_pairwise, plan_tune, train_full, train_pairwise, train_search
from taskaffinity.tasks.suite import Suite
from taskaffinity.tracking.tracker import check_trackers

if TYPE_CHECKING:
    from taskaffinity.tuning.search import SearchResult


@python_function
def pairwise(
    suite: str | Path | Suite,
    *,
    data: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    encoder: str | Path | None = None,
    seeds: int = 3,
    seeds_single: int | None = None,
    base_seed: int = 0,
    recipe: str | Path | None = None,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    baseline: Baseline = "single",
    evaluate_after: EvaluateAfter = "joint",
    init_from: InitFrom = "encoder",
    controls: bool = False,
    sequential: bool = False,
    max_seeds: int | None = None,
    by_estimates: bool = False,
    admit: float | None = None,
    full: bool = False,
    groups: str | Sequence[str] = (),
    protocol: Protocol = "honest",
    alpha: float | None = None,
    margin: float | Mapping[str, float] | str | Sequence[str] | None = None,
    correction: Correction | None = None,
    estimand: Estimand | None = None,
    test: Test | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    executor: Executor = "ray",
    address: str | None = None,
    gpus_per_run: float | str | None = None,
    cpus_per_run: int = 1,
    checkpoint_minutes: float = DEFAULT_MINUTES,
    keep_predictions: bool = True,
    keep_models: bool = False,
    share_with_group: bool = False,
    report_to: str | Sequence[str] | None = None,
    listener: Listener | None = None,
) -> PairwiseResults:
    """Train every task and every pair, measure each directed gain, and write tables and figures.

    Parameters
    ----------
    suite, data
        A domain such as ``clinical``, with the folder of its task files; a YAML file of your own tasks; or a suite in
        memory.
    report_to : sequence of str
        Experiment trackers: ``mlflow``, ``tensorboard``, ``wandb``.
    listener : Listener, optional
        Receives messages and progress. Default: the logger ``taskaffinity``: at level INFO, a line for each run.

    All other parameters are fields of ``taskaffinity.studies.options.PairwiseOptions``, which describes them.

    Returns
    -------
    PairwiseResults
        Frames, graph and figures of the study; ``failed`` names the runs that failed and why.

    Raises
    ------
    InputError
        If an option, the data, the encoder or the results folder cannot be used. It is raised before training.
    """
    options = _options(PairwiseOptions, locals())
    receiver, trackers = listener or LogListener(), check_trackers(report_to)
    planned = plan_pairwise(suite, options, receiver, data=data)
    result = train_pairwise(planned, receiver, trackers)
    warn_once(receiver, result.advice, planned.cautions)
    return result


@python_function
def full(
    suite: str | Path | Suite,
    *,
    data: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    encoder: str | Path | None = None,
    encoders: Sequence[str | Path] | None = None,
    seeds: int = 3,
    base_seed: int = 0,
    recipe: str | Path | None = None,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    baseline: FullBaseline = "single",
    protocol: Protocol = "honest",
    alpha: float | None = None,
    estimand: Estimand | None = None,
    test: Test | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    executor: Executor = "ray",
    address: str | None = None,
    gpus_per_run: float | str | None = None,
    cpus_per_run: int = 1,
    checkpoint_minutes: float = DEFAULT_MINUTES,
    keep_predictions: bool = True,
    keep_models: bool = False,
    share_with_group: bool = False,
    report_to: str | Sequence[str] | None = None,
    listener: Listener | None = None,
) -> StagesResults | EncoderResults:
    """Train each task, then all tasks together, then fine-tune each task from the joint model.

    These are the stages of Tables 2 to 6 of the paper.

    Parameters
    ----------
    suite, data, report_to, listener
        As in ``pairwise``.
    encoders : sequence of str, optional
        Several encoders instead of ``encoder``. Each gets a study in its own folder; one table compares them.

    All other parameters are fields of ``taskaffinity.studies.options.FullOptions``, which describes them.

    Returns
    -------
    StagesResults, or EncoderResults if ``encoders`` is given

    Raises
    ------
    InputError
        As ``pairwise``.
    """
    options = _options(FullOptions, locals())
    receiver, trackers = listener or LogListener(), check_trackers(report_to)
    planned = plan_full(suite, options, receiver, data=data)
    result = train_full(planned, options, receiver, trackers)
    warn_once(receiver, result.advice, [line for study in planned for line in study.cautions])
    return result


@python_function
def tune(
    suite: str | Path | Suite,
    *,
    data: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    encoder: str | Path | None = None,
    n_trials: int = 12,
    finalists: int = 3,
    confirm_seeds: int = 2,
    search_seed: int = 0,
    recipe: str | Path | None = None,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    output_dir: str | Path | None = None,
    out: str | Path | None = None,
    executor: Executor = "ray",
    address: str | None = None,
    gpus_per_run: float | str | None = None,
    cpus_per_run: int = 1,
    checkpoint_minutes: float = DEFAULT_MINUTES,
    listener: Listener | None = None,
) -> SearchResult:
    """Search training settings that suit all tasks of a suite, and write them to a recipe file.

    Parameters
    ----------
    suite, data, tasks, encoder, settings, output_dir, executor, address, gpus_per_run, cpus_per_run, checkpoint_minutes
        As in ``pairwise``. A setting that is given in ``settings`` is not searched.
    recipe : path, optional
        Recipe file to start from: its settings are the default that the recipes of the search vary.
    n_trials : int
        Number of recipes to try besides the default.
    finalists : int
        Number of best recipes that are trained again, together with the default.
    confirm_seeds : int
        Number of new seeds for each of these recipes. Their mean dev score decides.
    search_seed : int
        Seed that draws the recipes.
    out : path, optional
        Recipe file to write; trials are kept beside it. Default: ``recipe.yaml`` in the results folder.

    Returns
    -------
    SearchResult
        Every trial, the finalists, and the chosen recipe.

    Raises
    ------
    InputError
        As ``pairwise``.
    """
    options = _options(TuneOptions, locals())
    return train_search(plan_tune(suite, options, data=data), listener or LogListener())


def _options(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """Return the options among the parameters of a function."""
    others = ("suite", "data", "report_to", "listener")
    return make_options(kind, {name: value for name, value in given.items() if name not in others})
