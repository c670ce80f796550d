"""Properties of tasks, against numbers worked out by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import fill, make_study, right

from taskaffinity.analysis.figures.curves import curves_frame
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.task_properties import (
    arrow_properties,
    shared_words,
    study_properties,
    suite_of,
    text_properties,
    transfer_summary,
)
from taskaffinity.runs.study import Study
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Task


def task(name: str, kind: str, **splits: list[Example]) -> Task:
    return Task(name, kind, lambda split: splits.get(split, []), labels=("x", "y"))  # type: ignore[arg-type]


COUGH = task(
    "cough",
    "classification",
    train=[
        Example("1", "x", text="Fever and cough"),
        Example("2", "x", text="no fever"),
        Example("3", "y", text="cough"),
    ],
    test=[Example("4", "x", text="rash and FEVER today")],
)
RASH = task(
    "rash",
    "ner",
    train=[Example("1", ("O", "B-x", "B-y", "I-y"), words=("a", "rash", "burning", "cough"))],
    test=[Example("2", ("B-x", "O"), words=("rash", "a"))],
)
TWO = Suite("two", (COUGH, RASH))


def test_properties_of_the_texts() -> None:
    found = text_properties(TWO)
    cough, rash = found.loc["cough"], found.loc["rash"]
    assert (cough.kind, cough.metric, cough.n_train, cough.n_test) == ("classification", "accuracy", 3, 1)
    assert (cough.words, cough.vocabulary) == (2, 4)  # 3, 2, 1 words; fever, and, cough, no
    assert cough.majority == pytest.approx(2 / 3)
    assert cough.new_words == pytest.approx(2 / 4)  # rash and today, of rash, and, fever, today
    assert (rash.vocabulary, rash.majority, rash.new_words) == (4, 0.5, 0)


def test_the_majority_of_a_choice_is_what_guessing_scores_and_a_similarity_has_none() -> None:
    train = [
        Example("1", "A", text="fever", options=("yes", "no")),
        Example("2", "A", text="rash", options=("mild", "bad", "none", "both")),
    ]
    choice = task("choice", "choice", train=train)
    similar = Task("similar", "similarity", lambda split: [Example(split, 2.0, text="a", text_pair="b")])
    found = text_properties(Suite("two", (choice, similar)))
    assert found.majority["choice"] == pytest.approx(3 / 8)  # of 1 / 2 and 1 / 4
    assert math.isnan(found.majority["similar"])


def test_words_that_a_source_has_of_a_target() -> None:
    found = shared_words(TWO).set_index(["source", "target"])
    assert found.shared["cough", "rash"] == pytest.approx(1 / 4)  # cough
    assert found.shared["rash", "cough"] == pytest.approx(1 / 4)
    assert found.taught["rash", "cough"] == pytest.approx(1 / 2)  # rash, but not today
    assert math.isnan(found.taught["cough", "rash"])


def test_properties_of_a_study_are_in_points(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=(0, 1))
    cards = tuple(dataclasses.replace(card, sizes={"train": 80, "test": 10}) for card in study.tasks)
    study = dataclasses.replace(study, tasks=cards)
    scores = {0: 6, 1: 8}
    store = fill(study, tmp_path, lambda target, beside, seed: right(np.arange(10) < scores[seed]), epochs=4)
    found = study_properties(measure(study, store), curves_frame(study, store)).loc["a"]
    assert (found.n_train, found.n_test) == (80, 10)
    assert found.score_single == pytest.approx(70)
    assert found.headroom == pytest.approx(30)
    assert found.seed_sd == pytest.approx(np.std([60, 80], ddof=1))
    assert found.late_climb == pytest.approx(70 - 35)  # of 17.5, 35, 52.5, 70


def test_sizes_are_of_what_the_runs_had(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    cards = tuple(
        dataclasses.replace(card, kind=kind, sizes={"train": size, "test": 10})
        for card, kind, size in zip(study.tasks, ("relation", "ner"), (80, 20), strict=True)
    )

    def sizes(**settings: float) -> list[list[float]]:
        recipe = dataclasses.replace(study.recipe, **settings)
        capped = dataclasses.replace(study, tasks=cards, recipe=recipe)
        store = fill(capped, tmp_path, lambda *_: right([1.0]), skip=lambda spec: True)
        found = study_properties(measure(capped, store), curves_frame(capped, store))
        return found[["n_train", "n_test"]].to_numpy().tolist()

    assert sizes() == [[80, 10], [20, 10]]
    assert sizes(max_train_examples=50, max_eval_examples=7) == [[50, 7], [20, 7]]
    (thinned, n_test), other = sizes(negatives_per_positive=1.0)
    assert math.isnan(thinned)
    assert (n_test, other) == (10, [20, 10])


def test_what_is_downsampled_is_a_task_with_a_negative_class_of_any_kind(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    kinds, have_negative = ("relation", "classification"), (False, True)
    cards = tuple(
        dataclasses.replace(card, kind=kind, sizes={"train": 80, "test": 10}, has_negative=has_negative)
        for card, kind, has_negative in zip(study.tasks, kinds, have_negative, strict=True)
    )
    study = dataclasses.replace(
        study, tasks=cards, recipe=dataclasses.replace(study.recipe, negatives_per_positive=1.0)
    )
    store = fill(study, tmp_path, lambda *_: right([1.0]), skip=lambda spec: True)
    n_train = study_properties(measure(study, store), curves_frame(study, store)).n_train
    assert n_train["a"] == 80
    assert math.isnan(n_train["b"])


def test_a_study_without_runs_has_properties_that_are_not_known(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    store = fill(study, tmp_path, lambda *_: right([1.0]), skip=lambda spec: True)
    found = study_properties(measure(study, store), curves_frame(study, store))
    assert found[["n_train", "score_single", "headroom", "seed_sd", "late_climb"]].isna().all(axis=None)


def test_properties_of_arrows() -> None:
    tasks = pd.DataFrame(
        {"kind": ["ner", "ner", "inference"], "n_train": [100, 400, 100], "headroom": [1.0, 2.0, 3.0]},
        index=list("abc"),
    )
    edges = pd.DataFrame({"source": ["a", "b", "c"], "target": ["b", "a", "b"], "gain": [1.0, 2.0, 3.0]})
    found = arrow_properties(edges, tasks)
    assert found.same_kind.tolist() == [1, 1, 0]
    assert found.size_ratio.tolist() == [-2, 2, -2]
    assert found.source_headroom.tolist() == [1, 2, 3]
    assert found.target_headroom.tolist() == [2, 1, 2]
    assert "source_headroom" not in arrow_properties(edges, tasks.drop(columns="headroom"))


def test_what_a_task_receives_and_gives() -> None:
    rows = [("b", "a", 4.0), ("c", "a", 2.0), ("a", "b", 1.0), ("c", "b", 5.0), ("a", "c", math.nan), ("b", "c", 3.0)]
    found = transfer_summary(pd.DataFrame(rows, columns=["source", "target", "gain"]))
    assert found.gain_in.loc[["a", "b", "c"]].tolist() == [3, 3, 3]
    assert found.rank_out["a"] == 0  # behind c into b; into c it has no gain
    assert found.rank_out["b"] == 1  # before c into a; into c it is the only one, which is no rank
    assert found.rank_out["c"] == 0.5


def test_the_suite_of_a_study_is_found_only_if_its_data_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TASKAFFINITY_DATA", raising=False)
    study = Study.load(Path(__file__).parents[2] / "notebooks" / "example_results")
    assert suite_of(study) == find_suite("clinical")
    other = (dataclasses.replace(study.tasks[0], fingerprint="other"), *study.tasks[1:])
    assert suite_of(dataclasses.replace(study, tasks=other)) is None
    assert suite_of(make_study(["a"])) is None  # "toy" is nowhere
