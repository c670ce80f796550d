"""Resolve the executor, CPUs and GPUs of a study's runs."""

from __future__ import annotations

import math

from taskaffinity.errors import InputError, quoted
from taskaffinity.runs.limits import LEAST_GPU_SHARE, MOST_GPUS
from taskaffinity.schedule.resources import Executor, Resources, usable_cpus
from taskaffinity.tasks.numbers import finite_number

AUTO = "auto"
"""Value of ``gpus_per_run`` for a share that a trial measures."""


def resolve_resources(
    executor: Executor, cpus_per_run: int, gpus_per_run: float | str | None, address: str | None, *, is_tiny: bool
) -> Resources:
    """Return the resources of each run.

    By default a run takes a GPU if this machine has one, unless its encoder is tiny.

    Parameters
    ----------
    gpus_per_run : float or str, optional
        A number, or ``auto``. Default: 1 if torch can use a GPU, else 0.
    is_tiny : bool
        Whether the runs train the tiny encoder of synthetic suites.

    Raises
    ------
    InputError
        If this machine can never run them, or if it has no GPU to measure a run.
    """
    from taskaffinity.training.execute import gpus  # imported here, because only planning needs torch

    is_measured = gpus_per_run == AUTO and not is_tiny
    if is_measured and not gpus():
        raise InputError(
            f"--gpus-per-run {AUTO}: this machine has no GPU that torch can use, to measure a run on; give a number"
        )
    if gpus_per_run is None or gpus_per_run == AUTO:
        share = 0.0 if is_tiny or not gpus() else 1.0
    else:
        share = _number_of_gpus(gpus_per_run)
    resources = Resources(executor, cpus_per_run, share, is_measured, address)
    if address is not None:
        return resources
    if executor == "ray" and cpus_per_run > (cores := usable_cpus()):
        raise InputError(f"--cpus-per-run {cpus_per_run}: this command may use {cores} cores")
    if share > gpus():
        raise InputError(
            f"--gpus-per-run {share:g}: this machine has {gpus()} GPUs that torch "
            "can use; give 0, or the --address of a Ray that has them"
        )
    return resources


def _number_of_gpus(given: float | str) -> float:
    value = finite_number(str(given))
    number = math.nan if value is None else value
    if number and not LEAST_GPU_SHARE <= number <= MOST_GPUS:
        raise InputError(
            f"--gpus-per-run {quoted(given)}: expected 0, a number from {LEAST_GPU_SHARE:g} to {MOST_GPUS:,}, or {AUTO}"
        )
    if number > 1 and not number.is_integer():
        raise InputError(f"--gpus-per-run {given}: expected a share below 1, or a whole number of GPUs")
    return number
