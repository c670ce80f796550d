"""Run the notebooks and store their outputs in them: ``python notebooks/run_all.py``.

Each notebook holds two hashes in its metadata: of its code, and of the results folder that it reads. A test compares
them with the files, so that code and outputs stay together.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
RESULTS = {"4_your_own_tasks": "own_results", "5_from_tasks_to_models": "eight_tasks"}
"""The results folder of a notebook, where it is not ``example_results``."""
VARIABLES = ("TASKAFFINITY_NOTEBOOK_RESULTS", "TASKAFFINITY_DATA")
COLOURS = 128


def hash_code(notebook: Any) -> str:
    """Return the hash of all code cells."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def hash_results(folder: Path) -> str:
    """Return the hash of what a notebook reads in a results folder: the study, its tables and its runs."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("study.json"), *folder.glob("*.csv"), *folder.glob("runs/**/*.json")]):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def hashes(path: Path, notebook: Any) -> dict[str, str]:
    """Return both hashes as the metadata holds them."""
    results = FOLDER / RESULTS.get(path.stem, "example_results")
    return {"code": hash_code(notebook), "results": hash_results(results)}


def execute(path: Path) -> Any:
    """Run a notebook in its folder and return it with outputs."""
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    options = {"timeout": 300, "record_timing": False, "coalesce_streams": True}
    NotebookClient(notebook, resources=place, **options).execute()
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def shrink(png: str) -> str:
    """Return a picture with at most ``COLOURS`` colours, base64 as before."""
    buffer = BytesIO()
    with Image.open(BytesIO(base64.b64decode(png))) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def main() -> None:
    """Run every notebook and write it back."""
    for name in VARIABLES:
        os.environ.pop(name, None)
    for path in NOTEBOOKS:
        notebook = execute(path)
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = shrink(output.data["image/png"])
        notebook.metadata.taskaffinity = hashes(path, notebook)
        nbformat.write(notebook, path)
        sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
