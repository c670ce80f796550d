"""Several test sets of a task: the same runs are scored on each, and one family of arrows is corrected."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from command_line import LOCAL, command
from scipy.stats import false_discovery_control

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore

LEARNS = [f"--set={s}" for s in ("num_train_epochs=6", "learning_rate=1e-2", "batch_size=8", "precision=none")]
WORDS = 6
"""Words of a text."""


def texts(vocabulary: list[str], n: int, seed: int, noise: float) -> list[tuple[str, str]]:
    """Texts and labels: yes if the first word of the vocabulary occurs, but for a share of wrong labels."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        words, has_first = rng.choices(vocabulary[1:], k=WORDS), rng.random() < 0.5
        if has_first:
            words[rng.randrange(WORDS)] = vocabulary[0]
        rows.append((" ".join(words), "yes" if has_first != (rng.random() < noise) else "no"))
    return rows


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


TWO_MORE = "{copy: first/copy.csv, part: first/part.csv}"


def write_suite(folder: Path, vocabulary: list[str], tests: str = TWO_MORE) -> Path:
    """Two tasks; the further test sets of the first are a copy of its test split, and the first half of it."""
    for seed, task in enumerate(("first", "second")):
        for place, (split, n) in enumerate((("train", 40), ("dev", 24), ("test", 60))):
            rows = texts(vocabulary[seed * 8 : seed * 8 + 8], n, 10 * seed + place, noise=0.1)
            write(folder / task / f"{split}.csv", rows)
            if (task, split) == ("first", "test"):
                write(folder / task / "copy.csv", rows)
                write(folder / task / "part.csv", rows[:30])
    further = f", tests: {tests}" * bool(tests)
    suite = folder / "suite.yaml"
    suite.write_text(
        f"name: two\ntasks:\n  first: {{kind: classification, path: first{further}}}\n"
        "  second: {kind: classification, path: second, tests: {other: first/test.csv}}\n"
        if tests
        else "name: two\ntasks:\n  first: {kind: classification, path: first}\n"
        "  second: {kind: classification, path: second}\n"
    )
    return suite


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    folder = tiny_encoder(VOCABULARY, tmp_path_factory.mktemp("encoder"), layers=1, width=16).folder
    return str(folder), [word for word in VOCABULARY if word.isalpha()][:16]


def study(folder: Path, encoder: str, *more: str) -> Path:
    asked = ("pairwise", "--suite", "suite.yaml", "--encoder", encoder, "--seeds", "3", *LOCAL, *LEARNS, *more)
    done = command(*asked, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "two"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, encoder: tuple[str, list[str]]) -> Path:
    folder = tmp_path_factory.mktemp("several")
    write_suite(folder, encoder[1])
    return study(folder, encoder[0])


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_a_copy_of_the_test_split_has_its_arrows(results: Path) -> None:
    edges, further = table(results / "edges.csv"), table(results / "test_sets.csv")
    copy = further[further.test_set == "copy"].reset_index(drop=True)
    assert copy[list(edges)].to_dict("records") == edges[edges.target == "first"].to_dict("records")
    assert list(zip(further.target, further.test_set, strict=True)) == [
        ("first", "copy"),
        ("first", "part"),
        ("second", "other"),
    ]


def test_scores_on_a_part_are_those_of_the_predictions_for_its_examples(results: Path) -> None:
    scores = pd.read_csv(results / "scores.csv")
    of_first = scores[scores.target == "first"]
    assert len(of_first[of_first.split == "test@part"]) == len(of_first[of_first.split == "test"]) > 5
    for folder in (results / "runs").iterdir():
        spec = json.loads((folder / "spec.json").read_text())
        if "first" not in [task[0] for task in spec["tasks"]]:
            continue
        table_of_run = pd.read_parquet(folder / "predictions.parquet")
        on_test = table_of_run[(table_of_run.task == "first") & (table_of_run.split == "test")].head(30)
        accuracy = float((on_test.gold == on_test.predicted).mean())
        stored = json.loads((folder / "result.json").read_text())["outcomes"]["first"]["test_sets"]
        assert stored["part"] == pytest.approx(accuracy, abs=1e-9)
        on_part = table_of_run[table_of_run.split == "test@part"]
        assert list(on_part.predicted) == list(on_test.predicted)
        assert on_part.probabilities.notna().all()


