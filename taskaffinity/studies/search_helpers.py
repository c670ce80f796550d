"""Search the helpers of one task on trained sets, as ``taskaffinity group RESULTS --for TASK --retrain SEEDS``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taskaffinity.errors import InputError, as_user_error
from taskaffinity.python_names import python_function
from taskaffinity.runs.limits import MOST_HELPERS, MOST_SEEDS
from taskaffinity.schedule.resources import Executor
from taskaffinity.studies.listener import Listener, LogListener
from taskaffinity.tasks.suite import Suite

DEFAULT_HELPERS = 3

if TYPE_CHECKING:
    import pandas as pd

    from taskaffinity.analysis.groups.helper_search import HelperRuns, HelperSearch
    from taskaffinity.analysis.groups.results import HelperResults
    from taskaffinity.grouping.gains import FloatArray
    from taskaffinity.grouping.helper_race import Helpers, ScoresOf
    from taskaffinity.studies.further_runs import FurtherRuns


@dataclass(frozen=True)
class SearchedHelpers:
    """Helpers of one task, chosen from trained sets."""

    result: HelperResults
    search: HelperSearch
    failed: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names of the runs that failed in this call -> reason."""

    @property
    def chosen(self) -> list[str]:
        """Names of the chosen helpers, in the order of choice."""
        return [self.result.matrix.tasks[place] for place in self.search.chosen]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per candidate and step, with the columns of ``helpers.csv``."""
        from taskaffinity.analysis.tables.helper_search import helper_search_frame

        return helper_search_frame(self.search)


@python_function
def search_helpers(
    result: HelperResults,
    *,
    seeds: int = 3,
    helpers: int = DEFAULT_HELPERS,
    suite: str | Path | Suite | None = None,
    data: str | Path | None = None,
    encoder: str | Path | None = None,
    executor: Executor = "ray",
    listener: Listener | None = None,
) -> SearchedHelpers:
    """Search the helpers of a task by forward selection on trained sets; write ``helpers.csv``.

    Each step trains the current set with one more task, for every task. Sets that are clearly below the best one on dev
    stop early (``grouping.helper_race``). The chosen set and single-task training are then trained with fresh seeds,
    and their test scores give its gain. All runs are stored in the results folder, so the same call again trains
    nothing, and an interrupted search resumes.

    Parameters
    ----------
    result : HelperResults
        From ``group`` with ``for_task``. Its ``risk`` is that of each decision.
    seeds : int
        Largest number of seeds of a set, and the number of fresh seeds; at least 2.
    helpers : int
        Largest number of helpers.
    suite, data, encoder : optional
        As in ``retrain``.

    Raises
    ------
    InputError
        As ``retrain``; also if ``helpers`` is out of range, or if a run of the current set fails, with which all others
        are compared.
    """
    from taskaffinity.analysis.groups.helper_search import HelperRuns, HelperSearch, final_gain
    from taskaffinity.analysis.publish import publish_helper_search
    from taskaffinity.analysis.tables.helper_search import describe_step
    from taskaffinity.grouping.helper_race import RaceRule, select_by_racing
    from taskaffinity.studies.further_runs import FurtherRuns, check_count

    check_count("retrain", seeds, 2, MOST_SEEDS)
    check_count("helpers", helpers, 1, MOST_HELPERS)
    matrix, receiver = result.matrix, listener or LogListener()
    runs, rule = HelperRuns(matrix.study, result.target, seeds), RaceRule(seeds, result.risk)
    further = FurtherRuns(matrix.study, result.root, receiver, suite, data, encoder, executor)
    scores_of, races = _scores_of(runs, further), []
    for race in select_by_racing(runs.sources, rule, scores_of, most=helpers, first=runs.first):
        races.append(race)
        receiver.notice(describe_step(len(races), race, matrix.titles))
    chosen = HelperSearch(matrix, runs, rule, tuple(races), None).chosen
    if chosen:
        further.train(runs.final_plan(chosen))
    further.ended()
    with as_user_error():
        found = HelperSearch(matrix, runs, rule, tuple(races), final_gain(matrix, runs, chosen, further.store))
        publish_helper_search(found, result.root)
    return SearchedHelpers(result, found, further.failed)


def _scores_of(runs: HelperRuns, further: FurtherRuns) -> ScoresOf:
    """Return the function that trains what sets lack, and reads their dev scores."""

    def scores_of(sets: Sequence[Helpers], n_seeds: int) -> FloatArray:
        further.train(runs.plan(sets, n_seeds))
        for spec in runs.plan(sets[:1], n_seeds):
            if spec in further.total.failed:
                further.ended()
                raise InputError(
                    f"retrain: {spec.run_id} failed, and the other sets are compared with it; "
                    "the same command tries it again"
                )
        with as_user_error():
            return runs.dev_scores(further.store, sets, n_seeds)

    return scores_of
