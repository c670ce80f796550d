from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study, seeded
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import PALETTE_NAMES, PaletteName
from taskaffinity.analysis.figures import draw_forest, draw_graph, draw_heatmap, save_figure
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.style import STYLES
from taskaffinity.analysis.tables.frames import scores_frame

TITLES = {
    "a": "ClinicalSTS",
    "b": "ShARe/CLEFE",
    "c": "BC5CDR chemical",
    "d": "i2b2 2010",
    "e": "a_very_long_task_name",
}


def world(root: Path, size: int, *, synthetic: bool = False, **options: object) -> AffinityMatrix:
    names = "abcdefghijkl"[:size]
    study = make_study(list(names), titles=TITLES, synthetic=synthetic)
    rng = seeded("effects", size)
    gains = {(s, t): float(rng.choice([0, 0, 0.4, -0.4])) for s in names for t in names}
    return measure(study, fill(study, root, latent_counts(gains, n=600), **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> AffinityMatrix:
    """Four tasks whose first four arrows are given one verdict each."""
    matrix = world(tmp_path_factory.mktemp("four"), 4, synthetic=True)
    for arrow, verdict in zip(matrix.arrows, STYLES, strict=False):
        matrix.verdict[arrow] = verdict
    return matrix


def by_gid(ax: Axes, word: str) -> dict[str, object]:
    artists = [artist for artist in ax.get_children() if str(artist.get_gid()).startswith(word)]
    return {str(artist.get_gid()).removeprefix(f"{word} "): artist for artist in artists}


def in_words(gain: float) -> str:
    """A gain with its sign, a true minus and one digit."""
    return f"{gain:+z.1f}".replace("-", "−")


def boxes(ax: Axes, word: str) -> list[object]:
    return [artist.get_window_extent() for artist in ax.texts if str(artist.get_gid()).startswith(word)]


def test_every_arrow_has_a_shaft_a_head_and_a_label_with_its_sign(four: AffinityMatrix) -> None:
    ax = draw_graph(four)
    assert len(by_gid(ax, "shaft")) == len(by_gid(ax, "head")) == len(by_gid(ax, "label")) == 12
    labels = {name: text.get_text().rstrip("?") for name, text in by_gid(ax, "label").items()}  # type: ignore[attr-defined]
    assert labels == {f"{four.tasks[s]} {four.tasks[t]}": in_words(four.gain[s, t]) for s, t in four.arrows}
    assert all(text[0] in "+−" for text in labels.values())


def test_an_arrow_points_at_its_target(four: AffinityMatrix) -> None:
    ax = draw_graph(four)
    nodes = ax.transData.transform(ax.collections[0].get_offsets())
    heads = by_gid(ax, "head")
    for s, t in four.arrows:
        box = heads[f"{four.tasks[s]} {four.tasks[t]}"].get_window_extent()  # type: ignore[attr-defined]
        centre = box.get_points().mean(axis=0)
        assert np.linalg.norm(nodes - centre, axis=1).argmin() == t


def test_the_width_of_a_significant_arrow_is_the_size_of_its_gain(four: AffinityMatrix) -> None:
    shafts = by_gid(draw_graph(four), "shaft")
    sizes = {arrow: abs(four.gain[arrow]) for arrow in four.select("improves", "degrades")}
    assert len(sizes) >= 2
    for s, t in four.arrows:
        width = 1.2 + (5.0 - 1.2) * sizes.get((s, t), 0.0) / max(sizes.values())
        assert shafts[f"{four.tasks[s]} {four.tasks[t]}"].get_linewidth() == pytest.approx(width)  # type: ignore[attr-defined]


def test_a_circle_has_the_name_and_the_single_task_score(four: AffinityMatrix) -> None:
    words = ["".join(text.get_text().split()) for text in draw_graph(four).texts if text.get_gid() == "node"]
    scores = zip(four.titles, four.single_mean, strict=True)
    assert words == [f"{title}{mean:.1f}".replace(" ", "") for title, mean in scores]


def test_lines_and_signs_tell_the_verdicts_apart_without_colour(four: AffinityMatrix) -> None:
    ax = draw_graph(four)
    shafts, labels = by_gid(ax, "shaft"), by_gid(ax, "label")
    lines = {}
    for s, t in four.arrows:
        name = f"{four.tasks[s]} {four.tasks[t]}"
        lines.setdefault(four.verdict[s, t], set()).add(str(shafts[name].get_linestyle()))  # type: ignore[attr-defined]
        assert ("?" in labels[name].get_text()) == (four.verdict[s, t] == "inconclusive")  # type: ignore[attr-defined]
    assert set(lines) == set(STYLES)
    assert all(len(kinds) == 1 for kinds in lines.values())
    assert len(set.union(*lines.values())) == 4
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["improves", "degrades", "no effect", "inconclusive (?)"]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6])
def test_labels_lie_apart_and_names_stay_in_their_circles(tmp_path: Path, size: int) -> None:
    ax = draw_graph(world(tmp_path, size))
    labels = boxes(ax, "label")
    assert len(labels) == size * (size - 1)
    assert not any(one.overlaps(other) for one, other in combinations(labels, 2))  # type: ignore[attr-defined]
    diameter = (60 if size <= 4 else 51) * ax.figure.dpi / 72
    for node in boxes(ax, "node"):
        assert np.hypot(node.width, node.height) <= diameter  # type: ignore[attr-defined]


