"""Log to Weights & Biases: one W&B run per training run, grouped by suite.

The project is ``taskaffinity`` or ``WANDB_PROJECT``.

``WANDB_MODE=offline`` stores the runs in ``wandb/`` of the results folder, for ``wandb sync``. The client does not send
terminal output, code, git state, or data about the machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskaffinity.regular_file import read_regular
from taskaffinity.runs.study import Study
from taskaffinity.tracking.events import LoggedRun, LoggedStudy

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import wandb

_OFFLINE = {"offline", "disabled", "dryrun"}
_SECONDS = 60.0
_LONGEST_TAG = 64
"""Most characters of a tag; the client refuses a run with a longer one."""


def open_tracker(study: Study, root: Path) -> Project:
    """Open the project; raise if no user is logged in, instead of asking on the terminal."""
    mode = os.environ.get("WANDB_MODE", "online")
    if mode not in _OFFLINE and not wandb.login(prompt=False, verify=False):
        raise PermissionError("not logged in: `wandb login`, or WANDB_MODE=offline")
    where = "offline" if mode in _OFFLINE else os.environ.get("WANDB_BASE_URL", "")
    return Project(os.environ.get("WANDB_PROJECT") or "taskaffinity", where, root)


class Project:
    """One project."""

    def __init__(self, name: str, where: str, root: Path) -> None:
        self.name, self.where, self.root = name, f"{where} {name}".strip(), root

    def log_run(self, run: LoggedRun) -> None:
        with self._begin(run.name, run.tags, "run", run.settings, run.fingerprint) as open_run:
            for epoch, scores in run.epochs:
                open_run.log(dict(scores), step=epoch)
            open_run.summary.update(dict(run.scores))

    def log_study(self, study: LoggedStudy) -> None:
        found = hashlib.sha256(read_regular(study.table)).hexdigest()
        with self._begin(f"{study.table.stem} of {study.suite}", study.tags, "verdicts", {}, found) as open_run:
            artifact = wandb.Artifact(f"{study.suite}-{study.table.stem}", type="verdicts")
            artifact.add_file(str(study.table))
            if study.picture:
                artifact.add_file(str(study.picture))
                open_run.log({study.picture.stem: wandb.Image(str(study.picture))})
            open_run.log_artifact(artifact)

    def _begin(
        self, name: str, tags: Mapping[str, str], job: str, settings: Mapping[str, Any], fingerprint: str
    ) -> Any:
        """Begin a run whose id is a hash of its content.

        An incomplete run is continued. A run that was trained again becomes a new one, because W&B cannot replace a
        curve.
        """
        identity = "\n".join((tags["suite"], tags["results"], name, fingerprint))
        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            init_timeout=_SECONDS,
            finish_timeout=_SECONDS,
            finish_timeout_raises=True,
        )
        return wandb.init(
            project=self.name,
            dir=self.root,
            id=hashlib.sha256(identity.encode()).hexdigest()[:16],
            resume="allow",
            name=name,
            group=tags["suite"],
            job_type=job,
            tags=[tag[:_LONGEST_TAG] for tag in (tags["suite"], tags.get("arm", job), tags["text"].partition(":")[0])],
            config={**settings, **tags},
            reinit="create_new",
            settings=quiet,
        )
