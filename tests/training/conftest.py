"""Fixtures: encoders of two layers and width 16, and small corpora, without network access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import (
    AutoModel,
    BertConfig,
    BertTokenizer,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PretrainedConfig,
    RobertaConfig,
)

from taskaffinity.tasks.task import DEFAULT_METRIC, SCORE_KINDS, Example, Kind, Split, Task
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta

N_TOKENS = 60
_SIZES: dict[str, Any] = {
    "vocab_size": N_TOKENS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 48,
    "initializer_range": 0.3,  # sharp attention: a wrong neighbour is seen in the first digits
}
_MODERN = {**_SIZES, "initializer_cutoff_factor": 2.0, "local_attention": 8, "global_attn_every_n_layers": 2}
CONFIGS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(**_SIZES),
    "roberta": RobertaConfig(**{**_SIZES, "max_position_embeddings": 50}, pad_token_id=1, type_vocab_size=1),
    "distilbert": DistilBertConfig(
        vocab_size=N_TOKENS,
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=48,
        initializer_range=0.3,
    ),
    "electra": ElectraConfig(**_SIZES, embedding_size=8),
    "deberta-v2": DebertaV2Config(**_SIZES, relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "modernbert": ModernBertConfig(
        **_MODERN, pad_token_id=0, bos_token_id=2, cls_token_id=2, eos_token_id=3, sep_token_id=3
    ),
}

MakeEncoder = Callable[..., Path]
MakeSplit = Callable[..., EncodedSplit]
MakeTask = Callable[..., Task]
MakeMeta = Callable[..., TaskMeta]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread, as a run has by default; the number from before comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_encoder(tmp_path_factory: pytest.TempPathFactory) -> MakeEncoder:
    """A folder with random weights of an architecture: of its bare model, or of the ``model`` class named."""

    def make(architecture: str, model: str = "", **changes: object) -> Path:
        folder = tmp_path_factory.mktemp(architecture)
        torch.manual_seed(0)
        config = type(CONFIGS[architecture])(**{**CONFIGS[architecture].to_diff_dict(), **changes})
        made = getattr(transformers, model)(config) if model else AutoModel.from_config(config)
        made.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def make_meta() -> MakeMeta:
    """What training knows of a toy task of a kind."""

    def make(name: str, kind: Kind) -> TaskMeta:
        if kind in SCORE_KINDS:
            return TaskMeta(name, kind, (), (), "pearson")
        if kind == "ner":
            return TaskMeta(name, kind, ("O", "B-x", "I-x"), ("x",), "span_f1")
        names = ("A", "B", "C") if kind == "choice" else ("no", "yes", "other")
        return TaskMeta(name, kind, names, names, DEFAULT_METRIC[kind])

    return make


@pytest.fixture(scope="session")
def make_split() -> MakeSplit:
    """Random tokens above the special ones, of every ``step`` the first; one row an example, two or three of choice. A
    class is learnable from the first token."""

    def make(
        kind: Kind, n: int = 12, seed: int = 0, lengths: Sequence[int] | None = None, step: int = 1
    ) -> EncodedSplit:
        rng = np.random.default_rng(seed)
        per_example = 2 + np.arange(n) % 2 if kind == "choice" else np.ones(n, dtype=np.int64)
        chosen = np.asarray(lengths if lengths is not None else rng.integers(3, 21, per_example.sum()), dtype=np.int64)
        n, total = n if kind == "choice" else len(chosen), int(chosen.sum())
        bounds = np.concatenate([[0], np.cumsum(chosen)])
        tokens = (5 + (rng.integers(5, N_TOKENS, total) - 5) // step * step).astype(np.int32)
        positions = [np.sort(rng.choice(length, rng.integers(1, length), replace=False)) for length in chosen]
        n_words = [len(p) for p in positions] if kind == "ner" else [0] * len(chosen)
        firsts = tokens[bounds[:-1]]
        gold: list[Any]
        if kind in SCORE_KINDS:
            targets, gold = (firsts / 12).astype(np.float32), [float(first) / 12 for first in firsts]
        elif kind == "ner":
            at = np.concatenate([start + p for start, p in zip(bounds[:-1], positions, strict=True)])
            targets = np.where(tokens[at] < 25, 1, 0).astype(np.int64)
            tags = [("O", "B-x", "I-x")[t] for t in targets]
            gold = [tags[sum(n_words[:i]) : sum(n_words[: i + 1])] for i in range(n)]
        elif kind == "multilabel":
            targets = np.stack([firsts % 2 == 0, firsts % 3 == 0, firsts % 5 == 0], axis=1).astype(np.float32)
            gold = [[name for name, holds in zip(("no", "yes", "other"), row, strict=True) if holds] for row in targets]
        elif kind == "choice":
            targets = firsts[np.cumsum(per_example) - 1].astype(np.int64) % 2
            gold = ["AB"[target] for target in targets]
        else:
            targets = (firsts % 3).astype(np.int64)
            gold = [("no", "yes", "other")[t] for t in targets]
        words = np.concatenate(positions) if kind == "ner" else np.zeros(0)
        numbers = np.concatenate([np.arange(k) for k in n_words]) if kind == "ner" else np.zeros(0)
        return EncodedSplit(
            ids=[f"e{i}" for i in range(n)],
            gold=gold,
            documents=[f"d{i // 3}" for i in range(n)],
            tokens=tokens,
            token_types=(rng.random(total) < 0.5).astype(np.int8),
            bounds=bounds,
            examples_of_rows=np.repeat(np.arange(n), per_example) if kind == "choice" else np.arange(n),
            targets=targets,
            word_positions=words.astype(np.int32),
            word_numbers=numbers.astype(np.int32),
            word_bounds=np.concatenate([[0], np.cumsum(n_words)]).astype(np.int64),
            is_tagging=kind == "ner",
            n_options=3 if kind == "choice" else 0,
        )

    return make


@pytest.fixture(scope="session")
def tokenizer() -> BertTokenizer:
    """Whole letters as tokens: ``fever`` is ``f ##e ##v ##e ##r``; ``cold`` is one token."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cold", ".", ",", *letters, *(f"##{c}" for c in letters)]
    return BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True)


@pytest.fixture(scope="session")
def make_task() -> MakeTask:
    """A task that shows the same examples in every split, their ids made unique."""

    def make(kind: Kind, examples: Sequence[Example], labels: tuple[str, ...] = ("x",), name: str = "toy") -> Task:
        def read(split: Split) -> list[Example]:
            return [replace(example, id=f"{split}.{example.id}") for example in examples]

        return Task(name, kind, read, () if kind == "similarity" else labels)

    return make
