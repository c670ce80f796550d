"""Classes that differ only in case, Unicode form, white space or invisible characters are named in a note."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import normalize

import pytest
from one_task import read

from taskaffinity.tasks.task import SPLITS

NFC, NFD = normalize("NFC", "présent"), normalize("NFD", "présent")
UNICODE, CASE, SPACE = "Unicode form (NFC or NFD)", "case", "case or white space"


def notes(folder: Path, labels: list[str], kind: str = "classification") -> tuple[str, ...]:
    for split in SPLITS:
        rows = [
            {"text": f"{split} {n}", "labels": labels, "label": labels[n % len(labels)]} for n in range(2 * len(labels))
        ]
        if kind == "ner":
            rows = [{"words": [split], "tags": [f"B-{label}"]} for label in labels]
        key = {"multilabel": "labels"}.get(kind, "label")
        kept = [{name: value for name, value in row.items() if name in ("text", key, "words", "tags")} for row in rows]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    return read(folder, f"kind: {kind}, path: .").notes


@pytest.mark.parametrize("kind", ["classification", "multilabel", "ner"])
@pytest.mark.parametrize(
    ("pair", "how"), [((NFC, NFD), UNICODE), (("Absent", "absent"), CASE), ((NFC.upper(), NFD), CASE)]
)
def test_labels_that_are_alike_are_named(kind: str, pair: tuple[str, str], how: str, tmp_path: Path) -> None:
    first, second = sorted(pair)
    expected = f"{first!r} and {second!r} are two classes, which differ only in {how}"
    assert notes(tmp_path, [*pair, "other"], kind) == (expected,)


def test_white_space_within_a_label(tmp_path: Path) -> None:
    [note] = notes(tmp_path, ["not known", "not  known"])
    assert note.endswith(f"differ only in {SPACE}")


@pytest.mark.parametrize(
    ("pair", "how"),
    [
        (("fever", "fever\u200b"), "invisible characters"),
        (("\ufefffever", "fever"), "invisible characters"),
        (("Fever", "fe\u00adver"), "case, white space or invisible characters"),
    ],
)
def test_labels_that_look_the_same_are_named(pair: tuple[str, str], how: str, tmp_path: Path) -> None:
    first, second = sorted(pair)
    expected = f"{first!r} and {second!r} are two classes, which differ only in {how}"
    assert notes(tmp_path, [*pair, "other"]) == (expected,)


def test_other_labels_have_no_note(tmp_path: Path) -> None:
    assert notes(tmp_path, ["absent", "abscent", "present", "0", "O", "\U0001f44d", "\U0001f44e\U0001f3fd"]) == ()


def test_a_long_label_is_not_quoted_and_many_pairs_are_counted(tmp_path: Path) -> None:
    long = "the frumious bandersnatch ran away"
    found = notes(tmp_path, [long, long.title(), *(one for name in "abcd" for one in (name, name.upper()))])
    assert len(found) == 4
    assert found[-1] == "2 more such pairs of classes"
    assert not any("frumious" in note for note in found)
