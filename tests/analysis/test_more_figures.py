"""Small multiples, slope chart and palettes: contents, labels without overlap, and descriptions in files."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, right, seeded
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import FILES, PALETTE_NAMES, FigureOptions
from taskaffinity.analysis.figures import (
    draw_forest,
    draw_forests,
    draw_graph,
    draw_heatmap,
    draw_seeds,
    draw_targets,
    save_figure,
)
from taskaffinity.analysis.figures.curves import curves_frame, draw_curves
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.figures.labels import CurvePoints, spread
from taskaffinity.analysis.figures.layout import figure_bytes
from taskaffinity.analysis.figures.order import circle_order, costs_of_places, crossings, task_order
from taskaffinity.analysis.figures.slopes import NO_INTERVAL, draw_stages, stages_described
from taskaffinity.analysis.joint_results import StagesResults
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.stages import STAGES, stage_scores
from taskaffinity.analysis.publish import publish, publish_stages
from taskaffinity.analysis.report import write_report
from taskaffinity.analysis.style import PALETTES, STYLES
from taskaffinity.analysis.tables.frames import scores_frame
from taskaffinity.cli.console.results import print_stages
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

OF_PAIRS = tuple(name for name in FILES if name != "stages")
World = tuple[AffinityMatrix, RunStore]


def world(root: Path, size: int, **options: object) -> World:
    names = [f"task-{letter}" for letter in "abcdefghijklmnop"[:size]]
    study = make_study(names, synthetic=True, **options)
    rng = seeded("more", size)
    gains = {(s, t): float(rng.choice([0, 0, 0.4, -0.4])) for s in names for t in names}
    store = fill(study, root, latent_counts(gains, n=300), epochs=4)
    return measure(study, store), store


class Worlds(dict[int, World]):
    """Worlds by size, made when asked for; each has all four verdicts as soon as it has four arrows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, size: int) -> World:
        matrix, store = self[size] = world(self.folder / str(size), size)
        for arrow, verdict in zip(matrix.arrows, STYLES, strict=False):
            matrix.verdict[arrow] = verdict
        return matrix, store


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(tmp_path_factory.mktemp("worlds"))


def figure_of(name: str, known: World, palette: str = "paper") -> Figure:
    drawn = draw_figure(name, *known, FigureOptions(palette=palette))  # type: ignore[arg-type]
    return drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)  # type: ignore[return-value]


def small(figure: Figure) -> list[Axes]:
    return figure.axes[1:]


def gids(ax: Axes, word: str) -> list[str]:
    return [str(a.get_gid()) for a in ax.get_children() if str(a.get_gid()).split(" ")[0] == word]


def words_of(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text().split()) for ax in figure.axes for text in ax.texts)


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("name", OF_PAIRS)
def test_every_figure_is_drawn_at_every_size_with_stamp_and_caption(
    name: str, size: int, worlds: dict[int, World]
) -> None:
    words = words_of(figure_of(name, worlds[size]))
    assert "synthetic text: not real data" in words
    for said in ("accuracy", "3 seeds", "encoder tiny", "test is scored once"):
        assert said in words
    assert "nan" not in words.lower()


