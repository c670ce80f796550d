"""Four clinical tasks whose corpora need no data use agreement.

The kinds are those of the paper's clinical suite: similarity, tagging, relation and inference. The texts differ: pairs
of terms, eligibility criteria of trials, and questions instead of patient notes. The gains of this suite therefore say
nothing about the paper's gains.
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
