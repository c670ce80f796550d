"""BioC: mentions listed in a sentence, in its passage or in the document are read once, where their offsets are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError

SENTENCES = ("Snarks ran far. ", "The jabberwock slept.")
MENTIONS = {"sentence": (0, 6), "outer": (20, 30)}
"""Offsets in the document of a mention in the first sentence, and of one in the second."""
WORDS = {"Snarks", "jabberwock"}


def xml(name: str, level: str, outer: tuple[int, int]) -> str:
    """A document with two sentences: one mention is listed in the first, the other one on ``level``."""

    def annotation(start: int, end: int) -> str:
        place = f'<location offset="{start}" length="{end - start}"/>'
        return f'<annotation id="1"><infon key="type">Beast</infon>{place}</annotation>'

    marks = {key: annotation(*outer) if key == level else "" for key in ("sentence", "passage", "document")}
    first = f"<sentence><offset>0</offset><text>{SENTENCES[0]}</text>{annotation(*MENTIONS['sentence'])}</sentence>"
    second = f"<sentence><offset>16</offset><text>{SENTENCES[1]}</text>{marks['sentence']}</sentence>"
    passage = f"<passage><offset>0</offset>{first}{second}{marks['passage']}</passage>"
    return f"<collection><document><id>{name}</id>{passage}{marks['document']}</document></collection>"


def bioc_json(name: str, level: str, outer: tuple[int, int]) -> str:
    def annotation(start: int, end: int) -> dict[str, object]:
        return {"infons": {"type": "Beast"}, "locations": [{"offset": start, "length": end - start}]}

    marks = {key: [annotation(*outer)] if key == level else [] for key in ("sentence", "passage", "document")}
    sentences = [
        {"offset": 0, "text": SENTENCES[0], "annotations": [annotation(*MENTIONS["sentence"])]},
        {"offset": 16, "text": SENTENCES[1], "annotations": marks["sentence"]},
    ]
    passage = {"offset": 0, "text": None, "sentences": sentences, "annotations": marks["passage"]}
    return json.dumps({"documents": [{"id": name, "passages": [passage], "annotations": marks["document"]}]})


@pytest.mark.parametrize("level", ["sentence", "passage", "document"])
@pytest.mark.parametrize("write", [xml, bioc_json])
def test_a_mention_beside_the_sentences_is_tagged_in_its_sentence(write, level: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for number, split in enumerate(("train", "dev", "test")):
        (tmp_path / f"{split}.bioc").write_text(write(f"d{number}", level, MENTIONS["outer"]))
    task = read(tmp_path, "kind: ner, format: bioc, path: .")
    for split in ("train", "dev", "test"):
        tagged = [list(zip(one.words, one.label, strict=True)) for one in task.examples[split]]  # type: ignore[arg-type]
        assert [{word for word, tag in one if tag == "B-Beast"} for one in tagged] == [{"Snarks"}, {"jabberwock"}]


@pytest.mark.parametrize("level", ["passage", "document"])
@pytest.mark.parametrize("write", [xml, bioc_json])
def test_a_mention_that_no_sentence_holds_is_refused(write, level: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "train.bioc").write_text(write("7", level, (10, 30)))
    of = "sentence" if level == "passage" else "passage"
    said = rf"document '7': found a mention at 10-30 that no {of} holds; expected each mention within one {of}"
    with pytest.raises(InputError, match=said):
        read(tmp_path, "kind: ner, format: bioc, path: {train: train.bioc}, dev: 20%, test: 20%")


def test_a_mention_of_a_passage_without_a_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.xml").write_text(
        xml("7", "passage", (0, 1)).replace(SENTENCES[0], " ").replace(SENTENCES[1], "")
    )
    with pytest.raises(InputError, match="document '7': found mentions of a passage or sentence without a text"):
        read(tmp_path, "kind: ner, path: {train: train.xml}, dev: 20%, test: 20%")


def test_sentences_without_a_text_leave_the_text_of_the_passage(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "dev", "test")):
        content = xml(f"d{number}", "passage", MENTIONS["outer"])
        bare = content.replace(f"<text>{SENTENCES[0]}</text>", "").replace(f"<text>{SENTENCES[1]}</text>", "")
        whole = f"<passage><offset>0</offset><text>{''.join(SENTENCES)}</text>"
        (tmp_path / f"{split}.xml").write_text(bare.replace("<passage><offset>0</offset>", whole))
    task = read(tmp_path, "kind: ner, path: .")
    tagged = {w for one in task.examples["train"] for w, t in zip(one.words, one.label, strict=True) if t != "O"}  # type: ignore[arg-type]
    assert tagged == WORDS


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("write", [xml, bioc_json])
def test_a_text_of_a_passage_beside_its_sentences_is_theirs(write, is_whole: bool, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Text of a passage that is in no sentence would be lost."""
    text = "".join(SENTENCES) if is_whole else f"{''.join(SENTENCES)} More."
    for number, split in enumerate(("train", "dev", "test")):
        content = write(f"d{number}", "sentence", MENTIONS["outer"]).replace('"text": null', f'"text": "{text}"')
        whole = f"<passage><offset>0</offset><text>{text}</text>"
        (tmp_path / f"{split}.bioc").write_text(content.replace("<passage><offset>0</offset>", whole))
    if is_whole:
        assert len(read(tmp_path, "kind: ner, format: bioc, path: .").examples["train"]) == 2
        return
    with pytest.raises(
        InputError, match="document 'd0': found a passage of 43 characters whose sentences have 37 others"
    ):
        read(tmp_path, "kind: ner, format: bioc, path: .")
