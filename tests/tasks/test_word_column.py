"""A conll file whose first column has ids and no words is refused; with the names of its columns it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS, tags_of

SENTENCES = [(("Folic", "acid", "helped"), ("B-Drug", "I-Drug", "O")), (("Zinc", "fell"), ("B-Drug", "O"))]

NAMINGS = {
    "sentence and word, as WebAnno 2": lambda sentence, word: f"{sentence}-{word}",
    "number of the sentence": lambda sentence, word: f"{sentence}",
    "id of the document": lambda sentence, word: "note.ab",
    "id of the sentence": lambda sentence, word: f"note.s{sentence}",
}


def write(folder: Path, naming: str, blank: str = "\n") -> None:
    for split in SPLITS:
        sentences = [*SENTENCES, ((split,), ("O",))]
        parts = [
            "".join(
                f"{NAMINGS[naming](n, k)}\t{word}\t{tag}\n"
                for k, (word, tag) in enumerate(zip(words, tags, strict=True), start=1)
            )
            for n, (words, tags) in enumerate(sentences, start=1)
        ]
        (folder / f"{split}.conll").write_text(blank.join(parts))


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_column_of_ids_is_not_read_as_words(naming: str, tmp_path: Path) -> None:
    write(tmp_path, naming)
    with pytest.raises(InputError) as error:
        read(tmp_path, "kind: ner, path: .")
    message = str(error.value)
    assert "train.conll: line 1: found" in message
    assert "header: [NAME, ...]" in message
    assert "\n" not in message
    task = read(tmp_path, "kind: ner, path: ., header: [a, b, c], columns: {words: b, tags: c}")
    assert [(one.words, tags_of(one)) for one in task.examples["train"]] == [*SENTENCES, (("train",), ("O",))]


def test_ids_of_sentences_without_blank_lines_are_not_read_as_words(tmp_path: Path) -> None:
    write(tmp_path, "id of the sentence", blank="")
    with pytest.raises(InputError, match="the same value on most lines of a sentence in column 1 of 3"):
        read(tmp_path, "kind: ner, path: .")


@pytest.mark.parametrize(
    "rows",
    [
        "ha\tIN\tO\nha\tIN\tO\nha\tIN\tO\nSPLIT\tNN\tB-X\nis\tVB\tO\nok\tJJ\tO\n",
        "12\tCD\tB-X\nSPLIT\tNN\tO\n",
        "12\t-\tB-X\n",
    ],
)
def test_words_that_repeat_or_are_numbers_stay_words(rows: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.conll").write_text(rows.replace("SPLIT", split))
    expected = tuple(line.split("\t")[0] for line in rows.replace("SPLIT", "train").splitlines())
    assert [one.words for one in read(tmp_path, "kind: ner, path: .").examples["train"]] == [expected]


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("1001|t|Aspirin for fever.", "what looks like PubTator; expected format: pubtator"),
        ("#FORMAT=WebAnno TSV 3.2", "WebAnno TSV"),
    ],
)
def test_files_of_other_formats_get_the_way_out(first: str, found: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.txt").write_text(f"{first}\n1001|a|None.\n")
    with pytest.raises(InputError, match=f"train.txt: line 1: found {found}"):
        read(tmp_path, "kind: ner, path: .")
