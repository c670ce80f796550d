"""A distribution in, task folders out: ``prepare("ddi2013", raw, out)``.

A corpus is a row of ``CORPORA``: its converter, and the tasks that it gives. The other form is BLUE's own files, of
one task: ``prepare("ddi2013-type", raw, out, form="blue")``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from taskaffinity.corpora import (
    bc5cdr,
    blue_tsv,
    chemprot,
    clinicalsts,
    ddi2013,
    ehr_rel,
    i2b2_2010,
    lct,
    mednli,
    rqe,
    shareclefe,
)
from taskaffinity.corpora.choices import DEFAULTS, Choices
from taskaffinity.corpora.original import Converted
from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import TaskCard, write_task

Form = Literal["original", "blue"]


@dataclass(frozen=True)
class Corpus:
    """An original distribution that we can read."""

    convert: Callable[..., list[Converted]]
    """Of the raw folder, and of ``Choices`` where it has any."""
    tasks: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """Fields of ``Choices`` that it leaves to the user."""


CORPORA: dict[str, Corpus] = {
    "bc5cdr": Corpus(bc5cdr.convert, tuple(bc5cdr.TYPES)),
    "ddi2013": Corpus(ddi2013.convert, ("ddi2013-type",), ("dev_ids",)),
    "chemprot": Corpus(chemprot.convert, ("chemprot",)),
    "i2b2-2010-re": Corpus(i2b2_2010.convert, ("i2b2-2010-re",), ("dev_ids",)),
    "shareclefe": Corpus(shareclefe.convert, ("shareclefe",), ("dev_ids", "discontinuous")),
    "mednli": Corpus(mednli.convert, ("mednli",)),
    "clinicalsts": Corpus(clinicalsts.convert, ("clinicalsts",), ("dev_ids",)),
    "ehr-rel": Corpus(ehr_rel.convert, ("ehr-rel",)),
    "lct": Corpus(lct.convert, ("lct-condition", "lct-relation")),
    "rqe": Corpus(rqe.convert, ("rqe",)),
}


@dataclass(frozen=True)
class PreparedTask:
    """A task folder that was written."""

    name: str
    folder: Path
    card: TaskCard


def find_corpus(name: str, form: Form = "original") -> Corpus:
    """The corpus of that name; of BLUE's files, the one that gives the task of that name.

    Raises
    ------
    InputError
        There is none.
    """
    what, known = ("task of Table 1", tuple(BLUE_TASKS)) if form == "blue" else ("corpus", tuple(CORPORA))
    if name not in known:
        close = get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"no {what} {shown(name)}: {hint}there are {', '.join(known)}")
    return CORPORA[BLUE_TASKS[name].corpus if form == "blue" else name]


def prepare(
    corpus: str, raw: Path, out: Path, choices: Choices = DEFAULTS, form: Form = "original"
) -> list[PreparedTask]:
    """Turn a distribution into task folders below ``out``.

    The whole distribution is read before the first folder is written, and a task's rows are checked before its own: of
    a corpus of two tasks the first may be there where the second is refused. A folder appears whole or not at all.

    Parameters
    ----------
    corpus
        A key of ``CORPORA``; of ``BLUE_TASKS`` where the form is BLUE's.
    raw
        Folder of the distribution, or one that holds it under the corpus's name.
    choices
        What the corpus leaves to the user; of BLUE's files the dev part alone, where they have none.
    form
        The original distribution, or BLUE's own TSV files.

    Raises
    ------
    InputError
        No such corpus, a choice that it does not leave, or a fault in the distribution: file, line or element, what was
        found, what would do.
    """
    found = find_corpus(corpus, form)
    converted = _from_blue(corpus, raw, choices) if form == "blue" else _from_original(corpus, found, raw, choices)
    return [
        PreparedTask(task.name, out / task.name, write_task(out / task.name, task.card, task.splits))
        for task in converted
    ]


def _from_original(corpus: str, found: Corpus, raw: Path, choices: Choices) -> list[Converted]:
    for name, default in asdict(DEFAULTS).items():
        if getattr(choices, name) != default and name not in found.choices:
            option = f"--{name.replace('_', '-')}"
            raise input_error(
                option, f"corpus {corpus}", f"one of {', '.join(c for c in CORPORA if name in CORPORA[c].choices)}"
            )
    return found.convert(raw, choices) if found.choices else found.convert(raw)


def _from_blue(task: str, raw: Path, choices: Choices) -> list[Converted]:
    if choices.discontinuous != DEFAULTS.discontinuous:
        raise input_error(
            "--discontinuous", "BLUE's own files, where its choice is made", "shareclefe's original distribution"
        )
    return blue_tsv.convert(task, raw, choices)
