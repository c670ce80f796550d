"""The table of facts of ``verdicts``: what it changes, what is refused, and targets whose labels do not suffice."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import LOCAL, command

import taskaffinity as ta
from taskaffinity.errors import InputError

pytestmark = pytest.mark.usefixtures("no_figures")

COLUMNS = ["task", "fact", "of", "value"]
RUNS = [(target, source, seed) for target in "ab" for source in ("", "b" if target == "a" else "a") for seed in (0, 1)]
SCORES = pd.DataFrame(
    [(*run, 0.5 + number / 100) for number, run in enumerate(RUNS)], columns=["target", "source", "seed", "score"]
)


def predictions(**columns: Any) -> pd.DataFrame:
    rows = [(*run, n, "yn"[n % 2], "yn"[(n + run[2]) % 3 % 2]) for run in RUNS for n in range(6)]
    return pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted"]).assign(**columns)


def read(rows: list[tuple[Any, ...]], **tables: Any) -> ta.PairwiseResults:
    given = tables or {"scores": SCORES}
    return ta.PairwiseResults.from_scores(
        given.get("scores"),
        facts=pd.DataFrame(rows, columns=COLUMNS),
        **{name: table for name, table in given.items() if name != "scores"},
    )


def test_the_factor_of_repeated_texts_is_read_back() -> None:
    found = read([("a", "repeated", "test", 2.236)], predictions=predictions(), metric="accuracy")
    assert "a (2.2 on test)" in " ".join(found.advice)
    assert found.matrix.study.tasks[0].repeated == {"test": 2.236}
    assert dict(zip(*facts_columns(found), strict=True))["a", "repeated", "test"] == "2.236"
    assert not any("Test rows" in line for line in read([("a", "repeated", "test", 2.236)]).advice)  # only scores


def facts_columns(found: ta.PairwiseResults) -> tuple[list[tuple[str, str, str]], list[str]]:
    table = found.to_facts()
    return list(zip(table.task, table.fact, table.of, strict=True)), table.value.tolist()


def test_a_leak_from_dev_is_read_back() -> None:
    line = "leak: 90 texts of a test also in a dev"
    found = read([("a", "leak", "a", line)])
    assert f"{line}, so test examples choose the epoch: scores are too good" in found.advice
    assert dict(found.to_frame().set_index("target").notes)["a"] == line


def test_facts_give_titles_sizes_and_notes() -> None:
    found = read(
        [
            ("a", "title", "", "Task A"),
            ("a", "size", "train", 5000),
            ("a", "used", "train", 1200),
            ("a", "long", "train", 0.31),
            ("a", "max_length", "", 256),
            ("b", "undertrained", "hardly", 4.4),
            ("a", "leak", "b", "leak: 1,012 texts of a test also in b train"),
        ]
    )
    notes = dict(found.to_frame().set_index("target").notes)
    assert notes["a"] == (
        "a has long rows (31% of train); a is sampled (1,200 of 5,000 train); "
        "b hardly learned in single-task training (training loss fell by 4%); "
        "leak: 1,012 texts of a test also in b train"
    )
    assert "leak" not in notes["b"]  # it concerns the scores of a
    assert "Many rows have 256 tokens or more" in " ".join(found.advice)
    assert found.matrix.titles[0] == "Task A"


def test_scores_of_zero_count_more_than_a_fact() -> None:
    """A study says the gravest fault of a task; a table cannot hide it."""
    zero = SCORES.assign(score=SCORES.score * ~((SCORES.target == "b") & (SCORES.source == "")))
    found = read([("b", "undertrained", "climbing", 5)], scores=zero)
    assert set(found.to_frame().notes) == {"b scored 0 in single-task training"}


def test_nobody_needs_facts() -> None:
    found = ta.PairwiseResults.from_scores(SCORES)
    assert not found.to_frame().notes.any()
    assert "undertrained" not in json.loads((found.root / "study.json").read_text())


def test_facts_say_metrics_and_kinds_and_an_option_counts_more() -> None:
    rows = [(task, *fact) for task in "ab" for fact in (("kind", "", "inference"), ("metric", "", "macro_f1"))]
    tables = {"predictions": predictions()}
    assert {card.metric for card in read(rows, **tables).study.tasks} == {"macro_f1"}
    assert {card.metric for card in read(rows, metric="accuracy", **tables).study.tasks} == {"accuracy"}
    assert {card.kind for card in read(rows, **tables).study.tasks} == {"inference"}
    with pytest.raises(InputError, match="row 1: found kind inference with the metric pearson; expected accuracy or"):
        read(rows, metric="pearson", **tables)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a", "sise", "train", 5), r"row 1: fact: found 'sise'; expected one of title, .*; did you mean size\?"),
        (("c", "size", "train", 5), "row 1: found task 'c'; expected a task of the other tables"),
        (("a", "size", "", 5), "row 1: of: found nothing; expected a split"),
        (("a", "title", "train", "A"), "row 1: of: found a text of 5 characters; expected nothing, for title"),
        (("a", "size", "tset", 5), "row 1: of: found split 'tset'; expected one of train, dev, test"),
        (("a", "size", "test@mail", 5), "row 1: of: found split .*; expected one of train, dev, test"),
        (("a", "size", "train", -1), "row 1: value: found '-1'; expected a whole number from 0 to 1000000000"),
        (("a", "size", "train", 1.5), "row 1: value: found '1.5'; expected a whole number"),
        (("a", "used", "train", 5), "row 1: found 5 used of train, no size of it; expected fewer"),
        (("a", "long", "train", "nan"), "row 1: value: found .*; expected a share from 0 to 1"),
        (("a", "long", "train", 1.01), "row 1: value: found '1.01'; expected a share from 0 to 1"),
        (("a", "unknown", "train", 1.01), "row 1: value: found '1.01'; expected a share from 0 to 1"),
        (("a", "unknown", "tests", 0.5), "row 1: of: found split 'tests'; expected one of train, dev, test"),
        (("a", "repeated", "test", 0.9), "row 1: value: found '0.9'; expected a number from 1 to"),
        (("a", "repeated", "tests", 2), "row 1: of: found split 'tests'; expected one of train, dev, test"),
        (("a", "long", "train", 0.5), "row 1: found long rows without a length; expected a row with .* of a"),
        (("a", "max_length", "", 7), "row 1: value: found '7'; expected a whole number from 8 to 1000000"),
        (("a", "kind", "", "nre"), r"row 1: value: found 'nre'; expected one of similarity, .*; did you mean ner\?"),
        (("a", "metric", "", "score"), "row 1: value: found .*; expected one of pearson"),
        (("a", "title", "", "a\x1b[2J"), "row 1: value: found .*; expected a title of 1 to 200 printable characters"),
        (("a", "undertrained", "zero", 0), "row 1: of: found a text of 4 characters; expected hardly or climbing"),
        (("a", "undertrained", "hardly", 12), "row 1: value: found '12'; expected a number from -1e.09 to 10"),
        (("a", "undertrained", "climbing", "inf"), "row 1: value: found .*; expected a number from 2 to 200"),
        (("a", "leak", "b", "leak: 5 texts of b test also in b train"), "row 1: value: found another text; expected"),
        (("a", "leak", "b", "leak: 5 texts of a test also in b tests"), "row 1: value: found another text; expected"),
        (("a", "leak", "b", f"leak: {'9' * 5000} texts of a test also in b train"), "row 1: value: found another text"),
        (("a", "leak", "b", "leak: 5 texts of a test also in b dev"), "row 1: value: found another text; expected"),
        (("a", "leak", "a", "leak: 5 texts of a train also in a dev"), "row 1: value: found another text; expected"),
        (("a", "leak", "b", "buy this"), "row 1: value: found another text; expected the line of"),
        (("a", "leak", "c", "leak: 5 texts of a test also in c train"), "row 1: found task 'c'; expected a task"),
        (("a", "negative", "", ""), "row 1: value: found nothing; expected the class that F1 does not score"),
    ],
)  # fmt: skip
def test_a_fact_that_cannot_be_is_refused(row: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read([row])


def test_facts_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 2: found size of 'a' again; expected it once"):
        read([("a", "size", "train", 5)] * 2)
    with pytest.raises(InputError, match="row 2: found undertrained of 'a' again; expected it once"):
        read([("a", "undertrained", "hardly", 0), ("a", "undertrained", "climbing", 3)])
    with pytest.raises(InputError, match="row 2: found 9 used of train, 5 in all; expected fewer"):
        read([("a", "size", "train", 5), ("a", "used", "train", 9)])
    leak = ("a", "leak", "b", "leak: 1,012 texts of a test also in b train")
    with pytest.raises(InputError, match="row 2: found 1,012 leaked of test; expected 1,000 at most"):
        read([("a", "size", "test", 1000), leak])
    with pytest.raises(InputError, match=r"row 1: found a leak to split .*; expected train, dev, test"):
        read([("a", "leak", "b", "leak: 5 texts of a test@x also in b train")])
    tables = {"predictions": predictions(), "metric": "accuracy"}
    with pytest.raises(InputError, match="row 2: found 5 used of test; expected 6, as there are predictions"):
        read([("a", "size", "test", 8), ("a", "used", "test", 5)], **tables)
    with pytest.raises(InputError, match="row 1: found 5 examples of test; expected 6 or more, as there are"):
        read([("a", "size", "test", 5)], **tables)
    path = tmp_path / "facts.csv"
    path.write_text("task,fact,of,value\na,size,train,5\n\na,size,train,six\n")
    with pytest.raises(InputError, match=r"facts.csv: line 4: value: found a text of 3 characters; expected a whole"):
        ta.PairwiseResults.from_scores(SCORES, facts=path)


COUNTED = predictions(gold="", predicted="", counts=lambda of: ["accuracy=1 1;macro_f1=0 0 0 1 0 0"] * len(of))


def test_counts_take_the_place_of_labels() -> None:
    labels = predictions()
    classes = sorted({*labels.gold})

    def counts(gold: str, predicted: str) -> str:
        of_each = [(gold == predicted == one, gold != one == predicted, gold == one != predicted) for one in classes]
        return f"accuracy={int(gold == predicted)} 1;macro_f1=" + " ".join(str(int(n)) for of in of_each for n in of)

    counted = [counts(*answers) for answers in zip(labels.gold, labels.predicted, strict=True)]
    by_counts = labels.assign(gold="", predicted="", counts=counted)
    of_counts = ta.PairwiseResults.from_scores(predictions=by_counts).to_frame()
    of_labels = ta.PairwiseResults.from_scores(predictions=labels, metric="accuracy").to_frame()
    pd.testing.assert_frame_equal(of_counts, of_labels)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ("acuracy=1 1", "row 2: counts: found the metric 'acuracy'; expected METRIC=COUNTS"),
        ("accuracy=1 1;accuracy=1 1", "row 2: counts: found a second metric 'accuracy'; expected METRIC=COUNTS"),
        ("accuracy=1 1", "row 2: counts: found 2 of accuracy; expected 2 of accuracy and 6 of macro_f1, as in the"),
        ("accuracy=1 x;macro_f1=0", "row 2: counts: found a text of 3 characters of accuracy; expected numbers"),
        ("accuracy=nan 1;macro_f1=0", "row 2: counts: found a text of 5 characters of accuracy; expected numbers"),
        ("accuracy=2 1;macro_f1=0 0 0 1 0 0", "row 1: counts, from this row on: found counts of accuracy above 1"),
        ("accuracy=1 1;macro_f1=0 0 0 -1 0 0", "row 1: counts, from this row on: found counts of macro_f1 that are no"),
        ("accuracy=1 1;macro_f1=0 0 1 0 0 0", "row 7: found counts of macro_f1 with other gold labels than in the"),
        ("", "row 2: found labels; expected counts, as in the first row of a"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: str, said: str) -> None:
    frame = COUNTED.copy()
    frame.loc[1, "counts"] = counts
    with pytest.raises(InputError, match=said):
        ta.PairwiseResults.from_scores(predictions=frame)


def test_counts_of_another_metric_than_asked_are_refused() -> None:
    with pytest.raises(InputError, match="counts of a: found accuracy first, as its metric; expected macro_f1"):
        ta.PairwiseResults.from_scores(predictions=COUNTED, metric={"a": "macro_f1"})


def test_answers_and_classes_without_a_test_example_are_read_back(tmp_path: Path) -> None:
    """Runs on answers store no texts, and macro-F1 counts a class that only the training data have."""
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    encoder = tiny_encoder(VOCABULARY, tmp_path, layers=1, width=16).folder
    words = [word for word in VOCABULARY if word.isalpha()][:16]
    rng = random.Random(0)
    for split, n in (("train", 30), ("dev", 12), ("test", 12)):
        for task, header in (("asked", "question,context,answers"), ("rare", "text,label")):
            (tmp_path / task).mkdir(exist_ok=True)
            with (tmp_path / task / f"{split}.csv").open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(header.split(","))
                for number in range(n):
                    text = rng.sample(words, 6)
                    label = "c" if split == "train" and number < 2 else "ab"[number % 2]
                    rows.writerow([words[0], " ".join(text), text[2]] if task == "asked" else [" ".join(text), label])
    (tmp_path / "suite.yaml").write_text(
        "name: two\ntasks:\n  asked: {kind: spans, path: asked}\n"
        "  rare: {kind: classification, path: rare, metric: macro_f1}\n"
    )
    done = command(
        *("pairwise", "--suite", "suite.yaml", "--encoder", str(encoder), "--seeds", "2", *LOCAL),
        *(
            f"--set={one}"
            for one in (
                "num_train_epochs=4",
                "learning_rate=1e-2",
                "batch_size=8",
                "precision=none",
                "max_eval_examples=10",
            )
        ),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    trained = ta.PairwiseResults.load(tmp_path / "results/two")
    for name, table in zip(("scores", "predictions"), trained.to_tables(), strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    trained.to_facts().to_csv(tmp_path / "facts.csv", index=False)
    table = pd.read_csv(tmp_path / "predictions.csv", dtype=str, keep_default_na=False)
    assert (table.counts.str.count(";") == 1).all()  # both tasks: the official and a second metric
    done = command(
        "verdicts",
        "scores.csv",
        "--predictions",
        "predictions.csv",
        "--facts",
        "facts.csv",
        "--results",
        "back",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    expected = (tmp_path / "results/two/edges.csv").read_bytes()
    assert b"sampled" in expected
    assert (tmp_path / "back/edges.csv").read_bytes() == expected
