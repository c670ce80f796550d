"""``kind: spans``: a question and the place of its answer, from a user's file to a study and an exported model."""

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
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.answers import answer_text
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.reading import Reading
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import Example, Split, Task
from taskaffinity.tasks.unlabelled import read_unlabelled
from taskaffinity.tasks.user.answers import _answers, _parsed, _start
from taskaffinity.tasks.user.options import _parsed as parsed_options
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.training.encoders.load import load_tokenizer, tiny_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import _stock as stock_of
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import Predictor
from taskaffinity.training.inputs.answers import best_answers, characters
from taskaffinity.training.inputs.batches import make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, task_meta
from taskaffinity.training.inputs.feed import Feed, Shape, row_of
from taskaffinity.training.inputs.padded import padded
from taskaffinity.training.inputs.tokenize import encode_examples
from taskaffinity.training.model import MultiTaskModel

WORDS = [f"w{number}" for number in range(24)] + ["mark", "stop"]
SIZES: dict[Split, int] = {"train": 300, "dev": 60, "test": 80}
Row = tuple[str, str, str]


def rows(split: str) -> list[Row]:
    """The answer is a word between ``mark`` and ``stop``, with both; every fourth text has none."""
    rng = np.random.default_rng(len(split))
    found = []
    for number in range(SIZES[split]):  # type: ignore[index]
        words = [WORDS[int(word)] for word in rng.integers(2, 24, 7)]
        place = int(rng.integers(6))
        answer = "" if number % 4 == 0 else f"mark {words[place]} stop"
        if answer:
            words[place : place + 1] = answer.split()
        found.append(("w0 w2", " ".join(words), answer))
    return found


def suite_of(folder: Path, lines: list[str], options: str = "") -> Path:
    (folder / "d.jsonl").write_text("\n".join(lines))
    block = f"{{kind: spans, path: {{train: d.jsonl}}, dev: 20%, test: 20%{options}}}"
    (folder / "suite.yaml").write_text(f"name: mine\ntasks:\n  a: {block}\n  b: {block}\n")
    return folder / "suite.yaml"


def begin(row: Row) -> list[int]:
    return [row[1].index(row[2])] if row[2] else []


FORMS: dict[str, tuple[Callable[[Row], dict[str, Any]], str]] = {
    "hub": (lambda row: {"answers": {"text": [row[2]][: len(begin(row))], "answer_start": begin(row)}}, ""),
    "objects": (lambda row: {"answers": [{"text": row[2], "answer_start": at} for at in begin(row)]}, ""),
    "texts": (lambda row: {"answers": [row[2]] if row[2] else []}, ""),
    "text": (lambda row: {"answers": row[2]}, ""),
    "json": (lambda row: {"answers": json.dumps({"text": [row[2]], "answer_start": begin(row) or [0]})}, ""),
    "column of starts": (
        lambda row: {"said": row[2] or None, "at": begin(row)[0] if row[2] else None},
        ", columns: {label: said, start: at}",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_answers_gives_the_same_task(form: str, tmp_path: Path) -> None:
    write, options = FORMS[form]
    lines = [json.dumps({"question": row[0], "context": row[1], **write(row)}) for row in rows("train")]
    task, _ = read_suite(suite_of(tmp_path, lines, options)).tasks
    assert (task.metric_name, task.labels) == ("answer_f1", ("answer", "none"))
    given = {context: answer for _, context, answer in rows("train")}
    examples = [example for split in SIZES for example in task.examples[split]]
    for example in examples:
        assert example.text_pair is not None
        found = [answer_text(example.text_pair, place) for place in example.label]  # type: ignore[union-attr]
        assert found == [given[example.text_pair]] * bool(given[example.text_pair])


def test_a_table_and_rows_in_memory_are_the_same_task(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    memory: dict[str, list[dict[str, Any]]] = {}
    for split in SIZES:
        with (tmp_path / "mine" / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("question", "context", "answers"), *rows(split)])
        memory[split] = [
            {
                "question": row[0],
                "context": row[1],
                "answers": {"text": [row[2]] * bool(row[2]), "answer_start": begin(row)},
            }
            for row in rows(split)
        ]
    (tmp_path / "suite.yaml").write_text(
        "name: mine\ntasks:\n  a: {kind: spans, path: mine}\n  b: {kind: spans, path: mine}\n"
    )
    task, _ = read_suite(tmp_path / "suite.yaml").tasks
    other, _ = Suite.from_datasets({"a": (memory, {}), "b": (memory, {})}, name="mine").tasks
    assert (other.kind, other.fingerprint) == ("spans", task.fingerprint)


@pytest.mark.parametrize(
    ("answers", "options", "said"),
    [
        ("w9", "", "an answer of 2 characters that is not in its text"),
        ({"text": ["w1"], "answer_start": [1]}, "", "an answer of 2 characters that is not at its start"),
        ({"text": ["w1"], "answer_start": []}, "", "a list of 0 as answer_start of 1 answer"),
        ({"text": ["w1"], "answer_start": [-1]}, "", "answer_start -1; expected the number of a character"),
        (5, "", "5 as answers; expected a text, a list of texts"),
        ("w1", ", labels: [w1, w2]", "labels for kind spans"),
        ("w1", ", negative: w1", "a negative class for kind spans"),
        ("w1", ", metric: accuracy", "expected one of answer_f1, exact_match"),
        ("w1", ", long: windows, pool: max", "pool: for kind spans"),
    ],
)
def test_what_is_no_answer_is_refused(answers: object, options: str, said: str, tmp_path: Path) -> None:
    lines = [json.dumps({"question": "q", "context": "w1 w2 w1", "answers": answers})] * 2
    with pytest.raises(InputError) as caught:
        read_suite(suite_of(tmp_path, lines, options))
    assert said in str(caught.value)


def test_a_repeated_answer_without_a_start_is_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"q{n}", "context": "w1 w2 w1", "answers": "w1"}) for n in range(40)]
    task, _ = read_suite(suite_of(tmp_path, lines)).tasks
    assert task.notes == (
        "40 answers without a start that occur several times in their text; the first place is taken",
    )
    assert {example.label for example in task.examples["train"]} == {("0:2",)}
    assert task.labels == ("answer",)


