"""A results folder: the study that was asked, and the store of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, Study


@dataclass(frozen=True)
class Results:
    """What lies in a results folder.

    Examples
    --------
    In a checkout of this repository:

    >>> results = Results.load("notebooks/example_results")
    >>> results.study.suite, len(results.study.plan)
    ('clinical', 42)
    """

    root: Path
    study: Study

    @cached_property
    def store(self) -> RunStore:
        """The runs of the folder."""
        return RunStore(self.root)

    @classmethod
    def load(cls, root: str | Path, design: Design = "pairwise") -> Results:
        """Read the study of a results folder.

        Raises
        ------
        InputError
            If the folder holds no study of this design, or a broken one.
        """
        try:
            return cls(Path(root), Study.load(root, design))
        except (FileNotFoundError, ValueError) as error:
            raise InputError(str(error)) from error
