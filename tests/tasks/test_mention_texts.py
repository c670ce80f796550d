"""The text of a mention is compared with the text at its offsets; offsets in other units are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

TEXT = "\U0001f600\U0001f600 He took the frumious pill."
WORD = "frumious"
IN_UNITS = {
    "characters": len(TEXT.partition(WORD)[0]),
    "UTF-16 units": len(TEXT.partition(WORD)[0].encode("utf-16-le")) // 2,
    "bytes of UTF-8": len(TEXT.partition(WORD)[0].encode()),
}


def jsonl(start: int) -> dict[str, str]:
    entity = {"start": start, "end": start + len(WORD), "text": WORD, "label": "Kind"}
    return {"SPLIT.jsonl": json.dumps({"id": "SPLIT", "text": TEXT, "entities": [entity]})}


def pubtator(start: int) -> dict[str, str]:
    return {"SPLIT.pubtator": f"ID|t|{TEXT}\nID|a|x\nID\t{start}\t{start + len(WORD)}\t{WORD}\tKind\n"}


def bioc(start: int) -> dict[str, str]:
    place = f'<location offset="{start + 7}" length="{len(WORD)}"/>'
    mention = f'<annotation><infon key="type">Kind</infon>{place}<text>{WORD}</text></annotation>'
    passage = f"<passage><offset>7</offset><text>{TEXT}</text>{mention}</passage>"
    return {"SPLIT.xml": f"<collection><document><id>ID</id>{passage}</document></collection>"}


def brat(start: int) -> dict[str, str]:
    return {"SPLIT/ID.txt": TEXT, "SPLIT/ID.ann": f"T1\tKind {start} {start + len(WORD)}\t{WORD}\n"}


WRITERS = {"": jsonl, "pubtator": pubtator, "bioc": bioc, "brat": brat}


def write(folder: Path, files: dict[str, str]) -> str:
    for number, split in enumerate(SPLITS, start=1):
        for name, content in files.items():
            path = folder / name.replace("SPLIT", split).replace("ID", str(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("SPLIT", split).replace("ID", str(number)))
    return "kind: ner, path: ."


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("unit", IN_UNITS)
def test_offsets_in_other_units_than_characters_are_named(unit: str, form: str, tmp_path: Path) -> None:
    block = write(tmp_path, WRITERS[form](IN_UNITS[unit])) + (form and f", format: {form}")
    if unit == "characters":
        [example] = [one for one in read(tmp_path, block).examples["train"] if WORD in one.words]
        assert example.label[example.words.index(WORD)] == "B-Kind"  # type: ignore[index]
        return
    with pytest.raises(
        InputError, match=f"8 characters that is not at its offsets .*, which count {unit}; exp"
    ) as caught:
        read(tmp_path, block)
    assert WORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_that_is_elsewhere_is_refused_with_its_line(tmp_path: Path) -> None:
    block = write(tmp_path, jsonl(IN_UNITS["characters"] - 3))
    place = IN_UNITS["characters"] - 3
    found = rf"a mention of 8 characters that is not at its offsets {place}-{place + 8};"
    with pytest.raises(InputError, match=rf"train.jsonl: line 1: entity 1: found {found}") as caught:
        read(tmp_path, block)
    assert WORD not in str(caught.value)


SPACED = "folic acid "
SPACED_FILES = {
    "": {
        "SPLIT.jsonl": json.dumps(
            {
                "text": "folic\nacid.",
                "id": "SPLIT",
                "entities": [{"start": 0, "end": 10, "text": SPACED, "label": "Drug"}],
            }
        )
    },
    "pubtator": {"SPLIT.pubtator": f"ID|t|folic acid.\nID|a|x\nID\t0\t10\t{SPACED}\tDrug\n"},  # as in the NCBI corpus
    "brat": {"SPLIT/ID.txt": "folic acid.", "SPLIT/ID.ann": f"T1\tDrug 0 10\t{SPACED}\n"},
}


@pytest.mark.parametrize("form", SPACED_FILES)
def test_white_space_in_the_text_of_a_mention_is_not_compared(form: str, tmp_path: Path) -> None:
    block = write(tmp_path, SPACED_FILES[form]) + (form and f", format: {form}")
    assert read(tmp_path, block).examples["train"][0].label[:2] == ("B-Drug", "I-Drug")  # type: ignore[index]


@pytest.mark.parametrize(
    ("start", "end", "words", "noted"),
    [
        (8, 15, ["He", "took", "aspirin", "."], ()),
        (
            8,
            14,
            ["He", "took", "aspiri", "n", "."],
            ("3 mentions that begin or end inside a word, which is cut there",),
        ),
        (
            9,
            15,
            ["He", "took", "a", "spirin", "."],
            ("3 mentions that begin or end inside a word, which is cut there",),
        ),
    ],
)
def test_mentions_that_cut_words_are_counted(
    start: int, end: int, words: list[str], noted: tuple[str, ...], tmp_path: Path
) -> None:
    """As if the end were that of the last character, or the first character were 1; JSONL need not have their texts."""
    for split in SPLITS:
        row = {"text": "He took aspirin.", "entities": [{"start": start, "end": end, "label": "Drug"}]}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row))
    task = read(tmp_path, "kind: ner, path: .")
    assert (list(task.examples["dev"][0].words), task.notes) == (words, noted)
