"""Relations of brat folders: pairs, negatives, distance and masks, counted without the package."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.task import SPLITS, Split, Task
from taskaffinity.tasks.user.suitefile import read_suite


class Found(NamedTuple):
    """A mention of one word: its number, type, line, position among the words of the line, and offset."""

    number: int
    kind: str
    line: int
    position: int
    start: int


class Document(NamedTuple):
    text: str
    mentions: list[Found]
    relations: dict[tuple[int, int], str]


def document(seed: str) -> Document:
    """Three lines of words such as ``w3``; some are mentions, and some pairs of mentions are related."""
    draw, lines, mentions, at = random.Random(seed), [], [], 0
    for line in range(3):
        words = [f"w{n}" for n in range(8)]
        for position in sorted(draw.sample(range(8), 3)):
            start = at + 3 * position
            mentions.append(Found(len(mentions) + 1, draw.choice(("Drug", "Effect")), line, position, start))
        lines.append(" ".join(words))
        at += len(lines[-1]) + 1
    pairs = list(combinations(range(len(mentions)), 2))
    relations = {pair: draw.choice(("causes", "treats")) for pair in draw.sample(pairs, 9)}
    return Document("\n".join(lines), mentions, relations)


def documents(split: Split) -> dict[str, Document]:
    return {f"{split}{n}": document(f"{split}{n}") for n in range(8)}


def write(folder: Path, name: str, made: Document) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(made.text)
    lines = [f"T{m.number}\t{m.kind} {m.start} {m.start + 2}\tw{m.position}\n" for m in made.mentions]
    for number, ((one, other), kind) in enumerate(made.relations.items(), start=1):
        lines.append(f"R{number}\t{kind} Arg1:T{other + 1} Arg2:T{one + 1}\n")
    (folder / f"{name}.ann").write_text("".join(lines))


def read(folder: Path, more: str) -> Task:
    (folder / "filler").mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / f"filler/{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")
    filler = "  filler: {kind: classification, path: filler}\n"
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{kind: relation, format: brat, {more}}}\n{filler}")
    return read_suite(folder / "suite.yaml")["mine"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for split in SPLITS:
        for name, made in documents(split).items():
            write(tmp_path / "d" / split, name, made)
    return tmp_path


OPTIONS = {
    "negatives": ("negative: none", True, False, None, None),
    "only relations": ("pairs: {within: sentence}", False, False, None, None),
    "whole documents": ("negative: none, pairs: {within: document}", True, True, None, None),
    "three words": ("negative: none, pairs: {max_words: 3}", True, False, 3, None),
    "one pair of types": ("negative: none, pairs: {types: [[Effect, Drug]]}", True, False, None, {"Drug", "Effect"}),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_pairs_and_labels_are_those_of_plain_python(case: str, corpus: Path) -> None:
    more, negatives, across, most, types = OPTIONS[case]
    task = read(corpus, f"path: d, {more}")
    for split in SPLITS:
        plain: Counter[str] = Counter()
        lost = 0
        for made in documents(split).values():
            for pair in combinations(range(len(made.mentions)), 2):
                one, other = (made.mentions[n] for n in pair)
                words = made.text[one.start + 2 : other.start].split()
                fits = (across or one.line == other.line) and (most is None or len(words) <= most)
                fits = fits and (types is None or {one.kind, other.kind} == types)
                kind = made.relations.get(pair)
                if fits and (kind or negatives):
                    plain[kind or "none"] += 1
                lost += kind is not None and not fits
        assert count(task.examples[split], "relation", None).labels == dict(plain)
        assert task.missed[split] == lost
    total = sum(task.missed.values())
    lines = "relations without an example, because their mentions are too far apart or of other types"
    assert task.notes == ((f"{total} {lines}",) if total else ())


@pytest.mark.parametrize("negatives", [True, False])
def test_relations_of_types_that_are_not_listed_are_no_relations(negatives: bool, corpus: Path) -> None:
    for split in SPLITS:  # a third type, which the suite does not list
        for path in (corpus / "d" / split).glob("*[05].ann"):
            path.write_text(path.read_text().replace("\ttreats ", "\tprevents "))
    whole = read(corpus, f"path: d{', negative: none' * negatives}")
    some = read(corpus, f"path: d, labels: [causes, treats{', none' * negatives}]{', negative: none' * negatives}")
    n_found = sum(path.read_text().count("prevents") for path in (corpus / "d").rglob("*.ann"))
    for split in SPLITS:
        all_labels = count(whole.examples[split], "relation", None).labels
        labels = count(some.examples[split], "relation", None).labels
        assert all_labels["prevents"] > 0
        assert labels["causes"] == all_labels["causes"]
        assert labels["treats"] == all_labels["treats"]
        assert len(some.examples[split]) == len(whole.examples[split]) - (0 if negatives else all_labels["prevents"])
        if negatives:
            assert labels["none"] == all_labels["none"] + all_labels["prevents"]
    assert f"{n_found} relations of types that are not under labels:, read as no relation" in some.notes


def test_masks_and_markers(tmp_path: Path) -> None:
    made = Document("w0 w1 w2 w3\nw4", [Found(1, "Drug", 0, 1, 3), Found(2, "Effect", 0, 3, 9)], {(0, 1): "causes"})
    for split in SPLITS:
        for number in range(2):
            write(tmp_path / "d" / split, f"{split}{number}", made)
            other = made._replace(relations={(0, 1): "treats"})
            write(tmp_path / "d" / split, f"{split}{number}x", other)
    assert read(tmp_path, "path: d").examples["dev"][0].text == "w0 @Drug$ w2 @Effect$"
    marked = read(tmp_path, "path: d, pairs: {masks: markers}").examples["dev"][0]
    assert (marked.id, marked.document) == ("dev0.T1.T2", "dev0")
    assert marked.text == "w0 @Drug$ w1 $Drug@ w2 @Effect$ w3 $Effect@"


@pytest.mark.parametrize("shares", ["dev: 25%, test: 25%", "train: 50%, dev: 25%, test: 25%"])
def test_shares_take_whole_documents_and_their_lost_relations(shares: str, corpus: Path) -> None:
    for split in SPLITS:
        for path in (corpus / "d" / split).iterdir():
            (corpus / "all").mkdir(exist_ok=True)
            path.rename(corpus / "all" / path.name)
    task = read(corpus, f"path: all, negative: none, {shares}")
    made = {name: one for split in SPLITS for name, one in documents(split).items()}
    seen: set[str] = set()
    for split in SPLITS:
        names = {example.document for example in task.examples[split]}
        assert not names & seen
        seen |= names
        lost = [
            pair
            for name in names
            for pair in made[name].relations
            if made[name].mentions[pair[0]].line != made[name].mentions[pair[1]].line
        ]
        assert task.missed[split] == len(lost)
    assert seen == set(made)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "path: d, pairs: {max_wrds: 3}",
            "line 2: found unknown key 'max_wrds'; expected one of types, within, max_words",
        ),
        ("path: d, pairs: {max_words: few}", "line 2: found max_words: 'few'; expected a whole number"),
        ("path: d, pairs: {types: [[Drug]]}", "line 2: found types that are no pairs"),
        ("path: d, pairs: {types: Drug}", "line 2: found 'Drug' as types"),
        ("path: d, pairs: {within: line}", "line 2: found within 'line'; expected one of sentence, document"),
        ("path: d, negative: causes", "found a relation of the type under negative:"),
        ("path: {train: filler}, test: 20%, dev: 20%", "filler: found no text; expected a folder of NAME.txt"),
    ],
)
def test_a_fault_is_one_line(more: str, said: str, corpus: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(corpus, more)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
