"""How fast is the training step? Ours beside the paper's way and the Hugging Face Trainer, and beside the machine.

    pip install -c constraints.txt -e ".[test,benchmark]"
    python tests/benchmarks/train_speed.py DATA ENCODER [--shape base] [--threads 1] [--rounds 7] [--out FOLDER]
    python tests/benchmarks/train_speed.py DATA ENCODER --device cuda [--precision bf16]
    python tests/benchmarks/train_speed.py [DATA ENCODER] --cpu-path [--rounds 7] [--quick]

``DATA`` holds task folders of ``chemprot`` and ``bc5cdr-disease`` (``taskaffinity data fetch``); ``ENCODER`` is the
folder of an encoder, whose tokenizer ``--shape base`` takes for a BERT of base size from random weights. In every
round each way trains on mini-batches of 32 of both tasks, one way after the other in one process, after a warm-up on
the largest; ratios are of one round, and their medians are written. All ways have the same rows but for the Trainer
that groups by length: it has batches of its own epoch (over the whole training sets, and over 640 examples), from the
longest to the shortest over the rounds, so its ratio is of all rounds together. Rates count examples; the share of the
peak counts what a way has to multiply, of real tokens only: ours a last layer in part. ``chosen`` are ours in the
precision that a study of this encoder takes here by default. A processor whose matrix products are no faster in
16 bits is spared the ways in them. The rows of an encoder and number of threads take the place of older ones in
``train_speed.csv`` of ``results/``, or of ``--out``: what another machine makes of it.

All ways keep to ``--device``. With ``--precision bf16`` the Trainer multiplies in 16 bits too. Either has files of its
own (``train_speed_cuda_bf16.csv``, ``speed_machine_cuda.json``). The peak is that of 32 bits; on a GPU, of a way in 16
bits, that of these.

``--cpu-path`` compares the optimizer and the batches of a CPU with those of a GPU, on the CPU, and writes
``cpu_path.csv`` and ``cpu_path_machine.json``; ``cpu_path.py`` says how. Without ``DATA`` and ``ENCODER`` it invents
corpora of the same lengths and a BERT of base size. ``--quick`` checks in seconds that it runs: with tiny corpora and a
tiny encoder, without a file in ``results/``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import transformers
from cpu_path import cpu_path
from gpu_inputs import made_inputs
from ours import Ours
from peers import PaperWay, TrainerWay
from roofline import matmul_peak, read_of, useful_flops
from transformers import AutoConfig, BertConfig, BertModel

from taskaffinity.runs.recipe import Recipe
from taskaffinity.studies.define import define
from taskaffinity.studies.precision import fast_precision
from taskaffinity.tasks.formats import read_task
from taskaffinity.tasks.suite import Suite
from taskaffinity.training.encoders.load import Encoder, find_encoder, load_tokenizer
from taskaffinity.training.execute import prepare
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.profile.precision import products_in_bf16

RESULTS = Path(__file__).parent / "results"
TASKS = ("chemprot", "bc5cdr-disease")
BATCH = 32
OURS: dict[str, tuple[Any, ...]] = {
    "ours adamax": ("adamax",),
    "ours adamw": ("adamw",),
    "ours adamax, bf16": ("adamax", "bf16"),
    "ours adamw, bf16": ("adamw", "bf16"),
}
FULL, SMALL = "trainer grouped", "trainer grouped, 640 examples"
GROUPED: dict[str, int | None] = {FULL: None, SMALL: 640}
"""With ``group_by_length``: over the whole training set, and over a small one."""
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Of a processor: what its matrix products can be made of."""


def ours_here(device: str) -> dict[str, tuple[Any, ...]]:
    """Our ways: those in 16 bits only where a processor's matrix products are faster in them."""
    in_16_bits = device != "cpu" or products_in_bf16() > 1
    return {way: how for way, how in OURS.items() if in_16_bits or "bf16" not in how}


def encoded(data: Path, encoder: Encoder, work: Path) -> tuple[dict[str, TaskMeta], dict[str, EncodedSplit]]:
    """Each task's card and its training split, encoded."""
    tasks, recipe = [read_task(data / name) for name in TASKS], Recipe()
    prepare(tasks, encoder, recipe, work)
    found = [
        read_encoded(cache_folder(work, task.fingerprint, encoder.ref.fingerprint, recipe.max_length, recipe.max_words))
        for task in tasks
    ]
    return {meta.name: meta for meta, _ in found}, {meta.name: splits["train"] for meta, splits in found}


def base_shape(tokenizer_of: Path, work: Path) -> Path:
    """A BERT of base size from random weights."""
    folder = work / "bert-base-shape"
    torch.manual_seed(0)
    BertModel(BertConfig()).save_pretrained(folder)
    load_tokenizer(tokenizer_of).save_pretrained(folder)
    return folder


