"""A study that is written as tables and read back has the same edges.csv, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import taskaffinity as ta
from taskaffinity.schedule.resources import Resources
from taskaffinity.tasks.planted import CLINICAL

pytestmark = pytest.mark.usefixtures("no_figures")

ALL = ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")


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


def test_without_predictions_a_study_gives_its_scores() -> None:
    example = ta.PairwiseResults.load(Path(__file__).parents[2] / "notebooks/example_results")
    scores, predictions = example.to_tables()
    assert predictions.empty
    assert set(scores.groupby(["target", "source"]).size()) == {3, 6}
    read = ta.PairwiseResults.from_scores(scores).to_frame()
    same = ["source", "target", "evaluated_after", "init_from", "synthetic", "seeds_pair", "seeds_single"]
    pd.testing.assert_frame_equal(read[same], example.to_frame()[same], check_dtype=False)


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
