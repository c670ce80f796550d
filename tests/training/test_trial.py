"""A trial trains each task like a run of a study and never reads test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.planted import CLINICAL, VOCABULARY
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.training.encoders.load import tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.trial import train_in_step


def test_dev_scores_are_the_best_so_far_of_the_same_runs_of_a_study(tiny_study: Callable[..., Any]) -> None:
    tiny = tiny_study(tasks=("mednli", "shareclefe"), num_train_epochs=3, max_train_examples=200, learning_rate=5e-3)
    specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    in_step = list(train_in_step(specs, **places))
    for spec in specs:
        [name] = spec.task_names
        of_study = [row["dev"][name] for row in execute(spec, **places).history]
        assert len(set(of_study)) > 1  # it learns something, or this tells nothing
        assert [best[name].score for best in in_step] == pytest.approx(list(accumulate(of_study, max)), abs=1e-9)


def test_the_test_split_does_not_affect_a_trial(tmp_path: Path) -> None:
    mednli = CLINICAL["mednli"]

    def poisoned(split: Split) -> tuple[Example, ...]:
        examples = mednli.examples[split]
        if split != "test":
            return examples
        label = mednli.labels[0]  # of other words and one class alone
        return tuple(replace(e, label=label, text=e.text[::2], text_pair="unheard of") for e in examples[:5])

    other = Task("mednli", mednli.kind, poisoned, mednli.labels, mednli.negative)
    encoder = tiny_encoder(VOCABULARY, tmp_path, layers=1, width=16)
    recipe = replace(
        FROM_SCRATCH, num_train_epochs=3, learning_rate=5e-3, max_train_examples=100, max_eval_examples=100
    )
    prepare([mednli, other], encoder, recipe, tmp_path)
    first, second = (
        [
            best["mednli"].score
            for best in train_in_step(
                [RunSpec((task.ref,), encoder.ref, 0, recipe)], encoder_folder=encoder.folder, cache=tmp_path
            )
        ]
        for task in (mednli, other)
    )
    assert mednli.ref != other.ref
    assert first == second


def test_with_patience_the_score_is_that_of_the_epoch_that_the_study_selects(tiny_study: Callable[..., Any]) -> None:
    settings = {"num_train_epochs": 6, "max_train_examples": 120, "learning_rate": 5e-3, "early_stopping_patience": 1}
    tiny = tiny_study(tasks=("mednli", "shareclefe"), **settings)
    specs = [RunSpec((ref,), tiny.study.encoder, 7, tiny.study.recipe) for ref in tiny.study.refs]
    places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
    last = list(train_in_step(specs, **places))[-1]
    results = {spec.task_names[0]: execute(spec, **places) for spec in specs}
    assert min(len(result.history) for result in results.values()) < 6
    scores = {name: best.score for name, best in last.items()}
    assert scores == {name: pytest.approx(result.outcomes[name].dev) for name, result in results.items()}
