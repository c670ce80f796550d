"""The affinity graph: a node a task, an edge an arrow, flat attributes that every graph tool reads."""

from __future__ import annotations

import io
import math
from pathlib import Path

import networkx as nx

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption, encoder_name
from taskaffinity.analysis.tables.frames import edges_frame
from taskaffinity.runs.files import write_atomic


def affinity_graph(matrix: AffinityMatrix) -> nx.DiGraph[str]:
    """Every arrow as a directed edge "source helps target" with the columns of ``edges_frame``.

    Values are str, int, float or bool; what is not known is left out (GraphML has no empty number). Gains and scores
    are in points. An arrow that was never measured is an edge too: "inconclusive", with its reason.

    Examples
    --------
    In a checkout of this repository:

    >>> from pathlib import Path
    >>> from taskaffinity import RunStore, Study, measure
    >>> root = Path("notebooks/example_results")
    >>> graph = affinity_graph(measure(Study.load(root), RunStore(root)))
    >>> sorted((s, t) for s, t, edge in graph.edges(data=True) if edge["verdict"] == "degrades")
    [('clinicalsts', 'i2b2-2010-re'), ('clinicalsts', 'mednli')]
    """
    graph: nx.DiGraph[str] = nx.DiGraph(
        suite=matrix.study.suite,
        encoder=encoder_name(matrix),
        protocol=matrix.study.protocol,
        seeds=",".join(map(str, matrix.study.seeds)),
        synthetic=matrix.study.synthetic,
        alpha=matrix.rule.alpha,
        estimand=matrix.rule.estimand,
        baseline=matrix.study.baseline,
        caption=caption(matrix),
    )
    for place, name in enumerate(matrix.tasks):
        score = float(matrix.single_mean[place])
        known = {} if math.isnan(score) else {"score": score}
        graph.add_node(name, title=matrix.titles[place], metric=matrix.metrics[place], **known)
    for row in edges_frame(matrix).to_dict("records"):
        source, target = row.pop("source"), row.pop("target")
        graph.add_edge(source, target, **{str(name): value for name, value in row.items() if _known(value)})
    return graph


def write_graphml(graph: nx.DiGraph[str], path: Path) -> None:
    """The same bytes for the same graph; networkx's own writer, whether or not lxml is installed."""
    content = io.BytesIO()
    nx.write_graphml_xml(graph, content)
    write_atomic(path, content.getvalue())


def _known(value: object) -> bool:
    return value != "" and not (isinstance(value, float) and math.isnan(value))
