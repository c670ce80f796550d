"""Which trained model of a task a results folder gives away: the run with the best dev score, or one by its name; of
the paper's protocol, which trains on dev, the first seed's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taskaffinity.errors import InputError, meant
from taskaffinity.runs.result import Outcome
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study, studies_in

_SHOWN = 4
"""Runs that a complaint names."""


@dataclass(frozen=True)
class BestModel:
    """A run with a kept model of the task, and what is known of it."""

    root: Path
    study: Study
    task: str
    spec: RunSpec
    outcome: Outcome
    seeds: tuple[Outcome, ...]
    """Of all its study's finished runs of other or the same seed that are otherwise alike, its own among them."""
    chosen_from: int
    """Runs whose dev scores were compared; 0 where it was asked for by name, or where dev was trained on."""


def best_model(root: Path, task: str, run_id: str | None = None) -> BestModel:
    """The model of a task: of the run ``run_id``, else of the one with the best dev score, the first of equals.

    Compared are the runs that end a study: of a study in stages those that fine-tune the task, of pairs the task
    alone and in its pairs (fine-tuned where gains are read then). Runs of the paper's protocol, where dev was trained
    on, are not compared: where there are no others the one of the lowest seed is taken. Test scores are not looked at.

    Raises
    ------
    InputError
        No study in the folder, no such task or run, or no model of it was kept.
    """
    studies = _studies(root)
    names = dict.fromkeys(card.name for study in studies for card in study.tasks)
    if task not in names:
        raise InputError(f"--task {task}: no such task in {root}; there are {', '.join(names)}{meant(task, names)}")
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
                spec, compared = max(honest, key=lambda spec: store.read(spec).outcomes[task].dev), len(honest)
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
        raise InputError(f"{root}: no study here; it is made by `taskaffinity pairwise` or `taskaffinity full`")
    return studies


def _ends(spec: RunSpec, study: Study) -> bool:
    """Whether the run is one of those that its study is about."""
    if study.design == "full" or study.evaluate_after == "finetune":
        return spec.stage == "finetune"
    return spec.arm in ("single", "pair")


def _condition(spec: RunSpec) -> tuple[object, ...]:
    """What two runs share that differ in their seeds alone."""
    return (spec.tasks, spec.encoder, spec.recipe, spec.variant, spec.partner, spec.parent and _condition(spec.parent))


def _run_named(run_id: str, task: str, root: Path, runs: list[RunSpec], kept: list[RunSpec]) -> RunSpec:
    found = [spec for spec in runs if spec.run_id == run_id]
    if not found:
        told = ", ".join(spec.run_id for spec in kept[:_SHOWN]) + (", ..." if len(kept) > _SHOWN else "")
        hint = f"models are kept of {told}" if kept else "it kept no model of any; train with --keep-models"
        raise InputError(f"--run {run_id}: no such run of {task} in the study of {root}; {hint}")
    if found[0] not in kept:
        raise InputError(
            f"--run {run_id}: kept no model; give the command that trained {root} again with --keep-models, "
            "and what kept none is trained again"
        )
    return found[0]


def _no_model_message(root: Path, task: str, studies: list[Study], others: list[str]) -> str:
    command = f"taskaffinity {studies[-1].design} --keep-models"
    hint = f"; --run {others[0]} has one" if others else ""
    return (
        f"{root}: no run kept a model of {task}{hint}; `{command}`, with the options that made this folder, "
        "trains again what kept none"
    )
