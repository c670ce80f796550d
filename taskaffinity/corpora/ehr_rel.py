"""EHR-RelB -> the task ``ehr-rel``: how related two clinical concepts are, from 0 to 3.

``EHR-RelB.tsv``: a header and twelve columns; used are the SNOMED ids and labels of the two concepts and the mean
rating of three doctors. The texts are terms of a few words, not sentences. Scores are left as they are.

An id is ``<snomed 1>-<snomed 2>``. There is no official split: ours is by md5 of that id, so that a pair that was rated
twice, whose second id ends in ``#2``, is in one part. Concepts are in more than one.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from taskaffinity.corpora.choices import MD5_RULE, by_md5
from taskaffinity.corpora.original import Converted, columns, locate
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example, Split

HIGHEST = 3

_FILES = {"pairs": ["EHR-RelB.tsv"]}
_BELOW = ("ehr-rel", "ehr_rel", "EHR-Rel")
_COLUMNS = (
    "snomed_id_1",
    "snomed_label_1",
    "snomed_id_2",
    "snomed_label_2",
    *(f"rater_{letter}" for letter in "ABCDE"),
    "mean_rating",
    "CUI_1",
    "CUI_2",
)


def convert(raw: Path) -> list[Converted]:
    """The task.

    Raises
    ------
    InputError
        No file, another header, or a line that is not as the module's docstring says.
    """
    path = locate(raw, _FILES, _BELOW)["pairs"]
    seen: Counter[str] = Counter()
    splits: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for where, fields in columns(path, _COLUMNS, headed=True):
        found = {name: field.strip() for name, field in zip(_COLUMNS, fields, strict=True)}
        pair = _pair(where, found["snomed_id_1"], found["snomed_id_2"])
        seen[pair] += 1
        name = pair if seen[pair] == 1 else f"{pair}#{seen[pair]}"
        texts = found["snomed_label_1"], found["snomed_label_2"]
        if not all(texts):
            raise input_error(where, f"an empty label {2 if texts[0] else 1}", "two labels")
        splits[by_md5(pair)].append(Row(Example(name, _score(where, found["mean_rating"]), *texts)))
    card = TaskCard(
        kind="similarity",
        title="EHR-RelB",
        source="EHR-RelB (Schulz et al. 2020)",
        licence="Apache-2.0",
        split=f"no official split; pairs, id <snomed 1>-<snomed 2>, {MD5_RULE}",
        notes={"pairs_rated_again": sum(n - 1 for n in seen.values())},
    )
    return [Converted("ehr-rel", card, splits)]


def _pair(where: str, first: str, second: str) -> str:
    for name in (first, second):
        if not name.isdecimal():
            raise input_error(where, f"SNOMED id {named(name, ()) if name else shown(name)}", "a number")
    return f"{first}-{second}"


def _score(where: str, said: str) -> float:
    try:
        score = float(said)
    except ValueError:
        score = math.nan
    if not 0 <= score <= HIGHEST:
        raise input_error(where, f"mean_rating {named(said, ())}", f"a number from 0 to {HIGHEST}")
    return score
