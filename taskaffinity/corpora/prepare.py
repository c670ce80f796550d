"""An original distribution in, task folders out: ``prepare("ddi2013", raw, out)``.

A corpus is a row of ``CORPORA``: its converter, and the tasks that it gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from taskaffinity.corpora import bc5cdr, chemprot, ddi2013
from taskaffinity.corpora.original import Converted
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.lines import shown
from taskaffinity.tasks.task import BadInput


@dataclass(frozen=True)
class Corpus:
    """An original distribution that we can read."""

    convert: Callable[[Path], list[Converted]]
    tasks: tuple[str, ...]


CORPORA: dict[str, Corpus] = {
    "bc5cdr": Corpus(bc5cdr.convert, tuple(bc5cdr.TYPES)),
    "ddi2013": Corpus(ddi2013.convert, ("ddi2013-type",)),
    "chemprot": Corpus(chemprot.convert, ("chemprot",)),
}


@dataclass(frozen=True)
class PreparedTask:
    """A task folder that was written."""

    name: str
    folder: Path
    card: TaskCard


def prepare(corpus: str, raw: Path, out: Path) -> list[PreparedTask]:
    """Turn the original distribution of a corpus into task folders below ``out``.

    Everything is read and checked before the first folder is written; a folder appears whole or not at all.

    Parameters
    ----------
    corpus
        A key of ``CORPORA``.
    raw
        Folder of the original distribution, or one that holds it under the corpus's name.

    Raises
    ------
    BadInput
        No such corpus, or a fault in the distribution: file, line or element, what was found, what would do.
    """
    if corpus not in CORPORA:
        close = get_close_matches(corpus.lower(), CORPORA, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise BadInput(f"no corpus {shown(corpus)}: {hint}there are {', '.join(CORPORA)}")
    return [
        PreparedTask(task.name, out / task.name, write_task(out / task.name, task.card, task.splits))
        for task in CORPORA[corpus].convert(raw)
    ]
