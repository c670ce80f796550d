"""Imports point down, training and analysis never import each other, few subpackages import heavy libraries."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

import taskaffinity

PACKAGE = Path(taskaffinity.__file__).parent
LAYERS = [
    {"errors"},
    {"atomic", "garbage_collection", "private", "python_names", "regular_file"},
    {"output_file"},
    {"tasks"},
    {"corpora", "runs", "grouping"},
    {"training", "analysis"},
    {"schedule"},
    {"tuning", "tracking"},
    {"studies"},
    {"cli"},
    {"__main__", "__init__"},  # what that one exports is loaded when it is asked for
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
HOMES = {
    "torch": {"training"},
    "transformers": {"training"},
    "tokenizers": {"training"},
    "huggingface_hub": {"training"},
    "ray": {"schedule", "tuning/on_ray.py"},
    "matplotlib": {
        "analysis/figures",
        "analysis/report",
        "analysis/style.py",
        "analysis/results.py",
        "analysis/groups/results.py",
    },
    "seaborn": {"analysis/figures"},
    "jinja2": {"analysis"},
    "mlflow": {"tracking"},
    "wandb": {"tracking"},
    "tensorboard": {"tracking"},
    "tensorboardX": {"tracking"},
    "datasets": {"tasks"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def subpackage_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def lives_in(place: str, homes: set[str]) -> bool:
    return any(place == home or place.startswith(f"{home}/") for home in homes)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def running_imports_of(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner_imports(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports_of(path) if name.startswith("taskaffinity."))
    return {part[1] for part in parts} - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_and_heavy_libraries_stay_at_home(path: Path) -> None:
    subpackage = subpackage_of(path)
    assert subpackage in LAYER, f"{subpackage} has no layer"
    above = {
        other
        for other in inner_imports(path) - {subpackage}
        if LAYER.get(other, len(LAYERS)) >= LAYER.get(subpackage, -1)
    }
    assert not above, f"{subpackage} may not import {above}"
    outer = {name.partition(".")[0] for name in imports_of(path)}
    place = path.relative_to(PACKAGE).as_posix()
    astray = {library for library, homes in HOMES.items() if library in outer and not lives_in(place, homes)}
    assert not astray, f"{subpackage} is not the home of {astray}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports within functions count too; those for type checkers do not, for they never run."""
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in MODULES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name, path in names.items():
        for target in running_imports_of(path):
            parents = (target, target.rpartition(".")[0])  # a module, or a name in it
            found = next((one for one in parents if one in names), None)
            if found is not None and found not in (name, "taskaffinity"):
                graph.add_edge(name, found)
    assert list(nx.simple_cycles(graph)) == []


def test_what_is_imported_is_asked_for_by_name() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[>]", one)[0].lower() for one in asked}
    own_names = {"yaml": "pyyaml", "mlflow": "mlflow-skinny"}
    outer = {name.partition(".")[0] for path in MODULES for name in imports_of(path)}
    outer -= {*sys.stdlib_module_names, "taskaffinity", "PIL", "markupsafe"}  # matplotlib's and jinja2's own
    assert {own_names.get(name, name).lower() for name in outer} <= names


@pytest.mark.parametrize(
    "subpackage",
    [
        "tasks",
        "corpora",
        "runs",
        "grouping",
        "training",
        "analysis",
        "schedule",
        "tuning",
        "tracking",
        "studies",
        "cli",
    ],
)
def test_every_subpackage_exists(subpackage: str) -> None:
    assert (PACKAGE / subpackage).is_dir() or (PACKAGE / f"{subpackage}.py").is_file()


def test_reading_a_study_loads_neither_torch_nor_ray_nor_transformers() -> None:
    below = sorted((PACKAGE / "analysis").rglob("*.py"))
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in below]
    names = ["taskaffinity", "taskaffinity.analysis", *(name for name in names if not name.endswith("__init__"))]
    code = f"import sys, {', '.join(names)}; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"torch", "ray", "transformers"} & set(loaded)


def test_what_the_package_exports_is_what_its_homes_hold_and_loads_no_torch() -> None:
    code = (
        "import sys, taskaffinity; before = 'numpy' in sys.modules; "
        "from taskaffinity import *; print(before, *sys.modules)"
    )
    before, *loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert before == "False"
    assert "networkx" in loaded
    assert not {"torch", "ray", "transformers"} & set(loaded)
    assert all(getattr(taskaffinity, name).__name__ == name for name in taskaffinity.__all__)
    assert set(taskaffinity.__all__) <= set(dir(taskaffinity))
    with pytest.raises(AttributeError, match="no_such"):
        _ = taskaffinity.no_such
