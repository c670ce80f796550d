from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, right, seeded

from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.arms import Arms
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.seed_variance import fit_prior, fit_study_prior
from taskaffinity.analysis.statistics.standard_errors import variance_components
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


def same_arms(one: Arms, other: Arms) -> None:
    assert one.by_key.keys() == other.by_key.keys()
    assert dict(one.seeds) == dict(other.seeds)
    for key, arm in one.by_key.items():
        for name in ("scores", "influence", "counted"):
            np.testing.assert_array_equal(getattr(arm, name), getattr(other.by_key[key], name))


def test_every_arm_of_the_store_is_read_with_its_seeds(tmp_path: Path) -> None:
    study = make_study(["b", "a", "c"], seeds=(4, 1), seeds_single=(0, 1, 2), full=True)
    store = fill(study, tmp_path, latent_counts({}, n=40))
    arms = read_arms(study, store)
    assert arms.tasks == ("b", "a", "c")
    pairs = {(t, "pair", s) for s, t in arrows("abc")}
    assert arms.by_key.keys() == pairs | {(t, "single", "") for t in "abc"}
    for (target, kind, partner), arm in arms.by_key.items():
        specs = {
            spec.seed: spec
            for spec in study.plan
            if spec.arm == kind and set(spec.task_names) == {target, partner} - {""}
        }
        kept = arms.seeds[target, kind, partner]
        assert sorted(kept) == sorted(specs)
        expected = [store.read(specs[seed]).counts[f"{target}/test"][:, 0].mean() for seed in kept]
        np.testing.assert_allclose(arm.scores, expected)
    assert arms.single_task("a") is arms.single("a", "c") is arms.by_key["a", "single", ""]
    assert [arms.n_test(task) for task in (*arms.tasks, "z")] == [40, 40, 40, 0]


def test_the_evidence_of_an_arrow_is_that_of_its_two_arms(toy: tuple[Study, RunStore]) -> None:
    arms = read_arms(*toy)
    for s, source in enumerate(arms.tasks):
        for t, target in enumerate(arms.tasks):
            if s == t:
                assert np.isnan(arms.evidence.gain[s, t])
                continue
            priors = [arms.prior.of(target, is_baseline) for is_baseline in (False, True)]
            expected = variance_components(arms.pair(target, source), arms.single_task(target), *priors)
            expected = expected.map({"gain_trained": expected.gain})  # no run is collapsed
            for name, value in vars(expected).items():
                assert getattr(arms.evidence, name)[s, t] == value


def test_only_some_seeds_are_a_study_of_those_seeds(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds=(0, 1, 2), seeds_single=(0, 1, 2, 3, 4))
    store = fill(study, tmp_path, latent_counts({}, n=50))
    smaller = make_study(["a", "b", "c"], seeds=(0, 2), seeds_single=(1, 2, 4))
    only = read_arms(study, store).only(lambda key: (1, 2, 4) if key[1] == "single" else (0, 2))
    read = read_arms(smaller, store)
    same_arms(only, read)
    assert only.prior == read.prior
    np.testing.assert_array_equal(only.evidence.gain, read.evidence.gain)


@pytest.mark.filterwarnings("error")
def test_only_no_seeds_is_a_study_without_runs(toy: tuple[Study, RunStore]) -> None:
    arms = read_arms(*toy)
    same_arms(arms.only(arms.seeds.__getitem__), arms)
    singles = arms.only(lambda key: (0, 1, 2) if key[1] == "single" else ())
    assert {kind for _, kind, _ in singles.by_key} == {"single"}
    assert set(singles.evidence.untested_reason[~np.eye(3, dtype=bool)]) == {"no pair run"}
    assert not arms.only(lambda key: ()).by_key


def test_seeds_may_be_another_set_for_every_arm_and_may_have_no_run(toy: tuple[Study, RunStore]) -> None:
    arms = read_arms(*toy)
    some = arms.only(lambda key: (2, 77) if key == ("b", "pair", "a") else (1, 0))
    assert some.seeds["b", "pair", "a"] == (2,)
    assert some.seeds["a", "pair", "b"] == (0, 1)
    assert some.pair("b", "a").scores == arms.pair("b", "a").scores[2]
    same_arms(arms.only(lambda key: (0, 1, 77)), arms.only(lambda key: (1, 0)))


