"""``taskaffinity estimate`` as a Python function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.errors import InputError, meant, shown
from taskaffinity.studies.estimate_options import DEFAULT_BUDGET
from taskaffinity.studies.listener import Listener, LogListener
from taskaffinity.studies.options import PairwiseOptions, make_options
from taskaffinity.studies.python_names import parameters_not_options
from taskaffinity.studies.steps import plan_estimate, train_estimates
from taskaffinity.tasks.suite import Suite

if TYPE_CHECKING:
    from taskaffinity.analysis.estimates.results import EstimateResults

OPTIONS = (
    "encoder",
    "seeds",
    "base_seed",
    "recipe",
    "settings",
    "output_dir",
    "executor",
    "address",
    "gpus_per_run",
    "cpus_per_run",
    "checkpoint_minutes",
    "share_with_group",
)
"""The fields of ``PairwiseOptions`` that ``estimate`` takes."""


@parameters_not_options()
def estimate(
    suite: str | Path | Suite,
    *,
    budget: str | float = DEFAULT_BUDGET,
    data: str | Path | None = None,
    listener: Listener | None = None,
    **options: Any,
) -> EstimateResults:
    """Estimate the sign of every gain from short probes, at a share of the cost of measuring them.

    The study is the one of the results folder ``output_dir``, or a new one. Missing single-task runs and probes are
    trained, and ``estimates.csv`` is written.

    Parameters
    ----------
    suite, data, listener
        As in ``pairwise``.
    budget : str or float
        Cost of the probes as a share of the training of all pairs with all seeds: ``"10%"`` or 0.1.
    **options
        ``encoder``, ``seeds``, ``base_seed``, ``recipe``, ``settings``, ``output_dir``, ``executor``, ``address``,
        ``gpus_per_run``, ``cpus_per_run``, ``checkpoint_minutes``, ``share_with_group``: as in ``pairwise``.

    Returns
    -------
    EstimateResults
        ``to_frame()`` has one row per arrow; ``share`` is the cost; ``validate()`` compares with measured gains.

    Raises
    ------
    InputError
        As ``pairwise``; if the budget affords no probe.
    """
    if unknown := [name for name in options if name not in OPTIONS]:
        raise InputError(f"estimate: no parameter {shown(unknown[0])}{meant(unknown[0], OPTIONS)}")
    receiver = listener or LogListener()
    planned, design = plan_estimate(suite, make_options(PairwiseOptions, options), receiver, budget=budget, data=data)
    return train_estimates(planned, design, receiver)
