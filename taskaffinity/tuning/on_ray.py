"""The Ray executor of trials: Ray Tune, with one worker per trial.

Tune places the trials, retries those whose worker was lost and stops those that the round stops. No state of Tune is
ever restored: it writes into a temporary folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from taskaffinity.schedule.ray_session import DIED, RETRIES, ray_of
from taskaffinity.schedule.resources import Resources, slots
from taskaffinity.tuning.local import Train, train_trial
from taskaffinity.tuning.round import Round
from taskaffinity.tuning.trials import Scores, Trial

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a table to stdout even if verbose is 0
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # our handler says how to resume
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "64",
}
_SCORE = "scores/"
"""Prefix of a task's name in Tune's results."""


@contextmanager
def on_ray(resources: Resources, encoder_folder: Path, cache: Path, folder: Path) -> Iterator[Train]:
    """Yield a function that trains as many trials at once as the nodes have room for.

    Parameters
    ----------
    folder : Path
        A folder that all nodes share. Tune writes into a temporary folder below it.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with ray_of(resources) as (ray, _):
        slots([node["Resources"] for node in ray.nodes() if node["Alive"]], resources)

        def train(round_: Round, numbers: Sequence[int]) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".tune.", dir=folder.resolve(), ignore_cleanup_errors=True) as scratch:
                _fit(round_, numbers, resources, encoder_folder.resolve(), cache.resolve(), scratch)
            for number in set(numbers) & set(round_.pending()):
                round_.fail(number, DIED)

        yield train


def _fit(
    round_: Round, numbers: Sequence[int], resources: Resources, encoder_folder: Path, cache: Path, scratch: str
) -> None:
    from ray import tune

    trainable = tune.with_parameters(_trial, trials=round_.trials, encoder_folder=encoder_folder, cache=cache)
    demand = {"cpu": resources.cpus_per_run, "gpu": resources.gpus_per_run}
    tune.Tuner(
        tune.with_resources(trainable, demand),
        param_space={"number": tune.grid_search(list(numbers))},
        tune_config=tune.TuneConfig(
            scheduler=_scheduler(round_),
            reuse_actors=not resources.gpus_per_run,  # only the end of a process surely frees a GPU's memory
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=scratch,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    ).fit()


def _trial(config: Mapping[str, Any], *, trials: Sequence[Trial], encoder_folder: Path, cache: Path) -> None:
    """Train one trial in a worker."""
    from ray import tune

    def report(epoch: int, scores: Scores, collapsed: Sequence[str]) -> bool:
        # raises here if the trial was stopped
        tune.report({"epoch": epoch, "scores": dict(scores), "collapsed": list(collapsed)})
        return False

    def fail(reason: str, trace: str, of_the_recipe: bool) -> None:
        tune.report({"reason": reason, "trace": trace, "of_the_recipe": of_the_recipe})

    train_trial(trials[config["number"]], report, fail, encoder_folder=encoder_folder, cache=cache)


def _scheduler(round_: Round) -> Any:
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler

    class RoundScheduler(FIFOScheduler):
        """Starts trials in their order, and stops those that the round stops."""

        def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
            number = trial.config["number"]
            if "reason" in result:
                round_.fail(number, result["reason"], result["trace"], result["of_the_recipe"])
                return str(TrialScheduler.STOP)
            scores = {key.removeprefix(_SCORE): value for key, value in result.items() if key.startswith(_SCORE)}
            is_over = round_.report(number, result["epoch"], scores, result["collapsed"])
            return str(TrialScheduler.STOP if is_over else TrialScheduler.CONTINUE)

        def __getstate__(self) -> dict[str, Any]:
            return {}  # Tune pickles its settings; nothing reads them, and the round is left out

    return RoundScheduler()  # type: ignore[no-untyped-call]
