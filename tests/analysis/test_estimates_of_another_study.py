"""Estimates of a study that was replaced: they are not used, and one line says why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study, write_estimates
from typer.testing import CliRunner

import taskaffinity as ta
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.estimates.design_file import describe_other_study, read_design, write_design
from taskaffinity.analysis.estimates.results import EstimateResults
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.cli import app
from taskaffinity.errors import InputError
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies.admission import check_admitting_estimates, with_admission

NAMES = ("a", "b", "c")
ROWS = {(s, t): {"probe": 9.0} for s in NAMES for t in NAMES if s != t}
DESIGN = ProbeDesign(steps=30, repeats=2, share=0.2)


def with_epochs(study: Study, epochs: int) -> Study:
    return replace(study, recipe=replace(study.recipe, num_train_epochs=epochs))


def replaced(root: Path) -> Study:
    """A folder whose study of one epoch replaced the study of four that its estimates are of; one pair is measured."""
    old, new = (with_epochs(make_study(NAMES), epochs) for epochs in (4, 1))
    write_estimates(root, ROWS, old)
    new.write(root)
    fill(new, root, latent_counts({}), skip=lambda spec: len(spec.task_names) > 1 and "c" in spec.task_names)
    return new


SAID = "estimates.csv is of num_train_epochs=4 (the study has 1)"


def test_estimates_of_another_recipe_enter_no_matrix_and_the_words_say_so(tmp_path: Path) -> None:
    study = replaced(tmp_path)
    matrix = PairwiseResults.load(tmp_path).matrix
    assert matrix.estimates is None
    assert "Not measured, estimated" not in describe(matrix)
    line = f"{tmp_path}: {SAID}, so it is not used; run `taskaffinity estimate` again, or move it away."
    assert describe_advice(matrix)[-1] == line
    publish(study, RunStore(tmp_path), tmp_path)
    assert line in (tmp_path / "affinity.txt").read_text().splitlines()
    assert "estimates from short probes" not in (tmp_path / "heatmap.svg").read_text()
    (tmp_path / "estimates.csv").unlink()
    assert PairwiseResults.load(tmp_path).matrix.estimates_ignored == ""


def test_groups_have_no_estimate_of_another_recipe(tmp_path: Path) -> None:
    replaced(tmp_path)
    done = CliRunner().invoke(app, ["group", str(tmp_path), "--groups=3", "--draws=0"])
    assert (done.exit_code, "~" in done.output) == (0, False), done.output
    assert SAID in done.output
    content = json.loads(CliRunner().invoke(app, ["group", str(tmp_path), "--groups=3", "--json"]).output)
    assert (content["estimated_gains"], SAID in content["estimates_ignored"]) == (0, True)
    assert SAID in CliRunner().invoke(app, ["group", str(tmp_path), "--for=c"]).output
    with pytest.raises(InputError, match=r"4 of 6 gains have no bound.*num_train_epochs=4 \(the study has 1\)"):
        ta.group(tmp_path, groups=1)


def test_estimates_of_another_recipe_admit_no_pair(tmp_path: Path) -> None:
    old, new = (with_epochs(make_study(NAMES, seeds=range(4), interim_seeds=(2, 4)), epochs) for epochs in (4, 1))
    write_estimates(tmp_path, ROWS, old)
    replace(old, interim_seeds=()).write(tmp_path)
    of_old = with_admission(old, tmp_path, 1.0)
    check_admitting_estimates(of_old, tmp_path)
    of_new = with_admission(new, tmp_path, 1.0, replaces=True)
    with pytest.raises(InputError) as fault:
        check_admitting_estimates(of_new, tmp_path, replaces=True)
    assert str(fault.value) == (
        f"--by-estimates: {tmp_path}: {SAID}; run `taskaffinity estimate` with these settings and another --results "
        "first"
    )
    replace(new, interim_seeds=()).write(tmp_path)  # replaced already: the same command estimates it here
    with pytest.raises(InputError, match=r"\(the study has 1\); run `taskaffinity estimate` again, or move it away"):
        check_admitting_estimates(of_new, tmp_path)
    of_new.write(tmp_path)  # what a stored study has decided needs no estimates
    check_admitting_estimates(of_new, tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: replace(one, recipe=replace(one.recipe, batch_size=2)), "batch_size="),
        (lambda one: replace(one, encoder=replace(one.encoder, fingerprint="other")), "an earlier version of encoder"),
        (
            lambda one: replace(one, tasks=(replace(one.tasks[0], fingerprint="other"), *one.tasks[1:])),
            "other data of a",
        ),
        (lambda one: replace(one, baseline="compute-matched"), "baseline=single (the study has compute-matched)"),
        (lambda one: replace(one, tasks=one.tasks[1:]), ""),
        (lambda one: replace(one, seeds=tuple(range(7)), controls=True), ""),
    ],
)
def test_recipe_encoder_and_data_make_another_study_and_seeds_do_not(change: object, said: str, tmp_path: Path) -> None:
    study = make_study(NAMES)
    write_estimates(tmp_path, ROWS, study)
    found = describe_other_study(tmp_path, change(study))  # type: ignore[operator]
    assert said in found if said else found == ""


def test_a_file_of_an_older_version_is_not_used_and_says_what_would_help(tmp_path: Path) -> None:
    replaced(tmp_path)
    (tmp_path / "estimate.json").write_text('{"steps": 30, "repeats": 2, "share": 0.2}')
    assert read_design(tmp_path) == (DESIGN, None)
    matrix = PairwiseResults.load(tmp_path).matrix
    assert matrix.estimates is None
    assert matrix.estimates_ignored.endswith(
        "estimates.csv is of an older version, and estimate.json does not say which study it is of, so it is not "
        "used; run `taskaffinity estimate` again, or move it away."
    )
    (tmp_path / "estimate.json").write_text('{"steps": 30, "repeats": 2, "share": 0.2, "study": {"suite": 1}}')
    with pytest.raises(InputError, match=r"estimate.json: .*move it away, and run `taskaffinity estimate` again$"):
        _ = PairwiseResults.load(tmp_path).matrix


def test_a_validation_refuses_the_estimates_of_another_study(tmp_path: Path) -> None:
    replaced(tmp_path)
    done = CliRunner().invoke(app, ["estimate", "--validate", "--results", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert SAID in str(done.exception)
    with pytest.raises(InputError, match="run `taskaffinity estimate` again, or move it away"):
        EstimateResults.load(tmp_path)


def test_a_new_estimate_removes_the_files_of_the_replaced_study_and_keeps_its_own(tmp_path: Path) -> None:
    study = replaced(tmp_path)
    (tmp_path / "estimators.csv").write_text("of the study of four epochs")
    write_design(tmp_path, DESIGN, study)
    assert not any((tmp_path / name).exists() for name in ("estimates.csv", "estimators.csv"))
    (tmp_path / "estimates.csv").write_text("of this study")
    write_design(tmp_path, DESIGN, study)
    assert (tmp_path / "estimates.csv").read_text() == "of this study"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("study.json", "{", "study.json: not a study of this version of taskaffinity: line 1: not JSON; move it away"),
        ("estimate.json", "{", "estimate.json: line 1: not JSON; move it away, and run `taskaffinity estimate` again"),
        ("estimate.json", None, "estimate.json: found a folder; expected a regular file; move it away, and "),
    ],
)
def test_a_damaged_file_of_estimates_is_named_once(name: str, damage: str | None, said: str, tmp_path: Path) -> None:
    study = make_study(NAMES)
    study.write(tmp_path)
    fill(study, tmp_path, latent_counts({}))
    write_estimates(tmp_path, ROWS, study)
    path = tmp_path / name
    path.unlink()
    if damage is None:
        path.mkdir()
    else:
        path.write_text(damage)
    with pytest.raises(InputError) as of_validate:
        EstimateResults.load(tmp_path)
    assert str(of_validate.value).startswith(f"{tmp_path}/{said}")
    with pytest.raises(InputError) as of_matrix:
        _ = PairwiseResults.load(tmp_path).matrix
    assert str(of_matrix.value) == str(of_validate.value)
    assert str(of_matrix.value).count(str(tmp_path)) == 1
    path.rename(tmp_path / "away")
    if name == "estimate.json":
        write_design(tmp_path, DESIGN, study)  # as `estimate` does
        assert EstimateResults.load(tmp_path).design == DESIGN