def test_the_prior_is_fitted_only_to_the_arms_of_arrows(tmp_path: Path) -> None:
    counts = latent_counts({}, n=200)

    def wild_controls(target: str, partners: str, seed: int) -> np.ndarray:
        if partners.startswith("~"):
            return right(np.arange(200) < 80 * (seed % 7 % 3) + 10)
        return counts(target, partners, seed)

    plain, study = make_study(["a", "b", "c"]), make_study(["a", "b", "c"], controls=True)
    store = fill(study, tmp_path, wild_controls)
    arms, without = read_arms(study, store), read_arms(plain, store)
    assert {kind for _, kind, _ in arms.by_key} == {"single", "pair", "placebo", "half", "halves"}
    assert arms.by_key["a", "placebo", ""].s2 > 50 * arms.by_key["a", "single", ""].s2
    assert arms.prior == without.prior
    used = [arm for (_, kind, _), arm in arms.by_key.items() if kind in ("single", "pair")]
    assert len(used) == 9
    loop = fit_prior([arm.scores.var(ddof=1) / arm.unit for arm in used], [2] * 9)
    prior = read_arms(study, store, rule=Rule(test="satterthwaite")).prior.of("a", False)
    assert (prior.ratio, prior.d0) == pytest.approx((loop.ratio, loop.d0))


def test_arms_that_learned_nothing_or_ran_once_say_nothing_of_the_prior(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c", "d"])
    counts = latent_counts({}, n=200)

    def dead_d(target: str, partners: str, seed: int) -> np.ndarray:
        return right(np.zeros(200)) if target == "d" else counts(target, partners, seed)

    store = fill(study, tmp_path, dead_d, skip=lambda spec: spec.task_names == ("a", "b") and spec.seed > 0)
    arms = read_arms(study, store)
    used = {key: arm for key, arm in arms.by_key.items() if key[0] != "d" and arm.n_runs > 1}
    assert len(used) == 3 + 9 - 2
    assert arms.prior == fit_study_prior(
        [arm.s2 / arm.unit for arm in used.values()],
        [2] * 10,
        [target for target, _, _ in used],
        [kind == "single" for _, kind, _ in used],
    )


def matched_study(root: Path) -> tuple[Study, RunStore]:
    """Alone a task is much worse than with as many updates as a pair has, and best with as many as that with ``a``."""
    study = make_study(["a", "b", "c"], baseline="compute-matched", seeds_single=range(5))

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        score = {"": 0.5, "~matched:a": 0.74, "~matched:b": 0.7, "~matched:c": 0.7}.get(partners, 0.7)
        return right(seeded(target, partners, seed).random(400) < score)

    return study, fill(study, root, counts)


def test_with_equal_compute_a_pair_is_compared_with_the_matched_arm(tmp_path: Path) -> None:
    study, store = matched_study(tmp_path)
    arms, matrix = read_arms(study, store), measure(study, store)

    def mean(target: str, **want: object) -> float:
        chosen = [spec for spec in study.plan if all(getattr(spec, name) == value for name, value in want.items())]
        assert len(chosen) == 3
        return float(np.mean([store.read(spec).counts[f"{target}/test"][:, 0].mean() for spec in chosen]))

    for source, target in arrows("abc"):
        s, t = "abc".index(source), "abc".index(target)
        pair = mean(target, task_names=tuple(sorted((source, target))), variant="plain")
        partner = next(card.ref for card in study.tasks if card.name == source)
        alone = mean(target, task_names=(target,), variant="matched", partner=partner)
        assert matrix.gain[s, t] == pytest.approx(100 * (pair - alone))
        assert matrix.baseline[s, t] == pytest.approx(100 * alone)
        assert arms.single(target, source) is arms.by_key[target, "matched", source]
    assert (matrix.seeds_single == 3 - 3 * np.eye(3)).all()
    assert matrix.single_mean == pytest.approx([50] * 3, abs=5)  # the shown single-task scores stay what they were
    assert not matrix.select("improves")


def test_with_equal_compute_singles_say_nothing_of_the_prior(tmp_path: Path) -> None:
    arms = read_arms(*matched_study(tmp_path))
    used = {key: arm for key, arm in arms.by_key.items() if key[1] in ("pair", "matched")}
    assert arms.prior == fit_study_prior(
        [arm.s2 / arm.unit for arm in used.values()],
        [2] * 12,
        [target for target, _, _ in used],
        [kind == "matched" for _, kind, _ in used],
    )
