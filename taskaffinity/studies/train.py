"""Train the tasks of a suite together once, as the command ``taskaffinity train`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taskaffinity.analysis.joint_results import TrainResults
from taskaffinity.python_names import python_function
from taskaffinity.runs.stored.checkpoint_files import DEFAULT_MINUTES
from taskaffinity.runs.study import EvaluateAfter, Protocol
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.listener import Listener, LogListener, warn_once
from taskaffinity.studies.options import TrainOptions, make_options
from taskaffinity.studies.steps import plan_train, train_together
from taskaffinity.tasks.suite import Suite
from taskaffinity.tracking.tracker import check_trackers


@python_function
def train(
    suite: str | Path | Suite,
    *,
    data: str | Path | None = None,
    tasks: str | Sequence[str] | None = None,
    encoder: str | Path | None = None,
    seeds: int = 1,
    base_seed: int = 0,
    recipe: str | Path | None = None,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    evaluate_after: EvaluateAfter = "joint",
    protocol: Protocol = "honest",
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    executor: Executor = "ray",
    address: str | None = None,
    gpus_per_run: float | str | None = None,
    cpus_per_run: int = 1,
    checkpoint_minutes: float = DEFAULT_MINUTES,
    keep_predictions: bool = True,
    keep_models: bool = True,
    share_with_group: bool = False,
    report_to: str | Sequence[str] | None = None,
    listener: Listener | None = None,
) -> TrainResults:
    """Train all tasks together, one model per seed, and keep the models.

    Nothing is compared. The run is that of the stage *multi-task* of ``full``. A task may lack a test part; its dev
    part is scored in its place. The same call again continues a training that was killed.

    Parameters
    ----------
    suite : str, Path or Suite
        As in ``pairwise``; or made by ``load_suite`` or ``Suite.from_datasets`` with ``needs_test=False``.
    data, report_to, listener
        As in ``pairwise``.

    All other parameters are fields of ``taskaffinity.studies.options.TrainOptions``, which describes them.

    Returns
    -------
    TrainResults
        Scores, and the runs with their models.

    Raises
    ------
    InputError
        As ``pairwise``.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> small = {"num_train_epochs": 1, "max_train_examples": 32, "max_eval_examples": 20}
    >>> result = train("clinical", tasks="mednli,shareclefe", settings=small, executor="local", output_dir=mkdtemp())
    >>> result.to_frame()[["task", "split", "seeds"]].values.tolist()
    [['shareclefe', 'test', 1], ['mednli', 'test', 1]]
    """
    given = dict(locals())
    for name in ("suite", "data", "report_to", "listener"):
        del given[name]
    options = make_options(TrainOptions, given)
    receiver, trackers = listener or LogListener(), check_trackers(report_to)
    planned = plan_train(suite, options, receiver, data=data)
    result = train_together(planned, receiver, trackers)
    warn_once(receiver, result.advice, planned.cautions)
    return result
