"""A sequential design stops decided pairs, depends on the store alone, and keeps its error rates."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right
from rich.console import Console

from taskaffinity.analysis.captions import caption, describe, describe_sequential
from taskaffinity.analysis.measure import margins_of, measure
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.sequential import (
    Covariance,
    IntArray,
    alpha_spending,
    follow,
    required_runs,
    sequential_design,
)
from taskaffinity.analysis.statistics.sequential_simulation import SimulatedRates, _World, simulate_design
from taskaffinity.analysis.statistics.standard_errors import VarianceComponents
from taskaffinity.analysis.tables.printed import edge_table
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

INTERIM_SEEDS = (3, 5, 8)
GAINS = {("a", "b"): 1.0, ("c", "b"): -1.0}


def sequential_study(names: str = "abcd") -> Study:
    study = make_study(list(names), seeds=range(INTERIM_SEEDS[-1]), interim_seeds=INTERIM_SEEDS)
    return replace(study, seeds_single=tuple(range(default_single_seeds(len(names), INTERIM_SEEDS[-1]))))


def run_design(study: Study, root: Path, rule: Rule, analyses: int = 99) -> RunStore:
    """Fill a store with synthetic runs as the command trains them, up to so many interim analyses."""
    store, margins = RunStore(root), margins_of(study, rule)
    for _ in range(analyses):
        state = follow(study, read_arms(study, store), rule, margins, store.__contains__)
        missing = {spec for spec in required_runs(study, state) if spec not in store}
        if not missing:
            break
        fill(study, root, latent_counts(GAINS, n=600), skip=lambda spec, wanted=missing: spec not in wanted)
    return store


def verdicts_of(study: Study, store: RunStore, rule: Rule) -> tuple[str, ...]:
    state = follow(study, read_arms(study, store), rule, margins_of(study, rule), store.__contains__)
    return tuple(state.decision.verdict.ravel())


def exact(gain: float, sd: float = 0.01, v_examples: float = 1e-8) -> VarianceComponents:
    """Evidence of two tasks with this gain on both arrows."""
    shape = np.ones((2, 2))
    return VarianceComponents(
        gain=gain * shape,
        s2_pair=sd**2 * shape,
        s2_single=sd**2 * shape,
        d_pair=6 * shape,
        d_single=6 * shape,
        n_pair=3 * shape,
        n_single=3 * shape,
        v_examples=v_examples * shape,
        i_pair=0 * shape,
        i_single=0 * shape,
        effective_documents=1000 * shape,
        untested_reason=np.full((2, 2), "", dtype=object),
    )


def test_interim_analyses_spend_alpha_in_all() -> None:
    for interim_seeds in ((3,), (3, 5), (3, 5, 8, 12)):
        parts = alpha_spending(interim_seeds, 0.05)
        assert sum(parts) == pytest.approx(0.05)
        assert min(parts) > 0
        assert len(parts) == len(interim_seeds)
    # cumulative, by Lan & DeMets' function of Pocock's shape: log(1 + (e - 1) t) for t of 1/4, 1/2, 3/4 and 1
    assert np.cumsum(alpha_spending((3, 6, 9, 12), 0.05)) == pytest.approx([0.01787, 0.03101, 0.0414, 0.05], abs=1e-5)


@pytest.mark.parametrize(
    ("gain", "n_done", "verdict"), [(0.2, 1, "improves"), (-0.2, 1, "degrades"), (0.04, 3, None), (0.0005, 1, None)]
)
def test_a_clear_pair_stops_at_once_and_a_promising_one_goes_on(gain: float, n_done: int, verdict: str) -> None:
    asked: list[int] = []

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance]:
        assert n_pair is not None
        asked.append(int(n_pair[0, 1]))
        return replace(exact(gain, sd=0.02), n_pair=n_pair * 1.0), lambda t: np.zeros((2, 2))

    # (a gain of nothing at all with an SD of two points will hardly be decided by eight seeds: no use in going on)
    state = sequential_design(INTERIM_SEEDS, 2, evidence_at, np.full(2, 0.01), Rule())
    assert state.n_done == n_done
    assert asked == list(INTERIM_SEEDS[:n_done])
    assert state.finished
    if verdict:
        assert state.decision.verdict[0, 1] == state.decision.verdict[1, 0] == verdict
        assert state.pair_runs == INTERIM_SEEDS[0]


def test_a_decided_arrow_keeps_its_analysis_while_its_pair_goes_on() -> None:
    """With five seeds nothing is left of its gain; its pair goes on because the other arrow is undecided."""

    def evidence_at(n_pair: IntArray | None, n_single: IntArray | None) -> tuple[VarianceComponents, Covariance]:
        assert n_pair is not None
        gain = np.array([[0.0, 0.2 if n_pair[0, 1] == INTERIM_SEEDS[0] else 0.0], [0.04, 0.0]])
        return replace(exact(0.0, sd=0.02), gain=gain, n_pair=n_pair * 1.0), lambda t: np.zeros((2, 2))

    state = sequential_design(INTERIM_SEEDS, 2, evidence_at, np.full(2, 0.01), Rule())
    assert state.n_done == 3
    assert (state.decision.verdict[0, 1], state.decided_at_seeds[0, 1]) == ("improves", INTERIM_SEEDS[0])
    assert (state.evidence.gain[0, 1], state.error.gain[0, 1]) == (0.2, 0.2)
    first, last = math.log(1 + (math.e - 1) * 3 / 8), 1 - math.log(1 + (math.e - 1) * 5 / 8)
    assert [state.alpha_spent[0, 1], state.alpha_spent[1, 0]] == pytest.approx([0.05 * first, 0.05 * last])


def test_it_trains_less_than_the_fixed_design_and_finds_the_same_large_gains(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    matrix = measure(study, run_design(study, tmp_path / "sequential", rule), rule)
    fixed_study = replace(study, interim_seeds=())
    fixed = measure(fixed_study, fill(fixed_study, tmp_path / "fixed", latent_counts(GAINS, n=600)), rule)
    a, b, c = 0, 1, 2
    for arrow, word in (((a, b), "improves"), ((c, b), "degrades")):
        assert matrix.verdict[arrow] == fixed.verdict[arrow] == word
    assert matrix.sequential is not None
    assert matrix.sequential.finished
    assert matrix.sequential.pair_runs < 6 * INTERIM_SEEDS[-1]
    runs = [path.name for path in (tmp_path / "sequential" / "runs").iterdir()]
    assert sum(name.startswith("refine") for name in runs) == matrix.sequential.pair_runs
    assert sum(name.startswith("single") for name in runs) == matrix.sequential.single_runs


def test_verdicts_are_never_taken_back(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    before: tuple[str, ...] = ()
    for _ in range(4):
        now = verdicts_of(study, run_design(study, tmp_path, rule, analyses=1), rule)
        for old, new in zip(before, now, strict=False):
            assert old in ("inconclusive", new)
        before = now
    assert {"improves", "degrades"} <= {*before}


def test_an_interrupted_design_resumes_to_the_same_verdicts(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    whole = run_design(study, tmp_path / "whole", rule)
    # interrupted within its second analysis: half of its runs are missing
    run_design(study, tmp_path / "killed", rule, analyses=1)
    first = {path.name for path in (tmp_path / "killed" / "runs").iterdir()}
    rest = sorted(path.name for path in (tmp_path / "whole" / "runs").iterdir() if path.name not in first)
    names = {spec.run_id: spec for spec in study.plan}
    half = {names[name] for name in rest[::2]}
    fill(study, tmp_path / "killed", latent_counts(GAINS, n=600), skip=lambda spec: spec not in half)
    resumed = run_design(study, tmp_path / "killed", rule)
    assert verdicts_of(study, resumed, rule) == verdicts_of(study, whole, rule)
    assert {p.name for p in (tmp_path / "killed" / "runs").iterdir()} == {
        p.name for p in (tmp_path / "whole" / "runs").iterdir()
    }


def test_before_the_first_analysis_nothing_is_decided(tmp_path: Path) -> None:
    study = sequential_study()

    def late(spec: RunSpec) -> bool:
        return spec.seed > 1

    matrix = measure(study, fill(study, tmp_path, latent_counts(GAINS), skip=late))
    assert matrix.sequential is not None
    assert matrix.sequential.n_done == 0
    assert set(matrix.verdict[~np.eye(4, dtype=bool)]) == {"inconclusive"}
    assert np.isfinite(matrix.gain[0, 1])


def test_an_inconclusive_arrow_says_why_it_has_no_more_seeds(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    matrix = measure(study, run_design(study, tmp_path, rule), rule)
    assert matrix.sequential is not None
    is_arrow = ~np.eye(4, dtype=bool)
    assert (matrix.sequential.n_shown == matrix.seeds_pair)[is_arrow].all()
    for arrow in matrix.select("inconclusive"):
        words, seeds = matrix.recommendation[arrow], matrix.seeds_pair[arrow]
        assert words.endswith("; all 8 seeds of the design are spent") == (seeds == 8)
        assert (f"; stopped after {seeds} of 8 seeds" in words) == (seeds < 8)


def test_intervals_are_at_the_level_of_the_deciding_analysis(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    matrix = measure(study, run_design(study, tmp_path, rule), rule)
    assert matrix.sequential is not None
    assert matrix.sequential.decided_at_seeds[0, 1] == INTERIM_SEEDS[0]
    early = replace(
        study, seeds=study.seeds[:3], seeds_single=tuple(range(default_single_seeds(4, 3))), interim_seeds=()
    )
    fixed = measure(early, RunStore(tmp_path), replace(rule, alpha=alpha_spending(INTERIM_SEEDS, rule.alpha)[0]))
    assert matrix.low[0, 1] == pytest.approx(fixed.low[0, 1])
    assert matrix.gain[0, 1] == pytest.approx(fixed.gain[0, 1])
    assert (matrix.seeds_pair[0, 1], matrix.seeds_single[0, 1]) == (3, default_single_seeds(4, 3))


def test_intervals_are_not_called_those_of_alpha(tmp_path: Path) -> None:
    """They are at the level that the interim analysis spends, so wider; no analysis decided an inconclusive arrow."""
    study = sequential_study()
    matrix = measure(study, run_design(study, tmp_path, Rule()))
    assert matrix.select("inconclusive")
    assert all(np.isnan(matrix.decided_at_seeds[arrow]) for arrow in matrix.select("inconclusive"))
    assert (matrix.alpha_spent[~np.isnan(matrix.alpha_spent)] < 0.05).all()
    shown = StringIO()
    Console(file=shown, width=120).print(edge_table(matrix))
    for words in (shown.getvalue(), describe(matrix), caption(matrix)):
        assert "95%" not in words
        assert "at the level of the interim analysis that decided or last tested the arrow" in " ".join(words.split())
    assert "at 0.05, spent over the interim analyses" in caption(matrix)
    fixed = measure(replace(study, interim_seeds=()), RunStore(tmp_path))
    assert "95% intervals" in caption(fixed)
    assert "at 0.05." in caption(fixed)


@pytest.mark.filterwarnings("error")
def test_simulated_error_rates_are_below_alpha_and_are_described(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    store = run_design(study, tmp_path, rule)
    simulated = simulate_design(read_arms(study, store), INTERIM_SEEDS, margins_of(study, rule), rule, n=60)
    assert simulated.false_significance <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert 0 < simulated.pair_runs <= 1
    assert 2 / 12 <= simulated.decided <= 1
    words = " ".join(describe_sequential(measure(study, store, rule)))
    assert "pair runs saved" in words
    assert "simulations of this design" in words
    assert describe_sequential(measure(replace(study, interim_seeds=()), store)) == []


def test_without_a_verdict_of_no_effect_none_is_called_wrong(tmp_path: Path) -> None:
    study, rule = sequential_study("ab"), Rule(margin=0.01)
    store = run_design(study, tmp_path, rule)
    simulated = simulate_design(read_arms(study, store), INTERIM_SEEDS, margins_of(study, rule), rule, n=5)
    assert np.isnan(simulated.false_equivalence)
    matrix = replace(measure(study, store), simulated=simulated)
    assert describe_sequential(matrix)[-1].endswith(' of the pair runs, and no arrow had the verdict "no effect".')


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0%"), (0.0008, "<1%"), (0.5, "50%"), (0.9992, ">99%"), (1.0, "100%")]
)
def test_shares_of_a_sequential_design_are_0_or_100_percent_only_if_they_are(
    share: float, shown: str, tmp_path: Path
) -> None:
    """With 200 simulations of 6 arrows, one decided arrow is 0.08%, which was printed as 0%."""
    study = sequential_study("ab")
    matrix = measure(study, run_design(study, tmp_path, Rule()))
    rates = SimulatedRates(200, 0.02, 0.0, share, share)
    last = describe_sequential(replace(matrix, simulated=rates))[-1]
    assert f" {shown} of the arrows were decided with {shown} of the pair runs" in last


def test_an_arrow_shows_the_collapsed_runs_of_its_analysis(tmp_path: Path) -> None:
    """Later runs of its arms are trained for other arrows; they belong neither to its gain nor to ``gain_trained``."""
    study, rule = sequential_study("abc"), Rule()
    usual = latent_counts(GAINS, n=600)
    half = np.arange(600) % 2 == 0

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        has_collapsed = (target, partners, seed) in {("b", "", 5), ("b", "a", 7)}
        return right(half) if has_collapsed else usual(target, partners, seed)

    matrix = measure(study, fill(study, tmp_path, counts), rule)
    assert matrix.sequential is not None
    first = (matrix.decided_at_seeds == INTERIM_SEEDS[0])[0, 1]
    assert first
    assert (matrix.seeds_pair[0, 1], matrix.seeds_single[0, 1]) == (3, default_single_seeds(3, 3))
    assert matrix.collapsed_pair[0, 1] == matrix.collapsed_single[0, 1] == 0
    for arrow in matrix.arrows:
        assert matrix.collapsed_pair[arrow] <= matrix.seeds_pair[arrow]
        if not matrix.collapsed_pair[arrow] + matrix.collapsed_single[arrow]:
            assert matrix.gain_trained[arrow] == pytest.approx(matrix.gain[arrow])


def test_the_simulation_moderates_the_variances_that_the_study_moderates(tmp_path: Path) -> None:
    study = make_study(list("abc"), seeds=range(4))
    half = np.arange(100) % 2 == 0
    usual = latent_counts({}, n=100)

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        has_collapsed = (target, partners, seed) in {("b", "a", 2), ("c", "", 1)}
        return right(half & (np.arange(100) < 20)) if has_collapsed else usual(target, partners, seed)

    arms = read_arms(study, fill(study, tmp_path, counts))
    world = _World(arms, np.zeros((3, 3)), (4,), np.random.default_rng(0))
    n_pair, n_single = np.full((3, 3), 4), np.full(3, 4)
    found = world.evidence_at(n_pair, n_single)
    assert found is not None
    arrows = ~np.eye(3, dtype=bool)
    for name in ("d_pair", "d_single"):
        is_raw, was_raw = getattr(found[0], name) == 3, getattr(arms.evidence, name) == 3
        assert (is_raw == was_raw)[arrows].all()
        assert 0 < was_raw[arrows].sum() < 6
    assert found[0].s2_pair[0, 1] == pytest.approx(world.pair[0, 1].var(ddof=1))


def test_compute_matched_baselines_are_simulated_as_they_are_trained(tmp_path: Path) -> None:
    """Each arrow has as many matched runs as its pair; those of a and c as partners of b are equal runs."""
    study = make_study(list("abcd"), seeds=range(4), baseline="compute-matched")
    usual = latent_counts({}, n=300, seed_noise=0.2)

    def counts(target: str, partners: str, seed: int) -> np.ndarray:
        is_equal = target == "b" and partners in ("~matched:a", "~matched:c")
        return usual(target, "~matched:a" if is_equal else partners, seed)

    arms = read_arms(study, fill(study, tmp_path, counts), rule=Rule(estimand="test-set"))
    rng, n_pair, drawn = np.random.default_rng(0), np.full((4, 4), 4), []
    for _ in range(1500):
        found = _World(arms, np.zeros((4, 4)), (4,), rng).evidence_at(n_pair, np.full(4, 7))
        assert found is not None
        drawn.append(found[0].gain)
    e, arrows = arms.evidence, ~np.eye(4, dtype=bool)
    assert (found[0].n_single == 4)[arrows].all()
    variance = np.var(drawn, axis=0)
    assert variance[arrows] == pytest.approx(((e.s2_pair + e.s2_single) / 4)[arrows], rel=0.15)
    of_b = np.cov(np.array(drawn)[:, :, 1][:, [0, 2, 3]].T)
    assert of_b[0, 1] == pytest.approx(e.s2_single[0, 1] / 4, rel=0.25)
    assert abs(of_b[0, 2]) < 0.2 * e.s2_single[0, 1] / 4
    world = _World(arms, np.zeros((4, 4)), (4,), rng)
    assert np.argwhere(world._is_repeated(n_pair)).tolist() == [[2, 1]]  # the prior counts these runs once
    n_pair[0, 1] = 3
    assert not world._is_repeated(n_pair).any()


def test_compute_matched_runs_are_counted_beside_the_others(tmp_path: Path) -> None:
    study, rule = replace(sequential_study(), baseline="compute-matched"), Rule()
    store = run_design(study, tmp_path, rule)
    trained = {
        arm: sum(spec.arm == arm for spec in study.plan if spec in store) for arm in ("pair", "matched", "single")
    }
    planned = {arm: sum(spec.arm == arm for spec in study.plan) for arm in trained}
    assert 0 < trained["matched"] < planned["matched"]
    [line, *_] = describe_sequential(measure(study, store, rule))
    assert (
        f"{trained['pair']} pair runs, {trained['matched']} compute-matched runs and {trained['single']} single" in line
    )
    assert f"takes {planned['pair']}, {planned['matched']} and {planned['single']}: " in line


@pytest.mark.filterwarnings("error")
def test_a_task_that_learns_nothing_does_not_stall_the_design(tmp_path: Path) -> None:
    base = make_study(
        list("abc"), seeds=range(INTERIM_SEEDS[-1]), interim_seeds=INTERIM_SEEDS, metrics={"c": "span_f1"}
    )
    study = replace(base, seeds_single=tuple(range(default_single_seeds(3, INTERIM_SEEDS[-1]))))
    latent = latent_counts({("a", "b"): 1.0}, n=300)

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        if target != "c":
            return latent(target, partners, seed)
        return np.tile([0.0, 0.0, 1.0], (300, 1))  # every mention missed

    store = fill(study, tmp_path, counts_of)
    matrix = measure(study, store)
    assert matrix.sequential is not None
    assert matrix.sequential.finished
    assert matrix.verdict[0, 1] == "improves"
    assert matrix.untested_reason[0, 2] == "nothing learned"
    assert matrix.simulated is not None
    assert np.isfinite(matrix.simulated.decided)


@pytest.mark.parametrize("n_failed", [1, 2])
def test_a_pair_without_a_test_because_runs_failed_is_not_finished(n_failed: int, tmp_path: Path) -> None:
    """Of the two seeds of a with b at the first analysis, one or both fail."""
    base = make_study(list("abcd"), seeds=range(4), interim_seeds=(2, 4))
    study, rule = replace(base, seeds_single=(0, 1, 2, 3)), Rule()

    def fails(spec: RunSpec) -> bool:
        return spec.arm == "pair" and set(spec.task_names) == {"a", "b"} and spec.seed < n_failed

    store = fill(study, tmp_path, latent_counts(GAINS, n=600), skip=fails)
    arms, margins = read_arms(study, store), margins_of(study, rule)
    state = follow(study, arms, rule, margins, lambda spec: spec in store or fails(spec))
    assert state.n_done == 2
    assert (state.n_pair == 2).any()  # other pairs stop at the first analysis
    needed = {spec.seed for spec in required_runs(study, state) if set(spec.task_names) == {"a", "b"}}
    assert needed == {0, 1, 2, 3}  # among them the failed ones, which the same command tries again
    assert state.evidence.n_pair[0, 1] == 4 - n_failed
    assert state.evidence.untested_reason[0, 1] == ""
    assert follow(study, arms, rule, margins, store.__contains__).n_done == 0  # as long as they are tried again


def test_a_stopped_arrow_is_not_decided_later(tmp_path: Path) -> None:
    study, rule = sequential_study(), Rule()
    matrix = measure(study, run_design(study, tmp_path, rule), rule)
    assert matrix.sequential is not None
    decided = matrix.sequential.decided_at_seeds > 0
    assert (matrix.sequential.decided_at_seeds[decided] <= matrix.sequential.n_pair[decided]).all()
    early = replace(
        study, seeds=study.seeds[:3], seeds_single=tuple(range(default_single_seeds(4, 3))), interim_seeds=()
    )
    fixed = measure(early, RunStore(tmp_path))
    at_once = matrix.sequential.decided_at_seeds == INTERIM_SEEDS[0]
    assert matrix.baseline[at_once] == pytest.approx(fixed.baseline[at_once])  # not of runs that came later


def test_a_design_of_one_task_has_no_pairs_to_save(tmp_path: Path) -> None:
    study = sequential_study("a")
    [line] = describe_sequential(measure(study, fill(study, tmp_path, latent_counts({}, n=60))))
    assert line.endswith("where the fixed design of 8 seeds takes 0 and 8.")
