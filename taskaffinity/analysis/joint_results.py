"""What a study of joint training shows, read from its results folder: in stages, or trained once. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from taskaffinity.analysis.encoder_folders import encoder_study_folders
from taskaffinity.errors import as_user_error
from taskaffinity.runs.results import Results
from taskaffinity.runs.study import Design

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class StagesResults(Results):
    """A study of the whole set: every task single-task, in the multi-task model, and fine-tuned from it."""

    design: ClassVar[Design] = "full"
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per task and stage: score, gain over single-task training, and interval, in points."""
        from taskaffinity.analysis.paper.stages import stage_scores, stages_frame

        with as_user_error():
            return stages_frame(self.study, stage_scores(self.study, self.store))

    @property
    def advice(self) -> list[str]:
        """Lines on collapsed runs, undertrained single-task runs and the data."""
        from taskaffinity.analysis.cautions.advice import describe_stage_advice

        with as_user_error():
            return describe_stage_advice(self.study, self.store)


@dataclass(frozen=True, repr=False)
class TrainResults(Results):
    """One joint training of all tasks, with a model per seed."""

    design: ClassVar[Design] = "train"
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed just now, with the reason of each."""

    def to_frame(self) -> pd.DataFrame:
        """One row per task and stage, with the columns of ``train.csv``; scores are in points."""
        from taskaffinity.analysis.tables.trained import train_frame

        with as_user_error():
            return train_frame(self.study, self.store)

    @property
    def advice(self) -> list[str]:
        """Lines on collapsed runs and the data."""
        from taskaffinity.analysis.cautions.advice import describe_stage_advice

        with as_user_error():
            return describe_stage_advice(self.study, self.store)


@dataclass(frozen=True)
class EncoderResults:
    """Studies of one suite with several encoders."""

    root: Path
    studies: Sequence[StagesResults]

    @classmethod
    def load(cls, root: str | Path) -> EncoderResults:
        """Read the studies that ``full`` wrote with several encoders.

        Raises
        ------
        InputError
            If ``encoders.csv`` or one of the studies is missing or broken.
        """
        return cls(Path(root), [StagesResults.load(folder) for folder in encoder_study_folders(Path(root))])

    @property
    def failed(self) -> dict[str, str]:
        """Names of the runs that failed just now, with the reason of each."""
        return {name: reason for study in self.studies for name, reason in study.failed.items()}

    @property
    def advice(self) -> list[str]:
        """Lines of the advice of each study; a line that not all of them have begins with the encoders."""
        encoders: dict[str, list[str]] = {}
        for study in self.studies:
            for line in study.advice:
                encoders.setdefault(line, []).append(study.study.encoder.name)
        n = len(self.studies)
        return [line if len(names) == n else f"{', '.join(names)}: {line}" for line, names in encoders.items()]

    def to_frame(self) -> pd.DataFrame:
        """One row per encoder, task and stage, in points."""
        from taskaffinity.analysis.paper.encoders import encoder_scores, encoders_frame

        with as_user_error():
            return encoders_frame(encoder_scores([(one.study, one.store) for one in self.studies]))
