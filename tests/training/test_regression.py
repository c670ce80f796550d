"""``kind: regression``: one text and a number, from a user's file to an exported model."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.studies.defaults import default_recipe
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.training.encoders.load import tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import Predictor

WORDS = [f"w{number}" for number in range(12)]
SIZES = {"train": 300, "dev": 60, "test": 80}


def rows(split: str) -> list[tuple[str, float]]:
    """A text of six words; its score is 50 plus ten times the mean value of its words, which is their number."""
    rng = np.random.default_rng(len(split))
    drawn = rng.integers(0, len(WORDS), (SIZES[split], 6))
    return [(" ".join(WORDS[word] for word in words), round(50 + 10 * words.mean(), 3)) for words in drawn]


def level(score: float) -> str:
    return "high" if score > 105 else "low"


@pytest.fixture(scope="module")
def suite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("suite")
    for name, header, label in (("burden", "score", float), ("level", "label", level)):
        (root / name).mkdir()
        for split in SIZES:
            with (root / name / f"{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("text", header), *((text, label(score)) for text, score in rows(split))])
    (root / "suite.yaml").write_text(
        "name: mine\ntasks:\n  burden: {kind: regression, path: burden}\n  level: {kind: classification, path: level}\n"
    )
    return root / "suite.yaml"


def test_a_file_of_texts_and_numbers_is_read(suite_file: Path) -> None:
    task, _ = read_suite(suite_file).tasks
    assert (task.kind, task.metric_name, task.labels) == ("regression", "pearson", ())
    for split in SIZES:
        examples = task.examples[split]  # type: ignore[index]
        assert [(example.text, example.label, example.text_pair) for example in examples] == [
            (text, score, None) for text, score in rows(split)
        ]


def test_two_texts_are_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({"sentence1": "a b", "sentence2": "b c", "label": 1.5}) + "\n")
    (tmp_path / "suite.yaml").write_text(
        "name: mine\ntasks:\n  burden: {kind: regression, path: {train: d.jsonl}, dev: 20%, test: 20%}\n"
        "  other: {kind: similarity, path: {train: d.jsonl}, dev: 20%, test: 20%}\n"
    )
    with pytest.raises(InputError, match=r"key 'sentence2' for kind regression, .* kind: similarity for pairs"):
        read_suite(tmp_path / "suite.yaml")


def test_rows_in_memory_with_one_text_and_numbers_are_regression() -> None:
    scores = {split: [{"text": text, "label": score} for text, score in rows(split)] for split in SIZES}
    classes = {split: [{"text": text, "label": level(score)} for text, score in rows(split)] for split in SIZES}
    suite = Suite.from_datasets({"burden": (scores, {}), "level": (classes, {})})
    assert [task.kind for task in suite] == ["regression", "classification"]
    lists = {split: [{"text": text, "labels": [level(score)]} for text, score in rows(split)] for split in SIZES}
    suite = Suite.from_datasets({"burden": (scores, {}), "level": (lists, {})})
    assert [task.kind for task in suite] == ["regression", "multilabel"]


def test_it_is_learned_scored_and_exported(suite_file: Path, tmp_path: Path) -> None:
    suite = read_suite(suite_file)
    task, _ = suite.tasks
    encoder = tiny_encoder(WORDS, tmp_path, layers=1, width=32)
    recipe = replace(FROM_SCRATCH, num_train_epochs=16, similarity_targets="standardized")
    assert default_recipe(suite, str(encoder.folder)).similarity_targets == "standardized"
    prepare([task], encoder, recipe, tmp_path)
    spec = RunSpec((task.ref,), encoder.ref, 0, recipe)
    result = execute(spec, encoder_folder=encoder.folder, cache=tmp_path, keep_model=True)
    found = result.predictions["burden/test"]
    gold, predicted = (np.array(list(map(float, values))) for values in (found.gold, found.predicted))
    assert gold.tolist() == [score for _, score in rows("test")]
    assert result.outcomes["burden"].test == pytest.approx(np.corrcoef(gold, predicted)[0, 1], abs=1e-9)
    assert result.outcomes["burden"].test > 0.9
    assert np.abs(predicted - gold).mean() < 3  # in the unit of the data, whose SD is about 14

    card = StudiedTask("burden", "burden", "regression", "pearson", task.fingerprint, SIZES)
    study = Study("mine", (card,), encoder.ref, recipe, (0,))
    study.write(tmp_path / "results")
    RunStore(tmp_path / "results").write(result)
    export(best_model(tmp_path / "results", "burden", None), tmp_path / "model", str(encoder.folder))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["problem_type"] == "regression"
    assert config["architectures"] == ["BertForSequenceClassification"]
    texts = [text for text, _ in rows("test")]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    with torch.inference_mode():
        outputs = model(**tokenizer(texts, return_tensors="pt", padding=True)).logits[:, 0].numpy()
    close = 1e-5 * float(np.std(predicted))
    assert np.allclose(outputs, predicted, rtol=0, atol=close)
    unlabelled = [Unlabelled(number, 0, text=text) for number, text in enumerate(texts, start=1)]
    again = [found["score"] for _, found in Predictor(tmp_path / "model").predict(unlabelled)]
    assert np.allclose(again, predicted, rtol=0, atol=close)
