"""The group arrows of a study as a table of its page."""

from __future__ import annotations

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.group_arrows import group_arrows_frame, measure_group_arrows
from taskaffinity.analysis.report.cells import Sheet, sheet_of
from taskaffinity.runs.store import RunStore

_COLUMNS = (
    *("sources", "target", "given", "verdict", "gain", "low", "high", "q"),
    *("pair_sum", "pair_mean", "seeds_with", "seeds_without"),
)


def group_arrows_sheet(matrix: AffinityMatrix, store: RunStore) -> Sheet | None:
    """Return the table of the group arrows; None if the study has none."""
    if not matrix.study.groups:
        return None
    frame = group_arrows_frame(measure_group_arrows(matrix.study, store, matrix.rule))
    words = "What tasks add in groups, in points: measured, and predicted by pairs"
    return sheet_of(frame, _COLUMNS, "groups", words, matrix.study.tasks)