@pytest.mark.parametrize("size", [4, pytest.param(16, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["heatmap", "forest", "targets", "seeds", "curves"])
def test_no_words_lie_upon_others(name: str, size: int, worlds: dict[int, World]) -> None:
    figure = figure_of(name, worlds[size])
    figure.canvas.draw()
    found = []
    for ax in figure.axes:
        ticks = [label for axis in (ax.xaxis, ax.yaxis) for label in axis.get_ticklabels() if ax.axison]
        shown = [text for text in [*ax.texts, *ticks] if text.get_text() and text.get_rotation() == 0]
        found += [(text.get_text(), Text.get_window_extent(text).padded(-1)) for text in shown]  # no leaders
    for (one, box), (other, second) in combinations(found, 2):
        assert not box.overlaps(second), (one, other)


@pytest.mark.parametrize("size", [8, *(pytest.param(size, marks=pytest.mark.slow) for size in (16, 30))])
def test_a_graph_of_many_tasks_draws_what_is_significant_and_counts_the_rest(
    size: int, worlds: dict[int, World], tmp_path: Path
) -> None:
    matrix, _ = worlds[8] if size == 8 else sparse(tmp_path, size)
    ax = draw_graph(matrix)
    assert len(gids(ax, "shaft")) == len(matrix.select("improves", "degrades"))
    legend = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    assert legend == [
        f"{verdict}: {len(matrix.select(verdict))}{'' if verdict in ('improves', 'degrades') else ' (not drawn)'}"
        for verdict in STYLES
    ]
    boxes = [text.get_window_extent() for text in ax.texts if str(text.get_gid()).startswith("label")]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    unwritten = len(gids(ax, "shaft")) - len(boxes)
    assert ("not written" in words_of(ax.figure)) == (unwritten > 0)  # type: ignore[arg-type]
    if size > 12:
        assert [text.get_text() for text in ax.texts if text.get_gid() == "name"] == list(matrix.titles)


def sparse(root: Path, size: int) -> World:
    """Many tasks of which each helps the next and the second next."""
    names = [f"task-{place}" for place in range(size)]
    gains = {(names[place], names[(place + step) % size]): 0.5 for place in range(size) for step in (1, 2)}
    study = make_study(names, seeds=(0, 1))
    store = fill(study, root, latent_counts(gains, n=300))
    return measure(study, store), store


def crossed(order: tuple[int, ...], arrows: list[tuple[int, int]]) -> int:
    """Crossing chords of a circle, pair by pair."""
    at = {node: place for place, node in enumerate(order)}
    chords = [sorted((at[s], at[t])) for s, t in {tuple(sorted(arrow)) for arrow in arrows}]
    return sum(a < c < b < d or c < a < d < b for (a, b), (c, d) in combinations(chords, 2))


def test_crossings_are_counted_as_by_hand_and_reduced() -> None:
    rng = seeded("crossings")
    pairs = [(s, t) for s in range(12) for t in range(12) if s != t]
    for _ in range(5):
        arrows = [pairs[place] for place in rng.choice(len(pairs), 14, replace=False)]
        linked = np.zeros((12, 12))
        for s, t in arrows:
            linked[s, t] = linked[t, s] = 1
        order = tuple(int(place) for place in rng.permutation(12))
        assert crossings(np.array(order), linked) == crossed(order, arrows)
        others = order[1:]
        moved = [(*others[:place], order[0], *others[place:]) for place in range(12)]
        apart = [
            [abs(one.index(s) - one.index(t)) for s, t in {tuple(sorted(pair)) for pair in arrows}] for one in moved
        ]
        expected = [
            crossed(one, arrows) + 0.3 * sum(min(d, 12 - d) for d in far) for one, far in zip(moved, apart, strict=True)
        ]
        assert costs_of_places(np.array(others), order[0], linked) == pytest.approx(expected)
        better = circle_order(12, arrows)
        assert sorted(better) == list(range(12))
        assert better[0] == 0
        assert better == circle_order(12, arrows)
        assert crossed(better, arrows) <= crossed(tuple(range(12)), arrows)


def test_a_shuffled_ring_is_found_again() -> None:
    ring = [0, 5, 2, 7, 1, 6, 3, 4]
    order = circle_order(8, [(ring[place], ring[(place + 1) % 8]) for place in range(8)])
    assert list(order) in (ring, [ring[0], *ring[:0:-1]])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_few_tasks_have_an_order(size: int) -> None:
    assert circle_order(size, []) == tuple(range(size))


def test_clustered_order_puts_similar_tasks_side_by_side_on_both_axes(tmp_path: Path) -> None:
    names = list("abcdef")
    gains = dict.fromkeys(("ac", "ca", "ae", "ea", "ce", "ec"), 0.6)
    study = make_study(names)
    matrix = measure(study, fill(study, tmp_path, latent_counts(gains)))
    order = task_order(matrix, "clustered")
    group = sorted(order.index(names.index(name)) for name in "ace")
    assert group[2] - group[0] == 2
    assert task_order(matrix) == tuple(range(6))
    ax = draw_heatmap(matrix, order="clustered")
    titles = [matrix.titles[place] for place in order]
    assert [label.get_text() for label in ax.get_xticklabels()] == titles
    assert [label.get_text() for label in ax.get_yticklabels()] == titles
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    for row, s in enumerate(order):
        for column, t in enumerate(order):
            if s != t:
                assert cells[column + 0.5, row + 0.5].endswith(STYLES[matrix.verdict[s, t]].mark)
    headings = [text.get_text() for text in draw_forest(matrix, order="clustered").texts]
    assert [words for words in headings if words.startswith("into ")] == [f"into {title}" for title in titles]


@pytest.mark.slow
def test_a_dense_graph_of_twelve_tasks_has_its_labels_apart(tmp_path: Path) -> None:
    matrix, _ = world(tmp_path, 12)
    ax = draw_graph(matrix)
    boxes = [text.get_window_extent() for text in ax.texts if str(text.get_gid()).startswith("label")]
    arrows = len(matrix.select("improves", "degrades"))
    assert arrows > 40
    assert arrows - 3 <= len(boxes) <= arrows
    if len(boxes) < arrows:  # a gain without a free place is counted, not drawn over another
        assert f"drawn. {arrows - len(boxes)} gain" in words_of(ax.figure)  # type: ignore[arg-type]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("size", [4, pytest.param(16, marks=pytest.mark.long)])
def test_small_graphs_have_every_arrow_into_their_target(size: int, worlds: dict[int, World]) -> None:
    matrix, _ = worlds[size]
    axes = small(draw_targets(matrix))
    assert len(axes) == size
    for ax, target in zip(axes, matrix.tasks, strict=True):
        arrows = [f"{source} {target}" for source in matrix.tasks if source != target]
        for word in ("shaft", "head", "label"):
            assert gids(ax, word) == [f"{word} {arrow}" for arrow in arrows]
        for text in ax.texts:
            if str(text.get_gid()).startswith("label"):
                s, t = (matrix.tasks.index(name) for name in str(text.get_gid()).split()[1:])
                words = f"{matrix.gain[s, t]:+z.1f}".replace("-", "−")
                assert text.get_text() == words + "?" * (matrix.verdict[s, t] == "inconclusive")
        found = {str(artist.get_gid()): artist for artist in ax.patches}
        for arrow in arrows:  # the head is at the target, right of the sources
            shaft, head = (found[f"{word} {arrow}"].get_window_extent() for word in ("shaft", "head"))
            assert head.x0 > shaft.x0
            assert head.x1 >= shaft.x1


@pytest.mark.parametrize("size", [8, pytest.param(16, marks=pytest.mark.long)])
def test_forests_have_every_interval_on_one_scale(size: int, worlds: dict[int, World]) -> None:
    matrix, store = worlds[size]
    axes = small(draw_forests(matrix, scores_frame(matrix.study, store)))
    assert len({ax.get_xlim() for ax in axes}) == 1
    bars = {str(line.get_gid()): line for ax in axes for line in ax.lines}
    for s, t in matrix.arrows:
        bar = bars[f"interval {matrix.tasks[s]} {matrix.tasks[t]}"]
        assert bar.get_xdata() == pytest.approx([matrix.low[s, t], matrix.high[s, t]])
        y, number = bar.get_ydata()[0], f"{matrix.gain[s, t]:+z.1f}".replace("-", "−")
        markers = [line for line in bar.axes.lines if line.get_markersize() > 6 and line.get_ydata()[0] == y]
        assert [list(line.get_xdata()) for line in markers] == [[matrix.gain[s, t]]]
        labels = [text for text in bar.axes.texts if text.get_gid() == "label" and text.get_position()[1] == y]
        [words] = [text.get_text().removesuffix(" *") for text in labels]
        assert words == f"{number} {STYLES[matrix.verdict[s, t]].mark}"


@pytest.mark.slow
def test_above_sixteen_tasks_heatmap_and_forest_write_only_significant_gains(tmp_path: Path) -> None:
    matrix, _ = sparse(tmp_path, 17)
    shown = {f"interval {matrix.tasks[s]} {matrix.tasks[t]}" for s, t in matrix.select("improves", "degrades")}
    figure = draw_forests(matrix)
    lines = {str(line.get_gid()) for ax in small(figure) for line in ax.lines}
    assert {gid for gid in lines if gid.startswith("interval")} == shown
    assert f"{len(matrix.select('inconclusive'))} inconclusive" in words_of(figure)
    written = [text.get_text() for text in draw_heatmap(matrix).texts if text.get_text()[0] in "+−"]
    assert len(written) == len(shown)


@pytest.mark.parametrize("design", [{}, {"baseline": "compute-matched"}, {"interim_seeds": (2, 3)}], ids=str)
def test_every_seed_is_a_point_at_its_score(design: dict[str, Any], tmp_path: Path) -> None:
    matrix, store = world(tmp_path, 3, seeds_single=(0, 1, 2, 3, 4), **design)
    assert (np.isin(matrix.decided_at_seeds, 2).any()) == ("interim_seeds" in design)  # and leaves later seeds out
    gains = scores_frame(matrix.study, store)
    test = gains[gains.split == "test"]
    for target, ax in zip(matrix.tasks, small(draw_seeds(matrix, gains)), strict=True):
        shown = {str(line.get_gid()): line.get_xdata() for line in ax.lines if str(line.get_gid()).startswith("seeds")}
        later = {str(line.get_gid()): line.get_xdata() for line in ax.lines if str(line.get_gid()).startswith("later")}
        assert len(shown) == 3
        for source in matrix.tasks:
            arm = "single" if source == target else "pair"
            rows = test[
                (test.target == target) & (test.arm == arm) & (test.source == ("" if arm == "single" else source))
            ]
            key = "seeds single-task" if arm == "single" else f"seeds {source} {target}"
            pale = list(later.get(f"later {source} {target}", ()))
            assert [*shown[key], *pale] == pytest.approx(list(100 * rows.score))
            assert len(rows) == (5 if arm == "single" else 3)
            s, t = matrix.tasks.index(source), matrix.tasks.index(target)
            if arm == "pair":  # the bar of a row is the mean of its points
                assert np.mean(shown[key]) == pytest.approx(matrix.baseline[s, t] + matrix.gain[s, t])
                assert len(shown[key]) == matrix.seeds_pair[s, t]


def test_pale_seeds_are_explained_only_where_there_are_some(tmp_path: Path) -> None:
    matrix, store = world(tmp_path / "done", 3, seeds_single=range(5), interim_seeds=(2, 3))
    assert "Pale: seeds after" in words_of(draw_seeds(matrix, scores_frame(matrix.study, store)))
    study = make_study(["a", "b"], seeds=range(5), interim_seeds=(3, 5))
    store = fill(study, tmp_path / "begun", latent_counts({}, n=100), skip=lambda spec: spec.seed > 1)
    assert "Pale" not in words_of(draw_seeds(measure(study, store), scores_frame(study, store)))


def test_equal_scores_of_many_seeds_are_as_many_points(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=range(8))
    store = fill(study, tmp_path, lambda *_: right(np.ones(10)))
    ax = small(draw_seeds(measure(study, store), scores_frame(study, store)))[0]
    for points in (line for line in ax.lines if str(line.get_gid()).startswith("seeds")):
        heights = np.sort(points.get_ydata())
        assert len(heights) == 8
        assert np.diff(heights).min() > 0.03
        assert np.ptp(heights) < 0.5


def test_where_gains_are_read_after_fine_tuning_so_are_seeds_and_curves(tmp_path: Path) -> None:
    names = ["task-a", "task-b", "task-c"]
    matrix, store = world(tmp_path, 3, evaluate_after="finetune", finetune=dict.fromkeys(names, FINETUNE), full=True)
    gains, curves = scores_frame(matrix.study, store), curves_frame(matrix.study, store)
    tuned = gains[(gains.arm == "finetune") & (gains.split == "test")]
    alone = tuned[(tuned.target == "task-a") & (tuned.source == "")]
    (shown,) = [line for line in small(draw_seeds(matrix, gains))[0].lines if line.get_gid() == "seeds single-task"]
    assert list(shown.get_xdata()) == pytest.approx(list(100 * alone.score))
    assert len(alone) == 3
    last = curves[curves.epoch == 4].merge(tuned, on=["source", "target", "seed"])
    assert len(last) == 3 * 3 * 3  # targets x (single-task + two sources) x seeds
    assert list(last.score_x) == pytest.approx(list(last.score_y))


def test_curves_are_means_of_the_stored_histories(worlds: dict[int, World]) -> None:
    matrix, store = worlds[4]
    curves = curves_frame(matrix.study, store)
    assert len(curves) == 4 * (4 * 3 + 6 * 2 * 3)  # epochs x (single-task runs + runs in pairs, by target)
    for t, ax in enumerate(small(draw_curves(matrix, curves))):
        shown = {str(line.get_gid()): line for line in ax.lines if str(line.get_gid()).startswith("curve")}
        assert len(shown) == 4
        target = matrix.tasks[t]
        for source in matrix.tasks:
            names = {source, target}
            runs = [store.read(spec).history for spec in matrix.study.plan if {*spec.task_names} == names]
            assert len(runs) == 3
            by_hand = np.mean([[100 * row["dev"][target] for row in history] for history in runs], axis=0)
            curve = shown["curve single-task" if source == target else f"curve {source}"]
            assert list(curve.get_ydata()) == pytest.approx(list(by_hand))
        assert len(gids(ax, "label")) == 4  # each source, also an inconclusive one, and single-task training


@pytest.mark.long
def test_of_many_sources_only_those_that_change_the_target_are_named(worlds: dict[int, World]) -> None:
    matrix, store = worlds[16]
    for t, ax in enumerate(small(draw_curves(matrix, curves_frame(matrix.study, store)))):
        named = sum(matrix.verdict[s, t] in ("improves", "degrades") for s in range(16) if s != t)
        assert len(gids(ax, "label")) == named + 1


def test_runs_without_histories_have_a_note(toy: tuple[Study, RunStore]) -> None:
    study, store = toy
    figure = draw_curves(measure(study, store), curves_frame(study, store))
    assert "No run has stored dev scores by epoch" in words_of(figure)


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_palettes_differ_only_in_colour(palette: str) -> None:
    assert set(PALETTES) == set(PALETTE_NAMES)
    styles = PALETTES[palette].verdicts  # type: ignore[index]
    assert list(styles) == list(STYLES)
    for verdict, style in styles.items():
        plain = STYLES[verdict]
        assert (style.line, style.head, style.mark, style.sign) == (plain.line, plain.head, plain.mark, plain.sign)
        assert _contrast_on_white(style.ink) >= 4.5
        if palette == "mono":
            assert len(set(to_rgb(style.color))) == 1


def _contrast_on_white(color: str) -> float:
    parts = np.array(to_rgb(color))
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05))


