"""Relations of documents in BigBIO's schema: the pairs, masks and counts of the same documents in brat folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_brat_pairs import OPTIONS, Document, Found, documents, read, write

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.user.suitefile import read_suite

OFFSET = 7
"""Characters before the first passage."""


def bigbio(name: str, made: Document, before: int = OFFSET) -> dict[str, Any]:
    """The document with a passage per line, which brat ends by a line break."""
    passages, at = [], before
    for line in made.text.split("\n"):
        passages.append({"id": f"{name}_{at}", "type": "part", "text": [line], "offsets": [[at, at + len(line)]]})
        at += len(line) + 1
    entities = [
        {
            "id": f"T{m.number}",
            "type": m.kind,
            "text": [f"w{m.position}"],
            "offsets": [[before + m.start, before + m.start + 2]],
            "normalized": [],
        }
        for m in made.mentions
    ]
    relations = [
        {"id": f"R{n}", "type": kind, "arg1_id": f"T{other + 1}", "arg2_id": f"T{one + 1}", "normalized": []}
        for n, ((one, other), kind) in enumerate(made.relations.items())
    ]
    kept: dict[str, Any] = {"events": [], "coreferences": [], "id": f"row {name}"}
    return {**kept, "document_id": name, "passages": passages, "entities": entities, "relations": relations}


def suite(folder: Path, more: str) -> Task:
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{kind: relation, {more}}}\n")
    return read_suite(folder / "suite.yaml", least=1)["mine"]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("case", OPTIONS)
def test_examples_are_those_of_brat(case: str, ending: str, tmp_path: Path) -> None:
    more = OPTIONS[case][0]
    for split in SPLITS:
        for name, made in documents(split).items():
            write(tmp_path / "d" / split, name, made)
        write_rows(tmp_path / f"b/{split}{ending}", [bigbio(*one) for one in documents(split).items()])
    expected, found = read(tmp_path, f"path: d, {more}"), suite(tmp_path, f"path: b, {more}")
    for split in SPLITS:
        ours = sorted((one.id, one.document, one.text, one.label) for one in found.examples[split])
        theirs = sorted((one.id, one.document, one.text, one.label) for one in expected.examples[split])
        assert ours == theirs
        assert found.missed[split] == expected.missed[split]
    assert found.notes == expected.notes


def test_shares_take_whole_documents_and_their_lost_relations(tmp_path: Path) -> None:
    made = {name: one for split in SPLITS for name, one in documents(split).items()}
    write_rows(tmp_path / "all.jsonl", [bigbio(*one) for one in made.items()])
    task = suite(tmp_path, "path: all.jsonl, negative: none, dev: 25%, test: 25%")
    seen: set[str] = set()
    for split in SPLITS:
        names = {example.document for example in task.examples[split]}
        assert not names & seen
        seen |= names
        lines = {name: {m.number - 1: m.line for m in made[name].mentions} for name in names}
        assert task.missed[split] == sum(
            lines[name][one] != lines[name][other] for name in names for one, other in made[name].relations
        )
    assert seen == set(made)


def test_a_mention_in_parts_is_masked_as_a_whole_and_a_passage_in_parts_is_one_text(tmp_path: Path) -> None:
    passage = {"text": ["left lung", "and right lung hurt"], "offsets": [[5, 14], [15, 34]]}
    entities = [
        {"id": "a", "type": "Part", "text": ["left", "lung"], "offsets": [[5, 9], [25, 29]]},
        {"id": "b", "type": "Sign", "text": ["hurt"], "offsets": [[30, 34]]},
    ]
    relation = {"type": "has", "arg1_id": "b", "arg2_id": "a"}
    for split in SPLITS:
        rows = [
            {
                "document_id": f"{split}{n}",
                "passages": [passage],
                "entities": entities,
                "relations": [{**relation, "type": "has" if n % 2 else "is"}],
            }
            for n in range(4)
        ]
        write_rows(tmp_path / f"b/{split}.jsonl", rows)
    task = suite(tmp_path, "path: b")
    assert {example.text for example in task.examples["train"]} == {"@Part$ @Sign$"}


MADE = Document("w0 w1 w2 w3\nw4", [Found(1, "Drug", 0, 1, 3), Found(2, "Effect", 0, 3, 9)], {(0, 1): "causes"})


def changed(key: str, place: int, **values: Any) -> Mapping[str, Any]:
    row = bigbio("d", MADE)
    row[key][place] |= values
    return row


FAULTS = {
    "an argument": (
        changed("relations", 0, arg1_id="T9"),
        "relation 1: found 'T9' as arg1_id; expected the id of an en",
    ),
    "a number": (changed("relations", 0, arg2_id=1), "relation 1: found 1 as arg2_id; expected the id of an entity"),
    "itself": (changed("relations", 0, arg1_id="T1"), "relation 1: found a relation of an entity with itself"),
    "no type": (changed("relations", 0, type=""), "relation 1: found an empty text as type; expected the name of a"),
    "control": (changed("relations", 0, type="a\x1b"), "relation 1: found a type with a control character; expected"),
    "negative": (changed("relations", 0, type="none"), "relation 1: found a relation of the type under negative:"),
    "an id twice": (changed("entities", 1, id="T1"), "line 1: found two entities with one id; expected each id once"),
    "no id": (changed("entities", 1, id=None), "entity 2: found null as id; expected an id, to which relations refer"),
    "a place": (changed("entities", 0, offsets=[[9, 11]]), "that is not at"),
    "overlap": (changed("passages", 1, offsets=[[13, 15]]), "found two passages at 13; expected passages that do not"),
    "a gap": (
        changed("passages", 1, offsets=[[2_000_000, 2_000_002]]),
        "found nothing between 18 and 2000000; expected",
    ),
    "a text": ({**bigbio("d", MADE), "relations": "frumious"}, "found a text of 8 characters as relations; expected a"),
    "no passage": ({**bigbio("d", MADE), "passages": []}, "found 2 entities, of which passages hold 0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_row(fault: str, tmp_path: Path) -> None:
    row, said = FAULTS[fault]
    for split in SPLITS:
        write_rows(tmp_path / f"b/{split}.jsonl", [dict(row)])
    with pytest.raises(InputError) as caught:
        suite(tmp_path, "path: b, negative: none")
    assert f"{tmp_path}/b/train.jsonl: line 1" in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pairs_need_documents(tmp_path: Path) -> None:
    for split in SPLITS:
        write_rows(tmp_path / f"b/{split}.jsonl", [{"text": f"red {n}", "label": "ab"[n % 2]} for n in range(4)])
    with pytest.raises(InputError, match="line 1: found rows, and pairs: in the suite file; expected format: brat, or"):
        suite(tmp_path, "path: b, pairs: {max_words: 3}")
    with pytest.raises(InputError, match="line 2: found pairs: for kind relation and format csv; expected kind: rel"):
        suite(tmp_path, "path: b, format: csv, pairs: {max_words: 3}")


def test_documents_in_memory_are_the_task_of_a_file(tmp_path: Path) -> None:
    """Relations without an example count as missed, and they are part of the fingerprint."""
    passages = [{"text": ["w1 hit w2."], "offsets": [[0, 10]]}, {"text": ["w3 fell."], "offsets": [[11, 19]]}]
    places = {"T1": (0, 2), "T2": (7, 9), "T3": (11, 13)}
    entities = [
        {"id": name, "type": "X", "text": [f"w{name[1]}"], "offsets": [list(place)]} for name, place in places.items()
    ]
    far = {"id": "R1", "type": "near", "arg1_id": "T1", "arg2_id": "T3"}
    near = {"id": "R2", "type": "near", "arg1_id": "T1", "arg2_id": "T2"}
    rows = {
        split: [
            {"document_id": f"{split}{n}", "passages": passages, "entities": entities, "relations": relations}
            for n, relations in enumerate(([near, far], [near], [far], []))
        ]
        for split in SPLITS
    }
    for split in SPLITS:
        write_rows(tmp_path / f"{split}.jsonl", rows[split])
    of_file = suite(tmp_path, "path: ., negative: none")
    other = {split: [{"text": f"{n}", "label": "ab"[n % 2]} for n in range(4)] for split in SPLITS}
    data = {"mine": (rows, {}, {"kind": "relation", "negative": "none"}), "other": (other, {})}
    in_memory = Suite.from_datasets(data)["mine"]
    assert in_memory.missed == of_file.missed == dict.fromkeys(SPLITS, 2)
    assert in_memory == of_file
