"""Collapsed runs: what the rule flags, and what follows for gains, variances and verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_studies import CountsOf, fill, latent_counts, make_study, right, seeded

from taskaffinity.analysis.cautions.collapsed_runs import find_collapsed_runs
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.statistics.collapse import find_collapsed, predicts_nothing
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

GOLD = ["a", "b", "c", "a", "b", "c"]


def tally(metric: str, gold: list, predicted: list, labels: list[str]) -> np.ndarray:
    return METRICS[metric].tally(gold, predicted, labels)


@pytest.mark.parametrize(
    ("metric", "gold", "predicted", "labels", "nothing"),
    [
        ("macro_f1", GOLD, ["b"] * 6, ["a", "b", "c"], True),
        ("macro_f1", GOLD, ["b"] * 5 + ["c"], ["a", "b", "c"], False),
        ("macro_f1", GOLD, ["c"] * 6, ["a", "b"], True),  # c is the negative class
        ("macro_f1", ["a"] * 6, ["a"] * 6, ["a", "b"], False),  # right, and nothing else to predict
        ("micro_f1", GOLD, ["c"] * 6, ["a", "b"], True),
        ("micro_f1", GOLD, ["c"] * 5 + ["a"], ["a", "b"], False),
        ("micro_f1", ["c"] * 6, ["c"] * 6, ["a", "b"], False),
        ("span_f1", [["B-x", "O"], ["O", "O"]], [["O", "O"], ["O", "O"]], ["x"], True),
        ("span_f1", [["B-x", "O"], ["O", "O"]], [["O", "O"], ["O", "B-x"]], ["x"], False),
        ("span_f1", [["O", "O"]], [["O", "O"]], ["x"], False),
        ("pearson", [0.0, 1.0, 2.0], [1.3, 1.3, 1.3], [], True),
        ("pearson", [0.0, 1.0, 2.0], [1.3, 1.3, 1.4], [], False),
        ("pearson", [1.0, 1.0, 1.0], [1.3, 1.3, 1.3], [], False),
        ("accuracy", GOLD, ["b"] * 6, [], False),  # its counts do not show it
        ("answered", [["one"], []], ["", ""], [], True),
        ("answered", [["one"], []], ["two", ""], [], False),
        ("answered", [["one"], []], ["the", ()], [], True),  # an article is no word of an answer
        ("answered", [["one"], []], ["two", "two"], [], False),
        ("answered", [[], []], ["", ""], [], False),  # right
        ("exact_match", [["one"], []], ["", ""], [], False),  # its counts do not show it
    ],
)
def test_equal_predictions_of_different_gold_labels(
    metric: str, gold: list, predicted: list, labels: list[str], nothing: bool
) -> None:
    assert predicts_nothing(tally(metric, gold, predicted, labels), METRICS[metric]) == nothing


def flags(scores: dict[str, list[float]]) -> dict[str, list[bool]]:
    arrays = {key: np.array(values) for key, values in scores.items()}
    found = find_collapsed(arrays, {key: np.zeros(len(values), dtype=bool) for key, values in scores.items()})
    return {key: values.tolist() for key, values in found.items()}


def test_a_run_far_below_its_arm_is_collapsed() -> None:
    usual = [0.80, 0.81, 0.79, 0.805, 0.795]
    assert flags({"single": usual, "pair": [0.84, 0.50, 0.85]}) == {"single": [False] * 5, "pair": [False, True, False]}
    assert not any(flags({"single": usual, "pair": [0.84, 0.795, 0.85]})["pair"])  # less than five points
    assert not any(flags({"single": usual, "pair": [0.40, 0.41, 0.39]})["pair"])  # a source that harms
    assert not any(flags({"single": usual, "pair": [0.99, 0.7, 0.71]})["pair"])  # above is no collapse
    wide = [0.5, 0.6, 0.7, 0.8, 0.9]
    assert not any(flags({"single": wide, "pair": [0.84, 0.5, 0.85]})["pair"])  # seeds move this task so far
    assert flags({"pair": [0.84, 0.2]}) == {"pair": [False, False]}  # two runs have no median to be far from
    assert flags({}) == {}


@pytest.mark.parametrize(("below", "collapsed"), [(0.147, False), (0.15, True)])
def test_far_is_five_robust_standard_deviations(below: float, collapsed: bool) -> None:
    """Half of the deviations from the median are at most 0.02, which is 1/1.4826 of a normal standard deviation."""
    single = [0.68, 0.72] * 4
    assert 0.147 < 5 * 1.4826 * 0.02 < 0.15
    assert flags({"single": single, "pair": [0.7, 0.7, 0.7 - below]})["pair"] == [False, False, collapsed]


def test_normal_runs_are_hardly_ever_flagged() -> None:
    rng = np.random.default_rng(0)
    flagged = runs = 0
    for _ in range(400):
        sd = 0.02 * np.exp(rng.normal(0, 0.5))
        arms = {f"pair{place}": 0.7 + rng.normal(0, 0.02) + sd * rng.standard_normal(3) for place in range(3)}
        arms["single"] = 0.7 + sd * rng.standard_normal(6)
        found = find_collapsed(arms, {key: np.zeros(len(values), dtype=bool) for key, values in arms.items()})
        flagged += sum(int(values.sum()) for values in found.values())
        runs += 15
    assert flagged / runs < 0.002


def study_with_a_collapse(root: Path) -> tuple[Study, RunStore]:
    """Seed 1 of the pair a+b predicts one class of task a; every other run has learned."""
    study = make_study(["a", "b", "c"], seeds_single=range(5))
    counts = latent_counts({}, n=400)

    def collapsing(target: str, partners: str, seed: int) -> np.ndarray:
        if (target, partners, seed) == ("a", "b", 1):
            return right(seeded(target, "majority").random(400) < 0.3)
        return counts(target, partners, seed)

    return study, fill(study, root, collapsing)


def test_a_collapsed_run_is_counted_and_stays_in_the_gain(tmp_path: Path) -> None:
    study, store = study_with_a_collapse(tmp_path)
    matrix, arms = measure(study, store), read_arms(study, store)
    a, b, c = range(3)
    assert matrix.collapsed_pair.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert not matrix.collapsed_single.any()
    scores, single = arms.pair("a", "b").scores, arms.single_task("a").scores.mean()
    assert matrix.gain[b, a] == pytest.approx(100 * (scores.mean() - single))
    assert matrix.gain_trained[b, a] == pytest.approx(100 * (np.delete(scores, 1).mean() - single))
    assert matrix.gain_trained[c, a] == pytest.approx(matrix.gain[c, a])
    assert matrix.verdict[b, a] == "inconclusive"


def test_its_arm_has_the_variance_of_its_runs_and_no_other_arm_changes(tmp_path: Path) -> None:
    study, store = study_with_a_collapse(tmp_path / "one")
    plain = make_study(["a", "b", "c"], seeds_single=range(5))
    usual = read_arms(plain, fill(plain, tmp_path / "none", latent_counts({}, n=400)))
    arms = read_arms(study, store)
    assert arms.evidence.s2_pair[1, 0] == arms.pair("a", "b").s2
    assert arms.evidence.d_pair[1, 0] == 2
    assert arms.prior.of("a", True).ratio == pytest.approx(usual.prior.of("a", True).ratio, rel=0.5)


def test_the_older_test_moderates_it_as_before(tmp_path: Path) -> None:
    study, store = study_with_a_collapse(tmp_path)
    arms = read_arms(study, store, rule=Rule(test="satterthwaite"))
    assert arms.evidence.d_pair[1, 0] > 2
    assert measure(study, store, Rule(test="satterthwaite")).collapsed_pair[1, 0] == 1


def of_one_class(*labels: str) -> dict[str, CountsOf]:
    """Counts of accuracy and of macro-F1 of runs that predict one class; ``labels`` in turn, by seed."""
    gold = ["x", "y", "z"] * 100

    def predicted(seed: int) -> list[str]:
        return [labels[seed % len(labels)]] * len(gold)

    return {
        "accuracy": lambda target, partners, seed: right(np.array(gold) == predicted(seed)),
        "macro_f1": lambda target, partners, seed: METRICS["macro_f1"].tally(gold, predicted(seed), ["x", "y", "z"]),
    }


@pytest.mark.parametrize("labels", ["z", "xy"])
def test_arms_whose_runs_all_predict_one_class_are_not_called_equal(labels: str, tmp_path: Path) -> None:
    study, counts = make_study(["a", "b"]), of_one_class(*labels)
    matrix = measure(study, fill(study, tmp_path, counts["accuracy"], further={"macro_f1": counts["macro_f1"]}))
    assert {matrix.untested_reason[arrow] for arrow in matrix.arrows} == {"nothing learned"}
    assert {matrix.verdict[arrow] for arrow in matrix.arrows} == {"inconclusive"}
    assert not any(matrix.recommendation[arrow] for arrow in matrix.arrows)  # no number of seeds helps
    assert matrix.collapsed_pair[0, 1] == matrix.collapsed_single[0, 1] == 3


def of_questions(metric: str, said: list[str]) -> CountsOf:
    """Counts of questions of which every second one has an answer; all runs say the same."""
    gold = [["one"] if number % 2 else [] for number in range(200)]
    return lambda target, partners, seed: METRICS[metric].tally(gold, said, [])


@pytest.mark.parametrize("metric", ["answer_f1", "exact_match"])
@pytest.mark.parametrize(("said", "has_learned"), [("", False), ("one", True)])
def test_arms_whose_runs_never_answer_are_not_called_equal(
    metric: str, said: str, has_learned: bool, tmp_path: Path
) -> None:
    study, words = make_study(["a", "b"], metrics={"a": metric, "b": metric}), [said] * 200
    further = {"answered": of_questions("answered", words)}
    store = fill(study, tmp_path, of_questions(metric, words), further=further)
    matrix = measure(study, store)
    assert matrix.single_mean[0] == 50
    assert {matrix.untested_reason[arrow] for arrow in matrix.arrows} == ({""} if has_learned else {"nothing learned"})
    assert matrix.collapsed_pair[0, 1] == matrix.collapsed_single[0, 1] == (0 if has_learned else 3)
    reasons = {run.reason for run in find_collapsed_runs(study, store)}
    assert reasons == (set() if has_learned else {"no answer"})


def test_runs_of_older_versions_have_no_counts_of_answered_questions(tmp_path: Path) -> None:
    study = make_study(["a", "b"], metrics={"a": "exact_match", "b": "exact_match"})
    matrix = measure(study, fill(study, tmp_path, of_questions("exact_match", [""] * 200)))
    assert {matrix.untested_reason[arrow] for arrow in matrix.arrows} == {""}
