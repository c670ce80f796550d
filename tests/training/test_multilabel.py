"""``kind: multilabel``: any number of classes per text, from a user's file to a study and an exported model."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score  # type: ignore[import-untyped]
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import taskaffinity as ta
from taskaffinity.analysis.statistics.collapse import predicts_nothing
from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.training.encoders.load import tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import Predictor

LABELS = ["alpha", "beta", "gamma"]
WORDS = [f"w{number}" for number in range(30)]
SIZES = {"train": 300, "dev": 60, "test": 80}


def rows(split: str) -> list[tuple[str, list[str], float]]:
    """A text of six words: it has a class if it holds one of the class's two words. Its score counts the classes."""
    rng = np.random.default_rng(len(split))
    texts = [[WORDS[word] for word in rng.integers(0, len(WORDS), 6)] for _ in range(SIZES[split])]
    marks = {label: set(WORDS[2 * place : 2 * place + 2]) for place, label in enumerate(LABELS)}
    found = [[label for label in LABELS if marks[label] & set(words)] for words in texts]
    return [(" ".join(words), held, len(held) + 0.5) for words, held in zip(texts, found, strict=True)]


@pytest.fixture(scope="module")
def suite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("suite")
    for name, header in (("signs", "labels"), ("burden", "score")):
        (root / name).mkdir()
        for split in SIZES:
            with (root / name / f"{split}.csv").open("w", newline="") as file:
                lines = [(text, ",".join(held) if name == "signs" else score) for text, held, score in rows(split)]
                csv.writer(file).writerows([("text", header), *lines])
    (root / "suite.yaml").write_text(
        "name: mine\ntasks:\n  burden: {kind: regression, path: burden}\n  signs: {kind: multilabel, path: signs}\n"
    )
    return root / "suite.yaml"


def one_task(folder: Path, text: str, options: str = "") -> Path:
    (folder / "d.jsonl").write_text(text)
    (folder / "suite.yaml").write_text(
        f"name: mine\ntasks:\n  a: {{kind: multilabel, path: {{train: d.jsonl}}, dev: 20%, test: 20%{options}}}\n"
        f"  b: {{kind: multilabel, path: {{train: d.jsonl}}, dev: 20%, test: 20%{options}}}\n"
    )
    return folder / "suite.yaml"


def test_texts_with_separated_labels_are_read(suite_file: Path) -> None:
    _, task = read_suite(suite_file).tasks
    assert (task.kind, task.metric_name, task.labels) == ("multilabel", "multilabel_f1", tuple(LABELS))
    for split in SIZES:
        read = [(example.text, list(example.label)) for example in task.examples[split]]  # type: ignore[index,arg-type]
        assert read == [(text, held) for text, held, _ in rows(split)]
    assert any(not example.label for example in task.examples["train"])


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (list, ""),
        (lambda held: "|".join(held), ""),
        (lambda held: "; ".join(held), ""),
        (lambda held: " / ".join(held), ", label_separator: /"),
    ],
    ids=["list", "bar", "semicolon", "given"],
)
def test_every_form_of_labels_gives_the_same_task(write: object, options: str, tmp_path: Path) -> None:
    assert callable(write)
    lines = [json.dumps({"text": text, "labels": write(held)}) for text, held, _ in rows("train")]
    task, _ = read_suite(one_task(tmp_path, "\n".join(lines), options)).tasks
    examples = [example for split in ("train", "dev", "test") for example in task.examples[split]]  # type: ignore[index]
    order = {text: held for text, held, _ in rows("train")}
    assert [list(example.label) for example in examples] == [order[example.text] for example in examples]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        ('["x", "x"]', "", "a label twice"),
        ('["x"]', ", labels: [y, z]", "label a text of 5 characters; expected a list of some of y, z"),
        ('"x"', ", negative: x", "a negative class for kind multilabel"),
        ('"x"', ", metric: span_f1", "expected one of multilabel_f1, macro_f1, accuracy"),
    ],
)
def test_what_cannot_be_learned_is_refused(labels: str, options: str, said: str, tmp_path: Path) -> None:
    usual = [json.dumps({"text": text, "labels": held}) for text, held, _ in rows("train")]
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        read_suite(one_task(tmp_path, "\n".join([*usual, f'{{"text": "t", "labels": {labels}}}']), options))


