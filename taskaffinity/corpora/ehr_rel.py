"""EHR-RelB: the task ``ehr-rel``, how related two clinical concepts are, from 0 to 3.

The input is ``EHR-RelB.tsv`` with a header and twelve columns. The SNOMED ids and labels of the two concepts and the
mean rating are read. The texts are terms of a few words, not sentences. Scores are not rescaled.

An id is ``<snomed 1>-<snomed 2>``; a pair that was rated again gets ``#2``. There is no official split. Ours is by the
md5 of the id without ``#2``, so both ratings of a pair are in one part. A concept may occur in several parts.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from taskaffinity.corpora.choices import MD5_RULE, md5_split
from taskaffinity.corpora.original import ConvertedTask, columns, locate
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.numbers import finite_number, whole_number
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


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If the file is missing, its header differs, or a line does not match the format in the module's docstring.
    """
    path = locate(raw, _FILES, _BELOW)["pairs"]
    seen: Counter[str] = Counter()
    splits: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for where, fields in columns(path, _COLUMNS, headed=True):
        values = {name: field.strip() for name, field in zip(_COLUMNS, fields, strict=True)}
        pair = _pair_id(where, values["snomed_id_1"], values["snomed_id_2"])
        seen[pair] += 1
        name = pair if seen[pair] == 1 else f"{pair}#{seen[pair]}"
        texts = values["snomed_label_1"], values["snomed_label_2"]
        if not all(texts):
            raise input_error(where, f"an empty label {2 if texts[0] else 1}", "two labels")
        splits[md5_split(pair)].append(Row(Example(name, _score(where, values["mean_rating"]), *texts)))
    card = TaskCard(
        kind="similarity",
        title="EHR-RelB",
        source="EHR-RelB (Schulz et al. 2020)",
        licence="Apache-2.0",
        split=f"no official split; pairs, id <snomed 1>-<snomed 2>, {MD5_RULE}",
        notes={"pairs_rated_again": sum(n - 1 for n in seen.values())},
    )
    return [ConvertedTask("ehr-rel", card, splits)]


def _pair_id(where: str, first: str, second: str) -> str:
    for name in (first, second):
        if whole_number(name) is None:
            raise input_error(where, f"SNOMED id {named(name, ()) if name else shown(name)}", "a number")
    return f"{first}-{second}"


def _score(where: str, value: str) -> float:
    score = finite_number(value)
    if score is None or not 0 <= score <= HIGHEST:
        raise input_error(where, f"mean_rating {named(value, ())}", f"a number from 0 to {HIGHEST}")
    return score
