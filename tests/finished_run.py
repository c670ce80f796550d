"""A finished run of one task with every file that a run can have, for tests of what is written and read."""

from __future__ import annotations

import numpy as np

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Head, Outcome, Predictions, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec

SPEC = RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), 0, Recipe())
RESULT = RunResult(
    SPEC,
    {"a": Outcome("accuracy", 1, 0.5, 0.5)},
    {"a/dev": np.array([[1.0, 1.0], [0.0, 1.0]]), "a/test": np.array([[1.0, 1.0], [0.0, 1.0]])},
    [{"epoch": 1, "loss": {"a": 0.75}, "dev": {"a": 0.5}}],
    {"train_seconds": 1.5, "steps": 12},
    {"torch": "2"},
    {"a/test": Predictions(["a.1", "a.2"], ["yes", "no"], ["yes", "yes"])},
    weights={1: {"encoder.weight": np.zeros((2, 2), dtype=np.float32)}},
    heads={"a": Head({"output.bias": np.zeros(2, dtype=np.float32)}, {"task": "{}"})},
)
