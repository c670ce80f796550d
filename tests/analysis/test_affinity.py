from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, right, seeded
from scipy import stats

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.arm import Arm
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.standard_errors import standard_error, variance_components
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

ARRAYS = (
    "gain",
    "low",
    "high",
    "p",
    "q",
    "p_tost",
    "q_tost",
    "df",
    "se_seeds",
    "se_examples",
    "mde",
)


def test_planted_helper_and_rival_are_found(toy: tuple[Study, RunStore]) -> None:
    matrix = measure(*toy)
    b, a, c = range(3)
    assert matrix.tasks == ("b", "a", "c")
    assert matrix.verdict[a, b] == "improves"
    assert matrix.verdict[c, b] == "degrades"
    assert matrix.select("improves", "degrades") == ((a, b), (c, b))
    assert matrix.low[a, b] > 0 > matrix.high[c, b]


def test_the_diagonal_is_no_arrow(toy: tuple[Study, RunStore]) -> None:
    matrix = measure(*toy)
    for name in ARRAYS:
        assert np.isnan(np.diag(getattr(matrix, name))).all()
    assert set(np.diag(matrix.verdict)) == set(np.diag(matrix.untested_reason)) == {""}


def test_an_arrow_is_the_error_of_its_two_arms_in_points(toy: tuple[Study, RunStore]) -> None:
    study, store = toy
    matrix = measure(study, store, Rule(alpha=0.1))
    runs = {
        (spec.task_names, spec.seed): store.read(spec).counts["b/test"] for spec in study.plan if "b" in spec.task_names
    }
    pair, single = (np.stack([runs[names, seed] for seed in study.seeds]) for names in (("a", "b"), ("b",)))
    arms = [Arm.from_counts(counts, METRICS["accuracy"]) for counts in (pair, single)]
    prior = read_arms(study, store).prior
    error = standard_error(variance_components(*arms, prior.of("b", False), prior.of("b", True)))
    assert matrix.gain[1, 0] == pytest.approx(100 * error.gain)
    assert (matrix.low[1, 0], matrix.high[1, 0]) == pytest.approx(tuple(100 * end for end in error.interval(0.1)))
    assert matrix.p_tost[1, 0] == pytest.approx(error.p_tost(0.01))
    assert matrix.single_mean[0] == pytest.approx(100 * single.sum(axis=1)[:, 0].mean() / 1000)
    assert matrix.baseline[1, 0] == matrix.single_mean[0]


def test_equal_results_give_zero_gain_and_no_colour(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    store = fill(study, tmp_path, lambda target, partners, seed: right(seeded(target, seed).random(500) < 0.8))
    matrix = measure(study, store)
    assert all(matrix.gain[arrow] == 0 for arrow in matrix.arrows)
    assert not matrix.select("improves", "degrades")


def test_renaming_and_reordering_tasks_permutes_the_matrix(tmp_path: Path) -> None:
    counts = latent_counts({("a", "b"): 0.5, ("c", "a"): -0.4})
    first = measure(study := make_study(["a", "b", "c"]), fill(study, tmp_path / "1", counts))
    new = {"a": "z", "b": "y", "c": "x"}
    old = {name: key for key, name in new.items()}

    def renamed(target: str, partners: str, seed: int) -> np.ndarray:
        return counts(old[target], old.get(partners, ""), seed)

    second = measure(study := make_study(["y", "x", "z"]), fill(study, tmp_path / "2", renamed))
    place = [second.tasks.index(new[name]) for name in first.tasks]
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(second, name)[np.ix_(place, place)], getattr(first, name))
    assert (second.verdict[np.ix_(place, place)] == first.verdict).all()


@pytest.mark.filterwarnings("error")
def test_with_one_seed_everything_is_inconclusive_and_says_why(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=[5])
    matrix = measure(study, fill(study, tmp_path, latent_counts({("a", "b"): 2.0})))
    for arrow in matrix.arrows:
        assert (matrix.verdict[arrow], matrix.untested_reason[arrow]) == ("inconclusive", "one seed")
        assert np.isfinite(matrix.gain[arrow])
        assert np.isnan(matrix.low[arrow])
        assert np.isfinite(matrix.se_examples[arrow])


