"""The contract of ``pairwise`` and of its results folder, on a small study that is trained once."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from statistics import mean as mean_of

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import LOCAL, SMALL, Done, command, results_of, rows

from taskaffinity.tasks.planted import CONTENT, FUNCTION

TASKS = ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")
STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL]
N_RUNS = 28
"""Four tasks, two seeds: 6 pairs with each, and 4 single tasks with twice as many."""
PUBLISHED = ("scores.csv", "edges.csv", "affinity.png", "affinity.svg", "affinity.graphml", "heatmap.png", "forest.png")


def published(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in PUBLISHED}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def first(home: Path) -> Done:
    """The study, run once."""
    return command(*STUDY, "--seeds=2", cwd=home)


@pytest.fixture(scope="module")
def finished(home: Path, first: Done) -> Path:
    """Its results folder; a test that changes it takes ``mine``."""
    assert first.returncode == 0, first.stderr
    return home / "results" / "clinical"


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study below this test's own folder."""
    return Path(shutil.copytree(finished, tmp_path / "results" / "clinical"))  # copy2: times are kept


def test_results_folder_holds_what_the_contract_says(finished: Path) -> None:
    assert not {"study.json", *PUBLISHED} - {path.name for path in finished.iterdir()}
    assert len(results_of(finished)) == N_RUNS
    for run in (finished / "runs").iterdir():
        assert not {"spec.json", "history.jsonl", "counts.npz", "predictions.parquet"} - {p.name for p in run.iterdir()}
        assert re.fullmatch(r"(single|refine)-[a-z0-9+-]+-s[0-3]-[0-9a-f]{8}", run.name)


def test_edges_have_the_columns_of_the_contract_and_one_row_per_arrow(finished: Path) -> None:
    edges = rows(finished / "edges.csv")
    assert list(edges[0])[:8] == ["source", "target", "gain", "low", "high", "p", "q", "verdict"]
    assert {(edge["source"], edge["target"]) for edge in edges} == {(s, t) for s in TASKS for t in TASKS if s != t}
    assert len(edges) == 12
    for edge in edges:
        assert edge["verdict"] in ("improves", "degrades", "no effect", "inconclusive")
        assert float(edge["low"]) <= float(edge["gain"]) <= float(edge["high"])


def test_gains_hold_every_score_of_every_run(finished: Path) -> None:
    gains = rows(finished / "scores.csv")
    assert list(gains[0]) == ["source", "target", "split", "seed", "arm", "metric", "score", "collapsed"]
    scores = {(r["source"], r["target"], r["split"], int(r["seed"])): float(r["score"]) for r in gains}
    assert len(scores) == len(gains) == 2 * (4 * 4 + 2 * 12)  # splits; single-task seeds, seeds as a pair's target
    for path in finished.glob("runs/*/result.json"):
        run = json.loads(path.read_text())
        spec = json.loads((path.parent / "spec.json").read_text())
        names = [name for name, _ in spec["tasks"]]
        for target, outcome in run["outcomes"].items():
            source = "".join(name for name in names if name != target)
            for split in ("dev", "test"):
                assert scores[source, target, split, spec["seed"]] == pytest.approx(outcome[split], rel=1e-5)


def test_gain_of_an_arrow_is_the_difference_of_the_mean_scores(finished: Path) -> None:
    gains = [row for row in rows(finished / "scores.csv") if row["split"] == "test"]

    def mean(source: str, target: str) -> float:
        return mean_of(float(r["score"]) for r in gains if (r["source"], r["target"]) == (source, target))

    for edge in rows(finished / "edges.csv"):
        source, target = edge["source"], edge["target"]
        expected = 100 * (mean(source, target) - mean("", target))
        assert float(edge["gain"]) == pytest.approx(expected, abs=2e-3), (source, target)


def test_progress_goes_to_stderr_and_results_to_stdout_without_colour(first: Done, finished: Path) -> None:
    assert "\x1b" not in first.stdout + first.stderr
    assert f"{N_RUNS}/{N_RUNS} runs done" in first.stderr
    assert "runs done" not in first.stdout
    for task in TASKS:
        assert task in first.stdout


def test_every_output_says_that_the_text_is_synthetic(first: Done, finished: Path) -> None:
    assert "synthetic text" in first.stderr.lower()
    assert "synthetic text" in first.stdout.lower()
    assert json.loads((finished / "study.json").read_text())["synthetic"] is True
    assert {edge["synthetic"] for edge in rows(finished / "edges.csv")} == {"true"}
    for name in ("affinity.svg", "affinity.png", "heatmap.png", "affinity.graphml"):
        assert b"synthetic" in (finished / name).read_bytes().lower(), f"{name} has no stamp"


def test_no_text_of_a_corpus_is_in_a_results_folder(finished: Path) -> None:
    words = re.compile(r"\b(" + "|".join({*CONTENT.ravel().tolist(), *FUNCTION}) + r")\b")
    for path in sorted(path for path in finished.rglob("*") if path.is_file()):
        content = path.read_bytes().decode("utf-8", errors="ignore")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            content = json.dumps(table.to_pylist()) + str(table.schema)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:  # no pickles, says DESIGN.md
                assert all(arrays[key].dtype.kind in "fiub" for key in arrays.files)
                content = " ".join(arrays.files)
        elif path.suffix == ".png":
            continue
        assert not words.search(content), f"{path.relative_to(finished)} holds text"
    assert not list(finished.rglob("*.pkl"))


def test_same_command_again_trains_nothing_and_writes_the_same_bytes(finished: Path, home: Path) -> None:
    before, bytes_before = results_of(finished), published(finished)
    again = command(*STUDY, "--seeds=2", "--quiet", cwd=home)
    assert again.returncode == 0, again.stderr
    assert "runs done" not in again.stderr
    assert results_of(finished) == before
    assert published(finished) == bytes_before


