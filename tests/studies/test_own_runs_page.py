"""The code of the page on your own runs makes tables that ``verdicts`` reads, from stand-ins of the other programs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from transformers.trainer_utils import PredictionOutput

from taskaffinity.runs.external.predictions import read_predictions
from taskaffinity.runs.external.scoring import Scoring

PAGE = Path(__file__).parents[2] / "docs/how-to/verdicts-on-your-own-runs.md"
BLOCK = re.compile(r"^<!-- needs: runs of yours -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRAINER, LOOP, MACHAMP, TAGS = BLOCK.findall(PAGE.read_text("utf-8"))
GOLD, SAID = ["yes", "no", "yes"], ["yes", "yes", "yes"]
KEYS = [("rte", "", 0), ("rte", "mnli", 0)]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(path: str, metric: str = "accuracy", gold: Any = GOLD, said: Any = SAID) -> None:
    rows = read_predictions(path, Scoring.of(metric))[0]["rte"]
    assert rows.gold == gold
    assert {key: list(found.values()) for key, found in rows.predicted.items()} == dict.fromkeys(KEYS, said)


def test_the_block_of_the_trainer() -> None:
    names = {0: "no", 1: "yes"}
    of = {name: number for number, name in names.items()}
    output = PredictionOutput(np.eye(2)[[of[one] for one in SAID]], np.array([of[one] for one in GOLD]), {})
    for target, source, seed in KEYS:
        trainer = SimpleNamespace(
            predict=lambda test_set: output,
            model=SimpleNamespace(config=SimpleNamespace(id2label=names)),
            args=SimpleNamespace(seed=seed),
        )
        exec(TRAINER, {"trainer": trainer, "test_set": None, "target": target, "source": source})
    check("predictions.csv")


def test_the_block_of_a_loop() -> None:
    test_set = [{"id": f"e{place}", "label": GOLD[place], "said": SAID[place]} for place in range(3)]
    exec(
        LOOP,
        {
            "models": dict.fromkeys(KEYS),
            "test_sets": {"rte": test_set},
            "predict": lambda model, example: example["said"],
        },
    )
    check("predictions.parquet")


def test_the_blocks_of_machamp() -> None:
    Path("data").mkdir()
    for path, labels in (("data/rte.test", GOLD), ("rte.0.out", SAID), ("rte_mnli.0.out", SAID)):
        Path(path).write_text("".join(f"a text\tanother\t{label}\n" for label in labels))
    exec(MACHAMP, {})
    check("predictions.csv")


def test_the_block_of_machamps_tags() -> None:
    gold, said = ["O B-Drug", "O"], ["O O", "B-Drug"]
    Path("data").mkdir()
    for path, sentences in (("data/rte.test", gold), ("rte.0.out", said), ("rte_mnli.0.out", said)):
        words = [[f"w\tx\t{tag}\n" for tag in tags.split()] for tags in sentences]
        Path(path).write_text("".join("# sent_id = 1\n" + "".join(one) + "\n" for one in words))
    before, after = MACHAMP.split("def labels")
    exec(before + TAGS + after[after.index("\n\n\n") :], {})
    tags = [[tuple(one.split()) for one in side] for side in (gold, said)]
    check("predictions.csv", "span_f1", *tags)
