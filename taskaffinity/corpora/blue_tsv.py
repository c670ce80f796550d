"""BLUE's own files -> a task of Table 1: ``train.tsv``, ``dev.tsv`` or ``devel.tsv``, ``test.tsv`` of one folder.

``blue_rows.py`` says what stands in them. An index that stands again with another label and the same text is the second
class of a pair, and its id ends in ``#2``; a row that stands twice alike is left out the second time, and counted.

Where there is no dev file, the dev part is cut from the training part by the rule of the original distribution, or by a
list of ids; MedNLI, ChemProt and BC5CDR have an official one, so there it must be a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.corpora import bc5cdr, chemprot, clinicalsts, ddi2013, i2b2_2010, mednli, shareclefe
from taskaffinity.corpora.blue_rows import READERS
from taskaffinity.corpora.choices import DEFAULTS, Choices, by_hash, chosen, lowest_hashes
from taskaffinity.corpora.original import Converted, locate
from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.registry import ListedTask
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Kind, Split

_FILES: dict[Split, list[str]] = {
    "train": ["train.tsv", "Training.tsv"],
    "dev": ["dev.tsv", "devel.tsv", "Development.tsv"],
    "test": ["test.tsv", "Test.tsv"],
}
_LICENCES = {
    "bc5cdr": bc5cdr.LICENCE,
    "chemprot": chemprot.LICENCE,
    "clinicalsts": clinicalsts.LICENCE,
    "ddi2013": ddi2013.LICENCE,
    "i2b2-2010-re": i2b2_2010.LICENCE,
    "mednli": mednli.LICENCE,
    "shareclefe": shareclefe.LICENCE,
}
_DEV_SHARES = {
    "ddi2013-type": ddi2013.DEV_SHARE,
    "i2b2-2010-re": i2b2_2010.DEV_SHARE,
    "shareclefe": shareclefe.DEV_SHARE,
}
"""Of the documents, where the original distribution has no dev part."""


def convert(name: str, raw: Path, choices: Choices = DEFAULTS) -> list[Converted]:
    """The task.

    Parameters
    ----------
    name
        A key of ``BLUE_TASKS``.

    Raises
    ------
    InputError
        A file that is missing, a line that is not as the module's docstring says, a label that the task does not have,
        or no dev part and no way to cut one.
    """
    task = BLUE_TASKS[name]
    paths = locate(raw, {split: _FILES[split] for split in ("train", "test")}, (name,))
    folder = paths["train"].parent
    dev = next((folder / file for file in _FILES["dev"] if (folder / file).is_file()), None)
    notes: Counter[str] = Counter()
    train, test = (_read(paths[split], split, task, notes) for split in ("train", "test"))
    if dev and choices.dev_ids:
        raise input_error("--dev-ids", f"a list, and {dev} as well", "one of them")
    splits: dict[Split, list[Row]]
    if dev:
        splits = {"train": train, "dev": _read(dev, "dev", task, notes), "test": test}
        said = "BLUE's files of each part"
    else:
        is_dev, said = _dev_rule(folder, task, train, choices)
        splits = {
            "train": [row for row in train if not is_dev(_unit(row, task))],
            "dev": [row for row in train if is_dev(_unit(row, task))],
            "test": test,
        }
    card = TaskCard(
        kind=task.kind,
        labels=task.labels,
        negative=task.negative,
        title=task.title,
        source=f"{task.title} as the BLUE benchmark's own files have it (Peng et al. 2019)",
        licence=_LICENCES[task.corpus],
        split=said,
        notes=dict(sorted(notes.items())),
    )
    return [Converted(name, card, splits)]


def _dev_rule(
    folder: Path, task: ListedTask, train: Sequence[Row], choices: Choices
) -> tuple[Callable[[str], bool], str]:
    """Which documents (or rows, where there are none) of the training part are the dev part, and the same in words."""
    units = list(dict.fromkeys(_unit(row, task) for row in train))
    if choices.dev_ids:
        listed = chosen(choices.dev_ids, units)
        return listed.__contains__, "BLUE's files; dev: a list of ids, from BLUE's training part"
    cut = "BLUE's files; dev, from BLUE's training part:"
    if task.name == "clinicalsts":
        lowest = lowest_hashes(units, max(1, round(clinicalsts.DEV_SHARE * len(units))))
        return lowest.__contains__, f"{cut} the {len(lowest)} pairs whose id has the lowest sha256"
    if task.name not in _DEV_SHARES:
        raise input_error(folder, f"no {', no '.join(_FILES['dev'])}", f"the dev part of {task.name}, or --dev-ids")
    lacking = next((row.example.id for row in train if not row.example.document), None)
    if lacking:
        found = f"no dev part, and id {shown(lacking)}, which names no document to cut by"
        raise input_error(folder, found, "BLUE's own ids, dev.tsv, or --dev-ids")
    share = _DEV_SHARES[task.name]
    rule = f"documents where the first 8 bytes of sha256(id), as a big-endian number, are below {share} * 2**64"
    return lambda unit: by_hash(unit, share), f"{cut} {rule}"


def _unit(row: Row, task: ListedTask) -> str:
    document = "" if task.kind == "inference" else row.example.document  # a premise's is ours: no list has it
    return document or row.example.id.partition("#")[0]


def _read(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> list[Row]:
    rows = list(_distinct(READERS[task.kind](path, split, task, notes), task.kind, notes))
    if not rows:
        raise input_error(path, "no row", "at least one example")
    return rows


def _distinct(rows: Iterable[tuple[str, Row]], kind: Kind, notes: Counter[str]) -> Iterator[Row]:
    """Rows whose ids are unique."""
    seen: dict[str, list[Example]] = {}
    places: dict[str, str] = {}
    for where, row in rows:
        example = row.example
        known = seen.setdefault(example.id, [])
        first = places.setdefault(example.id, where.rpartition(": ")[2])
        if example in known:
            notes["rows_twice_left_out"] += 1
            continue
        if known and (kind != "relation" or example.text != known[0].text):
            raise input_error(
                where, f"id {shown(example.id)} again (first: {first}), with other content", "ids that are unique"
            )
        known.append(example)
        if len(known) == 1:
            yield row
        else:
            notes["rows_of_a_second_label"] += 1
            yield Row(replace(example, id=f"{example.id}#{len(known)}"))
