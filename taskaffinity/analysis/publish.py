"""Write the tables, graph and figures of a study into its results folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
from pydantic import ConfigDict

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import describe
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.estimates.of_matrix import with_estimates
from taskaffinity.analysis.figure_options import DEFAULT, FigureOptions
from taskaffinity.analysis.figure_options import FILES as FIGURES
from taskaffinity.analysis.figures.gallery import (
    OF_TEST_SETS,
    remove_figures_of_other_test_sets,
    save_figures,
    save_group_figure,
    save_stage_figures,
    save_test_set_figures,
)
from taskaffinity.analysis.graph import affinity_graph, write_graphml
from taskaffinity.analysis.group_arrows import group_arrows_frame, measure_group_arrows
from taskaffinity.analysis.groups.chosen import ChosenGroups
from taskaffinity.analysis.groups.helper_search import HelperSearch
from taskaffinity.analysis.groups.retrained import Retrained, retrained_frame, retrained_tasks
from taskaffinity.analysis.measure import measure, measure_further
from taskaffinity.analysis.outdated import content_of, made_anew, mark_gains, mark_retrained
from taskaffinity.analysis.paper.encoders import EncoderScores, encoders_frame
from taskaffinity.analysis.paper.stages import stage_scores, stages_frame
from taskaffinity.analysis.secondary_metrics import secondary_metrics_by_stage, secondary_metrics_frame
from taskaffinity.analysis.tables.frames import controls_frame, edges_frame, frame_of_test_sets, scores_frame, write_csv
from taskaffinity.analysis.tables.group_arrows import describe_group_arrows
from taskaffinity.analysis.tables.groups import groups_frame
from taskaffinity.analysis.tables.helper_search import helper_search_frame
from taskaffinity.analysis.tables.predictions import describe_all_together
from taskaffinity.analysis.tables.trained import train_frame
from taskaffinity.atomic import exclusive, write_atomic
from taskaffinity.errors import InputError
from taskaffinity.garbage_collection import rare_collection
from taskaffinity.output_file import writing_results
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.csv_files import read_csv_rows
from taskaffinity.runs.stored.json_files import Finite, Words
from taskaffinity.runs.study import FILES, Study, has_study

TABLES = (
    *("scores.csv", "edges.csv", "test_sets.csv", "other_metrics.csv", "controls.csv", "group_arrows.csv"),
    *("affinity.graphml", "affinity.txt"),
)
"""Files that ``publish`` writes, or removes if there is nothing to write, beside the figures."""


@dataclass(frozen=True)
class _Edge:
    """What is read back of a row of ``edges.csv``."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore")

    source: Words
    target: Words
    gain: Finite | None


def check_has_runs(study: Study, store: RunStore, root: Path) -> None:
    """Check that the study has runs if ``root`` has verdicts.

    Without runs, these verdicts would be lost.

    Raises
    ------
    InputError
        If no run of the study is in the store, and ``edges.csv`` has gains or is damaged: the runs were deleted or not
        copied, or another study has replaced the published one.
    """
    if not (root / "edges.csv").exists() or any(spec in store or store.failure(spec) for spec in study.plan):
        return
    if any(row.gain is not None for row in read_csv_rows(root / "edges.csv", _Edge, "move it away")):
        raise InputError(
            f"{root}: edges.csv has gains, but no run of the study in {FILES[study.design]} is in this folder; "
            "nothing is changed: train the study, or move edges.csv away"
        )


def _check_is_current(study: Study, root: Path) -> None:
    """Raise if the folder now belongs to another study."""
    if has_study(root, study.design) and Study.load(root, study.design) != study:
        raise InputError(
            f"{root}: {FILES[study.design]} now belongs to another study, so the tables of this one are not written; "
            "its runs are stored: run its command again to write the tables"
        )


@rare_collection()
def publish(
    study: Study,
    store: RunStore,
    root: str | Path,
    rule: Rule | None = None,
    *,
    figure_options: FigureOptions = DEFAULT,
) -> AffinityMatrix:
    """Measure the study and write its tables, graph and figures into ``root``.

    The files depend on the study, the counts of its runs and ``estimates.csv``: not on the order in which runs finish,
    nor on time. Figures show estimates of pairs that were not measured; the tables do not have them.
    They are ``scores.csv``, ``edges.csv``, ``affinity.{graphml,txt}`` and the figures; ``controls.csv`` if the study
    has controls, ``group_arrows.csv`` if it has group arrows, ``test_sets.csv`` and figures such as
    ``heatmap@NAME.png`` if tasks have further test sets, ``other_metrics.csv`` if runs stored counts for secondary
    metrics.

    Raises
    ------
    InputError
        As ``check_has_runs``, or if ``root`` now belongs to another study.

    Examples
    --------
    In a checkout of this repository, into a new folder:

    >>> from tempfile import mkdtemp
    >>> from taskaffinity import Study
    >>> from taskaffinity.analysis.figure_options import FigureOptions
    >>> root, out = Path("notebooks/example_results"), Path(mkdtemp())
    >>> matrix = publish(Study.load(root), RunStore(root), out, figure_options=FigureOptions(("heatmap",), ("svg",)))
    >>> sorted(path.name for path in out.glob("[a-z]*"))
    ['affinity.graphml', 'affinity.txt', 'edges.csv', 'heatmap.svg', 'other_metrics.csv', 'scores.csv']
    """
    root = Path(root)
    _check_is_current(study, root)
    check_has_runs(study, store, root)
    matrix = with_estimates(measure(study, store, rule), store.root)
    further = measure_further(study, store, matrix.rule)
    described = describe(matrix)
    words = described + "".join(f"{line}\n" for line in describe_advice(matrix) if line not in described)  # not twice
    words += "".join(f"\n{describe(one)}" for one in further)
    words += "".join(f"{line}\n" for line in describe_all_together(matrix, store))
    groups = pd.DataFrame()
    if study.groups:
        found = measure_group_arrows(study, store, matrix.rule)
        groups, words = group_arrows_frame(found), words + "".join(f"{line}\n" for line in describe_group_arrows(found))
    with _writing(root):
        _check_is_current(study, root)
        collapsed = [run for one in (matrix, *further) for run in one.collapsed_runs]
        scores, edges = scores_frame(study, store, collapsed), edges_frame(matrix)
        before = content_of(root / "edges.csv")
        write_csv(scores, root / "scores.csv")
        (root / "gains.csv").unlink(missing_ok=True)  # the older name of scores.csv
        write_csv(edges, root / "edges.csv")
        _write_or_remove(frame_of_test_sets(further), root / "test_sets.csv")
        _write_or_remove(secondary_metrics_frame(study, store, matrix.rule), root / "other_metrics.csv")
        _write_or_remove(controls_frame(matrix), root / "controls.csv")
        _write_or_remove(groups, root / "group_arrows.csv")
        write_graphml(affinity_graph(matrix, edges), root / "affinity.graphml")
        write_atomic(root / "affinity.txt", words.encode())
        save_figures(matrix, store, root, figure_options, scores, described)
        remove_figures_of_other_test_sets(study, root)
        for one in further:
            save_test_set_figures(one, store, root, figure_options, scores)
        mark_gains(root, before, [*TABLES, *_figures(study, figure_options)])
    return matrix


