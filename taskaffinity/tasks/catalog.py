"""Load a suite by its name or from its file.

Real data are read from the folder ``data``, else from ``TASKAFFINITY_DATA``, else from ``data/`` in the current folder
if it holds a task of the suite. Without any of these, a synthetic suite is used; ``open-clinical`` has none. If a data
folder is given and incomplete, the error lists what is missing: a synthetic suite never replaces it silently.
"""

from __future__ import annotations

import os
from pathlib import Path

from taskaffinity.errors import InputError, input_error, meant, quoted, shown
from taskaffinity.tasks import planted
from taskaffinity.tasks.blue import BLUE_SUITES, BLUE_TASKS
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL_TASKS
from taskaffinity.tasks.planted_eight import EIGHT, EIGHT_VOCABULARY
from taskaffinity.tasks.registry import ListedTask, commands, load_listed
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.user.no_suite import no_suite
from taskaffinity.tasks.user.suitefile import read_suite

LISTED: dict[str, tuple[ListedTask, ...]] = {
    **{suite: tuple(BLUE_TASKS[name] for name in names) for suite, names in BLUE_SUITES.items()},
    "open-clinical": tuple(OPEN_CLINICAL_TASKS.values()),
}
"""Suites of real text, by name."""


def load_suite(suite: str | Path | Suite, data: str | Path | None = None, *, needs_test: bool = True) -> Suite:
    """Load the suite of a domain or of a YAML file.

    Parameters
    ----------
    suite : str, Path or Suite
        A domain (``clinical``, ``biomedical``, ``blue``, ``open-clinical``, ``planted-8``), the path of a suite file,
        or a suite in memory, which is returned unchanged.
    data : path, optional
        Folder with the task files of a domain. Default: ``TASKAFFINITY_DATA``, else ``data/`` if it holds a task.
    needs_test : bool
        Whether a task of a suite file without a test part is refused. If not, ``train`` scores its dev part.

    Raises
    ------
    InputError
        If the suite does not exist, its data are incomplete, or ``data`` is given for a suite that is no domain.

    Examples
    --------
    >>> suite = load_suite("planted-8")
    >>> len(suite), suite.synthetic, load_suite(suite) is suite
    (8, True, True)
    """
    names = [*LISTED, EIGHT.name]
    if not isinstance(suite, str | Path | Suite):
        raise input_error("suite", shown(suite), f"a Suite, a YAML file, or one of {', '.join(names)}")
    if isinstance(suite, str) and suite in names:
        return find_suite(suite, data)
    if data is not None:
        raise input_error(f"data {data}", "a data folder for a suite that names its data", f"one of {', '.join(names)}")
    if isinstance(suite, Suite):
        return suite
    if not Path(suite).is_file():
        expected = f"a Suite, a YAML file, or one of {', '.join(names)}{meant(str(suite), names)}"
        raise input_error("suite", f"{quoted(str(suite))}, which is neither a domain nor a file", expected)
    return find_suite(None, file=suite, needs_test=needs_test)


def find_suite(
    domain: str | None, data: str | Path | None = None, file: str | Path | None = None, *, needs_test: bool = True
) -> Suite:
    """Load the suite of a domain, or of a suite file.

    Examples are read when they are first used.

    Raises
    ------
    InputError
        If not exactly one of domain and file is given, if the suite does not exist, if the data folder lacks a task,
        if there are no data and no synthetic suite replaces them, or if the file has a fault.

    Examples
    --------
    >>> suite = find_suite("planted-8")
    >>> len(suite), suite.synthetic
    (8, True)
    """
    names = [*LISTED, EIGHT.name]
    if domain is None:
        if file is None:
            raise InputError(f"no suite: expected --suite FILE.yaml, or --domain with one of {', '.join(names)}")
        return _user_suite(file, data, names, needs_test=needs_test)
    if file is not None:
        raise InputError(f"suite {domain} and suite file {file}: expected one of them")
    if domain == EIGHT.name:
        if data is not None:
            raise InputError(f"data {data}: {EIGHT.name} is synthetic and takes no data")
        return EIGHT
    if domain not in LISTED:
        raise InputError(f"suite {domain}: no such suite; there are {', '.join(names)}{meant(domain, names)}")
    folder = data_folder(domain) if data is None else _given_folder(data)
    if folder is not None:
        return load_listed(domain, LISTED[domain], folder)
    if domain not in BLUE_SUITES:
        made = commands(LISTED[domain], Path("data"))
        raise InputError(f"suite {domain}: no data, and no synthetic suite replaces them; run {made}")
    return planted.stand_in(domain)


def _given_folder(data: str | Path) -> Path:
    """Return the folder of ``data``; an empty name is no folder, and does not stand for the default."""
    if not isinstance(data, str | Path) or not str(data).strip():
        raise InputError(f"--data: found {shown(data)}; expected the folder of the task files")
    return Path(data)


def _user_suite(file: str | Path, data: str | Path | None, names: list[str], *, needs_test: bool) -> Suite:
    if data is not None:
        raise InputError(f"data {data}: not with a suite file, which names its data")
    if not Path(file).is_file():
        if str(file) in names:
            raise input_error(f"suite {file}", "no such file", f"a suite file (YAML); did you mean --domain {file}?")
        raise no_suite(Path(file))
    suite = read_suite(file, needs_test=needs_test)
    if suite.name in names:  # its results would share a folder with the paper's
        raise input_error(file, f"suite {suite.name!r}, a name that this tool uses", "another name:")
    return suite


def vocabulary(suite: Suite) -> tuple[str, ...]:
    """Return every word of a synthetic suite, the vocabulary of its tiny encoder."""
    return EIGHT_VOCABULARY if suite.name == EIGHT.name else planted.VOCABULARY


def data_folder(domain: str) -> Path | None:
    """Return the default data folder.

    It is ``TASKAFFINITY_DATA``, else ``./data`` if it holds a task, else None.
    """
    if given := os.environ.get("TASKAFFINITY_DATA"):
        return Path(given)
    local = Path("data")
    return local if any((local / task.name).is_dir() for task in LISTED[domain]) else None