def test_the_first_task_stands_top_left_and_the_others_follow_clockwise(four: AffinityMatrix) -> None:
    places = np.sign(draw_graph(four).collections[0].get_offsets())
    assert places.tolist() == [[-1, 1], [1, 1], [1, -1], [-1, -1]]


def test_above_six_tasks_only_significant_arrows_are_drawn_and_the_caption_says_so(tmp_path: Path) -> None:
    matrix = world(tmp_path, 7)
    ax = draw_graph(matrix)
    assert len(by_gid(ax, "shaft")) == len(matrix.select("improves", "degrades")) < 42
    caption = by_gid(ax, "caption")["caption"].get_text()  # type: ignore[attr-defined]
    assert "Only arrows that improve or degrade are drawn" in " ".join(caption.split())


@pytest.mark.parametrize("draw", [draw_graph, draw_heatmap, draw_forest])
def test_a_synthetic_study_is_stamped_and_the_caption_is_complete(draw: object, four: AffinityMatrix) -> None:
    ax = draw(four)  # type: ignore[operator]
    assert "synthetic text" in by_gid(ax, "stamp")["stamp"].get_text()  # type: ignore[attr-defined]
    caption = " ".join(by_gid(ax, "caption")["caption"].get_text().split())  # type: ignore[attr-defined]
    for words in (
        "accuracy",
        "3 seeds",
        "95%",
        "encoder tiny",
        "the change of t's score after training with s",
        "synthetic",
    ):
        assert words in caption


