"""fastText's files: one text per line with its labels, as they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import Task
from taskaffinity.tasks.user.suitefile import read_suite

LINES = [
    "__label__pos A warm, dry day.",
    "__label__neg\tRain  again",
    "",
    "__label__pos __label__neg sun and rain",
    "no label here",
    "a label __label__neg within",
]
ONE = [line for line in LINES if line.count("__label__") == 1]


def read(folder: Path, kind: str, lines: list[str], name: str = "{}.txt", form: str = ", format: fasttext") -> Task:
    for split in ("train", "dev", "test"):
        (folder / name.format(split)).write_text("\n".join(lines) + "\n", encoding="utf-8")
    suite = folder / "suite.yaml"
    suite.write_text(f"name: s\ntasks:\n  a: {{kind: {kind}, path: .{form}}}\n")
    return read_suite(suite, needs_test=False, least=1)["a"]


def expected(lines: list[str]) -> list[tuple[str, list[str]]]:
    """The words of each line that are labels, and the others: what fastText itself sees."""
    rows = [line.split() for line in lines if line.split()]
    return [
        (" ".join(w for w in row if not w.startswith("__label__")), [w[9:] for w in row if w.startswith("__label__")])
        for row in rows
    ]


@pytest.mark.parametrize("name", ["{}.txt", "{}.ft.txt", "{}.ft", "{}.csv"])
def test_lines_with_one_label(name: str, tmp_path: Path) -> None:
    task = read(tmp_path, "classification", ONE * 2, name)
    found = [(" ".join(one.text.split()), [one.label]) for one in task.examples["train"]]
    assert found == expected(ONE * 2)
    assert task.labels == ("neg", "pos")
    assert task.examples["train"][1].text == "Rain  again"  # a text is kept as it is


def test_lines_with_any_number_of_labels(tmp_path: Path) -> None:
    task = read(tmp_path, "multilabel", LINES)
    found = [(" ".join(one.text.split()), list(one.label)) for one in task.examples["train"]]
    assert found == [(text, sorted(labels)) for text, labels in expected(LINES)]


def test_the_ending_ft_needs_no_format(tmp_path: Path) -> None:
    assert len(read(tmp_path, "classification", ONE * 2, "{}.ft", form="").examples["train"]) == 6


def test_a_packed_file(tmp_path: Path) -> None:
    read(tmp_path, "classification", ONE * 2)
    for split in ("train", "dev", "test"):
        path = tmp_path / f"{split}.txt"
        path.with_name(f"{split}.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert len(read_suite(tmp_path / "suite.yaml", least=1)["a"].examples["train"]) == 6


@pytest.mark.parametrize("name", ["{}.txt", "{}.csv", "{}.tsv"])
def test_a_file_that_looks_like_fasttext_gets_a_hint(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="looks like fastText; expected format: fasttext, with kind: classification"):
        read(tmp_path, "classification", ONE * 2, name, form="")


def test_a_file_in_a_list_of_files_gets_the_hint_too(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"cooking.{split}").write_text("\n".join(LINES))
    suite = tmp_path / "suite.yaml"
    files = "{train: cooking.train, dev: cooking.dev, test: cooking.test}"
    suite.write_text(f"name: s\ntasks:\n  a: {{kind: multilabel, path: {files}}}\n")
    with pytest.raises(InputError, match=r"cooking.train: found what looks like fastText; expected format: fasttext"):
        read_suite(suite, least=1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "__label__a __label__b red horse",
            "line 5: found 2 labels; expected one; for several labels per line, kind: m",
        ),
        ("red horse", "line 5: found no label; expected one$"),
        ("__label__ red horse", "line 5: found label an empty text"),
        ("__label__a,__label__b red horse", "line 5: found a label with __label__ inside it; expected white space"),
        ("__label__a", "line 5: .*empty"),
    ],
)
def test_a_line_that_cannot_be_is_refused(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, "classification", ["__label__a red", "__label__b blue"] * 2 + [line])


def test_columns_and_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found columns for format fasttext; expected none"):
        read(tmp_path, "classification", ONE, form=", format: fasttext, columns: {text: a}")
    with pytest.raises(InputError, match="found format fasttext for kind regression; expected one of"):
        read(tmp_path, "regression", ONE)
