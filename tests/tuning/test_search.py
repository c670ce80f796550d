"""A search: the same whatever disturbs it, never worse than the default where it counts, in this process and on Ray."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private.dict import flatten_dict

from taskaffinity.errors import InputError
from taskaffinity.schedule.resources import Resources
from taskaffinity.tuning import on_ray, trials
from taskaffinity.tuning.candidates import candidates
from taskaffinity.tuning.recipe import describe_search
from taskaffinity.tuning.round import Ended, Round
from taskaffinity.tuning.search import Search, SearchResult, finalists_of, not_learned, search_recipe
from taskaffinity.tuning.trials import Record, TrialFolder, trials_of

LOCAL = Resources("local")
Conduct = Callable[..., SearchResult]


@pytest.fixture(scope="module")
def tiny(tiny_study: Callable[..., Any]) -> Any:
    """Two tasks whose default rate is too small: five times as much is better."""
    settings = {"num_train_epochs": 4, "max_train_examples": 400, "max_eval_examples": 100, "learning_rate": 1.2e-3}
    return tiny_study(tasks=("mednli", "shareclefe"), **settings)


@pytest.fixture(scope="module")
def search(tiny: Any) -> Search:
    study = tiny.study
    return Search(study.refs, study.encoder, candidates(study.recipe, 6), finalists=2, confirm_seeds=2)


@pytest.fixture(scope="module")
def conduct(tiny: Any) -> Conduct:
    def conduct(search: Search, folder: Path, resources: Resources = LOCAL, **options: Any) -> SearchResult:
        places = {"encoder_folder": tiny.encoder_folder, "cache": tiny.cache}
        return search_recipe(search, folder, **places, resources=resources, versions={"torch": "x"}, **options)

    return conduct


@pytest.fixture(scope="module")
def undisturbed(
    search: Search, conduct: Conduct, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SearchResult, Path]:
    folder = tmp_path_factory.mktemp("undisturbed") / "tune"
    return conduct(search, folder), folder


def scores_in(folder: Path) -> dict[str, Any]:
    """What every file of a folder says, but for the time it took."""
    return {path.name: {**json.loads(path.read_text()), "seconds": 0} for path in folder.iterdir()}


def what(found: SearchResult) -> tuple[Any, ...]:
    return found.first.standings(), found.first.means(), found.finalists, dict(found.confirmed), found.chosen


@pytest.mark.slow
def test_a_bad_default_is_beaten_on_new_seeds(
    undisturbed: tuple[SearchResult, Path],
) -> None:
    found, _ = undisturbed
    means = {number: fmean(scores.values()) for number, scores in found.confirmed.items()}
    assert found.chosen is not None
    assert means[found.chosen] == max(means.values()) > means[0] + 5
    assert found.recipe is not None
    assert found.recipe.learning_rate > found.search.candidates[0].learning_rate
    assert not {found.search.first_seed} & set(found.search.fresh_seeds)


@pytest.mark.slow
def test_some_are_stopped_and_less_is_spent_than_was_said(undisturbed: tuple[SearchResult, Path]) -> None:
    found, _ = undisturbed
    assert any(standing.stopped for standing in found.first.standings())
    assert found.first.standings()[0].stopped is None
    assert found.epochs_now < found.search.most_epochs


@pytest.mark.slow
def test_a_search_that_is_done_trains_nothing(
    search: Search, conduct: Conduct, undisturbed: tuple[SearchResult, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = undisturbed
    monkeypatch.setattr("taskaffinity.tuning.search.on_ray", pytest.fail)
    monkeypatch.setattr("taskaffinity.training.trial.train_in_step", pytest.fail)
    again = conduct(search, folder)
    assert what(again) == what(first)
    assert again.epochs_now == 0


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_search_that_is_killed_and_continued_is_the_undisturbed_one(
    after: int, search: Search, conduct: Conduct, undisturbed: tuple[SearchResult, Path], tmp_path: Path
) -> None:
    first, folder = undisturbed
    n_calls = 0

    def kill(ended: Ended) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conduct(search, tmp_path / "tune", on_progress=kill)
    assert len(scores_in(tmp_path / "tune")) == after
    continued = conduct(search, tmp_path / "tune")
    assert what(continued) == what(first)
    assert scores_in(tmp_path / "tune") == scores_in(folder)
    assert 0 < continued.epochs_now < first.epochs_now


@pytest.mark.slow
def test_more_samples_go_on_from_the_search_of_fewer(
    search: Search, conduct: Conduct, undisturbed: tuple[SearchResult, Path], tmp_path: Path
) -> None:
    first, folder = undisturbed
    shutil.copytree(folder, tmp_path / "tune")
    more = conduct(replace(search, candidates=candidates(search.candidates[0], 8)), tmp_path / "tune")
    assert more.first.standings()[:7] == first.first.standings()
    assert more.first.reused == set(range(7))


@pytest.mark.slow
def test_a_record_that_was_cut_short_among_other_candidates_is_completed(
    search: Search, conduct: Conduct, undisturbed: tuple[SearchResult, Path], tmp_path: Path
) -> None:
    first, folder = undisturbed
    shutil.copytree(folder, tmp_path / "tune")
    best = max((n for n in range(1, 7) if first.first.means()[n]), key=lambda n: first.first.means()[n] or 0)
    path = tmp_path / "tune" / f"{first.first.trials[best].name}.json"
    content = json.loads(path.read_text())
    del content["sha256"], content["collapses"]  # as an older version wrote it
    path.write_text(json.dumps({**content, "scores": content["scores"][:1]}))
    for _ in range(2):  # the second time from the completed record
        assert what(conduct(search, tmp_path / "tune")) == what(first)
    assert scores_in(tmp_path / "tune") == scores_in(folder)


def test_a_recipe_that_diverges_is_kept_as_such_and_not_chosen(
    search: Search, conduct: Conduct, tmp_path: Path
) -> None:
    default = search.candidates[0]
    wild = replace(default, learning_rate=1e30, max_grad_norm=1e30)
    few = replace(search, candidates=(default, wild), confirm_seeds=1)
    found = conduct(few, tmp_path)
    assert (found.finalists, found.chosen, found.lost) == ((0,), 0, {})
    [failure] = [content["failure"] for content in scores_in(tmp_path).values() if content["failure"]]
    assert "diverged" in failure
    assert conduct(few, tmp_path).epochs_now == 0


def test_a_trial_that_fails_otherwise_is_reported_and_tried_again(
    search: Search, conduct: Conduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taskaffinity.training import trial

    few = replace(search, candidates=search.candidates[:2], confirm_seeds=1)
    train_in_step, full = trial.train_in_step, search.candidates[1]

    def too_much(specs: Any, **places: Any) -> Iterator[Mapping[str, Any]]:
        if specs[0].recipe == full:
            raise MemoryError
        yield from train_in_step(specs, **places)

    with monkeypatch.context() as patch:
        patch.setattr(trial, "train_in_step", too_much)
        found = conduct(few, tmp_path)
    assert (found.finalists, found.chosen) == ((0,), 0)
    [(path, reason)] = found.lost.items()
    assert "out of memory" in reason
    said = path.read_text().splitlines()
    assert (said[0], said[-1]) == (reason, "MemoryError")
    assert "in too_much" in path.read_text()
    again = conduct(few, tmp_path)
    assert not again.lost
    assert not path.exists()
    assert again.epochs_now > 0


def test_a_reason_that_cannot_be_written_ends_no_other_trial(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(trials, "write_atomic", full)
    [one] = trials_of(search.tasks, search.encoder, search.candidates[:1], [search.first_seed])
    round_ = Round([one], TrialFolder(tmp_path), stops_early=False, versions={})
    round_.fail(0, "out of memory", "trace")
    assert (round_.lost, round_.pending()) == ({0: "out of memory"}, [])
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_whoever_hears_of_epochs_is_not_the_trials(
    search: Search, conduct: Conduct, tmp_path: Path
) -> None:
    def full(ended: Ended) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        conduct(replace(search, candidates=search.candidates[:2], confirm_seeds=1), tmp_path, on_progress=full)


class Killed(BaseException):
    """Stands for a process that ends."""


@pytest.mark.slow
def test_a_killed_search_continues_within_its_trial_and_leaves_no_checkpoint(
    search: Search,
    conduct: Conduct,
    undisturbed: tuple[SearchResult, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from taskaffinity.training.loop import TrainingLoop

    first, folder = undisturbed
    trained: list[int] = []
    train, report = TrainingLoop._train_epoch, Round.report

    def counted(loop: Any, *options: Any) -> None:
        trained.append(loop.position.epoch)
        train(loop, *options)

    def killed(round_: Round, number: int, epoch: int, *rest: Any) -> bool:
        if (number, epoch) == (0, 2):
            raise Killed
        return report(round_, number, epoch, *rest)

    monkeypatch.setattr(TrainingLoop, "_train_epoch", counted)
    with monkeypatch.context() as patch:
        patch.setattr(Round, "report", killed)
        with pytest.raises(Killed):
            conduct(search, tmp_path / "tune", checkpoint_minutes=1e-9)
    checkpoints = tmp_path / "tune" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == [first.first.trials[0].name]
    assert what(conduct(search, tmp_path / "tune")) == what(first)
    assert scores_in(tmp_path / "tune") == scores_in(folder)  # no folder of checkpoints either
    assert len(trained) == 2 * first.epochs_now  # two tasks; no epoch is trained twice


def test_epochs_of_a_checkpoint_are_not_counted_as_trained_now(
    search: Search, conduct: Conduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, report = replace(search, candidates=search.candidates[:1], confirm_seeds=1), Round.report

    def killed(round_: Round, number: int, epoch: int, *rest: Any) -> bool:
        if epoch == 3:
            raise Killed
        return report(round_, number, epoch, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Round, "report", killed)
        with pytest.raises(Killed):
            conduct(few, tmp_path, checkpoint_minutes=1e-9)
    assert conduct(few, tmp_path).epochs_now == 5  # the last one of the first trial, and four of the second


def test_epochs_that_early_stopping_skips_are_not_counted_as_trained(
    search: Search, conduct: Conduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taskaffinity.training.loop import TrainingLoop

    by_trial: dict[tuple[int, str], int] = {}
    train = TrainingLoop._train_epoch

    def counted(loop: Any, *options: Any) -> None:
        one = (loop._seed, next(iter(loop._splits)))
        by_trial[one] = by_trial.get(one, 0) + 1
        train(loop, *options)

    monkeypatch.setattr(TrainingLoop, "_train_epoch", counted)
    still = replace(search.candidates[0], learning_rate=1e-9, early_stopping_patience=1)  # no epoch is better
    few = replace(search, candidates=(still,), confirm_seeds=1)
    found = conduct(few, tmp_path)
    assert set(by_trial.values()) == {2}  # of four epochs
    assert found.epochs_now == 4
    assert "at most 4 epochs of each task trained now" in describe_search(found)[-1]


def test_a_search_that_ends_leaves_the_checkpoints_of_another_one(
    search: Search, conduct: Conduct, tmp_path: Path
) -> None:
    of_another = tmp_path / "checkpoints" / trials_of(search.tasks, search.encoder, search.candidates, [5])[0].name
    of_another.mkdir(parents=True)
    conduct(search, tmp_path)
    assert list(of_another.parent.iterdir()) == [of_another]


def test_a_trial_has_the_seconds_of_all_its_epochs(search: Search, conduct: Conduct, tmp_path: Path) -> None:
    one = replace(search.candidates[0], num_train_epochs=1, max_train_examples=60)
    found = conduct(replace(search, candidates=(one,), confirm_seeds=1), tmp_path)
    seconds = [json.loads(path.read_text())["seconds"] for path in tmp_path.glob("*.json")]
    assert len(seconds) == 2
    assert 0 < min(seconds) < sum(seconds) <= found.seconds


def test_a_broken_file_is_named(search: Search, conduct: Conduct, tmp_path: Path) -> None:
    few = replace(search, candidates=search.candidates[:1], confirm_seeds=1)
    conduct(few, tmp_path)
    path = next(tmp_path.glob("*.json"))
    kept = json.loads(path.read_text())
    broken = {"scores": [[1.0, 2.0]]}, {"scores": [{"mednli": "high"}]}, {"scores": [{"mednli": math.nan}]}
    others = {"seed": 1}, {"recipe": {}}, {"tasks": {}}, {"scores": [{"mednli": 1.0}]}, {"scores": 9 * kept["scores"]}
    for content in ("{", "{}", "[]", *(json.dumps({**kept, **change}) for change in (*broken, *others))):
        path.write_text(content)
        with pytest.raises(InputError, match=f"{path.name}: .*delete it"):
            conduct(few, tmp_path)


def test_of_equal_candidates_the_earlier_is_the_finalist() -> None:
    assert finalists_of([1.0, 5.0, None, 7.0, 5.0], 2) == (0, 3, 1)
    assert finalists_of([None, None], 2) == (0,)


def test_trials_that_did_not_learn_a_task_rank_after_all_others() -> None:
    means = [1.0, 5.0, None, 7.0, 6.0]
    assert finalists_of(means, 2, failing=[3]) == (0, 4, 1)
    assert finalists_of(means, 3, failing=[3]) == (0, 4, 1, 3)
    assert finalists_of(means, 2, failing=[0, 1, 3, 4]) == (0, 3, 4)


def test_a_task_is_not_learned_by_who_collapsed_and_by_who_is_no_better() -> None:
    def record(a: float, b: float, *collapsed: str) -> Record:
        return Record(({"a": 99.0, "b": 99.0}, {"a": a, "b": b}), collapsed)

    assert not_learned([record(50, 0), record(40, 1)]) == set()  # nobody collapsed
    learned, flat, random, high = record(60, 70), record(90, 0, "b"), record(90, 4), record(50, 60)
    assert not_learned([learned, flat, random, high]) == {1, 2}
    assert not_learned([flat, random]) == {0, 1}
    majority, no_better, better = record(60, 95, "b"), record(60, 95.4), record(60, 96)
    assert not_learned([majority, no_better, better]) == {0, 1}  # 5 points above 95 is out of reach
    assert not_learned([Record(failure="diverged"), flat, learned]) == {1}


@pytest.mark.slow
def test_a_task_that_collapsed_is_marked_and_stored(
    search: Search, conduct: Conduct, undisturbed: tuple[SearchResult, Path], tmp_path: Path
) -> None:
    good = undisturbed[0].recipe
    assert good is not None
    still = replace(good, learning_rate=1e-9)  # weights hardly move
    few = replace(search, candidates=(still, good), confirm_seeds=1)
    found = conduct(few, tmp_path)
    assert (found.finalists, found.collapsed, found.chosen) == ((0, 1), (0,), 1)
    stored = [bool(content["collapsed"]) for content in scores_in(tmp_path).values()]
    assert sorted(stored) == [False, False, True, True]
    again = conduct(few, tmp_path)
    assert (again.collapsed, again.chosen, again.epochs_now) == ((0,), 1, 0)


def test_two_searches_beside_one_another_leave_each_others_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ended first removed what Tune wrote for both."""
    nodes = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": {"CPU": 1.0}}])
    monkeypatch.setattr(on_ray, "initialized_ray", lambda: nodes)
    nothing: Any = SimpleNamespace(trials=(), pending=lambda: [0], fail=lambda *_: None)
    seen: list[Path] = []

    def fit(*given: Any, tell: object) -> None:
        scratch = Path(given[-1])
        seen.append(scratch)
        (scratch / "trials").mkdir()
        if len(seen) == 1:
            begin()  # another one, from its beginning to its end
        assert (scratch / "trials").is_dir()

    def begin() -> None:
        with on_ray.on_ray(Resources(), tmp_path, tmp_path, tmp_path / "tune", 0) as train:
            train(nothing, [0])

    monkeypatch.setattr(on_ray, "_fit", fit)
    begin()
    assert len(set(seen)) == 2
    assert list((tmp_path / "tune").iterdir()) == []


