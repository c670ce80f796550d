"""A folder that a GPU machine without a network needs beside torch: wheels, this benchmark, and a script that runs it.

Nothing else has to travel, because ``gpu.py`` invents its corpora and its encoder where it runs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("transformers", "pydantic")
"""Packages that come with all they require, without those of ``THERE``."""
ALONE = ("accelerate", "psutil")
"""Packages that come alone: ``accelerate``, which the Hugging Face Trainer needs, requires torch."""
THERE = ("numpy",)
"""What a machine that has torch has too."""
PLATFORMS = [
    "manylinux_2_28_x86_64",
    "manylinux_2_24_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
]
SCRIPT = """#!/bin/sh
# Installs the wheels beside this script into a temporary folder and runs gpu.py; PYTHON names a Python that has torch.
set -e
here=$(cd "$(dirname "$0")" && pwd)
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
"${PYTHON:-python3}" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$here"/wheels/*.whl
PYTHONPATH=$site "${PYTHON:-python3}" "$here/benchmarks/gpu.py" "$@"
"""


def gather(words: Sequence[str]) -> int:
    """Fill the folder that the command line names; the exit code."""
    parser = argparse.ArgumentParser(prog="gpu.py gather", description=__doc__)
    parser.add_argument("folder", type=Path, help="a new or an empty folder")
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--python", default=this, help="version of Python on the GPU machine; default: %(default)s")
    parser.add_argument("--also", nargs="+", default=[], metavar="PACKAGE", help="further packages, such as scipy")
    asked = parser.parse_args(words)
    if asked.folder.exists() and any(asked.folder.iterdir()):
        parser.error(f"{asked.folder} is not empty")
    wheels, benchmarks = asked.folder / "wheels", asked.folder / "benchmarks"
    benchmarks.mkdir(parents=True)
    _download(wheels, asked.python, NEEDED, "-c", str(ROOT / "constraints.txt"))
    _download(wheels, asked.python, (*ALONE, *asked.also), "--no-deps", "-c", str(ROOT / "constraints.txt"))
    for wheel in wheels.glob("*.whl"):
        if wheel.name.split("-")[0] in THERE:
            wheel.unlink()
    _build(wheels)
    for script in (*Path(__file__).parent.glob("gpu*.py"), *map(Path(__file__).with_name, ("peers.py", "roofline.py"))):
        shutil.copy(script, benchmarks)
    (asked.folder / "run.sh").write_text(SCRIPT, encoding="utf-8")
    size = sum(path.stat().st_size for path in asked.folder.rglob("*") if path.is_file()) / 2**20
    print(f"{asked.folder}: {size:.0f} MiB; there: sh run.sh --out FOLDER")
    return 0


def _download(wheels: Path, python: str, packages: Sequence[str], *options: str) -> None:
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    of_python = ["--implementation", "cp", "--python-version", python, "--only-binary=:all:", *platforms]
    _pip("download", "-q", "-d", str(wheels), *of_python, *options, *packages)


def _build(wheels: Path) -> None:
    """The project's own wheel, from a copy, so that the checkout stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        shutil.copytree(ROOT / "taskaffinity", copy / "taskaffinity", ignore=shutil.ignore_patterns("__pycache__"))
        _pip("wheel", "-q", "--no-deps", "-w", str(wheels), str(copy))


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], check=True)
