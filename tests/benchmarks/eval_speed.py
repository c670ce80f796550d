"""How fast is evaluation? Ours beside batches sorted by length and padded, on the same model and text.

    python tests/benchmarks/eval_speed.py DATA ENCODER [--threads 1] [--rounds 7] [--examples 512] [--out FOLDER]

Ways in turn in one process, medians over rounds of ratios within one: ours (``prediction.predict``), and a stock
encoder with SDPA attention in ``inference_mode`` over batches of 32 sorted by length and padded to their longest, over
such of 8 (less padding, and about as many tokens as ours has at once), or of 32 in file order. Ours and the sorted ones
also with matrix products in 16 bits, as dev is looked at by runs that train so, where these are faster; shares are of
the peak in 32. Test splits of ``chemprot`` and ``bc5cdr-disease``. Writes ``eval_speed.csv`` into ``results/``, or into
``--out``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from roofline import matmul_peak, read_of, useful_flops
from train_speed import RESULTS, TASKS, machine
from transformers import AutoConfig, AutoModel, PreTrainedModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.tasks.formats import read_task
from taskaffinity.training.encoders.load import find_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.inputs.encoded import EncodedSplit
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.prediction import predict
from taskaffinity.training.profile.precision import products_in_bf16

OURS: dict[str, Literal["bf16"] | None] = {"ours": None, "ours, 16 bits": "bf16"}


@torch.inference_mode()
def padded(encoder: PreTrainedModel, split: EncodedSplit, *, is_sorted: bool, size: int = 32) -> float:
    """Seconds of an evaluation by padded batches; the head's share is left out, in favour of this way."""
    lengths = np.diff(split.bounds)
    order = np.argsort(lengths, kind="stable") if is_sorted else np.arange(split.n_rows)
    began = time.perf_counter()
    for first in range(0, len(order), size):
        rows = order[first : first + size]
        tokens = torch.zeros(len(rows), int(lengths[rows].max()), dtype=torch.long)
        types, mask = torch.zeros_like(tokens), torch.zeros_like(tokens)
        for place, row in enumerate(rows):
            span = slice(split.bounds[row], split.bounds[row + 1])
            tokens[place, : lengths[row]] = torch.from_numpy(split.tokens[span].astype(np.int64))
            types[place, : lengths[row]] = torch.from_numpy(split.token_types[span].astype(np.int64))
            mask[place, : lengths[row]] = 1
        encoder(input_ids=tokens, token_type_ids=types, attention_mask=mask)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--examples", type=int, default=512, help="of each task")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder; default: %(default)s")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    in_16_bits = products_in_bf16() > 1
    encoder, recipe = find_encoder(str(asked.encoder)), Recipe()
    config = AutoConfig.from_pretrained(asked.encoder)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as work:
        tasks = [read_task(asked.data / name) for name in TASKS]
        prepare(tasks, encoder, recipe, Path(work))
        lengths = (recipe.max_length, recipe.max_words)
        folders = [cache_folder(Path(work), task.fingerprint, encoder.ref.fingerprint, *lengths) for task in tasks]
        found = [read_encoded(folder) for folder in folders]
        metas = {meta.name: meta for meta, _ in found}
        splits = {meta.name: arrays["test"].sample(asked.examples, 0) for meta, arrays in found}
        model = MultiTaskModel(asked.encoder, metas, seed=0)
        stock = AutoModel.from_pretrained(asked.encoder, attn_implementation="sdpa").eval()
        for number in range(-1, asked.rounds):  # the first warms up
            peak = matmul_peak()
            for name, split in splits.items():
                seconds = {"sorted, padded": padded(stock, split, is_sorted=True)}
                seconds["sorted, padded, batches of 8"] = padded(stock, split, is_sorted=True, size=8)
                seconds["in order, padded"] = padded(stock, split, is_sorted=False)
                if in_16_bits:
                    with torch.autocast("cpu", torch.bfloat16):
                        seconds["sorted, padded, 16 bits"] = padded(stock, split, is_sorted=True)
                        seconds["sorted, padded, batches of 8, 16 bits"] = padded(stock, split, is_sorted=True, size=8)
                for way, precision in OURS.items():
                    if precision and not in_16_bits:
                        continue
                    model.precision = precision
                    began = time.perf_counter()
                    predict(model, metas[name], split)
                    seconds[way] = time.perf_counter() - began
                lengths_of_rows = np.diff(split.bounds).tolist()
                for way, spent in seconds.items():
                    read = read_of(split) if way in OURS else None
                    flops = useful_flops(config, lengths_of_rows, read, backward=False)
                    shared = {"round": number, "task": name, "way": way, "seconds": spent}
                    rows.append({**shared, "examples": split.n_examples, "share": flops / spent / peak})
    measured = pd.DataFrame(rows).query("round >= 0")
    ours = measured[measured.way == "ours"].set_index(["round", "task"]).seconds
    measured["ratio"] = (
        measured.seconds.to_numpy() / ours.loc[list(zip(measured["round"], measured.task, strict=True))].to_numpy()
    )
    measured["rate"] = measured.examples / measured.seconds
    table = measured.groupby(["task", "way"]).agg(
        examples_per_s=("rate", "median"), seconds_to_ours=("ratio", "median"), peak_share=("share", "median")
    )
    model_name = f"{config.num_hidden_layers}x{config.hidden_size}"
    table = table.round(3).reset_index().assign(model=model_name, threads=asked.threads, rounds=asked.rounds)
    table.to_csv(asked.out / "eval_speed.csv", index=False)
    (asked.out / "speed_machine.json").write_text(json.dumps(machine(), indent=1) + "\n")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
