"""Verdicts on scores that come from elsewhere, against gains and p-values that are computed by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from command_line import LOCAL, command
from scipy import optimize, special, stats

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.runs.external.scores import read_scores
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study

pytestmark = pytest.mark.usefixtures("no_figures")

EXAMPLE = Path(__file__).parents[2] / "notebooks/example_results"
COLUMNS = ["target", "source", "seed", "score"]
Rows = list[tuple[str, str, int, float]]


def made_up(n_single: int = 5, n_pair: int = 4, tasks: tuple[str, ...] = ("rte", "mnli", "sst")) -> Rows:
    """Scores as fractions; training with mnli helps rte by 20 points."""
    rng = np.random.default_rng(3)
    rows = [(task, "", seed, 0.6 + rng.normal(0, 0.01)) for task in tasks for seed in range(n_single)]
    for target in tasks:
        for source in tasks:
            better = 0.2 * ((source, target) == ("mnli", "rte"))
            rows += [(target, source, s, 0.6 + better + rng.normal(0, 0.01)) for s in range(n_pair) if source != target]
    return rows


def written(path: Path, rows: Rows, header: list[str] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def by_arm(rows: Rows) -> dict[tuple[str, str], npt.NDArray[np.float64]]:
    arms: dict[tuple[str, str], list[float]] = {}
    for target, source, _, score in rows:
        arms.setdefault((target, source), []).append(score)
    return {key: np.array(scores) for key, scores in arms.items()}


def test_scores_of_a_study_give_its_gains(tmp_path: Path) -> None:
    study, store = Study.load(EXAMPLE), RunStore(EXAMPLE)
    rows = [
        (target, "".join(name for name in spec.task_names if name != target), spec.seed, outcome.test)
        for spec in study.plan
        for target, outcome in store.read(spec).outcomes.items()
    ]
    order = [card.name for card in study.tasks]
    rows.sort(key=lambda row: order.index(row[0]))
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / "out")
    expected = ta.load(EXAMPLE, estimand="test-set")
    assert isinstance(expected, ta.PairwiseResults)
    pd.testing.assert_frame_equal(found.gain, expected.gain, rtol=0, atol=1e-9)
    ours, theirs = found.to_frame(), expected.to_frame()
    same = ["source", "target", "seeds_pair", "seeds_single", "estimand", "margin", "alpha", "baseline"]
    pd.testing.assert_frame_equal(ours[same], theirs[same])
    unknown = ["se_examples", "n_test", "effective_documents"]
    assert ours[unknown].isna().all(axis=None)
    assert (ours[["evaluated_after", "init_from", "synthetic"]] == "").all(axis=None)


def test_without_a_prior_p_is_that_of_a_t_test_by_hand(tmp_path: Path) -> None:
    rows = [row for row in made_up() if row[0] == "rte" and row[1] in ("", "sst")]  # two arms make no prior
    rule = Rule(test="satterthwaite", estimand="test-set")
    edge = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), rule=rule, output_dir=tmp_path).to_frame()
    edge = edge.set_index(["source", "target"]).loc["sst", "rte"]
    pair, single = by_arm(rows)["rte", "sst"], by_arm(rows)["rte", ""]
    error = np.sqrt(pair.var(ddof=1) / len(pair) + single.var(ddof=1) / len(single))
    p = 2 * stats.t.sf(abs(pair.mean() - single.mean()) / error, min(len(pair), len(single)) - 1)
    assert edge.p == pytest.approx(p, rel=1e-9)
    assert edge.se_seeds == pytest.approx(100 * error, rel=1e-9)


def test_with_a_prior_p_is_that_of_smyths_moderated_t_by_hand(tmp_path: Path) -> None:
    rows = made_up()
    found = ta.verdicts(
        pd.DataFrame(rows, columns=COLUMNS), rule=Rule(test="satterthwaite", estimand="test-set"), output_dir=tmp_path
    )
    arms = by_arm(rows)
    s2 = np.array([scores.var(ddof=1) for scores in arms.values()])
    d = np.array([len(scores) - 1 for scores in arms.values()])
    e = np.log(s2) - special.digamma(d / 2) + np.log(d / 2)
    spread = e.var(ddof=1) - special.polygamma(1, d / 2).mean()

    def excess(d0: float) -> float:
        return float(special.polygamma(1, d0 / 2)) - spread

    d0 = 8.0 if excess(8.0) > 0 else optimize.brentq(excess, 0.1, 8.0)
    typical = np.exp(e.mean() + special.digamma(d0 / 2) - np.log(d0 / 2))
    moderated = {key: (d0 * typical + n * v) / (d0 + n) for key, n, v in zip(arms, d, s2, strict=True)}
    for edge in found.to_frame().itertuples():
        pair, single = (edge.target, edge.source), (edge.target, "")
        error = np.sqrt(moderated[pair] / len(arms[pair]) + moderated[single] / len(arms[single]))
        gain = arms[pair].mean() - arms[single].mean()
        df = d0 + min(len(arms[pair]), len(arms[single])) - 1
        assert edge.gain == pytest.approx(100 * gain, abs=1e-9)
        assert edge.p == pytest.approx(2 * stats.t.sf(abs(gain) / error, df), rel=1e-6)
    assert found.verdict.loc["mnli", "rte"] == "improves"


def test_a_results_folder_without_a_name_is_not_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("", " "):
        with pytest.raises(InputError, match="output_dir: an empty name; expected a folder"):
            ta.verdicts(pd.DataFrame(made_up(), columns=COLUMNS), output_dir=name)
    assert not list(tmp_path.iterdir())


def test_collapsed_runs_are_named_in_every_form(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    header = ["target", "source", "seed", "id", "gold", "predicted"]
    rows = [
        ("rte", source, seed, number, "yn"[number % 2], "y" if not source else "yn"[(number + seed) % 5 % 2])
        for source in ("", "mnli")
        for seed in range(2)
        for number in range(20)
    ]
    path = tmp_path / "rows.csv"
    pd.DataFrame(rows, columns=header).to_csv(path, index=False)
    said = "2 runs collapsed: rte (single, seed 0): 50.0 points, one class"
    ta.verdicts(predictions=path, metric="accuracy", output_dir=tmp_path / "python")
    assert said in caplog.text
    given = ("verdicts", f"--predictions={path}", "--metric=accuracy", "--results=command")
    assert said in command(*given, cwd=tmp_path).stdout
    assert any(said in line for line in json.loads(command(*given, "--json", cwd=tmp_path).stdout)["advice"])


@pytest.mark.parametrize("also_other", [False, True])
def test_a_task_that_was_never_learned_gets_no_advice_to_learn_more_slowly(also_other: bool) -> None:
    """Every run of a predicts one value, so its scores are 0. One run of b does, too, if ``also_other``."""
    rng = np.random.default_rng(0)
    gold = {name: rng.normal(size=40) for name in "ab"}
    rows = []
    for target, source in ("a", ""), ("a", "b"), ("b", ""), ("b", "a"):
        for seed, place in np.ndindex(3, 40):
            is_equal = target == "a" or (also_other and (source, seed) == ("a", 1))
            predicted = 1.5 if is_equal else gold[target][place] + rng.normal()
            rows.append((target, source, seed, place, gold[target][place], predicted))
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted"])
    advice = ta.PairwiseResults.from_scores(predictions=frame, metric="pearson").advice
    assert any("a; more epochs, a higher learning rate" in line for line in advice)
    slower = [line for line in advice if "lower learning rate" in line]
    assert (
        slower
        == ["A lower learning rate or a longer warm-up helps against collapsed runs of b; more seeds do not."]
        * also_other
    )


def test_the_command_does_what_the_function_does_and_others_read_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path / "glue.csv", made_up())
    done = command("verdicts", str(path), "--results=one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "scores are read as shares of 1, and a point is 0.01 (none is above 1); larger scores are better" in said
    ta.verdicts(path, output_dir=tmp_path / "two")
    for name in ("edges.csv", "scores.csv", "affinity.txt", "study.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    before = (tmp_path / "one/edges.csv").read_bytes()
    words = (tmp_path / "one/affinity.txt").read_text()
    for said in ("on exactly this test set", "trained elsewhere", "no standard error over test examples"):
        assert said in words
    for arguments in (["graph", "one"], ["report", "one"], ["compare", "one", "two"], ["status", "one"]):
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "all done" in done.stdout
    done = command("group", "one", "--groups=2", "--draws=5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one/edges.csv").read_bytes() == before
    page = (tmp_path / "one/report.html").read_text()
    assert "on exactly this test set" in page
    assert "learning_rate" not in page
    assert "honest" not in page
    refused = command("graph", "one", "--estimand=population", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "only scores are known" in refused.stderr


def test_a_margin_given_later_leaves_the_other_margins_and_one_of_no_task_is_refused(tmp_path: Path) -> None:
    """Of ``sst`` only scores are known; ``rte`` has predictions, whose scores are given, too."""
    rng, rows = np.random.default_rng(0), [row for row in made_up() if row[0] == "sst"]
    answers = [
        ("rte", source, seed, number, number % 2, (number % 2) ^ int(rng.random() < 0.3))
        for source in ("", "mnli")
        for seed in range(3)
        for number in range(40)
    ]
    predictions = pd.DataFrame(answers, columns=["target", "source", "seed", "id", "gold", "predicted"])
    right = predictions.assign(score=predictions.gold == predictions.predicted)
    scores, known = pd.DataFrame(rows, columns=COLUMNS), right.groupby(COLUMNS[:3], as_index=False).score.mean()
    rule, root = Rule(estimand="test-set", margins={"accuracy": 3.0, "score": 2.0}), tmp_path / "out"
    ta.verdicts(pd.concat([scores, known]), predictions=predictions, metric="accuracy", rule=rule, output_dir=root)
    for margin, expected in (
        ("accuracy=5", {"accuracy": 5.0, "score": 2.0}),
        (["score=4", "7"], {"accuracy": 3.0, "score": 4.0}),
        (0.5, {"accuracy": 3.0, "score": 2.0}),
    ):
        frame = ta.load(root, margin=margin).to_frame()
        assert set(zip(frame.metric, frame.margin, strict=True)) == set(expected.items())
    said = "--margin pearson=5: no task of the study is scored by it; expected accuracy=5 or score=5"
    done = command("graph", str(root), "--margin=pearson=5", "--figures=heatmap", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    with pytest.raises(InputError, match=r"^margin accuracy=5: .*; expected score=5$"):
        ta.verdicts(scores, rule=Rule(estimand="test-set", margins={"accuracy": 5.0}), output_dir=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_arrow_without_rows_is_not_measured_and_one_direction_is_enough(tmp_path: Path) -> None:
    rows = [row for row in made_up() if row[:2] != ("sst", "mnli")]
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path)
    edges = found.to_frame().set_index(["source", "target"])
    assert edges.untested_reason["mnli", "sst"] == "no pair run"
    assert np.isnan(edges.gain["mnli", "sst"])
    assert np.isfinite(edges.p["sst", "mnli"])


def test_equal_scores_prove_nothing(tmp_path: Path) -> None:
    rows = [(t, s, seed, 0.8) for t in ("a", "b") for s in ("", "a", "b") if s != t for seed in range(3)]
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path).to_frame()
    assert set(found.untested_reason) == {"all scores are equal"}


def test_the_unit_of_points_is_said() -> None:
    line = read_scores(pd.DataFrame([(*row[:3], 100 * row[3]) for row in made_up()], columns=COLUMNS)).describe_scale()
    assert line.startswith("scores are read as points, the unit of gains and margins (some are above 1, and none above")


def test_a_smaller_error_is_a_gain_if_the_user_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (target, source, seed, (0.5 if source else 0.6) + rng.normal(0, 0.005))
        for target, other in (("a", "b"), ("b", "a"))
        for source in ("", other)
        for seed in range(5)
    ]
    path = written(tmp_path / "rmse.csv", rows)
    done = command("verdicts", str(path), "--smaller-is-better=a", "--results=one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "larger scores are better, except for a, whose scores are negated" in done.stdout + done.stderr
    assert "Smaller scores were better for a" in (tmp_path / "one/affinity.txt").read_text()
    edges = pd.read_csv(tmp_path / "one/edges.csv").set_index("target")
    assert edges.verdict.to_dict() == {"a": "improves", "b": "degrades"}
    arms = by_arm(rows)
    assert edges.gain["a"] == pytest.approx(100 * (arms["a", ""].mean() - arms["a", "b"].mean()))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    negated = frame.assign(score=[-score if target == "a" else score for target, _, _, score in rows])
    one = ta.PairwiseResults.from_scores(frame, smaller_is_better="a").to_frame()
    pd.testing.assert_frame_equal(one, ta.PairwiseResults.from_scores(negated).to_frame())


def test_an_error_of_zero_is_perfect_and_a_score_of_zero_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (target, source, seed, 0.0 if (target, source) == ("a", "") else 40 + rng.normal())
        for target, source in (("a", ""), ("a", "b"), ("b", ""), ("b", "a"))
        for seed in range(4)
    ]
    path = written(tmp_path / "scores.csv", rows)
    said, notes = {}, {}
    for name, option in (("score", []), ("error", ["--smaller-is-better=a"])):
        done = command("verdicts", str(path), "--scale=point", f"--results={name}", *option, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said[name] = (tmp_path / name / "affinity.txt").read_text()
        notes[name] = pd.read_csv(tmp_path / name / "edges.csv").set_index("target").notes["a"]
        assert "(--set)" not in said[name]  # verdicts trains nothing
    assert "These tasks scored 0 in every single-task run: a; more epochs, a higher learning rate" in said["score"]
    assert "No room for a gain" not in said["score"]
    assert "scored 0" not in said["error"]
    assert "No room for a gain, because the single-task error is 0: a. A harder test set" in said["error"]
    assert ("scored 0" in notes["score"], "scored 0" in notes["error"]) == (True, False)
    assert "a has a single-task error of 0, so no task can improve it" in notes["error"]


def test_only_tasks_of_scores_alone_can_be_smaller_is_better() -> None:
    frame = pd.DataFrame(made_up(), columns=COLUMNS)
    with pytest.raises(ta.InputError, match="smaller_is_better 'rtee': no scores of this task; did you mean rte"):
        ta.PairwiseResults.from_scores(frame, smaller_is_better="rtee")
    rows = [(t, s, seed, n, "x", "xy"[n]) for t, o in ("ab", "ba") for s in ("", o) for seed in (0, 1) for n in (0, 1)]
    predicted = pd.DataFrame(rows, columns=["target", "source", "seed", "id", "gold", "predicted"])
    with pytest.raises(ta.InputError, match="smaller_is_better 'a': its metric scores it"):
        ta.PairwiseResults.from_scores(predictions=predicted, metric="accuracy", smaller_is_better=["a"])


@pytest.mark.parametrize("last", [0.5034, 0.5034 + 3e-8], ids=["equal", "equal but for rounding"])
def test_two_arms_of_equal_scores_prove_nothing_whatever_other_tasks_do(last: float, tmp_path: Path) -> None:
    rng, found = np.random.default_rng(0), []
    for tasks in ("ab", "abc"):
        rows = [(t, s, n, 0.7 + rng.normal(0, 0.01)) for t in tasks for s in ("", *tasks) if s != t for n in range(3)]
        rows = [
            (*row[:3], last if row[2] == 2 else 0.5034) if row[:2] in (("a", ""), ("a", "b")) else row for row in rows
        ]
        frame = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path / tasks).to_frame()
        found.append(frame.set_index(["source", "target"]))
    for frame in found:
        assert frame.untested_reason["b", "a"] == "all scores are equal"
        assert np.isnan(frame.p["b", "a"])
        assert frame.verdict["b", "a"] == "inconclusive"
        assert np.isfinite(frame.p["a", "b"])
    assert np.isfinite(found[1].p["c", "a"])


@pytest.mark.parametrize("unit", [1.0, 100.0], ids=["fractions", "points"])
@pytest.mark.parametrize("noise", [1.4e-8, 2e-7, 4e-7], ids=["float32", "sum in another order", "two sums"])
def test_scores_within_rounding_are_equal(noise: float, unit: float, tmp_path: Path) -> None:
    """Three runs that agree prove little, also if one of them was rounded to 32 bits."""
    rng = np.random.default_rng(1)
    rows: Rows = [(*arm, seed, score) for arm, score in ((("a", ""), 0.86), (("a", "b"), 0.87)) for seed in range(3)]
    rows += [("b", source, seed, round(0.7 + rng.normal(0, 0.015), 2)) for source in ("", "a") for seed in range(3)]
    found = []
    for first in (0.87, 0.87 + noise, float(np.float32(0.87 * unit)) / unit):
        scores = [first if row[:3] == ("a", "b", 0) else row[3] for row in rows]
        frame = pd.DataFrame(
            [(*row[:3], unit * score) for row, score in zip(rows, scores, strict=True)], columns=COLUMNS
        )
        found.append(ta.verdicts(frame, output_dir=tmp_path / str(len(found))).to_frame())
    for frame in found[1:]:
        pd.testing.assert_frame_equal(frame[["low", "high", "p", "q"]], found[0][["low", "high", "p", "q"]], rtol=1e-3)
        assert frame.verdict.tolist() == found[0].verdict.tolist()
    assert found[0].set_index(["source", "target"]).p["b", "a"] > 0.01


@pytest.mark.parametrize("unit", [1.0, 100.0], ids=["fractions", "points"])
def test_the_step_of_scores_is_their_smallest_difference_above_rounding(unit: float) -> None:
    values = [0.81, 0.81 + 9e-7, 0.81 + 1.7e-6, 0.8125, 0.84]
    frame = pd.DataFrame([("a", "", seed, unit * value) for seed, value in enumerate(values)], columns=COLUMNS)
    assert read_scores(frame).step("a") == pytest.approx(0.8125 - 0.81 - 1.7e-6, rel=1e-6)
    assert read_scores(frame[:3]).step("a") == 0.0
    apart = pd.DataFrame([("a", "", 0, unit * 0.81), ("a", "", 1, unit * 0.810002)], columns=COLUMNS)
    assert read_scores(apart).step("a") == pytest.approx(2e-6, rel=1e-6)


def test_missing_cells_of_every_type_of_pandas_are_empty() -> None:
    """An integer, a text and a float column without a value have ``NA``, ``NA`` and ``nan``."""
    rows = made_up()
    frame = pd.DataFrame(
        [(target, source or None, seed, score) for target, source, seed, score in rows], columns=COLUMNS
    )
    plain = read_scores(frame).by_key
    nullable = frame.convert_dtypes()
    assert any(cell is pd.NA for cell in nullable["source"])
    assert read_scores(nullable).by_key == plain == {row[:3]: row[3] for row in rows}
    nullable.loc[3, "seed"] = pd.NA
    with pytest.raises(InputError, match="row 4: seed: found an empty text; expected a whole number"):
        read_scores(nullable)


def test_points_are_fractions_times_100(tmp_path: Path) -> None:
    rows = made_up()
    points = [(*row[:3], 100 * row[3]) for row in rows]
    frames = [pd.DataFrame(some, columns=COLUMNS) for some in (rows, points)]
    one, two = (ta.verdicts(frame, output_dir=tmp_path / str(n)) for n, frame in enumerate(frames))
    pd.testing.assert_frame_equal(one.to_frame(), two.to_frame(), rtol=1e-9)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((0, ("rte", "", 1, 0.5)), "again"),
        ((0, ("rte", "", 9, float("nan"))), "score: found"),
        ((0, ("rte", "rte", 9, 0.5)), "source that is the target"),
        ((0, ("rte", "mnli+sst", 9, 0.5)), "several tasks"),
        ((0, ("a name", "", 9, 0.5)), "a text of 6 characters"),
        ((0, ("rte", "", -1, 0.5)), "seed: found"),
        ((0, ("rte", "", 9, 50.0)), "are within 1"),
        ((0, ("cola", "rte", 9, 0.5)), "no single-task row of cola"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, changed: tuple[int, tuple[str, str, int, float]], said: str
) -> None:
    place, row = changed
    rows = made_up()
    rows[place] = row
    done = command("verdicts", str(written(tmp_path / "x.csv", rows)), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr
    assert "a name" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_missing_columns_and_scores_out_of_range_are_refused(tmp_path: Path) -> None:
    rows = made_up()
    with pytest.raises(ta.InputError, match="no column score"):
        ta.verdicts(written(tmp_path / "a.csv", rows, ["target", "source", "seed", "f1"]), output_dir=tmp_path / "o")
    with pytest.raises(ta.InputError, match="a fraction from -1 to 1"):
        ta.verdicts(pd.DataFrame([("a", "", 0, 2.0)], columns=COLUMNS), scale="fraction", output_dir=tmp_path / "o")


def test_folders_of_trained_and_of_external_runs_do_not_mix(tmp_path: Path) -> None:
    rows = made_up()
    path = written(tmp_path / "glue.csv", rows)
    refused = command("verdicts", str(path), f"--results={EXAMPLE}", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "trained here" in refused.stderr
    assert command("verdicts", str(path), "--results=out", cwd=tmp_path).returncode == 0
    again = written(tmp_path / "fewer.csv", [row for row in rows if row[2] < 3])
    fewer = command("verdicts", str(again), "--results=out", cwd=tmp_path)
    assert fewer.returncode == 2
    assert "--overwrite" in fewer.stderr
    assert command("verdicts", str(again), "--results=out", "--overwrite", cwd=tmp_path).returncode == 0
    assert ta.load(tmp_path / "out").to_frame().seeds_pair.max() == 3
    train = command("pairwise", "--domain=clinical", "--results=out", "--seeds=1", *LOCAL, cwd=tmp_path)
    assert train.returncode == 2
    assert "trained elsewhere" in train.stderr.splitlines()[-1]
    assert not list((tmp_path / "out/runs").glob("*clinicalsts*"))


def test_what_the_tables_do_not_use_or_misspell_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [(target, "", seed, 0.5) for target in ("rte", "mnli") for seed in range(2)]
    rows += [("rte", "mnli", 0, 0.5), ("rte", "mnl", 1, 0.5), ("mnli", "rte", 0, 0.5), ("mnli", "wsc", 0, 0.5)]
    with caplog.at_level("INFO", "taskaffinity"):
        ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), metric="accuracy", output_dir=tmp_path / "out")
    said = [record.getMessage() for record in caplog.records]
    assert "source mnl: only one run has it; did you mean mnli?" in said
    assert "metric: not used, because there are no predictions; the scores are taken as they are" in said
    assert not [line for line in said if "wsc" in line]
    for arguments in (["export", "out", "--task=rte", "--out=model"], ["predict", "out", "t.txt", "--task=rte"]):
        (tmp_path / "t.txt").write_text("a\n")
        refused = command(*arguments, cwd=tmp_path)
        assert refused.returncode == 2
        assert "out: made by `taskaffinity verdicts`: its runs were trained elsewhere" in refused.stderr
        assert "--keep-models" not in refused.stderr


def test_equal_means_give_a_gain_of_zero(tmp_path: Path) -> None:
    scores = {"": (65.6, 66.8, 62.8, 51.7, 76.1), "mnli": (65.6, 51.7, 62.8, 66.8, 76.1)}  # summed in another order
    rows = [("rte", source, seed, one) for source, given in scores.items() for seed, one in enumerate(given)]
    found = ta.verdicts(pd.DataFrame(rows, columns=COLUMNS), output_dir=tmp_path)
    assert found.matrix.gain[1, 0] != 0  # else the test shows nothing
    with (tmp_path / "edges.csv").open(newline="") as file:
        [gain] = [row["gain"] for row in csv.DictReader(file) if row["target"] == "rte"]
    assert gain == "0"
