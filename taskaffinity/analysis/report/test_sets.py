"""The section on further test sets: the arrows on each, and their forest plot."""

from __future__ import annotations

from typing import Any

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.figure_options import DEFAULT
from taskaffinity.analysis.figures.fonts import one_line_for_missing_glyphs
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.measure import measure_further
from taskaffinity.analysis.report.cells import ARROW_COLUMNS, sheet_of
from taskaffinity.analysis.report.image import image, take_words
from taskaffinity.analysis.report.sentences import describe_counts
from taskaffinity.analysis.tables.frames import edges_frame
from taskaffinity.analysis.training_conditions import baseline_words, columns_of
from taskaffinity.runs.store import RunStore


def further_test_sets(matrix: AffinityMatrix, store: RunStore) -> list[dict[str, Any]]:
    """Return what the page shows of every further test set of a study."""
    return [_shown(one, store) for one in measure_further(matrix.study, store, matrix.rule)]


@one_line_for_missing_glyphs()
def _shown(matrix: AffinityMatrix, store: RunStore) -> dict[str, Any]:
    name, study = matrix.test_set, matrix.study
    drawn = draw_figure("forest", matrix, store, DEFAULT)
    words = take_words(drawn).removeprefix(caption(matrix)).strip()
    picture = image(drawn, alt=f"Gains of {study.suite} on test set {name}. The numbers are in the table.")
    over = f"{baseline_words(study)}, in points{columns_of(study)}"
    title = f"Arrows on test set {name}: gain of pair training over {over}"
    return {
        "name": name,
        "counts": describe_counts(matrix),
        "arrows": sheet_of(edges_frame(matrix), ARROW_COLUMNS, f"test-set-{name}", title, study.tasks),
        "image": picture,
        "caption": words,
    }