@pytest.mark.parametrize("name", OF_PAIRS)
def test_one_ink_is_enough_for_mono(name: str, worlds: dict[int, World], tmp_path: Path) -> None:
    save_figure(figure_of(name, worlds[4], "mono"), tmp_path / "mono.png")
    pixels = matplotlib.image.imread(tmp_path / "mono.png")[..., :3]
    assert float((pixels.max(axis=-1) - pixels.min(axis=-1)).max()) < 0.01


@pytest.mark.slow
def test_a_figure_has_the_same_bytes_again_and_says_what_it_shows(toy: tuple[Study, RunStore], tmp_path: Path) -> None:
    figure_options = FigureOptions(OF_PAIRS, ("png", "svg", "pdf"), "colorblind")
    for folder in "12":
        (tmp_path / folder).mkdir()
        publish(*toy, tmp_path / folder, figure_options=figure_options)
    for name in figure_options.files():
        one = (tmp_path / "1" / name).read_bytes()
        assert one == (tmp_path / "2" / name).read_bytes(), name
        if name.endswith("svg"):
            assert b"Training with A improves B" in one
    assert len(figure_options.files()) == 18


def staged(names: str, **options: object) -> Study:
    return make_study(list(names), design="full", finetune=dict.fromkeys(names, FINETUNE), synthetic=True, **options)