def measure(
    folder: Path,
    metas: dict[str, TaskMeta],
    splits: dict[str, EncodedSplit],
    n: int,
    rounds: int,
    work: Path,
    device: str = "cpu",
    precision: Literal["bf16"] | None = None,
) -> pd.DataFrame:
    """A row a round, way and task: seconds, examples, useful FLOPs, and the peak measured in that round.

    ``precision`` is the Trainer's.
    """
    config = AutoConfig.from_pretrained(folder)
    rng = np.random.default_rng(0)
    paper = PaperWay(folder, metas, splits, device)
    ours = {way: Ours(folder, metas, splits, *how, device=device) for way, how in ours_here(device).items()}
    trainers = {name: TrainerWay(folder, metas[name], splits[name], work, device, precision) for name in TASKS}
    in_16_bits = {way for way, how in OURS.items() if "bf16" in how}
    if precision == "bf16":
        in_16_bits |= {"trainer", *GROUPED}
    largest = {name: np.argsort(np.diff(splits[name].bounds))[-BATCH:] for name in TASKS}
    for name in TASKS:
        paper.train([(name, largest[name])])
        trainers[name].train([largest[name]])
        for way in ours.values():
            way.train([(name, largest[name])])
    rows: list[dict[str, object]] = []
    for number in range(rounds):
        peak = matmul_peak(device=device)
        peak_in_16_bits = matmul_peak(torch.bfloat16, device) if device == "cuda" else peak
        for name in TASKS:
            drawn = [rng.choice(splits[name].n_rows, BATCH, replace=False) for _ in range(n)]
            grouped = {way: trainers[name].grouped(BATCH, n, number, rounds, among) for way, among in GROUPED.items()}
            ways = {
                "paper": lambda name=name, drawn=drawn: paper.train([(name, rows) for rows in drawn]),
                "trainer": lambda name=name, drawn=drawn: trainers[name].train(drawn),
                **{
                    way: lambda name=name, drawn=drawn, way=way: ours[way].train([(name, rows) for rows in drawn])
                    for way in ours
                },
                **{
                    way: lambda name=name, batches=batches: trainers[name].train(batches)
                    for way, batches in grouped.items()
                },
            }
            for way, train in ways.items():
                used = grouped.get(way, drawn)
                lengths = np.concatenate([np.diff(splits[name].bounds)[batch] for batch in used]).tolist()
                is_narrow = way in ours and ours[way].model.is_narrow
                read = [n for batch in used for n in read_of(splits[name], batch)] if is_narrow else None
                rows.append(
                    {
                        "round": number,
                        "way": way,
                        "task": name,
                        "seconds": train(),
                        "examples": BATCH * n,
                        "flops": useful_flops(config, lengths, read),
                        "peak": peak_in_16_bits if way in in_16_bits else peak,
                    }
                )
                print(f"{number} {way} {name} {BATCH * n / float(str(rows[-1]['seconds'])):.1f} examples/s", flush=True)
    return pd.DataFrame(rows)


def chosen_precision(data: Path, encoder: Encoder, work: Path, device: str, threads: int) -> str | None:
    """What a study of these tasks takes here, as the command line has it chosen."""
    suite = Suite("benchmark", tuple(read_task(data / name) for name in TASKS))
    study, _ = define(suite, encoder=str(encoder.folder), recipe=Recipe(device=device, threads=threads))
    os.environ["TASKAFFINITY_CACHE"] = str(work)
    precision, why = fast_precision(study, suite, encoder, work / "results")
    print(f"precision of a study here: {precision or '32 bits'} ({why})", flush=True)
    return precision


def table(measured: pd.DataFrame, model: str, threads: int, chosen: str | None) -> pd.DataFrame:
    """A row a way, of both tasks together and of each: medians over rounds."""
    both = measured.groupby(["round", "way"], as_index=False).agg(
        {"seconds": "sum", "examples": "sum", "flops": "sum", "peak": "first"}
    )
    found = []
    for task, part in [("", both), *measured.groupby("task")]:
        rate = part.assign(rate=part.examples / part.seconds).pivot(index="round", columns="way", values="rate")
        share = part.assign(share=part.flops / part.seconds / part.peak).pivot(
            index="round", columns="way", values="share"
        )
        sums = part.groupby("way")[["examples", "seconds"]].sum()
        total = sums.examples / sums.seconds
        for way in (*[way for way in OURS if way in total], "paper", "trainer", *GROUPED):
            of_ours = way.startswith("ours")
            found.append(
                {
                    "model": model,
                    "threads": threads,
                    "variant": f"{way}, {task}" if task else way,
                    "examples_per_s": rate[way].median(),
                    "ratio_to_paper": (rate[way] / rate["paper"]).median() if of_ours else np.nan,
                    "ratio_to_trainer": (rate[way] / rate["trainer"]).median() if of_ours else np.nan,
                    "ratio_to_trainer_grouped": total[way] / total[FULL] if of_ours else np.nan,
                    "peak_share": share[way].median(),
                    "rounds": len(rate),
                    "ratio_to_trainer_grouped_640": total[way] / total[SMALL] if of_ours else np.nan,
                    "chosen": OURS[way][1:] == ((chosen,) if chosen else ()) if of_ours else "",
                }
            )
    return pd.DataFrame(found).round(3)


