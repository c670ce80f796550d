"""A search for helpers on runs that never trained: which runs it asks for, what it chooses, and how it resumes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from fake_studies import Counts, fill, latent_counts, make_study
from rich.console import Console

import taskaffinity as ta
from taskaffinity.analysis.groups.helper_search import HelperRuns
from taskaffinity.analysis.groups.results import HelperResults
from taskaffinity.analysis.tables.helper_search import describe_search, describe_step, helper_search_table
from taskaffinity.runs.limits import RETRAIN_SEEDS
from taskaffinity.runs.plan import Plan
from taskaffinity.runs.spec import EXTERNAL, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.progress import Report
from taskaffinity.studies.further_runs import FurtherRuns

NAMES = ("a", "b", "c", "d", "t")
STUDY = make_study(NAMES, seeds_single=tuple(range(6)))
LATENT = latent_counts({("a", "t"): 0.9, ("both", "t"): 0.9, ("d", "t"): -0.9}, n=400)


def planted(target: str, partners: str, seed: int) -> Counts:
    """Accuracy of t: a helps, b helps only beside a, d hurts, c does nothing."""
    both = target == "t" and {"a", "b"} <= set(partners.split("+"))
    return LATENT(target, f"{partners}+both" if both else partners, seed)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs")
    fill(STUDY, root, planted)
    STUDY.write(root)
    return root


@pytest.fixture
def root(pairs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pairs, tmp_path / "results"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RunSpec]]:
    """Make runs appear without training; the list of those that appeared."""

    def use(most: int = 1000, fails: Callable[[RunSpec], bool] = lambda spec: False) -> list[RunSpec]:
        ended: list[RunSpec] = []

        def run(plan: Plan, store: RunStore, **_: Any) -> Report:
            report = Report(planned=len(plan))
            for spec in (spec for spec in plan if spec not in store):
                if fails(spec):
                    report.failed[spec] = "out of memory"
                    continue
                if len(ended) == most:
                    raise KeyboardInterrupt
                fill(cast("Study", SimpleNamespace(tasks=STUDY.tasks, plan=[spec])), store.root, planted)
                ended.append(spec)
                report.trained.append(spec)
            return report

        monkeypatch.setattr("taskaffinity.studies.further_runs.run", run)
        monkeypatch.setattr(FurtherRuns, "_resolved", (SimpleNamespace(folder=Path()), None))
        return ended

    return use


def ranked(root: Path) -> HelperResults:
    found = ta.group(root, for_task="t")
    assert isinstance(found, HelperResults)
    return found


def test_a_helper_that_helps_only_beside_the_first_is_found_and_the_gain_has_fresh_seeds(
    root: Path, trained: Callable[..., list[RunSpec]]
) -> None:
    ended = trained()
    found = ta.search_helpers(ranked(root), seeds=3)
    assert found.chosen == ["a", "b"]
    frame = found.to_frame()
    assert len(frame) == 4 + 3 + 2
    assert list(frame.query("step == 2").given.unique()) == ["a"]
    assert set(frame.query("helper == 'd'").decision) <= {"dropped", "not chosen"}
    assert [len(spec.tasks) for spec in ended if spec.seed < RETRAIN_SEEDS].count(2) == 0  # pairs are of the study
    fresh = [spec for spec in ended if spec.seed >= RETRAIN_SEEDS]
    assert {spec.task_names for spec in fresh} == {("t",), ("a", "b", "t")}
    assert len(fresh) == 2 * 3
    seeds = range(RETRAIN_SEEDS, RETRAIN_SEEDS + 3)
    means = [100 * np.mean([planted("t", who, seed)[:, 0].mean() for seed in seeds]) for who in ("a+b", "")]
    [row] = [row for row in frame.itertuples() if row.gain == row.gain]
    assert (row.helper, row.fresh_seeds) == ("b", 3)
    assert row.gain == pytest.approx(means[0] - means[1])
    assert 0 < row.low < row.gain < row.high
    of_pair = [100 * planted("t", "a", seed)[:, 0].mean() for seed in range(3)]
    first = frame.query("step == 1 and helper == 'a'").iloc[0]
    assert (first.decision, first.seeds, first.dev) == ("chosen", 3, pytest.approx(np.mean(of_pair)))
    console = Console(width=120)
    with console.capture() as shown:
        console.print(helper_search_table(found.search))
    printed = [line.split()[1:] for line in shown.get().splitlines() if line.split()[:1] == ["+"]]
    numbers = [[f"{row.dev:.1f}", *(f"{x:+z.1f}" for x in (row.difference, row.bound))] for row in frame.itertuples()]
    assert printed == [
        [row.helper.upper(), str(row.seeds), *values, *row.decision.split()]
        for row, values in zip(frame.itertuples(), numbers, strict=True)
    ]


def test_the_cost_counts_every_run_once(
    root: Path, trained: Callable[..., list[RunSpec]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = trained()
    found = ta.search_helpers(ranked(root), seeds=3)
    raced = [spec for spec in ended if spec.seed < RETRAIN_SEEDS]
    assert found.search.n_new == len(raced)
    assert len(found.search.raced) == len(raced) + 3 * (1 + 4)  # the single task and four pairs
    assert found.search.n_exhaustive == 3 * (1 + 4 + 6 + 4)
    lines = describe_search(found.search)
    assert "Chosen for T: A + B. Test gain over single-task training with 3 fresh seeds: +" in lines[0]
    assert (
        f"{len(raced)} are not part of the study. Every set of up to 3 helpers with 3 seeds would take 45" in lines[1]
    )
    monkeypatch.setattr(type(found.search), "n_new", 1)
    assert "of which 1 is not part of the study" in describe_search(found.search)[1]
    said = [describe_step(step, race, found.result.matrix.titles) for step, race in enumerate(found.search.races, 1)]
    assert said[0].startswith("Step 1: 4 candidates")
    assert "chosen: A, +" in said[0]
    assert said[2].endswith("none is shown to be better than the current set.")
    only = ta.search_helpers(ranked(root), seeds=3, helpers=1)
    assert (only.chosen, len(only.search.races)) == (["a"], 1)


@pytest.mark.parametrize("most", [0, 1, 4, 9])
def test_a_killed_search_resumes_to_the_same_result_and_trains_nothing_twice(
    most: int, root: Path, tmp_path: Path, trained: Callable[..., list[RunSpec]]
) -> None:
    whole = Path(shutil.copytree(root, tmp_path / "whole"))
    at_once = trained()
    ta.search_helpers(ranked(whole), seeds=4)
    before = trained(most)
    with pytest.raises(KeyboardInterrupt):
        ta.search_helpers(ranked(root), seeds=4)
    after = trained()
    ta.search_helpers(ranked(root), seeds=4)
    names = [spec.run_id for spec in (*before, *after)]
    assert len(before) == most
    assert sorted(names) == sorted(spec.run_id for spec in at_once)
    assert (root / "helpers.csv").read_bytes() == (whole / "helpers.csv").read_bytes()
    again = trained()
    ta.search_helpers(ranked(root), seeds=4)
    assert again == []


def test_dev_decides_and_test_scores_are_not_read(root: Path, trained: Callable[..., list[RunSpec]]) -> None:
    trained()
    store, runs = RunStore(root), HelperRuns(STUDY, 4, 3)
    for spec in runs.plan([(2,)], 3):  # the pair with c is good on dev only
        run = store.read(spec)
        store.write(replace(run, outcomes={**run.outcomes, "t": replace(run.outcomes["t"], dev=0.99)}))
    assert runs.dev_scores(store, [(2,)], 3) == pytest.approx(np.full((1, 3), 99.0))
    assert ta.search_helpers(ranked(root), seeds=3, helpers=1).chosen == ["c"]


def test_seeds_are_those_of_the_study_and_then_the_smallest_others() -> None:
    assert HelperRuns(STUDY, 4, 5).seeds == (0, 1, 2, 3, 4)
    assert HelperRuns(STUDY, 4, 2).seeds == (0, 1)
    assert HelperRuns(replace(STUDY, seeds=(7, 1)), 4, 4).seeds == (7, 1, 0, 2)


def test_a_failed_set_is_left_out_and_a_failed_current_set_is_one_line(
    root: Path, trained: Callable[..., list[RunSpec]]
) -> None:
    trained(fails=lambda spec: spec.task_names == ("a", "b", "t"))
    found = ta.search_helpers(ranked(root), seeds=3)
    assert found.chosen == ["a"]
    assert set(found.failed.values()) == {"out of memory"}
    assert list(found.to_frame().query("given == 'a' and helper == 'b'").decision) == ["failed"]
    console = Console(width=120)
    with console.capture() as shown:
        console.print(helper_search_table(found.search))
    [row] = [line.split() for line in shown.get().splitlines() if "failed" in line]
    assert row == ["+", "B", "2", "failed"]  # no score, difference and bound
    trained(fails=lambda spec: len(spec.tasks) == 1 and spec.seed == 6)
    with pytest.raises(ta.InputError, match=r"retrain: single-t-s6-\w+ failed, and the other sets are compared"):
        ta.search_helpers(ranked(root), seeds=7)


def test_a_design_or_a_number_that_no_search_has_is_one_line(root: Path) -> None:
    found = ranked(root)
    for options, said in (({"seeds": 1}, "seeds: found '1'"), ({"helpers": 0}, "helpers: found '0'")):
        with pytest.raises(ta.InputError, match=said):
            ta.search_helpers(found, **options)
    for change, said in (
        ({"baseline": "compute-matched"}, "retrain: the study has baseline compute-matched"),
        ({"encoder": EXTERNAL}, "retrain: the runs were trained elsewhere, so nothing is trained here"),
    ):
        other = replace(found, matrix=replace(found.matrix, study=replace(STUDY, **change)))
        with pytest.raises(ta.InputError, match=said):
            ta.search_helpers(other)
    with pytest.raises(ta.InputError, match="no such task"):
        ta.group(root, for_task="u")
