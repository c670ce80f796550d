"""Balance a run's tasks and classes as its recipe says."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.weights import loss_weights
from taskaffinity.training.losses import weights_of_classes
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import TrainingSet
from taskaffinity.training.weighting import Weighting


def detach_weightless(training: TrainingSet, spec: RunSpec) -> TrainingSet:
    """Return a training set in which the loss of tasks with weight 0 reaches only their own heads.

    A loss times 0 would still move the encoder, by momentum and weight decay.
    """
    if len(spec.tasks) == 1:
        return training
    weights = loss_weights(spec.recipe.loss_weight)
    weightless = {name for name in training.splits if weights.get(name) == 0}
    return replace(training, detached=training.detached | weightless) if weightless else training


def balance(model: MultiTaskModel, training: TrainingSet, spec: RunSpec) -> None:
    """Set the weights of a model's tasks and classes; weights of tasks are for runs of several tasks."""
    recipe = spec.recipe
    if len(spec.tasks) > 1:
        tasks = [name for name in training.splits if name not in training.detached]
        weights = {name: weight for name, weight in loss_weights(recipe.loss_weight).items() if name in tasks}
        learned = tasks if recipe.balance == "uncertainty" else []
        model.weighting = Weighting(weights, learned).to(next(model.parameters()).device)
    for name, meta in training.metas.items():
        if (of_classes := weights_of_classes(recipe.class_weights, meta, training.splits[name])) is not None:
            head: nn.Module = model.heads[name]
            head.register_buffer("class_weights", of_classes.to(next(model.parameters()).device), persistent=False)