@pytest.mark.usefixtures("no_figures_here")
def test_other_test_sets_change_no_score_on_test(results: Path, tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1], tests="")
    alone = study(tmp_path, encoder[0])
    with_sets = table(results / "scores.csv")
    assert table(alone / "scores.csv").equals(with_sets[~with_sets.split.str.contains("@")].reset_index(drop=True))
    assert not (alone / "test_sets.csv").exists()
    changed = {"q", "q_tost", "recommendation", "seeds_to_significance", "seeds_to_equivalence", "mde", "verdict"}
    kept = [name for name in table(alone / "edges.csv") if name not in changed]
    assert table(alone / "edges.csv")[kept].equals(table(results / "edges.csv")[kept])


def test_the_correction_counts_the_arrows_on_every_test_set(results: Path) -> None:
    everything = pd.concat([pd.read_csv(results / name) for name in ("edges.csv", "test_sets.csv")])
    assert len(everything) == 5
    known = everything.dropna(subset=["p"])
    assert len(known) > 2
    q_tost = false_discovery_control(known.p_tost)
    q = false_discovery_control(np.where(q_tost <= 0.05, 1.0, known.p))
    np.testing.assert_allclose(known.q, q, rtol=1e-4)
    np.testing.assert_allclose(known.q_tost, q_tost, rtol=1e-4)
    words = (results / "affinity.txt").read_text()
    assert f"correct for {len(known)} arrows on all test sets" in words
    assert "on test set part:" in words


def test_every_test_set_has_its_figures_and_its_results(results: Path) -> None:
    for name in ("copy", "part", "other"):
        assert (results / f"heatmap@{name}.png").is_file()
        assert (results / f"forest@{name}.svg").is_file()
    found = ta.PairwiseResults.load(results)
    rows = table(results / "test_sets.csv")
    frame = found.on("part").to_frame()
    assert list(frame.source) == list(rows[rows.test_set == "part"].source) == ["second"]
    assert f"{frame.gain[0]:.6g}" == rows[rows.test_set == "part"].gain.iloc[0]
    with pytest.raises(InputError, match="expected a further test set of the study: copy, part, other"):
        found.on("elsewhere")
    page = found.report(results.parent / "page.html").read_text()
    tasks = page[page.index('id="tasks"') :]
    assert "further test sets" in tasks
    for words in ("copy (60 examples); part (30 examples)", "other (60 examples)"):
        assert words in tasks
    assert [f'id="test-set-{name}"' in page for name in ("copy", "part", "other", "elsewhere")] == [True] * 3 + [False]


def test_a_run_without_the_counts_of_a_test_set_is_damaged(results: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(results, copied)
    loaded = ta.PairwiseResults.load(copied)
    spec = next(spec for spec in loaded.study.plan if spec.task_names == ("first",))
    path = copied / "runs" / spec.run_id / "result.json"
    content = json.loads(path.read_text())
    del content["sha256"]["result.json"]
    content["outcomes"]["first"]["test_sets"]["part"] += 0.25
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="first/test@part: its counts give accuracy"):
        RunStore(copied).read(spec)
    content["outcomes"]["first"]["test_sets"] = {"elsewhere": 0.5}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"no counts of .*first/test@elsewhere"):
        RunStore(copied).read(spec)


def test_joint_training_reports_every_test_set(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1])
    done = command(
        *("train", "--suite", "suite.yaml", "--encoder", encoder[0], "--out", "out", *LOCAL, *LEARNS), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "out" / "train.csv")
    assert list(rows.split) == ["test", "test@copy", "test@part", "test", "test@other"]
    assert rows["mean"][0] == rows["mean"][1]
    assert "first @ part" in done.stdout
    done = command("export", "out", "--task", "first", "--out", "exported", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "exported" / "README.md").read_text()
    scores = dict(
        re.findall(r"^\* (test|test set \w+) ([\d.:, ]+95% interval .*)\. It selected", card.replace(": ", " "), re.M)
    )
    assert scores.keys() == {"test", "test set copy", "test set part"}
    assert scores["test"] == scores["test set copy"] != scores["test set part"]
    by_split = {result["dataset"]["split"]: result["metrics"][0]["value"] for result in _results(card)}
    assert list(by_split) == ["test", "test@copy", "test@part"]
    assert 100 * by_split["test@part"] == pytest.approx(float(rows["mean"][2]), abs=0.01)


