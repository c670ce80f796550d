"""Estimates that stand for pairs that were not measured: what is read of the file, what counts, what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from fake_studies import arrows, fill, latent_counts, make_study, write_estimates
from scipy.stats import norm

from taskaffinity.analysis.estimates.of_matrix import estimated_arrows, with_estimates
from taskaffinity.analysis.estimates.probes import Estimate, estimates_frame
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.analysis.groups.chosen import chosen_groups, group_gains
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.analysis.tables.groups import describe_groups, describe_helpers, groups_frame, helpers_table
from taskaffinity.errors import InputError
from taskaffinity.grouping.helpers import select_helpers

NAMES = ("a", "b", "c")


def test_what_estimate_writes_is_read_and_the_bound_at_five_percent_is_the_end_of_its_interval(tmp_path: Path) -> None:
    rows = [
        Estimate("a", "b", probe=3.0, se=1.0),
        Estimate("b", "a", probe=-2.0, se=0.5),
        Estimate("c", "a", probe=0.4, se=1.0),
        Estimate("c", "b", probe=9.0, se=0.1, source_learned=False),
        Estimate("a", "c", reason="a probe is missing"),
        Estimate("b", "c", probe=1.0),  # one dev document and one probe: its error is unknown
    ]
    (tmp_path / "estimates.csv").write_text(as_csv(estimates_frame(rows, NAMES)))
    found = read_estimates(tmp_path, NAMES)
    assert found is not None
    for row in rows[:3]:
        arrow = NAMES.index(row.source), NAMES.index(row.target)
        assert found.known[arrow]
        assert (found.probe[arrow], found.se[arrow], found.sign[arrow]) == (row.probe, row.se, row.sign)
        assert (found.low[arrow], found.high[arrow]) == pytest.approx(row.interval, rel=1e-5)
        assert found.bound(0.05)[arrow] == pytest.approx(row.interval[0], abs=0.01)
    assert np.argwhere(found.known).tolist() == [[0, 1], [1, 0], [2, 0]]
    assert np.isnan(found.bound(0.05)[2, 1])  # its source was not learned, so its sign is not known
    assert found.bound(None)[1, 0] == -2.0
    assert found.bound(0.2)[1, 0] == pytest.approx(6 * (-2.0 + 0.5 * norm.ppf(0.2)))
    assert found.df[0, 1] == math.inf
    assert read_estimates(tmp_path / "elsewhere", NAMES) is None


def test_an_interval_that_was_changed_within_rounding_is_computed_anew(tmp_path: Path) -> None:
    path = tmp_path / "estimates.csv"
    path.write_text(as_csv(estimates_frame([Estimate(*arrow, probe=3.0, se=1.0) for arrow in arrows("ab")], NAMES)))
    before = read_estimates(tmp_path, NAMES[:2])
    low, high = path.read_text().splitlines()[1].split(",")[4:6]
    path.write_text(path.read_text().replace(f",{low},{high},", f",{low}01,{high}001,"))
    after = read_estimates(tmp_path, NAMES[:2])
    assert before is not None
    assert after is not None
    assert (after.low[0, 1], after.high[0, 1]) == (before.low[0, 1], before.high[0, 1])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({("a", "x"): {}}, "task 'x', which the study does not have"),
        ({("a", "a"): {}}, "an arrow from a to itself"),
        ({("a", "b"): {"probe": "many"}}, "row 1: probe is 'many'; expected"),
        ({("a", "b"): {"se": -1.0}}, "row 1: se is '-1.0'; expected greater than or equal to 0"),
        ({("a", "b"): {"probe": "inf"}}, "row 1: probe is 'inf'; expected a finite number"),
        ({("a", "b"): {"sign": "improves"}}, "row 1: sign is 'improves'; expected"),
        ({("a", "b"): {"low": 3.4}}, "from a to b that does not follow from its probe"),
        ({("a", "b"): {"high": None}}, "from a to b that does not follow from its probe"),
        ({("a", "b"): {"se": None}}, "from a to b that does not follow from its probe"),
        ({("a", "b"): {"sign": "negative"}}, "from a to b that does not follow from its probe"),
        ({("a", "b"): {"source_learned": False, "sign": "positive"}}, "that does not follow from its probe"),
    ],
)
def test_a_damaged_file_is_one_line_with_the_way_out(
    rows: dict[tuple[str, str], dict[str, object]], said: str, tmp_path: Path
) -> None:
    write_estimates(tmp_path, rows)
    with pytest.raises(InputError) as fault:
        read_estimates(tmp_path, NAMES)
    message = str(fault.value)
    assert said in message
    assert message.endswith("run `taskaffinity estimate` again, or move the file away")
    assert "\n" not in message


def test_an_arrow_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write_estimates(tmp_path, {("a", "b"): {}})
    path = tmp_path / "estimates.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(InputError, match="two rows from a to b"):
        read_estimates(tmp_path, NAMES)


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_a_file_that_was_cut_at_a_row_is_refused(kept: int, tmp_path: Path) -> None:
    write_estimates(tmp_path, {arrow: {} for arrow in arrows(NAMES)})
    path = tmp_path / "estimates.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[: kept + 1]))
    missing = arrows(NAMES)[kept]
    with pytest.raises(
        InputError, match=f"no row from {missing[0]} to {missing[1]}; run `taskaffinity estimate` again"
    ):
        read_estimates(tmp_path, NAMES)


def test_a_measured_gain_is_never_replaced_and_gets_no_other_verdict(tmp_path: Path) -> None:
    study = make_study(NAMES)
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6}), skip=lambda spec: spec.task_names == ("a", "c"))
    matrix = measure(study, store)
    write_estimates(tmp_path, {(s, t): {"probe": 20.0} for s in NAMES for t in NAMES if s != t}, study)
    both = with_estimates(matrix, tmp_path)
    assert estimated_arrows(both) == ((0, 2), (2, 0))
    for name in ("gain", "low", "high", "p", "q", "verdict", "untested_reason"):
        one, other = getattr(matrix, name), getattr(both, name)
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name
    gains, alone = group_gains(both, 0.05), group_gains(matrix, 0.05)
    assert np.argwhere(gains.estimated).tolist() == [[0, 2], [2, 0]]
    measured = ~gains.estimated
    for name in ("gain", "bound", "se", "df"):
        one, other = getattr(alone, name)[measured], getattr(gains, name)[measured]
        assert np.array_equal(one, other, equal_nan=True), name


def test_a_folder_of_estimates_only_is_grouped_and_everything_is_marked(tmp_path: Path) -> None:
    study = make_study(NAMES)
    fill(study, tmp_path, latent_counts({}), skip=lambda spec: len(spec.task_names) > 1)
    study.write(tmp_path)
    negative = {"probe": -4.0}
    rows = {(s, t): {} if (s, t) == ("a", "b") else negative for s in NAMES for t in NAMES if s != t}
    write_estimates(tmp_path, rows, study)
    matrix = PairwiseResults.load(tmp_path).matrix
    chosen = chosen_groups(matrix, None, models=3, draws=20, compare=["pairs", "single-task"])
    assert sorted(chosen.grouping.groups) == [(0,), (0, 1), (2,)]
    assert chosen.gain.tolist() == [0.0, 5.0, 0.0]
    assert chosen.bound[1] == pytest.approx(5 + norm.ppf(0.05))
    assert groups_frame(chosen).query("estimated")["task"].tolist() == ["b"]
    lines = describe_groups(chosen)
    assert "~ with estimates: 6 of 6 gains come from estimates.csv (6 not measured)" in "\n".join(lines)
    assert "pairs: 3 models, +1.7 points per task (lower bound +1.1), 1 task with estimates." in lines
    assert "single-task: 3 models, +0.0 points per task (lower bound +0.0)." in lines
    gains = group_gains(matrix, 0.05)
    helpers = select_helpers(gains, 1)
    assert [helper.is_chosen for helper in helpers] == [True, False]
    assert not any(helper.is_measured for helper in helpers)
    assert "2 gains from estimates.csv" in describe_helpers(matrix, gains, 1, helpers, 0.05)[-1]
    assert "+5.0~" in list(helpers_table(matrix, gains, 1, helpers, 0.05).columns[2].cells)
    assert set(matrix.verdict[0, 1:].tolist()) == {"inconclusive"}


def test_estimates_whose_source_was_not_learned_serve_nobody(tmp_path: Path) -> None:
    study = make_study(NAMES)
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: len(spec.task_names) > 1)
    write_estimates(tmp_path, {(s, t): {"source_learned": False} for s in NAMES for t in NAMES if s != t}, study)
    matrix = with_estimates(measure(study, store), tmp_path)
    for risk, lack in ((0.05, "have no bound"), (None, "are not known")):
        with pytest.raises(InputError) as fault:
            chosen_groups(matrix, None, models=1, risk=risk)
        assert str(fault.value) == (
            f"groups 1: no group serves all 3 tasks; 6 of 6 gains {lack}, and no task is served by a group that needs "
            "one: train their pairs"
        )
    assert chosen_groups(matrix, None, models=3, draws=0).grouping.groups == ((0,), (1,), (2,))


def test_an_estimate_without_an_error_is_no_lower_bound(tmp_path: Path) -> None:
    """Files of older versions have an error and an interval of 0."""
    write_estimates(tmp_path, {("a", "b"): {"probe": 0.0, "se": 0.0}, ("b", "a"): {"probe": 3.0, "se": 0.0}})
    found = read_estimates(tmp_path, NAMES[:2])
    assert found is not None
    assert not found.known.any()
    for values in (found.bound(0.05), found.low, found.high, found.se):
        assert np.isnan(values).all()
    assert (found.sign[0, 1], found.sign[1, 0]) == ("unclear", "unclear")
