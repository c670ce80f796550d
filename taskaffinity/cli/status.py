"""``taskaffinity status``: how a study stands, from another shell while it runs or after. Reads, and loads no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.errors import InputError
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.status import STATES, Status, status_of
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Study
from taskaffinity.schedule.progress import duration
from taskaffinity.schedule.run import pending_runs

SHOWN = 8
"""Running runs and failures that are named; of more, their number."""


def command(results: Annotated[Path, typer.Argument(help="A results folder, also one that is being filled.")]) -> None:
    """What is done, running, failed and to do, and about how long it takes yet. Nothing is disturbed or written."""
    studies = _studies(results)
    if not studies:
        made = " or ".join(f"`taskaffinity {design}`" for design in FILES)
        raise InputError(f"{results}: no study here; expected a results folder, which {made} makes with its first run")
    console = Console(highlight=False, soft_wrap=True, markup=False)
    try:
        for place, study in studies:
            _print(console, study, RunStore(place))
    except ValueError as error:
        raise InputError(str(error)) from error


def _studies(results: Path) -> list[tuple[Path, Study]]:
    """The folder's own studies and those of folders in it; a file there that is none of ours is passed over, and said.

    Raises
    ------
    InputError
        If the folder's own is none.
    """
    found = []
    for place in (results, *sorted(results.glob("*/"))):
        for design, name in FILES.items():
            if (place / name).is_file():
                try:
                    found.append((place, Study.load(place, design)))
                except ValueError as error:
                    if place == results:
                        raise InputError(str(error)) from error
                    print(f"passed over: {error}", file=sys.stderr)
    return found


def _print(console: Console, study: Study, store: RunStore) -> None:
    plan = _needed(study, store)
    now = status_of(study, store, plan, pending_runs(study.plan, store, keep_models=study.keep_models))
    seeds = f"{len(study.seeds)} seed{'s' * (len(study.seeds) > 1)}"
    made_up = ", made-up text" if study.synthetic else ""
    console.print(
        f"{store.root / FILES[study.design]}: {len(study.tasks)} tasks of {study.suite}, {study.encoder.name}, "
        f"{seeds}{made_up}"
    )
    console.print(_table(now))
    if study.keep_models:
        console.print("of --keep-models: a run that kept no model is not done")
    if study.interim_seeds:
        console.print(f"a race: these runs lead to its next look; it takes at most {len(study.plan)} in all")
    running = [f"running for {duration(spent)}: {spec.run_id}" for spec, spent in now.running_for.items()]
    failed = [f"failed: {store.folder(spec)}: {reason}" for spec, reason in now.failures.items()]
    for lines in (running, failed):
        for line in lines[:SHOWN]:
            console.print(line)
        if len(lines) > SHOWN:
            console.print(f"... and {len(lines) - SHOWN} more {lines[0].partition(' ')[0].strip(':')}")
    console.print(_outlook(now))


def _needed(study: Study, store: RunStore) -> list[RunSpec]:
    """The study's plan; of a race, what leads to its next look."""
    if not study.interim_seeds:
        return list(study.plan)
    from taskaffinity.analysis.affinity import margins_of
    from taskaffinity.analysis.statistics.arms import read_arms
    from taskaffinity.analysis.statistics.sequential import follow, required_runs

    rule = study.rule
    arms = read_arms(study, store)

    def is_over(spec: RunSpec) -> bool:
        return spec in store or store.failure(spec) is not None

    return list(required_runs(study, follow(study, arms, rule, margins_of(study, rule), is_over)))


def _table(now: Status) -> Table:
    """A row an arm, and their sum."""
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
    again = "the command that began it, given again, trains them" if to_do or failed else ""
    if not to_do and not running:
        return f"nothing is running; {failed} failed: {again}" if failed else "all done"
    time_left = "no run has ended yet, so the time left is not known"
    if now.seconds_left is not None:
        at_once = f"{running} at once" if running > 1 else "one after the other"
        time_left = f"about {duration(now.seconds_left)} left, {at_once}, by the seconds of finished runs"
    if running:
        return time_left
    return f"nothing is running here; {time_left}; {again}"
