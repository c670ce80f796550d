"""The notebooks hold the outputs of their code, and run from top to bottom on any results folder."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).parent / "analysis"))
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.publish import publish
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PICTURES = {
    "1_read_the_graph": 3,
    "2_gains_and_noise": 3,
    "3_who_helps_whom": 1,
    "4_your_own_tasks": 2,
    "5_from_tasks_to_models": 3,
}
OF_ANY_STUDY = {
    "1_read_the_graph": ("text is synthetic", "improves", "inconclusive"),
    "2_gains_and_noise": ("text is synthetic", "mde", "no pair run"),
    "3_who_helps_whom": ("text is synthetic", "not available", "by_chance"),
    "4_your_own_tasks": ("files above: False", "improves"),
    "5_from_tasks_to_models": ("3 tasks, 6 arrows",),
}
"""Words of their outputs on a results folder that is not committed."""
MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:tmp|home|root|work|usr|var|opt|Users)/|[A-Z]:\\)")
MOST_BYTES = 300_000
STALE = "run: python notebooks/run_all.py"
READ = {"example_results", "own_results"}
LIBRARIES = {"taskaffinity", "numpy", "pandas", "matplotlib", "seaborn"}


def run_all() -> Any:
    """Return the module ``notebooks/run_all.py``."""
    spec = importlib.util.spec_from_file_location("run_all", FOLDER / "run_all.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs_of(notebook: Any) -> list[Any]:
    """Return the outputs of all cells, in order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def texts(notebook: Any) -> list[str]:
    """Return the text of each output that is not only a picture."""
    return [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in outputs_of(notebook)]


def count_pictures(notebook: Any) -> int:
    """Return the number of pictures among the outputs."""
    return sum("image/png" in output.get("data", {}) for output in outputs_of(notebook))


def code_of(path: Path) -> Iterator[ast.AST]:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            code = "\n".join(line for line in cell.source.splitlines() if not line.startswith("%"))
            yield from ast.walk(ast.parse(code))


def test_each_has_its_expectations() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(PICTURES)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_a_results_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(["a", "b", "c"], synthetic=True)
    study.write(tmp_path)
    counts = latent_counts({("a", "b"): 0.6}, n=300)
    fill(study, tmp_path, counts, skip=lambda spec: spec.task_names == ("a", "c"), epochs=3)
    publish(study, RunStore(tmp_path), tmp_path)
    monkeypatch.setenv("TASKAFFINITY_NOTEBOOK_RESULTS", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    notebook = run_all().execute(path)
    words = " ".join(texts(notebook)).lower()
    assert count_pictures(notebook) == PICTURES[path.stem]
    for expected in OF_ANY_STUDY[path.stem]:
        assert expected.lower() in words
    assert sorted(tmp_path.rglob("*")) == before  # it only reads


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_its_outputs_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = run_all()
    for name in module.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert texts(module.execute(path)) == texts(nbformat.read(path, as_version=4)), STALE


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_belong_to_the_code_and_the_results(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.get("taskaffinity") == run_all().hashes(path, notebook), STALE
    assert count_pictures(notebook) == PICTURES[path.stem]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_are_small_and_name_no_machine(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert path.stat().st_size < MOST_BYTES
    for output in outputs_of(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert not MACHINE_PATH.search(output.get("text", "") + "".join(output.get("data", {}).values()))
    assert all(cell.metadata == {} for cell in notebook.cells), "no times of execution"


@pytest.mark.parametrize("name", sorted(READ))
def test_the_committed_results_are_of_this_version_and_small(name: str) -> None:
    example = FOLDER / name
    assert all(spec in RunStore(example) for spec in Study.load(example).plan), "its runs are of another version"
    assert not list(example.rglob("predictions.parquet"))
    runs = [path.stat().st_size for path in (example / "runs").rglob("*") if path.is_file()]
    assert sum(runs) < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_imports_no_training(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))
    for node in code_of(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in LIBRARIES | set(sys.stdlib_module_names)
            if name.startswith("taskaffinity."):
                assert name.split(".")[1] in ("analysis", "tasks", "errors")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_defines_a_function(path: Path) -> None:
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in code_of(path) if isinstance(node, defined)]
