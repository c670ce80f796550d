"""Readers of data in further shapes: mentions at offsets, parquet, JSON by id, more kinds, data without labels."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fault_world import SIZES, WORDS

_SHAPES = """\
name: shapes
tasks:
  tokens: {kind: ner, path: data/mentions}
  abstracts: {kind: ner, path: data/pubtator, overlaps: longest}
  passages: {kind: ner, path: data/bioc}
  objects: {kind: ner, path: data/objects, format: bioc}
  forms: {kind: ner, path: data/forms, columns: {tags: NER}}
  folders: {kind: ner, path: data/brat, format: brat, overlaps: longest}
  pairs: {kind: relation, path: data/brat, format: brat, negative: none}
  packed: {kind: classification, path: data/packed}
  keyed: {kind: classification, path: data/keyed}
  signs: {kind: multilabel, path: data/signs}
  whole: {kind: classification, path: data/whole.json}
  candidates: {kind: choice, path: data/candidates, columns: {group: of}}
  burden: {kind: regression, path: data/burden, tests: {more: data/more.csv}}
  lists: {kind: choice, path: data/kinds/lists}
  letters: {kind: choice, path: data/kinds/letters, options: [a, b, c]}
  answers: {kind: spans, path: data/kinds/answers}
  articles: {kind: spans, path: data/kinds/articles}
"""


def shape_readers() -> list[Any]:
    """The readers of this file."""
    from fault_readers import Reader

    return [
        Reader("other shapes of data", "shapes", "data/**/*.*", _read_shapes, False, 500),
        Reader("options and answers", "shapes", "data/kinds/*/*.*", _read_shapes, False, 200),
        Reader("unlabelled options and answers", "shapes", "asked.jsonl", _read_unlabelled_answers, False, 200),
        Reader("shapes.yaml", "shapes", "shapes.yaml", _read_shapes, False, 200),
        Reader("unlabelled tables", "shapes", "text.*", _read_unlabelled_table, False, 200),
    ]


def fill_shapes(root: Path) -> None:
    """Write all files that these readers read."""
    rng = random.Random(0)
    root.mkdir(parents=True)
    texts = [(f"i{n}", " ".join(_words(rng, 5)), " ".join(_words(rng, 3)), rng.choice(WORDS)) for n in range(12)]
    write_csv(root / "text.csv", ("id", "said", "text_pair", "more"), texts)
    write_csv(root / "text.tsv", ("id", "said", "text_pair", "more"), texts, "\t")
    (root / "shapes.yaml").write_text(_SHAPES)
    folder, whole = root / "data", {}
    for split in SIZES:
        for name in ("mentions", "pubtator", "bioc", "objects", "forms", f"brat/{split}"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        documents = [_document(f"{split}{n}", rng) for n in range(6)]
        rows = [{"id": name, "text": text, "entities": marks} for name, text, marks in documents]
        (folder / "mentions" / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        (folder / "pubtator" / f"{split}.pubtator").write_text("\n".join(_pubtator(*one) for one in documents))
        (folder / "bioc" / f"{split}.bioc").write_text(_bioc_xml(documents))
        (folder / "objects" / f"{split}.bioc").write_text(_bioc_json(documents))
        forms = "# global.columns = ID FORM NER\n" + "\n".join(
            "".join(f"{n}\t{word}\t{('B-Drug', 'O')[n % 2]}\n" for n, word in enumerate(text.split(), 1))
            for _, text, _ in documents
        )
        (folder / "forms" / f"{split}.conllu").write_text(forms)
        for name, text, marks in documents:
            (folder / "brat" / split / f"{name}.txt").write_text(text)
            (folder / "brat" / split / f"{name}.ann").write_text(_brat(text, marks))
        rows = [(f"{split}{n}", " ".join(_words(rng, 5)), ("yes", "no")[n % 2]) for n in range(12)]
        write_parquet(folder / "packed" / f"{split}.parquet", ("id", "text", "label"), rows)
        keyed = {name: {"text": text, "label": label} for name, text, label in rows}
        whole[split] = [{"id": name, **row} for name, row in keyed.items()]
        (folder / "keyed").mkdir(exist_ok=True)
        (folder / "keyed" / f"{split}.json").write_text(json.dumps(keyed))
        several = [
            (name, text, "|".join(["fever", "pain", "rash"][n % 3 :][:2])) for n, (name, text, _) in enumerate(rows)
        ]
        write_csv(folder / "signs" / f"{split}.csv", ("id", "text", "labels"), several)
        of_groups = [
            (f"{split}{n}", f"which {n}", " ".join(_words(rng, 2)), int(k == n % 3)) for n in range(4) for k in range(3)
        ]
        write_csv(folder / "candidates" / f"{split}.csv", ("of", "text", "options", "label"), of_groups)
        numbers = [(name, text, n / 2) for n, (name, text, _) in enumerate(rows)]
        write_csv(folder / "burden" / f"{split}.csv", ("id", "text", "label"), numbers)
        write_csv(
            folder / "more.csv", ("id", "text", "label"), [(f"more{n}", *row[1:]) for n, row in enumerate(numbers)]
        )
        _write_choices(folder / "kinds", split, [(name, text) for name, text, _ in rows], rng)
        _write_answers(folder / "kinds", split, [(name, text) for name, text, _ in rows], rng)
    (folder / "whole.json").write_text(json.dumps(whole))
    asked = [
        {"id": f"a{n}", "text": f"{text}?", "text_pair": other, "options": [text, other]} for n, text, other, _ in texts
    ]
    (root / "asked.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in asked))


def _write_choices(folder: Path, split: str, rows: Sequence[tuple[str, str]], rng: random.Random) -> None:
    """Options in a list, with the place of the right one; and in columns, with its letter."""
    options = [[" ".join(_words(rng, 2)) for _ in range(3)] for _ in rows]
    lists = [
        {"id": name, "text": text, "options": given, "label": n % 3}
        for n, ((name, text), given) in enumerate(zip(rows, options, strict=True))
    ]
    (folder / "lists").mkdir(parents=True, exist_ok=True)
    (folder / "lists" / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in lists))
    columns = [(*row, *given, "ABC"[n % 3]) for n, (row, given) in enumerate(zip(rows, options, strict=True))]
    write_csv(folder / "letters" / f"{split}.csv", ("id", "text", "a", "b", "c", "label"), columns)


def _write_answers(folder: Path, split: str, rows: Sequence[tuple[str, str]], rng: random.Random) -> None:
    """Answers in rows, every third question without one; and in SQuAD's articles."""
    flat, paragraphs = [], []
    for n, (name, text) in enumerate(rows):
        question, word = f"{' '.join(_words(rng, 3))}?", text.split()[n % 5]
        answers = [{"text": word, "answer_start": text.index(word)}] if n % 3 else []
        flat.append({"id": name, "text": question, "text_pair": text, "label": [one["text"] for one in answers]})
        asked = {"id": name, "question": question, "answers": answers, "is_impossible": not answers}
        paragraphs.append({"context": text, "qas": [asked]})
    for place in ("answers", "articles"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "answers" / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in flat))
    articles = [{"title": f"{split}{n}", "paragraphs": paragraphs[n::3]} for n in range(3)]
    (folder / "articles" / f"{split}.json").write_text(json.dumps({"version": "2", "data": articles}))


