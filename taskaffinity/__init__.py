"""Which of my NLP tasks help each other, which hurt, and how sure are we?

Rooms, from the bottom up: ``tasks`` (what is learned), ``corpora`` (original distributions to task files),
``runs`` (what to train, what was found), then two wings that do not know each other, ``training`` (torch) and
``analysis`` (numpy, pandas, networkx), and on top ``schedule``, ``definition``, ``conduct``, ``tracking`` and ``cli``.
Importing this package loads none of torch, transformers or ray.

What reads suites and results folders can be had from here, each loaded when it is first asked for and all without
torch; what trains is in ``taskaffinity.studies.define`` and ``taskaffinity.studies.run``.

Examples
--------
On a laptop, from a results folder alone (here one of this repository):

>>> from pathlib import Path
>>> from taskaffinity import RunStore, Study, affinity_graph, draw_graph, measure
>>> root = Path("notebooks/example_results")
>>> matrix = measure(Study.load(root), RunStore(root))
>>> graph, ax = affinity_graph(matrix), draw_graph(matrix)
>>> graph.edges["shareclefe", "mednli"]["verdict"]
'improves'
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskaffinity.analysis.affinity import measure
    from taskaffinity.analysis.figures.matrix import draw_graph
    from taskaffinity.analysis.graph import affinity_graph
    from taskaffinity.analysis.publish import publish
    from taskaffinity.runs.store import RunStore
    from taskaffinity.runs.study import Study
    from taskaffinity.tasks.catalog import find_suite
    from taskaffinity.tasks.user.suitefile import read_suite

__all__ = ["RunStore", "Study", "affinity_graph", "draw_graph", "find_suite", "measure", "publish", "read_suite"]
__version__ = version("taskaffinity")

_HOMES = {
    "RunStore": "runs.store",
    "Study": "runs.study",
    "affinity_graph": "analysis.graph",
    "draw_graph": "analysis.figures.matrix",
    "find_suite": "tasks.catalog",
    "measure": "analysis.affinity",
    "publish": "analysis.publish",
    "read_suite": "tasks.user.suitefile",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"taskaffinity.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