def test_a_trial_keeps_to_its_share_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray.tune")
    done: list[Any] = []
    monkeypatch.setattr("taskaffinity.training.gpu.claim_gpu_memory", lambda *given: done.append(given))
    monkeypatch.setattr(on_ray, "train_trial", lambda trial, *_, **__: done.append(trial))
    trials: Any = [SimpleNamespace(name=name, recipe=f"recipe of {name}") for name in ("a", "b")]
    places = dict.fromkeys(("encoder_folder", "cache", "folder"), tmp_path)
    on_ray._trial({"number": 1}, trials=trials, **places, checkpoint_minutes=0, gpu_share=0.25)
    assert done == [("recipe of b", 0.25), trials[1]]
    given: dict[str, Any] = {}
    monkeypatch.setattr(on_ray, "initialized_ray", lambda: True)
    monkeypatch.setattr(on_ray, "_fit", lambda _, training, *__, tell: given.update(training))
    nothing: Any = SimpleNamespace(trials=(), pending=lambda: [0], fail=lambda *_: None)
    with on_ray.on_ray(Resources(gpus_per_run=0.25), tmp_path, tmp_path, tmp_path / "tune", 0) as train:
        train(nothing, [0])
    assert given["gpu_share"] == 0.25


def test_what_a_worker_of_ray_reports_arrives_in_the_round(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = pytest.importorskip("ray.tune")
    trials = trials_of(search.tasks, search.encoder, search.candidates[:1], [search.first_seed])
    round_ = Round(trials, TrialFolder(tmp_path), stops_early=True, versions={})
    scheduler = on_ray._scheduler(lambda message: on_ray._answer(round_, message))
    decisions: list[str] = []

    def arrive(result: dict[str, Any]) -> None:
        trial = SimpleNamespace(config={"number": 0})
        decisions.append(scheduler.on_trial_result(None, trial, flatten_dict(result)))  # as Tune passes it on

    def train(trial: Any, report: Any, fail: Any, **_: Any) -> None:
        report(1, {"mednli": 50.0, "shareclefe": 0.0}, ["shareclefe"], 2.5, False)
        fail("diverged", "trace", True)

    monkeypatch.setattr("taskaffinity.training.gpu.claim_gpu_memory", lambda *_: None)
    monkeypatch.setattr(on_ray, "train_trial", train)
    monkeypatch.setattr(tune, "report", arrive)
    places = dict.fromkeys(("encoder_folder", "cache", "folder"), tmp_path)
    on_ray._trial({"number": 0}, trials=trials, **places, checkpoint_minutes=0, gpu_share=0.0)
    stored = TrialFolder(tmp_path).read(trials[0])
    assert stored == Record(
        ({"mednli": 50.0, "shareclefe": 0.0},), ("shareclefe",), "diverged", 2.5, (("shareclefe",),)
    )
    assert decisions == ["CONTINUE", "STOP"]
    assert round_.epochs_now == 0  # its epoch came from a checkpoint


@pytest.mark.ray
@pytest.mark.slow
def test_ray_tune_finds_the_same_and_leaves_nothing_of_its_own(
    search: Search,
    conduct: Conduct,
    undisturbed: tuple[SearchResult, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    first, folder = undisturbed
    kept_by_tune = (
        Path.home() / "ray_results"
    )  # HOME itself stays: a Ray that ran in this process before has its token there
    before = kept_by_tune.exists()
    found = conduct(search, tmp_path / "tune", Resources("ray"))
    assert what(found) == what(first)
    assert set(scores_in(tmp_path / "tune")) == set(scores_in(folder))
    assert kept_by_tune.exists() == before
    assert capfd.readouterr().out == ""