@pytest.mark.parametrize("size", [2, 4, pytest.param(16, marks=pytest.mark.long)])
def test_the_slope_chart_has_a_line_into_every_stage_and_its_labels_apart(size: int, tmp_path: Path) -> None:
    study = staged("abcdefghijklmnop"[:size])
    effects = {("b", "a"): 0.6, ("~finetune", "b"): 0.6, ("a", "c"): -0.9}
    scores = stage_scores(study, fill(study, tmp_path, latent_counts(effects, n=300)))
    ax = draw_stages(study, scores)
    lines = {str(line.get_gid()): line for line in ax.lines if str(line.get_gid()).startswith("slope")}
    assert len(lines) == 2 * size
    means = {(score.task, score.stage): score.mean for score in scores}
    for score in scores:
        if score.stage != "single":
            before = means[score.task, STAGES[STAGES.index(score.stage) - 1]]
            assert list(lines[f"slope {score.task} {score.stage}"].get_ydata()) == [before, score.mean]
            up = "improves" if score.low > 0 else "degrades" if score.high < 0 else "inconclusive"
            line = lines[f"slope {score.task} {score.stage}"]
            assert line.get_color() == STYLES[up].color  # type: ignore[index]
            assert list(line.get_xdata()) == [STAGES.index(score.stage) - 1, STAGES.index(score.stage)]
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text).padded(-1) for text in ax.texts if text.get_gid() == "label"]
    assert len(boxes) == 3 * size
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    words = words_of(ax.figure)  # type: ignore[arg-type]
    assert "synthetic text" in words
    assert "test is scored once" in words


