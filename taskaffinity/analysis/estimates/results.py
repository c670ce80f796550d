"""The estimates of a study, as ``taskaffinity estimate`` returns them and reads them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from taskaffinity.analysis.estimates.design_file import check_probed_study, read_design
from taskaffinity.analysis.estimates.gather import Gathered
from taskaffinity.analysis.estimates.probes import Estimate, estimates_frame
from taskaffinity.analysis.estimates.validation import Agreement, agreement, estimator_scores, noise_ceiling
from taskaffinity.analysis.estimates.words import estimate_cautions
from taskaffinity.analysis.measure import measure
from taskaffinity.errors import InputError
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


@dataclass(frozen=True)
class EstimateResults:
    """The estimates of a study."""

    root: Path
    study: Study
    design: ProbeDesign
    rows: tuple[Estimate, ...]
    share: float
    """Cost of the probes in updates, as a share of the training of all pairs."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Reason of each run that failed now, by name."""

    @classmethod
    def of(cls, study: Study, root: Path, design: ProbeDesign, failed: Mapping[str, str] = {}) -> EstimateResults:
        """Make the estimates from the finished probes of a results folder.

        Raises
        ------
        InputError
            If a file of a run is damaged.
        """
        gathered = Gathered(study, RunStore(root), design)
        return cls(root, study, design, tuple(gathered.rows()), gathered.share(), failed)

    @classmethod
    def load(cls, root: str | Path) -> EstimateResults:
        """Read the estimates of a results folder again, from its probes.

        Raises
        ------
        InputError
            If the folder has no estimates, those of another study, or a damaged file.
        """
        root = Path(root)
        try:
            study = Study.load(root)
            design, _ = read_design(root)
        except FileNotFoundError:
            raise InputError(f"{root}: no estimates here; `taskaffinity estimate` makes them") from None
        except InputError:
            raise
        except ValueError as error:  # names the file
            raise InputError(str(error)) from error
        check_probed_study(root, study)
        return cls.of(study, root, design)

    @property
    def cautions(self) -> list[str]:
        """A line for each known reason why the estimates are unreliable."""
        return estimate_cautions(len(self.study.tasks), [row.source_learned for row in self.rows if not row.reason])

    def to_frame(self) -> pd.DataFrame:
        """One row per arrow, with the columns of ``estimates.csv``."""
        return estimates_frame(self.rows, [task.name for task in self.study.tasks])

    def validate(self) -> tuple[list[Agreement], float]:
        """Compare every estimator with the gains that the folder has measured, and give the noise ceiling.

        Raises
        ------
        InputError
            If no arrow has both an estimate and a measured gain, or ``estimators.csv`` is damaged.
        """
        matrix = measure(self.study, RunStore(self.root))
        gains = pd.DataFrame(
            [
                (matrix.tasks[s], matrix.tasks[t], matrix.gain[s, t], str(matrix.verdict[s, t]))
                for s, t in matrix.arrows
                if matrix.gain[s, t] == matrix.gain[s, t]  # not NaN
            ],
            columns=["source", "target", "gain", "verdict"],
        )
        frame = self.to_frame()
        arrows = frame[frame.reason == ""].merge(gains, on=["source", "target"], validate="1:1")
        if arrows.empty:
            raise InputError(f"{self.root}: no arrow has both an estimate and a measured gain; train its pairs first")
        improves, degrades = ((arrows.verdict == word).to_numpy() for word in ("improves", "degrades"))
        places = pd.MultiIndex.from_frame(arrows[["source", "target"]])
        found = [
            agreement(arrows, name, scores.reindex(places).to_numpy(float), improves, degrades)
            for name, scores in estimator_scores(frame, self.study, self.root).items()
        ]
        return found, noise_ceiling(self.study, RunStore(self.root))
