"""Suites of data in memory: the same tasks as a suite file of the same rows, and the same complaints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS
from taskaffinity.tasks.user.suitefile import read_suite

SECRET = "frumious"
Rows = list[dict[str, Any]]
REVIEWS: Rows = [{"review": f"{SECRET} {n}", "stars": n % 2, "more": [n]} for n in range(8)]
PAIRS: Rows = [{"premise": f"p {n}", "hypothesis": f"h {n}", "label": ("yes", "no")[n % 2]} for n in range(8)]
SCORES: Rows = [{"sentence1": f"p {n}", "sentence2": f"h {n}", "score": n / 2} for n in range(8)]
SENTENCES: Rows = [{"tokens": [SECRET, "x", "y"], "ner_tags": ["I-Beast", "I-Beast", "O"]} for _ in range(3)]
RELATIONS: Rows = [{"id": f"r{n}", "text": f"@A$ {n}", "label": ("none", "up")[n % 2], "doc": n // 2} for n in range(8)]
STARS = {"text": "review", "label": "stars"}

YAML = """\
name: mine
tasks:
  reviews: {kind: classification, path: reviews, columns: {text: review, label: stars}, test: 20%, title: Reviews}
  pairs: {kind: inference, path: pairs, metric: macro_f1}
  scores: {kind: similarity, path: scores}
  beasts: {kind: ner, path: beasts}
  relations: {kind: relation, path: relations, columns: {document: doc}, negative: none, labels: [up, none]}
