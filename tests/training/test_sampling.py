"""Sampling: draw counts follow the formula, and an arrow keeps its meaning or says that it does not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskaffinity.analysis.training_conditions import describe_sampling
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import PAPER_REFINE, REFINE, Recipe
from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.sampling import draws, sampling_of
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.studies.check_balance import check_sampling
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.variants import training_set_of

MakeSplit = Callable[..., EncodedSplit]
N = {"a": 41, "b": 12, "c": 5}
"""Rows of the toy tasks: with mini-batches of 4, 11, 3 and 2 of them in one pass."""
SHORT = Recipe(learning_rate=1e-3, num_train_epochs=4, batch_size=4)
TASKS = {name: (name, f"f-{name}") for name in N}
ENCODER = EncoderRef("tiny", "e0")


@given(
    st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.integers(1, 5000), min_size=2, max_size=8),
    st.integers(1, 64),
    st.floats(1.01, 50),
)
@settings(max_examples=150, deadline=None)
def test_counts_are_the_formulas_shares_of_the_total(sizes: dict[str, int], batch_size: int, t: float) -> None:
    passes = {name: math.ceil(n / batch_size) for name, n in sizes.items()}
    counts = draws(sizes, batch_size, f"temperature={t:.17f}")
    assert sum(counts.values()) == sum(passes.values())
    assert min(counts.values()) >= 1
    whole = sum(math.exp(math.log(n) / t) for n in passes.values())
    exact = {name: sum(passes.values()) * math.exp(math.log(n) / t) / whole for name, n in passes.items()}
    if min(exact.values()) >= 1:  # then no task has its one mini-batch at the cost of others
        assert all(abs(counts[name] - exact[name]) < 1 for name in sizes)
    assert all(counts[one] <= counts[two] + 1 for one in sizes for two in sizes if passes[one] <= passes[two])


def test_counts_of_known_tasks() -> None:
    assert draws(N, 4, None) == draws(N, 4, "temperature=1") == {"a": 11, "b": 3, "c": 2}
    assert draws(N, 4, "uniform") == {"a": 6, "b": 5, "c": 5}
    assert draws(N, 4, "temperature=2") == {"a": 8, "b": 4, "c": 4}  # 16 of 3.317, 1.732 and 1.414: 8.2, 4.3, 3.5
    assert draws(N, 4, "cap=10") == {"a": 3, "b": 3, "c": 2}
    assert draws({"a": 41}, 4, "uniform") == {"a": 11}


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("proportional", None),
        ("temperature=1", None),
        ("temperature=2.0", "temperature=2"),
        ("temperature=1.5", "temperature=1.5"),
        ("cap=20", "cap=20"),
        ("uniform", "uniform"),
    ],
)
def test_a_sampling_has_one_text_and_the_default_has_none(given_text: str, kept: str | None, tmp_path: Path) -> None:
    assert Recipe(sampling=given_text).sampling == kept
    assert Recipe(sampling=kept) == Recipe(sampling=given_text)
    (tmp_path / "recipe.yaml").write_text(f"sampling: {given_text}\n")
    assert read_recipe(tmp_path / "recipe.yaml").settings == {"sampling": kept}


@pytest.mark.parametrize("text", ["temperature=0.5", "temperature=", "temperature=nan", "cap=0", "cap=1.5", "size", ""])
def test_another_sampling_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="it must be proportional, uniform, temperature=T") as error:
        Recipe(sampling=text)
    assert "\n" not in str(error.value)


def test_the_papers_protocol_has_its_own_sampling() -> None:
    with pytest.raises(ValueError, match="sampling: the paper's protocol"):
        replace(PAPER_REFINE, sampling="uniform")


@pytest.fixture
def met(make_encoder: Callable[..., Path], make_meta: Callable[..., TaskMeta], make_split: MakeSplit) -> Any:
    """The mini-batches of a training: a list of task and rows for each epoch."""
    kinds = dict(zip(N, ("inference", "similarity", "ner"), strict=True))
    splits = {name: make_split(kinds[name], n=n) for name, n in N.items()}

    def call(*names: str, sampling: str | None, batches: int | None = None) -> list[list[tuple[str, tuple[int, ...]]]]:
        metas = {name: make_meta(name, kinds[name]) for name in names}
        model = MultiTaskModel(make_encoder("bert"), metas, seed=0)
        recipe = replace(SHORT, sampling=sampling)
        loop = TrainingLoop(model, {name: splits[name] for name in names}, recipe, seed=0, batches=batches)
        seen: list[tuple[str, tuple[int, ...]]] = []
        update = loop.steps.update

        def listening(batch: Any, n_tokens: int) -> Any:
            seen.append((batch.task, tuple(sorted(batch.rows.tolist()))))
            return update(batch, n_tokens)

        loop.steps.update = listening  # type: ignore[method-assign]
        epochs = []
        for _ in loop.epochs():
            epochs.append(seen.copy())
            seen.clear()
        assert loop.stepper.step_number == loop.stepper.n_steps == sum(map(len, epochs))
        return epochs

    call.splits = splits  # type: ignore[attr-defined]
    return call


def test_a_training_draws_these_counts_and_leaves_no_row_behind(met: Any) -> None:
    epochs = met(*N, sampling="temperature=2")
    assert [Counter(task for task, _ in epoch) for epoch in epochs] == 4 * [draws(N, 4, "temperature=2")]
    for name, n in N.items():
        seen = Counter(row for epoch in epochs for task, rows in epoch if task == name for row in rows)
        assert set(seen) == set(range(n))
        assert max(seen.values()) - min(seen.values()) <= 1


@pytest.mark.parametrize("sampling", [None, "cap=10"])
def test_a_target_has_the_same_mini_batches_alone_and_in_a_pair(sampling: str | None, met: Any) -> None:
    single, pair = met("a", sampling=sampling), met("a", "b", sampling=sampling)
    for alone, together in zip(single, pair, strict=True):
        assert sorted(alone) == sorted(cut for cut in together if cut[0] == "a")
        assert len(alone) == (11 if sampling is None else 3)


def test_a_capped_target_sees_every_example_as_often(met: Any) -> None:
    rows = [row for epoch in met("a", sampling="cap=10") for _, rows in epoch for row in rows]
    assert len(rows) == 45  # 12 mini-batches, of which the last one of a pass has one row
    assert sorted(rows[:41]) == list(range(41))


@pytest.mark.parametrize("sampling", [None, "cap=10", "uniform", "temperature=3"])
@pytest.mark.slow
def test_a_compute_matched_run_has_as_many_updates_as_the_pair(sampling: str | None, met: Any) -> None:
    recipe = replace(SHORT, sampling=sampling)
    spec = RunSpec((TASKS["b"],), ENCODER, 0, recipe, variant="matched", partner=TASKS["a"])
    training = training_set_of(spec, {}, {"b": met.splits["b"]}, met.splits["a"])
    pair, matched = met("a", "b", sampling=sampling), met("b", sampling=sampling, batches=training.batches)
    assert [len(epoch) for epoch in pair] == [len(epoch) for epoch in matched]


def study(sampling: str | None, **options: Any) -> Study:
    cards = tuple(StudiedTask(name, name, "relation", "accuracy", f"f-{name}", {"train": 40}) for name in N)
    return Study("toy", cards, ENCODER, replace(REFINE, sampling=sampling), (0, 1), **options)


def test_single_task_runs_have_no_temperature_and_keep_their_cap() -> None:
    plain, uniform = (
        {spec for spec in study(sampling, baseline="compute-matched").plan if len(spec.tasks) == 1}
        for sampling in (None, "uniform")
    )
    assert plain == uniform
    assert {spec.recipe.sampling for spec in study("cap=9").plan} == {"cap=9"}
    assert {len(spec.tasks) for spec in study("uniform").plan if spec.recipe.sampling} == {2}


def test_sampling_by_temperature_needs_the_matched_arm() -> None:
    uniform = replace(REFINE, sampling="uniform")
    for design in ({}, {"baseline": "single"}):
        with pytest.raises(InputError, match="give --baseline compute-matched"):
            check_sampling(uniform, design)
    check_sampling(uniform, {"baseline": "compute-matched"})
    check_sampling(uniform, {"design": "full"})
    check_sampling(replace(REFINE, sampling="cap=9"), {})


def test_the_caption_says_what_the_sampling_changes() -> None:
    assert describe_sampling(study(None)) == ""
    assert "at most 9 examples of a task, the same number in both runs" in describe_sampling(study("cap=9"))
    assert "at most 1,234,567 examples of a task" in describe_sampling(study("cap=1234567"))
    assert "draws its tasks uniformly" in describe_sampling(study("uniform"))
    assert "with temperature 2.5" in describe_sampling(study("temperature=2.5"))
    assert sampling_of("cap=9").temperature == 1
