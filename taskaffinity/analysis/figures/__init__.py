"""Figures: each function returns Axes or a Figure; only ``save_figure`` writes a file."""

from taskaffinity.analysis.figures.curves import draw_curves
from taskaffinity.analysis.figures.forest import draw_forest, draw_forests
from taskaffinity.analysis.figures.graph import draw_graph
from taskaffinity.analysis.figures.heatmap import draw_heatmap
from taskaffinity.analysis.figures.layout import save_figure
from taskaffinity.analysis.figures.seeds import draw_seeds
from taskaffinity.analysis.figures.slopes import draw_stages
from taskaffinity.analysis.figures.targets import draw_targets

__all__ = [
    "draw_curves",
    "draw_forest",
    "draw_forests",
    "draw_graph",
    "draw_heatmap",
    "draw_seeds",
    "draw_stages",
    "draw_targets",
    "save_figure",
]
