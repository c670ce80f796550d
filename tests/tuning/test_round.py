"""A round that hears of trials in an order of its own, as from Ray."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.cli.console.tuning import print_found
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.tuning.recipe import describe_search, describe_trial
from taskaffinity.tuning.round import Round
from taskaffinity.tuning.search import Search, SearchResult, not_learned
from taskaffinity.tuning.trials import TrialFolder, trials_of

TASKS, ENCODER = (("a", "f0"),), EncoderRef("tiny", "e0")
RECIPES = tuple(replace(FROM_SCRATCH, num_train_epochs=4, learning_rate=rate) for rate in (1e-3, 2e-3))


@pytest.fixture
def a_round(tmp_path: Path) -> Round:
    trials = trials_of(TASKS, ENCODER, RECIPES, [0])
    return Round(trials, TrialFolder(tmp_path / "tune"), stops_early=True, versions={})


def report(a_round: Round, number: int, *scores: float) -> None:
    for epoch, score in enumerate(scores, start=1):
        a_round.report(number, epoch, {"a": score})


def table_of(a_round: Round, capsys: pytest.CaptureFixture[str]) -> str:
    search = Search(TASKS, ENCODER, RECIPES)
    print_found(SearchResult(search, a_round, (0,), {0: {"a": 50.0}}, 0, 8, {}, 0.0))
    return capsys.readouterr().out


def test_one_that_diverges_before_it_is_known_to_be_stopped_was_stopped_all_the_same(
    a_round: Round, capsys: pytest.CaptureFixture[str]
) -> None:
    report(a_round, 1, 10.0, 10.0)  # before the default's first epoch: whether it is behind is not known
    a_round.fail(1, "diverged: loss", "", True)
    report(a_round, 0, 50.0, 50.0, 50.0, 50.0)
    assert "stopped at 1/4" in table_of(a_round, capsys)


def test_what_befalls_a_trial_that_has_ended_changes_nothing(a_round: Round) -> None:
    report(a_round, 0, 50.0, 50.0, 50.0, 50.0)
    report(a_round, 1, 10.0)
    before = a_round.records[1]
    a_round.fail(1, "diverged: loss", "", True)
    a_round.fail(1, "out of memory")
    assert (a_round.records[1], a_round.lost) == (before, {})


def test_a_trial_that_fails_after_some_epochs_is_not_said_to_be_stopped(a_round: Round) -> None:
    ended: list[str] = []
    a_round.on_progress = lambda one: ended.append(describe_trial(one))
    report(a_round, 0, 50.0, 60.0)
    a_round.fail(0, "out of memory: lower batch_size")
    a_round.fail(1, "diverged: the loss", "", True)
    assert ended == [
        "1 of 2 trials done: failed: out of memory: lower batch_size",
        "2 of 2 trials done: diverged: the loss",
    ]


def test_a_trial_that_collapsed_is_marked_in_the_table_and_the_log(
    a_round: Round, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[str] = []
    a_round.on_progress = lambda one: ended.append(describe_trial(one))
    for number, collapsed in ((0, ()), (1, ("a",))):
        for epoch in range(1, 5):
            a_round.report(number, epoch, {"a": 50.0 + number}, collapsed)
    assert [line.endswith("collapsed on a") for line in ended] == [False, True]
    table = table_of(a_round, capsys)
    assert "51.0 collapsed" in table
    assert "50.0 collapsed" not in table
    kept = a_round.folder.read(a_round.trials[1])
    assert kept is not None
    assert kept.collapsed == ("a",)


def test_a_task_that_collapsed_only_at_first_has_not_collapsed(a_round: Round) -> None:
    for epoch in range(1, 5):
        a_round.report(0, epoch, {"a": 10.0 * epoch}, ("a",) if epoch < 3 else ())
    assert a_round.records[0].collapsed == ()


def test_a_trial_of_an_older_version_has_not_collapsed(a_round: Round) -> None:
    report(a_round, 0, 50.0, 50.0, 50.0, 50.0)
    path = a_round.folder.path / f"{a_round.trials[0].name}.json"
    content = json.loads(path.read_text())
    del content["collapsed"]
    path.write_text(json.dumps(content))
    record = a_round.folder.read(a_round.trials[0])
    assert record is not None
    assert record.collapsed == ()


def test_the_words_name_finalists_that_collapsed(a_round: Round) -> None:
    search = Search(TASKS, ENCODER, RECIPES)
    scores = {0: {"a": 60.0}, 1: {"a": 50.0}}
    found = SearchResult(search, a_round, (0, 1), scores, 1, 8, {}, 0.0, collapsed=(0,))
    assert "none can be chosen that is worse" not in " ".join(describe_search(found))
    better = replace(found, chosen=0, collapsed=())
    assert "none can be chosen that is worse" in " ".join(describe_search(better))
    assert "with one of these seeds: the default;" in " ".join(describe_search(found))
    assert "collapsed" not in " ".join(describe_search(replace(found, collapsed=()))).lower()


def test_a_default_that_failed_is_not_said_to_be_a_finalist(a_round: Round) -> None:
    found = SearchResult(Search(TASKS, ENCODER, RECIPES), a_round, (0, 1), {1: {"a": 50.0}}, 1, 8, {}, 0.0)
    lines = " ".join(describe_search(found))
    assert "the default could not be trained" in lines
    assert "The default is" not in lines


def test_a_stopped_trial_that_is_trained_again_does_not_count_as_found_finished(tmp_path: Path) -> None:
    """Among other candidates it would not have been stopped."""
    folder = TrialFolder(tmp_path / "tune")
    before = Round(trials_of(TASKS, ENCODER, RECIPES, [0]), folder, stops_early=True, versions={})
    report(before, 0, 50.0, 50.0, 50.0, 50.0)
    report(before, 1, 10.0)
    other = (replace(RECIPES[0], learning_rate=4e-3), RECIPES[1])
    a_round = Round(trials_of(TASKS, ENCODER, other, [0]), folder, stops_early=True, versions={})
    assert (a_round.reused, a_round.pending()) == ({1}, [0])
    report(a_round, 0, 5.0, 5.0, 5.0, 5.0)
    assert (a_round.reused, a_round.pending()) == (set(), [1])


def test_epochs_after_its_stop_do_not_say_what_a_trial_learned(tmp_path: Path) -> None:
    """On Ray they were trained before a score that stops it arrived: worker speed must not choose the finalists."""
    recipes = (*RECIPES, replace(RECIPES[0], learning_rate=4e-3))

    def ends(folder: str, n_early: int) -> set[int]:
        trials = trials_of(TASKS, ENCODER, recipes, [0])
        a_round = Round(trials, TrialFolder(tmp_path / folder), stops_early=True, versions={})
        report(a_round, 2, 57.0, 58.0, 58.0, 59.0)
        for epoch in range(1, 1 + n_early):  # it has collapsed after its first epoch only
            a_round.report(1, epoch, {"a": 50.0 + 5 * epoch}, ("a",) * (epoch == 1))
        report(a_round, 0, 56.0, 57.0, 58.0, 59.0)
        if not n_early:
            a_round.report(1, 1, {"a": 55.0}, ("a",))
        assert [standing.stopped for standing in a_round.standings()] == [None, 1, None]
        again = Round(trials, TrialFolder(tmp_path / folder), stops_early=True, versions={})
        assert again.pending() == []
        assert again.compared() == a_round.compared()
        return not_learned(a_round.compared())

    assert ends("late", 4) == ends("in order", 0) == {0, 1, 2}  # all are less than a tenth above 55
