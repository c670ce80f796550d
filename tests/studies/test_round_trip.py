"""A study that is written as tables and read back has the same edges.csv, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import taskaffinity as ta
from taskaffinity.analysis.cautions.of_data import describe_data
from taskaffinity.runs.studied_task import Leak
from taskaffinity.schedule.resources import Resources
from taskaffinity.tasks.planted import CLINICAL
from taskaffinity.tasks.reading import Reading

pytestmark = pytest.mark.usefixtures("no_figures")

ALL = ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")


def with_notes(study: Any) -> Any:
    """The same runs of a study that has every note on its data."""
    first, second, *more = study.study.tasks
    sampled = {"used": {"train": 64, "test": 50}, "long_rows": {"train": 0.255, "test": 0.049}}
    sampled |= {"unknown_tokens": {"train": 0.615, "test": 0.049}}
    cards = (replace(first, **sampled), replace(second, reading=Reading(max_length=64), long_rows={"test": 0.1}), *more)
    leaks = [
        Leak(task, other, f"leak: {words} of {task} test {is_also} {other} train")
        for task, other, words, is_also in (
            (second.name, second.name, "1,000 texts", "also in"),
            (first.name, second.name, "1 text", "also in"),
            (second.name, second.name, "1 row", "whose document is also in"),
        )
    ]
    return replace(study, study=replace(study.study, tasks=cards, leaks=tuple(leaks)))


def check_read_back(trained: ta.PairwiseResults, tmp_path: Path, expected: bytes) -> None:
    """Write the three tables as CSV, read them with no further option, and compare ``edges.csv``."""
    (tables := tmp_path / "tables").mkdir()
    for name, table in zip(("scores", "predictions"), trained.to_tables(), strict=True):
        table.to_csv(tables / f"{name}.csv", index=False)
    trained.to_facts().to_csv(tables / "facts.csv", index=False)
    ta.verdicts(
        tables / "scores.csv",
        predictions=tables / "predictions.csv",
        facts=tables / "facts.csv",
        output_dir=tmp_path / "read",
        rule=trained.study.rule,
    )
    assert (tmp_path / "read/edges.csv").read_bytes() == expected


def test_notes_are_read_back_too(tiny_study: Callable[..., Any], tmp_path: Path) -> None:
    study = with_notes(tiny_study(num_train_epochs=3))
    study.train(tmp_path / "trained", resources=Resources("local"))
    expected = study.edges(tmp_path / "trained")
    trained = ta.PairwiseResults.load(tmp_path / "trained")
    notes = " ".join(trained.to_frame().notes)
    for note in (
        "is sampled (64 of 1,000 train",
        "long rows (26% of train)",
        "unknown tokens (62% of train)",
        "leak: 1,000 texts",
        "learned in single",
    ):
        assert note in notes
    check_read_back(trained, tmp_path, expected)
    read = ta.PairwiseResults.load(tmp_path / "read")
    assert describe_data(read.study) == describe_data(trained.study)
    again = tmp_path / "again"
    again.mkdir()
    check_read_back(read, again, expected)  # what was read can be exported in its turn


def test_a_study_without_predictions_is_read_back_from_its_counts(
    tiny_study: Callable[..., Any], tmp_path: Path
) -> None:
    study = with_notes(tiny_study(tasks=("mednli", "shareclefe", "i2b2-2010-re")))
    study.train(tmp_path / "trained", resources=Resources("local"))
    expected = study.edges(tmp_path / "trained")
    for path in (tmp_path / "trained").glob("runs/*/predictions.parquet"):
        path.unlink()
    check_read_back(ta.PairwiseResults.load(tmp_path / "trained"), tmp_path, expected)


def check_round_trip(study: Any, tmp_path: Path, ending: str) -> None:
    study.train(tmp_path / "trained", resources=Resources("local"))
    expected = study.edges(tmp_path / "trained")
    trained = ta.PairwiseResults.load(tmp_path / "trained")
    paths = [tmp_path / f"{name}.{ending}" for name in ("scores", "predictions")]
    for table, path in zip(trained.to_tables(), paths, strict=True):
        table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    tasks = [CLINICAL[card.name] for card in trained.study.tasks]
    found = ta.verdicts(
        paths[0],
        predictions=paths[1],
        metric={task.name: task.metric_name for task in tasks},
        negative={task.name: task.negative for task in tasks if task.negative},
        output_dir=tmp_path / "read",
    )
    assert (tmp_path / "read/edges.csv").read_bytes() == expected
    assert found.study.rule == trained.study.rule
    known = {card.name: (card.metric, card.has_negative) for card in found.study.tasks}
    assert known.keys() == {card.name for card in trained.study.tasks}
    (tmp_path / "with-facts").mkdir()
    check_read_back(trained, tmp_path / "with-facts", expected)


def test_a_trained_study_read_back_has_the_same_edges(tiny_study: Callable[..., Any], tmp_path: Path) -> None:
    check_round_trip(tiny_study(), tmp_path, "csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [{}, {"evaluate_after": "finetune"}, {"init_from": "multitask"}],
    ids=["joint", "finetune", "multitask"],
)
def test_every_kind_of_task_and_design(tiny_study: Callable[..., Any], tmp_path: Path, design: dict[str, str]) -> None:
    check_round_trip(tiny_study(tasks=ALL, **design), tmp_path, "parquet")


def test_a_design_with_other_arms_is_refused(tiny_study: Callable[..., Any], tmp_path: Path) -> None:
    study = replace(tiny_study().study, baseline="compute-matched")
    with pytest.raises(ta.InputError, match="to_tables: found the design compute-matched"):
        ta.PairwiseResults(tmp_path, study).to_tables()


def test_the_committed_results_are_read_back(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "notebooks/example_results"
    example = ta.PairwiseResults.load(folder)
    scores, predictions = example.to_tables()
    assert set(scores.groupby(["target", "source"]).size()) == {3, 6}
    assert (predictions[["gold", "predicted"]] == "").all(axis=None)  # they store none
    check_read_back(example, tmp_path, (folder / "edges.csv").read_bytes())


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("init_from", ["encoder", "multitask"], "a second init from"),
        ("evaluated_after", ["later"] * 2, "scores: evaluated_after: found .*; expected joint or finetune"),
        ("synthetic", ["maybe"] * 2, "expected false or true"),
    ],
)
def test_what_a_table_says_of_the_training_is_checked(column: str, values: list[str], said: str) -> None:
    rows = [("rte", source, seed, 0.5 + seed / 10) for source in ("", "mnli") for seed in range(2)]
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"]).assign(**{column: values * 2})
    with pytest.raises(ta.InputError, match=said):
        ta.PairwiseResults.from_scores(frame)


def test_results_from_scores_leave_no_file_behind() -> None:
    rows = [("rte", source, seed, 0.5 + seed / 10) for source in ("", "mnli") for seed in range(2)]
    found = ta.PairwiseResults.from_scores(pd.DataFrame(rows, columns=["target", "source", "seed", "score"]))
    root = found.root
    assert found.to_frame().estimand.unique().tolist() == ["test-set"]
    assert not (root / "edges.csv").exists()
    del found
    assert not root.exists()