def _document(name: str, rng: random.Random) -> tuple[str, str, list[dict[str, Any]]]:
    words = _words(rng, 8)
    text, marks = " ".join(words), []
    for place in (1, 3, 6):
        start = len(" ".join(words[:place])) + 1
        marks.append({"start": start, "end": start + len(words[place]), "label": ("Drug", "Sign")[place % 2]})
    return name, text, marks


def _pubtator(name: str, text: str, marks: Sequence[dict[str, Any]]) -> str:
    title, _, body = text.partition(" ")
    number = str(int.from_bytes(name.encode()) % 10**8)
    lines = [f"{number}|t|{title}", f"{number}|a|{body}"]
    lines += [
        f"{number}\t{m['start']}\t{m['end']}\t{text[m['start'] : m['end']]}\t{m['label']}\tD{n}"
        for n, m in enumerate(marks)
    ]
    return "\n".join(lines) + "\n"


def _bioc_xml(documents: Sequence[tuple[str, str, list[dict[str, Any]]]]) -> str:
    parts = ["<collection>"]
    for name, text, marks in documents:
        parts.append(f"<document><id>{name}</id><passage><offset>0</offset><text>{text}</text>")
        parts += [
            f'<annotation id="{n}"><infon key="type">{m["label"]}</infon><location offset="{m["start"]}" '
            f'length="{m["end"] - m["start"]}"/><text>{text[m["start"] : m["end"]]}</text></annotation>'
            for n, m in enumerate(marks)
        ]
        parts.append("</passage></document>\n")
    return "".join([*parts, "</collection>"])


def _bioc_json(documents: Sequence[tuple[str, str, list[dict[str, Any]]]]) -> str:
    made = []
    for name, text, marks in documents:
        annotations = [
            {
                "infons": {"type": m["label"]},
                "text": text[m["start"] : m["end"]],
                "locations": [{"offset": m["start"], "length": m["end"] - m["start"]}],
            }
            for m in marks
        ]
        made.append({"id": name, "passages": [{"offset": 0, "text": text, "annotations": annotations}]})
    return json.dumps({"documents": made})


def _brat(text: str, marks: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"T{n}\t{m['label']} {m['start']} {m['end']}\t{text[m['start'] : m['end']]}" for n, m in enumerate(marks, 1)
    ]
    return "".join(f"{line}\n" for line in [*lines, "R1\tHelps Arg1:T1 Arg2:T2"])


def _words(rng: random.Random, n: int) -> list[str]:
    return rng.choices(WORDS, k=n)


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])


def write_parquet(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))), path)


def _read_shapes(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.catalog import load_suite

    suite = list(load_suite(place / "shapes" / "shapes.yaml"))
    return [(task.fingerprint, sum(len(examples) for examples in task.examples.values())) for task in suite]


def _read_unlabelled_answers(place: Path, path: Path) -> Any:
    """Read the file as questions for answers, and as questions with options."""
    from taskaffinity.errors import InputError
    from taskaffinity.tasks.unlabelled import read_unlabelled

    faults: list[InputError] = []
    found = []
    for kind in ("spans", "choice"):
        try:
            found.append(len(list(read_unlabelled(path, kind))))  # type: ignore[arg-type]
        except InputError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return found


def _read_unlabelled_table(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.unlabelled import read_unlabelled

    found = list(read_unlabelled(path, "inference", {"text": "said"}))
    return len(found), found[-1].end if found else 0
