"""The planted suites: their rules read back from the examples, their sizes left to the module."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from taskaffinity.tasks import blue
from taskaffinity.tasks.planted import (
    BIOMEDICAL,
    CLINICAL,
    CONTENT,
    CUES,
    DOUBTING,
    N_CLASSES,
    VOCABULARY,
    WORDS_A_CLASS,
    Lexicon,
    Sizes,
    generate,
    inferred,
    related,
    similar,
    tagged,
    truth,
)
from taskaffinity.tasks.rows import Row, parse_rows
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Split, Task

SUITES = [CLINICAL, BIOMEDICAL]
TASKS = [task for suite in SUITES for task in suite]
FIRST_HALF = set(CONTENT[:, : WORDS_A_CLASS // 2].ravel().tolist())
SECOND_HALF = set(CONTENT.ravel().tolist()) - FIRST_HALF
PLACE = {str(CONTENT[k, i]): (k, i) for k in range(N_CLASSES) for i in range(WORDS_A_CLASS)}
SIZES = Sizes(train=400, dev=50, test=400)
LEXICONS = {
    "helper": (Lexicon(), 0),
    "target": (Lexicon(shown=20), 0),
    "rival": (Lexicon(shift=2), 2),
    "near rival": (Lexicon(shift=1), 1),
}
each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
each_lexicon = pytest.mark.parametrize("lexicon", LEXICONS)


def words_of(example: Example) -> list[str]:
    return [*example.words, *example.text.split(), *(example.text_pair or "").split()]


def content_of(task: Task, split: Split) -> set[str]:
    return {word for example in task.examples[split] for word in words_of(example)} & set(PLACE)


def believed(word: str, shift: int) -> int:
    k, i = PLACE[word]
    return k if i < WORDS_A_CLASS // 2 else (k + shift) % N_CLASSES


def improved(suite: Suite) -> set[str]:
    return {target for (_, target), verdict in truth(suite.name).items() if verdict == "improves"}


@each_task
def test_the_text_is_the_same_at_every_call_and_in_every_process(task: Task) -> None:
    again = Task(task.name, task.kind, task.read, task.labels, task.negative)
    generate.cache_clear()
    assert again.fingerprint == task.fingerprint


def test_another_process_makes_the_same_text() -> None:
    code = "from taskaffinity.tasks.planted import *; print(*[t.fingerprint for t in [*CLINICAL, *BIOMEDICAL]])"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert printed.stdout.split() == [task.fingerprint for task in TASKS]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_synthetic_suite_has_the_names_and_kinds_of_its_domain_and_says_that_it_is_synthetic(suite: Suite) -> None:
    assert tuple(task.name for task in suite) == blue.BLUE_SUITES[suite.name]
    assert all(task.kind == blue.BLUE_TASKS[task.name].kind for task in suite)
    assert suite.synthetic


@each_task
def test_ids_are_unique_and_splits_share_no_text(task: Task) -> None:
    ids = [example.id for split in SPLITS for example in task.examples[split]]
    assert len(ids) == len(set(ids))
    train = {tuple(words_of(example)) for example in task.examples["train"]}
    test = [tuple(words_of(example)) for example in task.examples["test"]]
    assert sum(words in train for words in test) <= len(test) / 20  # chance alone


@each_task
def test_no_split_is_empty_and_test_is_large_enough_for_an_interval(task: Task) -> None:
    assert all(task.examples[split] for split in SPLITS)
    assert len(task.examples["test"]) >= 100


@each_task
def test_examples_are_as_a_task_file_would_have_them(task: Task) -> None:
    for split in SPLITS:
        rows = [(str(i), Row(example).to_json()) for i, example in enumerate(task.examples[split])]
        assert parse_rows(rows, task.kind, task.labels) == list(task.examples[split])


@each_task
def test_every_class_and_type_is_in_every_split(task: Task) -> None:
    for split in SPLITS:
        labels = [example.label for example in task.examples[split]]
        if task.kind == "ner":
            found = {tag[2:] for tags in labels if isinstance(tags, tuple) for tag in tags if tag != "O"}
        else:
            found = {str(label) for label in labels} if task.labels else set()
        assert found == set(task.labels)


@each_task
def test_every_word_is_in_the_vocabulary(task: Task) -> None:
    text = " ".join(word for split in SPLITS for example in task.examples[split] for word in words_of(example))
    assert set(re.findall(r"\w+|[^\w\s]", text)) <= set(VOCABULARY)


def test_the_words_of_the_classes_are_distinct() -> None:
    assert len(PLACE) == CONTENT.size
    assert len(set(VOCABULARY)) == len(VOCABULARY)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_truth_of_every_arrow_is_known(suite: Suite) -> None:
    names = [task.name for task in suite]
    known = truth(suite.name)
    assert set(known) == {(source, target) for source in names for target in names if source != target}
    assert set(known.values()) <= {"improves", "degrades", "not significant", "not degrades"}
    assert {"improves", "degrades"} <= set(known.values())


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_only_targets_are_trained_on_half_of_the_words_and_all_are_tested_on_both(suite: Suite) -> None:
    assert improved(suite)
    for task in suite:
        shown = content_of(task, "train")
        assert shown >= FIRST_HALF
        assert (shown == FIRST_HALF) == (task.name in improved(suite)), task.name
        assert content_of(task, "test") & SECOND_HALF


def drawn(maker: partial[Example], lexicon: str, split: Split = "train") -> tuple[tuple[Example, ...], int]:
    chosen, shift = LEXICONS[lexicon]
    return generate(f"toy-{lexicon}", maker, chosen, SIZES, split), shift


@each_lexicon
@pytest.mark.parametrize("split", SPLITS)
def test_a_target_sees_half_of_the_words_in_training_and_all_in_dev_and_test(lexicon: str, split: Split) -> None:
    examples, _ = drawn(partial(tagged, ("A", "B", "C", "D")), lexicon, split)
    shown = {word for example in examples for word in example.words} & set(PLACE)
    assert bool(shown & SECOND_HALF) == (lexicon != "target" or split != "train")
    assert shown & FIRST_HALF


@each_lexicon
def test_a_cued_word_has_the_tag_of_the_class_that_its_task_believes(lexicon: str) -> None:
    examples, shift = drawn(partial(tagged, ("A", "B", None, "D")), lexicon)
    for example in examples:
        expected = []
        for before, word in zip(("", *example.words), example.words, strict=False):
            kind = ("A", "B", None, "D")[believed(word, shift)] if word in PLACE and before in CUES else None
            expected.append(f"B-{kind}" if kind else "O")
        assert example.label == tuple(expected)


@each_lexicon
def test_a_relation_is_the_first_words_class_unless_the_second_shares_it(lexicon: str) -> None:
    examples, shift = drawn(partial(related, ("A", "B", "C", "D"), "false"), lexicon)
    for example in examples:
        words = example.text.split()
        first, second = (believed(words[words.index(mark) + 1], shift) for mark in ("@a$", "@b$"))
        assert example.label == ("false" if first == second else "ABCD"[first])


@each_lexicon
def test_a_similarity_follows_the_mean_class(lexicon: str) -> None:
    examples, shift = drawn(partial(similar), lexicon)
    means = [np.mean([believed(word, shift) for word in words_of(e) if word in PLACE]) for e in examples]
    scores = [float(e.label) for e in examples if isinstance(e.label, float)]
    assert np.corrcoef(means, scores)[0, 1] > 0.9
    assert 0 <= min(scores) < max(scores) <= 5


@each_lexicon
def test_an_inference_is_neutral_where_the_premise_doubts_and_else_follows_the_word(lexicon: str) -> None:
    examples, shift = drawn(partial(inferred), lexicon)
    for example in examples:
        (word,) = [word for word in words_of(example) if word in PLACE]
        decided = "entailment" if believed(word, shift) < 2 else "contradiction"
        assert example.label == ("neutral" if set(example.text.split()) & set(DOUBTING) else decided)


def test_a_rival_is_right_where_its_target_can_check_and_wrong_where_it_cannot() -> None:
    (rival, shift), rng = LEXICONS["rival"], np.random.default_rng(0)
    drawn_words = [rival.draw(rng) for _ in range(2000)]
    right = {word for word, taken_for in drawn_words if taken_for == PLACE[word][0]}
    wrong = {word: taken_for for word, taken_for in drawn_words if word not in right}
    assert right == FIRST_HALF
    assert set(wrong) == SECOND_HALF
    assert {(taken_for - PLACE[word][0]) % N_CLASSES for word, taken_for in wrong.items()} == {shift}
