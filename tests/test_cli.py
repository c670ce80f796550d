"""The contract of the command line and of the results folder, on the real command in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean as mean_of

import numpy as np
import pyarrow.parquet as pq
import pytest

from taskaffinity.tasks.planted import CONTENT, FUNCTION

TASKS = ("clinicalsts", "i2b2-2010-re", "shareclefe", "mednli")
SMALL = [f"--set={s}" for s in ("num_train_epochs=1", "max_train_examples=64", "max_eval_examples=50")]
LOCAL = ["--executor=local", "--gpus-per-run=0"]
STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL]
N_RUNS = 28
"""Four tasks, two seeds: 6 pairs with each, and 4 alone with twice as many."""
PUBLISHED = ("scores.csv", "edges.csv", "affinity.png", "affinity.svg", "affinity.graphml", "heatmap.png", "forest.png")
WITHOUT_TORCH = """
import runpy, sys
sys.argv = ["taskaffinity", *sys.argv[1:]]
try:
    runpy.run_module("taskaffinity", run_name="__main__", alter_sys=True)
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
"""Runs the command; the last line of stderr holds every library that it loaded."""

Done = subprocess.CompletedProcess[str]


def command(*arguments: str, cwd: Path, python: tuple[str, ...] = ("-m", "taskaffinity")) -> Done:
    return subprocess.run(
        [sys.executable, *python, *arguments], cwd=cwd, capture_output=True, text=True, timeout=180, check=False
    )


def results_of(root: Path) -> dict[str, float]:
    """When each finished run was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in root.glob("runs/*/result.json")}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


def test_edges_have_the_columns_of_the_contract_and_one_row_an_arrow(finished: Path) -> None:
    edges = rows(finished / "edges.csv")
    assert list(edges[0])[:8] == ["source", "target", "gain", "low", "high", "p", "q", "verdict"]
    assert {(edge["source"], edge["target"]) for edge in edges} == {(s, t) for s in TASKS for t in TASKS if s != t}
    assert len(edges) == 12
    for edge in edges:
        assert edge["verdict"] in ("improves", "degrades", "no effect", "inconclusive")
        assert float(edge["low"]) <= float(edge["gain"]) <= float(edge["high"])


def test_gains_hold_every_score_of_every_run(finished: Path) -> None:
    gains = rows(finished / "scores.csv")
    assert list(gains[0]) == ["source", "target", "split", "seed", "arm", "metric", "score"]
    scores = {(r["source"], r["target"], r["split"], int(r["seed"])): float(r["score"]) for r in gains}
    assert len(scores) == len(gains) == 2 * (4 * 4 + 2 * 12)  # splits; seeds alone, seeds as a pair's target
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
    assert "synthetic stand-in" in first.stderr.lower()
    assert "synthetic stand-in" in first.stdout.lower()
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


def test_one_more_seed_trains_that_seed_alone(mine: Path) -> None:
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


def end_half_way(
    home: Path, n_results: int, how: signal.Signals, study: Sequence[str] = STUDY
) -> subprocess.Popen[str]:
    """Start the study, and send ``how`` as soon as ``n_results`` runs are finished; stderr goes to a file."""
    with (home / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskaffinity", *study, "--seeds=2"],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
            # a shell's background job ignores SIGINT, and so would its children
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    for _ in waited(120):
        if len(results_of(home / "results" / "clinical")) >= n_results:
            break
        assert process.poll() is None, (home / "stderr.txt").read_text()
    process.send_signal(how)
    process.wait(60)
    return process


def waited(seconds: float) -> Iterator[None]:
    """Turns of a hundredth of a second; a failure after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.01)
    pytest.fail(f"nothing came in {seconds} s")


