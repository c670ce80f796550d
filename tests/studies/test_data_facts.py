"""What planning finds in the data is stored with the study and stands in every text about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.study import Study
from taskaffinity.studies.data_facts import data_lines, find_leaks, used_sizes, with_data_facts
from taskaffinity.studies.define import define
from taskaffinity.tasks.reading import Reading
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Split, Task
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.setup import read_tasks

LONG = "w " * 20


def task(name: str, *, negative: str | None = None) -> Task:
    """Twelve training and six test rows; a third of the training rows is long, a test text is a training text."""

    def examples(split: Split) -> tuple[Example, ...]:
        size = {"train": 12, "dev": 4, "test": 6}[split]
        texts = [
            LONG + f"{split}{n}" if split == "train" and n % 3 == 0 else f"{split} {name} {n}" for n in range(size)
        ]
        if split == "test" and name == "b":
            texts[0] = "train a 1"
        return tuple(Example(f"{split}{n}", "xyy"[n % 3], text=text) for n, text in enumerate(texts))

    return Task(name, "relation", examples, ("x", "y"), negative=negative)


SUITE = Suite("toy", (task("a", negative="y"), task("b")))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(["w", "train", "a", "b"], tmp_path_factory.mktemp("cache"), layers=1, width=16)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_train_examples": 5, "max_eval_examples": 3},
        {"negatives_per_positive": 0.5, "max_eval_examples": 30},
        {"protocol": "paper", "max_train_examples": 14},
    ],
)
def test_the_sizes_are_those_that_a_run_reads(settings: dict[str, object], encoder: Encoder, tmp_path: Path) -> None:
    recipe = Recipe(**settings)
    prepare(SUITE.tasks, encoder, recipe, tmp_path)
    for one in SUITE.tasks:
        spec = RunSpec(((one.name, one.fingerprint),), encoder.ref, 0, recipe)
        _, read = read_tasks(spec.tasks, spec, tmp_path, SPLITS)
        assert used_sizes(one, recipe) == {split: read[split][one.name].n_examples for split in SPLITS}


def test_leaks_are_searched_in_suites_in_memory_and_not_in_domains() -> None:
    [leak] = find_leaks(SUITE, None)
    assert leak.line == "leak: 1 text of b test also in a train"
    assert find_leaks(replace(SUITE, name="clinical"), None) == ()
    assert find_leaks(replace(SUITE, synthetic=True), None) == ()


@pytest.mark.parametrize(
    ("settings", "follows"),
    [
        ({}, ", so test examples choose the epoch: scores are too good"),
        ({"protocol": "paper"}, ", so test examples are trained on: scores are too good"),
    ],
)
def test_a_test_set_that_is_the_dev_set_is_a_leak(
    settings: dict[str, object], follows: str, encoder: Encoder, tmp_path: Path
) -> None:
    same = task("c")
    same = replace(
        same,
        read=lambda split: [
            replace(one, id=f"{split} {one.id}") for one in task("c").read("dev" if split == "test" else split)
        ],
    )
    suite = Suite("toy", (task("a"), same))
    study, _ = define(suite, encoder=str(encoder.folder), recipe=Recipe(**settings), seeds=(0, 1))
    known = with_data_facts(study, suite, encoder, tmp_path, find_leaks(suite, None))
    assert data_lines(known, suite, None)[0] == f"leak: 4 texts of c test also in c dev{follows}"
    assert not any("taskaffinity data inspect" in line for line in data_lines(known, suite, None))


def test_a_study_keeps_what_was_found(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))
    recipe = Recipe(max_length=16, max_train_examples=8)
    study, _ = define(SUITE, encoder=str(encoder.folder), recipe=recipe, seeds=(0, 1))
    lengths = with_data_facts(study, SUITE, encoder, tmp_path).tasks[0].long_rows
    assert lengths == {}  # nothing is tokenized yet
    prepare(SUITE.tasks, encoder, recipe, cache_folder())
    known = with_data_facts(study, SUITE, encoder, tmp_path, find_leaks(SUITE, Path("suite.yaml")))
    assert known == study  # not a part of its identity
    assert known.tasks[0].long_rows == {"train": round(4 / 12, 4), "dev": 0.0, "test": 0.0}
    assert [card.has_negative for card in known.tasks] == [True, False]
    of_data = data_lines(known, SUITE, Path("suite.yaml"))
    assert of_data[5].startswith("Few updates at a learning rate of 5e-05, so models may hardly learn: a 10, b 10.")
    assert [line.partition(":")[0] for line in of_data[6:]] == [
        f"Fewer than {fewest} effective test examples" for fewest in (20, 5)
    ]
    # of a, train rows have 8 unknown numbers in 4 * 14 + 8 * 3 tokens; of b, 5 * 2 + 1 of 18 test tokens are unknown
    assert of_data[:5] == [
        "leak: 1 text of b test also in a train, which can look like transfer",
        "all leaks: taskaffinity data inspect suite.yaml",
        "Many rows have 16 tokens or more, and the encoder reads the first 16 (max_length): a (33% of train), b (33% "
        "of train).",
        "Many tokens are not in the vocabulary of the encoder, which reads the same unknown token for all of them: a "
        "(10% of train, 67% of test), b (10% of train, 61% of test). Take an encoder of the language and the symbols "
        "of these texts.",
        "Runs use a sample of the examples: a (8 of 12 train), b (8 of 12 train).",
    ]
    known.write(tmp_path / "results")
    stored = Study.load(tmp_path / "results")
    assert (stored.leaks, stored.tasks[0].used) == (known.leaks, known.tasks[0].used)
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "emptied"))
    again = with_data_facts(study, SUITE, encoder, tmp_path / "results")
    assert again.tasks[0].long_rows == known.tasks[0].long_rows
    longer = replace(study, recipe=replace(recipe, max_length=32))
    assert with_data_facts(longer, SUITE, encoder, tmp_path / "results").tasks[0].long_rows == {}


def test_long_rows_are_those_that_a_task_cuts(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path))
    readings = {"a": Reading(), "b": Reading(max_length=20), "c": Reading(max_length=40), "d": Reading(long="windows")}
    suite = Suite("toy", tuple(replace(task(name), reading=reading) for name, reading in readings.items()))
    study, _ = define(suite, encoder=str(encoder.folder), recipe=Recipe(max_length=16), seeds=(0, 1))
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    known = with_data_facts(study, suite, encoder, tmp_path)
    assert [card.long_rows["train"] for card in known.tasks] == [0.3333, 0.3333, 0.0, 0.0]
    assert [card.reading for card in known.tasks] == list(readings.values())
    assert [line for line in data_lines(known, suite, None) if "max_length" in line] == [
        f"Many rows have {n} tokens or more, and the encoder reads the first {n} (max_length): {name} (33% of train)."
        for n, name in ((16, "a"), (20, "b"))
    ]
    known.write(tmp_path / "results")
    assert [card.reading for card in Study.load(tmp_path / "results").tasks] == list(readings.values())