@pytest.mark.filterwarnings("error")
def test_missing_runs_cost_only_their_own_arrows(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c", "d"])

    def skip(spec: object) -> bool:
        names, seed = spec.task_names, spec.seed  # type: ignore[attr-defined]
        return names == ("a", "b") or (names == ("a", "c") and seed > 0) or (names == ("c", "d") and seed == 2)

    matrix = measure(study, fill(study, tmp_path, latent_counts({}), skip=skip))
    a, b, c, d = range(4)
    assert matrix.untested_reason[a, b] == matrix.untested_reason[b, a] == "no pair run"
    assert np.isnan(matrix.gain[a, b])
    assert matrix.untested_reason[a, c] == "one pair run"
    assert np.isfinite(matrix.gain[a, c])
    assert matrix.untested_reason[c, d] == ""
    assert matrix.seeds_pair[c, d] == 2
    assert np.isfinite(matrix.p[c, d])
    assert matrix.verdict[a, b] == matrix.verdict[a, c] == "inconclusive"


@pytest.mark.filterwarnings("error")
def test_a_store_without_runs_is_no_crash(tmp_path: Path) -> None:
    matrix = measure(make_study(["a", "b"]), RunStore(tmp_path))
    assert {matrix.untested_reason[arrow] for arrow in matrix.arrows} == {"no pair and no single run"}
    assert matrix.n_test.tolist() == [0, 0]


def test_every_metric_is_measured(tmp_path: Path) -> None:
    study = make_study(["f", "r"], metrics={"f": "span_f1", "r": "pearson"})

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        rng, gold = seeded(target, partners, seed), seeded(target).normal(0, 1, 300)
        if target == "r":
            return METRICS["pearson"].tally(gold, gold + rng.normal(0, 0.3 if partners else 1.5, 300), ())
        found = rng.random(300) < 0.7
        return np.stack([found, rng.random(300) < 0.2, ~found], axis=1).astype(float)

    matrix = measure(study, fill(study, tmp_path, counts))
    assert matrix.verdict[0, 1] == "improves"
    assert matrix.verdict[1, 0] == "inconclusive"


def test_a_real_but_negligible_gain_is_no_effect(tmp_path: Path) -> None:
    n = 50_000
    study = make_study(["a", "b"], seeds=range(4))

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        scores = np.arange(n) < (0.800 + 0.003 * bool(partners)) * n + seed
        return right(scores)

    matrix = measure(study, fill(study, tmp_path, counts))
    for arrow in matrix.arrows:
        assert matrix.gain[arrow] == pytest.approx(0.3)
        assert matrix.p[arrow] <= 0.001
        assert matrix.verdict[arrow] == "no effect"


def test_a_wider_margin_never_takes_a_no_effect_back(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    store = fill(study, tmp_path, latent_counts({}, n=2000))
    found = [len(measure(study, store, Rule(margin=margin)).select("no effect")) for margin in (0.5, 1, 2, 4, 8)]
    assert found == sorted(found)
    assert found[-1] == 6


def test_null_arrows_are_seldom_significant(tmp_path: Path) -> None:
    study = make_study(list("abcdef"))
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=400)))
    assert len(matrix.select("improves", "degrades")) <= 2
    assert stats.kstest([matrix.p[arrow] for arrow in matrix.arrows], "uniform").pvalue > 1e-4


def test_the_matrix_is_a_value(toy: tuple[Study, RunStore]) -> None:
    matrix = measure(*toy)
    with pytest.raises(dataclasses.FrozenInstanceError):
        matrix.rule = Rule(alpha=0.5)  # type: ignore[misc]
    assert [(matrix.tasks[s], matrix.tasks[t]) for s, t in matrix.arrows] == arrows(matrix.tasks)
