"""Result of a run's training: best epoch and weights of each task, and the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from taskaffinity.training.evaluation import Evaluated
from taskaffinity.training.loop import Epoch


@dataclass
class FitResult:
    """The outcome of a run's training."""

    improving: set[str] = field(default_factory=set)
    """Tasks whose selected epoch may still change."""
    best: dict[str, tuple[int, Evaluated]] = field(default_factory=dict)
    """Each task's selected epoch and its dev evaluation."""
    weights: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    """Selected epoch -> the model's weights, on its GPU if there is room, else in CPU memory."""
    history: list[dict[str, Any]] = field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    earlier_seconds: float = 0.0
    """Seconds that earlier processes spent on the part of the run that this process continues."""
    steps: int = 0
    tokens: int = 0

    def add_epoch(self, epoch: Epoch, dev: Mapping[str, Evaluated], evaluate_seconds: float) -> None:
        """Append an epoch to the history and the totals."""
        self.steps += epoch.steps
        self.tokens += epoch.tokens
        self.train_seconds += epoch.seconds
        self.evaluate_seconds += evaluate_seconds
        self.history.append(
            {
                "epoch": epoch.number,
                "loss": dict(epoch.losses),
                "dev": {name: evaluated.score for name, evaluated in dev.items()},
                **({"log_variances": dict(epoch.log_variances)} if epoch.log_variances else {}),
                "train_seconds": round(epoch.seconds, 3),
                "evaluate_seconds": round(evaluate_seconds, 3),
            }
        )
