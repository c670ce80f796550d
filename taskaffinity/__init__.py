"""Which of my NLP tasks help each other, which hurt, and how sure are we?

``pairwise`` trains every task and every pair, measures each directed gain, and writes tables and figures. ``estimate``
probes gains at a tenth of the cost, ``group`` chooses which tasks to train together, ``full`` trains the whole set in
stages, ``train`` trains it together once, ``tune`` searches a recipe, ``compare`` compares two studies, ``verdicts``
tests runs that were trained elsewhere, and ``load`` reads a results folder. Each does what the command of its name
does.
Importing this package loads none of torch, transformers or ray, and neither does ``load``.

Subpackages, from the bottom up: ``errors``, ``tasks`` (what is learned), ``corpora`` (original distributions to task
files), ``runs`` (what to train, and the results) and ``grouping``; then ``training`` (torch) and ``analysis`` (numpy,
pandas, networkx), which never import each other; on top ``schedule``, ``tuning``, ``tracking``, ``studies``, ``cli``.

Examples
--------
On a laptop, from a results folder (here one of this repository):

>>> import taskaffinity as ta
>>> result = ta.load("notebooks/example_results")
>>> result.verdict.loc["shareclefe", "mednli"]
'improves'
>>> result.to_networkx().edges["shareclefe", "mednli"]["verdict"]
'improves'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskaffinity.analysis.estimates.results import EstimateResults
    from taskaffinity.analysis.figures.graph import draw_graph
    from taskaffinity.analysis.graph import affinity_graph
    from taskaffinity.analysis.joint_results import EncoderResults, StagesResults, TrainResults
    from taskaffinity.analysis.measure import measure
    from taskaffinity.analysis.publish import publish
    from taskaffinity.analysis.results import PairwiseResults
    from taskaffinity.errors import InputError
    from taskaffinity.runs.store import RunStore
    from taskaffinity.runs.study import Study
    from taskaffinity.studies.api import full, pairwise, tune
    from taskaffinity.studies.compare import ComparisonResults, compare
    from taskaffinity.studies.estimates.api import estimate
    from taskaffinity.studies.group import group
    from taskaffinity.studies.load import load
    from taskaffinity.studies.retrain import retrain
    from taskaffinity.studies.search_helpers import search_helpers
    from taskaffinity.studies.train import train
    from taskaffinity.studies.verdicts import verdicts
    from taskaffinity.tasks.catalog import load_suite
    from taskaffinity.tasks.suite import Suite
    from taskaffinity.tuning.search import SearchResult

__all__ = [
    "ComparisonResults",
    "EncoderResults",
    "EstimateResults",
    "InputError",
    "PairwiseResults",
    "RunStore",
    "SearchResult",
    "StagesResults",
    "Study",
    "Suite",
    "TrainResults",
    "affinity_graph",
    "compare",
    "draw_graph",
    "estimate",
    "full",
    "group",
    "load",
    "load_suite",
    "measure",
    "pairwise",
    "publish",
    "retrain",
    "search_helpers",
    "train",
    "tune",
    "verdicts",
]

_HOMES = {
    "ComparisonResults": "studies.compare",
    "EncoderResults": "analysis.joint_results",
    "EstimateResults": "analysis.estimates.results",
    "InputError": "errors",
    "PairwiseResults": "analysis.results",
    "RunStore": "runs.store",
    "SearchResult": "tuning.search",
    "StagesResults": "analysis.joint_results",
    "Study": "runs.study",
    "Suite": "tasks.suite",
    "TrainResults": "analysis.joint_results",
    "affinity_graph": "analysis.graph",
    "compare": "studies.compare",
    "draw_graph": "analysis.figures.graph",
    "estimate": "studies.estimates.api",
    "full": "studies.api",
    "group": "studies.group",
    "load": "studies.load",
    "load_suite": "tasks.catalog",
    "measure": "analysis.measure",
    "pairwise": "studies.api",
    "publish": "analysis.publish",
    "retrain": "studies.retrain",
    "search_helpers": "studies.search_helpers",
    "train": "studies.train",
    "tune": "studies.api",
    "verdicts": "studies.verdicts",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes a twentieth of a second

        return version("taskaffinity")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"taskaffinity.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
