"""Invented corpora with the sizes and lengths of the eight tasks of BLUE, and an encoder with random weights.

Speed depends on lengths, not on what a text says. So the GPU benchmark needs no corpus, and no text leaves a machine.
The lengths of ``chemprot`` and the two tasks of ``bc5cdr`` are measured (tokens of MiniLM, at most 128); those of
the other tasks are guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from taskaffinity.tasks.task import Kind
from taskaffinity.training.inputs.encoded import EncodedSplit, IntArray, TaskMeta, bounds_of
from taskaffinity.training.inputs.vocabulary import prune_embeddings, renumbered
from taskaffinity.training.model import MultiTaskModel

Rows = list[tuple[str, IntArray]]
"""Mini-batches: a task and rows of its training split."""

BATCH = 32
PAIR = ("chemprot", "bc5cdr-disease")
"""The tasks of the mix: their mini-batches alternate."""
_FIRST, _LAST, _SPECIAL = 2, 3, 5
"""Token ids: of the first and the last token of a sequence, and of the first token that is none of the special ones."""
_WORDS = 0.65
"""Share of the tokens of a sentence that begin a word."""


@dataclass(frozen=True)
class Shape:
    """The size of a task's training set, and how long its sequences are."""

    kind: Kind
    n_rows: int
    lengths: tuple[int, int, int, int]  # least, median, 95% quantile, most; in tokens
    n_outputs: int


SHAPES = {
    "clinicalsts": Shape("similarity", 675, (12, 44, 90, 128), 0),
    "shareclefe": Shape("ner", 4628, (4, 26, 46, 70), 3),
    "i2b2-2010-re": Shape("relation", 3110, (10, 40, 90, 128), 9),
    "mednli": Shape("inference", 11232, (12, 38, 76, 128), 3),
    "bc5cdr-disease": Shape("ner", 6017, (4, 29, 45, 67), 3),
    "bc5cdr-chemical": Shape("ner", 6017, (4, 29, 45, 67), 3),
    "ddi2013-type": Shape("relation", 2937, (16, 58, 120, 128), 5),
    "chemprot": Shape("relation", 4169, (16, 62, 114, 128), 6),
}


@dataclass(frozen=True)
class Inputs:
    """What a stage trains on."""

    folder: Path
    """Of the encoder, with weights and a tokenizer."""
    config: BertConfig
    metas: dict[str, TaskMeta]
    splits: dict[str, EncodedSplit]
    """Training splits with the token ids of the tokenizer."""
    token_ids: IntArray
    """Ids that occur; a model has no embeddings of others, as in a run."""
    pruned: dict[str, EncodedSplit]
    """``splits`` with the numbers of the tokens in ``token_ids``."""

    def model(self, device: str, precision: str, *, dropout: float = 0.1, packed: bool = True) -> MultiTaskModel:
        """A model of all tasks, as ``training.setup`` makes one of a run; it is training."""
        model = MultiTaskModel(
            self.folder,
            self.metas,
            seed=0,
            head_dropout=dropout,
            encoder_dropout=dropout,
            packed=packed,
            device=device,
        )
        model.precision = "bf16" if precision == "bf16" else None
        prune_embeddings(model.encoder, self.token_ids)
        return model.train()

    def batches(self, tasks: Sequence[str], n: int, seed: int = 0) -> Rows:
        """``n`` random mini-batches; the tasks take turns."""
        rng = np.random.default_rng(seed)
        names = [tasks[i % len(tasks)] for i in range(n)]
        return [(name, rng.choice(self.splits[name].n_rows, BATCH, replace=False)) for name in names]

    def lengths(self, batches: Rows) -> list[int]:
        """The length of every sequence of the mini-batches, in tokens."""
        return [int(n) for name, rows in batches for n in np.diff(self.splits[name].bounds)[rows]]


def made_inputs(work: Path, *, is_small: bool) -> Inputs:
    """Invent the corpora, and write the encoder to ``work`` unless it is there.

    Parameters
    ----------
    is_small : bool
        Two layers of width 32 and 96 rows of each task in the place of BERT's base size and whole training sets.
    """
    config = _small_config() if is_small else BertConfig()
    n_used = 400 if is_small else 12_000
    folder = work / ("tiny" if is_small else "base")
    if not (folder / "made").exists():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        words = [*special, *(f"w{number}" for number in range(config.vocab_size - len(special)))]
        BertTokenizer({word: number for number, word in enumerate(words)}).save_pretrained(folder)
        (folder / "made").touch()
    metas, splits = {}, {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        rng = np.random.default_rng([2026, number])
        metas[name] = _meta(name, shape)
        splits[name] = invented_split(shape, min(shape.n_rows, 96) if is_small else shape.n_rows, n_used, rng)
    token_ids = np.unique(np.concatenate([[0], *(split.tokens for split in splits.values())]))  # 0: padding
    pruned = {name: renumbered(split, token_ids) for name, split in splits.items()}
    return Inputs(folder, config, metas, splits, token_ids, pruned)


def _small_config() -> BertConfig:
    return BertConfig(vocab_size=500, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)


def _meta(name: str, shape: Shape) -> TaskMeta:
    outputs = ("O", "B-x", "I-x") if shape.kind == "ner" else tuple(f"c{i}" for i in range(shape.n_outputs))
    return TaskMeta(name, shape.kind, outputs, outputs[1:], "pearson" if shape.kind == "similarity" else "accuracy")


def invented_split(shape: Shape, n: int, n_used: int, rng: np.random.Generator) -> EncodedSplit:
    """``n`` sequences of this shape; tokens are among ``n_used`` ones, small ids more often."""
    lengths = np.interp(rng.random(n), (0, 0.5, 0.95, 1), shape.lengths).round().astype(np.int64)
    bounds = bounds_of(lengths)
    positions = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    is_first, is_last = positions == 0, positions == np.repeat(lengths, lengths) - 1
    drawn = _SPECIAL + (n_used ** rng.random(len(positions))).astype(np.int64) - 1
    is_pair = shape.kind in ("similarity", "inference")
    in_second = positions >= np.repeat(lengths, lengths) // 2
    is_word = ~is_first & ~is_last & ((positions == 1) | (rng.random(len(positions)) < _WORDS))
    is_word &= shape.kind == "ner"
    n_words = np.add.reduceat(is_word, bounds[:-1])
    if shape.kind == "similarity":
        targets = rng.uniform(0, 5, n).astype(np.float32)
    else:
        targets = rng.integers(shape.n_outputs, size=int(is_word.sum()) if shape.kind == "ner" else n)
    word_bounds = bounds_of(n_words)
    return EncodedSplit(
        ids=[str(i) for i in range(n)],
        gold=[["O"] * int(n) for n in n_words] if shape.kind == "ner" else [""] * n,
        documents=[""] * n,
        tokens=np.where(is_first, _FIRST, np.where(is_last, _LAST, drawn)).astype(np.int32),
        token_types=(in_second & is_pair).astype(np.int8),
        bounds=bounds,
        examples_of_rows=np.arange(n),
        targets=targets,
        word_positions=positions[is_word].astype(np.int32),
        word_numbers=(np.arange(word_bounds[-1]) - np.repeat(word_bounds[:-1], n_words)).astype(np.int32),
        word_bounds=word_bounds,
        is_tagging=shape.kind == "ner",
    )
