"""Predictions that come from elsewhere: scores against other libraries, documents, and rows that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import seqeval.metrics
import sklearn.metrics
from command_line import command
from scipy import stats

import taskaffinity as ta
from taskaffinity.runs.external.predictions import scores_of
from taskaffinity.runs.external.scoring import Scoring
from taskaffinity.runs.external.study import write_external
from taskaffinity.runs.external.tables import Tables, read_tables
from taskaffinity.runs.rule import Rule

COLUMNS = ["target", "source", "seed", "id", "gold", "predicted", "document"]
N = 40
LABELS = {
    "accuracy": ("yes", "no"),
    "micro_f1": ("treats", "causes", "false"),
    "macro_f1": ("1", "2", "3"),
    "multilabel_f1": ("", "a", "a|b", "c | b"),
    "span_f1": ("B-Drug I-Drug O", "O B-Drug O", "O O B-Dose", "O O O"),
    "span_f1_conlleval": ("B-Drug I-Drug O", "O I-Drug O", "O O B-Dose", "O O O"),
    "answer_f1": ("", "red horse", "blue", "a blue horse"),
    "exact_match": ("", "red horse", "blue", "a blue"),
}


def table_of(metrics: dict[str, str], n_seeds: int = 3, right: float = 0.6) -> pd.DataFrame:
    """Each target alone and with the next one; a prediction is right with a chance of ``right``."""
    rng, rows = np.random.default_rng(0), []
    names = list(metrics)
    for place, (target, metric) in enumerate(metrics.items()):
        labels = LABELS.get(metric, ())
        gold = rng.normal(size=N).tolist() if metric == "pearson" else rng.choice(labels, N).tolist()
        for source in ("", names[(place + 1) % len(names)]):
            for seed in range(n_seeds):
                for number, label in enumerate(gold):
                    found = label + rng.normal() if metric == "pearson" else rng.choice(labels)
                    said = label if metric != "pearson" and rng.random() < right else found
                    rows.append((target, source, seed, f"e{number}", label, said, f"d{number % 7}"))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    ("metric", "label", "options"), [("multilabel_f1", "", {}), ("macro_f1", "no", {"negative": "no"})]
)
def test_predictions_without_a_class_that_is_scored_are_refused(
    metric: str, label: str, options: dict[str, str]
) -> None:
    frame = table_of({"a": metric, "b": metric}).assign(gold=label, predicted=label)
    negative = dict.fromkeys("ab", options["negative"]) if options else None
    with pytest.raises(ta.InputError, match="predictions of a: found no class that is scored; expected some"):
        ta.PairwiseResults.from_scores(predictions=frame, metric=metric, negative=negative)


def sides(frame: pd.DataFrame, target: str) -> dict[tuple[str, int], tuple[list[Any], list[Any]]]:
    of_target = frame[frame.target == target]
    return {
        (source, seed): (run.gold.tolist(), run.predicted.tolist())
        for (source, seed), run in of_target.groupby(["source", "seed"])
    }


def one_hot(labels: list[str]) -> list[list[bool]]:
    return [[one in [part.strip() for part in label.split("|")] for one in ("a", "b", "c")] for label in labels]


def likeness(one: str, other: str) -> float:
    """The F1 of two answers of distinct words, without the article."""
    words, others = (set(text.split()) - {"a"} for text in (one, other))
    return 2 * len(words & others) / (len(words) + len(others)) if words and others else float(words == others)


SECOND_WAY = {
    "accuracy": sklearn.metrics.accuracy_score,
    "micro_f1": lambda g, p: sklearn.metrics.f1_score(g, p, average="micro", labels=["treats", "causes"]),
    "macro_f1": lambda g, p: sklearn.metrics.f1_score(g, p, average="macro"),
    "pearson": lambda g, p: stats.pearsonr(g, p).statistic,
    "multilabel_f1": lambda g, p: sklearn.metrics.f1_score(one_hot(g), one_hot(p), average="micro"),
    "span_f1": lambda g, p: seqeval.metrics.f1_score(
        *([text.split() for text in side] for side in (g, p)), mode="strict", scheme=seqeval.scheme.IOB2
    ),
    "span_f1_conlleval": lambda g, p: seqeval.metrics.f1_score(*([text.split() for text in side] for side in (g, p))),
    "answer_f1": lambda g, p: np.mean(list(map(likeness, g, p))),
    "exact_match": lambda g, p: sklearn.metrics.accuracy_score(*([t.removeprefix("a ") for t in s] for s in (g, p))),
}


def test_every_metric_scores_as_other_libraries_do() -> None:
    metrics = {f"t-{metric}": metric for metric in SECOND_WAY}
    frame = table_of(metrics)
    shuffled = frame.sample(frac=1, random_state=1)  # runs need not be whole, nor in one order
    tables = read_tables(None, shuffled, Scoring.of(metrics, {"t-micro_f1": "false"}))
    for target, metric in metrics.items():
        found = scores_of(tables.targets[target], target)
        for (source, seed), (gold, predicted) in sides(frame, target).items():
            assert found[target, source, seed] == pytest.approx(SECOND_WAY[metric](gold, predicted), abs=1e-12)


def test_rows_of_one_document_count_as_one(tmp_path: Path) -> None:
    tables = read_tables(None, table_of({"a": "accuracy", "b": "accuracy"}), Scoring.of("accuracy"))
    edges = edges_of(tables, tmp_path)
    sizes = np.bincount(np.arange(N) % 7).astype(float)
    assert edges.n_test.tolist() == [N, N]
    assert edges.effective_documents.tolist() == pytest.approx([sum(sizes**2) ** 2 / sum(sizes**4)] * 2)
    assert set(edges.estimand) == {"population"}


def edges_of(tables: Tables, root: Path, rule: Rule | None = None) -> pd.DataFrame:
    study = tables.study(rule)
    write_external(study, tables.targets, root)
    found = ta.load(root)
    assert isinstance(found, ta.PairwiseResults)
    return found.to_frame()


def test_the_error_from_examples_is_that_of_the_paired_differences_by_hand(tmp_path: Path) -> None:
    frame = table_of({"a": "accuracy", "b": "accuracy"}).drop(columns="document")
    edge = edges_of(read_tables(None, frame, Scoring.of("accuracy")), tmp_path).set_index("target").loc["a"]
    right = (frame.gold == frame.predicted).astype(float)
    by = right.groupby([frame.target, frame.source, frame.id]).mean()
    difference = (by["a", "b"] - by["a", ""]).to_numpy()
    assert edge.gain == pytest.approx(100 * difference.mean())
    expected = difference.var(ddof=1) / N
    assert edge.se_examples == pytest.approx(100 * np.sqrt(expected), rel=1e-6)


def test_scores_and_predictions_of_the_same_runs_agree(tmp_path: Path) -> None:
    frame = table_of({"a": "accuracy", "b": "accuracy"})
    right = (frame.gold == frame.predicted).groupby([frame.target, frame.source, frame.seed]).mean()
    scores = right.rename("score").reset_index()
    both = read_tables(scores.round(3), frame, Scoring.of("accuracy"))
    alone = read_tables(None, frame, Scoring.of("accuracy"))
    one, two = (edges_of(tables, tmp_path / name) for tables, name in ((both, "one"), (alone, "two")))
    pd.testing.assert_frame_equal(one, two)
    wrong = scores.assign(score=scores.score + 0.01 * (scores.index == 3))
    with pytest.raises(ta.InputError, match=r"row 4: score: found .* the predictions give accuracy"):
        read_tables(wrong, frame, Scoring.of("accuracy"))
    with pytest.raises(ta.InputError, match="expected a row of its score, too"):
        read_tables(scores.drop(index=0), frame, Scoring.of("accuracy"))
    more = pd.concat([scores, scores.iloc[:1].assign(seed=9)])
    with pytest.raises(ta.InputError, match="a score of a alone, seed 9 without predictions"):
        read_tables(more, frame, Scoring.of("accuracy"))


def test_targets_with_and_without_predictions_hold_on_this_test_set(tmp_path: Path) -> None:
    frame = table_of({"a": "accuracy", "b": "accuracy"})
    frame = frame[frame.target == "a"]
    right = (frame.gold == frame.predicted).groupby([frame.target, frame.source, frame.seed]).mean()
    scores = right.rename("score").reset_index()
    other = [("b", source, seed, 0.5 + seed / 10) for source in ("", "a") for seed in range(3)]
    scores = pd.concat([scores, pd.DataFrame(other, columns=scores.columns)])
    tables = read_tables(scores, frame, Scoring.of("accuracy"))
    edges = edges_of(tables, tmp_path).set_index("target")
    assert set(edges.estimand) == {"test-set"}
    assert edges.n_test["a"] == N
    assert np.isnan(edges.n_test["b"])
    assert edges.metric.to_dict() == {"a": "accuracy", "b": "score"}
    with pytest.raises(ta.InputError, match="only scores are known"):
        tables.study(Rule())


def test_a_source_that_is_never_scored_asks_for_no_predictions(tmp_path: Path) -> None:
    frame = table_of({"a": "accuracy", "b": "accuracy"})
    edges = edges_of(read_tables(None, frame[frame.target == "a"], Scoring.of("accuracy")), tmp_path)
    assert set(edges.estimand) == {"population"}
    assert np.isfinite(edges.set_index("target").p["a"])


BASE = table_of({"a": "accuracy", "s": "span_f1"}, n_seeds=2)


@pytest.mark.parametrize(
    ("change", "metric", "said"),
    [
        ({"id": ""}, None, "row 3: id: found nothing"),
        ({"id": "e1", "document": "d1", "gold": BASE.gold[1]}, None, r"row 3: found id 'e1' again"),
        ({"predicted": ""}, None, "row 3: predicted: found nothing"),
        ({"seed": -1}, None, "row 3: seed"),
        ({"source": "a"}, None, "row 3: found a source that is the target"),
        ({"id": "another"}, None, "row 1: found 40 predictions of a alone, seed 0.*expected 41"),
        ({"row": 42, "gold": "maybe"}, None, "row 43: found another gold label of 'e2'"),
        ({"row": 42, "document": "d5"}, None, "row 43: found another document of 'e2'"),
        ({"row": 170, "predicted": "O O"}, None, "row 171: predicted: found 2 tags; expected 3, as in gold"),
        ({"row": 170, "predicted": "O O S-Drug"}, None, "row 171: predicted: found .* as a tag; expected O, B-TYPE"),
        ({"all": "YES"}, None, "predictions of a: found no predicted label that is a gold label"),
        ({}, ["accuracy"], None),
        ({}, ["a=acuracy"], "did you mean accuracy"),
        ({}, ["a=pearson", "s=span_f1"], "row 1: gold: found a text of .*expected a finite number"),
        ({}, ["a=accuracy"], "--metric: none for s; expected s=METRIC"),
        ({}, ["a=accuracy", "b=accuracy", "s=span_f1"], "--metric 'b': no predictions of this task"),
        ({}, ["a=accuracy", "a=micro_f1"], "two for a"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    change: dict[str, Any], metric: list[str] | None, said: str | None
) -> None:
    frame, change = BASE.copy(), dict(change)
    row = change.pop("row", 2)
    if "all" in change:
        frame.loc[frame.target == "a", "predicted"] = change.pop("all")
    for column, value in change.items():
        frame.loc[row, column] = value
    if said is None:
        read_tables(None, frame.assign(gold="x", predicted="x"), Scoring.of(metric))
        return
    with pytest.raises(ta.InputError, match=said) as caught:
        read_tables(None, frame, Scoring.of(metric or {"a": "accuracy", "s": "span_f1"}))
    assert "\n" not in str(caught.value)


def test_numbers_of_data_frames_are_the_same_labels_as_texts() -> None:
    frame = table_of({"a": "macro_f1", "b": "macro_f1"})
    numbers = frame.assign(gold=frame.gold.astype(int), predicted=frame.predicted.astype(float))
    texts, found = (read_tables(None, one, Scoring.of("macro_f1")) for one in (frame, numbers))
    for target in ("a", "b"):
        assert scores_of(found.targets[target], target) == scores_of(texts.targets[target], target)


@pytest.mark.parametrize(("metric", "score"), [("answer_f1", (0 + 1 + 1 / 2 + 0) / 4), ("exact_match", 1 / 4)])
def test_a_predicted_answer_is_one_text_whatever_sign_it_has(metric: str, score: float) -> None:
    sides = [("blue", ""), ("red horse|blue", "blue"), ("red horse|blue", "red | green"), ("", "a | blue")]
    rows = [
        (target, source, seed, f"e{number}", gold, predicted)
        for target, source in (("a", ""), ("a", "b"), ("b", ""), ("b", "a"))
        for seed in range(2)
        for number, (gold, predicted) in enumerate(sides)
    ]
    tables = read_tables(None, pd.DataFrame(rows, columns=COLUMNS[:-1]), Scoring.of(metric))
    assert list(scores_of(tables.targets["a"], "a").values()) == pytest.approx([score] * 4)


@pytest.mark.parametrize("metric", ["answer_f1", "exact_match"])
def test_runs_that_never_answer_have_learned_nothing(metric: str) -> None:
    rows = [
        (target, source, seed, number, gold, "" if target == "a" or number % 3 == 0 else gold)
        for target, other in ("ab", "ba")
        for source in ("", other)
        for seed in range(3)
        for number, gold in enumerate(["", "red horse"] * 40)
    ]
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted"])
    edges = ta.PairwiseResults.from_scores(predictions=frame, metric=metric).to_frame().set_index("target")
    assert edges.untested_reason.to_dict() == {"a": "nothing learned", "b": ""}
    assert edges.collapsed_pair.to_dict() == {"a": 3, "b": 0}


def test_the_command_reads_predictions_and_prints_json(tmp_path: Path, no_figures: None) -> None:
    frame = table_of({"a": "accuracy", "b": "macro_f1"})
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    arguments = ["--predictions=predictions.csv", "--metric=accuracy", "--metric=b=macro_f1", "--results=out"]
    done = command("verdicts", *arguments, "--json", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"results", "estimand", "arrows", "test_sets", "advice"}
    assert found["estimand"] == "population"
    assert [arrow["metric"] for arrow in found["arrows"]] == ["macro_f1", "accuracy"]
    refused = command("verdicts", "--metric=accuracy", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "expected a table of scores" in refused.stderr