def _results(card: str) -> list[dict[str, Any]]:
    header: dict[str, Any] = yaml.safe_load(card.split("---")[1])
    results: list[dict[str, Any]] = header["model-index"][0]["results"]
    return results


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("{a b: first/copy.csv}", "line 3: found test set 'a b'; expected letters"),
        (
            "{part: first/prt.csv}",
            "found no such file; expected the test@part file of suite.yaml: line 3; did you mean part.csv",
        ),
        ("{part: first/test.csv}", "found one file for test and test@part; expected one file per split"),
        ("{part: second/only.csv}", "label 'maybe', which no training example has"),
        ("first/copy.csv", "line 3: .*as tests"),
    ],
)
def test_a_fault_in_a_test_set_is_one_line(
    tests: str, message: str, tmp_path: Path, encoder: tuple[str, list[str]]
) -> None:
    write_suite(tmp_path, encoder[1], tests)
    write(tmp_path / "second" / "only.csv", [("other words", "maybe")])
    done = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.search(message, done.stderr), done.stderr


def test_ids_may_recur_in_test_sets_but_not_in_train(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1], "{part: first/part.csv}")
    rows = [(f"t{n}", *row) for n, row in enumerate(texts(encoder[1], 20, 5, 0.1))]

    def write_ids(name: str, chosen: list[tuple[str, str, str]]) -> None:
        with (tmp_path / "first" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("id", "text", "label"), *chosen])

    write_ids("test", rows)
    write_ids("part", rows[:5])
    found = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "test@part" in found.stdout
    assert "first test@part also in first test" not in found.stdout  # test sets may share texts
    train = [(f"x{n}", *row) for n, row in enumerate(texts(encoder[1], 20, 6, 0.1))]
    write_ids("train", [*train, rows[0]])
    write_ids("test", rows[1:])
    found = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert (found.returncode, "id 't0' again" in found.stderr) == (2, True), found.stderr


def test_a_text_of_train_in_a_further_test_set_is_a_leak(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1], "{part: first/part.csv}")
    train = list(csv.reader((tmp_path / "first" / "train.csv").open()))[1:]
    write(tmp_path / "first" / "part.csv", [(train[0][0], train[0][1]), ("no such words", "no")])
    found = command("data", "inspect", "suite.yaml", cwd=tmp_path).stdout
    assert "leak: 1 text of first test@part also in first train" in found


def test_data_in_memory_name_splits(encoder: tuple[str, list[str]]) -> None:
    def rows(seed: int) -> list[dict[str, Any]]:
        return [{"text": text, "label": label} for text, label in texts(encoder[1], 20, seed, 0.0)]

    data = {"train": rows(0), "validation": rows(1), "test": rows(2), "later": rows(3)}
    suite = ta.Suite.from_datasets(
        {
            "a": (data, {}, {"tests": {"y2023": "later"}}),
            "b": ({name: data[name] for name in ("train", "validation", "test")}, {}),
        }
    )
    [first, second] = suite
    assert first.splits == ("train", "dev", "test", "test@y2023")
    assert [example.text for example in first.examples["test@y2023"]] == [row["text"] for row in data["later"]]
    assert first.fingerprint != second.fingerprint
    assert second.splits == ("train", "dev", "test")
    with pytest.raises(InputError, match=r"no split '?latr'? in task a"):
        ta.Suite.from_datasets({"a": (data, {}, {"tests": {"y2023": "latr"}}), "b": (data, {})})
    with pytest.raises(InputError, match=r"split '?test'? for two parts"):
        ta.Suite.from_datasets({"a": (data, {}, {"tests": {"y2023": "test"}}), "b": (data, {})})


def test_a_sequential_design_refuses_several_test_sets(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1])
    asked = ("pairwise", "--suite", "suite.yaml", "--encoder", encoder[0], "--sequential", "--dry-run", *LOCAL)
    done = command(*asked, cwd=tmp_path)
    assert done.returncode == 2
    assert "--sequential: task first has several test sets" in done.stderr


