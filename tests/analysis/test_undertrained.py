"""Cautions about tasks whose single-task training stopped too early."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right, with_history

import taskaffinity as ta
from taskaffinity.analysis.cautions.collapsed_runs import CollapsedRun, describe_collapsed_runs
from taskaffinity.analysis.cautions.undertrained import describe_undertrained, find_undertrained, untrained_tasks
from taskaffinity.analysis.estimates.gather import Gathered
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import Undertrained
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

LEARNED = ([1.0, 0.4, 0.2], [0.5, 0.8, 0.81])
"""Training losses and dev scores by epoch."""


def cautions_of(root: Path, study: Study, histories: dict[str, tuple[Sequence[float], Sequence[float]]]) -> list[str]:
    """Return the cautions of a study with these single-task histories; in pairs no task learned."""
    counts = latent_counts({}, n=20)
    store = fill(study, root, counts)
    for spec in study.plan:
        run = store.get(spec)
        assert run is not None
        rows = []
        for name in spec.task_names:
            losses, scores = histories[name] if spec.arm == "single" else ([1.0] * 3, [0.1, 0.1, 0.9])
            rows = [
                {"epoch": 1 + n, "loss": {name: loss}, "dev": {name: score}}
                for n, (loss, score) in enumerate(zip(losses, scores, strict=True))
            ]
        store.write(with_history(run, rows))
    return said(study, RunStore(root))


def said(study: Study, store: RunStore) -> list[str]:
    return describe_undertrained(study, find_undertrained(study, store))


def test_of_tasks_that_came_to_their_end_nothing_is_said(tmp_path: Path) -> None:
    assert cautions_of(tmp_path, make_study(["a", "b"]), {"a": LEARNED, "b": LEARNED}) == []


def test_a_task_whose_loss_hardly_fell_is_named_first(tmp_path: Path) -> None:
    histories = {"a": ([1.1, 1.09, 1.045], [0.3, 0.3, 0.35]), "b": ([1.0, 0.6, 0.4], [0.2, 0.4, 0.455]), "c": LEARNED}
    assert cautions_of(tmp_path, make_study(["a", "b", "c"]), histories) == [
        "These tasks hardly learned in single-task training (fall of the training loss): A (5%); more epochs, a "
        "higher learning_rate or a smaller batch_size (--set) help more than more seeds.",
        "These tasks were still improving at the end of single-task training (dev points over the last half): "
        "B (+5.5).",
    ]


def test_tasks_whose_loss_hardly_fell_take_part_in_no_probe(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    cautions_of(tmp_path, study, {"a": ([1.0, 0.95, 0.91], [0.3, 0.3, 0.35]), "b": LEARNED, "c": LEARNED})
    gathered = Gathered(study, RunStore(tmp_path), ProbeDesign(40, 2, 0.1))
    assert {(spec.partner and spec.partner[0], spec.task_names[0]) for spec in gathered.probes} == {
        ("b", "c"),
        ("c", "b"),
    }
    reasons = {(row.source, row.target): row.reason for row in gathered.rows()}
    hardly = "hardly learned its task in single-task training: its training loss fell by less than 10%"
    assert reasons["a", "b"] == reasons["a", "c"] == f"the source {hardly}"
    assert reasons["b", "a"] == reasons["c", "a"] == f"the target {hardly}"
    assert reasons["b", "c"] == reasons["c", "b"] == "a probe is missing or failed"


def test_a_loss_that_rises_by_less_than_half_a_percent_has_no_fall_of_minus_zero(tmp_path: Path) -> None:
    [line] = cautions_of(tmp_path, make_study(["a", "b"]), {"a": ([1.0, 1.0, 1.004], [0.3, 0.3, 0.3]), "b": LEARNED})
    assert "A (0%)" in line
    assert "fell by 0%" in Undertrained("a", "hardly", -0.4).words


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_a_task_that_scores_zero_is_named_whatever_its_loss_and_the_number_of_seeds(
    seeds: Sequence[int], tmp_path: Path
) -> None:
    """One seed gives no test that would say so."""
    study = make_study(["a", "b"], seeds=seeds)
    usual = latent_counts({}, n=20)

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        return right(np.zeros(20)) if (target, partners) == ("a", "") else usual(target, partners, seed)

    assert said(study, fill(study, tmp_path, counts_of)) == [
        "These tasks scored 0 in every single-task run: A; more epochs, a higher learning_rate or a smaller batch_size "
        "(--set) help more than more seeds."
    ]


@pytest.mark.parametrize(("right_of_100", "is_told"), [(57, False), (56, True), (50, True), (1, True)])
@pytest.mark.parametrize("negative", [False, True], ids=["all classes scored", "largest class not scored"])
def test_a_task_that_is_no_better_than_its_largest_class_is_named(
    right_of_100: int, is_told: bool, negative: bool, tmp_path: Path
) -> None:
    """Of 100 examples 56 are no, 30 are yes and 14 are perhaps; guesses are wrong by one class."""
    classes = ["no"] * 56 + ["yes"] * 30 + ["perhaps"] * 14
    names = ["yes", "perhaps"] if negative else ["no", "yes", "perhaps"]
    wrong = {"no": "yes", "yes": "perhaps", "perhaps": "no"}

    def answers(right: int, seed: int) -> list[str]:
        return [one if (place * 37 + seed) % 100 < right else wrong[one] for place, one in enumerate(classes)]

    def is_right(seed: int) -> list[bool]:
        return [one == other for one, other in zip(answers(right_of_100, seed), classes, strict=True)]

    study = make_study(["a", "b"])
    assert [sum(is_right(seed)) for seed in study.seeds] == [right_of_100] * 3
    store = fill(
        study,
        tmp_path,
        lambda target, _, seed: right(is_right(seed) if target == "a" else np.roll([1] * 90 + [0] * 10, seed)),
        further={"macro_f1": lambda *of: METRICS["macro_f1"].tally(classes, answers(right_of_100, of[2]), names)},
    )
    line = (
        "These tasks scored no better on test than one class for all examples would (share of the largest class): A "
        "(56.0%). Their gains say little. If dev scores are better, the test split differs from training."
    )
    assert said(study, store) == [line] * is_told
    notes = set(ta.PairwiseResults.load(study_written(study, tmp_path)).to_frame().notes)
    assert notes == {"a scored no better on test than the largest class (56.0%)" if is_told else ""}


def study_written(study: Study, root: Path) -> Path:
    study.write(root)
    return root


def test_of_a_metric_that_is_no_accuracy_the_largest_class_says_nothing(tmp_path: Path) -> None:
    study = make_study(["a", "b"], metrics=dict.fromkeys("ab", "micro_f1"))
    gold, predicted = ["yes"] * 9 + ["no"], ["yes"] + ["no"] * 8 + ["yes"]
    counts, of_classes = (METRICS[name].tally(gold, predicted, ["yes", "no"]) for name in ("micro_f1", "macro_f1"))
    store = fill(study, tmp_path, lambda *_: counts, further={"macro_f1": lambda *_: of_classes})
    assert said(study, store) == []


@pytest.mark.parametrize("design", [{"evaluate_after": "finetune"}, {"init_from": "multitask"}], ids=str)
def test_of_studies_that_train_in_two_parts_nothing_is_said(design: dict[str, Any], tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    store = fill(study, tmp_path, lambda *_: right(np.zeros(20)))
    assert [(one.task, one.fault) for one in find_undertrained(study, store)] == [("a", "zero"), ("b", "zero")]
    assert find_undertrained(replace(study, **design), store) == ()


def test_a_task_that_still_improves_has_learned() -> None:
    values = {"zero": 0.0, "hardly": 5.0, "majority": 50.0, "climbing": 5.0}
    assert untrained_tasks([Undertrained(fault, fault, value) for fault, value in values.items()]) == {"zero", "hardly"}


@pytest.mark.parametrize(("climb", "is_told"), [(0.019, False), (0.021, True)])
def test_two_points_of_dev_are_a_climb(climb: float, is_told: bool, tmp_path: Path) -> None:
    histories = {"a": LEARNED, "b": ([1.0, 0.5, 0.1], [0.1, 0.5, 0.5 + climb])}
    lines = cautions_of(tmp_path, make_study(["a", "b"]), histories)
    assert [
        line.startswith("These tasks were still improving") and "help more than more seeds" in line for line in lines
    ] == ([True] * is_told)


def test_without_histories_or_with_one_epoch_nothing_is_said(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    fill(study, tmp_path / "none", latent_counts({}, n=20))
    assert said(study, RunStore(tmp_path / "none")) == []
    assert cautions_of(tmp_path / "one", study, {"a": ([1.0], [0.5]), "b": ([1.0], [0.5])}) == []
    assert said(study, RunStore(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(("untrained", "n_lines"), [((), 2), ({"b"}, 2), ({"a"}, 1)])
def test_a_lower_learning_rate_is_not_advised_for_a_task_that_hardly_learned(
    untrained: Collection[str], n_lines: int
) -> None:
    """The line on tasks that hardly learned advises a higher one."""
    collapsed = [CollapsedRun("a", "single", "", 0, 50.0, "one class")]
    lines = describe_collapsed_runs(make_study(["a", "b"]), collapsed, untrained)
    assert len(lines) == n_lines
    assert sum("lower learning_rate" in line for line in lines) == n_lines - 1


def test_collapsed_runs_of_tasks_with_few_updates_get_no_advice_on_a_lower_learning_rate() -> None:
    study = make_study(["a", "b"])
    cards = [replace(card, used={"train": 8}) for card in study.tasks]
    recipe = replace(study.recipe, num_train_epochs=2, batch_size=8, learning_rate=5e-5)  # two updates of each task
    short = replace(study, tasks=tuple(cards), recipe=recipe)
    collapsed = [CollapsedRun(name, "single", "", 0, 30.0, "one class") for name in "ab"]
    said = " ".join(describe_collapsed_runs(short, collapsed))
    assert "lower learning_rate" not in said
    assert "more epochs, a higher learning_rate" in said
    assert describe_collapsed_runs(short, collapsed, {"a", "b"})[1:] == []  # the next line has the advice
    mixed = replace(short, tasks=(cards[0], replace(cards[1], used={"train": 8000})))
    [line] = describe_collapsed_runs(mixed, collapsed)[1:]
    assert "helps against collapsed runs of B; more seeds do not" in line
