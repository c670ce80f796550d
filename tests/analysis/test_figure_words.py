"""Words in figures: titles as they are, and names that stay different when they are cut."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_studies import arrows, fill, latent_counts, make_study, write_estimates
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.figure_options import FILES, FigureOptions
from taskaffinity.analysis.figures import draw_forest, draw_forests, draw_graph
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.results import PairwiseResults
from taskaffinity.analysis.style import short, shortened
from taskaffinity.analysis.tables.frames import scores_frame

OF_PAIRS = tuple(name for name in FILES if name != "stages")
DOLLARS = {"a": r"cost $\frac$ of", "b": "from $5 to $6"}


@pytest.mark.parametrize("name", OF_PAIRS)
def test_a_dollar_is_a_dollar_also_in_a_figure_that_a_session_draws_and_saves(name: str, tmp_path: Path) -> None:
    study = make_study(["a", "b"], titles=DOLLARS)
    fill(study, tmp_path, latent_counts({}, n=100), epochs=2)
    study.write(tmp_path)
    figure = PairwiseResults.load(tmp_path).plot(name).get_figure(root=True)
    FigureCanvasAgg(figure).draw()
    dollars = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert dollars
    assert not any(text.get_parse_math() for text in dollars)


@pytest.mark.parametrize("most", [4, 9, 16, 28])
@pytest.mark.parametrize(
    "common",
    ["Biomedical relation extraction, annotator {}", "{} Relation extraction", "약물 관계 추출 {} 과제와 표지"],
)
def test_cut_titles_stay_different_and_short(common: str, most: int) -> None:
    titles = [common.format(letter) for letter in "ABCDEFG"] + ["plain"]
    names = shortened(titles, most)
    assert len({*names.values()}) == len(titles)
    assert max(map(len, names.values())) <= most
    assert names["plain"] == short("plain", most)  # alone, it is cut as ever


@pytest.mark.parametrize("name", OF_PAIRS)
def test_tasks_whose_titles_begin_alike_can_be_told_apart_in_every_figure(name: str, tmp_path: Path) -> None:
    titles = {letter: f"Biomedical relation extraction from abstracts, annotator {letter}" for letter in "abc"}
    study = make_study([*titles], titles=titles)
    store = fill(study, tmp_path, latent_counts({}, n=100), epochs=2)
    figure = draw_figure(name, measure(study, store), store, FigureOptions()).get_figure(root=True)
    texts = [text for text in figure.findobj(Text) if text.get_gid() != "caption"]
    cut = {re.sub(r"[\d.\s]+$", "", text.get_text()) for text in texts if "Biom" in text.get_text()}
    for letter in "abc":
        assert any(name.endswith(letter) for name in cut)


def test_the_legend_and_the_caption_do_not_call_a_drawn_estimate_not_drawn(tmp_path: Path) -> None:
    """Seven tasks, one measured pair; of 40 estimates 20 have a sign."""
    names = [f"t{number}" for number in range(7)]
    study = make_study(names)
    store = fill(
        study, tmp_path, latent_counts({}), skip=lambda spec: len(spec.tasks) == 2 and spec.task_names != ("t0", "t1")
    )
    of_pairs = [arrow for arrow in arrows(names) if {*arrow} != {"t0", "t1"}]
    probes = {arrow: {"probe": 9.0 if place % 2 else 0.0} for place, arrow in enumerate(of_pairs)}
    write_estimates(tmp_path, probes, study)
    matrix = with_estimates(measure(study, store), tmp_path)
    legend = draw_graph(matrix).get_legend()
    words = [text.get_text() for text in legend.get_texts()]
    assert len(matrix.select("inconclusive")) == 42
    assert "inconclusive: 42 (22 not drawn)" in words
    assert any("20 with a sign" in word for word in words)


def test_the_forest_of_many_tasks_counts_what_it_leaves_out(tmp_path: Path) -> None:
    names = [f"t{number:02d}" for number in range(17)]
    study = make_study(names, seeds=(0, 1))
    store = fill(study, tmp_path, latent_counts({}, n=50), skip=lambda spec: len(spec.tasks) == 2)
    write_estimates(tmp_path, {arrow: {"probe": 9.0} for arrow in arrows(names)[:30]}, study)
    figure = draw_forests(with_estimates(measure(study, store), tmp_path))
    caption = next(text for text in figure.findobj(Text) if text.get_gid() == "caption")
    assert f"not drawn: 0 no effect, {17 * 16 - 30} inconclusive" in " ".join(caption.get_text().split())


def test_the_seeds_of_a_forest_are_less_the_baseline_that_the_caption_names(tmp_path: Path) -> None:
    study = make_study(["a", "b"], baseline="compute-matched")
    store = fill(study, tmp_path, latent_counts({}))
    ax = draw_forest(measure(study, store), scores_frame(study, store))
    caption = next(text for text in ax.figure.findobj(Text) if text.get_gid() == "caption")
    assert "pair minus its compute-matched mean" in " ".join(caption.get_text().split())
