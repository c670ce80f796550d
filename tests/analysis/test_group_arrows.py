"""Group arrows: with two tasks they are the arrows of pairs, and they find what pairs cannot show."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from io import StringIO
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import Counts, fill, latent_counts, make_study
from rich.console import Console

from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.group_arrows import group_arrows_frame, measure_group_arrows
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.tables.frames import scores_frame
from taskaffinity.analysis.tables.group_arrows import describe_group_arrows, group_arrows_table
from taskaffinity.errors import InputError
from taskaffinity.runs.group_arrows import GroupArrow, leave_one_out, parse_groups
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies.check_options import check_pairwise_options
from taskaffinity.studies.compatibility import losses
from taskaffinity.studies.options import PairwiseOptions

NAMES = ("a", "b", "c", "t")
LATENT = latent_counts({("both", "t"): 1.2, ("c", "a"): 0.8}, n=500)


def synergy(target: str, partners: str, seed: int) -> Counts:
    """Accuracy to which a and b add only together, and c to a by itself."""
    both = target == "t" and {"a", "b"} <= set(partners.split("+"))
    return LATENT(target, f"{partners}+both" if both else partners, seed)


def study_of(names: tuple[str, ...] = NAMES, *texts: str) -> Study:
    return make_study(names, seeds_single=tuple(range(5)), groups=parse_groups(texts, names))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, RunStore]:
    study = study_of(NAMES, "leave-one-out", "a+b>t", "a+c>t", "a>t")
    return study, fill(study, tmp_path_factory.mktemp("planted"), synergy)


@pytest.mark.parametrize("rule", [Rule(), Rule(correction="holm", estimand="test-set", test="satterthwaite")])
def test_with_two_tasks_group_arrows_are_the_arrows_of_pairs(tmp_path: Path, rule: Rule) -> None:
    study = study_of(("a", "b"), "leave-one-out")
    assert study.plan == replace(study, groups=()).plan
    store = fill(study, tmp_path, latent_counts({("a", "b"): 0.6}, n=300))
    matrix, found = measure(study, store, rule), measure_group_arrows(study, store, rule)
    for place, arrow in enumerate(matrix.arrows):
        assert found.arrows[place] == GroupArrow((matrix.tasks[arrow[0]],), matrix.tasks[arrow[1]])
        row = group_arrows_frame(found).iloc[place]
        for name in ("gain", "df", "se_seeds", "se_examples", "verdict"):
            assert row[name] == getattr(matrix, name)[arrow], name
        for name in ("low", "high", "p", "q", "p_tost", "q_tost"):  # sums of arrays of another shape: the last digit
            assert row[name] == pytest.approx(getattr(matrix, name)[arrow], rel=1e-13), name
        assert (row.seeds_with, row.seeds_without) == (matrix.seeds_pair[arrow], matrix.seeds_single[arrow])
        assert row.score_without == matrix.baseline[arrow]
        assert row.pair_sum == row.pair_mean == pytest.approx(row.gain)
    assert matrix.verdict[0, 1] == "improves"


def test_an_arrow_of_one_source_is_that_of_the_pair(planted: tuple[Study, RunStore]) -> None:
    study, store = planted
    matrix, found = measure(study, store), measure_group_arrows(study, store)
    place = found.arrows.index(GroupArrow(("a",), "t"))
    assert found.gain[place] == matrix.gain[0, 3]
    assert found.decision.p[place] == matrix.p[0, 3]
    assert found.error.se[place] == pytest.approx(matrix.se[0, 3] / 100)


def test_pairs_do_not_show_a_planted_synergy_and_the_triple_finds_it(planted: tuple[Study, RunStore]) -> None:
    study, store = planted
    matrix = measure(study, store)
    assert matrix.verdict[0, 3] != "improves"
    assert matrix.verdict[1, 3] != "improves"
    rows = group_arrows_frame(measure_group_arrows(study, store)).set_index(["sources", "target", "given"])
    triple = rows.loc["a+b", "t", ""]
    assert triple.verdict == "improves"
    assert triple.low > max(triple.pair_sum, triple.pair_mean) + 5
    assert rows.loc[("a+c", "t", ""), "verdict"] != "improves"
    assert rows.loc[("a", "t", "b+c"), "verdict"] == rows.loc[("b", "t", "a+c"), "verdict"] == "improves"
    assert rows.loc[("c", "t", "a+b"), "verdict"] != "improves"
    assert rows.loc[("c", "a", "b+t"), "verdict"] == "improves"
    assert rows.loc[("c", "a", "b+t"), "pair_sum"] == pytest.approx(matrix.gain[2, 0])


def test_gains_are_differences_of_mean_scores_and_predictions_those_of_pairs(planted: tuple[Study, RunStore]) -> None:
    study, store = planted
    scores = scores_frame(study, store).query("split == 'test'")
    mean = (100 * scores.groupby(["target", "source"]).score.mean()).to_dict()
    place = {name: number for number, name in enumerate(NAMES)}
    pairs = measure(study, store).gain
    for arrow, row in zip(
        study.groups, group_arrows_frame(measure_group_arrows(study, store)).itertuples(), strict=True
    ):
        others = [name for name in NAMES if name in (*arrow.sources, *arrow.given)]
        more, less = "+".join(others), "+".join(arrow.given)
        assert row.score_with == pytest.approx(mean[arrow.target, more])
        assert row.gain == pytest.approx(mean[arrow.target, more] - mean[arrow.target, less])
        gains = {name: pairs[place[name], place[arrow.target]] for name in others}
        assert row.pair_sum == pytest.approx(sum(gains[name] for name in arrow.sources))
        before = np.mean([gains[name] for name in arrow.given]) if arrow.given else 0.0
        assert row.pair_mean == pytest.approx(np.mean(list(gains.values())) - before)


def test_the_plan_has_both_arms_of_every_group_once() -> None:
    study = study_of(NAMES, "leave-one-out", "a+b>t")
    more = [spec for spec in study.plan if spec not in replace(study, groups=()).plan]
    wanted = {tuple(sorted(NAMES)), *combinations(sorted(NAMES), 3)}  # {a, b, t} is the whole set less c
    assert {spec.task_names for spec in more} == wanted
    assert len(more) == len(wanted) * len(study.seeds)
    whole = replace(study, full=True)
    assert {spec.task_names for spec in whole.plan} == {spec.task_names for spec in study.plan}
    assert len(study_of(NAMES, "a+b>t").plan) == len(make_study(NAMES, seeds_single=tuple(range(5))).plan) + 3


def test_an_interrupted_study_says_what_is_missing_and_resumes_to_the_same_rows(
    planted: tuple[Study, RunStore], tmp_path: Path
) -> None:
    study, store = planted
    half = fill(
        study, tmp_path, synergy, skip=lambda spec: len(spec.tasks) == 4 or (len(spec.tasks) == 3 and spec.seed)
    )
    rows = group_arrows_frame(measure_group_arrows(study, half)).set_index(["sources", "target", "given"])
    assert rows.loc[("a", "t", "b+c"), "untested_reason"] == "no run with them"
    assert rows.loc[("a+b", "t", ""), "untested_reason"] == "one run with them"
    assert set(rows.query("untested_reason != ''").verdict) == {"inconclusive"}
    assert rows.loc[("a", "t", ""), "untested_reason"] == ""
    done = fill(study, tmp_path, synergy, skip=lambda spec: spec in half)
    frames = [group_arrows_frame(measure_group_arrows(study, one)) for one in (done, store)]
    pd.testing.assert_frame_equal(*frames)


def test_what_is_published_has_the_group_arrows(planted: tuple[Study, RunStore], tmp_path: Path) -> None:
    study, store = planted
    study.write(store.root)
    assert Study.load(store.root) == study
    publish(study, store, store.root, figure_options=FigureOptions(("heatmap",), ("svg",)))
    written = pd.read_csv(store.root / "group_arrows.csv", keep_default_na=False)
    assert len(written) == len(study.groups) == 4 * 3 + 3
    assert list(written.columns) == list(PairwiseResults.load(store.root).group_arrows().columns)
    words = (store.root / "affinity.txt").read_text()
    [row] = [row for row in written.itertuples() if (row.sources, row.target) == ("a+b", "t")]
    numbers = [f"{float(value):+z.1f}" for value in (row.gain, row.low, row.high, row.pair_sum, row.pair_mean)]
    gain, low, high, of_sum, of_mean = numbers
    of_pairs = f"pair-sum {of_sum}, pair-mean {of_mean}"
    assert f"Adding A + B to T: improves, {gain} points (interval {low} to {high}); {of_pairs}." in words
    assert "Adding A to T, given B + C: improves, +" in words
    page = PairwiseResults.load(store.root).report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('data-value="a+b">A + B</t') >= 1
    assert page.count('<a href="#groups">') == 1
    found = measure_group_arrows(study, store)
    shown = StringIO()
    Console(file=shown, width=150).print(group_arrows_table(found))
    [line] = [line.split() for line in shown.getvalue().splitlines() if line.split()[:4] == ["A", "+", "B", "T"]]
    assert line[4:9] == [gain, f"[{low},", f"{high}]", of_sum, of_mean]
    assert re.search(r"pair-mean +p adj +verdict", shown.getvalue())
    assert not re.search(r"\bq\b", shown.getvalue() + words)
    assert shown.getvalue().count(" improves") == list(written.verdict).count("improves")
    assert describe_group_arrows(found)[-1].endswith("inconclusive, or in group_arrows.csv only.")
    plain = replace(study, groups=())
    plain.write(store.root)
    publish(plain, store, store.root, figure_options=FigureOptions(("heatmap",), ("svg",)))
    assert not (store.root / "group_arrows.csv").exists()
    with pytest.raises(InputError, match="its study has no group arrows"):
        PairwiseResults.load(store.root).group_arrows()
    study.write(store.root)


def test_dunnetts_correction_becomes_holms(planted: tuple[Study, RunStore]) -> None:
    study, store = planted
    holm = group_arrows_frame(measure_group_arrows(study, store, Rule(correction="holm")))
    pd.testing.assert_frame_equal(
        group_arrows_frame(measure_group_arrows(study, store, Rule(correction="dunnett"))), holm
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "leave-one-ot",
            "found 'leave-one-ot'; expected leave-one-out, or A+B>T with tasks; did you mean leave-one-out?",
        ),
        ("a+b", "found 'a+b'; expected leave-one-out, or A+B>T with tasks, such as a+b>t"),
        ("a+>t", "found 'a+>t'; expected leave-one-out"),
        ("a+b>", "found 'a+b>'; expected leave-one-out"),
        ("a+x>t", "a+x>t: no task 'x'; there are a, b, c, t"),
        ("a+t>t", "a+t>t: a task is named twice"),
        ("a+a>t", "a+a>t: a task is named twice"),
    ],
)
def test_what_is_no_group_is_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as fault:
        parse_groups([text], NAMES)
    assert str(fault.value).startswith("--groups")
    assert said in str(fault.value)


def test_groups_are_named_once_and_lost_ones_are_told() -> None:
    assert parse_groups(["b + a > t", "a+b>t"], NAMES) == (GroupArrow(("a", "b"), "t"),)
    assert len(leave_one_out(NAMES)) == 12
    study = study_of(NAMES, "leave-one-out", "a+b>t")
    assert losses(study, study_of(NAMES, "a+b>t")) == ["12 of its 13 group arrows (--groups)"]
    assert losses(study_of(NAMES, "a+b>t"), study) == []
    for option in ({"sequential": True}, {"baseline": "compute-matched"}, {"init_from": "multitask"}):
        with pytest.raises(InputError, match=r"--groups: not with --"):
            check_pairwise_options(PairwiseOptions(groups=["a+b>t"], **option))  # type: ignore[arg-type]


def test_a_damaged_group_is_refused(tmp_path: Path) -> None:
    study = study_of(NAMES, "a+b>t")
    for change, said in (({"target": "x"}, "groups has 'a\\+b>x'"), ({"sources": ["t"]}, "twice in it")):
        content = json.loads(json.dumps(asdict(study)))
        content["groups"][0].update(change)
        (tmp_path / "study.json").write_text(json.dumps(content))
        with pytest.raises(ValueError, match=said):
            Study.load(tmp_path)
