"""The copy of the suite file in a results folder: what the study read, whatever happens to the file meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.study import Study
from taskaffinity.studies.folders import keep_suite_file

Places = tuple[Path, Path, Study]


@pytest.fixture
def places(tmp_path: Path, tiny_study: Callable[..., Any]) -> Places:
    """A suite file, a results folder, and its study."""
    file, root, study = tmp_path / "mine.yaml", tmp_path / "results", tiny_study().study
    study.write(root)
    file.write_text("name: before\n")
    return file, root, study


@pytest.mark.parametrize("then", ["changed", "removed"])
def test_a_suite_file_that_changes_while_a_study_trains_is_kept_as_it_was_read(then: str, places: Places) -> None:
    file, root, study = places
    with keep_suite_file(file, root, study):
        assert not (root / "suite.yaml").exists()
        if then == "changed":
            file.write_text("name: after\n")
        else:
            file.unlink()
    assert (root / "suite.yaml").read_text() == "name: before\n"


@pytest.mark.parametrize(("error", "is_kept"), [(KeyboardInterrupt, True), (InputError, False)])
def test_an_interrupted_study_keeps_it_and_a_refused_one_does_not(
    error: type[BaseException], is_kept: bool, places: Places
) -> None:
    file, root, study = places
    with pytest.raises(error), keep_suite_file(file, root, study):
        raise error
    assert (root / "suite.yaml").exists() == is_kept


def test_a_study_whose_place_another_took_leaves_its_suite_file_alone(places: Places) -> None:
    file, root, study = places
    with keep_suite_file(file, root, study):
        replace(study, recipe=replace(study.recipe, num_train_epochs=99)).write(root)
        (root / "suite.yaml").write_text("name: other\n")
    assert (root / "suite.yaml").read_text() == "name: other\n"
    with keep_suite_file(file, root, study):
        replace(study, keep_models=True).write(root)  # the same, begun anew
    assert (root / "suite.yaml").read_text() == "name: before\n"