def test_points_near_a_label_are_those_of_all_other_curves() -> None:
    rng = np.random.default_rng(3)
    curves = [rng.uniform(-1, 1, (40, 2)) for _ in range(30)]
    places, half = rng.uniform(-1, 1, (20, 2)), np.array([0.2, 0.1])
    others = np.concatenate(curves[1:])
    by_hand = [sum(abs(x - at[0]) < 0.2 and abs(y - at[1]) < 0.1 for x, y in others) for at in places]
    assert CurvePoints.of(curves).count_others(curves[0], places, half).tolist() == by_hand


def test_with_one_seed_the_slope_chart_shows_no_interval(tmp_path: Path) -> None:
    study = staged("ab", seeds=(0,))
    ax = draw_stages(study, stage_scores(study, fill(study, tmp_path, latent_counts({}, n=100))))
    lines = [line for line in ax.lines if str(line.get_gid()).startswith("slope")]
    assert {line.get_color() for line in lines} == {NO_INTERVAL}
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["no interval"]
    marks = {style.mark for style in STYLES.values()}
    assert not any(mark in text.get_text() for mark in marks for text in ax.texts if text.get_gid() == "label")
    words = words_of(ax.figure)  # type: ignore[arg-type]
    assert "without an interval (one seed)" in words
    assert "no interval (one seed)" in words
    assert "lies above 0" not in words