@pytest.mark.slow
def test_interrupted_then_killed_then_finished_gives_the_uninterrupted_edges(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "results" / "clinical"
    process = end_half_way(tmp_path, 3, signal.SIGINT)
    said = (tmp_path / "stderr.txt").read_text()
    assert process.returncode == 130, said
    assert "this continues: taskaffinity pairwise" in said
    assert "Traceback" not in said
    interrupted = results_of(root)
    assert 3 <= len(interrupted) < N_RUNS

    process = end_half_way(tmp_path, len(interrupted) + 3, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    killed = results_of(root)
    assert interrupted.items() <= killed.items()
    assert len(interrupted) < len(killed) < N_RUNS

    assert command(*STUDY, "--seeds=2", "--quiet", cwd=tmp_path).returncode == 0
    assert killed.items() <= results_of(root).items()
    assert (root / "edges.csv").read_bytes() == (finished / "edges.csv").read_bytes()


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_terminated_is_one_line_that_says_how_to_go_on(executor: str, tmp_path: Path) -> None:
    study = [f"--executor={executor}" if argument == "--executor=local" else argument for argument in STUDY]
    process = end_half_way(tmp_path, 1, signal.SIGTERM, [*study, "--quiet"])
    said = (tmp_path / "stderr.txt").read_text().splitlines()
    assert process.returncode == 143, said
    assert said[-1].startswith("terminated; this continues: taskaffinity pairwise")
    assert len(said) == 3, said  # the stand-in's banner before it
    assert results_of(tmp_path / "results" / "clinical")


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray_by_default_interrupted_and_finished_gives_the_same_edges(finished: Path, tmp_path: Path) -> None:
    on_ray = [argument for argument in STUDY if argument != "--executor=local"]
    root = tmp_path / "results" / "clinical"
    process = end_half_way(tmp_path, 1, signal.SIGINT, on_ray)
    said = (tmp_path / "stderr.txt").read_text()
    assert process.returncode == 130, said
    assert "this continues: taskaffinity pairwise" in said
    assert "Traceback" not in said
    interrupted = results_of(root)
    assert len(interrupted) < N_RUNS
    again = command(*on_ray, "--seeds=2", "--quiet", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert interrupted.items() <= results_of(root).items()
    assert (root / "edges.csv").read_bytes() == (finished / "edges.csv").read_bytes()


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


BAD_USAGE = {
    "unknown domain": (["pairwise", "--domain=clincal"], "did you mean clinical?"),
    "unknown setting": ([*STUDY, "--set=learning_rat=1"], "did you mean learning_rate?"),
    "value of the wrong type": ([*STUDY, "--set=batch_size=many"], "batch_size=many: expected a whole number"),
    "value out of range": ([*STUDY, "--set=batch_size=0"], "batch_size.*at least 1"),
    "setting of the machine": ([*STUDY, "--set=device=cuda"], "--set device: given by --gpus-per-run$"),
    "the same of fine-tuning": ([*STUDY, "--set=finetune.device=cuda"], "--set device: given by --gpus-per-run$"),
    "setting without a value": ([*STUDY, "--set=batch_size"], "KEY=VALUE"),
    "rate that is infinite": ([*STUDY, "--set=learning_rate=inf"], "learning_rate"),
    "data that lack tasks": (
        [*STUDY, "--data=half"],
        r"clinicalsts.*dev\.jsonl.*make them with .*data prepare clinicalsts .*data prepare mednli ",
    ),
    "data that are not there": ([*STUDY, "--data=nowhere"], "nowhere"),
    "encoder that is not there": ([*STUDY, "--encoder=no/such/folder"], "--encoder no/such/folder"),
    "encoder folder without a model": ([*STUDY, "--encoder=half"], "config.json"),
    "results that are a file": ([*STUDY, "--results=file"], "file"),
    "more cores than there are": (["pairwise", "--domain=clinical", "--cpus-per-run=999"], "--cpus-per-run"),
    "search with a measured share": (["tune", "--domain=clinical", "--gpus-per-run=auto"], "auto: .*a number here$"),
    "graph of no study": (["graph", "half"], "no study.json"),
    "chart of no stages": (["graph", "half", "--figures=stages"], "no full.json"),
    "unknown figure": (["graph", "half", "--figures=heatmap,curve"], "--figures curve: .*did you mean curves?"),
    "no figure": (["graph", "half", "--figures=,"], "--figures: expected one or more of graph, heatmap"),
    "unknown format": (["graph", "half", "--format=pgn"], "--format pgn: there are png, svg, pdf; did you mean png?"),
    "unknown palette": (["graph", "half", "--palette=pink"], "--palette"),
    "no domain": (["pairwise"], "--domain"),
    "no seeds": ([*STUDY, "--seeds=0"], "--seeds"),
    "margin that is no number": ([*STUDY, "--margin=some"], "--margin some: expected POINTS"),
    "margin of no metric": ([*STUDY, "--margin=bleu=2"], "bleu: no such metric; there are accuracy"),
    "margin of nothing": ([*STUDY, "--margin=0"], "must be above 0"),
    "race with seeds of its own": ([*STUDY, "--sequential", "--seeds-single=9"], "--seeds-single: a race gives"),
    "race that is over at once": ([*STUDY, "--sequential", "--seeds=12"], "--sequential.*below --max-seeds"),
    "most seeds without a race": ([*STUDY, "--max-seeds=8"], "--max-seeds 8.*--sequential"),
    "margin without end": ([*STUDY, "--margin=inf"], "below 100"),
    "data for what is made up": (["pairwise", "--domain=planted-8", "--data=half"], "--data.*takes no data"),
    "unknown correction": ([*STUDY, "--correction=none"], "--correction"),
    "unknown executor": (["pairwise", "--domain=clinical", "--executor=cloud"], "--executor"),
    "unknown option": (["pairwise", "--domian=clinical"], "--domian"),
    "unknown command": (["pairwse"], "pairwse"),
}


MANY = """
import contextlib, io, json, os, sys
from pathlib import Path
from taskaffinity.cli import main

def written():
    return sorted(str(path) for path in Path(".").rglob("*"))

answers = {}
for case, arguments in json.load(sys.stdin).items():
    folder = Path(case.replace(" ", "_")).resolve()
    (folder / "half" / "clinicalsts").mkdir(parents=True)
    for name in ("task.json", "train.jsonl", "test.jsonl"):
        (folder / "half" / "clinicalsts" / name).write_text("{}")
    (folder / "file").write_text("mine")
    os.chdir(folder)
    before, out, err, code = written(), io.StringIO(), io.StringIO(), 0
    sys.argv = ["taskaffinity", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = repr(error)
    new = [path for path in written() if path not in before]
    answers[case] = [code, out.getvalue(), err.getvalue(), new]
    os.chdir(folder.parent)
json.dump(answers, sys.__stdout__)
"""
"""One process for many commands: torch is loaded once."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str, list[str]]]:
    """Exit code, stdout, stderr and new files of every case of ``BAD_USAGE``."""
    cases = {case: arguments for case, (arguments, _) in BAD_USAGE.items()}
    folder = tmp_path_factory.mktemp("bad_usage")
    process = subprocess.run(
        [sys.executable, "-c", MANY],
        input=json.dumps(cases),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return {case: tuple(answer) for case, answer in json.loads(process.stdout).items()}


@pytest.mark.parametrize("case", BAD_USAGE)
def test_bad_usage_is_one_line_and_nothing_written(
    case: str, answers: dict[str, tuple[int, str, str, list[str]]]
) -> None:
    code, out, err, new = answers[case]
    assert code == 2, err
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert re.search(BAD_USAGE[case][1], err)
    assert new == []


def test_exit_code_and_line_of_a_process(tmp_path: Path) -> None:
    refused = command("pairwise", "--domain=clincal", cwd=tmp_path)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


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
    assert re.search("study.json: not a study of this version of taskaffinity: rule: .*alfa", refused.stderr)


def test_a_broken_run_file_is_one_line(mine: Path) -> None:
    broken = next((mine / "runs").glob("single-*-s0-*")) / "counts.npz"
    broken.write_bytes(broken.read_bytes()[:100])
    refused = command("graph", str(mine), cwd=mine)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "counts.npz" in refused.stderr


def test_graph_draws_the_same_again_without_torch(mine: Path, first: Done) -> None:
    before = published(mine)
    for name in PUBLISHED:
        (mine / name).unlink()
    drawn = command("graph", str(mine), cwd=mine.parents[1], python=("-c", WITHOUT_TORCH))
    assert drawn.returncode == 0, drawn.stderr
    assert published(mine) == before
    table = [line for line in first.stdout.splitlines() if " inconclusive" in line or "improves" in line]
    assert table
    assert set(table) <= set(drawn.stdout.splitlines())
    loaded = set(drawn.stderr.splitlines()[-1].split())
    assert "matplotlib" in loaded
    assert not loaded & {"torch", "transformers", "ray"}


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    for arguments in (["--help"], ["pairwise", "--help"]):
        helped = command(*arguments, cwd=tmp_path, python=("-c", WITHOUT_TORCH))
        assert helped.returncode == 0, helped.stderr
        assert "--domain" in helped.stdout or "pairwise" in helped.stdout
        loaded = set(helped.stderr.splitlines()[-1].split())
        assert "typer" in loaded
        assert not loaded & {"torch", "transformers", "ray", "pandas", "matplotlib", "scipy"}


def test_options_of_the_contract_are_there(tmp_path: Path) -> None:
    env = {**os.environ, "COLUMNS": "200"}
    helped = subprocess.run(
        [sys.executable, "-m", "taskaffinity", "pairwise", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=env,
    ).stdout
    said = "data encoder seeds base-seed set full results executor address gpus-per-run cpus-per-run dry-run quiet"
    missing = [option for option in said.split() if f"--{option}" not in helped]
    assert not missing