def external(n_seeds: int = 4) -> list[tuple[str, str, int, float, str]]:
    """Scores of two targets; rte has three test sets, and gains 10 points on one of them."""
    rng = random.Random(3)
    rows = []
    for seed in range(n_seeds):
        for target, source in (("rte", ""), ("rte", "mnli"), ("mnli", ""), ("mnli", "rte")):
            for test_set in ("news", "notes", "mail") if target == "rte" else ("",):
                gain = 0.1 if source and test_set == "notes" else 0.0
                rows.append((target, source, seed, 0.6 + gain + rng.uniform(-0.01, 0.01), test_set))
    return rows


COLUMNS = ["target", "source", "seed", "score", "test_set"]


@pytest.mark.usefixtures("no_figures_here")
def test_what_would_decide_an_arrow_names_its_test_set(tmp_path: Path) -> None:
    """An arrow can be decided on one test set and open on another; the lines stand below the tables of all."""
    rows = [(*row[:4], row[4].replace("news", "")) for row in external()]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "scores.csv", index=False)
    done = command("verdicts", "scores.csv", "--results", "out", cwd=tmp_path)
    said = "rte: edges.csv and the graph show the test set without a name; further test sets: notes, mail"
    assert said in done.stderr
    loaded = ta.PairwiseResults.load(tmp_path / "out")
    expected = set()
    on = {"the main test set": loaded, **{f"test set {name}": loaded.on(name) for name in ("notes", "mail")}}
    for where, results in on.items():
        found = results.to_frame().query("verdict == 'inconclusive'")
        expected |= {f"{row.source} → {row.target} on {where}" for row in found.itertuples()}
    assert {"mnli → rte on test set mail"} <= expected
    assert "mnli → rte on test set notes" not in expected
    lines = [line for line in done.stdout.splitlines() if line.startswith("To decide ")]
    assert {line.removeprefix("To decide ").partition(": ")[0] for line in lines} == expected


@pytest.mark.usefixtures("no_figures_here")
def test_tables_of_runs_may_have_several_test_sets(tmp_path: Path) -> None:
    pd.DataFrame(external(), columns=COLUMNS).to_csv(tmp_path / "scores.csv", index=False)
    done = command("verdicts", "scores.csv", "--results", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rte: edges.csv and the graph show test set news; further test sets: notes, mail" in done.stderr
    loaded = ta.PairwiseResults.load(tmp_path / "out")
    assert loaded.study.test_sets == ("notes", "mail")
    rows = pd.DataFrame(external(), columns=COLUMNS)
    of_rte = rows[rows.target == "rte"]
    for name, results in (("news", loaded), ("notes", loaded.on("notes")), ("mail", loaded.on("mail"))):
        means = of_rte[of_rte.test_set == name].groupby("source").score.mean()
        assert results.gain.loc["mnli", "rte"] == pytest.approx(100 * (means["mnli"] - means[""]), abs=1e-9)
    printed = json.loads(command("verdicts", "scores.csv", "--results", "out", "--json", cwd=tmp_path).stdout)
    assert [(arrow["target"], arrow["test_set"]) for arrow in printed["test_sets"]] == [
        ("rte", "notes"),
        ("rte", "mail"),
    ]
    assert printed["test_sets"][0]["gain"] == pytest.approx(loaded.on("notes").gain.loc["mnli", "rte"], abs=1e-9)
    assert printed["test_sets"][0].keys() == {*printed["arrows"][0], "test_set"}
    assert loaded.on("notes").verdict.loc["mnli", "rte"] == "improves"
    assert loaded.verdict.loc["mnli", "rte"] != "improves"
    every = pd.concat([pd.read_csv(tmp_path / "out" / name) for name in ("edges.csv", "test_sets.csv")])
    assert list(every.test_set.fillna("")) == ["", "", "notes", "mail"]
    q_tost = false_discovery_control(every.p_tost)
    np.testing.assert_allclose(every.q, false_discovery_control(np.where(q_tost <= 0.05, 1.0, every.p)), rtol=1e-4)


@pytest.mark.usefixtures("no_figures_here")
def test_a_test_set_without_a_name_comes_first(tmp_path: Path) -> None:
    rows = [(*row[:4], "" if row[4] == "mail" else row[4]) for row in external()]
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / "out")
    assert found.study.test_sets == ("news", "notes")


