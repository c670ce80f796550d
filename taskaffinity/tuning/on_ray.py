"""Train trials with Ray Tune, one worker per trial.

Tune places the trials, retries those whose worker was lost, and stops those that the round stops. No state of Tune is
restored: it writes into a temporary folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from taskaffinity.atomic import temporary_folder
from taskaffinity.schedule.ray_process import RayEnded, RaySessions
from taskaffinity.schedule.ray_session import DIED, RETRIES, initialized_ray
from taskaffinity.schedule.resources import Resources, slots
from taskaffinity.tuning.local import Train, train_trial
from taskaffinity.tuning.round import Round
from taskaffinity.tuning.trials import Scores, Trial, TrialFolder

Tell = Callable[[tuple[str, tuple[Any, ...]]], Any]

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
def on_ray(
    resources: Resources, encoder_folder: Path, cache: Path, folder: Path, checkpoint_minutes: float
) -> Iterator[Train]:
    """Yield a function that trains as many trials at once as the nodes have room for.

    If Ray ends, it is started again, up to ``RETRIES`` times; after that, the remaining trials count as failed.

    Parameters
    ----------
    folder : Path
        A folder that all nodes share. Tune writes into a temporary folder below it.
    """
    with RaySessions(resources) as sessions:

        def train(round_: Round, numbers: Sequence[int]) -> None:
            reason = DIED
            while left := sorted(set(numbers) & set(round_.pending())):
                with temporary_folder(folder.resolve() / "tune") as scratch:
                    training = {
                        "trials": round_.trials,
                        "encoder_folder": encoder_folder.resolve(),
                        "cache": cache.resolve(),
                        "folder": folder.resolve(),
                        "checkpoint_minutes": checkpoint_minutes,
                        "gpu_share": resources.gpus_per_run,
                    }
                    try:
                        _follow(round_, sessions, (training, left, resources, str(scratch)))
                    except RayEnded as error:
                        if not error.is_final:
                            continue
                        reason = str(error)
                break
            for number in set(numbers) & set(round_.pending()):
                round_.fail(number, reason)

        yield train


def _follow(round_: Round, sessions: RaySessions, arguments: tuple[Any, ...]) -> None:
    """Train trials; pass their reports to the round, and the round's answers back."""
    if ray := initialized_ray():
        _fit(ray, *arguments, tell=lambda message: _answer(round_, message))
        return
    messages, answer = sessions.call(_fit, *arguments), None
    with suppress(StopIteration):
        while True:
            answer = _answer(round_, messages.send(answer))


def _answer(round_: Round, message: tuple[str, tuple[Any, ...]]) -> Any:
    name, arguments = message
    return round_.report(*arguments) if name == "report" else round_.fail(*arguments)


def _fit(
    ray: Any,
    training: Mapping[str, Any],
    numbers: Sequence[int],
    resources: Resources,
    scratch: str,
    *,
    tell: Tell,
) -> None:
    """Train trials and ``tell`` their reports.

    A report is the name and the arguments of a method of ``Round``.

    Parameters
    ----------
    training : dict
        Arguments of ``_trial``.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from ray import tune

    slots([node["Resources"] for node in ray.nodes() if node["Alive"]], resources)
    trainable = tune.with_parameters(_trial, **training)
    demand = {"cpu": resources.cpus_per_run, "gpu": resources.gpus_per_run}
    tune.Tuner(
        tune.with_resources(trainable, demand),
        param_space={"number": tune.grid_search(list(numbers))},
        tune_config=tune.TuneConfig(
            scheduler=_scheduler(tell),
            reuse_actors=not resources.gpus_per_run,  # only the end of a process reliably frees a GPU's memory
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=scratch,
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            verbose=0,
        ),
    ).fit()


def _trial(
    config: Mapping[str, Any],
    *,
    trials: Sequence[Trial],
    encoder_folder: Path,
    cache: Path,
    folder: Path,
    checkpoint_minutes: float,
    gpu_share: float,
) -> None:
    """Train one trial in a worker; it continues from the checkpoint of an earlier attempt.

    Its models together take no more memory than the trial's share of a GPU.
    """
    from ray import tune

    from taskaffinity.training.gpu import claim_gpu_memory  # torch: only where a trial is trained

    def report(epoch: int, scores: Scores, collapsed: Sequence[str], seconds: float, is_trained: bool) -> bool:
        about = {"epoch": epoch, "collapsed": list(collapsed), "seconds": seconds, "is_trained": is_trained}
        tune.report({"scores": dict(scores), **about})  # this call raises if the trial was stopped
        return False

    def fail(reason: str, trace: str, of_the_recipe: bool) -> None:
        tune.report({"reason": reason, "trace": trace, "of_the_recipe": of_the_recipe})

    trial = trials[config["number"]]
    claim_gpu_memory(trial.recipe, gpu_share)
    train_trial(
        trial,
        report,
        fail,
        encoder_folder=encoder_folder,
        cache=cache,
        checkpoints=TrialFolder(folder).checkpoints(trial),
        checkpoint_minutes=checkpoint_minutes,
    )


def _scheduler(tell: Tell) -> Any:
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler

    class RoundScheduler(FIFOScheduler):
        """Starts trials in their order, and stops those that the round stops."""

        def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
            number = trial.config["number"]
            if "reason" in result:
                tell(("fail", (number, result["reason"], result["trace"], result["of_the_recipe"])))
                return str(TrialScheduler.STOP)
            scores = {key.removeprefix(_SCORE): value for key, value in result.items() if key.startswith(_SCORE)}
            about = (result["collapsed"], result["seconds"], result["is_trained"])
            is_over = tell(("report", (number, result["epoch"], scores, *about)))
            return str(TrialScheduler.STOP if is_over else TrialScheduler.CONTINUE)

        def __getstate__(self) -> dict[str, Any]:
            return {}  # Tune pickles its settings, which nothing reads; ``tell`` cannot be pickled

    return RoundScheduler()  # type: ignore[no-untyped-call]