def machine(device: str = "cpu") -> dict[str, object]:
    """What the figures are of; peaks in GFLOP/s, with torch's threads as they are."""
    gpu = {"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}
    fields = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    of_cpu = {name.strip(): value.strip() for name, _, value in fields}
    flags = [flag for flag in FLAGS if flag in of_cpu.get("flags", "").split()]
    peaks = {"peak_32_bits": matmul_peak(device=device) / 1e9}
    if device == "cuda" or products_in_bf16() > 1:  # elsewhere it would take minutes
        peaks["peak_16_bits"] = matmul_peak(torch.bfloat16, device) / 1e9
    return {
        **gpu,
        "cpu": f"{of_cpu.get('model name', platform.processor())}, {os.cpu_count()} cores",
        "cpu_family_and_model": f"{of_cpu.get('cpu family', '?')}, {of_cpu.get('model', '?')}",
        "flags": flags,
        **{name: round(peak) for name, peak in peaks.items()},
        "threads": torch.get_num_threads(),
        "commit": commit_of(Path(__file__).parent),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


def commit_of(checkout: Path) -> str:
    """The commit that a checkout has, and whether code has changed since; empty where git does not know."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False)

    if shutil.which("git") is None:
        return ""
    commit = git("rev-parse", "--short", "HEAD").stdout.strip()
    changed = git("diff", "--quiet", "HEAD", "--", ":/*.py").returncode == 1
    return commit + "-dirty" * (bool(commit) and changed)


def compared_on_cpu(
    folder: Path,
    metas: dict[str, TaskMeta],
    splits: dict[str, EncodedSplit],
    asked: argparse.Namespace,
    n: int,
    model: str,
) -> pd.DataFrame:
    """The table of ``--cpu-path``."""
    in_16_bits = asked.quick or products_in_bf16() > 1
    rows = cpu_path(folder, metas, splits, [None, "bf16"] if in_16_bits else [None], n, asked.rounds)
    rows.insert(0, "model", model)
    rows.insert(1, "threads", asked.threads)
    return rows


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The options; ends with a message where they do not fit together."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("encoder", type=Path, nargs="?")
    parser.add_argument("--shape", choices=["encoder", "base"], default="encoder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, help="of each task in a round; default: 6, of the base shape 1")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["bf16"], help="of the Trainer; default: 32 bits")
    parser.add_argument("--cpu-path", action="store_true", help="compare the CPU path with the GPU path's parts")
    parser.add_argument("--quick", action="store_true", help="of --cpu-path: tiny, to see that it runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder; default: %(default)s")
    asked = parser.parse_args(words)
    if asked.encoder is None and (asked.data is not None or not asked.cpu_path):
        parser.error("expected DATA and ENCODER")
    if asked.quick and (asked.data is not None or not asked.cpu_path):
        parser.error("--quick belongs to --cpu-path without DATA and ENCODER")
    if asked.cpu_path and (asked.device != "cpu" or asked.precision):
        parser.error("--cpu-path has neither --device nor --precision")
    if asked.device == "cuda" and torch.cuda.device_count() != 1:  # the Trainer would take all of several
        parser.error(f"--device cuda: torch sees {torch.cuda.device_count()} GPUs; expected one (CUDA_VISIBLE_DEVICES)")
    return asked


def main(words: Sequence[str] | None = None) -> None:
    asked = parsed(words)
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if asked.encoder is None:
            made = made_inputs(work, is_small=asked.quick)
            folder = made.folder
            metas, splits = ({name: found[name] for name in TASKS} for found in (made.metas, made.splits))
        else:
            folder = base_shape(asked.encoder, work) if asked.shape == "base" else asked.encoder
            encoder = find_encoder(str(folder))
            metas, splits = encoded(asked.data, encoder, work)
        config = AutoConfig.from_pretrained(folder)
        model = f"{config.num_hidden_layers}x{config.hidden_size}"
        is_base = asked.encoder is None or asked.shape == "base"
        n = asked.batches or (1 if is_base else 6)
        if asked.cpu_path:
            rows = compared_on_cpu(folder, metas, splits, asked, n, model)
            name, name_of_machine = "cpu_path", "cpu_path_machine"
        else:
            chosen = chosen_precision(asked.data, encoder, work, asked.device, asked.threads)
            measured = measure(folder, metas, splits, n, asked.rounds, work, asked.device, asked.precision)
            rows = table(measured, model, asked.threads, chosen)
            of_device = "" if asked.device == "cpu" else f"_{asked.device}"
            of_precision = f"_{asked.precision}" if asked.precision else ""
            name, name_of_machine = f"train_speed{of_device}{of_precision}", f"speed_machine{of_device}"
    print(rows.to_string(index=False))
    if asked.quick and asked.out == RESULTS:
        return
    asked.out.mkdir(parents=True, exist_ok=True)
    out = asked.out / f"{name}.csv"
    if out.is_file():
        before = pd.read_csv(out)
        rows = pd.concat([before[(before.model != model) | (before.threads != asked.threads)], rows])
    rows.to_csv(out, index=False)
    (asked.out / f"{name_of_machine}.json").write_text(json.dumps(machine(asked.device), indent=1) + "\n")


if __name__ == "__main__":
    main()
