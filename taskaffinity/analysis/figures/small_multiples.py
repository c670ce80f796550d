"""Small multiples: a grid of axes, often one per target, with one title and caption."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from taskaffinity.analysis.figures.layout import FONT, sheet

TOP = 0.34  # inches above each axes, for its title


def small_multiples(
    titles: Sequence[str],
    *,
    width: float,
    height: float,
    left: float,
    right: float = 0.1,
    below: float = 0.3,
    columns: int | None = None,
) -> tuple[Axes, list[Axes]]:
    """Make an empty backdrop and one axes per title, row by row.

    Parameters
    ----------
    titles : sequence of str
    width, height : float
        Inches, of each axes.
    left, right, below : float
        Inches, for the labels around each axes.
    columns : int, optional
        Default: two to four, by the number of titles.
    """
    count = max(len(titles), 1)
    columns = columns or min(count, 2 if count <= 4 else 3 if count <= 9 else 4)
    rows = -(-count // columns)
    across, up = columns * (left + width + right), rows * (TOP + height + below)
    backdrop = sheet(across + 0.4, up + 3.0, (0.2, 2.1, across, up))
    backdrop.set_axis_off()
    figure = backdrop.figure
    made = []
    for place, title in enumerate(titles):
        row, column = divmod(place, columns)
        x = 0.2 + column * (left + width + right) + left
        y = 2.1 + up - (row + 1) * (TOP + height + below) + below
        ax = figure.add_axes((x / (across + 0.4), y / (up + 3.0), width / (across + 0.4), height / (up + 3.0)))
        ax.annotate(
            title,
            (0, 1),
            xytext=(0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            ha="left",
            va="bottom",
            family=FONT,
            gid="facet",
        )
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.tick_params(labelsize=7.5)
        made.append(ax)
    return backdrop, made
