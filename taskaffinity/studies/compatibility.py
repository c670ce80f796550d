"""Check whether a study can share a results folder with the study that it holds.

A study may gain tasks, seeds or arms, or change its rule. With other data of a task, another encoder or another recipe,
it is a different study. With fewer tasks or seeds, results would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from taskaffinity.errors import InputError
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Finite
from taskaffinity.runs.study import Design, Study, studies_in
from taskaffinity.runs.study_changes import describe_differences
from taskaffinity.schedule.run import pending_runs
from taskaffinity.studies.stored_arms import ARMS
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.export.export import check_exportable

_FIRST = 3
"""Maximum number of differences that a message names."""


def losses(old: Study, new: Study) -> list[str]:
    """List the tasks, seeds and arms of ``old`` that ``new`` lacks; empty if ``new`` only extends it.

    Examples
    --------
    In a checkout of this repository:

    >>> from dataclasses import replace
    >>> study = Study.load("notebooks/example_results")
    >>> losses(study, replace(study, seeds=(0, 3), tasks=study.tasks[1:])), losses(study, replace(study, full=True))
    (['clinicalsts of its tasks', '2 of its 3 seeds'], [])
    """
    names = {task.name for task in new.tasks}
    gone = [task.name for task in old.tasks if task.name not in names]
    more = f", and {len(gone) - _FIRST} more" if len(gone) > _FIRST else ""
    lost = [f"{', '.join(gone[:_FIRST])}{more} of its tasks"] if gone else []
    for what, before, after in (
        ("seeds", old.seeds, new.seeds),
        ("single-task seeds", old.single_seeds, new.single_seeds),
    ):
        if fewer := set(before) - set(after):
            lost.append(f"{len(fewer)} of its {len(before)} {what}")
    if old.full and not new.full:
        lost.append(ARMS["full"])
    if lost_groups := set(old.groups) - set(new.groups):
        lost.append(f"{len(lost_groups)} of its {len(old.groups)} group arrows (--groups)")
    if old.controls and not new.controls:
        lost.append(ARMS["controls"])
    return lost


def describe_earlier_options(old: Study, new: Study) -> str:
    """Return the options that ask for what ``losses`` lists."""
    options = []
    if {task.name for task in old.tasks} - {task.name for task in new.tasks}:
        options.append("a suite with these tasks")
    if set(old.seeds) - set(new.seeds):
        options += [f"--base-seed {old.seeds[0]}"] * (old.seeds[0] != new.seeds[0])
        most = f"--seeds {old.interim_seeds[0]} --max-seeds {len(old.seeds)}" if old.interim_seeds else ""
        options.append(most or f"--seeds {len(old.seeds)}")
    if old.seeds_single and not old.interim_seeds and set(old.seeds_single) - set(new.single_seeds):
        options.append(f"--seeds-single {len(old.seeds_single)}")
    options += [f"--{arm}" for arm in ARMS if getattr(old, arm) and not getattr(new, arm)]
    if set(old.groups) - set(new.groups):
        options.append("the earlier --groups")
    return " and ".join(options)


PUBLISHED: Mapping[Design, tuple[str, ...]] = {
    "pairwise": ("edges.csv",),
    "full": ("stages.csv", "full.csv"),
    "train": ("train.csv",),
}
"""Tables of a published study, by design; older versions wrote ``full.csv``."""


def check_study(
    study: Study,
    suite: Suite,
    encoder: Encoder,
    root: Path,
    *,
    keep_models: bool = False,
    replaces: bool = False,
) -> None:
    """Check that a study can be trained into ``root``.

    Nothing is written to ``root``. The tokenized tasks are cached.

    Raises
    ------
    InputError
        If the recipe does not fit the encoder; if ``keep_models`` is set and these models cannot be exported (because
        of the encoder or of reversed pairs); if the result file of a run is broken; or as ``check_compatible``.
    """
    check_compatible(study, root, replaces=replaces)
    if keep_models:
        check_exportable(encoder.folder, "--keep-models")
        if any(recipe.reversed_pairs for recipe in study.recipes):
            raise InputError(
                "--keep-models: not with reversed_pairs, because an exported model reads the first text first; give "
                "--no-models, or leave reversed_pairs out"
            )
    try:
        pending = pending_runs(study.plan, RunStore(root), keep_models=keep_models)
    except ValueError as error:
        raise InputError(str(error)) from error
    if pending:
        for recipe in study.recipes:
            prepare(suite.tasks, encoder, recipe, cache_folder())


def check_compatible(study: Study, root: Path, *, replaces: bool = False) -> None:
    """Check that this study would not replace the one in a results folder.

    A study that extends the stored one passes. Any study passes if the folder has no result yet and no run is being
    trained.

    Raises
    ------
    InputError
        If one study is of synthetic text and the other of real text. Unless ``replaces``: if the studies differ in
        data, encoder or recipe; if this study lacks tasks, seeds or arms; if they are sequential designs with different
        interim analyses, rules or pairs; if this one is sequential and the stored one is a fixed design with tests.
    """
    try:
        stored = studies_in(root)
    except ValueError as error:
        raise InputError(str(error)) from error
    check_trained_here(stored, root)
    if any(other.synthetic != study.synthetic for other in stored):
        kind = "real" if study.synthetic else "synthetic"
        raise InputError(f"{root}: holds a study of {kind} text; give another --results")
    for other in stored:
        if other.design != study.design or replaces or not _is_begun(other, root):
            continue
        if what := describe_differences(other, study):
            raise InputError(f"{root}: holds a study with {what}; give another --results, or --overwrite to replace it")
        if study.interim_seeds and not other.interim_seeds and _has_tests(root):
            raise InputError(
                f"{root}: holds a fixed design whose verdicts were read at the full alpha, and a sequential design "
                "would test again what they left open, so its error rates would not hold; give another --results, or "
                "--overwrite to replace it (no run is trained again): then only the verdicts of the sequential design "
                "count"
            )
        if other.interim_seeds and (other.interim_seeds, other.rule) != (study.interim_seeds, study.rule):
            which = "with other interim analyses or another rule, which" if study.interim_seeds else "that"
            options = "" if study.interim_seeds else "--sequential, "
            raise InputError(
                f"{root}: holds a sequential design {which} spent alpha and stopped pairs; give {options}--seeds, "
                "--max-seeds, --alpha, --margin, --correction, --estimand and --test as before, or another --results, "
                "or --overwrite to replace it"
            )
        if other.interim_seeds and other.admission != study.admission:
            raise InputError(
                f"{root}: holds a sequential design that measures other pairs"
                f"{_by_estimates(other)}; its verdicts are adjusted for these pairs: give --by-estimates and --admit "
                "as before, or another --results, or --overwrite to replace it; no run is trained again"
            )
        if lost := losses(other, study):
            raise InputError(
                f"{root}: holds a study, and this command leaves out {', '.join(lost)}; give "
                f"{describe_earlier_options(other, study)}, or another --results, or --overwrite to replace the study "
                "(its finished runs stay)"
            )


@dataclass(frozen=True)
class _Test:
    """What is read back of a row of ``edges.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    p: Finite | None


