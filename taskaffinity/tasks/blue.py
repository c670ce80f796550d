"""The eight tasks of the paper's Table 1, and its two domains.

A row describes a task. ``taskaffinity data prepare`` writes its examples as task files in a data folder. Labels are in
the order of the class ids in the paper's code.
"""

from __future__ import annotations

from taskaffinity.tasks.registry import ListedTask

_I2B2 = ("PIP", "TeCP", "TeRP", "TrAP", "TrCP", "TrIP", "TrNAP", "TrWP", "false")
_NLI = ("contradiction", "neutral", "entailment")
_DDI = ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism", "DDI-false")
_CHEMPROT = ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "false")

BLUE_TASKS: dict[str, ListedTask] = {
    task.name: task
    for task in (
        ListedTask("clinicalsts", "ClinicalSTS", "similarity", "clinical", "clinicalsts"),
        ListedTask("i2b2-2010-re", "i2b2 2010", "relation", "clinical", "i2b2-2010-re", _I2B2, "false"),
        ListedTask("shareclefe", "ShARe/CLEFE", "ner", "clinical", "shareclefe", ("Disease",)),
        ListedTask("mednli", "MedNLI", "inference", "clinical", "mednli", _NLI),
        ListedTask("bc5cdr-disease", "BC5CDR disease", "ner", "biomedical", "bc5cdr", ("Disease",)),
        ListedTask("bc5cdr-chemical", "BC5CDR chemical", "ner", "biomedical", "bc5cdr", ("Chemical",)),
        ListedTask("ddi2013-type", "DDI", "relation", "biomedical", "ddi2013", _DDI, "DDI-false"),
        ListedTask("chemprot", "ChemProt", "relation", "biomedical", "chemprot", _CHEMPROT, "false"),
    )
}

CLINICAL: tuple[str, ...] = tuple(name for name, task in BLUE_TASKS.items() if task.domain == "clinical")
BIOMEDICAL: tuple[str, ...] = tuple(name for name, task in BLUE_TASKS.items() if task.domain == "biomedical")
BLUE: tuple[str, ...] = (*CLINICAL, *BIOMEDICAL)

BLUE_SUITES: dict[str, tuple[str, ...]] = {"clinical": CLINICAL, "biomedical": BIOMEDICAL, "blue": BLUE}
