"""The copy of the suite file in a results folder: what the study read, whatever happens to the file meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.studies.folders import keep_suite_file


@pytest.mark.parametrize("then", ["changed", "removed"])
def test_a_suite_file_that_changes_while_a_study_trains_is_kept_as_it_was_read(then: str, tmp_path: Path) -> None:
    file, root = tmp_path / "mine.yaml", tmp_path / "results"
    root.mkdir()
    file.write_text("name: before\n")
    with keep_suite_file(file, root):
        assert not (root / "suite.yaml").exists()
        if then == "changed":
            file.write_text("name: after\n")
        else:
            file.unlink()
    assert (root / "suite.yaml").read_text() == "name: before\n"


@pytest.mark.parametrize(("error", "is_kept"), [(KeyboardInterrupt, True), (InputError, False)])
def test_an_interrupted_study_keeps_it_and_a_refused_one_does_not(
    error: type[BaseException], is_kept: bool, tmp_path: Path
) -> None:
    file, root = tmp_path / "mine.yaml", tmp_path / "results"
    root.mkdir()
    file.write_text("name: before\n")
    with pytest.raises(error), keep_suite_file(file, root):
        raise error
    assert (root / "suite.yaml").exists() == is_kept
