"""Write what a study found into its results folder; ``pairwise``, ``graph`` and ``full`` end here."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from matplotlib.figure import Figure

from taskaffinity.analysis.affinity import AffinityMatrix, measure
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.figures import draw_graph, draw_heatmap, save_figure
from taskaffinity.analysis.graph import affinity_graph, write_graphml
from taskaffinity.analysis.stages import full_frame, stage_scores
from taskaffinity.analysis.tables import controls_frame, edges_frame, gains_frame, write_csv
from taskaffinity.analysis.verdicts import Rule
from taskaffinity.runs.files import write_whole
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


def publish(study: Study, store: RunStore, root: Path, rule: Rule | None = None) -> AffinityMatrix:
    """Measure the study and write its tables, graph and pictures into ``root``.

    The files depend on the runs' counts and the study alone: not on the order in which runs finished, not on time.
    They are ``gains.csv``, ``edges.csv``, ``affinity.{png,svg,graphml,txt}``, ``heatmap.png``, and ``controls.csv``
    where there are controls.
    """
    matrix = measure(study, store, rule)
    words = describe(matrix)
    write_csv(gains_frame(study, store), root / "gains.csv")
    write_csv(edges_frame(matrix), root / "edges.csv")
    if matrix.controls:
        write_csv(controls_frame(matrix), root / "controls.csv")
    write_graphml(affinity_graph(matrix), root / "affinity.graphml")
    write_whole(root / "affinity.txt", words.encode())
    graph = cast(Figure, draw_graph(matrix).get_figure(root=True))
    for kind in ("png", "svg"):
        save_figure(graph, root / f"affinity.{kind}", alt=words)
    save_figure(cast(Figure, draw_heatmap(matrix).get_figure(root=True)), root / "heatmap.png", alt=words)
    return matrix


def publish_stages(study: Study, store: RunStore, root: Path) -> None:
    """Write ``full.csv`` (a row a task and stage) and ``full_scores.csv`` (a row a score) of a study in stages."""
    write_csv(full_frame(study, stage_scores(study, store)), root / "full.csv")
    write_csv(gains_frame(study, store), root / "full_scores.csv")