def test_the_slope_chart_and_its_table_tell_of_collapsed_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = staged("abc", seeds=range(4))
    usual = latent_counts({}, n=300)

    def counts_of(target: str, partners: str, seed: int) -> np.ndarray:
        collapsed = (target, partners, seed) == ("a", "~finetune", 2)
        return right(np.arange(300) % 5 == 0) if collapsed else usual(target, partners, seed)

    store = fill(study, tmp_path, counts_of)
    publish_stages(study, store, tmp_path)
    assert "Caution: 1 run collapsed and counts in the means." in " ".join(
        re.findall(r">([^<>]+)</text>", (tmp_path / "stages.svg").read_text())
    )
    print_stages(study, store, "markdown")
    words = "1 run collapsed: A (finetune with B + C, seed 2): 20.0 points, far below its arm"
    assert words in capsys.readouterr().out
    assert words in StagesResults(tmp_path, study).advice[0]


def test_titles_in_a_script_without_a_font_are_one_line_and_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    study = make_study(["a", "b"], titles={"a": "疾病分类", "b": "관계"})
    store = fill(study, tmp_path, latent_counts({}, n=40))
    publish(study, store, tmp_path, figure_options=FigureOptions(("graph", "forest"), ("png", "svg")))
    assert [record.getMessage() for record in caplog.records] == [
        "figures: the font lacks 6 characters of the titles (U+5206, U+75BE, U+75C5, ...), drawn as boxes in PNG and "
        "PDF; SVG and report keep text"
    ]
    caplog.clear()
    write_report(study, store, tmp_path / "report.html")
    assert len(caplog.records) == 1
    assert not [warning for warning in recwarn if "lyph" in str(warning.message)]


