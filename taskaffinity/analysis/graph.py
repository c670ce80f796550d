"""Build the affinity graph: one node per task, one edge per arrow, with flat attributes.

Every graph tool can read them.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import networkx as nx
import pandas as pd

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.tables.frames import edges_frame
from taskaffinity.analysis.training_conditions import encoder_name
from taskaffinity.atomic import write_atomic


def affinity_graph(matrix: AffinityMatrix, edges: pd.DataFrame | None = None) -> nx.DiGraph[str]:
    """Return the graph: an edge per arrow, with the columns of ``edges_frame``.

    Values are str, int, float or bool. Unknown values are omitted, because GraphML has no empty number. Gains and
    scores are in points. An unmeasured arrow is an edge too, with an
    ``untested_reason``: "inconclusive", or "not measured" if it was deferred.

    Parameters
    ----------
    edges : DataFrame, optional
        ``edges_frame`` of the matrix. Default: it is made here.

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
        protocol="unknown" if matrix.study.is_external else matrix.study.protocol,
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
    for row in (edges_frame(matrix) if edges is None else edges).to_dict("records"):
        source, target = row.pop("source"), row.pop("target")
        graph.add_edge(source, target, **{str(name): value for name, value in row.items() if _known(value)})
    return graph


def write_graphml(graph: nx.DiGraph[str], path: Path) -> None:
    """Write the graph; the same bytes for the same graph, with or without lxml."""
    content = io.BytesIO()
    nx.write_graphml_xml(graph, content)
    write_atomic(path, content.getvalue())


def _known(value: object) -> bool:
    return value != "" and not (isinstance(value, float) and math.isnan(value))
