"""Choose which tasks of a study to train together, as the command ``taskaffinity group``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.errors import InputError, as_user_error, meant, quoted
from taskaffinity.python_names import python_function

if TYPE_CHECKING:
    from taskaffinity.analysis.groups.results import GroupResults, HelperResults

MOST_GROUPS, MOST_HOURS, MOST_DRAWS = 1000, 1e6, 10_000
LEAST_RISK, MOST_RISK = 1e-4, 0.5
DEFAULT_DRAWS = 200


@python_function
def group(
    results: str | Path,
    *,
    groups: int | None = None,
    budget: float | None = None,
    risk: float | None = 0.05,
    for_task: str | None = None,
    compare: str | Sequence[str] = (),
    draws: int | None = None,
) -> GroupResults | HelperResults:
    """Choose which tasks of a study of pairs to train together; write ``groups.csv``.

    The choice counts the mean of the measured gains of a task in pairs with the other members of its group; in a
    single-task model it is 0. This mean is the predicted gain. If the study also trained all tasks together
    (``pairwise`` with ``full``), the prediction is the mean times a power of the number of other members that fits the
    gains of all tasks together, and it has an interval. A group that the study trained counts with its measured gains.
    A task may be trained in several groups and is served by one. Nothing is trained.

    Parameters
    ----------
    results : path
        Results folder. A pair that is not trained is not used, unless ``estimates.csv`` estimates its gains.
    groups : int, optional
        Maximum number of models.
    budget : float, optional
        Maximum training hours of all models, each trained once. Give either this or ``groups``.
    risk : float or None
        The choice uses lower bounds: with this probability a gain is below its bound. None: it uses the gains.
    for_task : str, optional
        Rank the helpers of this task instead of choosing groups, by the same gains. No file is written.
    compare : sequence of str
        Other choices to compare with it in value and cost: ``all-in-one``, ``single-task``, ``pairs``. Not with
        ``for_task``.
    draws : int, optional
        Number of draws of the gains that measure how stable the choice is; 0 for none. Default: 200. Not with
        ``for_task``.

    Returns
    -------
    GroupResults, or HelperResults with ``for_task``

    Raises
    ------
    InputError
        If an option or the folder cannot be used, or if no grouping fits the budget.

    Examples
    --------
    In a checkout of this repository, into a copy of its results:

    >>> from shutil import copytree
    >>> from tempfile import mkdtemp
    >>> root = copytree("notebooks/example_results", mkdtemp(), dirs_exist_ok=True)
    >>> group(root, groups=2, draws=0).serves["mednli"]
    ('clinicalsts', 'shareclefe', 'mednli')
    >>> group(root, for_task="mednli").chosen
    ['shareclefe']
    """
    from taskaffinity.analysis.publish import check_has_runs  # pandas and scipy: not for --help

    check_options(groups, budget, risk, for_task, draws, compare)
    names = _alternatives(compare)
    study = PairwiseResults.load(results)
    with as_user_error():
        check_has_runs(study.study, study.store, study.root)
        if for_task is not None:
            return _helpers(study, for_task, risk)
        draws = DEFAULT_DRAWS if draws is None else draws
        return _choose(study, names, models=groups, hours=budget, risk=risk, draws=draws)


def _choose(study: PairwiseResults, compare: Sequence[str], **limits: Any) -> GroupResults:
    """Choose the groups and write them; ``limits`` are arguments of ``chosen_groups``."""
    from taskaffinity.analysis.groups.chosen import chosen_groups, model_hours  # pandas and scipy: not for --help
    from taskaffinity.analysis.groups.measured import measured_groups
    from taskaffinity.analysis.groups.results import GroupResults
    from taskaffinity.analysis.publish import publish_groups

    price, measured = model_hours(study.matrix, study.store), measured_groups(study.matrix, study.store)
    chosen = chosen_groups(study.matrix, price, compare=compare, measured=measured, **limits)
    publish_groups(chosen, study.root)
    return GroupResults(study.root, chosen)


def _helpers(study: PairwiseResults, for_task: str, risk: float | None) -> HelperResults:
    from taskaffinity.analysis.groups.chosen import group_gains
    from taskaffinity.analysis.groups.measured import measured_groups
    from taskaffinity.analysis.groups.results import HelperResults
    from taskaffinity.grouping.helpers import select_helpers

    tasks, measured = study.matrix.tasks, measured_groups(study.matrix, study.store)
    if for_task not in tasks:
        raise InputError(f"for {quoted(for_task)}: no such task; there are {', '.join(tasks)}{meant(for_task, tasks)}")
    target, gains = tasks.index(for_task), group_gains(study.matrix, risk, measured)
    return HelperResults(study.root, study.matrix, gains, target, select_helpers(gains, target), risk)


def check_options(
    groups: int | None,
    budget: float | None,
    risk: float | None,
    for_task: str | None,
    draws: int | None,
    compare: str | Sequence[str],
) -> None:
    """Raise ``InputError`` unless one limit is given, all options are used and all numbers are legal.

    The message names options.
    """
    given = [
        f"--{name}" for name, one in (("groups", groups), ("budget", budget), ("for", for_task)) if one is not None
    ]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise InputError(f"group: found {found}; give one of --groups, --budget or --for: a number, hours or a task")
    of_groups = {"compare": bool(compare), "draws": draws is not None}
    if for_task is not None and (unused := [name for name, is_given in of_groups.items() if is_given]):
        raise InputError(f"--{unused[0]}: for a choice of groups; leave it out with --for, which ranks helpers")
    for name, value, least, most in (
        ("groups", groups, 1, MOST_GROUPS),
        ("budget", budget, 0, MOST_HOURS),
        ("risk", risk, LEAST_RISK, MOST_RISK),
        ("draws", draws, 0, MOST_DRAWS),
    ):
        whole = name in ("groups", "draws")
        kind = "a whole number" if whole else "a number"
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int if whole else int | float)
            or not least <= value <= most
        ):
            raise InputError(f"--{name}: found {quoted(str(value))}; expected {kind} from {least:g} to {most:g}")


def _alternatives(compare: str | Sequence[str]) -> list[str]:
    from taskaffinity.analysis.groups.chosen import ALTERNATIVES

    parts = compare.split(",") if isinstance(compare, str) else [part for one in compare for part in one.split(",")]
    names = list(dict.fromkeys(name.strip() for name in parts if name.strip()))
    names = ["single-task" if name == "alone" else name for name in names]  # its earlier name
    for name in names:
        if name not in ALTERNATIVES:
            raise InputError(
                f"compare: found {quoted(name)}; expected {', '.join(ALTERNATIVES)}{meant(name, ALTERNATIVES)}"
            )
    return names
