"""An invented world for ``faults.py``: a corpus of sentinel words, an encoder of random weights, original files.

No word of the corpus is a token of the encoder, so a sentinel that stands in a message or in a file of results is text
of the corpus.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

SENTINEL = re.compile(rb"qzx[a-z]{2}", re.IGNORECASE)
"""What begins every word of the corpus."""
SYLLABLES = [consonant + vowel for consonant, vowel in product("bdfgklmnprst", "aeiou")]
WORDS = [f"qzx{first}{second}" for first, second in product(SYLLABLES[:20], SYLLABLES[40:44])]
SIZES = {"train": 64, "dev": 16, "test": 24}

_SUITE = """\
name: invented
tasks:
  polar: {kind: classification, path: polar, columns: {text: said, label: class}}
  names: {kind: ner, path: names}
  alike: {kind: similarity, path: alike}
  holds: {kind: inference, path: holds}
"""


@dataclass(frozen=True)
class World:
    """Where the parts of the world lie."""

    root: Path

    @property
    def data(self) -> Path:
        """``suite.yaml`` with all four tasks, ``two.yaml`` with two of them, their files, and unlabelled text."""
        return self.root / "data"

    @property
    def encoder(self) -> Path:
        """One narrow layer of BERT, random weights."""
        return self.root / "encoder"

    @property
    def raw(self) -> Path:
        """``rqe``: an original distribution in XML; ``mednli``: BLUE's TSV files; ``brat``: an annotated text."""
        return self.root / "raw"


def make_world(root: Path, seed: int = 0) -> World:
    """Write the world into a new folder."""
    world, rng = World(root), random.Random(seed)
    world.data.mkdir(parents=True)
    (world.data / "suite.yaml").write_text(_SUITE)
    (world.data / "two.yaml").write_text("".join(_SUITE.splitlines(keepends=True)[:4]))
    for split, n in SIZES.items():
        for task, (suffix, write) in _WRITERS.items():
            path = world.data / task / f"{split}.{suffix}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(write(n, rng), encoding="utf-8")
    (world.data / "text.txt").write_text("".join(f"{_sentence(rng, 12)}\n" for _ in range(60)))
    rows = [{"id": number, "text": _sentence(rng, 6)} for number in range(20)]
    (world.data / "text.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (world.data / "recipe.yaml").write_text("learning_rate: 0.001\nnum_train_epochs: 1\nfinetune:\n  batch_size: 16\n")
    _write_encoder(world.encoder, seed)
    _write_rqe(world.raw / "rqe", rng)
    _write_mednli(world.raw / "mednli", rng)
    _write_brat(world.raw / "brat", rng)
    return world


def pins_of(world: World) -> list[object]:
    """The files of the invented ``rqe``, as a manifest lists them."""
    from taskaffinity.corpora.download import Content
    from taskaffinity.corpora.fetch import PinnedFile

    pins: list[object] = []
    for path in sorted((world.raw / "rqe").iterdir()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        pins.append(PinnedFile("owner/rqe", "0" * 40, path.name, path.name, Content(len(content), digest)))
    return pins


def _sentence(rng: random.Random, n: int, kind: int = 2) -> str:
    """Some words: of the first half (kind 0), of the second half (kind 1), or of both."""
    half = len(WORDS) // 2
    return " ".join(rng.choices((WORDS[:half], WORDS[half:], WORDS)[kind], k=n))


def _polar(n: int, rng: random.Random) -> str:
    rows = [f"r{rng.getrandbits(40):x},{_sentence(rng, 5, k % 2)},{('yes', 'no')[k % 2]}\n" for k in range(n)]
    return "".join(["id,said,class\n", *rows])


def _names(n: int, rng: random.Random) -> str:
    blocks = []
    for _ in range(n):
        words = rng.choices(WORDS, k=6)
        tags = [("B-Drug", "B-Sign", "O", "O")[WORDS.index(word) % 4] for word in words]
        blocks.append("".join(f"{word} {tag}\n" for word, tag in zip(words, tags, strict=True)))
    return "\n".join(blocks)


def _alike(n: int, rng: random.Random) -> str:
    head = "id\ttext\ttext_pair\tlabel\n"
    pairs = ((_sentence(rng, 4, k % 2), _sentence(rng, 4, k // 2 % 2), k % 2 + k // 2 % 2) for k in range(n))
    return head + "".join(f"p{rng.getrandbits(40):x}\t{one}\t{two}\t{score}.5\n" for one, two, score in pairs)


def _holds(n: int, rng: random.Random) -> str:
    rows = (
        {"id": f"h{rng.getrandbits(40):x}", "text": _sentence(rng, 5), "text_pair": _sentence(rng, 4), "label": label}
        for _, label in zip(range(n), ["true", "false", "open"] * n, strict=False)
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows)


_WRITERS: dict[str, tuple[str, Callable[[int, random.Random], str]]] = {
    "polar": ("csv", _polar),
    "names": ("conll", _names),
    "alike": ("tsv", _alike),
    "holds": ("jsonl", _holds),
}


def _write_encoder(folder: Path, seed: int) -> None:
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    pieces = ["qzx", *(f"##{one}" for one in SYLLABLES), *"abcdefghijklmnopqrstuvwxyz", ".", ",", "?"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.2,  # learns in a few steps
    )
    BertForMaskedLM(config).save_pretrained(folder)
    BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True).save_pretrained(folder)


_RQE = ("RQE_Train_8588_AMIA2016.xml", "RQE_Test_302_pairs_AMIA2016.xml", "MEDIQA2019-Task2-RQE-TestSet-wLabels.xml")


def _write_rqe(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    for name in _RQE:
        pairs = (
            f'<pair pid="{k}" value="{("true", "false")[k % 2]}"><chq>{_sentence(rng, 5)}</chq>'
            f"<faq>{_sentence(rng, 5)}</faq></pair>\n"
            for k in range(1, 30)
        )
        (folder / name).write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<root>\n{"".join(pairs)}</root>\n')


def _write_brat(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    text = _sentence(rng, 60)
    words = list(re.finditer(r"\S+", text))
    lines = [f"T{n}\tDrug {word.start()} {word.end()}\t{word.group()}" for n, word in enumerate(words[:20], 1)]
    parts, joined = words[30:32], " ".join(word.group() for word in words[30:32])
    lines.append(f"T21\tSign {';'.join(f'{word.start()} {word.end()}' for word in parts)}\t{joined}")
    lines += ["E1\tDrug:T1 Of:T2", *(f"R{n}\tHelps Arg1:T{n} Arg2:T{n + 1}" for n in range(2, 12))]
    lines += ["R12\tHelps Arg1:E1 Arg2:T21", "A1\tNegated T3"]
    (folder / "a.txt").write_text(text)
    (folder / "a.ann").write_text("".join(f"{line}\n" for line in lines))


def _write_mednli(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        with open(folder / f"{split}.tsv", "w", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(["index", "sentence1", "sentence2", "label"])
            for number in range(20):
                label = ("entailment", "neutral", "contradiction")[number % 3]
                writer.writerow([f"{split}{number}", _sentence(rng, 5), _sentence(rng, 4), label])
