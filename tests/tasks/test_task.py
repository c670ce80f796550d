"""Examples, tasks and suites as values."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import DEFAULT_METRIC, KINDS, SPLITS, Example, Kind, Split, Task

SECRET = "vorpal"
ONE = Example("e1", "yes", f"{SECRET} text", f"{SECRET} pair")


def read(example: Example, split: Split) -> Sequence[Example]:
    return [replace(example, id=f"{split}-{example.id}")]


def task(example: Example = ONE, name: str = "toy") -> Task:
    return Task(name, "inference", partial(read, example), ("yes", "no"), "no")


@pytest.mark.parametrize("example", [ONE, Example("e2", ("B-x", "O"), words=(SECRET, SECRET))], ids=["text", "words"])
def test_no_text_of_a_corpus_is_printed(example: Example) -> None:
    kept = task(example)
    assert kept.examples["train"]
    for shown in (repr(example), str(example), f"{example}", repr([example]), repr(kept), repr(Suite("s", (kept,)))):
        assert SECRET not in shown
    assert example.id in repr(example)


def test_no_text_of_a_corpus_is_in_a_traceback_that_names_an_example() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError(ONE)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


CHANGES: dict[str, Callable[[Task], Task]] = {
    "name": lambda t: replace(t, name="other"),
    "kind": lambda t: replace(t, kind="classification"),
    "labels": lambda t: replace(t, labels=("no", "yes")),
    "negative": lambda t: replace(t, negative=None),
    "metric": lambda t: replace(t, metric_name="macro_f1"),
    "id": lambda t: task(replace(ONE, id="e9")),
    "label": lambda t: task(replace(ONE, label="no")),
    "text": lambda t: task(replace(ONE, text="other")),
    "text_pair": lambda t: task(replace(ONE, text_pair=None)),
    "words": lambda t: task(replace(ONE, words=("one",))),
    "document": lambda t: task(replace(ONE, document="d")),
    "one split": lambda t: replace(
        t, read=lambda split: read(replace(ONE, text="other") if split == "dev" else ONE, split)
    ),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_whatever_can_move_a_score_or_its_error_changes_the_fingerprint(changed: str) -> None:
    assert CHANGES[changed](task()).fingerprint != task().fingerprint


def test_the_title_does_not_change_the_fingerprint_and_the_same_data_has_the_same() -> None:
    assert replace(task(), title="Toy").fingerprint == task().fingerprint
    assert len(task().fingerprint) == 16
    assert task().ref == ("toy", task().fingerprint)


def test_tasks_of_one_name_but_other_data_are_not_equal() -> None:
    assert task() == task()
    assert task(replace(ONE, label="no")) != task()


def test_splits_are_read_once() -> None:
    calls: list[Split] = []

    def counting(split: Split) -> list[Example]:
        calls.append(split)
        return [replace(ONE, id=split)]

    counted = Task("toy", "classification", counting, ("yes",))
    assert counted.examples is counted.examples
    assert counted.fingerprint == counted.fingerprint
    assert calls == list(SPLITS)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Example("e1", (), words=()), "'train-e1' in train has no word; expected one or more"),
        (Example("e1", ("O",), words=(SECRET, SECRET)), "'train-e1' in train has 1 tag for 2 words"),
        (Example("e1", ("O", "O"), words=(SECRET,)), "'train-e1' in train has 2 tags for 1 word; expected one tag"),
        (Example(f"{SECRET} one", (), words=()), "a text of 16 characters in train has no word"),
        (Example(f"{SECRET} one", ("O",), words=(SECRET, SECRET)), "a text of 16 characters in train has 1 tag for"),
    ],
    ids=["no word", "a tag too few", "a word too few", "no word, and a text as id", "a tag too few, and a text as id"],
)
def test_a_sentence_that_cannot_be_tagged_is_refused_by_its_id(example: Example, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _ = Task("toy", "ner", partial(read, example), ("x",)).examples
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"), [("e1", "id 'e1' is in"), (f"{SECRET} one", "id a text of 10 characters")]
)
def test_an_id_in_two_splits_is_refused(name: str, message: str) -> None:
    twice = replace(task(), read=lambda split: [replace(ONE, id=name)])
    with pytest.raises(InputError, match=message) as caught:
        _ = twice.examples
    assert SECRET not in str(caught.value)


def test_the_negative_class_is_not_scored() -> None:
    assert task().scored == ("yes",)
    assert replace(task(), negative=None).scored == ("yes", "no")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_own_metric(kind: Kind) -> None:
    made = Task("toy", kind, partial(read, ONE))
    assert made.metric.name == made.metric_name == DEFAULT_METRIC[kind]
    assert made.title == "toy"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "parsing", "no kind 'parsing'; there are similarity"),
        ("metric_name", "bleu", "no metric 'bleu' for kind inference; there are accuracy"),
        ("metric_name", "span_f1", "no metric 'span_f1' for kind inference; there are accuracy, micro_f1, macro_f1"),
        ("name", "a+b", "letters"),
        ("name", "a/b", "letters"),
    ],
)
def test_a_task_that_cannot_be_is_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        replace(task(), **{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_suite_finds_its_tasks_by_name_and_keeps_their_order() -> None:
    suite = Suite("s", (task(name="b"), task(name="a")))
    assert [t.name for t in suite] == ["b", "a"]
    assert len(suite) == 2
    assert suite["a"].name == "a"
    with pytest.raises(KeyError, match="no task 'c' in suite s; there are b, a"):
        suite["c"]


def test_a_suite_holds_no_task_twice() -> None:
    with pytest.raises(ValueError, match="a is listed twice"):
        Suite("s", (task(name="a"), task(name="a")))


def test_a_task_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(task())).fingerprint == task().fingerprint
