"""The departures of ``--protocol paper`` from the released code."""

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
"""How the paper's protocol still differs from the released code; the docs list the same."""

FILE = "departures.txt"


def write_departures(root: Path, protocols: Iterable[str]) -> None:
    """Write ``departures.txt`` if one of the protocols is the paper's; otherwise remove it."""
    if "paper" not in protocols:
        (root / FILE).unlink(missing_ok=True)
        return
    lines = ["--protocol paper does as the released code did, with these departures:", *(f"* {d}" for d in DEPARTURES)]
    write_atomic(root / FILE, ("\n".join(lines) + "\n").encode())


def describe_protocol(protocol: str) -> str:
    """The name of the protocol; for the paper's, with the number of departures and their file."""
    if protocol != "paper":
        return f"{protocol} protocol"
    return f"paper protocol ({len(DEPARTURES)} departures from the released code: see {FILE})"
