"""Describe the departures of a study from the released code, also as ``departures.txt``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from taskaffinity.atomic import write_atomic
from taskaffinity.runs.departures import DEPARTURES, Departure
from taskaffinity.runs.recipe import PAPER_REFINE, Recipe
from taskaffinity.runs.study import Study

FILE = "departures.txt"
_NOT_OF_THE_PROTOCOL = {"protocol", "device", "threads", "sample_seed"}
_AS_THE_PROTOCOL = {"train_on_dev": True, "released_classes": False, "reversed_pairs": False}
"""Values that mean the same as the protocol's empty ones."""


def departures_of(*studies: Study) -> list[Departure]:
    """Return the departures of at least one of the studies, in the order of the table."""
    return [one for one in DEPARTURES if any(one.holds_for(study) for study in studies)]


def describe_departures(*studies: Study) -> list[str]:
    """Return the departures of studies of one protocol as lines.

    The first line names the protocol. The last one names settings that differ from those of the paper's protocol.
    """
    found = departures_of(*studies)
    title = f"--protocol {studies[0].protocol}: {len(found)} departures from the paper's released code"
    other = dict.fromkeys(setting for study in studies for setting in _other_settings(study))
    last = [f"Settings of this study that differ from the protocol's: {', '.join(other)}"] if other else []
    return [title, *(f"* {one}" for one in found), *last]


def _other_settings(study: Study) -> list[str]:
    """Return the settings of joint training that differ from those of the paper's protocol, with the protocol's."""
    if study.protocol != "paper":
        return []
    released = [item for one in DEPARTURES for item in one.removed_by.items()]
    found = []
    for name in (field.name for field in fields(Recipe)):
        value, usual = getattr(study.recipe, name), getattr(PAPER_REFINE, name)
        if name in _NOT_OF_THE_PROTOCOL or value in (usual, _AS_THE_PROTOCOL.get(name)) or (name, value) in released:
            continue
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        found.append(f"{name}={shown}" + ("" if usual is None else f" ({usual})"))
    return found


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
    other = ", and other settings" if _other_settings(study) else ""
    return f"paper protocol ({len(departures_of(study))} departures from the released code{other}: see {FILE})"
