"""Variants for ``fuzz.py`` whose input is a data file of one task, read with the other keys of its block."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from taskaffinity.corpora import hoc, lct
from taskaffinity.tasks.standoff import brat
from taskaffinity.tasks.user.pair_rule import PairRule
from taskaffinity.tasks.user.pairs import pair_rows
from taskaffinity.tasks.user.suitefile import read_suite

SHARES = "dev: 20%, test: 20%"
BLOCKS = (
    ("a.csv", "kind: classification, columns: {split: part}, splits: {dev: valid}"),
    ("a.jsonl", f"kind: classification, train: 60%, {SHARES}"),
    ("a.csv", f"kind: choice, options: [b, c], {SHARES}"),
    ("a.csv", f"kind: multilabel, labels: [b, c], {SHARES}"),
    ("a.jsonl", f"kind: ner, labels: [O, B-x, I-x], {SHARES}"),
    ("a.conll", f"kind: ner, header: [word, pos, mark], columns: {{words: word, tags: mark}}, {SHARES}"),
    ("a.txt", f"kind: ner, {SHARES}"),
    ("a.csv", f"kind: classification, header: [label, text], separator: ';', {SHARES}"),
    ("a.csv", f"kind: classification, encoding: latin-1, {SHARES}"),
    ("a.csv.gz", f"kind: classification, {SHARES}"),
    ("a.json", f"kind: spans, train: 60%, {SHARES}"),
    ("a.json", f"kind: classification, {SHARES}"),
)
"""Name of the data file, and the block of its task without its path."""


def _of_block(name: str, block: str, folder: Path, content: bytes) -> None:
    (folder / name).write_bytes(content)
    (folder / "suite.yaml").write_text(f"tasks:\n  a: {{{block}, path: {{train: {name}}}}}\n")
    _ = read_suite(folder / "suite.yaml", least=1)["a"].fingerprint


def brat_pairs(folder: Path, content: bytes) -> None:
    """Read the pairs of a brat folder."""
    _write_document(folder / "documents", content)
    list(pair_rows(folder / "documents", PairRule(negative="none"), Counter(), Counter()))


def leaf_trial(folder: Path, content: bytes) -> None:
    """Convert a document of the LCT corpus."""
    document = brat.read_document(_write_document(folder, content))
    trial = lct._trial(document, Counter())
    joined = frozenset(map(lct._types, trial.gold))
    list(lct._relation_rows(trial, joined, Counter()))


def hallmarks(folder: Path, content: bytes) -> None:
    """Convert an abstract of the HoC corpus."""
    text, _, labels = content.partition(b"\0")
    paths = folder / "1.txt", folder / "1.labels"
    for path, part in zip(paths, (text, labels), strict=True):
        path.write_bytes(part)
    list(hoc._rows(*paths))


def _write_document(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    text, _, annotations = content.partition(b"\0")
    (folder / "a.ann").write_bytes(annotations)
    (folder / "a.txt").write_bytes(text)
    return folder / "a.txt"


VARIANTS: list[Any] = [partial(_of_block, *block) for block in BLOCKS]
_ROWS = [(f"red {n}", "ab"[n % 2]) for n in range(20)]
_ASKED = [{"id": f"q{n}", "question": f"red {n}", "answers": [{"text": "horse", "answer_start": 2}]} for n in range(20)]
_SEEDS: list[str] = [
    "text,label,part\n"
    + "".join(f"{text},{label},{('train', 'valid', 'test')[n % 3]}\n" for n, (text, label) in enumerate(_ROWS)),
    "".join(f"{json.dumps({'text': text, 'label': label, 'document': text})}\n" for text, label in _ROWS),
    "text,b,c,label\n" + "".join(f"{text},cake,horse,{label.upper()}\n" for text, label in _ROWS),
    "text,b,c\n" + "".join(f"{text},{n % 2},{n // 2 % 2}\n" for n, (text, _) in enumerate(_ROWS)),
    "".join(f"{json.dumps({'tokens': ['red', str(n)], 'ner_tags': [0, 1]})}\n" for n in range(20)),
    "".join(f"red NN O\n{n} CD B-x\n\n" for n in range(20)),
    "".join(f"red O\n{n} B-x\n\n" for n in range(20)),
    "".join(f"{label};{text}\n" for text, label in _ROWS),
    "text,label\n" + "".join(f"{text},{label}\n" for text, label in _ROWS),
    json.dumps(
        {
            "data": [
                {"title": f"t{n}", "paragraphs": [{"context": f"a horse {n}", "qas": [_ASKED[n]]}]} for n in range(20)
            ]
        }
    ),
    json.dumps({text: {"text": text, "label": label} for text, label in _ROWS}),
]
"""Small valid files, one for every block but that of a packed file."""


def seeds() -> list[bytes]:
    """Each seed for each variant, and one packed file."""
    import gzip

    packed = gzip.compress(_SEEDS[8].encode(), mtime=0)
    place = next(n for n, (name, _) in enumerate(BLOCKS) if name.endswith(".gz"))
    return [bytes([place]) + packed] + [bytes([n]) + seed.encode() for n in range(len(BLOCKS)) for seed in _SEEDS]