@pytest.mark.usefixtures("no_figures_here")
def test_a_run_on_a_further_test_set_only_is_refused(tmp_path: Path) -> None:
    rows = [row for row in external() if row[:3] != ("rte", "mnli", 1) or row[4] != "news"]
    with pytest.raises(InputError, match="found rte@notes with mnli, seed 1; expected the same run on the first test"):
        ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / "out")
    rows = [row for row in external() if row[:3] != ("rte", "mnli", 1) or row[4] == "news"]
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / "out")
    assert int(found.on("notes").to_frame().seeds_pair[0]) == 3
    assert int(found.to_frame().seeds_pair[0]) == 4


@pytest.mark.usefixtures("no_figures_here")
def test_a_trained_study_read_back_has_the_same_test_sets(results: Path, tmp_path: Path) -> None:
    scores, predictions = ta.PairwiseResults.load(results).to_tables()
    assert set(scores.test_set) == {"", "copy", "part", "other"}
    facts = ta.PairwiseResults.load(results).to_facts()
    assert {"test@copy", "test@part", "test@other"} <= {*facts[facts.fact == "size"].of}
    ta.verdicts(scores, predictions=predictions, facts=facts, output_dir=tmp_path / "out")
    for name in ("edges.csv", "test_sets.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (results / name).read_bytes()


def test_predictions_of_some_test_sets_only_are_refused(results: Path, tmp_path: Path) -> None:
    scores, predictions = ta.PairwiseResults.load(results).to_tables()
    without = predictions[predictions.test_set != "part"]
    with pytest.raises(InputError, match="found none of first@part; expected some of every test set of first, or of"):
        ta.verdicts(scores, predictions=without, metric="accuracy", output_dir=tmp_path / "out")


@pytest.mark.usefixtures("no_figures_here")
def test_a_folder_of_external_runs_with_test_sets_is_checked(tmp_path: Path) -> None:
    ta.verdicts(pd.DataFrame(external(), columns=COLUMNS), output_dir=tmp_path / "out")
    path = tmp_path / "out" / "runs" / "external.npz"
    arrays = dict(np.load(path))
    assert {"rte@notes/runs", "rte/runs"} <= arrays.keys()
    from taskaffinity.runs.external.packed_runs import checksum

    del arrays["sha256"]
    arrays["rte@notes/runs"] = arrays["rte@notes/runs"].copy()
    arrays["rte@notes/runs"][0, 1] = 77  # a seed that the first test set has not
    arrays["sha256"] = checksum(arrays)
    np.savez_compressed(path, **arrays)
    with pytest.raises(InputError, match="a run of rte@notes that is none of rte"):
        _ = ta.PairwiseResults.load(tmp_path / "out").matrix


@pytest.mark.usefixtures("no_figures_here")
def test_what_more_seeds_need_counts_the_arrows_on_every_test_set(tmp_path: Path) -> None:
    found = ta.verdicts(pd.DataFrame(external(), columns=COLUMNS), output_dir=tmp_path / "out")
    alone = [row for row in external() if row[4] in ("news", "")]
    single = ta.verdicts(pd.DataFrame(alone, columns=COLUMNS), output_dir=tmp_path / "alone").matrix
    matrix = found.matrix
    others = [found.on(name).matrix for name in ("notes", "mail")]
    decided = [len(one.select("improves", "degrades")) for one in (matrix, *others)]
    assert matrix.beside.tested == 2
    assert matrix.beside.significant == sum(decided[1:]) == 1
    assert matrix.beside.equivalent == sum(len(one.select("no effect")) for one in others)
    arrow = (matrix.tasks.index("mnli"), matrix.tasks.index("rte"))
    # Benjamini & Hochberg: rank / arrows * alpha; here 2 / 4, and with one test set 1 / 2
    assert matrix.mde[arrow] == pytest.approx(single.mde[arrow])
    on_mail = others[1]
    assert (on_mail.beside.tested, on_mail.beside.significant) == (3, 1)


@pytest.mark.usefixtures("no_figures_here")
def test_a_target_without_the_test_set_has_no_verdict_on_it(tmp_path: Path) -> None:
    found = ta.verdicts(pd.DataFrame(external(), columns=COLUMNS), output_dir=tmp_path / "out").on("notes")
    assert found.verdict.loc["rte", "mnli"] == ""
    assert len(found.plot("seeds").axes) == 2  # the backdrop and one target


@pytest.mark.usefixtures("no_figures_here")
@pytest.mark.parametrize("name", ["../../x", "", "a b"])
def test_a_name_in_the_study_file_leaves_the_folder_nowhere(name: str, tmp_path: Path) -> None:
    ta.verdicts(pd.DataFrame(external(), columns=COLUMNS), output_dir=tmp_path / "out")
    path = tmp_path / "out" / "study.json"
    content = json.loads(path.read_text())
    content["tasks"][0]["sizes"] = {f"test@{name}": 0}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="test set"):
        ta.PairwiseResults.load(tmp_path / "out")


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1], "{copy: first/copy.csv, Copy: first/part.csv}")
    done = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert (done.returncode, "test sets copy and Copy" in done.stderr) == (2, True), done.stderr
    rows = [(*row[:4], row[4].replace("mail", "Notes")) for row in external()]
    with pytest.raises(InputError, match="found notes and Notes; expected names that differ in more than case"):
        ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / "out")


