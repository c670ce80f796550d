"""``--encoders A,B,C``: one study after the other, each in a folder of its own, and one table of them all."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from taskaffinity.cli.console.results import print_encoders, read_encoders
from taskaffinity.cli.options.run import print_summary, tracker_of, train_and_show
from taskaffinity.errors import InputError
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.tasks.task import Suite

if TYPE_CHECKING:
    from taskaffinity.training.encoders import Encoder


def names_of(encoder: str | None, encoders: str | None) -> list[str | None]:
    """The encoders that are asked for; None stands for the suite's own.

    Raises
    ------
    InputError
        If both options are given, or a name is empty.
    """
    if encoders is None:
        return [encoder]
    if encoder is not None:
        raise InputError(f"--encoder {encoder}, --encoders {encoders}: give one of the two options")
    names = [name.strip() for name in encoders.split(",")]
    if "" in names:
        raise InputError(f"--encoders {encoders}: expected names or folders, joined by commas")
    return [*names]


def own_folders(root: Path, encoders: Sequence[EncoderRef]) -> list[Path]:
    """``root/biobert-1a2b3c4d`` for each: its name for people, its fingerprint for certainty.

    An encoder that was studied there by another name keeps its folder.

    Raises
    ------
    InputError
        If two of them are the same encoder.
    """
    folders = []
    for number, encoder in enumerate(encoders):
        if encoder in encoders[:number]:
            raise InputError(f"--encoders: {encoder.name} is the same encoder as one before it")
        mark = encoder.fingerprint[:8]
        words = re.sub(r"[^a-z0-9._]+", "-", encoder.name.lower()).strip("-.")
        folders.append(next(iter(sorted(root.glob(f"*-{mark}"))), root / f"{words or 'encoder'}-{mark}"))
    return folders


def train_each(
    root: Path,
    suite: Suite,
    asked: Sequence[tuple[Study, Encoder]],
    places: Sequence[Path],
    resources: Resources,
    *,
    options: RunOptions,
    quiet: bool,
    trackers: Sequence[str] = (),
) -> None:
    """Train what each study lacks, one study after the other; print their common table, and write it into ``root``.

    The caller has checked that each can be trained.

    Raises
    ------
    typer.Exit
        With code 1, if a run failed.
    """
    from taskaffinity.analysis.publish import publish_encoders, publish_stages

    failed = False
    for number, ((study, encoder), place) in enumerate(zip(asked, places, strict=True), start=1):
        if not quiet:
            print(f"encoder {number} of {len(places)}: {study.encoder.name}, in {place}", file=sys.stderr)
        tracker = tracker_of(trackers, study, place)
        report = train_and_show(
            study,
            suite,
            encoder,
            place,
            resources,
            options=options,
            quiet=quiet,
            tracker=tracker,
        )
        try:
            publish_stages(study, RunStore(place), place)
        except ValueError as error:
            raise InputError(str(error)) from error
        tracker.end()
        print_summary(report, place)
        failed = failed or bool(report.failed)
    studies = [(study, RunStore(place)) for (study, _), place in zip(asked, places, strict=True)]
    found = read_encoders(studies)
    publish_encoders(found, root)
    print_encoders(found)
    print(f"{root / 'encoders.csv'}; of each by itself: {', '.join(str(place / 'stages.csv') for place in places)}")
    if failed:
        raise typer.Exit(1)
