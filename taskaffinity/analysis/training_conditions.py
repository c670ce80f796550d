"""What a caption says on how the runs of a study were trained."""

from __future__ import annotations

import math
from pathlib import PurePath

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.style import plural
from taskaffinity.runs.paper_protocol import describe_protocol
from taskaffinity.runs.sampling import sampling_of
from taskaffinity.runs.study import Baseline, Study
from taskaffinity.runs.weights import BALANCED, class_weights, loss_weights

AGAINST: dict[Baseline, str] = {
    "single": "a target gets as many updates in single-task training as in a pair",
    "compute-matched": "gains are measured over compute-matched single-task runs, with as many updates as both tasks "
    "of a pair",
    "paper-single": "single-task runs follow the recipes of the paper's single-task models, a pair follows another",
}
"""The number of updates in the two models that an arrow compares."""


def baseline_words(study: Study) -> str:
    """Return the training that gains are measured over, for titles."""
    return f"{'compute-matched ' * (study.baseline == 'compute-matched')}single-task training"


def columns_of(study: Study) -> str:
    """Return words on the columns "single-task" of a page's tables; empty if they are of single-task runs."""
    return "; the columns single-task are of the compute-matched runs" * (study.baseline == "compute-matched")


def describe_circles(matrix: AffinityMatrix) -> list[str]:
    """Return sentences on the number in the circle of a task; none without a score."""
    if all(math.isnan(mean) for mean in matrix.single_mean):
        return []
    study = matrix.study
    is_tuned = study.stated.get("evaluated_after", study.evaluate_after) == "finetune"
    words = f"The number in a circle is the mean score of the task's single-task runs{', fine-tuned' * is_tuned}"
    if study.baseline == "compute-matched":
        return [f"{words}, which have fewer updates than the compute-matched runs: gains are not measured over it."]
    return [f"{words}."]


def describe_training(matrix: AffinityMatrix) -> str:
    """The encoder, the suite and the protocol; of runs that were trained elsewhere, that these are unknown."""
    study = matrix.study
    if study.is_external:
        return f"suite {study.suite}; the runs were trained elsewhere, so their encoder and recipe are unknown"
    return (
        f"encoder {encoder_name(matrix)}{describe_precision(study)}; suite {study.suite}; {describe_protocol(study)}; "
        f"{AGAINST[study.baseline]}{describe_sampling(study)}{describe_weights(study)}"
    )


def describe_sampling(study: Study) -> str:
    """Return words on how an epoch draws its tasks; empty if it has every example once."""
    sampling = sampling_of(study.recipe.sampling)
    if sampling.cap is not None:
        return f"; an epoch has at most {plural(sampling.cap, 'example')} of a task, the same number in both runs"
    if sampling.temperature == 1:
        return ""
    how = "uniformly" if math.isinf(sampling.temperature) else f"with temperature {sampling.temperature:g}"
    return f"; a pair draws its tasks {how}, so its updates on the target are not those of one pass over its examples"


def describe_weights(study: Study) -> str:
    """Return words on the weights of tasks and classes; empty without any."""
    recipe, titles = study.recipe, {card.name: card.title for card in study.tasks}
    weights, classes = loss_weights(recipe.loss_weight), class_weights(recipe.class_weights)
    words = ""
    if weights:
        of_tasks = ", ".join(f"{titles.get(name, name)} {weight:g}" for name, weight in weights.items())
        words += f"; in pairs, losses have the weights {of_tasks}"
    if without := [titles.get(name, name) for name, weight in weights.items() if weight == 0]:
        words += f", so {', '.join(without)} cannot change the encoder (a placebo)"
    if recipe.balance == "uncertainty":
        words += "; in pairs, the weights of losses are learned (uncertainty weighting)"
    if classes == BALANCED:
        words += "; classes are balanced in the loss"
    elif classes:
        words += f"; classes of {', '.join(titles.get(name, name) for name in classes)} are weighted in the loss"
    return words


def encoder_name(matrix: AffinityMatrix) -> str:
    """Return the encoder's name; of a path only the last part, because places are private."""
    name = matrix.study.encoder.name
    path = PurePath(name)
    return path.name if path.is_absolute() or name.startswith((".", "~")) else name


def describe_precision(study: Study) -> str:
    """Words after the encoder's name if runs were trained in bf16."""
    before, after = study.recipe.precision, {recipe.precision for recipe in study.finetune.values()}
    if after <= {before}:
        return ", trained in bf16" if before else ""
    return ", trained in bf16 until fine-tuning" if before else ", fine-tuned in bf16"
