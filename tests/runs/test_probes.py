"""The design of probes: budget, cost, and their specs."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path
from types import SimpleNamespace

import pytest

from taskaffinity.analysis.estimates.gather import Gathered
from taskaffinity.runs.probes import (
    Costs,
    design_of,
    least_budget,
    longest_probes,
    probes_of,
    singles_to_probe,
    target_only,
    updates_of,
)
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef, Probe, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.studies.estimates.train import describe_design

SIZES = {"a": (320, 64), "b": (640, 32), "c": (330, 33)}
RECIPE = Recipe(num_train_epochs=10, batch_size=32)


def study_of(**changes: object) -> Study:
    tasks = tuple(
        StudiedTask(name, name.upper(), "inference", "accuracy", f"f-{name}", {"train": train, "dev": dev, "test": 9})
        for name, (train, dev) in SIZES.items()
    )
    given = {"recipe": RECIPE, "seeds": (0, 1, 2), "seeds_single": (0, 1, 2, 3, 4), **changes}
    return Study("mine", tasks, EncoderRef("tiny", "e"), **given)  # type: ignore[arg-type]


def by_hand(steps: int, repeats: int) -> float:
    """The share of the cost of all pairs, by plain counting of mini-batches."""
    train = {"a": 10, "b": 20, "c": 11}
    dev = {"a": 2 / 3, "b": 1 / 3, "c": 2 / 3}
    pairs = 3 * sum(10 * (train[x] + train[y] + dev[x] + dev[y]) for x, y in combinations("abc", 2))
    probes = sum(2 * steps + 2 * dev[t] + dev[s] for s, t in permutations("abc", 2))
    probes += sum(steps + 2 * dev[t] for t in "abc")
    return repeats * probes / pairs


def test_the_cost_is_that_of_the_mini_batches() -> None:
    costs = Costs(study_of())
    assert costs.of_probes(20, 2) / costs.of_pairs() == pytest.approx(by_hand(20, 2))
    assert least_budget(study_of()) == pytest.approx(by_hand(20, 1))


@pytest.mark.parametrize(
    ("caps", "batches"),
    [
        ({}, 2),
        ({"max_eval_examples": 32}, 1),
        ({"max_dev_examples": 32}, 1),
        ({"max_dev_examples": 64, "max_eval_examples": 32}, 2),
    ],
)
def test_an_evaluation_reads_the_dev_examples_that_the_recipe_keeps(caps: dict[str, int], batches: int) -> None:
    assert Costs(study_of(recipe=replace(RECIPE, **caps))).evaluation("a") == pytest.approx(batches / 3)


@pytest.mark.parametrize("budget", [0.1, 0.2, 0.3, 0.5, 1.0])
def test_a_budget_buys_the_longest_probes_that_it_affords_and_then_two_for_each_arrow(budget: float) -> None:
    affordable = [
        (steps, repeats) for repeats in (1, 2) for steps in range(20, 41) if by_hand(steps, repeats) <= budget
    ]
    found = design_of(study_of(), budget)
    if not affordable:
        assert found is None
    else:
        assert found is not None
        assert (found.steps, found.repeats) == max(affordable)
        assert found.share == pytest.approx(by_hand(found.steps, found.repeats))


def test_a_study_with_one_seed_has_one_probe_for_each_arrow() -> None:
    found = design_of(study_of(seeds=(0,), seeds_single=()), 1.0)
    assert found is not None
    assert found.repeats == 1


def test_probes_of_a_long_training_name_their_rounds_and_what_they_cost_at_most() -> None:
    short = study_of()
    design = design_of(short, 1.0)
    assert design is not None
    assert longest_probes(short, design) == (1, design.share)
    assert "round" not in describe_design(short, design)
    long = study_of(recipe=replace(RECIPE, num_train_epochs=200))
    design = design_of(long, 0.05)
    assert design is not None
    assert (design.steps, design.repeats) == (40, 2)
    train, dev = {"a": 10, "b": 20, "c": 11}, {"a": 2 / 3, "b": 1 / 3, "c": 2 / 3}
    whole = 3 * sum(200 * (train[x] + train[y] + dev[x] + dev[y]) for x, y in combinations("abc", 2))
    cost, longest = 0.0, 0
    for t, s in permutations("abc", 2):
        rounds = (200 * (train[t] + train[s]) // 10) // 80
        cost += 2 * rounds * (80 + dev[s] + 40) + 2 * 4 * dev[t]
        longest = max(longest, rounds)
    assert longest_probes(long, design) == (longest, pytest.approx(cost / whole))
    words = describe_design(long, design)
    assert f"as many of the source, in up to {longest} rounds until the source is learned; " in words
    assert f" of the cost of all pairs (at most {100 * cost / whole:.2g}% in all rounds) (3 seeds)" in words


def test_the_source_of_a_probe_is_evaluated_and_paid_after_every_round(tmp_path: Path) -> None:
    study = study_of(recipe=replace(RECIPE, num_train_epochs=200))
    design = design_of(study, 0.05)
    assert design is not None
    gathered = Gathered(study, RunStore(tmp_path), design)
    singles = singles_to_probe(study, 1)
    [probe] = [
        spec
        for spec in probes_of(study, design, singles, dict.fromkeys(singles, 0.9))
        if (spec.task_names[0], spec.partner and spec.partner[0]) == ("a", "b")
    ]
    vars(gathered)["found"] = {probe: SimpleNamespace(scores=SimpleNamespace(rounds=3))}
    paid = 3 * (40 + 40) + 2 * 2 / 3 + 3 * 1 / 3  # updates, two evaluations of a, three of b
    baseline = 3 * 40 + 2 * 2 / 3
    assert gathered.share() * Costs(study).of_pairs() == pytest.approx(paid + baseline)


def test_every_arrow_has_a_probe_for_each_seed_from_the_single_task_run_of_its_target() -> None:
    study = study_of()
    design = design_of(study, 1.0)
    assert design is not None
    singles = singles_to_probe(study, design.repeats)
    assert set(singles) == {(name, seed) for name in "abc" for seed in (0, 1)}
    probes = list(probes_of(study, design, singles, dict.fromkeys(singles, 0.9)))
    assert {(spec.partner[0], spec.task_names[0], spec.seed) for spec in probes if spec.partner} == {
        (s, t, seed) for s, t in permutations("abc", 2) for seed in (0, 1)
    }
    assert all(spec.parent in study.plan for spec in probes)
    assert all(spec.probe.source_goal == pytest.approx(0.6) for spec in probes if spec.probe)
    assert len({spec.run_id for spec in probes} | {target_only(spec, 1).run_id for spec in probes}) == len(probes) + 6


@pytest.mark.parametrize(("synthetic", "warmup"), [(False, 0.25), (True, 0.0)])
def test_a_probe_draws_by_its_own_design_and_warms_up_a_pre_trained_encoder(synthetic: bool, warmup: float) -> None:
    study = study_of(synthetic=synthetic, recipe=replace(RECIPE, sampling="temperature=2"))
    design = design_of(study, 1.0)
    assert design is not None
    singles = singles_to_probe(study, 1)
    probes = list(probes_of(study, design, singles, {key: -0.5 if key[0] == "a" else 0.9 for key in singles}))
    assert len(probes) == 6
    for spec in probes:
        assert spec.probe is not None
        assert spec.partner is not None
        assert (spec.recipe.sampling, spec.probe.warmup) == (None, warmup)
        assert spec.probe.source_goal == pytest.approx(0.0 if spec.partner[0] == "a" else 0.6)


def test_a_round_has_the_updates_of_target_and_source() -> None:
    assert updates_of(Probe(20, 60), 3) == 3 * 80


def test_a_task_without_a_finished_run_is_in_no_probe() -> None:
    study = study_of()
    design = design_of(study, 1.0)
    assert design is not None
    singles = singles_to_probe(study, 2)
    dev = {key: 0.9 for key in singles if key != ("b", 1)}
    arrows = {
        (spec.partner[0], spec.task_names[0], spec.seed)
        for spec in probes_of(study, design, singles, dev)
        if spec.partner
    }
    assert {arrow for arrow in arrows if arrow[2] == 1} == {("a", "c", 1), ("c", "a", 1)}


def test_a_probe_lasts_a_tenth_of_a_pair_at_most_and_one_round_at_least() -> None:
    design = design_of(study_of(), 1.0)
    assert design is not None
    long = study_of(recipe=replace(RECIPE, num_train_epochs=200))
    for study, rounds in ((study_of(), 1), (long, int(0.1 * 200 * 30 / (2 * design.steps)))):
        singles = singles_to_probe(study, 1)
        probe = next(iter(probes_of(study, design, singles, dict.fromkeys(singles, 0.9))))
        assert {probe.task_names[0], probe.partner and probe.partner[0]} == {"a", "b"}
        assert probe.probe is not None
        assert probe.probe.most_rounds == rounds


PARENT = RunSpec((("a", "fa"),), EncoderRef("tiny", "e"), 0, RECIPE)
PROBE = replace(PARENT, variant="probe", parent=PARENT, partner=("b", "fb"), probe=Probe(20, 60))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"parent": None}, "a probe continues a single-task run of its target"),
        ({"probe": None}, "a probe, and no other run, says how long it trains"),
        ({"partner": None}, "a probe has updates on a source if and only if it has a partner"),
        ({"probe": Probe(20, 0)}, "a probe has updates on a source if and only if it has a partner"),
        ({"partner": ("a", "fa")}, "a task is not its own partner"),
        ({"tasks": (("c", "fc"),)}, "a probe continues a single-task run of its target"),
        ({"variant": "plain", "partner": None}, "a probe, and no other run, says how long it trains"),
    ],
)
def test_a_spec_that_is_no_probe_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace(PROBE, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"target_steps": 21},
        {"source_steps": 61},
        {"most_rounds": 2},
        {"source_goal": 0.5},
        {"warmup": 0.25},
    ],
)
def test_every_setting_of_a_probe_changes_the_run(changes: dict[str, float]) -> None:
    assert PROBE.probe is not None
    other = replace(PROBE, probe=replace(PROBE.probe, **changes))
    assert other.run_id != PROBE.run_id


def test_a_probe_is_read_from_its_dictionary() -> None:
    assert parse_model(json.dumps(PROBE.to_dict()), RunSpec) == PROBE
    assert target_only(PROBE, 2).task_names == ("a",)
    assert parse_model(json.dumps(target_only(PROBE, 2).to_dict()), RunSpec) == target_only(PROBE, 2)
