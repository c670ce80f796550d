"""ClinicalSTS 2018 (BioCreative/OHNLP task 2): the task ``clinicalsts``.

The corpus has pairs of sentences from clinical notes with a similarity score from 0 to 5. The input is three
tab-separated files without header or quoting. ``clinicalSTS.train.txt`` has two sentences and a score per line,
``clinicalSTS.test.txt`` has two sentences per line, and ``clinicalSTS.test.gs.sim.txt`` has the score of the same line.
White space around a field is removed. Rows have no ids in the files: ``train.7`` is the seventh line.

BLUE takes 75 of the 750 training pairs as dev, but its choice was not published with the paper. Our dev part is the
tenth of the pairs whose ids have the lowest hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, listed_dev_ids, lowest_hashes
from taskaffinity.corpora.original import ConvertedTask, columns, locate
from taskaffinity.errors import input_error, named
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.numbers import finite_number
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


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a file is missing, a line does not match the format in the module's docstring, or the numbers of scores and
        test pairs differ.
    """
    files = locate(raw, _FILES, _BELOW)
    pairs = columns(files["train"], ("sentence1", "sentence2", "score"), may_lack_end=True)
    given = [_row(f"train.{n}", where, fields) for n, (where, fields) in enumerate(pairs, start=1)]
    names = [row.example.id for row in given]
    n_dev = max(1, round(DEV_SHARE * len(names)))
    dev = listed_dev_ids(choices.dev_ids, names) if choices.dev_ids else lowest_hashes(names, n_dev)
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
    return [ConvertedTask("clinicalsts", card, splits)]


def _test_rows(pairs: Path, scores: Path) -> Iterator[Row]:
    sentences = list(columns(pairs, ("sentence1", "sentence2"), may_lack_end=True))
    gold = list(columns(scores, ("score",), may_lack_end=True))
    if len(sentences) != len(gold):
        expected = f"{len(sentences)}, one for each pair of {pairs.name}"
        raise input_error(scores, how_many(len(gold), "score"), expected)
    for number, ((_, pair), (where, score)) in enumerate(zip(sentences, gold, strict=True), start=1):
        yield _row(f"test.{number}", where, [*pair, *score])


def _row(name: str, where: str, fields: list[str]) -> Row:
    first, second, value = (field.strip() for field in fields)
    score = finite_number(value)
    if score is None or not 0 <= score <= 5:
        raise input_error(where, f"score {named(value, ())}", "a number from 0 to 5")
    if not (first and second):
        raise input_error(where, f"an empty sentence {2 if first else 1}", "two sentences")
    return Row(Example(name, score, first, second))