SCORED = [  # gold answers, prediction, exact match, F1: by hand, by the rules of SQuAD 2.0
    (["Paris"], "paris.", 1, 1),
    (["the city of Paris"], "Paris", 0, 2 / 4),
    (["a cat", "the black cat"], "black cat!", 1, 1),
    (["3,000 men"], "3000", 0, 2 / 3),
    (["men men"], "men", 0, 2 / 3),
    ([], "", 1, 1),
    ([], "Paris", 0, 0),
    (["Paris"], "", 0, 0),
    (["The"], "", 1, 1),  # an article only is no word
]


def test_metrics_and_their_influence_by_hand_and_by_jackknife() -> None:
    gold, predicted, exact, f1 = zip(*SCORED, strict=True)
    for name, values in (("exact_match", exact), ("answer_f1", f1)):
        metric = METRICS[name]
        counts = metric.tally(gold, predicted, ())
        assert counts[:, 0].tolist() == pytest.approx([float(value) for value in values])
        many = counts[np.random.default_rng(0).integers(len(counts), size=120)]
        n, score = len(many), float(metric.score_examples(many))
        assert score == pytest.approx(many[:, 0].mean())
        jackknife = [(n - 1) * (score - float(metric.score_examples(np.delete(many, i, axis=0)))) for i in range(n)]
        assert metric.influence(many) == pytest.approx(jackknife, abs=1e-12)


WINDOWED = Reading(windowed="text_pair")


def task_of(rows_of: Callable[[Split], list[Row]], reading: Reading = WINDOWED) -> Task:
    def read(split: Split) -> list[Example]:
        return [
            Example(f"{split}.{n}", tuple(f"{at}:{at + len(row[2])}" for at in begin(row)), row[0], row[1])
            for n, row in enumerate(rows_of(split))
        ]

    return Task("ask", "spans", read, ("answer", "none"), reading=reading)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(tiny_encoder(WORDS, tmp_path_factory.mktemp("tiny"), layers=1, width=16).folder)


@pytest.fixture(scope="module")
def encoded(tokenizer: Any) -> EncodedSplit:
    task = task_of(rows)
    return encode_examples(task.examples["test"], tokenizer, task_meta(task), 128, 30, is_train=False)


def words_of_row(split: EncodedSplit, row: int) -> slice:
    return slice(int(split.word_bounds[row]), int(split.word_bounds[row + 1]))


def test_targets_are_the_tokens_of_the_answer(encoded: EncodedSplit) -> None:
    for row, (_, context, answer) in enumerate(rows("test")):
        words = words_of_row(encoded, row)
        targets, (starts, ends) = encoded.targets[words], characters(encoded.word_numbers[words])
        assert len(targets) == 1 + len(context.split())  # the first token stands for no answer
        if not answer:
            assert targets.tolist() == [3] + [0] * (len(targets) - 1)
            continue
        [first], [last] = np.flatnonzero(targets & 1), np.flatnonzero(targets & 2)
        assert context[starts[first] : ends[last]] == answer


