"""A study: what was asked, resolved. Its plan follows from it, so a results folder can be read without the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskaffinity.runs.files import read_json, write_json
from taskaffinity.runs.plan import Plan, pairwise
from taskaffinity.runs.spec import EncoderRef, Recipe, TaskRef


@dataclass(frozen=True)
class StudiedTask:
    """What the reading wing needs to know of a task."""

    name: str
    title: str
    kind: str
    metric: str
    """A key of ``tasks.metrics.METRICS``."""
    fingerprint: str
    sizes: Mapping[str, int]
    """Examples a split, before any cap."""

    @property
    def ref(self) -> TaskRef:
        return (self.name, self.fingerprint)


@dataclass(frozen=True)
class Study:
    """One pairwise study, the content of ``study.json``."""

    suite: str
    tasks: tuple[StudiedTask, ...]
    """In the suite's order, which figures and tables keep."""
    encoder: EncoderRef
    recipe: Recipe
    seeds: tuple[int, ...]
    full: bool = False
    synthetic: bool = False
    protocol: str = "honest"
    versions: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def plan(self) -> Plan:
        return pairwise([task.ref for task in self.tasks], self.encoder, self.recipe, self.seeds, full=self.full)

    def write(self, root: Path) -> None:
        """``root/study.json``."""
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / "study.json", dataclasses.asdict(self))

    @classmethod
    def read(cls, root: Path) -> Study:
        """The study of a results folder.

        Raises
        ------
        FileNotFoundError
            If there is no ``study.json``: the line says what makes one.
        ValueError
            If the file is not a study.
        """
        path = root / "study.json"
        if not path.is_file():
            raise FileNotFoundError(f"{root}: no study.json here; a results folder is made by `taskaffinity pairwise`")
        content: dict[str, Any] = read_json(path)
        try:
            return cls(
                **{
                    **content,
                    "tasks": tuple(StudiedTask(**card) for card in content["tasks"]),
                    "encoder": EncoderRef(**content["encoder"]),
                    "recipe": Recipe(**content["recipe"]),
                    "seeds": tuple(content["seeds"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: not a study of this version: {error}") from error
