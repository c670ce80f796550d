"""What the pictures say in words: the caption under a figure and the sentences that stand in for it."""

from __future__ import annotations

import math
from pathlib import PurePath

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.style import plural, signed
from taskaffinity.tasks.metrics import METRICS

SYNTHETIC = "synthetic stand-in"


def caption(matrix: AffinityMatrix) -> str:
    """How to read an arrow, in which unit, from how many seeds, with which encoder, and how sure."""
    by_metric: dict[str, list[str]] = {}
    for title, metric in zip(matrix.titles, matrix.metrics, strict=True):
        by_metric.setdefault(METRICS[metric].title, []).append(title)
    units = "; ".join(f"{metric} ({', '.join(titles)})" for metric, titles in by_metric.items())
    tested = sum(not math.isnan(matrix.p[arrow]) for arrow in matrix.arrows)
    found = [*matrix.seeds_single, *(matrix.seeds_pair[arrow] for arrow in matrix.arrows)]
    fewer = ", fewer where runs are missing" if min(found) < len(matrix.seeds) else ""
    sentences = [
        f"Edge s→t: training with s changes t by that many points (100 × the metric): {units}.",
        f"{plural(len(matrix.seeds), 'seed')} per arm{fewer}; "
        f"encoder {encoder_name(matrix)}; suite {matrix.suite}; {matrix.protocol} protocol.",
    ]
    if tested:
        sentences.append(
            f"{_level(matrix)} intervals and verdicts hold for new seeds and new test examples (two-way t; "
            f"Benjamini–Hochberg over {plural(tested, 'arrow')} at {matrix.alpha:g}; no effect: surely within "
            f"{plural(matrix.margin, 'point')} of 0; inconclusive: could be either)."
        )
    reasons = sorted({str(matrix.reason[arrow]) for arrow in matrix.arrows} - {""})
    if reasons:
        untested = plural(len(matrix.arrows) - tested, "arrow")
        sentences.append(f"{untested} without a test: {', '.join(reasons)}.")
    if matrix.synthetic:
        sentences.append(f"A {SYNTHETIC}: the text was made for this demonstration.")
    return " ".join(sentences)


def describe(matrix: AffinityMatrix) -> str:
    """The graph as text: a sentence for every decided arrow, and what is left open."""
    stamp = f" ({SYNTHETIC})" if matrix.synthetic else ""
    lines = [f"Task affinity of {matrix.suite}{stamp}: which tasks help which, in points."]
    for verdict in ("improves", "degrades", "no effect"):
        lines += [_sentence(matrix, arrow) for arrow in matrix.select(verdict)]
    open_arrows = matrix.select("inconclusive")
    if open_arrows:
        pairs = ", ".join(f"{matrix.titles[s]} → {matrix.titles[t]}" for s, t in open_arrows)
        lines.append(f"Inconclusive, {len(open_arrows)} of {len(matrix.arrows)} arrows: {pairs}.")
    return "\n".join([*lines, caption(matrix), ""])


def encoder_name(matrix: AffinityMatrix) -> str:
    """The encoder's name; of a path its last part, for where a folder lies is nobody else's business."""
    path = PurePath(matrix.encoder)
    return path.name if path.is_absolute() or matrix.encoder.startswith((".", "~")) else matrix.encoder


def _sentence(matrix: AffinityMatrix, arrow: tuple[int, int]) -> str:
    source, target = matrix.titles[arrow[0]], matrix.titles[arrow[1]]
    verb = "has no effect on" if matrix.verdict[arrow] == "no effect" else matrix.verdict[arrow]
    return (
        f"Training with {source} {verb} {target}: {signed(matrix.gain[arrow])} points "
        f"({_level(matrix)} interval {signed(matrix.low[arrow])} to {signed(matrix.high[arrow])})."
    )


def _level(matrix: AffinityMatrix) -> str:
    return f"{100 * (1 - matrix.alpha):g}%"
