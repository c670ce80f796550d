"""Runs that repeat another run are named, because training ignored the seed, or a file was copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study, right, seeded

import taskaffinity as ta
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.measure import measure
from taskaffinity.runs.study import Study

N = 200
EXAMPLE = Path(__file__).parents[2] / "notebooks/example_results"
OWN = EXAMPLE.with_name("own_results")
ARMS = [("a", ""), ("a", "b"), ("b", ""), ("b", "a")]
ADVICE = (
    "They count as seeds, but say as much as one run, so intervals can be too narrow. Does training use the seed, and "
    "has each run its own predictions?"
)


def answers(of: Callable[[str, str, int], tuple[object, ...]], wrong: int = 40) -> pd.DataFrame:
    """Predictions of three seeds: ``wrong`` answers of each run are wrong, drawn by what ``of`` returns."""
    rows = []
    for target, source in ARMS:
        for seed in range(3):
            is_wrong = set(seeded(*of(target, source, seed)).permutation(N)[:wrong].tolist())
            rows += [(target, source, seed, n, "yn"[n % 2], "yn"[(n + (n in is_wrong)) % 2]) for n in range(N)]
    return pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted"])


def repeated(table: pd.DataFrame) -> dict[str, int]:
    """Target -> runs whose column of predictions is that of another run; from the table alone."""
    runs = table.groupby(["target", "source", "seed"]).predicted.agg("".join).reset_index()
    return runs[runs.duplicated(["target", "predicted"], keep=False)].groupby("target").size().to_dict()


SAME_SEEDS = answers(lambda target, source, seed: (target, source))
SAME_PAIRS = answers(lambda target, source, seed: (target, source, seed * (source == "")))
COPIED = answers(lambda target, source, seed: (target, seed))
TWO_OF_THREE = answers(lambda target, source, seed: (target, source, max(seed, 1)))
APART = answers(lambda target, source, seed: (target, source, seed))


@pytest.mark.parametrize(
    ("table", "told"),
    [(SAME_SEEDS, 6), (SAME_PAIRS, 3), (COPIED, 6), (TWO_OF_THREE, 0), (APART, 0)],
    ids=["no run uses its seed", "no pair uses its seed", "pairs are copies", "two of three", "all differ"],
)
def test_runs_with_the_answers_of_another_run_are_named(table: pd.DataFrame, told: int) -> None:
    """Two equal runs of three are not told: of many runs near the best score, a few are equal by chance."""
    count = {"a": told, "b": told} if told else {}
    assert repeated(table) == (count or ({} if table is APART else {"a": 4, "b": 4}))
    result = ta.PairwiseResults.from_scores(predictions=table, metric="accuracy")
    line = f"Runs have the result of another run on every test example: a ({told} of 6 runs), b ({told} of 6 runs)."
    assert [one for one in result.advice if "another run" in one] == [f"{line} {ADVICE}"] * bool(told)
    note = f"has {told} of 6 runs that repeat another run"
    assert result.to_frame().notes.tolist() == ([f"b {note}", f"a {note}"] if told else ["", ""])


@pytest.mark.parametrize(("wrong", "is_told"), [(9, False), (10, True), (190, True), (191, False), (0, False)])
def test_runs_that_are_nearly_always_right_or_wrong_may_agree(wrong: int, is_told: bool) -> None:
    table = answers(lambda target, source, seed: (target, source), wrong)
    assert repeated(table) == {"a": 6, "b": 6}
    result = ta.PairwiseResults.from_scores(predictions=table, metric="accuracy")
    assert any("another run" in line for line in result.advice) == is_told


@pytest.mark.parametrize(
    ("scores", "is_told"),
    [([0.8, 0.8, 0.8], True), ([0.8, 0.8], False), ([0.8, 0.8, 0.81], False)],
    ids=["three equal", "two equal", "one differs"],
)
def test_equal_scores_without_predictions_are_named(scores: list[float], is_told: bool) -> None:
    rows = [(*arm, seed, score + 0.0421 * bool(arm[1])) for arm in ARMS for seed, score in enumerate(scores)]
    result = ta.PairwiseResults.from_scores(pd.DataFrame(rows, columns=["target", "source", "seed", "score"]))
    line = f"Every seed has the same score: a (6 of 6 runs), b (6 of 6 runs). {ADVICE}"
    assert [one for one in result.advice if one.startswith("Every seed")] == [line] * is_told


def test_the_caption_names_the_tasks(tmp_path: Path) -> None:
    def counts(target: str, partners: str, seed: int) -> npt.NDArray[np.float64]:
        return latent_counts({}, n=N)(target, partners, 0 if target == "a" else seed)

    study = make_study(["a", "b"])
    matrix = measure(study, fill(study, tmp_path, counts))
    assert "Caution: A has runs that repeat another run." in caption(matrix)
    assert sum("another run" in line for line in describe_advice(matrix)) == 1


def test_compute_matched_runs_of_two_partners_may_be_equal(tmp_path: Path) -> None:
    """Partners of one size have one number of updates, so the runs of one seed that imitate them are one run."""

    def counts(target: str, partners: str, seed: int) -> npt.NDArray[np.float64]:
        what = "matched" if partners.startswith("~") else partners
        return right(seeded(target, what, seed).permutation(N) >= 40)

    study: Study = make_study(["a", "b", "c"], baseline="compute-matched")
    matrix = measure(study, fill(study, tmp_path, counts))
    assert {str(verdict) for verdict in matrix.verdict.ravel()} - {""}
    assert matrix.equal_runs == ()


@pytest.mark.parametrize("root", [EXAMPLE, OWN], ids=lambda root: root.name)
def test_the_committed_studies_have_none(root: Path) -> None:
    result = ta.load(root)
    assert not any("another run" in line for line in result.advice)
    assert not result.to_frame().notes.str.contains("another run").any()
