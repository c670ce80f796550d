"""What is said of collapsed runs, few documents and rare classes: where they occur, and nowhere else."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_studies import CountsOf, fill, latent_counts, make_study, right, seeded
from rich.console import Console

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, describe, describe_controls
from taskaffinity.analysis.cautions.collapsed_runs import RULE, find_collapsed_runs
from taskaffinity.analysis.cautions.of_study import (
    EXAGGERATION,
    describe_collapse,
    describe_no_effect,
    describe_winners_curse,
    low_to_high,
)
from taskaffinity.analysis.decisions import describe_needs
from taskaffinity.analysis.figures.forest import draw_forest
from taskaffinity.analysis.graph import affinity_graph
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.report import write_report
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.tables.frames import scores_frame
from taskaffinity.analysis.tables.printed import edge_table
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.result import Predictions
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS

pytestmark = pytest.mark.usefixtures("no_figures")

GAINS = {("c", "b"): 1.0}
STAGES = {"design": "full", "finetune": dict.fromkeys("ab", FINETUNE)}


def collapsing(*runs: tuple[str, str, int], n: int = 400) -> CountsOf:
    """Counts of normal runs, but those of ``runs`` (target, partner, seed) predict at random."""
    usual = latent_counts(GAINS, n=n)

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        if (target, partners, seed) in runs:
            return right(seeded(target, "majority").random(n) < 0.3)
        return usual(target, partners, seed)

    return counts_of


def study_of(**options: object) -> Study:
    return make_study(["a", "b", "c"], seeds_single=range(5), **options)


@pytest.fixture
def usual(tmp_path: Path) -> tuple[Study, RunStore]:
    study = study_of()
    return study, fill(study, tmp_path / "usual", collapsing())


@pytest.fixture
def collapsed(tmp_path: Path) -> tuple[Study, RunStore]:
    study = study_of()
    return study, fill(study, tmp_path / "collapsed", collapsing(("a", "b", 1), ("c", "", 3)))


def printed(matrix: AffinityMatrix) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(edge_table(matrix))
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def advice_of(study: Study, store: RunStore) -> list[str]:
    return PairwiseResults(store.root, study).advice


def others_gain(store: RunStore, study: Study, left_out: int) -> float:
    """The gain of b → a without one run of the pair, from the stored scores."""
    runs = {spec: store.read(spec) for spec in study.plan if "a" in spec.task_names}
    pair = [run.outcomes["a"].test for spec, run in runs.items() if "b" in spec.task_names and spec.seed != left_out]
    single = [run.outcomes["a"].test for spec, run in runs.items() if spec.task_names == ("a",)]
    return 100 * (float(np.mean(pair)) - float(np.mean(single)))


def test_each_collapsed_run_is_named_with_its_reason(collapsed: tuple[Study, RunStore]) -> None:
    study, store = collapsed
    found = find_collapsed_runs(study, store)
    assert [(run.target, run.arm, run.source, run.seed, run.reason) for run in found] == [
        ("a", "pair", "b", 1, "far below its arm"),
        ("c", "single", "", 3, "far below its arm"),
    ]
    [of_pair] = [spec for spec in study.plan if spec.task_names == ("a", "b") and spec.seed == 1]
    assert found[0].score == pytest.approx(100 * store.read(of_pair).outcomes["a"].test)


def test_a_run_of_one_class_has_that_reason(tmp_path: Path) -> None:
    gold = ["x", "y", "z"] * 20

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        predicted = ["z"] * 60 if (target, partners, seed) == ("a", "", 0) else gold
        return METRICS["micro_f1"].tally(gold, predicted, ["x", "y"])

    study = make_study(["a", "b"], metrics={"a": "micro_f1", "b": "micro_f1"})
    [run] = find_collapsed_runs(study, fill(study, tmp_path, counts_of))
    assert (run.target, run.arm, run.seed, run.reason) == ("a", "single", 0, "one class")


@pytest.mark.parametrize(
    ("metric", "predicted", "options"),
    [("multilabel_f1", (), {}), ("macro_f1", ("x", "y"), {}), ("multilabel_f1", ("x",), STAGES)],
)
def test_a_run_of_one_set_of_classes_has_that_reason(
    tmp_path: Path, metric: str, predicted: tuple[str, ...], options: dict[str, object]
) -> None:
    gold = [("x",), ("y",), (), ("x", "y", "z")] * 15

    def counts_of(which: str) -> CountsOf:
        def counts(target: str, partners: str, seed: int) -> np.ndarray:
            said = [predicted] * 60 if (target, partners, seed) == ("a", "", 0) else gold
            return METRICS[which].tally(gold, said, ["x", "y", "z"])

        return counts

    study = make_study(["a", "b"], metrics={"a": metric, "b": metric}, **options)
    study = replace(study, tasks=tuple(replace(card, kind="multilabel") for card in study.tasks))
    further = {name: counts_of(name) for name in {"macro_f1"} - {metric}}
    [run] = find_collapsed_runs(study, fill(study, tmp_path, counts_of(metric), further=further))
    assert (run.target, run.arm, run.seed, run.reason) == ("a", "single", 0, "one set of classes")


def test_scores_csv_and_edges_csv_count_the_same_runs(tmp_path: Path) -> None:
    study = study_of(baseline="compute-matched", controls=True, full=True)
    counts = collapsing(("a", "b", 1), ("c", "", 3), ("b", "~matched:a", 0), ("c", "~placebo", 1_000_002))
    store = fill(study, tmp_path, counts)
    frame, matrix = scores_frame(study, store), measure(study, store)
    test = frame[frame.split == "test"]
    assert frame[frame.split == "dev"].collapsed.isna().all()
    assert test.collapsed.sum() == 4
    for s, t in matrix.arrows:
        of_arrow = test[(test.target == matrix.tasks[t]) & (test.source == matrix.tasks[s])]
        assert of_arrow[of_arrow.arm == "pair"].collapsed.sum() == matrix.collapsed_pair[s, t]
        assert of_arrow[of_arrow.arm == "matched"].collapsed.sum() == matrix.collapsed_single[s, t]


def test_every_text_says_it_where_it_occurs(collapsed: tuple[Study, RunStore], tmp_path: Path) -> None:
    study, store = collapsed
    matrix = publish(study, store, tmp_path / "out")
    gain = others_gain(store, study, left_out=1)
    words = f"1 of 3 runs of the pair collapsed; {gain:+.1f} among the others".replace("-", "−")
    assert describe_collapse(matrix, (1, 0)) == words
    text = (tmp_path / "out" / "affinity.txt").read_text()
    assert f"B → A: {words}." in text
    assert "A → C: 1 of 5 single-task runs collapsed; " in text
    assert "3 arrows have collapsed runs" in caption(matrix)
    assert text.count(RULE) == 1
    table = printed(matrix)
    assert f"* B → A: {words.replace('−', '-')}" in table
    assert table.count(" * ") + table.count("inconclusive *") >= 3
    write_report(study, store, tmp_path / "out" / "report.html")
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="collapsed"' in page
    assert page.count("far below its arm") >= 2
    edge = affinity_graph(matrix).edges["b", "a"]
    assert (edge["collapsed_pair"], edge["collapsed_single"]) == (1, 0)
    assert edge["gain_trained"] == pytest.approx(gain)
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert {row["collapsed"] for row in rows} == {"true", "false", ""}
    assert sum(row["collapsed"] == "true" for row in rows) == 2


def test_without_a_collapsed_run_no_text_speaks_of_one(usual: tuple[Study, RunStore], tmp_path: Path) -> None:
    study, store = usual
    matrix = publish(study, store, tmp_path / "out")
    texts = [(tmp_path / "out" / "affinity.txt").read_text(), caption(matrix), printed(matrix)]
    for text in texts:
        assert not re.search(r"collapsed|\*", text)
    write_report(study, store, tmp_path / "out" / "report.html")
    assert 'id="collapsed"' not in (tmp_path / "out" / "report.html").read_text()


def test_advice_says_what_helps(collapsed: tuple[Study, RunStore]) -> None:
    study, store = collapsed
    advice = advice_of(study, store)
    assert "2 runs collapsed: A (pair with B, seed 1)" in advice[0]
    rate = f"learning_rate={study.recipe.learning_rate / 2:g}"
    assert rate in advice[1]
    assert "more seeds do not" in advice[1]
    matrix = measure(study, store)
    for (s, t), words in np.ndenumerate(matrix.recommendation):
        has_collapsed = matrix.collapsed_pair[s, t] + matrix.collapsed_single[s, t] > 0
        assert ("no run collapses" in words) == (bool(words) and bool(has_collapsed))
    assert any("no run collapses" in line for line in describe_needs(matrix))


def test_the_forest_marks_the_arrow_and_crosses_the_run(
    collapsed: tuple[Study, RunStore], usual: tuple[Study, RunStore]
) -> None:
    def drawn(study: Study, store: RunStore) -> tuple[int, int, str]:
        ax = draw_forest(measure(study, store), scores_frame(study, store))
        labels = [text.get_text() for text in ax.texts if text.get_gid() == "label"]
        crosses = sum(len(line.get_xdata()) for line in ax.lines if line.get_marker() == "x")
        words = " ".join(text.get_text() for text in ax.texts)
        return sum(label.endswith("*") for label in labels), crosses, " ".join(words.split())

    marked, crosses, words = drawn(*collapsed)
    assert (marked, crosses) == (3, 1)  # the single-task run is not drawn
    assert "crosses are collapsed runs of the pair" in words
    marked, crosses, words = drawn(*usual)
    assert (marked, crosses) == (0, 0)
    assert "collapsed" not in words


def test_the_forest_explains_no_cross_that_it_does_not_draw(tmp_path: Path) -> None:
    study = study_of()
    store = fill(study, tmp_path, collapsing(("b", "", 1)))
    matrix = measure(study, store)
    assert (matrix.collapsed_pair.sum(), matrix.collapsed_single.sum()) == (0, 2)
    words = [text.get_text() for text in draw_forest(matrix, scores_frame(study, store)).texts]
    assert sum(word.endswith(" *") for word in words) == 2
    assert "a run of the pair or of its baseline collapsed." in " ".join(" ".join(words).split())


@pytest.mark.parametrize("n_seeds", [2, 3, 8])
def test_no_effect_says_its_condition_and_what_the_runs_can_exclude(n_seeds: int, tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds=range(n_seeds), seeds_single=range(8))
    store = fill(study, tmp_path, latent_counts({}, n=20_000, seed_noise=0.001))
    matrix = measure(study, store)
    assert matrix.select("no effect")
    [rate] = re.findall(
        r"(\d+) runs without a collapse cannot exclude a collapse rate of up to (\d+)%", caption(matrix)
    )
    assert int(rate[0]) == n_seeds
    # at this rate n runs without a collapse have a probability of 5%
    assert (1 - int(rate[1]) / 100) ** n_seeds == pytest.approx(0.05, abs=0.02)
    assert "Significant gains are too large" not in describe(matrix)


@pytest.mark.parametrize(
    ("collapsed", "fewest"), [((), 3), ((("c", "", 1),), 3), ((("a", "", 0), ("b", "", 0), ("c", "", 0)), 8)]
)
def test_the_fewest_runs_of_either_arm_limit_what_can_be_excluded(
    collapsed: tuple[tuple[str, str, int], ...], fewest: int, tmp_path: Path
) -> None:
    """A baseline of 3 runs excludes less than pairs of 8; an arm in which a run collapsed excludes nothing."""
    study = make_study(["a", "b", "c"], seeds=range(8), seeds_single=range(3))
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=20_000, seed_noise=0.001)))
    has_collapsed = matrix.collapsed_single.copy()
    for target, _, _ in collapsed:
        has_collapsed[:, matrix.tasks.index(target)] = 1
    found = " ".join(describe_no_effect(replace(matrix, collapsed_single=has_collapsed)))
    runs, rate = re.findall(r"(\d+) runs without a collapse cannot exclude a collapse rate of up to (\d+)%", found)[0]
    assert int(runs) == fewest
    assert (1 - int(rate) / 100) ** fewest == pytest.approx(0.05, abs=0.02)


def test_the_condition_is_said_only_beside_such_a_verdict(usual: tuple[Study, RunStore]) -> None:
    matrix = measure(*usual)
    verdict = matrix.verdict.copy()
    verdict[verdict == "no effect"] = "inconclusive"
    assert "train normally" not in caption(replace(matrix, verdict=verdict))


def test_the_winners_curse_is_said_once_if_an_arrow_is_significant(usual: tuple[Study, RunStore]) -> None:
    matrix = measure(*usual)
    assert matrix.select("improves")
    assert describe(matrix).count("Significant gains are too large on average") == 1
    assert describe(matrix).count("In simulations with 3 seeds per pair, true gains of 4 points or more were") == 1


@pytest.mark.parametrize(("seeds", "simulated"), [(2, 3), (3, 3), (4, 3), (5, 5), (39, 5), (40, 40), (41, 40)])
def test_the_winners_curse_depends_on_the_seeds(seeds: int, simulated: int, usual: tuple[Study, RunStore]) -> None:
    matrix = measure(*usual)
    few = replace(matrix, seeds_pair=np.full_like(matrix.seeds_pair, seeds))
    said = " ".join(describe_winners_curse(few))
    assert f"with {simulated} seeds per pair" in said
    assert ("with fewer seeds it is more" in said) == (seeds < 3)
    by, times = re.findall(r"(?:by|ones) ([^%]*?)(?:%| times)", said)[:2], re.search(r"ones (\S+).* times", said)
    assert times is not None
    assert float(by[0].split()[0]) <= float(by[1].split()[0]) <= 100 * (float(times[1]) - 1)


def test_the_winners_curse_of_a_sequential_design_has_no_figures(usual: tuple[Study, RunStore]) -> None:
    matrix = measure(*usual)
    sequential = replace(matrix, study=replace(matrix.study, interim_seeds=(2, 3)))
    [said] = describe_winners_curse(sequential)
    assert not re.search(r"\d", said)


def test_the_winners_curse_is_that_of_the_simulations() -> None:
    tests = Path(__file__).parents[1]
    found = pd.read_csv(tests / "benchmarks" / "results" / "false_discoveries.csv")
    found = found[(found.correction == "bh") & (found.cell == "half null") & (found.test == "behrens-fisher")]
    measured = {}
    for seeds, rows in found.groupby("seeds_pair"):
        large, middle = (
            tuple(round(100 * times - 100) for times in (of.min(), of.max()))
            for of in (rows.exaggeration_from_4, rows.exaggeration_2_to_4)
        )
        small = rows.exaggeration_below_2
        measured[seeds] = (large, middle, (round(small.min(), 1), round(small.max(), 1)))
        assert (rows[["significant_below_2", "significant_2_to_4", "significant_from_4"]] > 50).all(axis=None)
    assert measured == EXAGGERATION
    page = (tests.parent / "docs" / "explanation" / "gains-and-verdicts.md").read_text(encoding="utf-8")
    large, middle, small = (low_to_high(*ends) for ends in measured[3])
    for words in (f"by {large}%", f"by {middle}%", f"{small} times"):
        assert words in " ".join(page.split())


def test_decided_arrows_need_no_seeds(usual: tuple[Study, RunStore]) -> None:
    matrix = measure(*usual)
    is_open = matrix.verdict == "inconclusive"
    assert is_open.any()
    assert not is_open.all()
    for seeds in (matrix.seeds_to_significance, matrix.seeds_to_equivalence):
        assert (np.isnan(seeds) == ~is_open).all()


def with_documents(sizes: list[int], study: Study, root: Path) -> RunStore:
    """Task a has documents of these sizes; b and c have none."""
    store = fill(study, root, latent_counts({}, n=sum(sizes)))
    for spec in study.plan:
        run = store.read(spec)
        documents = {"a/test": np.repeat(np.arange(len(sizes)), sizes)} if "a" in spec.task_names else {}
        store.write(replace(run, documents=documents))
    return store


@pytest.mark.parametrize(
    ("sizes", "effective"),
    [([30] * 10, 10.0), ([40] * 19, 19.0), ([20] * 20, None), ([200, *[10] * 30], 1.155)],
)
def test_few_effective_documents_are_a_warning(sizes: list[int], effective: float | None, tmp_path: Path) -> None:
    study = study_of()
    store = with_documents(sizes, study, tmp_path)
    matrix = publish(study, store, tmp_path)
    texts = [caption(matrix), (tmp_path / "affinity.txt").read_text(), " ".join(advice_of(study, store))]
    for text in texts:
        fewest = 5 if effective and effective < 5 else 20
        warned = re.findall(rf"Fewer than {fewest} effective test documents: A \(([\d.]+)\)\.", text)
        assert [float(number) for number in warned] == (
            [] if effective is None else [pytest.approx(effective, abs=0.01)]
        )
    on_this_set = measure(study, store, Rule(estimand="test-set"))
    assert "effective test documents" not in caption(on_this_set)
    is_untested = effective is not None and effective < 5
    into_a = np.array([[False] * 3, [is_untested, False, False], [is_untested, False, False]])
    assert ((matrix.untested_reason != "") == into_a).all()
    assert set(matrix.verdict[into_a]) <= {"inconclusive"}
    assert set(on_this_set.untested_reason.ravel()) == {""}


@pytest.mark.slow
@pytest.mark.parametrize(("n", "warns"), [(19, True), (20, False)])
def test_the_report_warns_of_few_documents(n: int, warns: bool, tmp_path: Path) -> None:
    study = study_of()
    write_report(study, with_documents([20] * n, study, tmp_path), tmp_path / "report.html")
    assert ("effective test documents" in (tmp_path / "report.html").read_text()) == warns


def by_class(examples: dict[str, int]) -> tuple[list[str], CountsOf]:
    gold = [label for label, number in examples.items() for _ in range(number)]

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        rng = seeded(target, partners, seed)
        predicted = [label if rng.random() < 0.7 else "x" for label in gold]
        return METRICS["macro_f1"].tally(gold, predicted, ["x", "y", "z"])

    return gold, counts_of


def keep_predictions(study: Study, store: RunStore, gold: list[str]) -> None:
    for spec in study.plan:
        run = store.read(spec)
        ids = [str(place) for place in range(len(gold))]
        store.write(
            replace(run, predictions={f"{name}/test": Predictions(ids, gold, gold) for name in spec.task_names})
        )


@pytest.mark.parametrize(
    ("examples", "named"),
    [
        ({"x": 40, "y": 9, "z": 10}, "y 9"),
        ({"x": 40, "y": 3, "z": 2, "negative": 5}, "y 3, z 2"),
        ({"x": 40, "y": 10, "z": 10}, None),
        ({"x": 40, "y": 12}, "0"),
    ],
)
def test_rare_classes_of_macro_f1_are_a_warning(examples: dict[str, int], named: str | None, tmp_path: Path) -> None:
    gold, counts_of = by_class(examples)
    study = make_study(["a", "b"], metrics=dict.fromkeys("ab", "macro_f1"))
    store = fill(study, tmp_path, counts_of)
    keep_predictions(study, store, gold)
    matrix = publish(study, store, tmp_path)
    for text in (caption(matrix), (tmp_path / "affinity.txt").read_text()):
        found = re.findall(
            r"Macro-F1 of A has (\d class\w*) with fewer than 10 test examples \(number of examples: (.*?)\)\.", text
        )
        number = (named or "").count(",") + 1
        assert found == ([("1 class" if number == 1 else f"{number} classes", named)] if named else [])


def test_rare_classes_of_a_secondary_metric_do_not_enter_the_caption(tmp_path: Path) -> None:
    gold, counts_of = by_class({"x": 40, "y": 9, "z": 12})
    study = make_study(["a", "b"])
    accuracy = latent_counts({}, n=len(gold))
    store = fill(study, tmp_path, accuracy, further={"macro_f1": counts_of})
    matrix = publish(study, store, tmp_path)
    assert "Macro-F1" not in caption(matrix)
    line = "Macro-F1 of A (other_metrics.csv) has 1 class with fewer than 10 test examples (number of examples: 9)."
    assert line in (tmp_path / "affinity.txt").read_text()
    assert any(line in advice for advice in advice_of(study, store))


def test_a_rare_class_of_a_task_with_several_classes_per_text_has_its_own_name(tmp_path: Path) -> None:
    """The stored labels of an example are joined by |; two classes that always occur together cannot be told apart."""
    gold = [("x",)] * 20 + [("x", "y")] * 3 + [("u", "v")] * 2 + [("x", "z")] * 12
    study = make_study(["a", "b"], metrics=dict.fromkeys("ab", "macro_f1"))
    counts = METRICS["macro_f1"].tally(gold, gold, ["x", "y", "z", "u", "v"])
    store = fill(study, tmp_path, lambda target, partners, seed: counts)
    keep_predictions(study, store, ["|".join(labels) for labels in gold])
    line = "Macro-F1 of A has 3 classes with fewer than 10 test examples (number of examples: y 3, 2, 2)."
    assert line in caption(measure(study, store))


def test_the_placebo_line_says_how_wide_its_interval_is(tmp_path: Path) -> None:
    study = study_of(controls=True)
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=200)))
    [line] = [line for line in describe(matrix).splitlines() if line.startswith("Placebos: ")]
    low, high = map(int, re.search(r"between (\d+) and (\d+)%", line).groups())  # type: ignore[union-attr]
    [wide] = re.findall(r"an interval of (\d+) points", line)
    assert math.isclose(int(wide), high - low, abs_tol=1)
    assert "several studies can be pooled" in line


@pytest.mark.parametrize(
    ("skipped", "starts"),
    [("half", ["Placebos: "]), ("single", ["Positive controls: "]), ("single half", ["Controls: none can be tested"])],
)
def test_a_kind_of_control_without_a_test_is_not_counted(skipped: str, starts: list[str], tmp_path: Path) -> None:
    study = study_of(controls=True)
    store = fill(study, tmp_path, collapsing(), skip=lambda spec: spec.arm in skipped.split())
    lines = describe_controls(measure(study, store))
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * len(starts)
