"""Describe the departures of a study from the released code, also as ``departures.txt``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from taskaffinity.atomic import write_atomic
from taskaffinity.runs.departures import DEPARTURES, Departure
from taskaffinity.runs.study import Study

FILE = "departures.txt"


def departures_of(*studies: Study) -> list[Departure]:
    """Return the departures of at least one of the studies, in the order of the table."""
    return [one for one in DEPARTURES if any(one.holds_for(study) for study in studies)]


def describe_departures(*studies: Study) -> list[str]:
    """Return the departures of studies of one protocol as lines.

    The first line names the protocol.
    """
    found = departures_of(*studies)
    title = f"--protocol {studies[0].protocol}: {len(found)} departures from the paper's released code"
    return [title, *(f"* {one}" for one in found)]


def write_departures(root: Path, studies: Iterable[Study]) -> None:
    """Write ``departures.txt`` if a study follows the paper's protocol; else remove it."""
    of_paper = [study for study in studies if study.protocol == "paper"]
    if not of_paper:
        (root / FILE).unlink(missing_ok=True)
        return
    write_atomic(root / FILE, "".join(f"{line}\n" for line in describe_departures(*of_paper)).encode())


def describe_protocol(study: Study) -> str:
    """Return what dev and test decide, or the paper's protocol with the number of departures and their file."""
    if study.protocol != "paper":
        return "dev scores choose the epoch, and test is scored once"
    return f"paper protocol ({len(departures_of(study))} departures from the released code: see {FILE})"