def test_a_run_folder_that_was_deleted_is_the_only_one_trained_again(finished: Path, mine: Path) -> None:
    lost = next((mine / "runs").glob("refine-*-s1-*"))
    shutil.rmtree(lost)
    before = results_of(mine)
    again = command(*STUDY, "--seeds=2", "--quiet", cwd=mine.parents[1])
    assert again.returncode == 0, again.stderr
    after = results_of(mine)
    assert after.keys() - before.keys() == {lost.name}
    assert before.items() <= after.items()
    assert (mine / "edges.csv").read_bytes() == (finished / "edges.csv").read_bytes()


@pytest.mark.slow
def test_one_more_seed_trains_only_that_seed(mine: Path) -> None:
    before = results_of(mine)
    more = command(*STUDY, "--seeds=3", "--quiet", cwd=mine.parents[1])
    assert more.returncode == 0, more.stderr
    after = results_of(mine)
    assert before.items() <= after.items()
    new = after.keys() - before.keys()
    pairs = {name for name in new if name.startswith("refine-")}
    assert len(pairs) == 6
    assert all("-s2-" in name for name in pairs)
    assert len(new - pairs) == 4 * (6 - 4)
    assert {edge["seeds_pair"] for edge in rows(mine / "edges.csv")} == {"3"}


def test_dry_run_lists_the_runs_and_writes_nothing(mine: Path) -> None:
    def written() -> dict[Path, float]:
        return {path: path.stat().st_mtime_ns for path in mine.parents[1].rglob("*")}

    before = written()
    listed = command(*STUDY, "--seeds=3", "--full", "--dry-run", cwd=mine.parents[1])
    assert listed.returncode == 0, listed.stderr
    states = dict(re.findall(r"^(?:(?=.* (\S+)$))(done|to do) ", listed.stdout, flags=re.M))
    assert {name for name, state in states.items() if state == "done"} == set(results_of(mine))
    assert len(states) == 6 * 4 + 3 * (6 + 1)
    assert written() == before


def test_runs_that_diverge_fail_with_a_plain_reason_and_the_others_stay(mine: Path) -> None:
    before = results_of(mine)
    failed = command(*STUDY, "--seeds=1", "--quiet", "--overwrite", "--set=learning_rate=1e30", cwd=mine.parents[1])
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr
    errors = sorted(mine.glob("runs/*/error.txt"))
    assert len(errors) == 2 * 4 + 6
    for path in errors:
        reason = path.read_text(encoding="utf-8").partition("\n")[0]
        assert re.match(r"diverged: .*learning_rate", reason)
        assert path.parent.name in failed.stderr
        assert not (path.parent / "result.json").exists()
    assert results_of(mine) == before  # another recipe is another run
    assert {edge["verdict"] for edge in rows(mine / "edges.csv")} == {"inconclusive"}


def test_another_study_is_refused_and_what_was_found_stays(mine: Path) -> None:
    files = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    other = [*STUDY, "--seeds=2", "--set=num_train_epochs=2"]
    for arguments in (other, [*other, "--dry-run"]):
        refused = command(*arguments, cwd=mine.parents[1])
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.splitlines() == [
            "taskaffinity: results/clinical: holds a study with num_train_epochs=1 (now 2); give another --results, "
            "or --overwrite to replace it"
        ]
        assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == files
    planned = command(*other, "--dry-run", "--overwrite", cwd=mine.parents[1])
    assert (planned.returncode, f"{N_RUNS} runs, 0 done" in planned.stdout) == (0, True), planned.stderr


def test_verdicts_are_not_overwritten_by_those_of_no_run(mine: Path) -> None:
    shutil.rmtree(mine / "runs")
    before = published(mine)
    for name in ("graph", "report"):
        refused = command(name, str(mine), cwd=mine)
        assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
        assert "no run of the study in study.json is in this folder" in refused.stderr
    assert published(mine) == before


def test_a_broken_results_file_is_one_line(mine: Path) -> None:
    (mine / "study.json").write_text('{"suite": ')
    refused = command("graph", str(mine), cwd=mine)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "study.json" in refused.stderr


def test_a_rule_of_another_version_is_one_line(mine: Path) -> None:
    asked = json.loads((mine / "study.json").read_text())
    (mine / "study.json").write_text(json.dumps({**asked, "rule": {"alfa": 0.1}}))
    refused = command("graph", str(mine), cwd=mine)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert re.search("study.json: not a study of this version of taskaffinity: unknown key rule.alfa", refused.stderr)


def test_a_broken_run_file_is_one_line(mine: Path) -> None:
    broken = next((mine / "runs").glob("single-*-s0-*")) / "counts.npz"
    broken.write_bytes(broken.read_bytes()[:100])
    refused = command("graph", str(mine), cwd=mine)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "counts.npz" in refused.stderr


def test_graph_draws_the_same_again(mine: Path, first: Done) -> None:
    before = published(mine)
    for name in PUBLISHED:
        (mine / name).unlink()
    drawn = command("graph", str(mine), cwd=mine.parents[1])
    assert drawn.returncode == 0, drawn.stderr
    assert published(mine) == before
    table = [line for line in first.stdout.splitlines() if " inconclusive" in line or "improves" in line]
    assert table
    assert set(table) <= set(drawn.stdout.splitlines())


def test_options_of_the_contract_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    helped = command("pairwise", "--help", cwd=tmp_path).stdout
    said = "data encoder seeds base-seed set full results executor address gpus-per-run cpus-per-run dry-run quiet"
    missing = [option for option in said.split() if f"--{option}" not in helped]
    assert not missing
