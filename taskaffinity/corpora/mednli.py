"""MedNLI 1.0.0: the task ``mednli``.

The corpus has premises from clinical notes and hypotheses by doctors. The input is three JSON Lines files with the keys
of SNLI. ``gold_label``, ``pairID``, ``sentence1`` (the premise) and ``sentence2`` are read; the parses are not. The
splits are the official ones. Only white space at the ends of a text is removed.
"""

from __future__ import annotations

from pathlib import Path

from taskaffinity.corpora.original import ConvertedTask, complete_lines, locate, premise_id
from taskaffinity.errors import input_error, named
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.lines import parse_line
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import Example, Split

LABELS = ("contradiction", "neutral", "entailment")
LICENCE = "PhysioNet Credentialed Health Data License: not to be shared"

_FILES: dict[Split, str] = {split: f"mli_{split}_v1.jsonl" for split in ("train", "dev", "test")}
_BELOW = ("mednli", "mednli-a-natural-language-inference-dataset-for-the-clinical-domain-1.0.0")
_KEYS = ("gold_label", "pairID", "sentence1", "sentence2")


def convert(raw: Path) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a file is missing or cut off, or a line does not match the format in the module's docstring.
    """
    files = locate(raw, {split: [name] for split, name in _FILES.items()}, _BELOW)
    splits = {split: [_row(where, line) for where, line in complete_lines(files[split])] for split in _FILES}
    card = TaskCard(
        kind="inference",
        labels=LABELS,
        title="MedNLI",
        source="MedNLI 1.0.0, PhysioNet (Romanov & Shivade 2018)",
        licence=LICENCE,
        split="official training, development and test sets",
    )
    return [ConvertedTask("mednli", card, splits)]


def _row(where: str, line: str) -> Row:
    pair = parse_line(where, line)
    values = [pair.get(key) if isinstance(pair, dict) else None for key in _KEYS]
    missing = [key for key, value in zip(_KEYS, values, strict=True) if not (isinstance(value, str) and value.strip())]
    if missing:
        raise input_error(where, f"no text as {missing[0]!r}", f"an object with {', '.join(_KEYS)}")
    label, name, premise, hypothesis = (str(value).strip() for value in values)
    if label not in LABELS:
        raise input_error(where, f"gold_label {named(label, LABELS)}", f"one of {', '.join(LABELS)}")
    return Row(Example(name, label, premise, hypothesis, document=premise_id(premise)))