@pytest.mark.usefixtures("no_figures_here")
def test_predictions_with_two_names_of_the_first_test_set_are_refused(results: Path, tmp_path: Path) -> None:
    scores, predictions = ta.PairwiseResults.load(results).to_tables()
    named = scores.assign(test_set=scores.test_set.replace("", "main"))
    found = ta.verdicts(named, predictions=predictions, metric="accuracy", output_dir=tmp_path / "a")  # one name each
    assert found.study.test_sets == ("copy", "part", "other")
    twice = pd.concat([predictions, predictions[predictions.test_set == ""].assign(test_set="main")])
    with pytest.raises(InputError, match="rows of first with the test set main and without one; expected one name"):
        ta.verdicts(named, predictions=twice, metric="accuracy", output_dir=tmp_path / "b")


def test_figures_of_a_test_set_that_is_gone_are_removed(results: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(results, tmp_path / "copied"))
    (copied / "heatmap@gone.png").write_bytes(b"old")
    (copied / "heatmap@gone.txt").write_text("a note of the user")
    done = command("graph", str(copied), "--figures", "heatmap", "--format", "svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (copied / "heatmap@gone.png").exists()
    assert (copied / "heatmap@gone.txt").exists()
    assert (copied / "heatmap@copy.png").exists()


def test_a_column_of_splits_is_not_needed_in_the_file_of_a_test_set(
    tmp_path: Path, encoder: tuple[str, list[str]]
) -> None:
    write_suite(tmp_path, encoder[1], "{part: first/part.csv}")
    splits = ("train", "dev", "test")
    read = {split: list(csv.reader((tmp_path / "first" / f"{split}.csv").open()))[1:] for split in splits}
    with (tmp_path / "one.csv").open("w", newline="") as file:
        rows = [(*row, split) for split in splits for row in read[split]]
        csv.writer(file).writerows([("text", "label", "part_of"), *rows])
    suite = (tmp_path / "suite.yaml").read_text()
    block = "path: one.csv, columns: {split: part_of}"
    (tmp_path / "suite.yaml").write_text(suite.replace("path: first", block, 1))
    done = command("data", "inspect", "suite.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    counted = {split: found["examples"] for split, found in json.loads(done.stdout)["tasks"][0]["splits"].items()}
    assert counted == {"train": 40, "dev": 24, "test": 60, "test@part": 30}


def test_one_task_can_be_inspected(tmp_path: Path, encoder: tuple[str, list[str]]) -> None:
    write_suite(tmp_path, encoder[1], "")
    suite = (tmp_path / "suite.yaml").read_text()
    (tmp_path / "suite.yaml").write_text(suite.partition("  second:")[0])
    done = command("data", "inspect", "suite.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    refused = command("pairwise", "--suite", "suite.yaml", "--dry-run", cwd=tmp_path)
    assert (refused.returncode, "found 1 task; expected two or more" in refused.stderr) == (2, True), refused.stderr
