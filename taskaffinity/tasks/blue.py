"""The eight tasks of the paper's Table 1, and its two domains.

A row says what a task is; its examples are task files below a data folder, made by ``taskaffinity data prepare``.
Labels stand in the order of the class ids of the paper's code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taskaffinity.tasks.formats import missing_files, read_task
from taskaffinity.tasks.lines import bad
from taskaffinity.tasks.task import BadInput, Kind, Suite

Domain = Literal["clinical", "biomedical"]


@dataclass(frozen=True)
class BlueTask:
    """A row of Table 1."""

    name: str
    title: str
    """As the paper prints it."""
    kind: Kind
    domain: Domain
    corpus: str
    """What ``taskaffinity data prepare`` calls its corpus."""
    labels: tuple[str, ...] = ()
    negative: str | None = None


_I2B2 = ("PIP", "TeCP", "TeRP", "TrAP", "TrCP", "TrIP", "TrNAP", "TrWP", "false")
_NLI = ("contradiction", "neutral", "entailment")
_DDI = ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism", "DDI-false")
_CHEMPROT = ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "false")

BLUE_TASKS: dict[str, BlueTask] = {
    task.name: task
    for task in (
        BlueTask("clinicalsts", "ClinicalSTS", "similarity", "clinical", "clinicalsts"),
        BlueTask("i2b2-2010-re", "i2b2 2010", "relation", "clinical", "i2b2-2010-re", _I2B2, "false"),
        BlueTask("shareclefe", "ShARe/CLEFE", "ner", "clinical", "shareclefe", ("Disease",)),
        BlueTask("mednli", "MedNLI", "inference", "clinical", "mednli", _NLI),
        BlueTask("bc5cdr-disease", "BC5CDR disease", "ner", "biomedical", "bc5cdr", ("Disease",)),
        BlueTask("bc5cdr-chemical", "BC5CDR chemical", "ner", "biomedical", "bc5cdr", ("Chemical",)),
        BlueTask("ddi2013-type", "DDI", "relation", "biomedical", "ddi2013", _DDI, "DDI-false"),
        BlueTask("chemprot", "ChemProt", "relation", "biomedical", "chemprot", _CHEMPROT, "false"),
    )
}

CLINICAL: tuple[str, ...] = tuple(name for name, task in BLUE_TASKS.items() if task.domain == "clinical")
BIOMEDICAL: tuple[str, ...] = tuple(name for name, task in BLUE_TASKS.items() if task.domain == "biomedical")
BLUE: tuple[str, ...] = (*CLINICAL, *BIOMEDICAL)

BLUE_SUITES: dict[str, tuple[str, ...]] = {"clinical": CLINICAL, "biomedical": BIOMEDICAL, "blue": BLUE}


def load_suite(name: str, data: Path) -> Suite:
    """The suite ``clinical``, ``biomedical`` or ``blue`` from the task folders below ``data``.

    Raises
    ------
    BadInput
        No suite of that name; a folder or file that is missing (all of them are listed, with the commands that make
        them); a folder that holds another kind of task.
    """
    if name not in BLUE_SUITES:
        raise bad("suite", repr(name), f"one of {', '.join(BLUE_SUITES)}")
    names = BLUE_SUITES[name]
    lacking = {task: missing for task in names if (missing := missing_files(data / task))}
    if lacking:
        raise _incomplete(name, data, lacking)
    suite = Suite(name, tuple(read_task(data / task) for task in names))
    for task in suite:
        if task.kind != BLUE_TASKS[task.name].kind:
            raise bad(data / task.name, f"a task of kind {task.kind}", f"one of kind {BLUE_TASKS[task.name].kind}")
    return suite


def _incomplete(name: str, data: Path, lacking: dict[str, list[str]]) -> BadInput:
    gaps = [f"{task} ({'no folder' if not (data / task).is_dir() else ', '.join(f)})" for task, f in lacking.items()]
    corpora = list(dict.fromkeys(BLUE_TASKS[task].corpus for task in lacking))
    commands = [f"`taskaffinity data prepare {corpus} --raw DIR --out {data}`" for corpus in corpora]
    return BadInput(f"{data}: suite {name} lacks {'; '.join(gaps)}; make them with {' and '.join(commands)}")
