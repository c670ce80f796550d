"""The open clinical suite: its rows, where its data are found, and that synthetic text never replaces them."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app
from taskaffinity.errors import InputError
from taskaffinity.studies.defaults import DEFAULT_ENCODERS
from taskaffinity.tasks.blue import BLUE_TASKS, CLINICAL
from taskaffinity.tasks.catalog import LISTED, find_suite
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.open_clinical import OPEN_CLINICAL, OPEN_CLINICAL_TASKS
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example


def write(data: Path, name: str) -> None:
    row = OPEN_CLINICAL_TASKS[name]
    card = TaskCard(kind=row.kind, labels=row.labels, negative=row.negative, title=row.title)
    splits = {}
    for split in SPLITS:
        example = Example(split, row.labels[0] if row.labels else 1.0, "vorpal", "mimsy")
        if row.kind == "ner":
            example = Example(split, (f"B-{row.labels[0]}",), words=("vorpal",))
        splits[split] = [Row(example)]
    write_task(data / name, card, splits)


def test_it_has_the_shapes_of_the_clinical_suite() -> None:
    assert OPEN_CLINICAL == ("ehr-rel", "lct-condition", "lct-relation", "rqe")
    assert not set(OPEN_CLINICAL) & set(BLUE_TASKS)
    kinds = sorted(task.kind for task in OPEN_CLINICAL_TASKS.values())
    assert kinds == sorted(BLUE_TASKS[name].kind for name in CLINICAL)
    assert {row.domain for row in OPEN_CLINICAL_TASKS.values()} == {"open-clinical"}


def test_its_encoder_is_the_clinical_one() -> None:
    assert set(DEFAULT_ENCODERS) == set(LISTED)
    assert DEFAULT_ENCODERS["open-clinical"] == DEFAULT_ENCODERS["clinical"]


def test_its_corpora_can_be_prepared() -> None:
    from taskaffinity.corpora.prepare import CORPORA

    assert [name for row in OPEN_CLINICAL_TASKS.values() for name in CORPORA[row.corpus].tasks if name == row.name] == [
        *OPEN_CLINICAL
    ]


def test_nothing_stands_in_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_suite("open-clinical")
    message = str(caught.value)
    assert "\n" not in message
    for corpus in ("ehr-rel", "lct", "rqe"):
        assert message.count(f"`taskaffinity data prepare {corpus} --raw DIR --out data`") == 1


def test_a_run_without_data_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["pairwise", "--domain", "open-clinical"])
    assert isinstance(result.exception, InputError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["given", "here", "environment"])
def test_its_folders_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in OPEN_CLINICAL:
        write(tmp_path / "data", name)
    if how == "environment":
        monkeypatch.setenv("TASKAFFINITY_DATA", str(tmp_path / "data"))
        monkeypatch.chdir("/")
    suite = find_suite("open-clinical", tmp_path / "data" if how == "given" else None)
    assert (suite.name, suite.synthetic) == ("open-clinical", False)
    assert [task.name for task in suite] == list(OPEN_CLINICAL)


def test_what_is_missing_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "lct-condition")
    (tmp_path / "lct-condition/dev.jsonl").unlink()
    write(tmp_path, "rqe")
    with pytest.raises(InputError) as caught:
        find_suite("open-clinical", tmp_path)
    message = str(caught.value)
    assert (
        "suite open-clinical lacks ehr-rel (no folder); lct-condition (dev.jsonl); lct-relation (no folder)" in message
    )
    assert message.count("data prepare lct ") == 1
    assert "prepare rqe" not in message


def test_a_misspelt_suite_gets_a_hint() -> None:
    with pytest.raises(InputError, match=r"no such suite; there are .*open-clinical.*did you mean open-clinical\?"):
        find_suite("open_clinical")
