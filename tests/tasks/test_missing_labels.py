"""A class that has the name of a missing label is named in a note, unless the suite file lists it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from one_task import read

from taskaffinity.tasks.task import SPLITS


def written(folder: Path, missing: object) -> Path:
    """Tables whose labels pandas made text of, so that a missing one has a name."""
    for split in SPLITS:
        labels = pd.Series(["yes", missing, "no"] * 2, dtype=object).map(str)
        frame = pd.DataFrame({"text": [f"{split} {number}" for number in range(6)], "label": labels})
        frame.to_csv(folder / f"{split}.csv", index=False)
    return folder


@pytest.mark.parametrize("missing", [np.nan, pd.NA, pd.NaT], ids=str)
def test_a_missing_label_that_became_a_class_is_named(missing: object, tmp_path: Path) -> None:
    task = read(written(tmp_path, missing), "kind: classification, path: .")
    assert task.notes == (f"'{missing}' is a class; programs write it for a missing label",)


def test_a_class_that_is_listed_or_has_another_name_has_no_note(tmp_path: Path) -> None:
    listed = 'kind: classification, path: ., labels: ["yes", "no", "nan"]'
    assert read(written(tmp_path, np.nan), listed).notes == ()
    assert read(written(tmp_path, None), "kind: classification, path: .").notes == ()
