"""Follow a study, and tell its trackers of every run that is finished: each once, also over restarts.

``tracked.json`` in the results folder remembers what was told to whom, and with which result: a run that was trained
again is told again. A tracker that fails is given up with one line, and the study goes on; what it missed is told when
the same command is given again.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from taskaffinity.errors import InputError, meant
from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Progress
from taskaffinity.tracking.events import ToldStudy, Tracker, told_run, told_study

MEMORY = "tracked.json"
PACKAGES = {"mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb": "wandb"}
"""Tracker, a module of this folder with an ``open_tracker`` -> the package that it needs."""

_FOLDER = "folder"
"""Under which the memory and the tags have an id of the results folder: names of folders are no different."""
_INSTALL = 'pip install -c constraints.txt -e ".[track]"'
_PASSWORD = re.compile(r"://[^/\s@]*@")
_LONGEST = 160
_LAST_WAIT = 30.0
"""Seconds that the end waits for another process that tells of the same folder."""


def trackers_named(asked: Iterable[str]) -> list[str]:
    """The trackers of ``--report-to``, each once.

    Raises
    ------
    InputError
        One that there is not, or whose package is not here.

    Examples
    --------
    >>> trackers_named(["tensorboard", "tensorboard,"])
    ['tensorboard']
    """
    names = dict.fromkeys(name.strip() for part in asked for name in part.split(",") if name.strip())
    for name in names:
        if name not in PACKAGES:
            raise InputError(
                f"--report-to {name}: no such tracker; there are {', '.join(PACKAGES)}{meant(name, PACKAGES)}"
            )
        if find_spec(PACKAGES[name]) is None:
            raise InputError(f"--report-to {name}: needs the package {PACKAGES[name]}, which is not here; {_INSTALL}")
    return list(names)


@dataclass
class RunTracker:
    """Follows one study; its ``update`` is a ``on_progress`` for ``conduct``. Without ``names`` it does nothing.

    Nothing is opened before the first look, when it is known that the study can be trained.
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
        """Tell of what was finished since the last look; nothing, where ``progress`` says that nothing was."""
        if self.names and (progress is None or progress.done != self._seen):
            self._seen = progress.done if progress else None
            self._tell(wait=0.0)

    def end(self) -> None:
        """Tell of the last runs, and of what was published."""
        if self.names:
            self._tell(wait=_LAST_WAIT, found=told_study(self.study, self.store))

    def _tell(self, wait: float, found: ToldStudy | None = None) -> None:
        try:
            with FileLock(self.store.root / f".{MEMORY}.lock", timeout=wait):
                for name in self.names:
                    if name not in self._given_up:
                        self._guarded(name, found)
        except Timeout:  # another process of this folder is at it, and tells of these runs too
            return

    def _guarded(self, name: str, found: ToldStudy | None) -> None:
        try:
            if name not in self._open:
                module = importlib.import_module(f"taskaffinity.tracking.{name}")
                self._open[name] = module.open_tracker(self.study, self.store.root)
            self._tell_one(name, self._open[name], found)
        except Exception as error:  # whatever a tracker raises: it is not what the study is about
            self._given_up.add(name)
            self.warn(
                f"--report-to {name}: stopped, the study goes on ({_in_a_line(error)}); the same command tells it later"
            )

    def _tell_one(self, name: str, tracker: Tracker, found: ToldStudy | None) -> None:
        path = self.store.root / MEMORY
        memory: dict[str, Any] = read_json(path) if path.is_file() else {}
        if _FOLDER not in memory:
            memory[_FOLDER] = uuid4().hex
            write_json(path, memory)
        told = memory.setdefault(f"{name} {_PASSWORD.sub('://', tracker.where)}".strip(), {"found": {}})
        results = told.setdefault("results", {})
        for spec in self._specs:
            if spec in self.store and results.get(spec.run_id) != self.store.fingerprint(spec):
                run = told_run(self.study, self.store, spec)
                tracker.log_run(replace(run, tags={**run.tags, _FOLDER: memory[_FOLDER]}))
                results[spec.run_id] = run.fingerprint
                write_json(path, memory)
        if found is not None and told["found"].get(found.table.name) != (mark := _mark(found.table)):
            tracker.log_study(replace(found, tags={**found.tags, _FOLDER: memory[_FOLDER]}))
            told["found"][found.table.name] = mark
            write_json(path, memory)


def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _in_a_line(error: Exception) -> str:
    """Type and first line, without what a URL may hold before its host."""
    said = _PASSWORD.sub("://", str(error).strip().partition("\n")[0])
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
