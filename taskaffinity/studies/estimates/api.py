"""``taskaffinity estimate`` as a Python function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.python_names import python_function
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.estimates.options import DEFAULT_BUDGET
from taskaffinity.studies.listener import Listener, LogListener
from taskaffinity.studies.options import PairwiseOptions, make_options
from taskaffinity.studies.steps import plan_estimate, train_estimates
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    from taskaffinity.analysis.estimates.results import EstimateResults


@python_function
def estimate(
    suite: str | Path | Suite,
    *,
    budget: str | float = DEFAULT_BUDGET,
    baselines: bool = False,
    data: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    encoder: str | Path | None = None,
    seeds: int = 3,
    base_seed: int = 0,
    recipe: str | Path | None = None,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    output_dir: str | Path | None = None,
    executor: Executor = "ray",
    address: str | None = None,
    gpus_per_run: float | str | None = None,
    cpus_per_run: int = 1,
    checkpoint_minutes: float = DEFAULT_MINUTES,
    share_with_group: bool = False,
    listener: Listener | None = None,
) -> EstimateResults:
    """Estimate the sign of every gain from short probes, at a share of the cost of measuring them.

    The study is the one of the results folder ``output_dir``, or a new one. Missing single-task runs and probes are
    trained, and ``estimates.csv`` is written.

    Parameters
    ----------
    budget : str or float
        Cost of the probes as a share of the training of all pairs with all seeds: ``"10%"`` or 0.1.
    baselines : bool
        Also score every arrow by estimators that train nothing (``estimators.csv``), for ``validate()``.

    All other parameters are those of ``pairwise``.

    Returns
    -------
    EstimateResults
        ``to_frame()`` has one row per arrow; ``share`` is the cost; ``validate()`` compares with measured gains.

    Raises
    ------
    InputError
        As ``pairwise``; if the budget affords no probe.
    """
    asked = dict(locals())
    names = ("suite", "data", "budget", "baselines", "listener")
    options = make_options(PairwiseOptions, {name: value for name, value in asked.items() if name not in names})
    receiver = listener or LogListener()
    planned = plan_estimate(suite, options, receiver, budget=budget, data=data)
    return train_estimates(planned, receiver, baselines=baselines)