"""


def everywhere(rows: Rows) -> dict[str, Rows]:
    """The same rows in every split, with ids that differ."""
    return {split: [{**row, **({"id": split + row["id"]} if "id" in row else {})} for row in rows] for split in SPLITS}


REVIEWS_BY_SPLIT = {"train": REVIEWS * 10, "validation": REVIEWS}
FIVE: dict[str, tuple[Any, ...]] = {
    "reviews": (REVIEWS_BY_SPLIT, STARS, {"test": "20%", "title": "Reviews"}),
    "pairs": (everywhere(PAIRS), {}, {"metric": "macro_f1"}),
    "scores": (everywhere(SCORES), {}),
    "beasts": (everywhere(SENTENCES), {}),
    "relations": (
        everywhere(RELATIONS),
        {"document": "doc"},
        {"kind": "relation", "negative": "none", "labels": ["up", "none"]},
    ),
}


def written(folder: Path) -> Suite:
    for name, (splits, *_) in FIVE.items():
        (folder / name).mkdir()
        for split, rows in splits.items():
            (folder / f"{name}/{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "suite.yaml").write_text(YAML)
    return read_suite(folder / "suite.yaml")


def test_data_in_memory_and_in_files_are_the_same_tasks(tmp_path: Path) -> None:
    suite, same = Suite.from_datasets(FIVE), written(tmp_path)
    assert [task.ref for task in suite] == [task.ref for task in same]
    assert [(task.kind, task.title) for task in suite] == [(task.kind, task.title) for task in same]
    assert (suite.name, suite.synthetic) == (same.name, False)


def test_numpy_values_tuples_and_generators_are_rows_too() -> None:
    def generated(rows: Rows) -> Iterator[Mapping[str, Any]]:
        return (
            {key: np.array(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
        )

    given = {
        name: ({split: generated(rows) for split, rows in splits.items()}, *rest)
        for name, (splits, *rest) in FIVE.items()
    }
    assert Suite.from_datasets(given).tasks == Suite.from_datasets(FIVE).tasks
    tuples = [{key: tuple(value) for key, value in row.items()} for row in SENTENCES]
    given = {**FIVE, "beasts": (everywhere(tuples), {"words": "tokens", "tags": "ner_tags"})}
    assert Suite.from_datasets(given).tasks == Suite.from_datasets(FIVE).tasks


def test_arrays_within_objects_are_lists() -> None:
    """As pandas reads the structs of a parquet file."""
    answers = {"text": ["b"], "answer_start": [2]}
    rows: Rows = [
        {"question": f"q {n}", "context": f"a b {n}", "answers": answers, "spans": [answers]} for n in range(6)
    ]
    options: Rows = [
        {"text": f"t {n}", "options": {"text": ["w1", "w2"], "label": [1, 2]}, "label": 2} for n in range(6)
    ]
    found, expected = [], []
    for suite, change in (
        (expected, list),
        (found, lambda rows: pa.Table.from_pylist(rows).to_pandas().to_dict("records")),
    ):
        data, choices = everywhere(change(rows)), everywhere(change(options))
        nested = {"text": "question", "text_pair": "context", "label": "spans"}
        given = {"answers": (data, {}), "nested": (data, nested, {"kind": "spans"}), "choices": (choices, {})}
        suite += Suite.from_datasets(given).tasks
    assert type(change(rows)[0]["answers"]["text"]) is np.ndarray
    assert [task.kind for task in found] == ["spans", "spans", "choice"]
    assert [task.fingerprint for task in found] == [task.fingerprint for task in expected]
    assert found[0].examples["train"][0].label == found[1].examples["train"][0].label == ("2:3",)


def test_numbered_classes_of_datasets_have_their_names() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not here: NOT tried for real")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    content = {"sentence": ["a", "b", "c", "d"], "label": [0, 1, 0, 1]}
    part = datasets.Dataset.from_dict(content, features=features)
    data = datasets.DatasetDict({"train": part, "validation": part, "test": part})
    task = Suite.from_datasets({**FIVE, "sst": (data, {})})["sst"]
    assert (task.kind, task.labels) == ("classification", ("bad", "good"))
    scores = datasets.Dataset.from_list(SCORES)
    data = datasets.DatasetDict({"train": scores, "validation": scores, "test": scores})
    assert Suite.from_datasets({**FIVE, "scores": (data, {})})["scores"] == Suite.from_datasets(FIVE)["scores"]


def changed(**tasks: Any) -> dict[str, Any]:
    return {**FIVE, **tasks}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda: {"reviews": FIVE["reviews"]}, r"suite mine: found 1 task; expected two or more"),
        (lambda: changed(reviews=(REVIEWS, STARS)), r"task reviews: found list as data; expected a mapping of split"),
        (lambda: changed(reviews=everywhere(REVIEWS)), r"task reviews: found an object of 3; expected a tuple \(data"),
        (lambda: changed(reviews=({}, STARS)), r"task reviews: found no split"),
        (lambda: changed(**{"a b": FIVE["pairs"]}), r"suite mine: found task 'a b'; expected letters"),
        (
            lambda: changed(reviews=(REVIEWS_BY_SPLIT, STARS, {"metrics": "accuracy"})),
            r"task reviews: found unknown option 'metrics'; expected one of kind, .*did you mean metric\?",
        ),
        (
            lambda: changed(reviews=(REVIEWS_BY_SPLIT, STARS, {"kind": "relations"})),
            r"task reviews: found kind 'relations'; .*did you mean relation\?",
        ),
        (
            lambda: changed(reviews=(REVIEWS_BY_SPLIT, {"txt": "review"})),
            r"task reviews: found field 'txt'; expected one of id, .*did you mean text\?",
        ),
        (lambda: changed(reviews=(REVIEWS_BY_SPLIT, STARS)), r"no test split in task reviews"),
        (
            lambda: changed(reviews=(everywhere(REVIEWS), {"text": "revue", "label": "stars"})),
            r"task reviews: train row 1: found no column 'revue' among 3 .*did you mean review\?",
        ),
        (
            lambda: changed(reviews=({**everywhere(REVIEWS), "dev": [*REVIEWS, [1]]}, STARS)),
            r"task reviews: dev row 9: found a list of 1; expected a mapping of column name to value",
        ),
        (
            lambda: changed(reviews=({**everywhere(REVIEWS), "test": [{**REVIEWS[0], "stars": 7}]}, STARS)),
            r"task reviews: test row 1: found label '7', which no training example has; expected one of the .* "
            r"list it under labels, move an example of it to train, or drop this example",
        ),
    ],
)
def test_a_fault_is_one_line_with_its_place_and_no_text(given: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Suite.from_datasets(given())
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_suite_has_a_name_that_files_can_have() -> None:
    with pytest.raises(InputError, match="suite: found name 'my suite'; expected letters"):
        Suite.from_datasets(FIVE, name="my suite")
