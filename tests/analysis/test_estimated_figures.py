"""Estimates in figures: hollow, in no verdict's colour, named in legend and caption, where nothing is measured only."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, write_estimates
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, describe
from taskaffinity.analysis.estimates.of_matrix import estimated_arrows, with_estimates
from taskaffinity.analysis.figure_options import PALETTE_NAMES, FigureOptions, PaletteName
from taskaffinity.analysis.figures import draw_forest, draw_forests, draw_graph, draw_heatmap, draw_targets
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.publish import publish
from taskaffinity.analysis.style import ESTIMATES, PALETTES, STYLES
from taskaffinity.analysis.tables.frames import edges_frame

POSITIVE: dict[str, object] = {"probe": 3.0}
NEGATIVE: dict[str, object] = {"probe": -2.5}
UNCLEAR: dict[str, object] = {"probe": 0.4}
MINUS = "−"


def world(root: Path, names: str, measured: tuple[str, str] = ("a", "b")) -> AffinityMatrix:
    """One measured pair; an estimate of every arrow, also of the measured ones."""
    study = make_study(list(names))
    counts = latent_counts({("a", "b"): 0.6})
    store = fill(study, root, counts, skip=lambda spec: len(spec.task_names) > 1 and spec.task_names != measured)
    kinds = [POSITIVE, NEGATIVE, UNCLEAR]
    every = [(s, t) for s in names for t in names if s != t]
    write_estimates(root, {arrow: kinds[place % 3] for place, arrow in enumerate(every)}, study)
    return with_estimates(measure(study, store), root)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> AffinityMatrix:
    return world(tmp_path_factory.mktemp("four"), "abcd")


def artists(ax: Axes, word: str) -> dict[str, Any]:
    found = [artist for artist in ax.get_children() if str(artist.get_gid()).startswith(word)]
    return {str(artist.get_gid()).removeprefix(f"{word} "): artist for artist in found}


def caption_of(drawn: Axes | Figure) -> str:
    axes = drawn.axes if isinstance(drawn, Figure) else [drawn]
    (words,) = (text.get_text() for ax in axes for text in ax.texts if text.get_gid() == "caption")
    return " ".join(words.split())


def name_of(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    return f"{matrix.tasks[arrow[0]]} {matrix.tasks[arrow[1]]}"


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_no_verdict_has_the_colour_the_line_shape_or_the_mark_of_an_estimate(palette: PaletteName) -> None:
    colours = PALETTES[palette]
    assert set(colours.estimates) == {"positive", "negative", "unclear"}
    for style in colours.estimates.values():
        assert style.is_hollow
        for verdict in colours.verdicts.values():
            assert not verdict.is_hollow
            assert not {style.color, style.ink} & {verdict.color, verdict.ink}
            apart = np.abs(np.subtract(to_rgb(style.color), to_rgb(verdict.color))).max()
            assert apart > 0.05
            assert style.mark != verdict.mark
    assert len({style.mark for style in colours.estimates.values()}) == 3
    assert len({str(style.line) for style in colours.estimates.values()}) == 3


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_the_graph_draws_estimates_hollow_and_measured_arrows_as_before(
    palette: PaletteName, four: AffinityMatrix
) -> None:
    ax, colours = draw_graph(four, palette=palette), PALETTES[palette]
    shafts, heads, labels = (artists(ax, word) for word in ("shaft", "head", "label"))
    estimated = estimated_arrows(four)
    assert len(estimated) == 10
    widths = set()
    for arrow in four.arrows:
        name = name_of(four, arrow)
        words = labels[name].get_text()
        if arrow in estimated:
            assert to_rgb(shafts[name].get_edgecolor()) == to_rgb(heads[name].get_facecolor()) == to_rgb("white")
            assert to_rgb(heads[name].get_edgecolor()) == to_rgb(colours.estimate[0])
            assert shafts[name].get_path_effects()
            assert words[0] == "≈"
            assert words.endswith("?") == (four.estimates.sign[arrow] == "unclear")  # type: ignore[union-attr]
            widths.add(shafts[name].get_linewidth())
        else:
            style = colours.verdicts[four.verdict[arrow]]
            assert to_rgb(shafts[name].get_edgecolor()) == to_rgb(style.color)
            assert not shafts[name].get_path_effects()
            assert "≈" not in words
    assert len(widths) == 1  # the width of a gain is its size, which an estimate has not
    boxes = [text.get_window_extent() for text in labels.values()]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_texts()[-1].get_text() == "estimate (≈), no verdict"
    assert "10 estimates from short probes, for pairs that were not measured" in caption_of(ax)


def test_above_six_tasks_the_graph_draws_estimates_with_a_sign_and_counts_them(tmp_path: Path) -> None:
    matrix = world(tmp_path, "abcdefg")
    ax = draw_graph(matrix)
    signed = [a for a in estimated_arrows(matrix) if matrix.estimates.sign[a] != "unclear"]  # type: ignore[union-attr]
    drawn = {*signed, *matrix.select("improves", "degrades")}
    assert set(artists(ax, "shaft")) == {name_of(matrix, arrow) for arrow in drawn}
    legend = ax.get_legend()
    assert legend is not None
    words = f"estimate (≈), no verdict: {len(signed)} with a sign (others not drawn)"
    assert legend.get_texts()[-1].get_text() == words
    assert "Only arrows that improve or degrade, and estimates with a sign, are drawn." in caption_of(ax)


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_the_heat_map_outlines_cells_of_estimates_and_gives_them_no_colour(
    palette: PaletteName, four: AffinityMatrix
) -> None:
    ax = draw_heatmap(four, palette=palette)
    (drawn,) = (one for one in ax.collections if one.get_gid() == "estimated")
    corners = [tuple(np.floor(path.vertices.min(axis=0)).astype(int)) for path in drawn.get_paths()]
    assert {(row, column) for column, row in corners} == set(estimated_arrows(four))
    assert {to_rgb(color) for color in drawn.get_facecolor()} == {to_rgb("white")}
    cells = {text.get_position(): text for text in ax.texts}
    for s, t in estimated_arrows(four):
        text, sign = cells[t + 0.5, s + 0.5], str(four.estimates.sign[s, t])  # type: ignore[union-attr]
        assert text.get_text().startswith("≈")
        assert text.get_text().endswith(ESTIMATES[sign][1])
        assert text.get_color() == PALETTES[palette].estimate[1]
        assert text.get_fontweight() == "normal"
    a, b = four.tasks.index("a"), four.tasks.index("b")
    assert cells[b + 0.5, a + 0.5].get_text().endswith(STYLES[four.verdict[a, b]].mark)
    assert "it is no verdict (△ positive, ▽ negative, ◇ unclear)" in caption_of(ax)


def test_the_forest_has_a_hollow_marker_and_a_bar_that_does_not_widen_it(four: AffinityMatrix) -> None:
    ax = draw_forest(four)
    bars = artists(ax, "estimate")
    assert set(bars) == {name_of(four, arrow) for arrow in estimated_arrows(four)}
    ink = PALETTES["paper"].estimate[0]
    markers = [line for line in ax.lines if line.get_markeredgecolor() == ink]
    assert sorted(float(line.get_xdata()[0]) for line in markers) == sorted([3.0] * 2 + [-2.5] * 4 + [0.4] * 4)
    assert {line.get_markerfacecolor() for line in markers} == {"white"}
    for arrow in estimated_arrows(four):
        [ends] = bars[name_of(four, arrow)].get_segments()
        low, high = four.estimates.low[arrow], four.estimates.high[arrow]  # type: ignore[union-attr]
        assert ends[:, 0].tolist() == [low, high]
    measured = [matrix_value for name in ("low", "high") for matrix_value in getattr(four, name)[[0, 1], [1, 0]]]
    assert ax.get_xlim()[1] < max(*measured, 3.0) + 3 < 28
    assert "cut at the edge of the figure" in caption_of(ax)
    labels = [text.get_text() for text in ax.texts if text.get_gid() == "label"]
    assert labels.count(f"≈{MINUS}2.5 ▽") == 4


def test_small_graphs_and_columns_draw_them_too(tmp_path: Path) -> None:
    matrix = world(tmp_path, "abcdefg")
    targets = draw_targets(matrix)
    words = [text.get_text() for ax in targets.axes for text in ax.texts]
    assert "no run" not in words
    assert sum(word.startswith("≈") for word in words) == len(estimated_arrows(matrix)) == 40
    assert "Hollow" in caption_of(targets)
    assert "Hollow" in caption_of(draw_forests(matrix))


def test_figures_of_a_study_without_estimates_do_not_speak_of_them(four: AffinityMatrix, tmp_path: Path) -> None:
    matrix = measure(four.study, fill(four.study, tmp_path, latent_counts({})))
    with_file = with_estimates(matrix, tmp_path)
    assert with_file is matrix
    for draw in (draw_graph, draw_heatmap, draw_forest, draw_targets):
        assert "stimate" not in caption_of(draw(matrix))
    write_estimates(tmp_path, {("a", "b"): POSITIVE}, four.study)
    both = with_estimates(matrix, tmp_path)  # everything is measured
    assert estimated_arrows(both) == ()
    for draw in (draw_graph, draw_heatmap, draw_forest, draw_targets):
        drawn = draw(both)
        axes = drawn.axes if isinstance(drawn, Figure) else [drawn]
        assert not any(word in text.get_text() for ax in axes for text in ax.texts for word in ("stimate", "≈"))


def test_tables_and_verdicts_have_no_estimate_and_the_words_name_them(four: AffinityMatrix) -> None:
    words = describe(four)
    assert "Not measured, estimated as positive, 2 arrows: " in words
    assert f"A → D (≈{MINUS}2.5)" in words or f"A → C (≈{MINUS}2.5)" in words
    assert "it is no verdict" in words
    assert "improves D" not in words
    frame = edges_frame(four)
    unmeasured = frame[frame.gain.isna()]
    assert len(unmeasured) == 10
    assert set(unmeasured.verdict) == {"inconclusive"}
    assert "estimate" not in caption(four)


def test_what_is_published_shows_the_estimates_of_the_folder(tmp_path: Path) -> None:
    matrix = world(tmp_path, "abc")
    store = fill(matrix.study, tmp_path, latent_counts({}), skip=lambda spec: len(spec.task_names) > 1)
    matrix.study.write(tmp_path)
    publish(matrix.study, store, tmp_path, figure_options=FigureOptions(("graph",), ("svg",)))
    lines = re.findall(r">([^<>]+)<", (tmp_path / "affinity.svg").read_text())
    assert "estimates from short probes" in " ".join(" ".join(lines).split())
    assert "Not measured, estimated as" in (tmp_path / "affinity.txt").read_text()
    assert "≈" not in (tmp_path / "edges.csv").read_text()