@pytest.mark.parametrize("size", [6, 8])
def test_above_six_tasks_the_middle_stage_names_its_lines_too(size: int, tmp_path: Path) -> None:
    study = staged("abcdefgh"[:size])
    ax = draw_stages(study, stage_scores(study, fill(study, tmp_path, latent_counts({}, n=100))))
    middle = [text.get_text() for text in ax.texts if text.get_gid() == "label" and text.xy[0] == 1]
    names = {words.split()[-1] for words in middle}
    assert (names == {card.title for card in study.tasks}) == (size > 6)
    assert len(middle) == size


@pytest.mark.long
def test_a_wide_figure_has_larger_words(worlds: dict[int, World]) -> None:
    sizes = {}
    for size in (4, 16):
        figure = figure_of("targets", worlds[size])
        found = {str(text.get_gid()): text for ax in figure.axes for text in ax.texts}
        sizes[size] = [found[gid].get_fontsize() for gid in ("caption", "stamp")]
        caption = found["caption"].get_window_extent()
        assert caption.width <= figure.bbox.width
    assert sizes[4] == [7.2, 8.5]
    assert sizes[16] == pytest.approx([7.2 * 1.6, 8.5 * 1.6])


def test_long_names_break_at_underscores_rather_than_shrink(tmp_path: Path) -> None:
    names = ["a", "b"]
    study = make_study(names, titles={"a": "a_very_long_task_name_indeed"})
    ax = draw_graph(measure(study, fill(study, tmp_path, latent_counts({}, n=100))))
    node = next(text for text in ax.texts if text.get_gid() == "node")
    assert "".join(node.get_text().split("\n")[:-1]) == "a_very_long_task_name_indeed"
    assert node.get_fontsize() >= 5.5


def test_the_study_in_stages_is_published_with_its_chart(tmp_path: Path) -> None:
    study = staged("abc")
    store = fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.stage == "finetune")
    publish_stages(study, store, tmp_path)
    assert (tmp_path / "stages.png").is_file()
    words = stages_described(study, stage_scores(study, store))
    assert "synthetic text" in words
    assert words.count("fine-tuned not trained") == 3
    assert "nan" not in words
    assert "A: single-task" in words


def test_labels_are_spread_no_further_than_they_must() -> None:
    assert spread([0.1, 0.9, 0.5], 0.1, 0, 1) == pytest.approx([0.1, 0.9, 0.5])
    assert spread([0.5, 0.5], 0.2, 0, 1) == pytest.approx([0.4, 0.6])
    assert spread([1.0, 1.0, 0.0], 0.2, 0, 1) == pytest.approx([0.8, 1.0, 0.0])
    assert len(spread([], 0.2, 0, 1)) == 0


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_figure_without_a_text_is_drawn(kind: str) -> None:
    assert figure_bytes(Figure((1, 1)), kind)


@pytest.mark.parametrize("name", ["graph", "targets", "heatmap", "forest"])
def test_captions_say_what_a_circle_shows_and_have_no_private_words(name: str, worlds: dict[int, World]) -> None:
    words = words_of(figure_of(name, worlds[2]))
    in_circle = "The number in a circle is the mean score of the task's single-task runs."
    assert (in_circle in words) == (name in ("graph", "targets"))
    assert "dev scores choose the epoch, and test is scored once" in words
    assert "variance between seeds pooled over all arrows" in words
    for private in ("honest protocol", "shrunken", "estimand"):
        assert private not in words
