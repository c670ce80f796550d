"""Print the plan of ``--dry-run``: the runs, and the expected time and disk space on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taskaffinity.analysis.style import plural
from taskaffinity.cli.console.json_output import print_json
from taskaffinity.errors import as_user_error
from taskaffinity.runs.admission import admission_content
from taskaffinity.runs.store import RunStore

if TYPE_CHECKING:
    from taskaffinity.studies.planned import PlannedStudy


def print_plan(planned: Sequence[PlannedStudy], *, as_json: bool = False) -> None:
    """Print every run, whether it is done, and the forecast for pending runs.

    As JSON: one object, ``{"studies": [{"results", "encoder", "runs": [{"run_id", "done"}], "n_runs", "n_done",
    "at_most", "admission", "forecast": [line], "cautions": [line]}]}``; ``at_most`` says whether a sequential design
    may need fewer runs, ``admission`` which pairs estimates admit (``admission_content``), ``cautions`` what limits the
    data and the runs that are done.
    """
    if as_json:
        print_json({"studies": [_plan_of(one) for one in planned]})
        return
    for one in planned:
        if len(planned) > 1:
            print(f"{one.study.encoder.name}, in {one.root}:")
        plan = _plan_of(one)
        for run in plan["runs"]:
            print(f"{'done' if run['done'] else 'to do':6} {run['run_id']}")
        most = "at most " if plan["at_most"] else ""
        n_pending = plan["n_runs"] - plan["n_done"]
        print(f"{most}{plural(plan['n_runs'], 'run')}, {plan['n_done']} done, {most}{n_pending} to train")
        for line in (*_admission_lines(one), *plan["forecast"], *plan["cautions"]):
            print(line)


def _plan_of(one: PlannedStudy) -> dict[str, Any]:
    pending = set(one.pending)
    return {
        "results": str(one.root),
        "encoder": one.study.encoder.name,
        "runs": [{"run_id": spec.run_id, "done": spec not in pending} for spec in one.plan],
        "n_runs": len(one.plan),
        "n_done": len(one.plan) - len(pending),
        "at_most": bool(one.study.interim_seeds),
        "admission": admission_content(one.study.admission),
        "forecast": one.forecast(),
        "cautions": [*one.cautions, *_cautions_of_runs(one)],
    }


def _admission_lines(one: PlannedStudy) -> list[str]:
    """Return which pairs estimates admit; other studies load no library for it."""
    if one.study.admission is None:
        return []
    from taskaffinity.analysis.estimates.admission import list_admission  # scipy and pandas

    return list_admission(one.study)


def _cautions_of_runs(one: PlannedStudy) -> list[str]:
    """Return the cautions on finished runs; without one, no library is loaded."""
    store = RunStore(one.root)
    if not any(spec in store for spec in one.plan):
        return []
    from taskaffinity.analysis.cautions.advice import describe_runs  # scipy and pandas

    with as_user_error():
        return describe_runs(one.study, store)
