"""What does a split of test sentences at gold tags give away? One model, tested with both splits.

    python tests/benchmarks/gold_splits.py DATA ENCODER [--examples 1500] [--seed 1] [--test-examples N] [--out FILE]

The released code of the paper splits test sentences of more than 30 words after the last gold O; this toolkit splits
them after punctuation. One joint model of both BC5CDR tasks is trained by ``--protocol paper`` with every token as a
class (batches of 8, learning rate 1e-4, 3 epochs), so the difference contains no noise of seeds. The script also counts
the words that the model takes for X, CLS or SEP, which the released code may predict and this toolkit may not. It
appends two rows to ``results/gold_splits.csv``, or to ``--out``. 1,500 examples take about 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from taskaffinity.runs.recipe import PAPER_REFINE
from taskaffinity.runs.spec import RunSpec
from taskaffinity.tasks.formats import read_task
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.training.encoders.load import find_encoder, load_tokenizer
from taskaffinity.training.execute import prepare
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, task_meta
from taskaffinity.training.inputs.tokenize import encode_examples
from taskaffinity.training.inputs.vocabulary import renumbered
from taskaffinity.training.loop import TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import batches_by_tokens, predict
from taskaffinity.training.setup import setup_run

TASKS = ("bc5cdr-chemical", "bc5cdr-disease")
RESULTS = Path(__file__).parent / "results/gold_splits.csv"


def f1(model: MultiTaskModel, meta: TaskMeta, split: EncodedSplit) -> float:
    """Span F1 as conlleval counts, in points."""
    metric = METRICS["span_f1_conlleval"]
    gold, predicted = [list(tags) for tags in split.gold], predict(model, meta, split)
    return 100 * float(metric.score(metric.tally(gold, predicted, meta.scored).sum(axis=0)))


@torch.inference_mode()
def token_classes(model: MultiTaskModel, meta: TaskMeta, split: EncodedSplit) -> int:
    """Number of words for which X, CLS or SEP is the class with the highest output."""
    head, n_found = model.heads[meta.name], 0
    head.train()  # its outputs then include these classes
    head.dropout.eval()
    for rows in batches_by_tokens(np.diff(split.bounds), 1024):
        n_found += int((model(make_batch(meta.name, split, rows)).argmax(dim=-1) >= len(meta.outputs)).sum())
    head.eval()
    return n_found


def measure(data: Path, encoder_folder: str, n_train: int, n_test: int | None, seed: int) -> list[dict[str, object]]:
    """Train one model, and test it with both splits of the test sentences."""
    torch.set_num_threads(1)
    encoder, tasks = find_encoder(encoder_folder), {name: read_task(data / name) for name in TASKS}
    recipe = replace(PAPER_REFINE, learning_rate=1e-4, batch_size=8, num_train_epochs=3, released_classes=True)
    recipe = replace(recipe, max_train_examples=n_train, max_eval_examples=n_test, sample_seed=seed)
    tokenizer = load_tokenizer(encoder.folder)
    with tempfile.TemporaryDirectory() as cache:
        prepare(list(tasks.values()), encoder, recipe, Path(cache))
        spec = RunSpec(tuple(sorted(task.ref for task in tasks.values())), encoder.ref, seed, recipe)
        setup = setup_run(spec, encoder_folder=encoder.folder, cache=Path(cache))
    for epoch in TrainingLoop(setup.model, setup.training.splits, recipe, seed=seed).epochs():
        print(epoch.number, dict(epoch.losses), f"{epoch.seconds:.0f} s", flush=True)
    rows: list[dict[str, object]] = []
    for name, task in tasks.items():
        meta, ours = setup.metas[name], setup.splits["test"][name]
        chosen = set(ours.ids)
        examples = [example for example in task.examples["test"] if example.id in chosen]
        at_gold = encode_examples(
            examples, tokenizer, task_meta(task), recipe.max_length, recipe.max_words, is_train=True
        )
        at_gold = renumbered(at_gold, setup.token_ids)
        rows.append(
            {
                "task": name,
                "train_examples": n_train,
                "seed": seed,
                "f1_punctuation": round(f1(setup.model, meta, ours), 2),
                "f1_gold": round(f1(setup.model, meta, at_gold), 2),
                "words": len(at_gold.targets),
                "token_classes": token_classes(setup.model, meta, at_gold),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("encoder")
    parser.add_argument("--examples", type=int, default=1500)
    parser.add_argument("--test-examples", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    frame = pd.DataFrame(measure(asked.data, asked.encoder, asked.examples, asked.test_examples, asked.seed))
    print(frame.to_string(index=False))
    frame.to_csv(asked.out, mode="a", header=not asked.out.exists(), index=False)


if __name__ == "__main__":
    main()
