"""Estimates admit pairs to a sequential design; every output says of the others that they are not measured."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from io import StringIO
from itertools import combinations
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from fake_studies import Counts, fill, latent_counts, make_study, write_estimates
from matplotlib.figure import Figure
from rich.console import Console
from scipy.stats import false_discovery_control

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, describe, describe_sequential
from taskaffinity.analysis.estimates.admission import admit, describe_admission, list_admission
from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.analysis.figures import draw_forest, draw_graph, draw_heatmap, draw_targets
from taskaffinity.analysis.figures.seeds import draw_seeds
from taskaffinity.analysis.graph import affinity_graph
from taskaffinity.analysis.measure import margins_of, measure
from taskaffinity.analysis.report import report
from taskaffinity.analysis.secondary_metrics import secondary_metrics_frame
from taskaffinity.analysis.statistics.read_arms import read_arms
from taskaffinity.analysis.statistics.sequential import follow, required_runs
from taskaffinity.analysis.statistics.sequential_simulation import simulate_design
from taskaffinity.analysis.tables.frames import edges_frame, scores_frame
from taskaffinity.analysis.tables.printed import arrow_table, edge_table
from taskaffinity.errors import InputError
from taskaffinity.runs.plan import default_single_seeds
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies.admission import with_admission
from taskaffinity.studies.compatibility import check_compatible

INTERIM_SEEDS = (3, 5)
GAINS = {("a", "b"): 1.0, ("c", "b"): -1.0}
NEAR = {"probe": 0.4, "se": 1.0}
ROWS = {
    ("a", "b"): {"probe": 6.0},
    ("b", "a"): NEAR,
    ("b", "c"): {"probe": 0.2},
    ("c", "b"): {"probe": -2.0},
    ("a", "c"): NEAR,
    ("c", "a"): {"probe": 9.0, "source_learned": False},
    **{arrow: NEAR for name in "abc" for arrow in ((name, "d"), ("d", name))},
}
"""Estimates of four tasks: two pairs are far from zero, one has an unusable estimate, those of d are near zero."""


def by_estimates(root: Path, names: str = "abcd") -> Study:
    """A sequential study whose pairs the rows above admit."""
    study = make_study(list(names), seeds=range(INTERIM_SEEDS[-1]), interim_seeds=INTERIM_SEEDS)
    study = replace(study, seeds_single=tuple(range(default_single_seeds(len(names), INTERIM_SEEDS[-1]))))
    root.mkdir(exist_ok=True)
    write_estimates(root, ROWS, study)
    found = read_estimates(root, tuple(names))
    assert found is not None
    return replace(study, admission=admit(list(names), found, 1.0))


def run_design(study: Study, root: Path, keep: int = 10**6) -> RunStore:
    """Fill a store as the command trains it, at most ``keep`` runs."""
    store, margins, written = RunStore(root), margins_of(study, study.rule), 0
    while True:
        state = follow(study, read_arms(study, store), study.rule, margins, store.__contains__)
        missing = [spec for spec in required_runs(study, state) if spec not in store][: keep - written]
        if not missing:
            return store
        fill(study, root, latent_counts(GAINS, n=400), skip=lambda spec, wanted=set(missing): spec not in wanted)
        written += len(missing)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path, AffinityMatrix]:
    root = tmp_path_factory.mktemp("done")
    study = by_estimates(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskaffinity.analysis.measure.simulate_design", partial(simulate_design, n=20))
        return study, root, measure(study, run_design(study, root))


def test_pairs_are_ranked_by_their_further_arrow_and_admitted_from_the_bound_on(tmp_path: Path) -> None:
    study = by_estimates(tmp_path)
    assert study.admission is not None
    ranked = [("".join(pair.tasks), pair.errors, pair.admitted) for pair in study.admission.pairs]
    assert ranked == [
        ("ab", 6.0, True),
        ("bc", 2.0, True),
        *((f"{name}d", 0.4, False) for name in "abc"),
        ("ac", None, True),
    ]
    found = read_estimates(tmp_path, tuple("abcd"))
    assert found is not None
    assert [pair.tasks for pair in admit("abcd", found, 2.1).admitted] == [("a", "b"), ("a", "c")]
    assert len(admit("abcd", found, 2).admitted) == 3  # b and c are at the bound
    assert len(admit("abcd", found, 0).deferred) == 0
    measured = admit("abcd", found, 1.0, {frozenset("bd")})
    assert [pair.tasks for pair in measured.deferred] == [("a", "d"), ("c", "d")]
    [line] = describe_admission(replace(study, admission=measured))
    assert line == (
        "By estimates: 4 of 6 pairs admitted at 1 standard error (1 because an arrow has no usable estimate, 1 because "
        "it has a finished run); 2 deferred and not measured."
    )
    assert list_admission(study) == [
        "admitted: A + B (6.0 SE), B + C (2.0 SE), A + C (no estimate)",
        "deferred: A + D (0.4 SE), B + D (0.4 SE), C + D (0.4 SE)",
    ]


@pytest.mark.parametrize("baseline", ["single", "compute-matched"])
def test_the_plan_has_no_run_of_a_deferred_pair_and_all_others(tmp_path: Path, baseline: str) -> None:
    study = replace(by_estimates(tmp_path), baseline=baseline, controls=True)
    every = replace(study, admission=None).plan
    lost = {spec for spec in every if spec not in study.plan}
    of_d = {frozenset(pair) for pair in combinations("abcd", 2) if "d" in pair}
    assert {frozenset((*spec.task_names, *(spec.partner or ())[:1])) for spec in lost} == of_d
    assert len(lost) == 3 * INTERIM_SEEDS[-1] * (3 if baseline == "compute-matched" else 1)
    pairs = list(dict.fromkeys(spec.task_names for spec in study.plan if spec.arm == "pair"))
    assert pairs == [("a", "b"), ("b", "c"), ("a", "c")]  # the furthest from zero first


def test_deferred_arrows_are_not_measured_and_no_test_counts_them(done: tuple[Study, Path, AffinityMatrix]) -> None:
    study, root, matrix = done
    deferred = {(s, t) for s, t in matrix.arrows if 3 in (s, t)}
    assert set(matrix.select("not measured")) == deferred
    assert matrix.verdict[0, 1] == "improves"
    assert matrix.verdict[2, 1] == "degrades"
    assert matrix.sequential is not None
    assert matrix.sequential.finished
    for arrow in deferred:
        assert matrix.recommendation[arrow] == ""
        assert matrix.seeds_pair[arrow] == 0
        assert all(np.isnan(getattr(matrix, name)[arrow]) for name in ("gain", "low", "p", "q", "alpha_spent"))
    first = replace(
        study,
        seeds=study.seeds[:3],
        seeds_single=study.seeds_single[: default_single_seeds(4, 3)],
        interim_seeds=(),
        admission=None,
    )
    fixed = measure(first, RunStore(root))  # the first analysis, of the same runs, without the machinery of admission
    at_once = matrix.sequential.decided_at_seeds == 3
    assert at_once.sum() >= 2
    measured = ~np.isnan(fixed.p)
    assert measured.sum() == 6
    assert fixed.p_tost[at_once] == pytest.approx(matrix.p_tost[at_once])
    expected = np.full((4, 4), np.nan)
    expected[measured] = false_discovery_control(fixed.p[measured])  # of six arrows, not of twelve
    significant = at_once & np.isin(matrix.verdict, ("improves", "degrades"))
    assert (matrix.q_tost[measured] > Rule().alpha).any()
    assert matrix.q[significant] == pytest.approx(expected[significant])


def words_of(drawn: object) -> list[str]:
    axes = drawn.axes if isinstance(drawn, Figure) else [drawn]
    return [text.get_text() for ax in axes for text in ax.texts]  # type: ignore[attr-defined]


def test_gains_by_other_metrics_name_the_reason_of_deferred_arrows(tmp_path: Path) -> None:
    study = by_estimates(tmp_path)
    counts = latent_counts(GAINS, n=40)

    def as_f1(target: str, partners: str, seed: int) -> Counts:
        right = counts(target, partners, seed)[:, 0]
        return np.stack([right, 1 - right, 1 - right], axis=1)

    store = fill(study, tmp_path, counts, further={"micro_f1": as_f1})
    frame = secondary_metrics_frame(study, store, study.rule)
    of_d = (frame.source == "d") | (frame.target == "d")
    assert len(frame) == 12
    assert set(frame[of_d].untested_reason) == {"deferred by estimates"}
    assert set(frame[~of_d].untested_reason) == {""}


def test_every_output_says_not_measured_and_none_says_inconclusive(done: tuple[Study, Path, AffinityMatrix]) -> None:
    study, root, matrix = done
    store = RunStore(root)
    edges = edges_frame(matrix).set_index(["source", "target"])
    of_d = [arrow for arrow in edges.index if "d" in arrow]
    assert set(edges.loc[of_d].verdict) == {"not measured"}
    assert set(edges.loc[of_d].untested_reason) == {"deferred by estimates"}
    graph = affinity_graph(matrix)
    assert {graph.edges[arrow]["verdict"] for arrow in of_d} == {"not measured"}
    assert isinstance(graph, nx.DiGraph)
    shown = StringIO()
    Console(file=shown, width=120).print(edge_table(matrix))
    assert shown.getvalue().count(". not measured:") == 6
    shown = StringIO()
    Console(file=shown, width=120).print(edge_table(matrix, at_most=4))
    assert "6 not measured" in " ".join(shown.getvalue().split())
    assert sorted(arrow_table(matrix).verdict).count("not measured") == 6  # `taskaffinity table edges`
    n_open = len(matrix.select("inconclusive"))
    for text in (caption(matrix), draw_graph(matrix).texts[-1].get_text()):
        assert "6 arrows not measured: deferred by estimates." in " ".join(text.split())
        assert "without a test" not in text
    assert f"Inconclusive, {n_open} of 12" in describe(matrix) or n_open == 0
    assert "Not measured, 6 of 12 arrows: deferred by estimates." in describe(matrix)
    assert sum(word == "not\nmeasured" for word in words_of(draw_heatmap(matrix))) == 6
    assert words_of(draw_forest(matrix)).count("not measured (deferred by estimates)") == 6
    assert words_of(draw_targets(matrix)).count("not measured") == 6
    assert words_of(draw_seeds(matrix, scores_frame(study, store))).count("not measured") == 6
    assert "6 of 12 arrows were not measured and are not drawn." in " ".join(
        " ".join(words_of(draw_graph(matrix))).split()
    )
    page = report(matrix, store)
    assert "and 6 are not measured." in page
    assert "Not measured: 6" in page
    assert "Not measured (deferred by estimates): A → D" in page
    assert page.count('class="not-measured"') >= 6
    assert f"Inconclusive: {n_open}" in page or n_open == 0
    [line] = [line for line in describe_sequential(matrix) if line.startswith("By estimates")]
    assert "3 of 6 pairs admitted at 1 standard error" in line
    assert "3 deferred and not measured" in line


def test_figures_show_the_estimates_of_deferred_pairs_hollow(done: tuple[Study, Path, AffinityMatrix]) -> None:
    _, root, matrix = done
    with_file = with_estimates(matrix, root)
    assert [word[0] for word in words_of(draw_heatmap(with_file)) if word.startswith("≈")] == ["≈"] * 6
    assert "6 estimates from short probes" in " ".join(words_of(draw_graph(with_file))[-1].split())
    assert "are not drawn" not in words_of(draw_graph(with_file))[-1]
    assert set(edges_frame(with_file).query("source == 'd'").verdict) == {"not measured"}


def test_an_interrupted_design_resumes_to_the_same_rows(
    done: tuple[Study, Path, AffinityMatrix], tmp_path: Path
) -> None:
    study, root, matrix = done
    study.write(tmp_path)
    assert Study.load(tmp_path) == study
    run_design(study, tmp_path, keep=13)
    again = measure(Study.load(tmp_path), run_design(Study.load(tmp_path), tmp_path))
    pd.testing.assert_frame_equal(edges_frame(again), edges_frame(matrix))
    runs, before = ({path.name for path in (folder / "runs").iterdir()} for folder in (tmp_path, root))
    assert runs == before
    assert not any(name.startswith("refine") and "d" in name.split("-")[1].split("+") for name in runs)


def test_the_first_start_decides_and_later_estimates_do_not(tmp_path: Path) -> None:
    plain = replace(by_estimates(tmp_path), admission=None)
    chosen = with_admission(plain, tmp_path, 1.0)
    assert chosen.admission == by_estimates(tmp_path).admission
    chosen.write(tmp_path)
    fill(chosen, tmp_path, latent_counts({}, n=20), skip=lambda spec: spec.arm != "single" or spec.seed > 0)
    write_estimates(tmp_path, {**ROWS, ("a", "d"): {"probe": 7.0}})
    assert with_admission(plain, tmp_path, 1.0) == chosen
    (tmp_path / "estimates.csv").unlink()
    assert with_admission(plain, tmp_path, 1.0) == chosen
    check_compatible(chosen, tmp_path)
    write_estimates(tmp_path, {**ROWS, ("a", "d"): {"probe": 7.0}})
    anew = with_admission(plain, tmp_path, 1.0, replaces=True)
    assert anew.admission is not None
    assert len(anew.admission.admitted) == 4
    for other in (anew, plain, with_admission(plain, tmp_path, 0.1)):
        with pytest.raises(InputError, match=r"measures other pairs \(3 of 6, by estimates at 1 standard errors\)"):
            check_compatible(other, tmp_path)
        check_compatible(other, tmp_path, replaces=True)


def test_a_pair_with_a_finished_run_is_admitted(tmp_path: Path) -> None:
    study = replace(by_estimates(tmp_path), admission=None)
    fixed = replace(study, interim_seeds=(), seeds=(0,))
    fixed.write(tmp_path)
    fill(fixed, tmp_path, latent_counts({}, n=20), skip=lambda spec: spec.task_names != ("b", "d"))
    chosen = with_admission(study, tmp_path, 1.0).admission
    assert chosen is not None
    assert [pair.tasks for pair in chosen.deferred] == [("a", "d"), ("c", "d")]


def test_what_cannot_be_decided_is_one_line(tmp_path: Path) -> None:
    study = replace(by_estimates(tmp_path / "has"), admission=None)
    with pytest.raises(InputError, match=r"no estimates.csv in .*; run `taskaffinity estimate` with the same tasks"):
        with_admission(study, tmp_path, 1.0)
    write_estimates(tmp_path, dict.fromkeys(ROWS, NEAR))
    with pytest.raises(InputError, match=r"--admit 1: no pair is admitted; .* is 0.4 standard errors away"):
        with_admission(study, tmp_path, 1.0)
    make_study(["a", "b", "x"]).write(tmp_path)
    with pytest.raises(InputError, match=r"--by-estimates: the estimates in .* are of other tasks or data"):
        with_admission(study, tmp_path, 0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["admission"]["pairs"].pop(), "admission has not every pair of tasks once"),
        (lambda one: one["admission"]["pairs"].append(one["admission"]["pairs"][0]), "not every pair of tasks once"),
        (lambda one: one.update(interim_seeds=[]), "admission without interim_seeds"),
        (lambda one: one["admission"].update(at=-1.0), "admission.at is -1.0; expected greater than or equal to 0"),
        (lambda one: one["admission"]["pairs"][0].update(errors="x"), "admission.pairs.0.errors is 'x'; expected"),
    ],
)
def test_a_damaged_admission_is_refused(change: object, said: str, tmp_path: Path) -> None:
    study = by_estimates(tmp_path)
    content = json.loads(json.dumps(asdict(study)))
    change(content)  # type: ignore[operator]
    (tmp_path / "study.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=said):
        Study.load(tmp_path)


def test_the_simulated_design_trains_the_admitted_pairs_only(done: tuple[Study, Path, AffinityMatrix]) -> None:
    study, root, matrix = done
    assert matrix.sequential is not None
    arms, margins = read_arms(study, RunStore(root)), margins_of(study, study.rule)
    simulated = simulate_design(arms, INTERIM_SEEDS, margins, study.rule, matrix.sequential.admitted, n=20)
    assert INTERIM_SEEDS[0] / INTERIM_SEEDS[-1] / 2 <= simulated.pair_runs <= 0.5  # half of the pairs
    assert 2 / 6 <= simulated.decided <= 1
