"""ClinicalSTS 2018 (BioCreative/OHNLP task 2) -> the task ``clinicalsts``.

``clinicalSTS.train.txt``: two sentences and a score from 0 to 5, tab-separated, without header or quoting;
``clinicalSTS.test.txt``: two sentences; ``clinicalSTS.test.gs.sim.txt``: the score of the same line. Blanks about a
field are not part of it. Rows have no ids of their own: ``train.7`` is the seventh line.

Which 75 of the 750 training pairs are BLUE's dev part was not published when the paper was written. Ours are the tenth
whose ids have the lowest hashes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, chosen, lowest_hashes
from taskaffinity.corpora.original import Converted, columns, locate
from taskaffinity.errors import input_error, named
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Split

_FILES = {
    "train": ["clinicalSTS.train.txt"],
    "test": ["clinicalSTS.test.txt"],
    "scores": ["clinicalSTS.test.gs.sim.txt"],
}
_BELOW = ("clinicalsts", "clinicalsts2018", "ClinicalSTS2018")
DEV_SHARE = 0.1
LICENCE = "Mayo Clinic data use agreement: not to be shared"


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[Converted]:
    """The task.

    Raises
    ------
    InputError
        A file that is missing, a line that is not as the module's docstring says, or another number of scores than of
        test pairs.
    """
    files = locate(raw, _FILES, _BELOW)
    pairs = columns(files["train"], ("sentence1", "sentence2", "score"), may_lack_end=True)
    given = [_row(f"train.{n}", where, fields) for n, (where, fields) in enumerate(pairs, start=1)]
    names = [row.example.id for row in given]
    n_dev = max(1, round(DEV_SHARE * len(names)))
    dev = chosen(choices.dev_ids, names) if choices.dev_ids else lowest_hashes(names, n_dev)
    splits: dict[Split, list[Row]] = {
        "train": [row for row in given if row.example.id not in dev],
        "dev": [row for row in given if row.example.id in dev],
        "test": list(_test_rows(files["test"], files["scores"])),
    }
    rule = f"the {len(dev)} pairs whose id (train.<line>) has the lowest sha256"
    card = TaskCard(
        kind="similarity",
        title="ClinicalSTS",
        source="ClinicalSTS 2018, BioCreative/OHNLP challenge task 2 (Wang et al. 2018)",
        licence=LICENCE,
        split=f"official test; dev: {'a list of ids' if choices.dev_ids else rule}; train: the others",
    )
    return [Converted("clinicalsts", card, splits)]


def _test_rows(pairs: Path, scores: Path) -> Iterator[Row]:
    left = list(columns(pairs, ("sentence1", "sentence2"), may_lack_end=True))
    right = list(columns(scores, ("score",), may_lack_end=True))
    if len(left) != len(right):
        raise input_error(scores, f"{len(right)} scores", f"one for each of the {len(left)} pairs of {pairs.name}")
    for number, ((_, pair), (where, score)) in enumerate(zip(left, right, strict=True), start=1):
        yield _row(f"test.{number}", where, [*pair, *score])


def _row(name: str, where: str, fields: list[str]) -> Row:
    first, second, said = (field.strip() for field in fields)
    try:
        score = float(said)
    except ValueError:
        score = math.nan
    if not 0 <= score <= 5:
        raise input_error(where, f"score {named(said, ())}", "a number from 0 to 5")
    if not (first and second):
        raise input_error(where, f"an empty sentence {2 if first else 1}", "two sentences")
    return Row(Example(name, score, first, second))
