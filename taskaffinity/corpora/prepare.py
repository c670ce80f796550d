"""Convert a distribution to task folders: ``prepare("ddi2013", raw, out)``.

A corpus is a row of ``CORPORA`` with its converter and its tasks. ``prepare("ddi2013-type", raw, out, form="blue")``
reads the files that the BLUE benchmark distributes; they hold one task.
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
    hoc,
    i2b2_2010,
    lct,
    mednli,
    rqe,
    shareclefe,
)
from taskaffinity.corpora.choices import DEFAULTS, Choices
from taskaffinity.corpora.original import ConvertedTask
from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import TaskCard, write_task

Form = Literal["original", "blue"]


@dataclass(frozen=True)
class Corpus:
    """A corpus whose original distribution can be read."""

    convert: Callable[..., list[ConvertedTask]]
    """Takes the raw folder, and ``Choices`` if the corpus has any."""
    tasks: tuple[str, ...]
    choices: tuple[str, ...] = ()
    """Fields of ``Choices`` that the user may set."""


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
    "hoc": Corpus(hoc.convert, ("hoc",)),
}


@dataclass(frozen=True)
class PreparedTask:
    """A written task folder and its card."""

    name: str
    folder: Path
    card: TaskCard


def find_corpus(name: str, form: Form = "original") -> Corpus:
    """Return the corpus with this name, or the corpus of the task if the form is BLUE's.

    Raises
    ------
    InputError
        If no corpus or task has this name.
    """
    what, known = ("task of Table 1", tuple(BLUE_TASKS)) if form == "blue" else ("corpus", tuple(CORPORA))
    if name not in known:
        close = get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"no {what} {shown(name)}: {hint}there are {', '.join(known)}")
    return CORPORA[BLUE_TASKS[name].corpus if form == "blue" else name]


def prepare(
    corpus: str,
    raw: Path,
    out: Path,
    choices: Choices = DEFAULTS,
    form: Form = "original",
    *,
    share_with_group: bool = False,
) -> list[PreparedTask]:
    """Turn a distribution into task folders below ``out``.

    The whole distribution is read before the first folder is written. Each task's rows are checked before its folder is
    written, so the first task of a corpus may be written when the second one fails. A folder appears only when it is
    complete.

    Parameters
    ----------
    corpus
        A key of ``CORPORA``, or of ``BLUE_TASKS`` if the form is BLUE's.
    raw
        Folder of the distribution, or a folder that holds it under the name of the corpus.
    choices
        Choices of the user. For BLUE's files only ``dev_ids``, if they have no dev part.
    form
        The original distribution, or BLUE's TSV files.
    share_with_group
        Whether the group may read the task folders; otherwise only their owner can.

    Raises
    ------
    InputError
        If the corpus does not exist, it does not offer a choice, or the distribution has a fault. The message names the
        file, the line or element, what was found and what is expected.
    """
    entry = find_corpus(corpus, form)
    converted = _from_blue(corpus, raw, choices) if form == "blue" else _from_original(corpus, entry, raw, choices)
    return [
        PreparedTask(task.name, folder, write_task(folder, task.card, task.splits, share_with_group=share_with_group))
        for task, folder in ((task, out / task.name) for task in converted)
    ]


def _from_original(corpus: str, entry: Corpus, raw: Path, choices: Choices) -> list[ConvertedTask]:
    for name, default in asdict(DEFAULTS).items():
        if getattr(choices, name) != default and name not in entry.choices:
            option = f"--{name.replace('_', '-')}"
            raise input_error(
                option, f"corpus {corpus}", f"one of {', '.join(c for c in CORPORA if name in CORPORA[c].choices)}"
            )
    return entry.convert(raw, choices) if entry.choices else entry.convert(raw)


def _from_blue(task: str, raw: Path, choices: Choices) -> list[ConvertedTask]:
    if choices.discontinuous != DEFAULTS.discontinuous:
        raise input_error(
            "--discontinuous", "BLUE's files, which are already tagged", "shareclefe's original distribution"
        )
    return blue_tsv.convert(task, raw, choices)
