"""The notebooks run from top to bottom on a results folder, and are kept without outputs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parent / "analysis"))
from fake_studies import fill, latent_counts, make_study

from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_a_results_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(["a", "b", "c"], synthetic=True)
    study.write(tmp_path)
    fill(study, tmp_path, latent_counts({("a", "b"): 0.6}, n=300), skip=lambda spec: spec.task_names == ("a", "c"))
    monkeypatch.setenv("TASKAFFINITY_NOTEBOOK_RESULTS", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    before = sorted(tmp_path.iterdir())
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    words = " ".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs)
    for expected in ("synthetic stand-in", "+ improves", "? inconclusive"):
        assert expected in words.lower()
    assert sorted(tmp_path.iterdir()) == before  # it only reads


def test_the_first_notebook_reads_the_committed_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TASKAFFINITY_NOTEBOOK_RESULTS", raising=False)
    example = NOTEBOOKS[0].parent / "example_results"
    assert all(spec in RunStore(example) for spec in Study.read(example).plan), "its runs are of another version"
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOKS[0].parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_clean_and_imports_only_the_reading_rooms(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert cell.outputs == []
        assert cell.execution_count is None
        code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("taskaffinity"):
                assert (node.module or "").split(".")[1] in ("analysis", "tasks", "runs")
