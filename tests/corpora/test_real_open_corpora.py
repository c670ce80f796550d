"""The real open clinical corpora, counted a second way: by searching the raw files.

Needs ``TASKAFFINITY_RAW``, the folder that holds ``ehr_rel``, ``leaf_clinical_trials``, ``rqe`` and
``mediqa2019_task2``.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from taskaffinity.corpora.check import check
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.formats import read_card, read_task
from taskaffinity.tasks.lines import read_lines
from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.open_clinical import LCT_CLASSES
from taskaffinity.tasks.task import SPLITS

pytestmark = pytest.mark.slow
LCT = "leaf_clinical_trials"

Gold = dict[tuple[str, frozenset[str]], str]
"""Relations of a trial within one line: (class, ids of the two mentions) -> id of the first argument."""


def json_rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in read_lines(path)[0]]


def proposed(folder: Path) -> dict[str, str]:
    with (folder / "proposed_split.tsv").open(encoding="utf-8") as file:
        return {row["group"]: row["split"] for row in csv.DictReader(file, delimiter="\t")}


@cache
def searched(folder: Path) -> dict[str, tuple[dict[str, str], Gold]]:
    """Types of mentions and gold relations, by trial."""
    trials = {}
    for path in folder.glob("brat/*/*.ann"):
        content = path.read_text(encoding="utf-8")
        text = path.with_suffix(".txt").read_bytes().decode()
        mentions = re.findall(r"^(T\d+)\t(\S+) (\d+) ", content, re.MULTILINE)
        line = {name: text.count("\n", 0, int(start)) for name, _, start in mentions}
        trigger = dict(re.findall(r"^(E\d+)\t[^:]+:(T\d+)", content, re.MULTILINE))
        gold: Gold = {}
        for kind, *ends in re.findall(r"^R\d+\t(\S+) Arg1:(\w+) Arg2:(\w+)", content, re.MULTILINE):
            first, second = (trigger.get(end, end) for end in ends)
            if kind in LCT_CLASSES and line[first] == line[second]:
                gold[kind, frozenset((first, second))] = first
        trials[path.stem] = {name: kind for name, kind, _ in mentions}, gold
    return trials


def test_counts_are_known_or_explained(real_open_data: Path) -> None:
    rows = check(real_open_data)
    assert {task: [row.count for row in rows if row.task == task] for task in dict.fromkeys(r.task for r in rows)} == {
        "ehr-rel": [2541, 390, 699],
        "lct-condition": [4797, 826, 1441],
        "lct-relation": [3480, 618, 990],
        "rqe": [8587, 302, 230],
    }
    assert {(r.task, r.split) for r in rows if r.status != "equal"} == {
        ("rqe", "train"),
        *(("lct-relation", split) for split in SPLITS),
    }
    assert {row.status for row in rows} == {"equal", "explained"}


def test_suite_loads_from_the_data_folder(real_open_data: Path) -> None:
    assert [task.name for task in find_suite("open-clinical", real_open_data)] == [
        "ehr-rel",
        "lct-condition",
        "lct-relation",
        "rqe",
    ]


def test_pairs_of_concepts_are_where_the_proposed_split_has_them(real_raw: Path, real_open_data: Path) -> None:
    split_of = proposed(real_raw / "ehr_rel")
    task = read_task(real_open_data / "ehr-rel")
    placed = {example.id.partition("#")[0]: split for split, rows in task.examples.items() for example in rows}
    assert placed == split_of
    with (real_raw / "ehr_rel/EHR-RelB.tsv").open(encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file][1:]
    expected = Counter((f"{line[0]}-{line[2]}", float(line[9])) for line in lines)
    assert expected == Counter((e.id.partition("#")[0], e.label) for rows in task.examples.values() for e in rows)


@pytest.mark.parametrize("task", ["lct-condition", "lct-relation"])
def test_trials_are_where_the_proposed_split_has_them(real_raw: Path, real_open_data: Path, task: str) -> None:
    split_of = proposed(real_raw / LCT)
    for split in SPLITS:
        documents = {str(row["document"]) for row in json_rows(real_open_data / task / f"{split}.jsonl")}
        assert documents <= {trial for trial, part in split_of.items() if part == split}
        assert task == "lct-relation" or len(documents) == Counter(split_of.values())[split]


def test_every_condition_is_tagged_at_its_offsets(real_raw: Path, real_open_data: Path) -> None:
    expected: Counter[tuple[str, str, str]] = Counter()
    for path in real_raw.glob(f"{LCT}/brat/*/*.ann"):
        for start, end in re.findall(r"^T\d+\tCondition (\d+) (\d+)\t", path.read_text(encoding="utf-8"), re.MULTILINE):
            expected[path.stem, start, end] += 1
    found: Counter[tuple[str, str, str]] = Counter()
    for split in SPLITS:
        for row in json_rows(real_open_data / "lct-condition" / f"{split}.jsonl"):
            offsets, tags = row["offsets"], row["tags"]
            assert isinstance(offsets, list)
            assert isinstance(tags, list)
            for _, first, last in strict_mentions(tags):
                found[str(row["document"]), str(offsets[first][0]), str(offsets[last - 1][1])] += 1
    assert found == expected


def test_every_relation_is_a_row_where_training_joins_its_types(real_raw: Path, real_open_data: Path) -> None:
    trials, split_of = searched(real_raw / LCT), proposed(real_raw / LCT)
    joined = {
        frozenset(kinds[name] for name in ends)
        for trial, (kinds, gold) in trials.items()
        if split_of[trial] == "train"
        for _, ends in gold
    }
    notes = read_card(real_open_data / "lct-relation").notes
    for split in SPLITS:
        every = {
            (trial, label, ends, frozenset(kinds[name] for name in ends) in joined)
            for trial, (kinds, gold) in trials.items()
            if split_of[trial] == split
            for label, ends in gold
        }
        found = set()
        for row in json_rows(real_open_data / "lct-relation" / f"{split}.jsonl"):
            trial, *ends = str(row["id"]).partition("#")[0].split(".")
            if row["label"] != "false":
                found.add((trial, row["label"], frozenset(ends), True))
        assert found == {gold for gold in every if gold[3]}
        assert len(every) - len(found) == notes[f"{split}_relations_of_unseen_types"]


def test_offsets_keep_the_direction(real_raw: Path, real_open_data: Path) -> None:
    trials = searched(real_raw / LCT)
    for row in json_rows(real_open_data / "lct-relation" / "dev.jsonl"):
        trial, one, other = str(row["id"]).partition("#")[0].split(".")
        offsets = row["offsets"]
        assert isinstance(offsets, list)
        in_order = offsets[0] <= offsets[1]
        if row["label"] == "false":
            assert in_order
        else:
            first = trials[trial][1][str(row["label"]), frozenset((one, other))]
            assert in_order == (first == one)


def test_masks_are_types_and_two_unless_arguments_overlap(real_open_data: Path) -> None:
    joint = 0
    for examples in read_task(real_open_data / "lct-relation").examples.values():
        for example in examples:
            assert "\n" not in example.text
            n_masks = len(re.findall(r"@[A-Z][A-Za-z-]*\$", example.text))
            assert n_masks in (1, 2)
            joint += n_masks == 1
    assert joint == read_card(real_open_data / "lct-relation").notes["rows_with_one_joint_mask"]


def test_every_pair_of_questions_is_a_row(real_raw: Path, real_open_data: Path) -> None:
    task = read_task(real_open_data / "rqe")
    for split, file, without in (
        ("train", "rqe/RQE_Train_8588_AMIA2016.xml", 1),
        ("dev", "rqe/RQE_Test_302_pairs_AMIA2016.xml", 0),
        ("test", "mediqa2019_task2/MEDIQA2019-Task2-RQE-TestSet-wLabels.xml", 0),
    ):
        raw = (real_raw / file).read_text(encoding="utf-8")
        pairs = dict(re.findall(r'<pair pid="(\d+)"[^>]* value="(\w+)"', raw))
        found = {e.id.removeprefix(f"{split}."): e.label for e in task.examples[split]}  # type: ignore[index]
        assert found.items() <= pairs.items()
        assert len(pairs) - len(found) == without