def _has_tests(root: Path) -> bool:
    """Return whether the tables of a folder have a test of a gain."""
    try:
        return any(row.p is not None for row in read_csv_rows(root / "edges.csv", _Test, "move it away"))
    except FileNotFoundError:
        return False


def _by_estimates(study: Study) -> str:
    if study.admission is None:
        return " (all of them)"
    admitted = len(study.admission.admitted)
    return f" ({admitted} of {len(study.admission.pairs)}, by estimates at {study.admission.at:g} standard errors)"


def check_trained_here(stored: Iterable[Study], root: Path) -> None:
    """Raise ``InputError`` if a results folder holds runs that were trained elsewhere."""
    if any(other.is_external for other in stored):
        raise InputError(
            f"{root}: holds scores of runs that were trained elsewhere (`taskaffinity verdicts`), and nothing is "
            "trained beside them; give another --results"
        )


def describe_replaced(study: Study, root: Path) -> list[str]:
    """Return a line on a stored study without a finished run that this one replaces.

    The list is empty if this study extends the stored one. Call ``check_compatible`` first.
    """
    lines = []
    for other in studies_in(root):
        if other.design != study.design or _is_begun(other, root):
            continue
        changes, lost = describe_differences(other, study), ", ".join(losses(other, study))
        words = [f"it had {changes}"] * bool(changes) + [f"this one lacks {lost}"] * bool(lost)
        if words:
            lines.append(f"{root}: holds a study without a finished run, which this one replaces: {'; '.join(words)}")
    return lines


def _is_begun(study: Study, root: Path) -> bool:
    """Return whether a study in ``root`` has a result or a running run."""
    store = RunStore(root)
    published = any((root / name).exists() for name in PUBLISHED[study.design])
    return published or any(spec in store or store.is_held(spec) for spec in study.plan)
