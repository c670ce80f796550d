"""What do windows find, and what do they cost? A planted task whose evidence lies past the first input.

    python tests/benchmarks/long_texts.py [--max-length 512] [--words 1000] [--out FILE]

Each text is 1,000 words, and a word is a token. What decides its class, and every mention of the tagging task, is after
the first 512 tokens. A small encoder with random weights is trained once with truncated texts and once for each way to
read windows. The script writes test scores to ``results/long_texts.csv``, and training examples a second, also as a
share of truncation's: the median of three epochs in turn, in seconds of the process. It takes minutes on one core.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import BertConfig, BertTokenizer

from taskaffinity.runs.recipe import FROM_SCRATCH, Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Task
from taskaffinity.training.encoders.load import Encoder, find_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.setup import setup_run

RESULTS = Path(__file__).parent / "results/long_texts.csv"
FILLER = [f"w{number}" for number in range(20)]
EVIDENCE = {"up": [f"u{number}" for number in range(3)], "down": [f"d{number}" for number in range(3)]}
WORDS = [*FILLER, *EVIDENCE["up"], *EVIDENCE["down"]]
SHARE = 1 / 12
"""Of the words past the first input, how many are evidence or mentions."""
READINGS: dict[str, dict[str, dict[str, str]]] = {
    "class": {
        "truncate": {},
        "windows, mean": {"long": "windows"},
        "windows, max": {"long": "windows", "pool": "max"},
    },
    "mentions": {"truncate": {"max_words": "none"}, "windows": {"long": "windows", "max_words": "none"}},
}
"""By task: the keys of a suite file for each way to read its texts."""


def texts(split: str, n: int, n_words: int, first: int) -> list[dict[str, Any]]:
    """Rows of one split; the words from number ``first`` on decide everything."""
    rng = np.random.default_rng([SPLITS.index(split), n_words])  # type: ignore[arg-type]
    rows = []
    for number in range(n):
        label = ("up", "down")[number % 2]
        words = rng.choice(FILLER, n_words).tolist()
        places = first + rng.choice(n_words - first, max(1, round(SHARE * (n_words - first))), replace=False)
        for place in places:
            words[place] = str(rng.choice(EVIDENCE[label]))
        tags = [f"B-{'Up' if word[0] == 'u' else 'Down'}" if word not in FILLER else "O" for word in words]
        rows.append({"id": f"{split}{number}", "text": " ".join(words), "label": label, "words": words, "tags": tags})
    return rows


def tasks_of(max_length: int, n_words: int, sizes: tuple[int, int, int]) -> dict[tuple[str, str], Task]:
    """Both tasks in every reading."""
    splits = {split: texts(split, n, n_words, max_length) for split, n in zip(SPLITS, sizes, strict=True)}
    columns = {"class": ("id", "text", "label"), "mentions": ("id", "words", "tags")}
    made = {}
    for name, readings in READINGS.items():
        data = {split: [{key: row[key] for key in columns[name]} for row in rows] for split, rows in splits.items()}
        for reading, keys in readings.items():
            suite = Suite.from_datasets({name: (data, {}, keys), "other": (data, {})})
            made[name, reading] = suite[name]
    return made


def encoder_of(folder: Path, max_length: int) -> Encoder:
    """A BERT without trained weights, of one layer, whose longest input has ``max_length`` tokens."""
    config = BertConfig(
        vocab_size=len(WORDS) + 5,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=max_length,
        initializer_range=0.1,
    )
    config.from_scratch = True
    config.save_pretrained(folder)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True).save_pretrained(folder)
    return find_encoder(str(folder))


def measure(max_length: int, n_words: int, sizes: tuple[int, int, int], epochs: int) -> list[dict[str, object]]:
    """Train every task in every reading; return scores and relative speeds."""
    torch.set_num_threads(1)
    recipe = replace(FROM_SCRATCH, max_length=max_length, num_train_epochs=epochs, batch_size=16)
    tasks, rows = tasks_of(max_length, n_words, sizes), []
    with tempfile.TemporaryDirectory() as place:
        cache, encoder = Path(place), encoder_of(Path(place) / "encoder", max_length)
        specs = {key: RunSpec((task.ref,), encoder.ref, 0, recipe) for key, task in tasks.items()}
        prepare(list(tasks.values()), encoder, recipe, cache)
        seconds = {key: statistics.median(times) for key, times in _times(specs, encoder, cache, recipe).items()}
        for (name, reading), spec in specs.items():
            outcome = execute(spec, encoder_folder=encoder.folder, cache=cache).outcomes[name]
            rows.append(
                {
                    "task": name,
                    "reading": reading,
                    "max_length": max_length,
                    "words": n_words,
                    "metric": outcome.metric,
                    "test": round(100 * outcome.test, 1),
                    "examples_per_second": round(sizes[0] / seconds[name, reading], 1),
                    "relative_speed": round(seconds[name, "truncate"] / seconds[name, reading], 2),
                }
            )
    return rows


def _times(
    specs: dict[tuple[str, str], RunSpec], encoder: Encoder, cache: Path, recipe: Recipe
) -> dict[tuple[str, str], list[float]]:
    """Seconds of this process for an epoch of each run, three of each in turn."""
    found: dict[tuple[str, str], list[float]] = {key: [] for key in specs}
    for _ in range(3):
        for key, spec in specs.items():
            setup = setup_run(spec, encoder_folder=encoder.folder, cache=cache, scored=())
            began = time.process_time()
            list(TrainingLoop(setup.model, setup.training.splits, replace(recipe, num_train_epochs=1), seed=0).epochs())
            found[key].append(time.process_time() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--words", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    frame = pd.DataFrame(measure(asked.max_length, asked.words, (asked.examples, 60, 200), asked.epochs))
    print(frame.to_string(index=False))
    frame.to_csv(asked.out, index=False)


if __name__ == "__main__":
    main()
