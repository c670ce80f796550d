"""Four clinical tasks whose corpora need no agreement, in the shapes of the paper's clinical suite.

Similarity, tagging, relations and inference, as there; but the texts are pairs of terms, eligibility criteria of trials
and questions, not notes of patients, so its arrows say nothing about the paper's.
"""

from __future__ import annotations

from taskaffinity.tasks.registry import ListedTask

LCT_CLASSES = (
    "Caused-By",
    "Treatment-For",
    "Found-By",
    "Using",
    "Example-Of",
    "Equivalent-To",
    "Abbrev-Of",
    "Before",
    "After",
    "During",
)

OPEN_CLINICAL_TASKS: dict[str, ListedTask] = {
    task.name: task
    for task in (
        ListedTask("ehr-rel", "EHR-RelB", "similarity", "open-clinical", "ehr-rel"),
        ListedTask("lct-condition", "LCT condition", "ner", "open-clinical", "lct", ("Condition",)),
        ListedTask(
            "lct-relation", "LCT relation", "relation", "open-clinical", "lct", (*LCT_CLASSES, "false"), "false"
        ),
        ListedTask("rqe", "RQE", "inference", "open-clinical", "rqe", ("false", "true")),
    )
}

OPEN_CLINICAL: tuple[str, ...] = tuple(OPEN_CLINICAL_TASKS)
