"""RQE (AMIA 2016, and the test set of MEDIQA 2019 task 2): the task ``rqe``.

A pair asks whether every answer to the second question also answers the first, at least in part. The input is XML files
of ``<pair pid value="true|false">`` with a ``<chq>`` (the premise) and a ``<faq>``. The split is that of MEDIQA: the
8,588 training pairs of 2016 are train, the 302 test pairs of 2016 are dev, and the 230 pairs of 2019 are test. The dev
pairs are read from the file of 2016, in which names of people are masked, because MEDIQA's copy lacks 19 of them.

Ids are ``train.<pid>``, ``dev.<pid>`` and ``test.<pid>``. A line break or a run of blanks becomes one blank. A pair
without one of its questions is left out and counted.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from taskaffinity.corpora.original import ConvertedTask, attribute, locate, premise_id
from taskaffinity.errors import input_error, named, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.offsets import xml_root
from taskaffinity.tasks.task import Example, Split

LABELS = ("false", "true")

_FILES: dict[Split, tuple[str, tuple[str, ...]]] = {
    "train": ("RQE_Train_8588_AMIA2016.xml", ("rqe", "RQE_Data_AMIA2016")),
    "dev": ("RQE_Test_302_pairs_AMIA2016.xml", ("rqe", "RQE_Data_AMIA2016")),
    "test": (
        "MEDIQA2019-Task2-RQE-TestSet-wLabels.xml",
        ("mediqa2019_task2", "MEDIQA_Task2_RQE", "MEDIQA2019/MEDIQA_Task2_RQE", "rqe"),
    ),
}
_BELOW = ("rqe",)


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a file is missing or cut off, or a pair does not match the format in the module's docstring.
    """
    needed: dict[str, list[str]] = {
        split: [name, *(f"{folder}/{name}" for folder in folders)] for split, (name, folders) in _FILES.items()
    }
    files = locate(raw, needed, _BELOW)
    notes: Counter[str] = Counter(pairs_without_a_question_left_out=0)
    splits = {split: list(_rows(split, files[split], notes)) for split in _FILES}
    card = TaskCard(
        kind="inference",
        labels=LABELS,
        title="RQE",
        source="RQE, AMIA 2016 (Ben Abacha & Demner-Fushman 2016) and MEDIQA 2019 task 2 (Ben Abacha et al. 2019)",
        licence="CC BY 4.0",
        split="official, as MEDIQA 2019 arranges them: training pairs of 2016, test pairs of 2016 as dev, test of 2019",
        notes=dict(notes),
    )
    return [ConvertedTask("rqe", card, splits)]


def _rows(split: Split, path: Path, notes: Counter[str]) -> Iterator[Row]:
    pairs = list(xml_root(path).iter("pair"))
    if not pairs:
        raise input_error(path, "no pair", "at least one")
    for number, pair in enumerate(pairs, start=1):
        pid = attribute(f"{path}: pair {number}", pair, "pid")
        where = f"{path}: pair {shown(pid)}"
        label = attribute(where, pair, "value")
        if label not in LABELS:
            raise input_error(where, f"value {named(label, LABELS)}", f"one of {', '.join(LABELS)}")
        first, second = (_question(where, pair, tag) for tag in ("chq", "faq"))
        if first and second:
            yield Row(Example(f"{split}.{pid}", label, first, second, document=premise_id(first)))
        else:
            notes["pairs_without_a_question_left_out"] += 1


def _question(where: str, pair: ET.Element, tag: str) -> str:
    question = pair.find(tag)
    if question is None:
        raise input_error(where, f"no {tag}", "a chq and a faq")
    return " ".join("".join(question.itertext()).split())
