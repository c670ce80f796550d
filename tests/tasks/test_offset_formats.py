"""JSONL with mentions, PubTator, BioC, brat, parquet: the mentions that were written, counted without the package."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.task import SPLITS, Split, Task
from taskaffinity.tasks.user.suitefile import read_suite

TYPES = ("Beast", "Act", "Place")
FIRST: dict[Split, int] = {"train": 100, "dev": 200, "test": 300}
SECRET = ("frumious", "bandersnatch")


class Text(NamedTuple):
    name: str
    title: str
    body: str
    mentions: list[tuple[int, int, str]]

    @property
    def whole(self) -> str:
        return f"{self.title} {self.body}"


def texts(split: Split) -> list[Text]:
    """Documents of a title and two sentences; mentions do not overlap."""
    draw, made = random.Random(split), []
    for number in range(6):
        sentences, at, mentions = [], 0, []
        for _ in range(3):
            words = ["The"]
            for _ in range(draw.randint(2, 5)):
                word = draw.choice([*SECRET, "shun", "tulgey-wood", "m\u00f6me"])
                if draw.random() < 0.6:
                    start = at + len(" ".join(words)) + 1
                    mentions.append((start, start + len(word), draw.choice(TYPES)))
                words.append(word)
            sentences.append(" ".join(words) + ".")
            at += len(sentences[-1]) + 1
        made.append(Text(str(FIRST[split] + number), sentences[0], " ".join(sentences[1:]), mentions))
    return made


def jsonl(docs: Sequence[Text]) -> dict[str, str]:
    rows = [
        {"id": d.name, "text": d.whole, "entities": [{"start": a, "end": b, "label": k} for a, b, k in d.mentions]}
        for d in docs
    ]
    return {".jsonl": "".join(json.dumps(row) + "\n" for row in rows)}


def pubtator(docs: Sequence[Text]) -> dict[str, str]:
    blocks = []
    for d in docs:
        lines = [f"{d.name}|t|{d.title}", f"{d.name}|a|{d.body}"]
        lines += [f"{d.name}\t{a}\t{b}\t{d.whole[a:b]}\t{k}\tD1" for a, b, k in d.mentions]
        blocks.append("\n".join([*lines, f"{d.name}\tCause\tD1\tD2"]) + "\n")
    return {".pubtator": "\n".join(blocks)}


def bioc(docs: Sequence[Text]) -> dict[str, str]:
    out = ["<collection>"]
    for d in docs:
        out.append(f"<document><id>{d.name}</id>")
        for offset, text in ((0, d.title), (len(d.title) + 1, d.body)):
            out.append(f"<passage><offset>{offset}</offset><text>{text}</text>")
            out += [
                f'<annotation id="1"><infon key="type">{k}</infon><location offset="{a}" length="{b - a}"/>'
                f"<text>{d.whole[a:b]}</text></annotation>"
                for a, b, k in d.mentions
                if offset <= a < offset + len(text)
            ]
            out.append("</passage>")
        out.append("</document>")
    return {".xml": "".join([*out, "</collection>"])}


def bioc_json(docs: Sequence[Text]) -> dict[str, str]:
    documents = []
    for d in docs:
        found = [
            {"infons": {"type": k}, "text": d.whole[a:b], "locations": [{"offset": a, "length": b - a}]}
            for a, b, k in d.mentions
        ]
        documents.append({"id": d.name, "passages": [{"offset": 0, "text": d.whole, "annotations": found}]})
    return {".bioc": json.dumps({"documents": documents})}


def brat(docs: Sequence[Text]) -> dict[str, str]:
    files = {}
    for d in docs:
        files[f"/{d.name}.txt"] = d.whole
        files[f"/{d.name}.ann"] = "".join(
            f"T{n}\t{k} {a} {b}\t{d.whole[a:b]}\n" for n, (a, b, k) in enumerate(d.mentions, start=1)
        )
    return files


def bigbio(docs: Sequence[Text]) -> dict[str, str]:
    return {".jsonl": "".join(json.dumps(bigbio_document(d)) + "\n" for d in docs)}


def bigbio_document(d: Text) -> dict[str, object]:
    passages = [
        {"id": f"{d.name}-{at}", "type": "part", "text": [text], "offsets": [[at, at + len(text)]]}
        for at, text in ((0, d.title), (len(d.title) + 1, d.body))
    ]
    entities = [
        {"id": f"{d.name}-{n}", "type": k, "text": [d.whole[a:b]], "offsets": [[a, b]], "normalized": []}
        for n, (a, b, k) in enumerate(d.mentions)
    ]
    return {"id": d.name, "document_id": d.name, "passages": passages, "entities": entities, "relations": []}


SHAPES: dict[str, tuple[str, Callable[[Sequence[Text]], dict[str, str]]]] = {
    "JSONL with mentions": ("", jsonl),
    "PubTator": ("", pubtator),
    "BioC XML": ("", bioc),
    "BioC JSON": ("format: bioc", bioc_json),
    "brat": ("format: brat", brat),
    "BigBIO": ("", bigbio),
}


def read(folder: Path, block: str, files: dict[str, str]) -> Task:
    for split in SPLITS:
        files = {**files, f"filler/{split}.csv": "text,label\none,a\ntwo,a\nthree,b\nfour,b\n"}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode())
    filler = "  filler: {kind: classification, path: filler}\n"
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{{block}}}\n{filler}")
    return read_suite(folder / "suite.yaml")["mine"]


def written(shape: str) -> dict[str, str]:
    made = SHAPES[shape][1]
    return {f"d/{split}{end}": content for split in SPLITS for end, content in made(texts(split)).items()}


def words_of_types(task: Task, split: Split) -> Counter[tuple[str, str]]:
    """Type and text of every mention, read from the tags."""
    found: Counter[tuple[str, str]] = Counter()
    for example in task.examples[split]:
        assert isinstance(example.label, tuple)
        joined = " ".join(f"{word}|{tag}" for word, tag in zip(example.words, example.label, strict=True))
        for match in re.finditer(r"(\S+)\|B-(\w+)((?: \S+\|I-\2)*)", joined):
            rest = [part.rpartition("|")[0] for part in match[3].split()]
            found[match[2], "".join([match[1], *rest])] += 1
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_examples_and_mentions_are_those_of_plain_python(shape: str, tmp_path: Path) -> None:
    task = read(tmp_path, f"kind: ner, path: d, {SHAPES[shape][0]}", written(shape))
    for split in SPLITS:
        docs = texts(split)
        plain = Counter((kind, d.whole[a:b].replace(" ", "")) for d in docs for a, b, kind in d.mentions)
        assert words_of_types(task, split) == plain
        by_type = Counter(kind for d in docs for _, _, kind in d.mentions)
        assert count(task.examples[split], "ner", None).labels == dict(by_type)
        n_sentences = sum(len(re.split(r"(?<=\.) (?=[A-Z])", d.whole)) for d in docs)
        assert len(task.examples[split]) == (len(docs) if shape == "JSONL with mentions" else n_sentences)
        assert {e.document or e.id for e in task.examples[split]} == {d.name for d in docs}
        letters = "".join("".join(e.words) for e in task.examples[split])
        assert letters == "".join(d.whole for d in docs).replace(" ", "")
    assert (task.labels, task.notes) == (tuple(sorted(TYPES)), ())


def test_documents_of_all_formats_are_one_task(tmp_path: Path) -> None:
    shapes = [shape for shape in SHAPES if shape != "JSONL with mentions"]
    tasks = [
        read(tmp_path / shape.replace(" ", ""), f"kind: ner, path: d, {SHAPES[shape][0]}", written(shape))
        for shape in shapes
    ]
    assert len({task.fingerprint for task in tasks}) == 1


def test_some_types_are_a_task_and_the_rest_is_counted(tmp_path: Path) -> None:
    task = read(tmp_path, "kind: ner, path: d, labels: [Beast]", written("PubTator"))
    kinds = Counter(kind for split in SPLITS for d in texts(split) for _, _, kind in d.mentions)
    others = kinds["Act"] + kinds["Place"]
    assert sum(count(task.examples[split], "ner", None).labels["Beast"] for split in SPLITS) == kinds["Beast"]
    assert task.notes == (f"{others} mentions of types that are not under labels:, left out",)


def test_overlaps_are_refused_or_the_longest_is_kept(tmp_path: Path) -> None:
    entities = [{"start": 4, "end": 12, "label": "Beast"}, {"start": 0, "end": 12, "label": "Act"}]
    rows = {
        f"d/{split}.jsonl": json.dumps({"id": split, "text": "The frumious.", "entities": entities}) for split in SPLITS
    }
    with pytest.raises(
        InputError, match=r"train.jsonl: line 1: found mentions at 0-12 and 4-12, which overlap; expect"
    ):
        read(tmp_path, "kind: ner, path: d", rows)
    task = read(tmp_path, "kind: ner, path: d, overlaps: longest, labels: [Act]", rows)
    assert task.examples["dev"][0].label == ("B-Act", "I-Act", "O")
    task = read(tmp_path, "kind: ner, path: d, overlaps: longest", {**rows, "d/train.jsonl": _both_types()})
    assert task.notes == ("2 overlapping mentions left out, because overlaps: longest",)


def _both_types() -> str:
    entities = [{"start": 0, "end": 3, "label": "Beast"}, {"start": 4, "end": 12, "label": "Act"}]
    return json.dumps({"id": "t", "text": "The frumious.", "entities": entities})


def test_parquet_is_read_as_json_lines(tmp_path: Path) -> None:
    rows = {split: [{"id": f"{split}{n}", "text": f"t {n}", "label": n % 2} for n in range(6)] for split in SPLITS}
    files = {f"j/{split}.jsonl": "".join(json.dumps(row) + "\n" for row in rows[split]) for split in SPLITS}
    lines = read(tmp_path, "kind: classification, path: j", files)
    (tmp_path / "p").mkdir()
    for split in SPLITS:
        pq.write_table(pa.Table.from_pylist(rows[split]), tmp_path / f"p/{split}.parquet")
    assert read(tmp_path, "kind: classification, path: p", {}).fingerprint == lines.fingerprint
    path = tmp_path / "p/train.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"train.parquet: found no parquet, or a damaged file"):
        read(tmp_path, "kind: classification, path: p", {})


MENTION = '{"text": "The frumious.", "entities": [{"start": %s, "end": %s, "label": %s}]}\n'
BAD = {
    "offsets out of the text": (
        "train.jsonl",
        MENTION % (4, 99, '"x"'),
        "",
        "line 1: found offsets 4-99 in a text of 13",
    ),
    "offsets as text": ("train.jsonl", MENTION % ('"4"', 12, '"x"'), "", "line 1: found entity 1 without offsets"),
    "no label": (
        "train.jsonl",
        MENTION % (4, 12, '"frumious bandersnatch"'.replace("b", "b" * 30)),
        "",
        "entity 1 with a",
    ),
    "another structure": (
        "train.jsonl",
        '{"text": "The frumious.", "entities": [[4, 12]]}\n',
        "",
        "entity 1 of another",
    ),
    "entities of text": (
        "train.jsonl",
        '{"text": "a", "entities": "frumious"}\n',
        "",
        "a text of 8 characters as entit",
    ),
    "white space": ("train.jsonl", MENTION % (3, 4, '"x"'), "", "found a mention at 3-4 of white space"),
    "PubTator elsewhere": (
        "train.pubtator",
        "1|t|The\n1|a|frumious\n1\t0\t3\tfrumious\tx\n",
        "",
        "line 3: found a mention",
    ),
    "PubTator cut": ("train.pubtator", "1|t|The frumious\n", "", "line 1: found a title as the last line"),
    "BioC cut": ("train.xml", "<collection><document><id>1</id>", "", "line 1: found XML that is not well-formed"),
    "JSON of another shape": ("train.bioc", '{"documents": [{"id": 1}]}', "", "document 1: found another structure"),
    "JSON without documents": ("train.bioc", '{"frumious": 1}', "", "train.bioc: found JSON without documents"),
    "no brat": ("train/x.ann", "", "format: brat, ", "found no text; expected a folder of NAME.txt with NAME.ann"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_damaged_file_is_one_line_without_its_text(case: str, tmp_path: Path) -> None:
    name, content, more, said = BAD[case]
    path = name.partition("/")[0]
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"kind: ner, path: {{train: {path}}}, {more}dev: 20%, test: 20%", {name: content})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "frumious" not in str(caught.value)


def test_a_mention_of_bioc_that_is_elsewhere_is_named_by_its_document(tmp_path: Path) -> None:
    moved = bioc_json([Text("7", "The", "frumious.", [(4, 12, "x")])])[".bioc"].replace('"offset": 4', '"offset": 3')
    with pytest.raises(InputError, match=r"train.bioc: document '7': found a mention of 8 characters that is not at"):
        read(tmp_path, "kind: ner, path: {train: train.bioc}, dev: 20%, test: 20%", {"train.bioc": moved})


DOCUMENT = bigbio_document(Text("d", "The frumious act.", "A frumious bandersnatch ran.", [(4, 12, "Beast")]))
BIGBIO_FAULTS = {
    "another place": (
        "entities",
        [{"type": "x", "text": ["frumious"], "offsets": [[5, 13]]}],
        "8 characters that is not",
    ),
    "no passage": (
        "entities",
        [{"type": "x", "text": ["frumious"], "offsets": [[90, 98]]}],
        "of which passages hold 0",
    ),
    "no type": (
        "entities",
        [{"type": "", "text": ["frumious"], "offsets": [[4, 12]]}],
        "entity 1: found an empty text as",
    ),
    "no offsets": ("entities", [{"type": "x", "text": ["frumious"], "offsets": []}], "found no text with offsets"),
    "more texts": (
        "entities",
        [{"type": "x", "text": ["a", "b"], "offsets": [[0, 1]]}],
        "found 2 texts and 1 pair of offsets",
    ),
    "a long passage": ("passages", [{"text": ["frumious"], "offsets": [[0, 9]]}], "passage 1: found a mention of 8"),
    "a text": ("passages", "frumious", "found a text of 8 characters as passages"),
    "no id": ("document_id", None, "as document_id; expected an id for each document"),
}


@pytest.mark.parametrize("fault", BIGBIO_FAULTS)
def test_a_fault_of_bigbio_is_one_line_with_its_row(fault: str, tmp_path: Path) -> None:
    key, value, said = BIGBIO_FAULTS[fault]
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        (tmp_path / f"d/{split}.jsonl").write_text(json.dumps({**DOCUMENT, key: value}) + "\n")
    (tmp_path / "suite.yaml").write_text("tasks:\n  a: {kind: ner, path: d}\n")
    with pytest.raises(InputError) as caught:
        read_suite(tmp_path / "suite.yaml", least=1)
    assert f"{tmp_path}/d/train.jsonl: line 1" in str(caught.value)
    assert said in str(caught.value)
    assert "frumious" not in str(caught.value)


def test_a_bigbio_mention_in_parts_is_tagged_as_a_whole_and_counted(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for split in SPLITS:
        name, parts = f"{split}1", {"type": "Beast", "text": ["ran", "frumious"], "offsets": [[42, 45], [20, 28]]}
        row = {**DOCUMENT, "document_id": name, "entities": [parts]}
        pq.write_table(pa.Table.from_pylist([row, {**row, "document_id": f"{name}b"}]), tmp_path / f"d/{split}.parquet")
    (tmp_path / "suite.yaml").write_text("tasks:\n  a: {kind: ner, path: d}\n")
    [task] = read_suite(tmp_path / "suite.yaml", least=1)
    first, second = task.examples["train"][:2]
    assert first.label == ("O",) * 4
    assert second.words[:4] == ("A", "frumious", "bandersnatch", "ran")
    assert second.label[:4] == ("O", "B-Beast", "I-Beast", "I-Beast")
    assert task.notes == ("6 mentions in several parts, tagged from the first character to the last",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", json.dumps({"text": "SPLIT", "entities": [{"start": 0, "end": 5, "label": "a\x00b"}]})),
        ("train.pubtator", "1|t|SPLIT\n1|a|\n1\t0\t5\tSPLIT\ta\x00b\tD1\n"),
        ("train/1.ann", "T1\ta\x00b 0 5\tSPLIT\n"),
    ],
)
def test_a_type_with_a_control_character_is_one_line(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / "x" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    form = "format: brat, " if path.suffix == ".ann" else ""
    if form:
        path.with_suffix(".txt").write_text("SPLIT")
    block = f"{{kind: ner, {form}path: x, dev: 40%, test: 30%}}"
    (tmp_path / "s.yaml").write_text(f"name: s\ntasks:\n  x: {block}\n  y: {block}\n")
    with pytest.raises(InputError, match="with a control character in its label; expected printable") as caught:
        read_suite(tmp_path / "s.yaml")
    assert "\n" not in str(caught.value)
