"""The change of a gain between two studies is the difference of two independent gains."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study
from scipy import stats

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.comparison import COMPARISON_COLUMNS, check_same_tasks, compare_studies, comparison_frame
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.tables.comparison import comparison_table, describe_comparison, differences
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import Study

HELPS = {("a", "b"): 0.6, ("c", "b"): -0.6}


def measured(
    root: Path,
    names: str = "bac",
    gains: dict[tuple[str, str], float] = HELPS,
    rule: Rule | None = None,
    **options: object,
) -> AffinityMatrix:
    study = make_study(list(names), **options)
    return measure(study, fill(study, root, latent_counts(gains)), rule)


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> tuple[AffinityMatrix, AffinityMatrix]:
    """The second in another order, with other seeds, and without what a does to b."""
    root = tmp_path_factory.mktemp("two")
    first = measured(root / "1")
    return first, measured(root / "2", "cba", {("c", "b"): -0.6}, seeds=(10, 11, 12, 13))


def test_change_interval_and_p_against_a_computation_by_hand(tmp_path: Path) -> None:
    plain = Rule(test="satterthwaite")
    first = measured(tmp_path / "1", rule=plain)
    second = measured(tmp_path / "2", "cba", {("c", "b"): -0.6}, plain, seeds=(10, 11, 12, 13))
    comparison = compare_studies(first, second)
    frame = comparison_frame(comparison).set_index(["source", "target"])
    assert list(frame.reset_index().columns) == list(COMPARISON_COLUMNS)
    for (source, target), row in frame.iterrows():  # type: ignore[misc]
        gains, errors, dfs = [], [], []
        for matrix in (first, second):
            arrow = matrix.tasks.index(source), matrix.tasks.index(target)
            df = matrix.df[arrow]
            gains.append(matrix.gain[arrow])
            # the interval of an arrow is gain -+ t * se
            errors.append((matrix.high[arrow] - matrix.gain[arrow]) / stats.t.ppf(0.975, df))
            dfs.append(df)
        change, se = gains[1] - gains[0], math.hypot(*errors)
        df = se**4 / sum(error**4 / df for error, df in zip(errors, dfs, strict=True))
        assert row.change == pytest.approx(change)
        assert comparison.se[first.tasks.index(source), first.tasks.index(target)] == pytest.approx(se)
        assert row.df == pytest.approx(df)
        assert (row.low, row.high) == pytest.approx(stats.t.interval(0.95, df, change, se))
        assert row.p == pytest.approx(2 * stats.t.sf(abs(change) / se, df))
    assert frame.q.tolist() == pytest.approx(stats.false_discovery_control(frame.p).tolist())
    assert frame.loc[("a", "b"), "high"] < 0
    assert frame.loc[("c", "b"), "low"] < 0 < frame.loc[("c", "b"), "high"]


def test_verdicts_that_changed_are_named(matrices: tuple[AffinityMatrix, AffinityMatrix]) -> None:
    comparison = compare_studies(*matrices)
    frame = comparison_frame(comparison)
    changed = frame[frame.changed_verdict]
    assert ("a", "b") in zip(changed.source, changed.target, strict=True)
    assert len(changed) == len(comparison.changed)
    words = "\n".join(describe_comparison(comparison, n_shared=0))
    after = changed[(changed.source == "a") & (changed.target == "b")].verdict_second.item()
    assert f"A → B: improves, then {after}" in words
    assert "same test examples" in words
    assert "rather too wide than too narrow" in words
    assert "share" not in words


def of_six_digits(points: float) -> float:
    """A number as ``edges.csv`` has it."""
    return float(f"{points:.6g}")


def test_the_printed_table_calls_the_adjusted_p_value_p_adj(matrices: tuple[AffinityMatrix, AffinityMatrix]) -> None:
    comparison = compare_studies(*matrices)
    columns = {
        str(column.header): [str(cell) for cell in column.cells] for column in comparison_table(comparison).columns
    }
    adjusted = stats.false_discovery_control([comparison.p[arrow] for arrow in comparison.first.arrows])
    assert columns["p adj"] == ["<.001" if value < 0.001 else f"{value:.3f}" for value in adjusted]
    tasks, arrows = comparison.first.tasks, comparison.first.arrows
    assert list(zip(columns["source"], columns["target"], strict=True)) == [
        (tasks[s].title(), tasks[t].title()) for s, t in arrows
    ]
    for name, matrix in zip(("first", "second"), matrices, strict=True):
        gains = [matrix.gain[matrix.tasks.index(tasks[s]), matrix.tasks.index(tasks[t])] for s, t in arrows]
        assert [cell.split()[0] for cell in columns[name]] == [f"{of_six_digits(gain):+z.1f}" for gain in gains]
    change, low, high = (
        [f"{of_six_digits(getattr(comparison, name)[arrow]):+z.1f}" for arrow in arrows]
        for name in ("change", "low", "high")
    )
    assert columns["change"] == change
    assert columns["95% interval"] == [f"[{ends[0]}, {ends[1]}]" for ends in zip(low, high, strict=True)]
    assert "q" not in columns
    words = "\n".join(describe_comparison(comparison, n_shared=0))
    assert "changed significantly (p adj <= 0.05," in words
    assert not re.search(r"\bq\b", words)


def test_a_study_beside_itself_has_not_changed(matrices: tuple[AffinityMatrix, AffinityMatrix]) -> None:
    comparison = compare_studies(matrices[0], matrices[0])
    assert not comparison.changed
    assert not np.nan_to_num(comparison.change).any()
    words = "\n".join(describe_comparison(comparison, n_shared=18))
    assert "0 of 6 arrows changed verdict." in words
    assert "No gain changed significantly" in words
    assert "Behrens–Fisher tests" in words
    assert set(comparison_frame(comparison).test) == {"behrens-fisher"}
    assert "share 18 runs" in words
    assert "share" not in "\n".join(describe_comparison(comparison, n_shared=0))


def test_swapping_the_studies_turns_every_sign(matrices: tuple[AffinityMatrix, AffinityMatrix]) -> None:
    there = comparison_frame(compare_studies(*matrices)).set_index(["source", "target"])
    back = comparison_frame(compare_studies(*matrices[::-1])).set_index(["source", "target"]).loc[there.index]
    assert there.change.tolist() == pytest.approx((-back.change).tolist())
    assert there.low.tolist() == pytest.approx((-back.high).tolist())
    assert there.p.tolist() == pytest.approx(back.p.tolist())


def test_dunnetts_wider_intervals_do_not_widen_the_change(tmp_path: Path) -> None:
    study = make_study(["b", "a", "c"])
    store = fill(study, tmp_path, latent_counts(HELPS))
    plain, wide = measure(study, store), measure(study, store, Rule(correction="dunnett"))
    assert (wide.high - wide.low)[1, 0] > (plain.high - plain.low)[1, 0]
    assert compare_studies(wide, wide).se == pytest.approx(compare_studies(plain, plain).se, nan_ok=True)


def test_an_arrow_without_a_test_has_no_interval(tmp_path: Path) -> None:
    first = measured(tmp_path / "1")
    study = make_study(["b", "a", "c"], seeds=(7, 8))
    one = [spec for spec in study.plan if spec.task_names == ("a", "b")][:1]
    store = fill(study, tmp_path / "2", latent_counts(HELPS), skip=lambda spec: spec in one)
    comparison = compare_studies(first, measure(study, store))
    row = comparison_frame(comparison).set_index(["source", "target"]).loc[("a", "b")]
    assert not math.isnan(row.change)
    assert math.isnan(row.low)
    assert row.untested_reason == "second: one pair run"
    assert "2 arrows without a test" in "\n".join(describe_comparison(comparison, n_shared=0))
    assert "nan" not in as_csv(comparison_frame(comparison))


def test_studies_of_one_seed_have_no_test_of_change(tmp_path: Path) -> None:
    one, two = (measured(tmp_path / str(seed), seeds=(seed,)) for seed in (1, 2))
    words = "\n".join(describe_comparison(compare_studies(one, two), n_shared=0))
    assert "6 arrows without a test" in words
    assert "two seeds or more in both studies" in words
    assert "significantly" not in words
    assert "intervals" not in words


def test_encoder_recipe_seeds_and_rule_may_differ_and_are_named(
    matrices: tuple[AffinityMatrix, AffinityMatrix],
) -> None:
    first = matrices[0]
    study = replace(
        first.study,
        encoder=EncoderRef("other", "e1"),
        recipe=replace(first.study.recipe, learning_rate=1e-4),
        baseline="compute-matched",
    )
    second = replace(first, study=study, rule=Rule(alpha=0.01))
    assert list(differences(first, second)) == [
        ("encoder", "tiny", "other"),
        ("baseline", "single", "compute-matched"),
        ("recipe, learning_rate", "5e-05", "0.0001"),
        ("rule, alpha", "0.05", "0.01"),
    ]
    assert list(differences(first, first)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "z"}, "only the first has c; only the second has z"),
        ({"fingerprint": "f-new"}, "different data of c"),
        ({"metric": "macro_f1"}, "different metrics of c"),
    ],
)
def test_other_tasks_data_or_metrics_are_refused(change: dict[str, str], said: str) -> None:
    study = make_study(["a", "b", "c"])
    other: Study = replace(study, tasks=(*study.tasks[:2], replace(study.tasks[2], **change)))
    with pytest.raises(ValueError, match=said):
        check_same_tasks(study, other)


def test_of_scores_alone_nobody_knows_whether_the_test_examples_are_the_same() -> None:
    rng = np.random.default_rng(3)

    def study(shift: float) -> AffinityMatrix:
        rows = [
            (target, source, seed, 0.7 + shift + 0.05 * bool(source) + rng.normal(0, 0.01))
            for target, other in ("ab", "ba")
            for source in ("", other)
            for seed in range(4)
        ]
        return PairwiseResults.from_scores(pd.DataFrame(rows, columns=["target", "source", "seed", "score"])).matrix

    first, second = study(0.0), study(0.2)
    words = "\n".join(describe_comparison(compare_studies(first, second), n_shared=0))
    assert "cannot see whether the test examples are the same" in words
    assert "Both use the same test examples" not in words
    negated = replace(second.study, stated={"smaller_is_better": "b"})
    with pytest.raises(ValueError, match="different signs of the scores of b"):
        check_same_tasks(first.study, negated)


def test_studies_of_other_test_examples_do_not_compare() -> None:
    def sampled(most: int | None, seed: int = 0, size: int = 300) -> Study:
        study = make_study(["a", "b"])
        cards = tuple(replace(card, sizes={"train": 900, "dev": 300, "test": size}) for card in study.tasks)
        return replace(study, tasks=cards, recipe=replace(study.recipe, max_eval_examples=most, sample_seed=seed))

    for first, second in ((None, 200), (100, 200)):
        with pytest.raises(ValueError, match=r"different test examples \(max_eval_examples, sample_seed\) of a, b"):
            check_same_tasks(sampled(first), sampled(second))
    with pytest.raises(ValueError, match="different test examples"):
        check_same_tasks(sampled(200, 0), sampled(200, 1))
    check_same_tasks(sampled(200, 1), sampled(200, 1))
    check_same_tasks(sampled(None), sampled(300))  # no test set is larger
    check_same_tasks(sampled(300, 0), sampled(400, 1))
    check_same_tasks(sampled(None, 0), sampled(None, 1))
