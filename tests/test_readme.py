"""README's example in Python runs as it stands, on cut-down settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import pytest

import taskaffinity

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_documentation_tells_what_went_wrong_on_trial() -> None:
    worst = pd.read_csv(ROOT / "tests/benchmarks/results/planted8.csv").nsmallest(1, "covered")
    seed, wrong, covered = worst[["base_seed", "wrong_no_effect", "covered"]].to_numpy()[0]
    pages = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/explanation").glob("*.md"))
    words = " ".join(pages.split())
    assert re.search(rf"base seed {seed:.0f}\b.{{0,100}}{100 * covered:.1f} ?%", words)
    assert wrong == 0


@pytest.mark.slow
def test_the_example_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    pairwise, small = taskaffinity.pairwise, {"num_train_epochs": 1, "max_train_examples": 64, "max_eval_examples": 50}
    monkeypatch.setattr(
        taskaffinity,
        "pairwise",
        lambda suite, **options: pairwise(suite, **{**options, "settings": small, "executor": "local", "seeds": 2}),
        raising=False,
    )
    monkeypatch.chdir(tmp_path)
    here: dict[str, Any] = {}
    exec(code, here)
    assert (tmp_path / "results" / "clinical" / "affinity.png").is_file()
    assert isinstance(here["graph"], nx.DiGraph)
    assert len(here["graph"].edges) == 12
    assert isinstance(here["helpers"], list)
    assert here["again"].to_frame().equals(here["result"].to_frame())


def test_every_command_has_its_place_in_the_documentation() -> None:
    from taskaffinity.cli import app

    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    names = [command.name for command in app.registered_commands]
    assert [name for name in names if not re.search(rf"^taskaffinity {name}\b", pages, re.MULTILINE)] == []


def test_the_suite_of_ones_own_is_read_as_it_stands(tmp_path: Path) -> None:
    [block] = re.findall(
        r"^```yaml\n(name: mine\n.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "suite.yaml").write_text(block)
    (tmp_path / "questions").mkdir()
    (tmp_path / "ner").mkdir()
    rows = "".join(f"one {n},two {n},{n % 2}\n" for n in range(60))
    for split in ("train", "test"):
        (tmp_path / f"questions/{split}.csv").write_text(f"q1,q2,same\n{rows}")
    for split in ("train", "dev", "test"):
        (tmp_path / f"ner/{split}.conll").write_text("Ulm B-Town\nis O\n\nso O\n")
    lines = (json.dumps({"text": f"text {n}", "label": "ab"[n % 2]}) for n in range(100))
    (tmp_path / "reviews.jsonl").write_text("\n".join(lines))
    suite = taskaffinity.load_suite(str(tmp_path / "suite.yaml"))
    assert [(task.name, task.kind) for task in suite] == [
        ("questions", "inference"),
        ("places", "ner"),
        ("reviews", "classification"),
    ]
