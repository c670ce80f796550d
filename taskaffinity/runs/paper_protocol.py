"""``--protocol paper`` follows the released code, but for what is said here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from taskaffinity.runs.files import write_atomic

DEPARTURES = (
    "the last epoch is scored, where there the best on test was",
    "mini-batches are drawn anew each epoch, not frozen",
    "the second sentence of a pair stays second",
    "continuation pieces and special tokens are not classes",
    "a tagger's dropout is not shared over positions",
    "long dev and test sentences are cut by punctuation, not at gold tags",
    "spans are strict",
    "masks follow the true argument order, unless the files are BLUE's own",
)
"""What stays ours under the paper's protocol; README says the same."""

FILE = "departures.txt"


def write_departures(root: Path, protocols: Iterable[str]) -> None:
    """``DEPARTURES``, a line each, in a folder whose studies follow these protocols; no such file where none of them is
    the paper's."""
    if "paper" not in protocols:
        (root / FILE).unlink(missing_ok=True)
        return
    lines = ["--protocol paper does as the released code did, with these departures:", *(f"* {d}" for d in DEPARTURES)]
    write_atomic(root / FILE, ("\n".join(lines) + "\n").encode())


def describe_protocol(protocol: str) -> str:
    """``honest protocol``; of the paper's, how many departures it has and where they are."""
    if protocol != "paper":
        return f"{protocol} protocol"
    return f"paper protocol ({len(DEPARTURES)} departures from the released code: see {FILE})"
