"""Figures of 4, 8, 16 and 30 tasks from invented scores: do they stay readable?

    python tests/benchmarks/many_tasks.py [OUT] [SIZE ...]     default: docs/images/many-tasks, 4 8 16 30

Each size has a graph, a heat map (clustered order above 8 tasks) and a forest. Nothing is trained: tasks come in groups
of about four; tasks of a group help each other, some tasks hurt another group. The seed is fixed, so the files are the
same bytes again. They are small (256 colours, at most 1200 pixels wide).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.figures.gallery import draw_figure
from taskaffinity.analysis.measure import measure
from taskaffinity.runs.store import RunStore

OUT = Path(__file__).resolve().parents[2] / "docs" / "images" / "many-tasks"
SIZES = (4, 8, 16, 30)
WIDEST, COLOURS = 1200, 256
NAMES = (
    *("MedNLI", "ClinicalSTS", "i2b2 2010", "ShARe/CLEFE", "BIOSSES", "MedSTS", "DDI", "ChemProt"),
    *("BC5CDR chemical", "BC5CDR disease", "NCBI disease", "JNLPBA", "BC2GM", "LINNAEUS", "Species-800", "AnatEM"),
    *("PubMedQA", "BioASQ", "HoC", "GAD", "EU-ADR", "MQP", "RQE", "MeQSum"),
    *("LitCovid", "CoNLL-2003", "WNUT-17", "SciERC", "SciTail", "SNLI"),
)


def invented(size: int, root: Path) -> tuple[AffinityMatrix, RunStore]:
    """A study of ``size`` tasks whose scores are drawn at random around planted gains."""
    rng = np.random.default_rng(size)
    names = [f"t{place:02d}" for place in range(size)]
    shuffled = rng.permutation(size)  # tasks of a group are not neighbours in the suite
    group = {names[place]: rank // 4 for rank, place in enumerate(shuffled)}
    gains = {}
    for s in names:
        for t in names:
            if s != t and group[s] == group[t]:
                gains[s, t] = float(rng.choice([0.0, 0.25, 0.4, 0.6], p=[0.3, 0.25, 0.25, 0.2]))
            elif s != t and rng.random() < 0.04:
                gains[s, t] = float(rng.choice([-0.35, -0.5, 0.35]))
    study = make_study(names, titles=dict(zip(names, NAMES, strict=False)), synthetic=True)
    store = fill(study, root, latent_counts(gains, n=900))
    return measure(study, store), store


def write_small(figure: Figure, path: Path) -> None:
    """Write a PNG with few colours; neither time nor version is in the file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160, bbox_inches="tight", pad_inches=0.15)
    with Image.open(content) as drawn:
        image = drawn.convert("RGB")
        if image.width > WIDEST:
            image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
        image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def main(out: Path, sizes: tuple[int, ...]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            matrix, store = invented(size, Path(folder))
            options = FigureOptions(order="clustered" if size > 8 else "suite")
            for name in ("graph", "heatmap", "forest"):
                drawn = draw_figure(name, matrix, store, options)
                figure = drawn if isinstance(drawn, Figure) else cast(Axes, drawn).get_figure(root=True)
                path = out / f"{name}-{size}.png"
                write_small(cast(Figure, figure), path)
                print(f"{path}: {path.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT, tuple(map(int, sys.argv[2:])) or SIZES)
