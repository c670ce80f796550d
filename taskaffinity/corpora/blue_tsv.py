"""Convert BLUE's released files: any task of the paper's Table 1.

The input is one folder with ``train.tsv``, ``dev.tsv`` or ``devel.tsv``, and ``test.tsv``. ``blue_rows.py`` describes
their format. If an index appears again with another label and the same text, the row is the second class of a pair and
its id ends in ``#2``. An exact duplicate of a row is left out and counted.

Without a dev file, the dev part is cut from the training part by the rule of the original distribution, or by a list of
ids. MedNLI, ChemProt and BC5CDR have an official dev part and no such rule, so they need the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from taskaffinity.corpora import bc5cdr, chemprot, clinicalsts, ddi2013, i2b2_2010, mednli, shareclefe
from taskaffinity.corpora.blue_rows import READERS
from taskaffinity.corpora.choices import DEFAULTS, Choices, is_hash_below, listed_dev_ids, lowest_hashes
from taskaffinity.corpora.original import ConvertedTask, locate
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
"""Share of documents in dev, for corpora without an official dev part."""


def convert(name: str, raw: Path, choices: Choices = DEFAULTS) -> list[ConvertedTask]:
    """Convert the files of one task.

    Parameters
    ----------
    name
        A key of ``BLUE_TASKS``.

    Raises
    ------
    InputError
        If a file is missing, a line does not match the format of ``blue_rows.py``, a label is not one of the task's, or
        there is neither a dev part nor a rule to cut one.
    """
    task = BLUE_TASKS[name]
    paths = locate(raw, {split: _FILES[split] for split in ("train", "test")}, (name,))
    folder = paths["train"].parent
    dev = next((folder / file for file in _FILES["dev"] if (folder / file).is_file()), None)
    notes: Counter[str] = Counter()
    train, test = (_read(paths[split], split, task, notes) for split in ("train", "test"))
    if dev and choices.dev_ids:
        raise input_error("--dev-ids", f"a list of ids although {dev} exists", "only one of the two")
    splits: dict[Split, list[Row]]
    if dev:
        splits = {"train": train, "dev": _read(dev, "dev", task, notes), "test": test}
        split_rule = "BLUE's files of each part"
    else:
        is_dev, split_rule = _dev_rule(folder, task, train, choices)
        splits = {
            "train": [row for row in train if not is_dev(_document_or_id(row, task))],
            "dev": [row for row in train if is_dev(_document_or_id(row, task))],
            "test": test,
        }
    card = TaskCard(
        kind=task.kind,
        labels=task.labels,
        negative=task.negative,
        title=task.title,
        source=f"{task.title} as in the files of the BLUE benchmark (Peng et al. 2019)",
        licence=_LICENCES[task.corpus],
        split=split_rule,
        notes=dict(sorted(notes.items())),
    )
    return [ConvertedTask(name, card, splits)]


def _dev_rule(
    folder: Path, task: ListedTask, train: Sequence[Row], choices: Choices
) -> tuple[Callable[[str], bool], str]:
    """Return a test for dev membership, and its description.

    It tests documents of the training part, or rows if the corpus has no documents.
    """
    units = list(dict.fromkeys(_document_or_id(row, task) for row in train))
    if choices.dev_ids:
        listed = listed_dev_ids(choices.dev_ids, units)
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
        raise input_error(folder, found, "BLUE's original ids, dev.tsv, or --dev-ids")
    share = _DEV_SHARES[task.name]
    rule = f"documents where the first 8 bytes of sha256(id), as a big-endian number, are below {share} * 2**64"
    return lambda unit: is_hash_below(unit, share), f"{cut} {rule}"


def _document_or_id(row: Row, task: ListedTask) -> str:
    document = (
        "" if task.kind == "inference" else row.example.document
    )  # document ids of premises are made here, so no list has them
    return document or row.example.id.partition("#")[0]


def _read(path: Path, split: Split, task: ListedTask, notes: Counter[str]) -> list[Row]:
    rows = list(_unique_ids(READERS[task.kind](path, split, task, notes), task.kind, notes))
    if not rows:
        raise input_error(path, "no row", "at least one example")
    return rows


def _unique_ids(rows: Iterable[tuple[str, Row]], kind: Kind, notes: Counter[str]) -> Iterator[Row]:
    """Make ids unique: drop exact duplicates, number the further labels of a pair."""
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
                where, f"a second id {shown(example.id)} (first: {first}) with other content", "ids that are unique"
            )
        known.append(example)
        if len(known) == 1:
            yield row
        else:
            notes["rows_of_a_second_label"] += 1
            yield Row(replace(example, id=f"{example.id}#{len(known)}"))
