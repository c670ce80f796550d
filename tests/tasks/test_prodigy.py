"""Rows as Prodigy exports them: tokens beside the spans of mentions, and the decision of the annotator."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Split

TOKENS = [("Snarks", 0, 6), ("took", 7, 11), ("folic", 12, 17), ("acid", 18, 22), (".", 22, 23)]


def row(split: Split, answer: str) -> dict[str, object]:
    return {
        "id": f"{split}-{answer}",
        "text": "Snarks took folic acid.",
        "tokens": [{"text": word, "start": a, "end": b, "id": n} for n, (word, a, b) in enumerate(TOKENS)],
        "spans": [{"start": 12, "end": 22, "token_start": 2, "token_end": 3, "label": "Drug"}],
        "answer": answer,
    }


def write(folder: Path, split: Split, rows: list[dict[str, object]], form: str) -> None:
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
    else:
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_accepted_spans_are_read_and_other_rows_are_counted(form: str, tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, split, [row(split, answer) for answer in ("ignore", "accept", "reject")], form)
    task = read(tmp_path, "kind: ner, path: ., columns: {entities: spans}")
    for split in SPLITS:
        [example] = task.examples[split]
        assert example.id == f"{split}-accept"
        assert example.words == tuple(word for word, _, _ in TOKENS)
        assert example.label == ("O", "O", "B-Drug", "I-Drug", "O")
    assert task.notes == ("6 rows that annotators rejected or ignored (answer:), left out",)


def test_rows_in_memory_are_read_as_those_of_a_file() -> None:
    rows = {split: [row(split, "reject"), row(split, "accept")] for split in SPLITS}
    other = {split: [{"text": f"{n}", "label": "ab"[n % 2]} for n in range(4)] for split in SPLITS}
    given = {"mine": (rows, {"entities": "spans"}, {"kind": "ner"}), "other": (other, {})}
    task = Suite.from_datasets(given)["mine"]
    assert [len(task.examples[split]) for split in SPLITS] == [1, 1, 1]
    assert task.notes == ("3 rows that annotators rejected or ignored (answer:), left out",)


def test_entities_beside_tokens_without_tags_are_read(tmp_path: Path) -> None:
    for split in SPLITS:
        whole = row(split, "accept")
        write(tmp_path, split, [{**whole, "entities": whole["spans"]}], "jsonl")
    assert read(tmp_path, "kind: ner, path: .").examples["dev"][0].label == ("O", "O", "B-Drug", "I-Drug", "O")


def test_words_and_tags_come_before_entities_unless_they_are_named(tmp_path: Path) -> None:
    for split in SPLITS:
        whole = row(split, "accept") | {"tokens": ["He", "ran"], "ner_tags": ["B-Beast", "O"]}
        write(tmp_path, split, [{**whole, "entities": whole["spans"]}], "jsonl")
    assert read(tmp_path, "kind: ner, path: .").labels == ("Beast",)
    assert read(tmp_path, "kind: ner, path: ., columns: {entities: entities}").labels == ("Drug",)


@pytest.mark.parametrize("end", ["jsonl", "csv"])
def test_a_label_column_of_this_name_is_read(end: str, tmp_path: Path) -> None:
    for split in SPLITS:
        rows = [(f"{split} {n}", ("accept", "reject")[n % 2]) for n in range(4)]
        lines = "".join(f"{text},{answer}\n" for text, answer in rows)
        objects = "".join(json.dumps({"text": text, "answer": answer}) + "\n" for text, answer in rows)
        (tmp_path / f"{split}.{end}").write_text(objects if end == "jsonl" else f"text,answer\n{lines}")
    task = read(tmp_path, "kind: classification, path: ., columns: {label: answer}")
    assert (task.labels, task.notes, len(task.examples["train"])) == (("accept", "reject"), (), 4)


@pytest.mark.parametrize("end", ["jsonl", "csv"])
def test_rejected_classes_are_left_out(end: str, tmp_path: Path) -> None:
    for split in SPLITS:
        rows = [(f"{split} {n}", "ab"[n % 2], ("accept", "accept", "reject")[n % 3]) for n in range(9)]
        lines = "".join(f"{','.join(one)}\n" for one in rows)
        objects = (json.dumps(dict(zip(("text", "label", "answer"), one, strict=True))) + "\n" for one in rows)
        (tmp_path / f"{split}.{end}").write_text("".join(objects) if end == "jsonl" else f"text,label,answer\n{lines}")
    task = read(tmp_path, "kind: classification, path: .")
    assert [len(task.examples[split]) for split in SPLITS] == [6, 6, 6]
    assert task.notes == ("9 rows that annotators rejected or ignored (answer:), left out",)


def test_rows_that_are_all_rejected_are_counted_in_the_message(tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, split, [row(split, "reject")], "jsonl")
    with pytest.raises(InputError, match=r"train.jsonl: found no row, and 3 rows that annotators rejected or ignored"):
        read(tmp_path, "kind: ner, path: ., columns: {entities: spans}")


def test_tokens_without_tags_get_the_line_that_reads_the_spans(tmp_path: Path) -> None:
    for split in SPLITS:
        write(tmp_path, split, [row(split, "accept")], "jsonl")
    with pytest.raises(InputError, match=r"found no tags among .* columns: {entities: spans}"):
        read(tmp_path, "kind: ner, path: .")