@pytest.mark.parametrize("long", ["truncate", "windows"])
def test_a_long_context_is_cut_or_read_in_windows(long: Any, tokenizer: Any) -> None:
    context = " ".join(WORDS[2:24]) + " mark w5"
    reading = Reading(16, long=long, windowed="text_pair")
    task = task_of(lambda split: [("w0", context, "mark w5"), ("w0", context, "w2 w3")], reading)
    split = encode_examples(task.examples["dev"], tokenizer, task_meta(task), 128, 30, is_train=False)
    sizes = np.diff(split.bounds).tolist()
    assert max(sizes) == 16
    answered = [[], []]  # type: ignore[var-annotated]
    for row, number in enumerate(split.examples_of_rows):
        answered[number].append(split.targets[words_of_row(split, row)][0] == 0)
    if long == "truncate":
        assert answered == [[False], [True]]
        return
    assert answered[0] == [False] * (len(answered[0]) - 1) + [True]
    assert answered[1] == [True] + [False] * (len(answered[1]) - 1)
    outputs = [
        np.stack([(of & 1), (of & 2) / 2], axis=1) * 9.0 for of in np.split(split.targets, split.word_bounds[1:-1])
    ]
    found = best_answers(split, outputs, can_abstain=False)
    assert [answer_text(context, one.place) for one in found] == ["mark w5", "w2 w3"]


def test_the_best_answer_is_that_of_all_pairs(encoded: EncodedSplit) -> None:
    rng = np.random.default_rng(0)
    outputs = [rng.normal(size=(int(n), 2)) for n in np.diff(encoded.word_bounds)]
    for logits in outputs:
        logits[0] += 1.5
    found = {can: best_answers(encoded, outputs, can_abstain=can) for can in (False, True)}
    n_none = 0
    for row, logits in enumerate(outputs):
        starts, ends = characters(encoded.word_numbers[words_of_row(encoded, row)])
        sums = {(i, j): logits[i, 0] + logits[j, 1] for i in range(1, len(logits)) for j in range(i, len(logits))}
        i, j = max(sums, key=sums.__getitem__)
        none = logits[0].sum()
        total = np.exp(logits[:, 0]).sum() * np.exp(logits[:, 1]).sum()
        best = found[False][row]
        assert best.place == f"{starts[i]}:{ends[j]}"
        assert (best.probability, best.probability_of_none) == pytest.approx(
            (np.exp(sums[i, j]) / total, np.exp(none) / total)
        )
        assert found[True][row].place == ("" if none > sums[i, j] else best.place)
        n_none += none > sums[i, j]
    assert 0 < n_none < len(outputs)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_outputs_and_loss_are_those_of_the_stock_model(
    architecture: str, encoded: EncodedSplit, make_encoder: Callable[..., Path], tmp_path: Path
) -> None:
    meta, folder = task_meta(task_of(rows)), make_encoder(architecture)
    model = MultiTaskModel(folder, {"ask": meta}, seed=1).eval()
    batch = make_batch("ask", encoded, np.array([3, 0, 7, 12]))
    stock_of(model, meta, folder).save_pretrained(tmp_path / "model")
    loaded = AutoModelForQuestionAnswering.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        outputs, loss = model(batch), float(model.loss(batch))
        inputs, _ = padded(batch, loaded.config)
        found = loaded(**inputs)
    losses, place = [], 0
    for number, row in enumerate(batch.rows.tolist()):
        words = words_of_row(encoded, row)
        read = encoded.word_positions[words]
        for side, logits in enumerate((found.start_logits[number, read], found.end_logits[number, read])):
            torch.testing.assert_close(outputs[place : place + len(read), side], logits, rtol=0, atol=1e-5)
            [gold] = np.flatnonzero(encoded.targets[words] & (1 + side))
            losses.append(-float(torch.log_softmax(logits, dim=0)[gold]))
        place += len(read)
    assert loss == pytest.approx(float(np.mean(losses)), rel=1e-5)


