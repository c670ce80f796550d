"""Every CSV table has exactly the columns that ``tables.columns`` describes, in that order."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fake_studies import Counts, fill, latent_counts, make_study

from taskaffinity.analysis.comparison import compare_studies, comparison_frame
from taskaffinity.analysis.estimates.probes import Estimate, estimates_frame
from taskaffinity.analysis.estimates.validation import scores_of_estimators
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.groups.chosen import chosen_groups, group_gains
from taskaffinity.analysis.groups.helper_search import HelperRuns, HelperSearch
from taskaffinity.analysis.groups.retrained import retrained
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.encoders import encoder_scores
from taskaffinity.analysis.paper.figure2 import figure2_frame
from taskaffinity.analysis.publish import (
    publish,
    publish_encoders,
    publish_groups,
    publish_helper_search,
    publish_retrained,
    publish_stages,
    publish_train,
)
from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.analysis.tables.frames import as_csv, frame_of_test_sets
from taskaffinity.analysis.tables.groups import helpers_frame
from taskaffinity.analysis.tables.printed_columns import PRINTED_COLUMNS
from taskaffinity.grouping.helper_race import RaceRule, select_by_racing
from taskaffinity.grouping.helpers import select_helpers
from taskaffinity.runs.group_arrows import leave_one_out
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

TASKS = ("mednli", "clinicalsts")
"""The paper says something of both in its Figure 2."""


def as_f1(target: str, partners: str, seed: int) -> Counts:
    right = latent_counts({}, n=60)(target, partners, seed)[:, 0]
    return np.stack([right, 1 - right, 1 - right], axis=1)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunStore]:
    study = make_study(TASKS, seeds=[0, 1], controls=True, groups=leave_one_out(TASKS))
    root = tmp_path_factory.mktemp("pairs")
    return study, fill(study, root, latent_counts({}, n=60), further={"micro_f1": as_f1})


def headers(root: Path) -> dict[str, list[str]]:
    return {path.name: next(csv.reader(path.read_text().splitlines())) for path in root.glob("*.csv")}


def test_every_file_has_the_described_columns(pairs: tuple[Study, RunStore], tmp_path: Path) -> None:
    publish(*pairs, tmp_path, figure_options=FigureOptions(("heatmap",), ("svg",)))
    stages = make_study(TASKS, seeds=[0, 1], design="full", finetune=dict.fromkeys(TASKS, FINETUNE))
    store = fill(stages, tmp_path / "full", latent_counts({}, n=60), further={"micro_f1": as_f1})
    publish_stages(stages, store, tmp_path)
    publish_encoders(encoder_scores([(stages, store)]), tmp_path)
    trained = make_study(TASKS, seeds=[0, 1], design="train")
    publish_train(trained, fill(trained, tmp_path / "train", latent_counts({}, n=60)), tmp_path)
    estimated = estimates_frame([Estimate("a", "b")], ["a", "b"])
    (tmp_path / "estimates.csv").write_text(as_csv(estimated))
    (tmp_path / "estimators.csv").write_text(as_csv(scores_of_estimators({"log size ratio": np.ones((2, 2))}, "ab")))
    publish_groups(chosen_groups(measure(*pairs), None, models=2, draws=0), tmp_path)
    grouped = chosen_groups(measure(*pairs), None, models=1, draws=0)
    publish_retrained(grouped, retrained(grouped, pairs[1], 1), tmp_path)
    runs, rule = HelperRuns(pairs[0], 0, 2), RaceRule(2, 0.05)
    races = tuple(select_by_racing(runs.sources, rule, partial(runs.dev_scores, pairs[1]), most=1))
    publish_helper_search(HelperSearch(measure(*pairs), runs, rule, races, None), tmp_path)
    (tmp_path / "test_sets.csv").write_text(as_csv(frame_of_test_sets([replace(measure(*pairs), test_set="more")])))
    assert headers(tmp_path) == {name: list(columns) for name, columns in COLUMNS.items()}


def test_every_printed_table_has_the_described_columns(pairs: tuple[Study, RunStore]) -> None:
    matrix = measure(*pairs)
    gains = group_gains(matrix, None)
    frames = {
        "compare": comparison_frame(compare_studies(matrix, matrix)),
        "figure2": figure2_frame(matrix),
        "helpers": helpers_frame(matrix, gains, 0, select_helpers(gains, 0)),
    }
    assert {name: list(frame.columns) for name, frame in frames.items()} == {
        name: list(columns) for name, columns in PRINTED_COLUMNS.items()
    }


def test_every_meaning_is_a_sentence() -> None:
    meanings = [text for table in (*COLUMNS.values(), *PRINTED_COLUMNS.values()) for text in table.values()]
    assert all(text[0].isupper() or text.split()[0] in _LOWER for text in meanings)
    assert all(text.endswith(".") and "\n" not in text and "|" not in text for text in meanings)


_LOWER = {"dev", "single", "improves,", "p_tost", "p-value", "placebo", "p"}
"""Values and names that a meaning may start with."""


def test_the_descriptions_load_no_pandas() -> None:
    code = "import sys, taskaffinity.analysis.tables.columns; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
