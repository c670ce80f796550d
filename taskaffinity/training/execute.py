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
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers

import taskaffinity
from taskaffinity.runs.result import Head, Outcome, Predictions, RunResult
from taskaffinity.runs.spec import Recipe, RunSpec
from taskaffinity.tasks.further import further_metrics, tally
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.task import BadInput, Split, Task
from taskaffinity.training.encoders import Encoder, load_tokenizer, longest_input
from taskaffinity.training.encoding import EncodedSplit, TaskMeta, encode_task
from taskaffinity.training.handover import hand_over, hand_over_head
from taskaffinity.training.loop import Diverged, fit, predict
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.ready import encoded_in, made_ready

Counted = np.ndarray[Any, Any]


class Evaluated(NamedTuple):
    """A split, predicted."""

    score: float
    counts: Counted
    """``(n_examples, n_counts)``, by the task's metric."""
    predictions: Predictions
    further: Mapping[str, Counted]
    """Counts by other metrics."""


def prepare(tasks: Sequence[Task], encoder: Encoder, recipe: Recipe, cache: Path) -> None:
    """Encode every task for this encoder, unless the cache has it.

    Raises
    ------
    BadInput
        If ``max_length`` is more than the encoder has positions for.
    """
    if recipe.max_length > (positions := longest_input(encoder.folder)):
        raise BadInput(f"--set max_length={recipe.max_length}: the encoder has {positions:g} positions")
    tokenizer = None
    for task in tasks:
        folder = encoded_in(cache, task.fingerprint, encoder.ref.fingerprint, recipe)
        if not folder.is_dir():
            tokenizer = tokenizer or load_tokenizer(encoder.folder)
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

    Raises
    ------
    Diverged, MemoryError, torch.OutOfMemoryError
    """
    if (spec.parent is None) != (start is None):
        raise ValueError(f"{spec.run_id}: weights to start from are given to a run with a parent, and to no other")
    began = time.perf_counter()
    torch.set_num_threads(spec.recipe.threads)
    recipe = spec.recipe
    ready = made_ready(spec, encoder_folder=encoder_folder, cache=cache, start=start)
    model, company, metas, splits = ready.model, ready.company, ready.metas, ready.splits
    work = {"load_seconds": time.perf_counter() - began, "train_seconds": 0.0, "evaluate_seconds": 0.0}

    best: dict[str, tuple[int, Evaluated]] = {}  # task -> epoch, its dev evaluation
    kept: dict[int, dict[str, torch.Tensor]] = {}  # epoch -> weights
    history: list[dict[str, Any]] = []
    steps = pieces = 0
    for epoch in fit(model, company.train, recipe, seed=spec.seed, batches=company.batches):
        evaluating = time.perf_counter()
        is_looked_at = recipe.protocol is None or epoch.number == recipe.num_train_epochs
        looked_at = metas if is_looked_at else {}
        dev = {name: evaluate(model, metas[name], "dev", splits["dev"][name], recipe.device) for name in looked_at}
        improved = [name for name in dev if name not in best or dev[name].score > best[name][1].score]
        for name in improved:
            best[name] = (epoch.number, dev[name])
        if improved:
            kept[epoch.number] = {key: value.detach().clone() for key, value in model.state_dict().items()}
        kept = {number: weights for number, weights in kept.items() if number in {e for e, _ in best.values()}}
        seconds = time.perf_counter() - evaluating
        steps, pieces = steps + epoch.steps, pieces + epoch.pieces
        work["train_seconds"] += epoch.seconds
        work["evaluate_seconds"] += seconds
        history.append(
            {
                "epoch": epoch.number,
                "loss": dict(epoch.losses),
                "dev": {name: evaluated.score for name, evaluated in dev.items()},
                "train_seconds": round(epoch.seconds, 3),
                "evaluate_seconds": round(seconds, 3),
            }
        )

    evaluating = time.perf_counter()
    test: dict[str, Evaluated] = {}
    heads: dict[str, Head] = {}
    for number, weights in kept.items():
        model.load_state_dict(weights)
        for name, (chosen, _) in best.items():
            if chosen == number:
                task = metas[name]
                others = further_metrics(task.kind, task.metric_name, missed_are_known=bool(task.missed))
                test[name] = evaluate(model, task, "test", splits["test"][name], recipe.device, others)
                if keep_model:
                    heads[name] = hand_over_head(model, task, encoder_folder)
    work["evaluate_seconds"] += time.perf_counter() - evaluating
    work["total_seconds"] = time.perf_counter() - began
    work |= {"steps": steps, "pieces": pieces, "peak_memory_mib": _peak_memory_mib()}

    found = {f"{name}/dev": best[name][1] for name in metas} | {f"{name}/test": test[name] for name in metas}
    return RunResult(
        spec=spec,
        outcomes={
            name: Outcome(meta.metric_name, best[name][0], best[name][1].score, test[name].score)
            for name, meta in metas.items()
        },
        counts={key: evaluated.counts for key, evaluated in found.items()}
        | {f"{key}/{name}": counts for key, evaluated in found.items() for name, counts in evaluated.further.items()},
        history=history,
        work=work,
        versions=versions() | {"attention": "packed" if model.is_packed else "padded"},
        predictions={key: evaluated.predictions for key, evaluated in found.items()} if keep_predictions else {},
        weights={number: hand_over(weights, ready.pieces) for number, weights in kept.items()}
        if keep_weights or keep_model
        else {},
        heads=heads,
    )


def gpus() -> int:
    """GPUs of this machine that torch can use."""
    return torch.cuda.device_count()


def reason_of(error: BaseException) -> str:
    """Why a run failed, in one plain line; unforeseen errors by their type alone, for a message may quote anything."""
    if isinstance(error, Diverged | BadInput):  # ours, and without text of a corpus
        return str(error)
    told = str(error).lower()
    lacks_memory = any(words in told for words in ("t allocate memory", "cannot allocate memory", "out of memory"))
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or lacks_memory:
        return "out of memory: lower batch_size or max_length (--set), or let fewer runs go at once"
    return f"{type(error).__name__}: see the traceback in error.txt"


def evaluate(
    model: MultiTaskModel, task: TaskMeta, split: Split, arrays: EncodedSplit, device: str, others: Sequence[str] = ()
) -> Evaluated:
    """Predict a split and score it by the task's metric; counts by ``others`` too."""
    predicted = predict(model, task, arrays, device=device)

    def counts_by(metric: str) -> Counted:
        return tally(metric, arrays.ids, arrays.gold, predicted, task.scored, task.missed.get(split, 0))

    counts = counts_by(task.metric_name)
    return Evaluated(
        score=float(METRICS[task.metric_name].score(counts.sum(axis=0))),
        counts=counts,
        predictions=Predictions(arrays.ids, [_as_text(g) for g in arrays.gold], [_as_text(p) for p in predicted]),
        further={metric: counts_by(metric) for metric in others},
    )


def versions() -> dict[str, str]:
    """What a result depends on beside its spec."""
    return {
        "taskaffinity": taskaffinity.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _as_text(label: Any) -> str:
    return " ".join(label) if isinstance(label, list) else str(label)


def _peak_memory_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
