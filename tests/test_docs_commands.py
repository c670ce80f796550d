"""The commands and the Python code of README and docs run, one temporary folder per page.

A block runs unless an HTML comment right before it says what it needs: ``<!-- needs: a cluster -->``. Every study is
cut to seconds: one epoch, few examples, one seed, no Ray. Lines that install the package or run its tests are left to
the gate.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from command_line import LOCAL, command

import taskaffinity

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
BLOCK = re.compile(r"(?:^<!-- needs: ([^\n]+) -->\n)?^```(bash|console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS = {
    "a network",
    "corpora",
    "a cluster",
    "a GPU",
    "docker",
    "a browser",
    "runs of yours",
    "data of yours",
    "half an hour",
}
GATE = ("python3 -m venv", ". .venv/", "pip install", "pytest")
"""Starts of lines that the gate runs."""
SMALL_SETTINGS = {"num_train_epochs": 1, "max_train_examples": 32, "max_eval_examples": 20}
SMALL = [f"--set={key}={value}" for key, value in SMALL_SETTINGS.items()]
SHRUNK = {
    "pairwise": [*LOCAL, *SMALL, "--seeds=1"],
    "full": [*LOCAL, *SMALL, "--set=finetune.num_train_epochs=1", "--seeds=1"],
    "train": [*LOCAL, *SMALL],
    "tune": [*LOCAL, *SMALL, "--n-trials=1", "--finalists=1", "--confirm-seeds=1"],
    "pretrain": ["--max-passages=40"],
    "group": ["--risk=none"],  # one seed has no bound
}
"""Options that the test adds to a command."""
SCORES = "target,source,seed,score\n" + "".join(
    f"{target},{source},{seed},{0.8 + len(source) / 100 + seed / 1000}\n"
    for target, other in (("rte", "mnli"), ("mnli", "rte"))
    for source in ("", other)
    for seed in range(2)
)
"""The files of the page on runs that were trained elsewhere."""
PREDICTIONS = "target,source,seed,id,gold,predicted,document\n" + "".join(
    f"{target},{source},{seed},e{number},yes,{'yes' if (number + seed) % 3 else 'no'},d{number % 9}\n"
    for target, other in (("rte", "mnli"), ("mnli", "rte"))
    for source in ("", other)
    for seed in range(2)
    for number in range(30)
)
ESTIMATED = "results/estimates"
LONG_ENOUGH = [
    *LOCAL,
    "--seeds=1",
    "--set=batch_size=4",
    "--set=num_train_epochs=6",
    "--set=max_train_examples=32",
    "--set=max_eval_examples=20",
]
"""Instead of ``SHRUNK`` for the results folder of estimates: its pairs must cost more than its probes."""
EIGHT, THREE = ["--domain", "planted-8"], ["--suite", "suite.yaml", "--encoder", "FOLDER"]
"""Instead of eight tasks with 28 pairs, the test takes three tasks."""
SEQUENTIAL = ("--seeds=2", "--max-seeds=4")
SMALL_CALLS: dict[str, dict[str, Any]] = {
    "pairwise": {"seeds": 1},
    "full": {"seeds": 1},
    "train": {},
    "tune": {"n_trials": 1, "finalists": 1, "confirm_seeds": 1},
}
"""The same for the Python functions."""


class Block(NamedTuple):
    """A block of commands or code."""

    needs: tuple[str, ...]
    language: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(tuple(filter(None, needs.split(", "))), language, code) for needs, language, code in found]


def commands_of(code: str) -> Iterator[list[str]]:
    """Yield the words of each command that the gate does not run."""
    for line in code.replace("\\\n", " ").splitlines():
        for part in line.split(" && "):
            if part.strip() and not part.strip().startswith(GATE):
                yield shlex.split(part, comments=True)


def run(words: list[str], folder: Path) -> None:
    """Run one command in ``folder``; ``>`` as second last word writes its output to a file."""
    target = None
    if words[-2:-1] == [">"]:
        words, target = words[:-2], folder / words[-1]
    if words[2:4] == EIGHT:
        words = [*words[:2], *THREE, *words[4:]]
    if words[0] == "taskaffinity":
        extra = SEQUENTIAL if "--sequential" in words else ["--executor=local"] if "--retrain" in words else ()
        shrunk = LONG_ENOUGH if ESTIMATED in words else SHRUNK.get(words[1], ())
        budget = ["--budget=100%"] if words[1] == "estimate" else []
        trains = "--validate" not in words
        done = command(*words[1:], *trains * [*shrunk, *extra, *budget], cwd=folder)
    else:
        assert words[0] == "python", words
        done = subprocess.run([sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    if target:
        target.write_text(done.stdout, encoding="utf-8")


def shrink(name: str) -> Callable[..., Any]:
    """Return ``taskaffinity.NAME`` with smaller arguments."""
    function = getattr(taskaffinity, name)

    def shrunk(suite: Any, *, settings: Mapping[str, Any] | None = None, **options: Any) -> Any:
        small = {**(settings or {}), **SMALL_SETTINGS}
        if name == "full":
            small["finetune.num_train_epochs"] = 1
        if suite == EIGHT[1]:
            suite, options = THREE[1], {**options, "encoder": THREE[3]}
        seeds = {"seeds": 2, "max_seeds": 4} if "sequential" in options else {}
        return function(suite, **{**options, **SMALL_CALLS[name], **seeds, "settings": small, "executor": "local"})

    return shrunk


def write_encoder(folder: Path, width: int) -> None:
    """Write a BERT of one layer with random weights."""
    from transformers import AutoModel, BertConfig, BertTokenizer

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "one", "two", "text", "ulm", "is", "so"]
    tokens += [mark + character for character in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=128,
    )
    AutoModel.from_config(config).save_pretrained(folder)
    BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True).save_pretrained(folder)


def write_suite(folder: Path) -> None:
    """Write the suite file of the README with invented data."""
    [block] = re.findall(r"^```yaml\n(name: mine\n.*?)^```$", PAGES[0].read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "suite.yaml").write_text(block)
    (folder / "questions").mkdir()
    (folder / "ner").mkdir()
    for split, start in (("train", 0), ("test", 60)):
        rows = "".join(f"one {n},two {n},{n % 2}\n" for n in range(start, start + 60))
        (folder / f"questions/{split}.csv").write_text(f"q1,q2,same\n{rows}")
    for split in ("train", "dev", "test"):
        (folder / f"ner/{split}.conll").write_text("Ulm B-Town\nis O\n\nso O\n\n" * 10)
    lines = (json.dumps({"text": f"text {n}", "label": "ab"[n % 2]}) for n in range(100))
    (folder / "reviews.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages speak of: encoders, a suite file, texts, and a small study of the clinical suite."""
    folder = tmp_path_factory.mktemp("world")
    for name, width in (("FOLDER", 16), ("SMALL", 16), ("LARGE", 32)):
        write_encoder(folder / name, width)
    write_suite(folder)
    (folder / "notes.txt").write_text("".join(f"one text {n} is so\n" for n in range(100)))
    (folder / "pairs.jsonl").write_text('{"text": "one", "text_pair": "two"}\n' * 3)
    run(["taskaffinity", "pairwise", "--domain", "clinical"], folder)
    for name in ("A", "B"):
        shutil.copytree(folder / "results/clinical", folder / "results" / name)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_block_that_cannot_run_says_what_it_needs(page: Path) -> None:
    markers = re.findall(r"<!-- needs:", page.read_text(encoding="utf-8"))
    assert len(markers) == sum(bool(block.needs) for block in blocks_of(page)), "a marker stands right before its block"
    assert {need for block in blocks_of(page) for need in block.needs} <= NEEDS


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(not block.needs for block in blocks_of(page))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_the_blocks_of_a_page_run(page: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(world, tmp_path / "page")
    for name in SMALL_CALLS:
        monkeypatch.setattr(taskaffinity, name, shrink(name), raising=False)
    monkeypatch.setattr(taskaffinity, "group", partial(taskaffinity.group, risk=None), raising=False)
    for name in ("retrain", "search_helpers"):
        monkeypatch.setattr(taskaffinity, name, partial(getattr(taskaffinity, name), executor="local"), raising=False)
    monkeypatch.chdir(folder)
    (folder / "scores.csv").write_text(SCORES)
    (folder / "predictions.csv").write_text(PREDICTIONS)
    rows = [{"review": f"text {n}", "stars": n % 2} for n in range(40)]
    more_rows, test_rows = ([{"review": f"{word} {n}", "stars": n % 2} for n in range(20)] for word in ("one", "two"))
    pairs = {
        split: [{"text": f"{word} {n}", "text_pair": "is so", "label": n % 2} for n in range(20)]
        for split, word in (("train", "ulm"), ("dev", "is"), ("test", "so"))
    }
    names: dict[str, Any] = {"rows": rows, "more_rows": more_rows, "test_rows": test_rows, "pairs": pairs}
    for needs, language, code in blocks_of(page):
        if needs:
            continue
        if language == "python":
            exec(code, names)
            continue
        for words in commands_of(code):
            run(words, folder)
