"""A wheel of the checkout installs and runs elsewhere; version and container follow from the same files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import taskaffinity

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "taskaffinity"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
NO_BYTECODE = shutil.ignore_patterns("__pycache__", "*.pyc")
SMALL = ["--seeds=1", "--seeds-single=1", "--executor=local", "--set=num_train_epochs=1"]
SMALL += ["--set=max_train_examples=64", "--set=max_eval_examples=50"]
WRITTEN = ["study.json", "edges.csv", "affinity.png", "heatmap.png", "forest.png", "affinity.graphml"]


def copied_by_docker() -> list[str]:
    """The sources of every COPY line."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [word for line in lines for word in line.split()]


def package_files() -> set[str]:
    """Every file of the package, relative to the checkout."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the files that the Dockerfile copies, built in a copy of the checkout."""
    source, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    for name in copied_by_docker():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=NO_BYTECODE)
        else:
            shutil.copy(ROOT / name, source)
    build = ["wheel", ".", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", *build], cwd=source, check=True)
    [built] = out.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel; its other libraries are those of this environment."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    install = ["--python", str(folder / "bin/python"), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, env=outside())
    [site] = folder.glob("lib/python*/site-packages")
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "libraries.pth").write_text("\n".join(paths))
    return folder / "bin"


def outside() -> dict[str, str]:
    """The environment's variables without those of Python, which may name the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run_outside(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program = str(environment / command[0])
    return subprocess.run([program, *command[1:]], cwd=folder, env=outside(), capture_output=True, text=True)


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if not name.partition("/")[0].endswith(".dist-info")}
    assert names == package_files()
    assert any(name.endswith(".csv") for name in names)


@pytest.mark.slow
def test_the_wheel_runs_the_main_command_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    where = run_outside(environment, tmp_path, "python", "-c", "import taskaffinity; print(taskaffinity.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(environment.parent), where.stderr
    version = run_outside(environment, tmp_path, "taskaffinity", "--version")
    assert version.stdout == f"taskaffinity {taskaffinity.__version__}\n"
    done = run_outside(environment, tmp_path, "taskaffinity", "pairwise", "--domain", "clinical", *SMALL)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results/clinical"
    assert [name for name in WRITTEN if not (results / name).is_file()] == []
    assert len(list(results.glob("runs/*/result.json"))) == 4 + 6
    report = run_outside(environment, tmp_path, "taskaffinity", "report", "results/clinical")
    assert report.returncode == 0, report.stderr  # reads the template
    assert (results / "report.html").is_file()


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert taskaffinity.__version__ == project["version"]
    assert f'"{project["version"]}"' not in (PACKAGE / "__init__.py").read_text(encoding="utf-8")


def test_the_lowest_versions_that_were_tried_are_those_that_are_promised() -> None:
    lines = (ROOT / "tests/lowest_versions.txt").read_text(encoding="utf-8").splitlines()
    tried = {Requirement(line).name: line.partition("==")[2] for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["test"]])
    promised = {one.name: Version(str(one.specifier).removeprefix(">=")) for one in needed if one.specifier}
    del promised["torch"], tried["torch"], promised["ruff"], promised["mypy"]
    assert {name: Version(version) for name, version in tried.items()} == promised


def test_the_citation_names_the_paper_and_no_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert "version" not in citation
    assert [author["family-names"] for author in citation["preferred-citation"]["authors"]] == ["Peng", "Chen", "Lu"]


def test_docker_copies_files_that_exist_and_nothing_else_is_sent() -> None:
    sources = copied_by_docker()
    assert [name for name in sources if not (ROOT / name).exists()] == []
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*"
    assert sorted(line.removeprefix("!") for line in lines if line.startswith("!")) == sorted(sources)


def test_docker_installs_as_the_readme_does() -> None:
    [readme] = re.findall(r"^pip install (.*) -e \.$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    installs = re.findall(r"pip install --no-cache-dir (.*?)(?:;| \\|$)", DOCKERFILE, re.MULTILINE)
    assert [line for line in installs if not line.startswith(readme)] == []
    assert installs[-1] == f"{readme} ."
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert re.search(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE)[1] == needed.removeprefix(">=")  # type: ignore[index]


def test_the_cluster_page_names_the_image_and_the_build_argument() -> None:
    page = (ROOT / "docs/how-to/cluster.md").read_text(encoding="utf-8")
    [tag] = set(re.findall(r"docker build -t (\S+)", page + DOCKERFILE))
    [argument] = re.findall(r"^ARG (\w+)=", DOCKERFILE, re.MULTILINE)
    assert f"docker-daemon://{tag}:latest" in page
    assert f"--build-arg {argument}=" in page
    assert 'ENTRYPOINT ["taskaffinity"]' in DOCKERFILE


def test_beside_a_checkout_of_that_name_the_package_is_found(tmp_path: Path) -> None:
    """A folder without ``__init__.py`` is a namespace package, which Python must not take for the installed one."""
    (tmp_path / "taskaffinity" / "notebooks").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = "import taskaffinity; print(taskaffinity.pairwise.__name__, taskaffinity.load.__name__)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["pairwise", "load"], done.stderr
