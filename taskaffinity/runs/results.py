"""A results folder: its study, and the store of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study


@dataclass(frozen=True, repr=False)
class Results:
    """The content of a results folder.

    Examples
    --------
    In a checkout of this repository:

    >>> results = Results.load("notebooks/example_results")
    >>> results.study.suite, len(results.study.plan)
    ('clinical', 42)
    >>> results
    Results('notebooks/example_results': clinical, 4 tasks, 42 of 42 runs done)
    """

    root: Path
    study: Study
    design: ClassVar[Design] = "pairwise"

    def __repr__(self) -> str:
        done = sum(spec in self.store for spec in self.study.plan)
        counts = f"{len(self.study.tasks)} tasks, {done} of {len(self.study.plan)} runs done"
        return f"{type(self).__name__}({str(self.root)!r}: {self.study.suite}, {counts})"

    @cached_property
    def store(self) -> RunStore:
        """The runs of the folder."""
        return RunStore(self.root)

    @classmethod
    def load(cls, root: str | Path) -> Self:
        """Read the study of a results folder.

        Raises
        ------
        InputError
            If the folder holds no study of pairs, or a broken one.
        """
        try:
            return cls(Path(root), Study.load(root, cls.design))
        except (FileNotFoundError, ValueError) as error:
            raise InputError(str(error)) from error