def test_metrics_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    gold, predicted = ((rng.random((200, 3)) < 0.4).astype(int) for _ in range(2))
    as_lists = [[[LABELS[c] for c in np.flatnonzero(row)] for row in matrix] for matrix in (gold, predicted)]
    expected = {
        "multilabel_f1": f1_score(gold, predicted, average="micro"),
        "macro_f1": f1_score(gold, predicted, average="macro"),
        "accuracy": accuracy_score(gold, predicted),
    }
    for name, score in expected.items():
        metric = METRICS[name]
        assert float(metric.score_examples(metric.tally(*as_lists, LABELS))) == pytest.approx(score, abs=1e-12)


def test_a_model_that_always_says_the_same_is_found() -> None:
    gold = [["alpha"], ["beta"], [], ["alpha", "gamma"]]
    for same in ([], ["alpha"], ["alpha", "beta"]):
        assert predicts_nothing(METRICS["macro_f1"].tally(gold, [same] * 4, LABELS), METRICS["macro_f1"])
    other = [["alpha"], ["alpha", "beta"], ["alpha"], ["alpha"]]  # always alpha, but not always the same
    assert not predicts_nothing(METRICS["macro_f1"].tally(gold, other, LABELS), METRICS["macro_f1"])


def test_it_is_learned_scored_and_exported(suite_file: Path, tmp_path: Path) -> None:
    _, task = read_suite(suite_file).tasks
    encoder = tiny_encoder(WORDS, tmp_path, layers=1, width=32)
    recipe = replace(FROM_SCRATCH, num_train_epochs=16)
    prepare([task], encoder, recipe, tmp_path)
    spec = RunSpec((task.ref,), encoder.ref, 0, recipe)
    result = execute(spec, encoder_folder=encoder.folder, cache=tmp_path, keep_model=True)
    found = result.predictions["signs/test"]
    gold, predicted = (
        np.array([[label in text.split("|") for label in LABELS] for text in column])
        for column in (found.gold, found.predicted)
    )
    assert gold.tolist() == [[label in held for label in LABELS] for _, held, _ in rows("test")]
    score = result.outcomes["signs"].test
    assert score == pytest.approx(f1_score(gold, predicted, average="micro"), abs=1e-9)
    assert score > 0.9

    card = StudiedTask("signs", "signs", "multilabel", "multilabel_f1", task.fingerprint, SIZES)
    Study("mine", (card,), encoder.ref, recipe, (0,)).write(tmp_path / "results")
    store = RunStore(tmp_path / "results")
    store.write(result)
    assert RunStore(tmp_path / "results").read(spec).outcomes == result.outcomes  # counts are checked when read
    export(best_model(tmp_path / "results", "signs", None), tmp_path / "model", str(encoder.folder))
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert config["id2label"] == {str(number): label for number, label in enumerate(LABELS)}
    texts = [text for text, _, _ in rows("test")]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    with torch.inference_mode():
        probabilities = torch.sigmoid(model(**tokenizer(texts, return_tensors="pt", padding=True)).logits).numpy()
    assert np.array_equal(probabilities > 0.5, predicted)
    assert tuple(found.classes) == tuple(LABELS)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=1e-5)
    unlabelled = [Unlabelled(number, 0, text=text) for number, text in enumerate(texts, start=1)]
    for (_, said), row in zip(Predictor(tmp_path / "model").predict(unlabelled), probabilities, strict=True):
        assert said["labels"] == [label for label, p in zip(LABELS, row, strict=True) if p > 0.5]
        assert list(said["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-5)


@pytest.mark.slow
def test_a_study_of_both_new_kinds(suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))
    encoder = tiny_encoder(WORDS, tmp_path, layers=1, width=32)
    settings = {"learning_rate": 2e-3, "num_train_epochs": 3, "optimizer": "adamw", "precision": "none"}
    result = ta.pairwise(
        suite_file, encoder=encoder.folder, seeds=2, settings=settings, output_dir=tmp_path / "out", executor="local"
    )
    frame = result.to_frame()
    assert dict(zip(frame.target, frame.metric, strict=True)) == {"signs": "multilabel_f1", "burden": "pearson"}
    assert frame.gain.notna().all()
    page = Path(result.report()).read_text()
    assert "micro-F1 over all labels" in page