@pytest.mark.parametrize("draw", [draw_graph, draw_heatmap, draw_forest])
def test_drawing_uses_the_axes_given_and_writes_nothing(
    draw: object, four: AffinityMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figure = Figure(figsize=(7, 7))
    ax = figure.add_subplot()
    assert draw(four, ax=ax) is ax  # type: ignore[operator]
    assert not by_gid(draw_graph(world(tmp_path / "w", 2)), "stamp")
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_heatmap_cells_show_gain_and_mark_with_the_source_as_row(four: AffinityMatrix) -> None:
    ax = draw_heatmap(four)
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    for s, t in four.arrows:
        assert cells[t + 0.5, s + 0.5] == f"{in_words(four.gain[s, t])}\n{STYLES[four.verdict[s, t]].mark}"
    mesh = ax.collections[0]
    np.testing.assert_allclose(np.ma.filled(mesh.get_array(), np.nan).reshape(4, 4), four.gain)
    colours = mesh.to_rgba(np.array([9.0, -9.0]))[:, None, :3]  # type: ignore[attr-defined]
    verdicts = np.array([to_rgb(STYLES[name].color) for name in ("improves", "degrades")])
    assert np.abs(colours - verdicts).sum(axis=-1).argmin(axis=1).tolist() == [0, 1]
    assert "source" in ax.get_ylabel()
    assert "target" in ax.get_xlabel()
    assert len({style.mark for style in STYLES.values()}) == 4


@pytest.mark.parametrize("palette", PALETTE_NAMES)
def test_an_inconclusive_cell_is_paler_than_a_decided_one_of_any_size(palette: PaletteName, tmp_path: Path) -> None:
    four = world(tmp_path, 4)
    cells = [*np.ndindex(four.gain.shape)]
    s, t = max((cell for cell in cells if cell in four.arrows), key=lambda cell: abs(four.gain[cell]))
    four.verdict[s, t] = "inconclusive"
    ax = draw_heatmap(four, palette=palette)
    (drawn,) = (one for one in ax.collections if one.get_gid() == "inconclusive")
    corners = [path.vertices.min(axis=0).astype(int) for path in drawn.get_paths()]
    pale = {(row, column): color for (column, row), color in zip(corners, drawn.get_facecolor(), strict=True)}
    open_cells = set(four.select("inconclusive"))
    assert (s, t) in open_cells
    assert set(pale) == open_cells
    assert {(p.get_y(), p.get_x()) for p in ax.patches if isinstance(p, Rectangle)} == {(n, n) for n in range(4)}
    ground = pale[s, t]
    assert min(ground[:3]) > 0.65  # although its gain is the largest of all
    assert {text.get_color() for text in ax.texts if text.get_position() == (t + 0.5, s + 0.5)} == {".15"}
    caption = " ".join(by_gid(ax, "caption")["caption"].get_text().split())  # type: ignore[attr-defined]
    assert "Inconclusive cells are pale" in caption


@pytest.mark.parametrize("draw", [draw_graph, draw_heatmap, draw_forest])
@pytest.mark.parametrize("size", [1, 3])
def test_studies_without_runs_or_arrows_are_drawn(draw: object, size: int, tmp_path: Path) -> None:
    ax = draw(world(tmp_path, size, skip=lambda spec: True))  # type: ignore[operator]
    save_figure(ax.figure, tmp_path / "empty.png")
    words = " ".join(text.get_text() for text in ax.texts)
    assert "nan" not in words.lower()


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_saved_pictures_have_the_same_bytes_and_say_what_they_show(
    kind: str, four: AffinityMatrix, tmp_path: Path
) -> None:
    for name in "12":
        save_figure(draw_graph(four).figure, tmp_path / f"{name}.{kind}", alt="which tasks help")  # type: ignore[arg-type]
    one, two = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "12")
    assert one == two
    if kind == "svg":
        assert b"which tasks help" in one
        assert b">ClinicalSTS<" in one  # text stays text
    with pytest.raises(ValueError, match=r"found the suffix '\.bmp'"):
        save_figure(Figure(), tmp_path / "x.bmp")


def test_the_forest_shows_every_seed_of_the_study(tmp_path: Path) -> None:
    study, more = make_study(["a", "b"]), make_study(["a", "b"], seeds=range(5))
    store = fill(more, tmp_path, latent_counts({}))
    matrix = measure(study, store)
    ax = draw_forest(matrix, scores_frame(more, store))
    dots = [line for line in ax.lines if len(line.get_xdata()) == 3]
    bands = [band.get_paths()[0].get_extents().intervalx.tolist() for band in ax.collections]
    assert bands == [[-1.0, 1.0]] * 2  # the margin of each target
    assert sorted(np.mean(line.get_xdata()) for line in dots) == pytest.approx(
        sorted(matrix.gain[~np.isnan(matrix.gain)])
    )
