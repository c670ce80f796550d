"""``kind: choice``: a text and options, from a user's file to a study and an exported model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score  # type: ignore[import-untyped]
from transformers import AutoModelForMultipleChoice, AutoTokenizer

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.kinds import option_names
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.tasks.unlabelled import read_unlabelled
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.training.encoders.load import load_tokenizer, tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import _stock as stock_of
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import Predictor
from taskaffinity.training.export.stock import STOCK
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, task_meta
from taskaffinity.training.inputs.feed import Feed, row_of
from taskaffinity.training.inputs.padded import padded
from taskaffinity.training.inputs.tokenize import encode_examples, token_counts
from taskaffinity.training.model import MultiTaskModel

WORDS = [f"w{number}" for number in range(24)]
SIZES: dict[Split, int] = {"train": 300, "dev": 60, "test": 80}
COLUMNS = ("first", "second", "third", "fourth")
Row = tuple[str, list[str], int]


def rows(split: str) -> list[Row]:
    """A text of four words; the right one of two to four options has one of the last four words, the others do not."""
    rng = np.random.default_rng(len(split))
    found = []
    for _ in range(SIZES[split]):  # type: ignore[index]
        right, n = int(rng.integers(2)), int(rng.integers(2, 5))
        words = [WORDS[int(word)] for word in rng.permutation(20)[: n + 4]]
        words[4 + right] = WORDS[int(rng.integers(20, 24))]
        found.append((" ".join(words[:4]), [f"{word} {WORDS[0]}" for word in words[4:]], right))
    return found


def suite_of(folder: Path, lines: list[str], options: str = "") -> Path:
    (folder / "d.jsonl").write_text("\n".join(lines))
    block = f"{{kind: choice, path: {{train: d.jsonl}}, dev: 20%, test: 20%{options}}}"
    (folder / "suite.yaml").write_text(f"name: mine\ntasks:\n  a: {block}\n  b: {block}\n")
    return folder / "suite.yaml"


FORMS: dict[str, tuple[Callable[[Row], dict[str, Any]], str]] = {
    "place": (lambda row: {"text": row[0], "options": row[1], "label": row[2]}, ""),
    "float": (lambda row: {"text": row[0], "options": row[1], "label": float(row[2])}, ""),
    "letter": (lambda row: {"text": row[0], "options": row[1], "label": "AB"[row[2]]}, ""),
    "right text": (lambda row: {"text": row[0], "options": row[1], "label": row[1][row[2]]}, ""),
    "json": (lambda row: {"text": row[0], "options": json.dumps(row[1]), "label": str(row[2])}, ""),
    "hub": (
        lambda row: {
            "q": row[0],
            "choices": {"text": row[1], "label": [str(n) for n in range(1, len(row[1]) + 1)]},
            "answer": str(row[2] + 1),
        },
        ", columns: {text: q, label: answer}",
    ),
    "hub, floats": (
        lambda row: {
            "text": row[0],
            "options": {"text": row[1], "label": [float(n) for n in range(1, len(row[1]) + 1)]},
            "label": row[2] + 1,
        },
        "",
    ),
    "objects": (
        lambda row: {
            "text": row[0],
            "options": [{"text": one, "label": f"o{n}"} for n, one in enumerate(row[1])],
            "label": f"o{row[2]}",
        },
        "",
    ),
    "columns": (
        lambda row: {
            "text": row[0],
            **dict.fromkeys(COLUMNS),
            **dict(zip(COLUMNS, row[1], strict=False)),
            "label": row[2],
        },
        f", options: [{', '.join(COLUMNS)}]",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_options_gives_the_same_task(form: str, tmp_path: Path) -> None:
    write, options = FORMS[form]
    task, _ = read_suite(suite_of(tmp_path, [json.dumps(write(row)) for row in rows("train")], options)).tasks
    assert (task.metric_name, task.labels) == ("accuracy", ("A", "B", "C", "D"))
    given = {(text, tuple(several)): "AB"[right] for text, several, right in rows("train")}
    examples = [example for split in SIZES for example in task.examples[split]]
    assert [example.label for example in examples] == [given[example.text, example.options] for example in examples]
    assert {len(example.options) for example in examples} == {2, 3, 4}


def test_a_table_and_rows_in_memory_are_the_same_task(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    memory: dict[str, list[dict[str, Any]]] = {}
    for split in SIZES:
        lines = [(text, *several, *[""] * (4 - len(several)), right) for text, several, right in rows(split)]
        with (tmp_path / "mine" / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", *COLUMNS, "label"), *lines])
        memory[split] = [{"text": text, "options": several, "label": right} for text, several, right in rows(split)]
    block = f"{{kind: choice, path: mine, options: [{', '.join(COLUMNS)}]}}"
    (tmp_path / "suite.yaml").write_text(f"name: mine\ntasks:\n  a: {block}\n  b: {block}\n")
    task, _ = read_suite(tmp_path / "suite.yaml").tasks
    other, _ = Suite.from_datasets({"a": (memory, {}), "b": (memory, {})}, name="mine").tasks
    assert (other.kind, other.fingerprint) == ("choice", task.fingerprint)


@pytest.mark.parametrize(
    ("row", "options", "said"),
    [
        ({"options": ["w1", "w2"], "label": 2}, "", "label '2', which is none of 2 options; expected its letter"),
        ({"options": ["w1", "w2"], "label": "w3"}, "", "label a text of 2 characters, which is none of 2 options"),
        ({"options": ["1", "0"], "label": "1"}, "", "label '1', which could be 2 of the options; expected a letter"),
        ({"options": ["w1", "w2"], "label": None}, "", "label null, which names no option"),
        ({"options": ["w1", "w2"], "label": 0.5}, "", "label 0.5, which names no option"),
        ({"options": ["w1", "", "w2"], "label": 0}, "", "no text as option 2 of 3"),
        ({"options": ["w1"], "label": 0}, "", "1 option; expected a list of 2 to 100 texts"),
        ({"options": "w1 or w2", "label": 0}, "", "a text of 8 characters as options; expected a list of texts"),
        ({"options": {"text": ["w1", "w2"], "label": ["a"]}, "label": "a"}, "", "1 label of 2 options"),
        ({"options": ["w1", "w2"], "label": 0}, ", labels: [A]", "2 options; expected at most 1, as many"),
        ({"options": ["w1", "w2"], "label": "x"}, ", labels: [a, b]", "which is none of 2 options; expected one of"),
        ({"options": ["w1", "w2"], "label": 0}, ", negative: A", "a negative class for kind choice"),
        ({"options": ["w1", "w2"], "label": 0}, ", long: windows", "long: windows for kind choice"),
        ({"options": ["w1", "w2"], "label": 0}, ", options: [options]", "1 column of options"),
        ({"options": ["w1", "w2"], "label": 0}, ", options: [x, y]", "no key 'x' among 3 (text, options, label)"),
        ({"label": 0}, "", "no options among 2 keys"),
    ],
)
def test_what_cannot_be_chosen_is_refused(row: dict[str, Any], options: str, said: str, tmp_path: Path) -> None:
    lines = [json.dumps({"text": "t", **row})] * 2
    with pytest.raises(InputError) as caught:
        read_suite(suite_of(tmp_path, lines, options))
    assert said in str(caught.value)


@pytest.fixture(scope="module")
def task() -> Task:
    def read(split: Split) -> list[Example]:
        return [
            Example(f"{split}.{n}", "AB"[right], text, options=tuple(several))
            for n, (text, several, right) in enumerate(rows(split))
        ]

    return Task("pick", "choice", read, option_names(4))


@pytest.fixture(scope="module")
def encoded(task: Task, tmp_path_factory: pytest.TempPathFactory) -> EncodedSplit:
    tokenizer = load_tokenizer(tiny_encoder(WORDS, tmp_path_factory.mktemp("tiny"), layers=1, width=16).folder)
    split = encode_examples(task.examples["test"], tokenizer, task_meta(task), 128, 30, is_train=False)
    assert token_counts(task, "test", tokenizer, 30) == [  # [CLS], four words, [SEP], two words, [SEP]
        1 + 4 + 1 + 2 + 1
    ] * len(task.examples["test"])
    return split


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_outputs_and_loss_are_those_of_the_stock_model(
    architecture: str, task: Task, encoded: EncodedSplit, make_encoder: Callable[..., Path], tmp_path: Path
) -> None:
    meta, chosen = task_meta(task), np.array([3, 0, 7, 12])
    folder = make_encoder(architecture)
    model = MultiTaskModel(folder, {"pick": meta}, seed=1).eval()
    batch = make_batch("pick", encoded, encoded.rows_of(chosen))
    stock = stock_of(model, meta, folder)
    stock.save_pretrained(tmp_path / "model")
    loaded = AutoModelForMultipleChoice.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        outputs, loss = model(batch), model.loss(batch)
        losses = []
        for place, number in enumerate(batch.rows.tolist()):
            one = make_batch("pick", encoded, encoded.rows_of(np.array([number])))
            inputs, _ = padded(one, loaded.config)
            assert one.owners is not None
            of_option = torch.argsort(one.owners)  # rows of a mini-batch are sorted by length
            logits = loaded(**{name: values[of_option][None] for name, values in inputs.items()}).logits[0]
            torch.testing.assert_close(outputs[place, : len(logits)], logits, rtol=0, atol=1e-5)
            chances = torch.softmax(outputs[place], dim=0)
            assert chances[len(logits) :].tolist() == [0.0] * (4 - len(logits))
            losses.append(-torch.log_softmax(logits, dim=0)[int(encoded.targets[number])])
    assert float(loss) == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)


def test_a_gpu_gathers_the_same_options(encoded: EncodedSplit) -> None:
    rows_ = encoded.rows_of(np.array([4, 1, 7]))
    row, expected = row_of("a", encoded, rows_), make_batch("a", encoded, rows_)
    found = Feed({"a": encoded}, torch.device("cpu")).batch(row.shape, row.rows, torch.from_numpy(row.numbers))
    assert found.owners is not None
    assert expected.owners is not None
    assert found.owners.tolist() == expected.owners.tolist()
    assert len(set(found.owners.tolist())) == len(rows_)
    assert found.targets.tolist() == expected.targets.tolist() == [int(encoded.targets[n]) for n in (1, 4, 7)]


@pytest.mark.slow
def test_it_is_learned_scored_and_exported(task: Task, tmp_path: Path) -> None:
    encoder = tiny_encoder(WORDS, tmp_path, layers=1, width=32)
    recipe = replace(FROM_SCRATCH, num_train_epochs=12)
    prepare([task], encoder, recipe, tmp_path)
    spec = RunSpec((task.ref,), encoder.ref, 0, recipe)
    result = execute(spec, encoder_folder=encoder.folder, cache=tmp_path, keep_model=True)
    found = result.predictions["pick/test"]
    assert found.gold == ["AB"[right] for _, _, right in rows("test")]
    score = result.outcomes["pick"].test
    assert score == pytest.approx(accuracy_score(found.gold, found.predicted), abs=1e-12)
    assert score > 0.9

    sizes = {str(split): n for split, n in SIZES.items()}
    card = StudiedTask("pick", "pick", "choice", "accuracy", task.fingerprint, sizes)
    Study("mine", (card,), encoder.ref, recipe, (0,)).write(tmp_path / "results")
    store = RunStore(tmp_path / "results")
    store.write(result)
    assert RunStore(tmp_path / "results").read(spec).outcomes == result.outcomes  # counts are checked when read
    folder = tmp_path / "model"
    export(best_model(tmp_path / "results", "pick", None), folder, str(encoder.folder))
    assert f"pipeline_tag: {STOCK['choice'].pipeline}" in (folder / "README.md").read_text()
    model, tokenizer = AutoModelForMultipleChoice.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with (tmp_path / "new.csv").open("w", newline="") as file:
        lines = [(text, *several, *[""] * (4 - len(several))) for text, several, _ in rows("test")]
        csv.writer(file).writerows([("text", *COLUMNS), *lines])
    unlabelled = read_unlabelled(tmp_path / "new.csv", "choice", {"options": ",".join(COLUMNS)})
    said = [one for _, one in Predictor(folder).predict(unlabelled)]
    assert [one["label"] for one in said] == found.predicted
    with (tmp_path / "candidates.csv").open("w", newline="") as file:  # one row per option
        lines = [(n, text, one) for n, (text, several, _) in enumerate(rows("test")) for one in several]
        csv.writer(file).writerows([("number", "text", "answer"), *lines])
    one_each = read_unlabelled(tmp_path / "candidates.csv", "choice", {"group": "number", "options": "answer"})
    assert [(row.id, one) for row, one in Predictor(folder).predict(one_each)] == [
        (str(n), one) for n, one in enumerate(said)
    ]
    for (text, several, _), one, stored in zip(rows("test"), said, found.probabilities, strict=True):
        inputs = tokenizer([text] * len(several), several, return_tensors="pt", padding=True)
        with torch.inference_mode():
            logits = model(**{name: values[None] for name, values in inputs.items()}).logits[0]
        chances = torch.softmax(logits, 0).tolist()
        assert list(one["probabilities"].values()) == pytest.approx(chances, abs=1e-5)
        assert stored.tolist() == pytest.approx([*chances, *[0] * (len(stored) - len(several))], abs=1e-5)
