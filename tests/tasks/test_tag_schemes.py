"""Tags of every scheme give the mentions that were written; columns of CoNLL files are found by name."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.mentions import strict_mentions
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.tasks.user.tag_schemes import described_scheme, iob2

Mention = tuple[str, int, int]
MARKS = {"IOBES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
"""Scheme -> its marks for the first, a middle and the last word, and for a mention of one word."""


def sentence(seed: int) -> tuple[int, list[Mention]]:
    """The number of words of a sentence, and mentions that do not overlap; some touch."""
    draw, at, mentions = random.Random(seed), 0, []
    for _ in range(6):
        start = at + draw.choice((0, 0, 1, 3))
        at = start + draw.choice((1, 1, 2, 3, 4))
        mentions.append((draw.choice(("x", "y")), start, at))
    return at + draw.choice((0, 2)), mentions


def tagged(n: int, mentions: Sequence[Mention], marks: str) -> list[object]:
    first, middle, last, single = marks
    tags: list[object] = ["O"] * n
    for kind, start, end in mentions:
        inside = [first, *(middle * (end - start - 2)), last] if end - start > 1 else [single]
        tags[start:end] = [f"{mark}-{kind}" for mark in inside]
    return tags


@pytest.mark.parametrize("scheme", MARKS)
def test_every_scheme_has_the_mentions_that_were_written(scheme: str) -> None:
    seen: set[str] = set()
    for seed in range(60):
        n, mentions = sentence(seed)
        assert strict_mentions(iob2("", tagged(n, mentions, MARKS[scheme]), (), marks=seen)) == mentions
        assert strict_mentions(iob2("", tagged(n, mentions, "BIIB"), ())) == mentions
    assert described_scheme(seen) == f"{scheme} tags, converted to IOB2"


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["X-x", "O"], "tag 'X-x' on word 1"),
        (["B-x", "E-x", "L-x"], "tag 'L-x' on word 3, and tags of another scheme"),
        (["S-x", "I-x"], "tag 'I-x' on word 2 after the end of a mention"),
        (["B-x", "E-x", "E-x"], "tag 'E-x' on word 3 after the end of a mention"),
        (["S", "O"], "for B and I without a type"),
    ],
)
def test_a_tag_of_no_scheme_is_one_line(tags: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        iob2("train.conll: line 1", tags, ())


def read(folder: Path, block: str, name: str, content: str) -> Task:
    for split in SPLITS:
        (folder / f"{name.format(split)}").write_text(content)
        (folder / f"{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")
    files = ", ".join(f"{split}: {name.format(split)}" for split in SPLITS)
    other = "  other: {kind: classification, path: {train: train.csv, dev: dev.csv, test: test.csv}}\n"
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{kind: ner, path: {{{files}}}, {block}}}\n{other}")
    return read_suite(folder / "suite.yaml")["mine"]


PLUS = "# global.columns = ID FORM NER\n"
ROWS = "1-2\tab\t_\n1\tfrumious\tB-x\n2\tbandersnatch\tI-x\n2.1\tno\t_\n3\tran\t_\n\n1\tshun\tO\n2\tit\tO\n"


def test_conllu_by_form_and_a_named_column(tmp_path: Path) -> None:
    task = read(tmp_path, "columns: {tags: NER}", "{}.conllup", PLUS + ROWS)
    assert [(e.words, e.label) for e in task.examples["dev"]] == [
        (("frumious", "bandersnatch", "ran"), ("B-x", "I-x", "O")),
        (("shun", "it"), ("O", "O")),
    ]


def test_conll_by_the_names_of_its_columns(tmp_path: Path) -> None:
    content = "D1 frumious S-x N\nD1 shun O V\n\nD2 it O N\nD2 ran O V\n"
    block = "format: conll, header: [doc, w, t, pos], columns: {words: w, tags: t}"
    task = read(tmp_path, block, "{}.data", content)
    assert [(e.words, e.label) for e in task.examples["test"]] == [
        (("frumious", "shun"), ("B-x", "O")),
        (("it", "ran"), ("O", "O")),
    ]
    assert task.notes == ("IOBES tags, converted to IOB2",)


@pytest.mark.parametrize(
    ("block", "name", "content", "said"),
    [
        ("format: conllu", "{}.txt", PLUS + ROWS, "train.txt: found CoNLL-U, and no column of tags"),
        ("columns: {tags: NE}", "{}.conllup", PLUS + ROWS, "found no column 'NE'; expected columns: {tags: one of ID"),
        ("columns: {tags: UPOS}", "{}.conllu", ROWS, "train.conllu: line 1: found 3 columns; expected 10, as named"),
        (
            "columns: {tags: NER}",
            "{}.conllup",
            "# global.columns.= x O\n",
            "line 1: found 4 columns; expected 10, as named",
        ),
        ("header: [w, t], format: conll", "{}.x", "frumious O\n", "found header: and no column of words"),
        (
            "header: [w, t], columns: {words: w, tags: t}, format: conll",
            "{}.x",
            "frumious O O\n",
            "train.x: line 1: found 3 columns; expected 2, as named",
        ),
    ],
)
def test_columns_that_are_not_there_are_one_line(
    block: str, name: str, content: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, block, name, content)
    assert said in str(caught.value)
    assert "frumious" not in str(caught.value)
