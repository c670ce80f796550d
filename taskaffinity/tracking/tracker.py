"""Follow a study and log every finished run to its trackers, once even after restarts.

``tracked.json`` in the results folder records which result was logged to which tracker, so a run that was trained again
is logged again. A failing tracker is disabled with a warning, and training continues. The same command logs the rest
later.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import ConfigDict

from taskaffinity.errors import STRICT, InputError, meant, printable, shown
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.files import write_json
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Progress
from taskaffinity.tracking.events import LoggedStudy, Tracker, run_to_log, study_to_log

MEMORY = "tracked.json"
PACKAGES = {"mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb": "wandb"}
"""Package that each tracker needs. A tracker is a module of this folder with a function ``open_tracker``."""

_FOLDER = "folder"
"""Key of the results folder's id in ``tracked.json`` and in tags. Two folders may have the same name."""
_INSTALL = 'pip install -c constraints.txt -e ".[track]"'
_PASSWORD = re.compile(r"://[^/\s@]*@")
_LONGEST = 300
_LAST_WAIT = 30.0
"""Seconds that ``end`` waits for another process that logs the same folder."""


def check_trackers(asked: str | Iterable[str] | None) -> list[str]:
    """Check the trackers of ``--report-to``, and return each once.

    Raises
    ------
    InputError
        If a tracker is unknown, or its package is not installed.

    Examples
    --------
    >>> check_trackers(["tensorboard", "tensorboard,"])
    ['tensorboard']
    """
    if asked is None or isinstance(asked, str):
        asked = [asked or ""]
    if not isinstance(asked, list | tuple) or not all(isinstance(part, str) for part in asked):
        raise InputError(f"--report-to: found {shown(asked)}; expected a list of trackers, of {', '.join(PACKAGES)}")
    names = dict.fromkeys(name.strip() for part in asked for name in part.split(",") if name.strip())
    for name in names:
        if name not in PACKAGES:
            raise InputError(
                f"--report-to {name}: no such tracker; there are {', '.join(PACKAGES)}{meant(name, PACKAGES)}"
            )
        if find_spec(PACKAGES[name]) is None:
            raise InputError(
                f"--report-to {name}: needs the package {PACKAGES[name]}, which is not installed; {_INSTALL}"
            )
    return list(names)


@dataclass
class RunTracker:
    """Follows one study; pass the progress to ``update``. Without ``names`` it does nothing.

    Trackers are opened by the first update, when the study is known to be trainable.
    """

    names: Sequence[str]
    study: Study
    store: RunStore
    warn: Callable[[str], None] = lambda line: None
    _open: dict[str, Tracker] = field(default_factory=dict, init=False)
    _given_up: set[str] = field(default_factory=set, init=False)
    _seen: object = field(default=None, init=False)

    @cached_property
    def _specs(self) -> tuple[RunSpec, ...]:
        return self.study.plan.specs

    def update(self, progress: Progress | None = None) -> None:
        """Log the runs that finished since the last update.

        The folder is not read if ``progress`` shows no such run.
        """
        if self.names and (progress is None or progress.done != self._seen):
            self._seen = progress.done if progress else None
            self._log(wait=0.0)

    def end(self) -> None:
        """Log the last runs, and the published study."""
        if self.names:
            self._log(wait=_LAST_WAIT, found=study_to_log(self.study, self.store))

    def _log(self, wait: float, found: LoggedStudy | None = None) -> None:
        try:
            with FileLock(self.store.root / f".{MEMORY}.lock", timeout=wait):
                for name in self.names:
                    if name not in self._given_up:
                        self._guarded(name, found)
        except Timeout:  # another process logs this folder, including these runs
            return
        except (OSError, NotImplementedError) as error:  # the lock cannot be made
            for name in self.names:
                self._give_up(name, error)

    def _guarded(self, name: str, found: LoggedStudy | None) -> None:
        try:
            if name not in self._open:
                module = importlib.import_module(f"taskaffinity.tracking.{name}")
                self._open[name] = module.open_tracker(self.study, self.store.root)
            self._log_one(name, self._open[name], found)
        except Exception as error:  # no error of a tracker may end the study
            self._give_up(name, error)

    def _give_up(self, name: str, error: Exception) -> None:
        if name in self._given_up:
            return
        self._given_up.add(name)
        self.warn(
            f"--report-to {name}: disabled, training continues ({_in_a_line(error)}); "
            "the same command logs the rest later"
        )

    def _log_one(self, name: str, tracker: Tracker, found: LoggedStudy | None) -> None:
        path = self.store.root / MEMORY
        memory = _read_memory(path)
        if _FOLDER not in memory:
            memory[_FOLDER] = uuid4().hex
            write_json(path, memory)
        logged = memory.setdefault(f"{name} {_PASSWORD.sub('://', tracker.where)}".strip(), {"found": {}})
        results = logged.setdefault("results", {})
        for spec in self._specs:
            if spec in self.store and results.get(spec.run_id) != self.store.fingerprint(spec):
                run = run_to_log(self.study, self.store, spec)
                tracker.log_run(replace(run, tags={**run.tags, _FOLDER: memory[_FOLDER]}))
                results[spec.run_id] = run.fingerprint
                write_json(path, memory)
        if found is not None and logged["found"].get(found.table.name) != (mark := _mark(found.table)):
            tracker.log_study(replace(found, tags={**found.tags, _FOLDER: memory[_FOLDER]}))
            logged["found"][found.table.name] = mark
            write_json(path, memory)


@dataclass(frozen=True)
class _Logged:
    """The entry of one tracker in ``tracked.json``: a hash of each table and each run's result."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    found: dict[str, str]
    results: dict[str, str] = field(default_factory=dict)


def _read_memory(path: Path) -> dict[str, Any]:
    """Return what was logged to which tracker; empty if nothing was.

    Raises
    ------
    InputError
        If the file is broken.
    """
    if not path.is_file():
        return {}
    content = read_regular(path)
    try:
        trackers = parse_model(content, dict[str, Any])
        identity = trackers.pop(_FOLDER, "")
        parse_model(json.dumps(trackers), dict[str, _Logged])
        if not isinstance(identity, str):
            raise ValueError(f"{_FOLDER} is {shown(identity)}; expected a text")
    except ValueError as error:
        raise InputError(f"{path}: {error}; delete it, and all runs are logged again") from None
    memory: dict[str, Any] = json.loads(content)
    return memory


def _mark(path: Path) -> str:
    return hashlib.sha256(read_regular(path)).hexdigest()[:16]


def _in_a_line(error: Exception) -> str:
    """Return the error's type and first line, without the password of a URL."""
    said = printable(_PASSWORD.sub("://", str(error).strip().partition("\n")[0]))
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