def _figures(study: Study, figure_options: FigureOptions) -> list[str]:
    """Return the names of the figures that ``publish`` draws."""
    of_tests = [
        f"{FIGURES[name]}@{test_set}.{kind}"
        for name in figure_options.figures
        if name in OF_TEST_SETS
        for test_set in study.test_sets
        for kind in figure_options.formats
    ]
    return [*figure_options.files(), *of_tests]


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Hold the lock of a results folder; say in one line if it cannot be written."""
    with writing_results(root), exclusive(root):
        yield


def publish_stages(study: Study, store: RunStore, root: Path) -> None:
    """Write the tables and the figure of a study in stages into ``root``.

    ``stages.csv`` has one row per task and stage, ``stages_other_metrics.csv`` the same by secondary metrics if runs
    store any, ``stages_scores.csv`` one row per score. ``stages.{png,svg}`` is the slope chart.

    Raises
    ------
    InputError
        If ``root`` now belongs to another study.
    """
    _check_is_current(study, root)
    stages = stages_frame(study, stage_scores(study, store))
    others = stages_frame(study, secondary_metrics_by_stage(study, store))
    with _writing(root):
        _check_is_current(study, root)
        write_csv(stages, root / "stages.csv")
        for old in ("full.csv", "full_scores.csv", "full_other_metrics.csv"):  # the older names
            (root / old).unlink(missing_ok=True)
        _write_or_remove(others, root / "stages_other_metrics.csv")
        write_csv(scores_frame(study, store), root / "stages_scores.csv")
        save_stage_figures(study, store, root, DEFAULT)
        tables = ("stages.csv", "stages_other_metrics.csv", "stages_scores.csv")
        made_anew(root, [*tables, *(f"stages.{kind}" for kind in DEFAULT.formats)])


def publish_train(study: Study, store: RunStore, root: Path) -> None:
    """Write ``train.csv``, one row per task and stage, and ``train_scores.csv``, one per score, into ``root``.

    Raises
    ------
    InputError
        If ``root`` now belongs to another study.
    """
    _check_is_current(study, root)
    trained = train_frame(study, store)
    with _writing(root):
        _check_is_current(study, root)
        write_csv(trained, root / "train.csv")
        write_csv(scores_frame(study, store), root / "train_scores.csv")
        made_anew(root, ["train.csv", "train_scores.csv"])


def publish_groups(chosen: ChosenGroups, root: Path) -> None:
    """Write ``groups.csv`` and its figure into ``root``; mark a ``retrained.csv`` of other groups.

    Raises
    ------
    InputError
        If ``root`` now belongs to another study.
    """
    with _writing(root):
        _check_is_current(chosen.matrix.study, root)
        write_csv(groups_frame(chosen), root / "groups.csv")
        save_group_figure(chosen, root)
        made_anew(root, ["groups.csv", *(f"groups.{kind}" for kind in DEFAULT.formats)])
        mark_retrained(root, retrained_tasks(chosen))


def publish_retrained(chosen: ChosenGroups, found: tuple[Retrained, ...], root: Path) -> None:
    """Write ``retrained.csv`` into ``root``, if it still belongs to the study: predicted and realised gains."""
    with _writing(root):
        _check_is_current(chosen.matrix.study, root)
        write_csv(retrained_frame(chosen, found), root / "retrained.csv")
        made_anew(root, ["retrained.csv"])


def publish_helper_search(found: HelperSearch, root: Path) -> None:
    """Write ``helpers.csv`` into ``root``, if it still belongs to the study: the candidates of every step."""
    with _writing(root):
        _check_is_current(found.matrix.study, root)
        write_csv(helper_search_frame(found), root / "helpers.csv")
        made_anew(root, ["helpers.csv"])


def publish_encoders(encoders: Sequence[EncoderScores], root: Path) -> None:
    """Write ``encoders.csv``: the stages of every encoder, and its gains over the first."""
    write_csv(encoders_frame(encoders), root / "encoders.csv")


def _write_or_remove(frame: pd.DataFrame, path: Path) -> None:
    """Write the frame, or remove the file if the frame is empty."""
    if len(frame):
        write_csv(frame, path)
    else:
        path.unlink(missing_ok=True)
