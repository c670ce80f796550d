"""``taskaffinity status``: print the state of a running or finished study, without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.cli.console.json_output import print_json
from taskaffinity.cli.options.run import Json
from taskaffinity.errors import InputError, printable
from taskaffinity.runs.admission import admission_content
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.status import STATES, Status, status_of
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Study, has_study
from taskaffinity.schedule.progress import describe_heartbeat, describe_scores, duration
from taskaffinity.schedule.run import pending_runs

SHOWN = 8
"""Maximum number of running and of failed runs that are named. The others are counted."""


def command(
    results: Annotated[Path, typer.Argument(help="Results folder of a running, interrupted or finished study.")],
    json: Json = False,
) -> None:
    """Show how many runs are done, running, failed and to do, and the time left.

    It only reads, so you can call it while the study runs.
    """
    studies = _studies(results)
    if not studies:
        commands = " or ".join(f"`taskaffinity {design}`" for design in FILES)
        raise InputError(f"{results}: no study in this folder; expected a results folder of {commands}")
    console = Console(highlight=False, soft_wrap=True, markup=False)
    try:
        if json:
            print_json({"studies": [_summary(study, RunStore(place)) for place, study in studies]})
            return
        stores = [(study, RunStore(place)) for place, study in studies]
        states = [(study, store, _now(study, store), _estimates(study, store)) for study, store in stores]
        for state in states:  # all are read first, so that a damaged run is refused before anything is printed
            _print(console, *state)
    except ValueError as error:
        raise InputError(str(error)) from error


def _studies(results: Path) -> list[tuple[Path, Study]]:
    """Read the studies of a folder and its subfolders.

    Broken ones in subfolders are skipped with a message.

    Raises
    ------
    InputError
        If the study of the folder itself is broken.
    """
    studies = []
    for place in (results, *sorted(results.glob("*/"))):
        for design in FILES:
            if has_study(place, design):
                try:
                    studies.append((place, Study.load(place, design)))
                except ValueError as error:
                    if place == results:
                        raise InputError(str(error)) from error
                    print(f"skipped: {printable(str(error))}", file=sys.stderr)
    return studies


def _now(study: Study, store: RunStore) -> Status:
    pending = pending_runs(study.plan, store, keep_models=study.keep_models)
    return status_of(study, store, _needed(study, store), pending)


def _summary(study: Study, store: RunStore) -> dict[str, object]:
    """Return the JSON object of a study."""
    now = _now(study, store)
    return {
        "results": str(store.root),
        "design": study.design,
        "suite": study.suite,
        "runs": {state: now.count(state) for state in STATES},
        "running": [{"run_id": spec.run_id, "seconds": seconds} for spec, seconds in now.running_for.items()],
        "failed": [{"run_id": spec.run_id, "reason": reason} for spec, reason in now.failures.items()],
        "seconds_left": now.seconds_left,
        "admission": admission_content(study.admission),
        "estimates": _estimates(study, store),
    }


def _print(console: Console, study: Study, store: RunStore, now: Status, estimates: dict[str, Any] | None) -> None:
    seeds = f"{len(study.seeds)} seed{'s' * (len(study.seeds) > 1)}"
    synthetic = ", synthetic text" if study.synthetic else ""
    console.print(
        f"{printable(str(store.root / FILES[study.design]))}: {len(study.tasks)} tasks of {study.suite}, "
        f"{study.encoder.name}, {seeds}{synthetic}"
    )
    console.print(_table(now))
    if study.keep_models:
        console.print("with --keep-models: a run without a stored model is not done")
    if study.interim_seeds:
        console.print(_sequential_line(now, study))
    if study.admission is not None:
        admitted, deferred = len(study.admission.admitted), len(study.admission.deferred)
        console.print(f"by estimates: {admitted} of {admitted + deferred} pairs admitted, {deferred} not measured")
    if now.running_for or now.count("to do"):
        for ended in reversed(now.latest):
            spent = f" in {duration(ended.seconds)}" if ended.seconds is not None else ""
            console.print(f"done{spent}: {ended.spec.run_id}: {describe_scores(ended.dev)}")
    running = [_running_line(now, spec) for spec in now.running_for]
    failed = [f"failed: {printable(str(store.folder(spec)))}: {reason}" for spec, reason in now.failures.items()]
    for lines in (running, failed):
        for line in lines[:SHOWN]:
            console.print(line)
        if len(lines) > SHOWN:
            console.print(f"... and {len(lines) - SHOWN} more {lines[0].partition(' ')[0].strip(':')}")
    if estimates is not None:
        console.print(_estimates_line(estimates))
    has_no_pair = all(state == "to do" for spec, state in now.states.items() if spec.arm == "pair")
    is_of_estimate = estimates is not None and has_no_pair and not now.running_for
    console.print(_outlook_of_estimate(now) if is_of_estimate else _outlook(now))


def _sequential_line(now: Status, study: Study) -> str:
    """Return which runs of a sequential design the table counts."""
    if now.count("done") == len(now.states):
        return f"sequential design: finished with {len(now.states)} of at most {len(study.plan)} runs"
    return f"sequential design: the table counts runs up to the next interim analysis, of at most {len(study.plan)}"


def _estimates(study: Study, store: RunStore) -> dict[str, Any] | None:
    """Return the JSON object of the estimates of a folder; None if it has none."""
    if study.design != "pairwise" or not (store.root / "estimate.json").is_file():
        return None
    from taskaffinity.analysis.estimates.design_file import ESTIMATES, describe_other_study, read_design
    from taskaffinity.analysis.estimates.gather import Gathered

    if other := describe_other_study(store.root, study):
        return {"of_another_study": other}
    design, _ = read_design(store.root)
    probes = Gathered(study, store, design)
    is_written = (store.root / ESTIMATES).is_file()
    estimated = probes.rows() if is_written else []
    singles = sum(spec in store for spec in probes.singles.values())
    return {
        "of_another_study": None,
        "singles": {"done": singles, "planned": len(probes.singles)},
        "probes": {
            "done": len(probes.found),
            "planned": len(probes.probes) if singles == len(probes.singles) else None,  # single-task runs decide
        },
        "arrows": {
            "done": sum(not row.reason for row in estimated),
            "planned": len(study.tasks) * (len(study.tasks) - 1),
        },
        "written": is_written,
    }


def _estimates_line(found: dict[str, Any]) -> str:
    """Return how far the estimates of a folder are."""
    if found["of_another_study"]:
        return f"estimates: none of this study ({found['of_another_study']})"
    singles, probes, arrows = (found[part] for part in ("singles", "probes", "arrows"))
    if found["written"]:
        return f"estimates: done ({arrows['done']} of {arrows['planned']} arrows)"
    if singles["done"] < singles["planned"]:
        return f"estimates: {singles['done']} of {singles['planned']} single-task runs done, then the probes"
    return f"estimates: {probes['done']} of {probes['planned']} probes done; `taskaffinity estimate` trains the others"


def _outlook_of_estimate(now: Status) -> str:
    """Return what would train the runs that a folder of estimates lacks."""
    to_do = now.count("to do") + now.count("failed")
    return f"nothing is running; `taskaffinity pairwise` would train {to_do} more {'run' if to_do == 1 else 'runs'}"


def _running_line(now: Status, spec: RunSpec) -> str:
    line = f"running for {duration(now.running_for[spec])}: {spec.run_id}"
    beat = now.heartbeats.get(spec)
    return f"{line}: {describe_heartbeat(beat)}" if beat is not None else line


def _needed(study: Study, store: RunStore) -> list[RunSpec]:
    """Return the study's runs; in a sequential design, those up to the next interim analysis."""
    if study.is_external:
        return [spec for spec in study.plan if spec in store]
    if not study.interim_seeds:
        return list(study.plan)
    from taskaffinity.analysis.measure import margins_of
    from taskaffinity.analysis.statistics.read_arms import read_arms
    from taskaffinity.analysis.statistics.sequential import follow, required_runs

    rule = study.rule
    arms = read_arms(study, store)

    def is_over(spec: RunSpec) -> bool:
        return spec in store or store.failure(spec) is not None

    return list(required_runs(study, follow(study, arms, rule, margins_of(study, rule), is_over)))


def _table(now: Status) -> Table:
    """Return a table with one row per arm and a row of sums."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("runs", no_wrap=True)
    for state in STATES:
        table.add_column(state, justify="right", no_wrap=True)
    arms = now.arms()
    for arm, counts in arms.items():
        table.add_row(arm, *(str(counts[state]) for state in STATES))
    if len(arms) > 1:
        table.add_row("all", *(str(now.count(state)) for state in STATES))
    return table


def _outlook(now: Status) -> str:
    to_do, running, failed = now.count("to do"), now.count("running"), now.count("failed")
    again = f"run the same command again to train {'it' if to_do + failed == 1 else 'them'}"
    if not to_do and not running:
        return f"nothing is running; {failed} failed: {again}" if failed else "all done"
    time_left = "the time left is unknown until a run has finished"
    if now.seconds_left is not None:
        at_once = f"{running} at once" if running > 1 else "one after the other"
        source = "finished runs" if now.count("done") else "the progress of running runs"
        time_left = f"about {duration(now.seconds_left)} left, {at_once}, estimated from {source}"
    if running:
        return time_left
    return f"nothing is running; {time_left}; {again}"
