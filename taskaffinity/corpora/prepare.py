"""An original distribution in, task folders out: ``prepare("ddi2013", raw, out)``.

A corpus is a row of ``CORPORA``: its converter, and the tasks that it gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from taskaffinity.corpora import bc5cdr, chemprot, clinicalsts, ddi2013, i2b2_2010, mednli, shareclefe
from taskaffinity.corpora.choices import DEFAULTS, Choices
from taskaffinity.corpora.original import Converted
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.lines import bad, shown
from taskaffinity.tasks.task import BadInput


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
}


@dataclass(frozen=True)
class PreparedTask:
    """A task folder that was written."""

    name: str
    folder: Path
    card: TaskCard


def find_corpus(name: str) -> Corpus:
    """The corpus of that name.

    Raises
    ------
    BadInput
        There is none.
    """
    if name not in CORPORA:
        close = get_close_matches(name.lower(), CORPORA, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BadInput(f"no corpus {shown(name)}: {hint}there are {', '.join(CORPORA)}")
    return CORPORA[name]


def prepare(corpus: str, raw: Path, out: Path, choices: Choices = DEFAULTS) -> list[PreparedTask]:
    """Turn the original distribution of a corpus into task folders below ``out``.

    Everything is read and checked before the first folder is written; a folder appears whole or not at all.

    Parameters
    ----------
    corpus
        A key of ``CORPORA``.
    raw
        Folder of the original distribution, or one that holds it under the corpus's name.
    choices
        What the corpus leaves to the user.

    Raises
    ------
    BadInput
        No such corpus, a choice that it does not leave, or a fault in the distribution: file, line or element, what was
        found, what would do.
    """
    found = find_corpus(corpus)
    for name, default in asdict(DEFAULTS).items():
        if getattr(choices, name) != default and name not in found.choices:
            option = f"--{name.replace('_', '-')}"
            raise bad(
                option, f"corpus {corpus}", f"one of {', '.join(c for c in CORPORA if name in CORPORA[c].choices)}"
            )
    converted = found.convert(raw, choices) if found.choices else found.convert(raw)
    return [
        PreparedTask(task.name, out / task.name, write_task(out / task.name, task.card, task.splits))
        for task in converted
    ]
