"""The notebooks run from top to bottom on a results folder, and are kept without outputs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parent / "analysis"))
from fake_studies import fill, latent_counts, make_study

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PICTURES = {"1_read_the_graph": 3, "2_gains_and_noise": 3, "3_who_helps_whom": 1, "4_your_own_tasks": 2}
SHOWN = {
    "1_read_the_graph": ("synthetic stand-in", "+ improves", "? inconclusive"),
    "2_gains_and_noise": (
        "synthetic stand-in",
        "highest",
        "up",
        "mde",
        "examples_share",
        "more seeds to significance",
    ),
    "3_who_helps_whom": ("synthetic stand-in", "rank_out", "by_chance", "taught", "new_words", "shareclefe"),
    "4_your_own_tasks": ("suite.yaml", "unknown key 'colums'", "found label null", "inconclusive", "24 more seeds"),
}
"""Words of their outputs on the committed results."""
OF_ANY_STUDY = {
    "1_read_the_graph": ("synthetic stand-in", "+ improves", "? inconclusive"),
    "2_gains_and_noise": ("synthetic stand-in", "mde", "no pair run"),
    "3_who_helps_whom": ("synthetic stand-in", "not at hand", "by_chance"),
    "4_your_own_tasks": ("trained on: False", "improves"),
}
READ = {"example_results", "own_results"}
LIBRARIES = {"taskaffinity", "numpy", "pandas", "matplotlib", "seaborn"}


def run(path: Path) -> tuple[int, str]:
    """Pictures, and all words of the outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    words = " ".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    return sum("image/png" in output.get("data", {}) for output in outputs), words


def code_of(path: Path) -> Iterator[ast.AST]:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
            yield from ast.walk(ast.parse(code))


def test_there_are_four() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(PICTURES)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_a_results_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(["a", "b", "c"], synthetic=True)
    study.write(tmp_path)
    counts = latent_counts({("a", "b"): 0.6}, n=300)
    fill(study, tmp_path, counts, skip=lambda spec: spec.task_names == ("a", "c"), epochs=3)
    monkeypatch.setenv("TASKAFFINITY_NOTEBOOK_RESULTS", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    pictures, words = run(path)
    assert pictures == PICTURES[path.stem]
    for expected in OF_ANY_STUDY[path.stem]:
        assert expected.lower() in words.lower()
    assert sorted(tmp_path.rglob("*")) == before  # it only reads


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_reads_the_committed_results(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TASKAFFINITY_NOTEBOOK_RESULTS", "TASKAFFINITY_DATA"):
        monkeypatch.delenv(name, raising=False)
    pictures, words = run(path)
    assert pictures == PICTURES[path.stem]
    for expected in SHOWN[path.stem]:
        assert expected.lower() in words.lower()


@pytest.mark.parametrize("name", sorted(READ))
def test_the_committed_results_are_of_this_version_and_small(name: str) -> None:
    example = FOLDER / name
    assert all(spec in RunStore(example) for spec in Study.load(example).plan), "its runs are of another version"
    assert not list(example.rglob("predictions.parquet"))
    runs = [path.stat().st_size for path in (example / "runs").rglob("*") if path.is_file()]
    assert sum(runs) < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_clean_and_imports_only_the_reading_rooms(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    for node in code_of(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in LIBRARIES | set(sys.stdlib_module_names)
            if name.startswith("taskaffinity"):
                assert name.split(".")[1] in ("analysis", "tasks", "runs")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_defines_a_function(path: Path) -> None:
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in code_of(path) if isinstance(node, defined)]
