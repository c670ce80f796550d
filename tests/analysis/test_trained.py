"""The table of one joint training says what its scores are, and which runs it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import fill, latent_counts, make_study, right

from taskaffinity.analysis.tables.trained import describe_train, train_frame, train_table
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.store import RunStore


def test_a_run_that_is_not_done_does_not_count_and_is_counted(tmp_path: Path) -> None:
    study = make_study(["b", "a"], seeds=[0, 1, 2], design="train")
    store = fill(study, tmp_path, latent_counts({}, n=60), skip=lambda spec: spec.seed == 1)
    frame = train_frame(study, store)
    assert frame[["task", "seeds", "stage", "split"]].values.tolist() == [
        ["b", 2, "refine", "test"],
        ["a", 2, "refine", "test"],
    ]
    for name, mean in zip(frame["task"], frame["mean"], strict=True):
        scores = [100 * store.read(spec).outcomes[name].test for spec in study.plan if spec in store]
        assert mean == pytest.approx(sum(scores) / 2)
    lines = list(describe_train(study, store))
    assert lines[0].startswith("Scores in points, mean (SD) over 3 seeds. The dev score selected the epoch")
    assert lines[1:] == ["1 run of 3 not done: the same command trains it."]


def test_stages_the_protocol_and_tasks_without_a_test_part_are_said(tmp_path: Path) -> None:
    base = make_study(["a", "b"], seeds=[0], design="train", protocol="paper", evaluate_after="finetune")
    cards = (base.tasks[0], replace(base.tasks[1], has_test=False))
    study = replace(base, tasks=cards, finetune=dict.fromkeys("ab", FINETUNE))
    store = fill(study, tmp_path, latent_counts({}, n=60))
    rows = train_table(study, store)
    assert [(row["task"], row["stage"], row["test"] == "no test part") for row in rows] == [
        ("A", "trained together", False),
        ("A", "then fine-tuned", False),
        ("B", "trained together", True),
        ("B", "then fine-tuned", True),
    ]
    assert list(describe_train(study, store)) == [
        "Scores in points, of one seed. Models were trained on dev too, so its score means little.",
        "Without a test part, so only the dev score is known: B.",
    ]


def test_a_task_with_a_further_test_set_has_more_than_a_dev_score(tmp_path: Path) -> None:
    base = make_study(["a", "b"], seeds=[0], design="train")
    cards = [replace(card, has_test=False) for card in base.tasks]
    study = replace(base, tasks=(replace(cards[0], sizes={"test@notes": 60}), cards[1]))
    store = fill(study, tmp_path, latent_counts({}, n=60))
    for spec in study.plan:
        run = store.read(spec)
        outcomes = {**run.outcomes, "a": replace(run.outcomes["a"], test_sets={"notes": 0.5})}
        counts = {**run.counts, "a/test@notes": right([1.0, 0.0])}
        store.write(replace(run, outcomes=outcomes, counts=counts))
    rows = [(row["task"], row["test"]) for row in train_table(study, RunStore(store.root))]
    assert rows == [("A", "no test part"), ("A @ notes", "50.0"), ("B", "no test part")]
    assert "Without a test part, so only the dev score is known: B." in list(describe_train(study, store))
