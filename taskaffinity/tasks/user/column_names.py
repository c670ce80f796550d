"""Usual names of the columns of each field: in task files and Hugging Face data sets, and in BLUE's files."""

from __future__ import annotations

from taskaffinity.tasks.kinds import Field

USUAL: dict[Field, tuple[str, ...]] = {
    "id": ("id",),
    "idx": ("idx",),
    "document": ("document",),
    "split": (),
    "group": (),
    "text": ("text", "sentence1", "premise", "sentence"),
    "text_pair": ("text_pair", "sentence2", "hypothesis"),
    "label": ("label",),
    "words": ("words", "tokens"),
    "tags": ("tags", "ner_tags"),
    "entities": ("entities",),
    "options": ("options", "choices", "endings"),
    "start": ("start",),
    "is_impossible": ("is_impossible",),
}
"""Beside them, a kind of task has usual names of its own (``Traits.usual``)."""
BLUE: dict[Field, tuple[str, ...]] = {
    "idx": ("index",),
    "text": ("sentence1", "s1", "sentence"),
    "text_pair": ("sentence2", "s2"),
    "label": ("label", "score"),
}
