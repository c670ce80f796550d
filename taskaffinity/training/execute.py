"""Entry points of training: ``prepare`` encodes a suite once, ``execute`` trains one run.

Local and Ray schedules call ``execute`` with the same arguments, so a run is the same wherever it is trained. A worker
reads tokens from the cache and writes counts to the store; it never sees the text of a corpus.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import taskaffinity
from taskaffinity.errors import InputError
from taskaffinity.runs.heartbeat import HeartbeatWriter
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Outcome, RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder
from taskaffinity.tasks.kinds import TAG_KINDS
from taskaffinity.tasks.splits import Split, split_of, test_sets_of
from taskaffinity.tasks.task import Task
from taskaffinity.training.checkpoint import shared_weights
from taskaffinity.training.checksums import is_intact
from taskaffinity.training.encoders.checks import check_bidirectional, check_max_length
from taskaffinity.training.encoders.load import Encoder, load_encoder, load_tokenizer
from taskaffinity.training.encoders.load_errors import is_lack_of_memory
from taskaffinity.training.evaluation import Evaluated
from taskaffinity.training.fit_result import FitResult
from taskaffinity.training.gpu import gpu_peak_mib, gpu_versions
from taskaffinity.training.inputs.tokenize import encode_task
from taskaffinity.training.loop import Diverged, TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.resume import RunIdentity, checkpoints_of
from taskaffinity.training.selection import evaluate_test, fit_and_select
from taskaffinity.training.setup import encoded_folder, encoding_options, setup_run
from taskaffinity.training.updates.cuda_graphs import CudaGraphs


def prepare(tasks: Sequence[Task], encoder: Encoder, recipe: Recipe, cache: Path) -> None:
    """Encode every task for this encoder, unless the cache has it intact.

    Raises
    ------
    InputError
        If a ``max_length`` exceeds the encoder's positions, the encoder is not bidirectional, a task's windows do not
        fit the recipe, or another user may write to the cache.
    """
    check_max_length(f"--set max_length={recipe.max_length}", recipe.max_length, encoder.folder)
    tokenizer = None
    for task in tasks:
        if task.reading.max_length is not None:
            named = f"task {task.name}: max_length: {task.reading.max_length}"
            check_max_length(named, task.reading.max_length, encoder.folder)
        if task.reading.has_windows and task.kind in TAG_KINDS and recipe.released_classes:
            raise InputError(
                f"task {task.name}: long: windows: released_classes gives every token a class; leave one out"
            )
        folder = encoded_folder(cache, task.fingerprint, encoder.ref.fingerprint, recipe)
        if not is_intact(folder):
            if tokenizer is None:  # a task in the cache shows that the encoder passed the check earlier
                check_bidirectional(load_encoder(encoder.folder)[0], encoder.folder)
                tokenizer = load_tokenizer(encoder.folder)
            encode_task(task, tokenizer, folder, **encoding_options(recipe))


@dataclass(frozen=True)
class UnderWay:
    """The files that a run writes while it trains."""

    heartbeat: HeartbeatWriter | None = None
    """Receives the progress."""
    checkpoints: CheckpointFolder | None = None
    """Where checkpoints are written; None for no checkpoints."""


NOTHING_UNDER_WAY = UnderWay()


def execute(
    spec: RunSpec,
    *,
    encoder_folder: Path,
    cache: Path,
    start: Path | None = None,
    keep_predictions: bool = True,
    keep_weights: bool = False,
    keep_model: bool = False,
    under_way: UnderWay = NOTHING_UNDER_WAY,
) -> RunResult:
    """Train and evaluate one run.

    For each target, the run selects the first epoch with the best dev score and predicts test once with its weights.
    Under the paper's protocol it selects the last epoch, and dev is part of the training data.

    Parameters
    ----------
    encoder_folder : Path
        Local folder of the encoder ``spec.encoder``.
    cache : Path
        Where ``prepare`` wrote the encoded tasks.
    start : Path, optional
        The encoder weights that ``spec.parent`` stored for this run (``RunStore.start``).
    keep_weights : bool
        Whether other runs start from this one.
    keep_model : bool
        Whether the weights and the heads are stored, so that the tasks can be exported.
    under_way : UnderWay, optional
        The files that the run writes while it trains. If there is a checkpoint, the run continues from it, and its
        result has the same bytes as that of an uninterrupted run, apart from times.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError, Terminated
    """
    if (spec.parent is None) != (start is None):
        raise ValueError(f"{spec.run_id}: a run needs starting weights if and only if it has a parent")
    started = time.perf_counter()
    recipe = spec.recipe
    torch.set_num_threads(recipe.threads)
    setup = setup_run(spec, encoder_folder=encoder_folder, cache=cache, start=start)
    model, metas, splits = setup.model, setup.metas, setup.splits
    loaded = time.perf_counter()
    training, fitted, seed = setup.training, FitResult(improving=set(metas)), spec.seed
    loop = TrainingLoop(model, training.splits, recipe, seed=seed, batches=training.batches, make_graphs=CudaGraphs)
    identity = RunIdentity(spec.run_id, portable_versions(model))
    with checkpoints_of(under_way.checkpoints, identity, loop, fitted) as checkpoints:
        checkpoints.resume(metas, splits["dev"], under_way.heartbeat)
        fit_and_select(loop, fitted, metas, splits["dev"], recipe, under_way.heartbeat, checkpoints)
        before_test, folder = time.perf_counter(), encoder_folder if keep_model else None
        with checkpoints.evaluating():
            test, heads = evaluate_test(model, fitted, metas, setup.tests, recipe, folder)
    ended = time.perf_counter()
    weights: dict[int, dict[str, Any]] = {}
    if keep_weights or keep_model:
        weights = {
            epoch: shared_weights(model, state, setup.token_ids, start) for epoch, state in fitted.weights.items()
        }
    work = {
        "load_seconds": loaded - started,
        "train_seconds": fitted.train_seconds,
        "evaluate_seconds": fitted.evaluate_seconds + ended - before_test,
        "total_seconds": fitted.earlier_seconds + ended - started,
        "steps": fitted.steps,
        "pieces": fitted.tokens,  # the key of stored results
        "peak_memory_mib": gpu_peak_mib() if recipe.device == "cuda" else peak_memory_mib(),
    }
    result = _run_result(spec, loop, fitted, test, keep_predictions=keep_predictions)
    return replace(result, work=work, weights=weights, heads=heads)


def _run_result(
    spec: RunSpec,
    loop: TrainingLoop,
    fitted: FitResult,
    test: Mapping[str, Mapping[Split, Evaluated]],
    *,
    keep_predictions: bool,
) -> RunResult:
    """Return the scores, counts and predictions of a run.

    Keys are ``task/split``, and ``task/split/metric`` for secondary metrics.
    """
    dev = {name: evaluated for name, (_, evaluated) in fitted.best.items()}  # in the order of the spec's tasks
    evaluations = {f"{name}/dev": dev[name] for name in dev}
    evaluations |= {f"{name}/{split}": found for name in dev for split, found in test[name].items()}
    return RunResult(
        spec=spec,
        outcomes={
            name: Outcome(
                *(dev[name].metric, epoch, dev[name].score, test[name]["test"].score),
                {test_set: test[name][split_of(test_set)].score for test_set in test_sets_of(test[name])},
            )
            for name, (epoch, _) in fitted.best.items()
        },
        counts={key: evaluated.counts for key, evaluated in evaluations.items()}
        | {
            f"{key}/{metric}": counts
            for key, evaluated in evaluations.items()
            for metric, counts in evaluated.secondary.items()
        },
        documents={
            key if metric == evaluated.metric else f"{key}/{metric}": numbers
            for key, evaluated in evaluations.items()
            for metric, numbers in evaluated.documents.items()
        },
        history=fitted.history,
        versions=versions_of(spec.recipe, loop.model) | loop.steps.versions,
        predictions={key: evaluated.predictions for key, evaluated in evaluations.items()} if keep_predictions else {},
    )


def gpus() -> int:
    """Return the number of GPUs that torch can use."""
    return torch.cuda.device_count()


def reason_of(error: BaseException) -> str:
    """Return why a run failed, in one line.

    Most errors are shown only by their type, because their text may quote a corpus.
    """
    if isinstance(error, Diverged | InputError):  # these messages hold no text of a corpus
        return str(error)
    if is_lack_of_memory(error):
        return "out of memory: lower batch_size or max_length (--set), or run fewer at once"
    if isinstance(error, OSError) and error.filename and error.strerror:  # such as a full disk
        return f"{error.filename}: {error.strerror}"
    return f"{type(error).__name__}: see the traceback in error.txt"


def versions() -> dict[str, str]:
    """Return the versions of the software that a result depends on."""
    return {
        "taskaffinity": taskaffinity.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def versions_of(recipe: Recipe, model: MultiTaskModel) -> dict[str, str]:
    """Return the versions that a result depends on, and how the model computes."""
    return versions() | (gpu_versions() if recipe.device == "cuda" else {}) | _how_it_computes(model)


def portable_versions(model: MultiTaskModel) -> dict[str, str]:
    """Return the versions that a checkpoint shares with the run that continues from it.

    The GPU and its driver are not among them, so a run continues on another node.
    """
    return versions() | _how_it_computes(model)


def _how_it_computes(model: MultiTaskModel) -> dict[str, str]:
    return {
        "attention": "packed" if model.is_packed else "padded",
        "last_layer": "where read" if model.is_narrow else "whole",
    }


def peak_memory_mib() -> float:
    """Return the peak resident memory of this process, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
