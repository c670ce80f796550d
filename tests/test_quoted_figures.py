"""Every figure in the tables of README and of two pages of explanation is that of a committed file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from quoted_figures import TABLES, percents

from taskaffinity.runs.rule import Rule

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / "explanation" / name for name in ("standard-errors.md", "estimates.md")]
README = ROOT / "README.md"


def table_rows(page: str) -> list[tuple[str, list[str]]]:
    """Return the section and the cells of every row of a page's tables, without their headings."""
    found, section, lines = [], "", page.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(("# ", "## ")):  # a subsection belongs to its section
            section = line.lstrip("# ")
        is_heading = bool(re.fullmatch(r"\|[-:| ]+\|", following))
        if line.startswith("|") and not is_heading and not re.fullmatch(r"\|[-:| ]+\|", line):
            found.append((section, [cell.strip() for cell in line.strip("|").split("|")]))
    return found


QUOTED = [
    (section, cells)
    for page in PAGES
    for section, cells in table_rows(page.read_text("utf-8"))
    if section.startswith("Measured")
]


def test_rows_of_tables_are_read() -> None:
    page = "# One\n### Part\n| a | b |\n|---|--:|\n| x | 1 |\n\n## Two\n| c |\n|---|\n| y |\ntext | z |\n"
    assert table_rows(page) == [("One", ["x", "1"]), ("Two", ["y"])]
    assert percents([0.0351, 0.0587]) == "3.5% to 5.9%"
    assert percents([0.5001, 0.5004], 0) == "50%"


@pytest.mark.parametrize(("section", "cells"), QUOTED, ids=[cells[0] for _, cells in QUOTED])
def test_the_page_quotes_what_was_measured(section: str, cells: list[str]) -> None:
    label, *_, figure = cells
    assert label in TABLES[section], "quoted_figures.py has no function for this row"
    assert figure == TABLES[section][label]()


def test_every_measured_section_has_its_table() -> None:
    assert {section for section, _ in QUOTED} == set(TABLES)


def test_readme_quotes_only_levels_and_measured_figures() -> None:
    levels = {f"{100 * Rule().alpha:g}"}
    measured = set(re.findall(r"([\d.]+)%", " ".join(cells[-1] for _, cells in QUOTED)))
    quoted = {
        figure
        for _, cells in table_rows(README.read_text("utf-8"))
        for figure in re.findall(r"(\d+(?:\.\d+)?) ?%", " ".join(cells))
    }
    assert quoted
    assert quoted <= levels | measured
