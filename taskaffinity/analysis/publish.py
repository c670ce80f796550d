"""Write what a study found into its results folder; ``pairwise``, ``graph`` and ``full`` end here."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from taskaffinity.analysis.affinity import AffinityMatrix, measure
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.figure_options import DEFAULT, FigureOptions
from taskaffinity.analysis.figures.gallery import save_figures, save_stage_figures
from taskaffinity.analysis.graph import affinity_graph, write_graphml
from taskaffinity.analysis.paper.encoders import EncoderScores, encoders_frame
from taskaffinity.analysis.paper.stages import stage_scores, stages_frame
from taskaffinity.analysis.secondary_metrics import secondary_metrics_by_stage, secondary_metrics_frame
from taskaffinity.analysis.tables.frames import controls_frame, edges_frame, scores_frame, write_csv
from taskaffinity.errors import InputError
from taskaffinity.runs.files import write_atomic
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FILES, Study


def check_has_runs(study: Study, store: RunStore, root: Path) -> None:
    """Refuse to read a study of which nothing was run where ``root`` has the verdicts of one: they would be lost.

    Raises
    ------
    InputError
        If it is so: runs were deleted or left behind, or another study took the place of the one that was published.
    """
    try:
        lines = (root / "edges.csv").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    has_gains = any(row.get("gain") for row in csv.DictReader(lines))
    if has_gains and not any(spec in store or store.failure(spec) for spec in study.plan):
        raise InputError(
            f"{root}: no run of the study of {FILES[study.design]} is here, and edges.csv has the gains of one; "
            "it is left as it is: train the study, or move edges.csv away"
        )


def _refuse_anothers(study: Study, root: Path) -> None:
    """Refuse to write what a study found over what another one asked for since."""
    if (root / FILES[study.design]).is_file() and Study.load(root, study.design) != study:
        raise InputError(
            f"{root}: {FILES[study.design]} is of another study by now, so this one's tables are not written; its "
            "runs stay, and its command, given again, writes them, or says what stands in the way"
        )


def publish(
    study: Study,
    store: RunStore,
    root: str | Path,
    rule: Rule | None = None,
    *,
    pictures: FigureOptions = DEFAULT,
) -> AffinityMatrix:
    """Measure the study and write its tables, graph and pictures into ``root``.

    The files depend on the runs' counts and the study alone: not on the order in which runs finished, not on time.
    They are ``scores.csv``, ``edges.csv``, ``affinity.{graphml,txt}`` and the pictures; ``controls.csv`` if the study
    has controls, ``other_metrics.csv`` if runs stored counts for secondary metrics.

    Raises
    ------
    InputError
        As ``check_has_runs``; or where another study took this one's place in ``root``, maybe while it was trained.

    Examples
    --------
    In a checkout of this repository, into another folder than the one that is read:

    >>> from tempfile import mkdtemp
    >>> from taskaffinity import Study
    >>> from taskaffinity.analysis.figure_options import Pictures
    >>> root, out = Path("notebooks/example_results"), Path(mkdtemp())
    >>> matrix = publish(Study.load(root), RunStore(root), out, pictures=Pictures(("heatmap",), ("svg",)))
    >>> sorted(path.name for path in out.glob("*.*"))
    ['affinity.graphml', 'affinity.txt', 'edges.csv', 'scores.csv', 'heatmap.svg', 'other_metrics.csv']
    """
    root = Path(root)
    _refuse_anothers(study, root)
    check_has_runs(study, store, root)
    matrix = measure(study, store, rule)
    words = describe(matrix)
    write_csv(scores_frame(study, store), root / "scores.csv")
    (root / "gains.csv").unlink(missing_ok=True)  # what an older version called scores.csv would go stale
    write_csv(edges_frame(matrix), root / "edges.csv")
    _write_or_remove(secondary_metrics_frame(study, store, matrix.rule), root / "other_metrics.csv")
    _write_or_remove(controls_frame(matrix), root / "controls.csv")
    write_graphml(affinity_graph(matrix), root / "affinity.graphml")
    write_atomic(root / "affinity.txt", words.encode())
    save_figures(matrix, store, root, pictures)
    return matrix


def publish_stages(study: Study, store: RunStore, root: Path) -> None:
    """Write what a study in stages found.

    ``stages.csv`` is a row a task and stage, ``stages_other_metrics.csv`` the same by further metrics, where there are
    any, ``stages_scores.csv`` a row a score, and ``stages.{png,svg}`` the slope chart.

    Raises
    ------
    InputError
        Where another study took this one's place in ``root``, maybe while it was trained.
    """
    _refuse_anothers(study, root)
    write_csv(stages_frame(study, stage_scores(study, store)), root / "stages.csv")
    for old in ("full.csv", "full_scores.csv", "full_other_metrics.csv"):  # names of an older version
        (root / old).unlink(missing_ok=True)
    _write_or_remove(stages_frame(study, secondary_metrics_by_stage(study, store)), root / "stages_other_metrics.csv")
    write_csv(scores_frame(study, store), root / "stages_scores.csv")
    save_stage_figures(study, store, root, DEFAULT)


def publish_encoders(found: Sequence[EncoderScores], root: Path) -> None:
    """Write ``encoders.csv``: every encoder's stages, and its gains over the first."""
    write_csv(encoders_frame(found), root / "encoders.csv")


def _write_or_remove(frame: pd.DataFrame, path: Path) -> None:
    """An empty table is no file, nor is that of another study before."""
    if len(frame):
        write_csv(frame, path)
    else:
        path.unlink(missing_ok=True)
