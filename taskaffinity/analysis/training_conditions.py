"""What a caption says on how the runs of a study were trained."""

from __future__ import annotations

from pathlib import PurePath

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.runs.paper_protocol import describe_protocol
from taskaffinity.runs.study import Baseline, Study

AGAINST: dict[Baseline, str] = {
    "single": "a target gets as many updates in single-task training as in a pair",
    "compute-matched": "a single-task run gets as many updates as both tasks of a pair",
    "paper-single": "single-task runs follow the recipes of the paper's single-task models, a pair follows another",
}
"""The number of updates in the two models that an arrow compares."""


def describe_training(matrix: AffinityMatrix) -> str:
    """The encoder, the suite and the protocol; of runs that were trained elsewhere, that these are unknown."""
    study = matrix.study
    if study.is_external:
        return f"suite {study.suite}; the runs were trained elsewhere, so their encoder and recipe are unknown"
    return (
        f"encoder {encoder_name(matrix)}{describe_precision(study)}; suite {study.suite}; {describe_protocol(study)}; "
        f"{AGAINST[study.baseline]}"
    )


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
