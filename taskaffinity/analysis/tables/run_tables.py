"""The runs of a study as the tables that ``taskaffinity verdicts`` reads."""

from __future__ import annotations

import pandas as pd

from taskaffinity.errors import InputError
from taskaffinity.runs.external.predictions import COLUMNS as OF_EXAMPLES
from taskaffinity.runs.external.scores import COLUMNS as SCORES
from taskaffinity.runs.external.scores import STATED
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.tasks.splits import Split, split_of

PREDICTIONS = (*OF_EXAMPLES, "document")
_TEST_SET = "test_set"


def run_tables(study: Study, store: RunStore) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and the predictions of the runs that gains are made of; rows are sorted by target.

    A target of which a run stores no predictions has scores only. Documents are numbers. If tasks have several test
    sets, the column ``test_set`` is empty for the split ``test``. The tables lack notes on the
    training and the data, and the label of a negative class.

    Raises
    ------
    InputError
        If the baseline is not ``single``, the design is sequential, or a file of the store is broken.
    """
    if study.baseline != "single" or study.interim_seeds:
        design = "sequential" if study.interim_seeds else study.baseline
        raise InputError(f"to_tables: found the design {design}; expected fixed seeds and the baseline single")
    scores: dict[str, list[tuple[object, ...]]] = {card.name: [] for card in study.tasks}
    predictions: dict[str, list[pd.DataFrame]] = {card.name: [] for card in study.tasks}
    stated = (study.evaluate_after, study.init_from, study.synthetic)
    without_texts = {card.name for card in study.tasks if card.kind == "spans"}  # only the places of answers are stored
    for spec in study.plan:
        trained = spec.trained_as
        is_read = (spec.stage == "finetune") == (study.evaluate_after == "finetune")
        run = store.get(spec) if is_read and trained.arm in ("single", "pair") else None
        if run is None:
            continue
        table = store.predictions(spec)
        for target, outcome in run.outcomes.items():
            source = "".join(name for name in trained.task_names if name != target)
            frame = None if table is None or target in without_texts else table.to_pandas()
            for test_set, score in {"": outcome.test, **outcome.test_sets}.items():
                scores[target].append((target, source, spec.seed, score, *stated, test_set))
                if frame is not None:
                    rows = _predictions(frame, run, target, split_of(test_set))
                    rows = rows.assign(target=target, source=source, seed=spec.seed, test_set=test_set)
                    predictions[target].append(rows)
    further = [_TEST_SET] * bool(study.test_sets)
    whole = [of for target, of in predictions.items() if len(of) == len(scores[target])]
    examples = [rows[[*PREDICTIONS, *further]] for of_target in whole for rows in of_target]
    of_runs = pd.DataFrame([row for of in scores.values() for row in of], columns=[*SCORES, *STATED, _TEST_SET])
    return (
        of_runs[[*SCORES, *STATED, *further]],
        pd.concat(examples, ignore_index=True) if examples else pd.DataFrame(columns=[*PREDICTIONS, *further]),
    )


def _predictions(table: pd.DataFrame, run: RunResult, target: str, split: Split) -> pd.DataFrame:
    """Return id, gold, predicted and document of the target's examples of a split."""
    rows = table[(table["task"] == target) & (table["split"] == split)][["id", "gold", "predicted"]]
    documents = run.documents.get(f"{target}/{split}")
    return rows.assign(document="" if documents is None else documents.astype(str))
