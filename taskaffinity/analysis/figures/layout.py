"""Page, title, caption, stamp and legend of every figure, and how figures are saved.

Figures are made without pyplot: they need no display and change no global state.
"""

from __future__ import annotations

import io
import math
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import SYNTHETIC, caption
from taskaffinity.analysis.figures.arrows import outline
from taskaffinity.analysis.statistics.verdicts import Verdict
from taskaffinity.analysis.style import ABOUT, PALETTES, Palette
from taskaffinity.analysis.training_conditions import baseline_words
from taskaffinity.atomic import write_atomic

DPI = 160
_MOST_PIXELS = 16e6
KINDS = ("svg", "png", "pdf")
FONT = "DejaVu Sans"
"""Font that comes with matplotlib: figures are the same everywhere, and it has all marks."""
SIGNIFICANT: tuple[Verdict, ...] = ("improves", "degrades")
PLAIN_TEXT = matplotlib.rc_context({"text.parse_math": False})
"""Decorates every function that draws: a dollar sign in a title starts no formula."""
WIDE, LARGEST = 9.0, 1.6
"""Width in inches above which the text around a figure grows, because a page shrinks it; and the largest factor."""


def title_of(matrix: AffinityMatrix, words: str = "") -> str:
    """Return the title of a figure of gains: what they are measured over, and further words."""
    return f"Gain over {baseline_words(matrix.study)}{words} (points)"


def enlarged(points: float, most: float = LARGEST) -> float:
    """Return the factor by which text around a figure of this width, in points, is enlarged."""
    return min(max(points / (72 * WIDE), 1.0), most)


def _dpi(width: float, height: float) -> float:
    """Return the pixels an inch at which a figure takes little memory while its text is measured; sizes in inches."""
    return min(DPI, math.sqrt(_MOST_PIXELS / (width * height)))


def sheet(width: float, height: float, rectangle: tuple[float, float, float, float]) -> Axes:
    """Make axes on a new figure.

    Sizes and the rectangle (left, bottom, width, height) are in inches.
    """
    figure = Figure(figsize=(width, height), dpi=_dpi(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    left, bottom, across, up = rectangle
    return figure.add_axes((left / width, bottom / height, across / width, up / height))


def frame(
    ax: Axes,
    matrix: AffinityMatrix,
    title: str,
    *,
    below: float,
    left: float = 0.0,
    across: float | None = None,
    note: str = "",
    palette: Palette = PALETTES["paper"],
) -> None:
    """Add title, caption and stamp for a study of pairs; ``note`` follows the caption."""
    words = " ".join(filter(None, (caption(matrix), note)))
    title += f", test set {matrix.test_set}" * bool(matrix.test_set)
    surround(ax, title, words, matrix.study.synthetic, below=below, left=left, across=across, palette=palette)


def surround(
    ax: Axes,
    title: str,
    words: str,
    is_synthetic: bool,
    *,
    below: float,
    left: float = 0.0,
    across: float | None = None,
    palette: Palette = PALETTES["paper"],
) -> None:
    """Add a title above the axes, a caption below, and a stamp if the study is synthetic.

    Parameters
    ----------
    below, left : float
        Points, position of the caption from the lower left corner of the axes.
    across : float, optional
        Points, width of the caption. Default: the width of the axes.
    """
    width = across or 72 * ax.bbox.width / ax.figure.dpi - left
    scale = enlarged(width)
    ax.annotate(
        title,
        (0, 1),
        xytext=(left, 8),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=11.5 * scale,
        ha="left",
        va="bottom",
        annotation_clip=False,
        family=FONT,
    )
    size = 7.2 * scale
    ax.annotate(
        textwrap.fill(words, int(width / (0.535 * size))),
        (0, 0),
        xytext=(left, -below),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=size,
        color="#444444",
        linespacing=1.35,
        ha="left",
        va="top",
        annotation_clip=False,
        family=FONT,
        gid="caption",
    )
    if is_synthetic:
        ink, ground = palette.stamp
        ax.annotate(
            f"{SYNTHETIC}: not real data",
            (0, 1),
            xytext=(left + 4, 8 + 26 * scale),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8.5 * scale,
            fontweight="bold",
            color=ink,
            ha="left",
            va="bottom",
            annotation_clip=False,
            family=FONT,
            gid="stamp",
            bbox={"boxstyle": "round,pad=0.3", "facecolor": ground, "edgecolor": ink, "linewidth": 1.2},
        )


def verdict_legend(ax: Axes, palette: Palette, *, has_estimates: bool = False) -> None:
    """Write a legend with the line of each verdict below the axes.

    The legend includes estimates if there are any.
    """
    looks = palette.verdicts
    handles = [
        Line2D([], [], color=style.color, linestyle=style.line, linewidth=2.4 if verdict in SIGNIFICANT else 1.6)
        for verdict, style in looks.items()
    ]
    labels = [f"{verdict} (?)" if verdict == "inconclusive" else verdict for verdict in looks]
    if has_estimates:
        handles.append(estimate_handle(palette))
        labels.append(f"estimate ({ABOUT}), no verdict")
    line_legend(ax, handles, labels, columns=3 if has_estimates else 4)


def estimate_handle(palette: Palette) -> Line2D:
    """Return the hollow line of an estimate, for a legend."""
    color, _ = palette.estimate
    return Line2D([], [], color="white", linewidth=2.4, path_effects=[outline(2.4, color)])


def line_legend(ax: Axes, handles: list[Line2D], labels: list[str], columns: int = 4) -> None:
    """Write a legend of lines below the axes."""
    scale = enlarged(72 * ax.bbox.width / ax.figure.dpi, most=1.3)
    ax.legend(
        handles,
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=columns,
        frameon=False,
        handlelength=4.4,
        columnspacing=1.4,
        handletextpad=0.6,
        prop={"family": FONT, "size": 8.5 * scale},
    )


def save_figure(figure: Figure, path: Path, *, alt: str = "") -> None:
    """Write a PNG, SVG or PDF file atomically; parameters and bytes as in ``figure_bytes``.

    Raises
    ------
    ValueError
        If the suffix of ``path`` is another one.
    """
    kind = path.suffix.lstrip(".")
    if kind not in KINDS:
        raise ValueError(f"{path}: found the suffix {path.suffix!r}; expected one of {', '.join(KINDS)}")
    write_atomic(path, figure_bytes(figure, kind, alt=alt))


def figure_bytes(figure: Figure, kind: str, *, alt: str = "") -> bytes:
    """A figure in the format ``kind``, one of ``KINDS``.

    Equal figures give equal bytes. Text in SVG and PDF files can be selected.

    Parameters
    ----------
    alt : str
        Description that the file stores; its first line is the title.
    """
    title = alt.partition("\n")[0]
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None} | ({"Title": title, "Description": alt} if alt else {}),
        "png": {"Software": None} | ({"Description": alt} if alt else {}),
        "pdf": {"CreationDate": None, "ModDate": None} | ({"Title": title, "Subject": alt} if alt else {}),
    }
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "taskaffinity", "svg.fonttype": "none", "pdf.fonttype": 42}):
        dpi = DPI if kind == "png" else _dpi(*figure.get_size_inches())  # of the few parts that are no vectors
        figure.savefig(content, format=kind, dpi=dpi, bbox_inches="tight", pad_inches=0.15, metadata=metadata[kind])
    return content.getvalue()
