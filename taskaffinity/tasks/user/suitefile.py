"""Read a user's suite from a YAML file with tasks and their data files.

::

    name: mine
    tasks:
      reviews:
        kind: classification
        path: reviews            # a folder with train.csv, dev.csv and test.csv

Paths are relative to the file. ``UserTask`` has the keys of a task; any other key is an error. The file and all its
data are checked when the file is read, so no fault appears after hours of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from taskaffinity.errors import InputError, input_error, meant, quoted, shown
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import A_NAME, KINDS, is_name
from taskaffinity.tasks.user.examples import read_user_task
from taskaffinity.tasks.user.no_suite import is_data_file, no_suite
from taskaffinity.tasks.user.other_names import meant_key
from taskaffinity.tasks.user.pair_rule import Pairs
from taskaffinity.tasks.user.task_block import Files, UserTask, describe_fault
from taskaffinity.tasks.user.yamlfile import Place, read_yaml

_AS_KEYS: dict[int, tuple[str, ...]] = {
    1: ("name", "tasks"),
    3: tuple(UserTask.model_fields),
    4: tuple(key for key in Files.model_fields if key != "folder"),
}
"""Legal keys, by their depth."""
_HINTS = {
    "kind": f"kind: one of {', '.join(KINDS)}",
    "tasks": "tasks: with two or more tasks",
}
"""Required key -> what is expected."""


class UserSuite(BaseModel):
    """The content of a suite file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    """Name of the suite, its results folder and its graph. Empty: the name of the file."""
    tasks: dict[str, UserTask]


def read_suite(path: str | Path, *, needs_test: bool = True, least: int = 2) -> Suite:
    """Read a suite file and check every example.

    Parameters
    ----------
    needs_test : bool
        Whether a task without a test part is refused. If not, its dev part is also its test part.
    least : int
        Smallest number of tasks.

    Raises
    ------
    InputError
        At the first fault in the file or in its data: one line, with the place.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from taskaffinity.tasks.user.template import example_files
    >>> folder = Path(mkdtemp())
    >>> for name, content in example_files("suite.yaml").items():
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     _ = (folder / name).write_text(content)
    >>> [(task.name, task.kind) for task in read_suite(folder / "suite.yaml")]
    [('negation', 'classification'), ('entailment', 'inference'), ('mentions', 'ner')]
    """
    path = Path(path)
    if is_data_file(path):
        raise no_suite(path)
    content, lines = read_yaml(path)
    if path.suffix == ".json" and not (isinstance(content, dict) and "tasks" in content):
        raise no_suite(path)
    if not isinstance(content, dict):
        raise input_error(
            path,
            shown(content) if isinstance(content, list) else "no mapping",
            "a suite file: YAML with name: and tasks:",
        )
    try:
        asked = UserSuite.model_validate(_with_folders(content))
    except ValidationError as error:
        fault = _complaint(path, lines, error)
    else:
        if len(asked.tasks) < least:
            raise input_error(
                _at(path, lines, ("tasks",)),
                f"{len(asked.tasks)} task{'' if asked.tasks else 's'}",
                "two or more, which are trained together",
            )
        return _suite(path, asked, lines, needs_test=needs_test)
    raise fault


def _suite(path: Path, asked: UserSuite, lines: Mapping[Place, int], *, needs_test: bool) -> Suite:
    name = asked.name or path.stem
    if not is_name(name):
        raise input_error(_at(path, lines, ("name",)), f"name {quoted(name)}", f"{A_NAME} (under name:)")
    for task in asked.tasks:
        if not is_name(task):
            raise input_error(_at(path, lines, ("tasks", task)), f"task {quoted(task)}", A_NAME)

    def place_in(task: str, key: str) -> str:
        return _at(path, lines, ("tasks", task, key))

    return Suite(
        name,
        tuple(
            read_user_task(task, block, path.parent, partial(place_in, task), needs_test=needs_test)
            for task, block in asked.tasks.items()
        ),
    )


def _with_folders(content: dict[str, object]) -> dict[str, object]:
    """Return the content with ``path: FOLDER`` in the form of ``Files``."""
    tasks = content.get("tasks")
    if not isinstance(tasks, dict):
        return content
    whole = {
        name: {**task, "path": {"folder": task["path"]}}
        if isinstance(task, dict) and isinstance(task.get("path"), str)
        else task
        for name, task in tasks.items()
    }
    return {**content, "tasks": whole}


def _at(path: Path, lines: Mapping[Place, int], place: Place) -> str:
    """Return the file and line of a place, or of the block that contains it."""
    while place not in lines:
        place = place[:-1]
    return f"{path}: line {lines[place]}"


def _complaint(path: Path, lines: Mapping[Place, int], error: ValidationError) -> InputError:
    """Return pydantic's first fault; an unknown key comes before the missing key it explains."""
    faults = error.errors(include_url=False)
    number = next((n for n, fault in enumerate(faults) if fault["type"] == "extra_forbidden"), 0)
    fault = faults[number]
    place, kind = fault["loc"], fault["type"]
    where = _at(path, lines, place)
    key = str(place[-1])
    if kind == "extra_forbidden":
        legal = tuple(Pairs.model_fields) if "pairs" in place[2:-1] else _AS_KEYS[len(place)]
        hint = meant(key, legal) if len(place) == 1 else meant_key(key, legal)
        return input_error(where, f"unknown key {quoted(key)}", f"one of {', '.join(legal)}{hint}")
    if kind == "missing":
        return input_error(where, f"no key {key!r}", _HINTS[key])
    return describe_fault(error, where, number)
