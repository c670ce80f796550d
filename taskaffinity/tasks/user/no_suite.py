"""Say what to write if a folder, a data file or nothing is given in the place of a suite file."""

from __future__ import annotations

import os
from pathlib import Path

from taskaffinity.errors import InputError, input_error, meant
from taskaffinity.tasks.task import KINDS, is_name
from taskaffinity.tasks.user.find import STEMS
from taskaffinity.tasks.user.layout import CONVERTED, ENDINGS, PACKED, ending
from taskaffinity.tasks.user.missing_splits import as_yaml
from taskaffinity.tasks.user.template import SUITE

_DATA = {*CONVERTED, *(end for ends in ENDINGS.values() for end in ends if end not in ("", ".json"))}
"""Endings of data files; a suite file may be JSON, which is YAML too."""
_INIT = "`taskaffinity init DIR` writes an example with data"


def no_suite(place: Path) -> InputError:
    """Return the error for a path that is no suite file: a folder, a data file, or nothing.

    It has the line of a suite file that reads the data there.
    """
    if place.is_dir():
        names = sorted(os.listdir(place))
        suites = [name for name in names if name.endswith((".yaml", ".yml"))]
        if suites:
            return input_error(place, "a folder", f"a suite file; did you mean {place / suites[0]}?")
        found = "a folder without a suite file" if names else "an empty folder"
        return input_error(place, found, _line(_data_folder(place), ""))
    if place.is_file():
        return input_error(place, "a data file", _line(place, "{train: %s}, dev: 10%%, test: 20%%"))
    beside = os.listdir(place.parent) if place.parent.is_dir() else ()
    near = meant(place.name, (name for name in beside if (place.parent / name).is_file()))
    found = "no file that can be read" if os.path.lexists(place) else "no such file"
    return input_error(place, found, f"a suite file (YAML); {_INIT}{near}")


def is_data_file(path: Path) -> bool:
    """Return whether the ending of a file's name is that of data, and not of a suite file."""
    return (ending(path) in _DATA or path.suffix.lower() == PACKED) and path.is_file()


def _data_folder(folder: Path) -> Path:
    """Return the folder with the train file of a task: the given one, or the first such folder in it."""
    inside = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    return next((one for one in (folder, *inside) if any(one.glob("train.*")) or (one / "train").is_dir()), folder)


def _line(data: Path, form: str) -> str:
    """Return the line of a suite file with one task, whose data are a folder or, by ``form``, a file."""
    name = data.resolve().name.partition(".")[0]
    if form and name in {stem for stems in STEMS.values() for stem in stems}:
        name = data.resolve().parent.name
    path = as_yaml(data.as_posix())
    block = f"{name if is_name(name) else 'NAME'}: {{kind: KIND, path: {form % path if form else path}}}"
    kinds = f"where KIND is one of {', '.join(KINDS)}"
    return f"a suite file, such as {SUITE} with the line tasks: {{{block}}}, {kinds}; {_INIT}"