def test_room_of_a_gpu_changes_neither_the_loss_nor_a_gradient(
    encoded: EncodedSplit, make_encoder: Callable[..., Path]
) -> None:
    meta, chosen = task_meta(task_of(rows)), np.array([4, 1, 7])
    model = MultiTaskModel(make_encoder("bert"), {"ask": meta}, seed=1, packed=False, head_dropout=0, encoder_dropout=0)
    bare = row_of("ask", encoded, chosen)
    name, n_tokens, n_sequences, n_read, longest, most_read, _ = bare.shape
    rooms = [Shape(name, n_tokens + 5, n_sequences + 1, n_read + more, longest, most_read) for more in (0, 3)]
    feed, found = Feed({"ask": encoded}, torch.device("cpu")), []
    for row in (bare, *(row_of("ask", encoded, chosen, room) for room in rooms)):
        model.zero_grad()
        loss = model.loss(feed.batch(row.shape, row.rows, torch.from_numpy(row.numbers)))
        loss.backward()
        found.append((loss.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_it_is_learned_scored_and_exported(tmp_path: Path) -> None:
    task, encoder = task_of(rows), tiny_encoder(WORDS, tmp_path, layers=2, width=32)
    recipe = replace(FROM_SCRATCH, num_train_epochs=12)
    prepare([task], encoder, recipe, tmp_path)
    spec = RunSpec((task.ref,), encoder.ref, 0, recipe)
    result = execute(spec, encoder_folder=encoder.folder, cache=tmp_path, keep_model=True)
    found = result.predictions["ask/test"]
    assert found.gold == ["|".join(example.label) for example in task.examples["test"]]  # type: ignore[arg-type]
    said = [answer_text(context, place) for (_, context, _), place in zip(rows("test"), found.predicted, strict=True)]
    exact = np.mean([one == answer for one, (_, _, answer) in zip(said, rows("test"), strict=True)])
    counts = result.counts["ask/test/exact_match"]
    assert counts[:, 0].mean() == pytest.approx(exact)
    assert result.outcomes["ask"].test >= exact > 0.8
    has, said_some = (np.array([bool(one) for one in side]) for side in ([row[2] for row in rows("test")], said))
    assert 0 < has.sum() < len(has)
    of_gold = np.stack([has & said_some, ~has & said_some, has & ~said_some], axis=1)
    assert (result.counts["ask/test/answered"] == of_gold).all()

    sizes = {str(split): n for split, n in SIZES.items()}
    card = StudiedTask("ask", "ask", "spans", "answer_f1", task.fingerprint, sizes)
    Study("mine", (card,), encoder.ref, recipe, (0,)).write(tmp_path / "results")
    store = RunStore(tmp_path / "results")
    store.write(result)
    assert RunStore(tmp_path / "results").read(spec).outcomes == result.outcomes  # counts are checked when read
    folder = tmp_path / "model"
    export(best_model(tmp_path / "results", "ask", None), folder, str(encoder.folder))
    model, tokenizer = (
        AutoModelForQuestionAnswering.from_pretrained(folder).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    (tmp_path / "new.jsonl").write_text(
        "\n".join(json.dumps({"question": row[0], "context": row[1]}) for row in rows("test"))
    )
    unlabelled = read_unlabelled(tmp_path / "new.jsonl", "spans")
    answers = [one for _, one in Predictor(folder).predict(unlabelled)]
    assert [one["answer"] for one in answers] == said
    for (question, context, _), one in zip(rows("test"), answers, strict=True):
        assert context[one["start"] : one["end"]] == one["answer"] if one["answer"] else one["start"] is None
        with torch.inference_mode():
            of_tokens = model(**tokenizer(question, context, return_tensors="pt"))
        # [CLS], two tokens of the question and [SEP]; [SEP] at the end
        start, end = ([0, *range(4, logits.shape[1] - 1)] for logits in (of_tokens.start_logits, of_tokens.end_logits))
        none = torch.softmax(of_tokens.start_logits[0, start], 0)[0] * torch.softmax(of_tokens.end_logits[0, end], 0)[0]
        assert one["probability_of_none"] == pytest.approx(float(none), abs=1e-5)


def test_a_word_in_the_place_of_a_start_is_not_quoted() -> None:
    for read, value in ((_start, "aspirin"), (_answers, {"text": ["fever"], "answer_start": "aspirin"})):
        with pytest.raises(InputError, match="a text of 7 characters") as fault:
            read("f.jsonl: line 1", value)
        assert "aspirin" not in str(fault.value)


def test_nested_lists_and_brackets_are_no_crash() -> None:
    deep = "[" * 100_000
    assert _answers("line 1", _parsed(deep)) == [(deep, None)]
    assert _answers("line 1", _parsed("[1]")) == [("[1]", None)]
    with pytest.raises(InputError, match="a list within a list"):
        _answers("line 1", [["fever"]])
    with pytest.raises(InputError, match="a text of 100000 characters as options"):
        parsed_options("line 1", deep)
