"""Every example of the page *Your file looks like this* is read as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.rows import count
from taskaffinity.tasks.task import SCORE_KINDS, SPLITS
from taskaffinity.tasks.user.suitefile import read_suite

PAGE = (Path(__file__).parents[2] / "docs/how-to/your-file.md").read_text()
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
FILE = re.compile(r"<!-- file: (\S+)(?: as (\S+))? -->\n```text\n(.*?)```", re.DOTALL)
NUMBER = {"train": "100", "dev": "200", "test": "300"}
FILLER = "\n  filler: {kind: classification, path: filler}\n"


def write_files(folder: Path, section: str) -> None:
    """Write the files of a section; those of dev and test have the same content with other ids."""
    for name, encoding, content in FILE.findall(section):
        for split in SPLITS if "train" in name else ("train",):
            path = folder / name.replace("train", split).replace("100", NUMBER[split])
            path.parent.mkdir(parents=True, exist_ok=True)
            changed = content.replace("train-", f"{split}-").replace("100", NUMBER[split])
            path.write_bytes(changed.encode(encoding or "utf-8"))
    (folder / "filler").mkdir()
    for split in SPLITS:
        (folder / f"filler/{split}.csv").write_text("text,label\none,a\ntwo,a\nthree,b\nfour,b\n")


def test_the_page_begins_with_a_whole_suite_file(tmp_path: Path) -> None:
    [suite] = re.findall(r"```yaml\n(.*?)```", PAGE.partition("\n## ")[0], re.DOTALL)
    (tmp_path / "suite.yaml").write_text(suite)
    write_files(tmp_path, SECTIONS["A table without a header"])
    assert len(read_suite(tmp_path / "suite.yaml", least=1)["complaints"].examples["train"]) == 4


@pytest.mark.parametrize("title", ["A column of 0 and 1 for each class", "BigBIO's schema"])
def test_equal_ids_in_two_splits_get_a_way_out(title: str, tmp_path: Path) -> None:
    """A new user copies the file of the page for every split."""
    write_files(tmp_path, SECTIONS[title])
    for path in [*tmp_path.glob("*/train.*")]:
        path.with_stem("dev").write_bytes(path.read_bytes())
    [block] = re.findall(r"```yaml\n(.*?)```", SECTIONS[title], re.DOTALL)
    lines = "".join(f"    {line}\n" for line in block.splitlines())
    (tmp_path / "suite.yaml").write_text(f"tasks:\n  mine:\n{lines}")
    with pytest.raises(InputError, match=r"again \(first: .*names of documents that differ .*, columns: {idx: NAME}"):
        read_suite(tmp_path / "suite.yaml", least=1)


def test_the_page_has_sections() -> None:
    assert len(SECTIONS) >= 29
    assert all(FILE.search(section) for section in SECTIONS.values())


@pytest.mark.parametrize("title", SECTIONS)
def test_an_example_is_read_as_the_page_says(title: str, tmp_path: Path) -> None:
    section = SECTIONS[title]
    write_files(tmp_path, section)
    [block] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    lines = "".join(f"    {line}\n" for line in block.splitlines())
    (tmp_path / "suite.yaml").write_text(f"name: toy\ntasks:\n  mine:\n{lines}{FILLER}")
    task = read_suite(tmp_path / "suite.yaml")["mine"]
    found = count(task.examples["train"], task.kind, task.negative)
    labels = ", ".join(f"{label} {n}" for label, n in found.labels.items())
    if task.kind in SCORE_KINDS:
        scores = [float(example.label) for example in task.examples["train"]]
        labels = f"{min(scores):.2f} to {max(scores):.2f}, mean {sum(scores) / len(scores):.2f}"
    if task.kind == "multilabel" and (empty := sum(not example.label for example in task.examples["train"])):
        labels += f", without a class {empty}"
    [said] = re.findall(r"^Read as: (.+)$", section, re.MULTILINE)
    assert said == f"{found.rows} examples; {labels}"
    [*notes] = re.findall(r"^Note: (.+)$", section, re.MULTILINE)
    assert notes == list(task.notes)
