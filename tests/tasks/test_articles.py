"""SQuAD's nested files are the same task as one flat object per question; damaged ones are one line without text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.tasks.user.suitefile import read_suite

SECRET = "frumious bandersnatch"


def articles(split: str) -> list[dict[str, Any]]:
    """Three articles, the last without a title, of two paragraphs with two questions; every fourth has no answer."""
    found = []
    for a in range(3):
        paragraphs = []
        for p in range(2):
            context = f"The {SECRET} {a} {p} of {split} eats."
            qas = [
                {"id": f"{split}-{a}-{p}-0", "question": "Who eats?", "answers": [{"text": SECRET, "answer_start": 4}]},
                {"id": f"{split}-{a}-{p}-1", "question": "Who sleeps?", "is_impossible": True, "answers": []},
            ]
            qas[1]["plausible_answers"] = [{"text": SECRET, "answer_start": 4}]
            if p:  # a question that is impossible whatever its answers say, and one of two answers
                qas[1]["answers"] = qas[1]["plausible_answers"]
                qas[0]["answers"] = [*qas[0]["answers"], {"text": "The", "answer_start": 0}]
            paragraphs.append({"context": context, "qas": qas})
        found.append({"title": f"Title {a}", "paragraphs": paragraphs} if a < 2 else {"paragraphs": paragraphs})
    return found


def read(folder: Path, name: str) -> Task:
    (folder / "other").mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / f"other/{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")
    other = "other: {kind: classification, path: other}"
    (folder / "suite.yaml").write_text(f"tasks:\n  mine: {{kind: spans, path: {name}}}\n  {other}\n")
    return read_suite(folder / "suite.yaml")["mine"]


def write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / f"{split}.json").write_text(text.replace("of train", f"of {split}").replace("train-", f"{split}-"))


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_articles_without_an_object_around_it_is_the_same_task(indent: int | None, tmp_path: Path) -> None:
    write(tmp_path / "whole", json.dumps({"data": articles("train")}))
    write(tmp_path / "list", json.dumps(articles("train"), indent=indent))
    assert read(tmp_path, "list").fingerprint == read(tmp_path, "whole").fingerprint


@pytest.mark.parametrize("indent", [None, 1])
def test_articles_are_the_task_of_their_questions(indent: int | None, tmp_path: Path) -> None:
    write(tmp_path / "nested", json.dumps({"version": "2", "data": articles("train")}, indent=indent))
    flat = []
    for article in articles("train"):
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                impossible = question.get("is_impossible", False)
                row = {"id": question["id"], "text": question["question"], "text_pair": paragraph["context"]}
                row["document"] = article.get("title")
                row["label"] = [] if impossible else [one["text"] for one in question["answers"]]
                flat.append(row)
    write(tmp_path / "flat", "\n".join(json.dumps(row) for row in flat))
    for name in SPLITS:
        (tmp_path / f"flat/{name}.json").rename(tmp_path / f"flat/{name}.jsonl")
    nested, expected = read(tmp_path, "nested"), read(tmp_path, "flat")
    for split in SPLITS:
        of_nested, of_flat = nested.examples[split], expected.examples[split]
        assert [replace(one, document="") for one in of_nested] == [replace(one, document="") for one in of_flat]
        assert [one.document for one in of_nested[:8]] == [one.document for one in of_flat[:8]]
        assert len(of_nested) == 12
        assert len({one.document for one in of_nested}) == 3
    untitled = {split: {one.document for one in nested.examples[split][8:]} for split in SPLITS}
    assert not untitled["train"] & untitled["dev"]  # other texts: other documents
    assert sum(not example.label for example in nested.examples["train"]) == 6


@pytest.mark.parametrize(
    ("article", "said"),
    [
        ({"title": SECRET}, "article 1: found null in the place of a list of objects"),
        ({"paragraphs": SECRET}, "article 1: found a text of 21 characters in the place of a list of objects"),
        ({"paragraphs": [SECRET]}, "article 1: found a list of 1 in the place"),
        ({"paragraphs": [{"qas": []}]}, "article 1, paragraph 1: found null as context"),
        ({"paragraphs": [{"context": SECRET}]}, "article 1, paragraph 1: found null in the place"),
        (
            {"paragraphs": [{"context": SECRET, "qas": [{"id": "7", "answers": []}]}]},
            "paragraph 1, question 1 ('7'): found",
        ),
        (
            {
                "paragraphs": [
                    {"context": SECRET, "qas": [{"id": SECRET, "question": SECRET, "answers": [{"text": 1}]}]}
                ]
            },
            "paragraph 1, question 1 (a text of 21 characters): found",
        ),
    ],
)
def test_damage_is_one_line_without_its_text(article: dict[str, Any], said: str, tmp_path: Path) -> None:
    write(tmp_path / "nested", json.dumps({"data": [article, {"paragraphs": []}]}, indent=1))
    with pytest.raises(InputError) as caught:
        read(tmp_path, "nested")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "bandersnatch" not in str(caught.value)
