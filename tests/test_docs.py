"""The documentation is true: pages that follow from the code do, links lead somewhere, commands can be given."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
WRITTEN = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["cli.md", "departures.md", "modules.md", "recipe.md", "results-folder.md"])
def test_a_page_that_follows_from_the_code_is_up_to_date(name: str) -> None:
    expected = generator().PAGES[name]()
    assert (ROOT / "docs/reference" / name).read_text(encoding="utf-8") == expected, "run: python docs/generate.py"


@pytest.mark.parametrize("name", generator().SHOW_THE_TABLE)
def test_a_page_shows_the_table_of_the_example(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert generator().with_example_table(text) == text, "run: python docs/generate.py"


def test_every_column_of_every_file_has_its_line() -> None:
    page = (ROOT / "docs/reference/results-folder.md").read_text(encoding="utf-8")
    for name, columns in COLUMNS.items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        own = [column for column in columns if name != "test_sets.csv" or column not in COLUMNS["edges.csv"]]
        assert re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE) == own, name


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", WRITTEN, ids=short)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name) if name else page
        assert place.exists(), f"{short(page)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{short(page)}: {target}"


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands_of(page: Path) -> list[list[str]]:
    """Every ``taskaffinity`` command in a block of shell, without comments and redirections."""
    found = []
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language not in ("bash", "console", "sh", "shell"):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;", line):
                try:
                    words = shlex.split(part.partition(" # ")[0].strip().removeprefix("$ "), comments=True)
                except ValueError:
                    continue
                if words[:1] == ["taskaffinity"]:
                    found.append([word for word in words[1:] if word not in (">", "<")])
    return found


@pytest.mark.parametrize("page", WRITTEN, ids=short)
def test_every_command_exists_with_its_options(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for words in commands_of(page):
        command, rest = group, list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        if rest and rest[0].startswith("--") and command is group:
            assert rest[0] in ("--help", "--version", "--install-completion"), words
            continue
        assert command is not group, f"{short(page)}: {words}"
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        given = {word.partition("=")[0] for word in rest if re.match(r"--\w", word)}
        assert given <= options, f"{short(page)}: {words}"


def test_the_table_in_the_readme_is_what_the_tool_prints(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "notebooks/example_results", tmp_path / "results")
    done = CliRunner().invoke(app, ["graph", str(folder), "--figures=heatmap", "--format=svg"])
    printed = [line.rstrip() for line in done.stdout.splitlines()[:-1]]
    [shown] = re.findall(r"^```text\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [line.rstrip() for line in shown.splitlines()] == [line for line in printed if line.strip()]


ARCHITECTURE = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "taskaffinity"
INSIDE = re.findall(
    r"^`(\w+)/`:\n\n((?:[-  ].*\n)+)",
    ARCHITECTURE.partition("## Inside the larger")[2].partition("\n## ")[0],
    re.MULTILINE,
)
"""Subpackage of the architecture page, and the list of what is in it."""


def test_the_architecture_page_names_every_subpackage_and_what_it_names_exists() -> None:
    table = ARCHITECTURE.partition("## Inside")[0]
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(re.findall(r"^\| \d \| `(\w+)/` \|", table, re.MULTILINE)) == folders
    alone = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"`(\w+\.py)`", table)) == alone
    for name in re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", ARCHITECTURE):
        assert (PACKAGE / name).exists() or (ROOT / name).exists() or any(PACKAGE.glob(f"*/{name}")), name


@pytest.mark.parametrize(("name", "items"), INSIDE, ids=[name for name, _ in INSIDE])
def test_the_architecture_page_names_every_folder_inside_a_subpackage_and_its_modules_exist(
    name: str, items: str
) -> None:
    folder = PACKAGE / name
    assert set(re.findall(r"`(\w+)/`", items)) >= {path.parent.name for path in folder.glob("*/__init__.py")}
    for module in re.findall(r"`(\w+\.py)`", items):
        assert list(folder.rglob(module)), module


def test_the_architecture_page_lists_the_larger_subpackages() -> None:
    sizes = {path.parent.name: len(list(path.parent.rglob("*.py"))) for path in PACKAGE.glob("*/__init__.py")}
    assert {name for name, _ in INSIDE} >= {
        name for name in ("tasks", "runs", "training", "analysis") if sizes[name] > 50
    }
    assert len(INSIDE) >= 5
