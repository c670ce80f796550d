"""The door of the training wing: ``prepare`` encodes a suite once, ``execute`` trains one run.

Both executors of ``schedule`` call ``execute`` with the same arguments, so a run is the same wherever it is trained.
A worker reads word pieces from the cache and writes counts to the store; it never sees the text of a corpus.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
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
from taskaffinity.tasks.task import Task
from taskaffinity.training.bidirectional import refuse_one_way
from taskaffinity.training.checkpoint import shared_weights
from taskaffinity.training.encoders import Encoder, load_encoder, load_tokenizer, longest_input
from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.inputs.tokenize import encode_task
from taskaffinity.training.load_errors import is_lack_of_memory
from taskaffinity.training.loop import Diverged
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.selection import Evaluated, evaluate_test, fit_and_select
from taskaffinity.training.setup import encoded_in, setup_run


def prepare(tasks: Sequence[Task], encoder: Encoder, recipe: Recipe, cache: Path) -> None:
    """Encode every task for this encoder, unless the cache has it.

    Raises
    ------
    InputError
        If ``max_length`` is more than the encoder has positions for, or it does not read both ways.
    """
    if recipe.max_length > (positions := longest_input(encoder.folder)):
        raise InputError(f"--set max_length={recipe.max_length}: the encoder has {positions:g} positions")
    tokenizer = None
    for task in tasks:
        folder = encoded_in(cache, task.fingerprint, encoder.ref.fingerprint, recipe)
        if not folder.is_dir():
            if tokenizer is None:  # where the cache has every task, the encoder was looked at when it was filled
                refuse_one_way(load_encoder(encoder.folder)[0], encoder.folder)
                tokenizer = load_tokenizer(encoder.folder)
            encode_task(task, tokenizer, folder, max_length=recipe.max_length, max_words=recipe.max_words)


def execute(
    spec: RunSpec,
    *,
    encoder_folder: Path,
    cache: Path,
    start: Path | None = None,
    keep_predictions: bool = True,
    keep_weights: bool = False,
    keep_model: bool = False,
    heartbeat: HeartbeatWriter | None = None,
) -> RunResult:
    """Train and evaluate one run.

    Each target's epoch is the first with its best dev score; its test split is predicted once, with that epoch's
    weights. Under the paper's protocol it is the last epoch, and dev is trained on.

    Parameters
    ----------
    encoder_folder : Path
        Where the encoder of ``spec.encoder`` lies on this machine.
    cache : Path
        Where ``prepare`` put the encoded tasks.
    start : Path, optional
        The encoder's weights that ``spec.parent`` left to this run (``RunStore.start``).
    keep_weights : bool
        Whether runs will start from this one.
    keep_model : bool
        Whether its tasks may be exported: weights are kept, and heads with them.
    heartbeat : HeartbeatWriter, optional
        Receives the progress of the training.

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError
    """
    if (spec.parent is None) != (start is None):
        raise ValueError(f"{spec.run_id}: weights to start from are given to a run with a parent, and to no other")
    began = time.perf_counter()
    torch.set_num_threads(spec.recipe.threads)
    recipe = spec.recipe
    ready = setup_run(spec, encoder_folder=encoder_folder, cache=cache, start=start)
    model, metas, splits = ready.model, ready.metas, ready.splits
    loaded = time.perf_counter()
    learnt = fit_and_select(model, ready.company, metas, splits["dev"], spec, heartbeat)
    evaluating = time.perf_counter()
    tested, heads = evaluate_test(model, learnt, metas, splits["test"], recipe, encoder_folder if keep_model else None)
    ended = time.perf_counter()
    best = learnt.best
    found = {f"{name}/dev": best[name][1] for name in metas} | {f"{name}/test": tested[name] for name in metas}
    counts, documents = _counts_and_documents(found, metas)
    keeps = learnt.kept.items() if keep_weights or keep_model else ()
    return RunResult(
        spec=spec,
        outcomes={
            name: Outcome(meta.metric_name, best[name][0], best[name][1].score, tested[name].score)
            for name, meta in metas.items()
        },
        counts=counts,
        documents=documents,
        history=learnt.history,
        work={
            "load_seconds": loaded - began,
            "train_seconds": learnt.train_seconds,
            "evaluate_seconds": learnt.evaluate_seconds + ended - evaluating,
            "total_seconds": ended - began,
            "steps": learnt.steps,
            "pieces": learnt.pieces,
            "peak_memory_mib": peak_memory_mib(),
        },
        versions=versions() | _ways_of(model),
        predictions={key: evaluated.predictions for key, evaluated in found.items()} if keep_predictions else {},
        weights={number: shared_weights(model, weights, ready.pieces, start) for number, weights in keeps},
        heads=heads,
    )


def _counts_and_documents(
    found: Mapping[str, Evaluated], metas: Mapping[str, TaskMeta]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Counts per example by ``TASK/SPLIT`` and, for secondary metrics, ``TASK/SPLIT/METRIC``; and documents."""
    counts = {key: one.counts for key, one in found.items()}
    counts |= {f"{key}/{name}": more for key, one in found.items() for name, more in one.further.items()}
    documents = {
        key if metric == metas[key.rpartition("/")[0]].metric_name else f"{key}/{metric}": numbers
        for key, one in found.items()
        for metric, numbers in one.documents.items()
    }
    return counts, documents


def _ways_of(model: MultiTaskModel) -> dict[str, str]:
    """How the model computes attention and its last layer."""
    return {
        "attention": "packed" if model.is_packed else "padded",
        "last_layer": "where read" if model.is_narrow else "whole",
    }


def limit_gpu_memory(recipe: Recipe, share: float) -> None:
    """Limit this process to a share of its GPU's memory, so that it cannot starve the runs beside it."""
    if recipe.device == "cuda" and 0 < share < 1:
        torch.cuda.set_per_process_memory_fraction(share)


def gpus() -> int:
    """GPUs of this machine that torch can use."""
    return torch.cuda.device_count()


def reason_of(error: BaseException) -> str:
    """Why a run failed, in one plain line; unforeseen errors by their type alone, for a message may quote anything."""
    if isinstance(error, Diverged | InputError):  # ours, and without text of a corpus
        return str(error)
    if is_lack_of_memory(error):
        return "out of memory: lower batch_size or max_length (--set), or let fewer runs go at once"
    return f"{type(error).__name__}: see the traceback in error.txt"


def versions() -> dict[str, str]:
    """What a result depends on beside its spec."""
    return {
        "taskaffinity": taskaffinity.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def peak_memory_mib() -> float:
    """Most memory that this process ever had resident."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
