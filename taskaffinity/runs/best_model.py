"""Choose the model of a task to export: the run with the best dev score, or a run by name.

The paper's protocol trains on dev, so there the run with the lowest seed is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taskaffinity.errors import InputError, meant
from taskaffinity.runs.result import Outcome
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, studies_in

_SHOWN = 4
"""Number of runs that a message names."""


@dataclass(frozen=True)
class BestModel:
    """A run with a stored model of the task, and its outcome."""

    root: Path
    study: Study
    task: str
    spec: RunSpec
    outcome: Outcome
    seeds: tuple[Outcome, ...]
    """Outcomes of this run and of all finished runs that differ from it in the seed only."""
    chosen_from: int
    """Number of runs whose dev scores were compared; 0 if the run was named, or if dev was trained on."""

    @property
    def has_test(self) -> bool:
        """Whether the task has a test part; if not, its test score is that of its dev part."""
        return next(card.has_test for card in self.study.tasks if card.name == self.task)


def best_model(root: Path, task: str, run_id: str | None = None) -> BestModel:
    """Choose the model of a task: the run ``run_id``, else the best dev score.

    Only final runs are compared: fine-tuned runs in the design ``full`` or if gains are evaluated after fine-tuning,
    otherwise single-task runs and pairs, or in the design ``train`` the runs of all tasks. Runs of the paper's protocol
    are not compared, because they are trained on dev; if there are no other runs, the lowest seed is chosen. Test
    scores are never used.

    Raises
    ------
    InputError
        If the folder has no study, the task or run does not exist, or no model of it was stored.
    """
    studies = _studies(root)
    if all(study.is_external for study in studies):
        raise InputError(
            f"{root}: made by `taskaffinity verdicts`: its runs were trained elsewhere, and no model is here"
        )
    names = dict.fromkeys(card.name for study in studies for card in study.tasks)
    if task not in names:
        raise InputError(f"task {task}: no such task in {root}; there are {', '.join(names)}{meant(task, names)}")
    store = RunStore(root)
    runs = {spec: study for study in studies for spec in study.plan if task in spec.task_names}
    try:
        kept = [spec for spec in runs if store.has_model(spec, task)]
        if run_id is not None:
            spec, compared = _run_named(run_id, task, root, list(runs), kept), 0
        else:
            ends = {spec: study for study in studies for spec in study.plan if spec in kept and _ends(spec, study)}
            if not ends:
                raise InputError(_no_model_message(root, task, studies, [spec.run_id for spec in kept]))
            honest = [spec for spec, study in ends.items() if study.protocol != "paper"]
            if honest:
                spec, compared = max(honest, key=lambda spec: store.read(spec).outcomes[task].dev_score), len(honest)
            else:
                spec, compared = min(ends, key=lambda spec: spec.seed), 0
            runs |= ends
        alike = [other for other in runs if _condition(other) == _condition(spec) and other in store]
        outcomes = {other: store.read(other).outcomes[task] for other in alike}
    except InputError:
        raise
    except (ValueError, LookupError) as error:
        raise InputError(str(error)) from error
    return BestModel(root, runs[spec], task, spec, outcomes[spec], tuple(outcomes.values()), compared)


def _studies(root: Path) -> list[Study]:
    try:
        studies = studies_in(root)
    except ValueError as error:
        raise InputError(str(error)) from error
    if not studies:
        raise InputError(f"{root}: no study here; it is made by `taskaffinity pairwise`, `full` or `train`")
    return studies


def _ends(spec: RunSpec, study: Study) -> bool:
    """Return whether the run is a final run of its study."""
    if study.design == "full" or study.evaluate_after == "finetune":
        return spec.stage == "finetune"
    if study.design == "train":
        return spec.parent is None
    return spec.arm in ("single", "pair")


def _condition(spec: RunSpec) -> tuple[object, ...]:
    """Return everything about a run except its seed."""
    return (spec.tasks, spec.encoder, spec.recipe, spec.variant, spec.partner, spec.parent and _condition(spec.parent))


def _run_named(run_id: str, task: str, root: Path, runs: list[RunSpec], kept: list[RunSpec]) -> RunSpec:
    found = [spec for spec in runs if spec.run_id == run_id]
    if not found:
        names = ", ".join(spec.run_id for spec in kept[:_SHOWN]) + (", ..." if len(kept) > _SHOWN else "")
        hint = f"models are stored for {names}" if kept else "no run stored a model; train with --keep-models"
        raise InputError(f"run {run_id}: no such run of {task} in the study of {root}; {hint}")
    if found[0] not in kept:
        raise InputError(
            f"run {run_id}: it stored no model; repeat the command that trained {root} with --keep-models: "
            "it trains the runs without a model again"
        )
    return found[0]


def _no_model_message(root: Path, task: str, studies: list[Study], others: list[str]) -> str:
    command = f"taskaffinity {studies[-1].design} --keep-models"
    hint = f"; run {others[0]} (--run) has one" if others else ""
    return (
        f"{root}: no final run stored a model of {task}{hint}; `{command}`, with the options that made this folder, "
        "trains the runs without a model again"
    )
