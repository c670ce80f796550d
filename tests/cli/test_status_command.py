"""``status`` and ``doctor`` describe a results folder and a machine; they load no torch, no ray and change nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from command_line import WITHOUT_TORCH, command, process
from fake_studies import fill, latent_counts, make_study, write_estimates

from taskaffinity.analysis.estimates.design_file import write_design
from taskaffinity.cli.status import _outlook, _outlook_of_estimate
from taskaffinity.runs.probes import ProbeDesign
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.status import Status, status_of
from taskaffinity.runs.store import AlreadyRunning, RunStore
from taskaffinity.runs.study import Study
from taskaffinity.schedule.run import pending_runs

COUNTS = latent_counts({}, n=20)
HOLDER = """
import sys, time
from pathlib import Path
from filelock import FileLock

with FileLock(Path(sys.argv[1]) / ".lock"):
    print("held", flush=True)
    time.sleep(120)
"""


@contextmanager
def held(store: RunStore, spec: RunSpec) -> Iterator[None]:
    """A run that another process is at."""
    with store.claim(spec):
        pass
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, store.folder(spec)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.kill()
        holder.wait()


def take(store: RunStore, spec: RunSpec, seconds: float) -> None:
    """Have a finished run taken so long."""
    path = store.folder(spec) / "result.json"
    content = json.loads(path.read_text()) | {"work": {"total_seconds": seconds}}
    content["sha256"].pop("result.json", None)
    path.write_text(json.dumps(content))


def half_done(root: Path) -> tuple[Study, RunStore, list[RunSpec]]:
    """Three tasks, two seeds: six single-task runs that took 10 seconds each, six pairs that are not done."""
    study = make_study(["a", "b", "c"], seeds=(0, 1))
    study.write(root)
    store = fill(study, root, COUNTS, skip=lambda spec: spec.arm == "pair")
    for spec in study.plan:
        if spec in store:
            take(store, spec, 10)
    return study, store, [spec for spec in study.plan if spec.arm == "pair"]


def current_status(study: Study, store: RunStore) -> Status:
    return status_of(study, store, study.plan, pending_runs(study.plan, store))


def times(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_status_tells_what_is_done_running_failed_and_to_do(tmp_path: Path) -> None:
    _, store, pairs = half_done(tmp_path / "r")
    store.fail(pairs[0], "out of memory: lower batch_size", "a traceback\n")
    with store.claim(pairs[1]):
        pass  # begun, and stopped
    with held(store, pairs[2]):
        long_ago = time.time() - 200
        os.utime(store.folder(pairs[2]) / "spec.json", (long_ago, long_ago))
        before = times(tmp_path)
        answer = process("status", "r", cwd=tmp_path, python=("-c", WITHOUT_TORCH))
        assert times(tmp_path) == before
    assert answer.returncode == 0, answer.stderr
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines() if line.strip()}
    assert rows["single"] == ["6", "0", "0", "0"]
    assert rows["pair"] == ["0", "1", "1", "4"]
    assert rows["all"] == ["6", "1", "1", "4"]
    assert "running for 3 min 2" in answer.stdout
    assert pairs[2].run_id in answer.stdout
    assert f"failed: {Path('r', 'runs', pairs[0].run_id)}: out of memory: lower batch_size\n" in answer.stdout
    assert "traceback" not in answer.stdout
    # by examples a pair takes 20 seconds: 4 of them, and the one under way should have ended
    assert "about 1 min 20 s left" in answer.stdout
    assert not set(answer.stderr.splitlines()[-1].split()) & {"torch", "transformers", "ray"}


def test_a_run_is_running_as_long_as_its_folder_is_held(tmp_path: Path) -> None:
    study, store, pairs = half_done(tmp_path)
    assert not store.is_held(pairs[0])  # never begun
    with held(store, pairs[0]):
        assert store.is_held(pairs[0])
        assert current_status(study, store).states[pairs[0]] == "running"
        with pytest.raises(AlreadyRunning), store.claim(pairs[0]):
            pass  # who asks takes nothing from who holds
    assert not store.is_held(pairs[0])  # its process was killed
    assert current_status(study, store).states[pairs[0]] == "to do"
    with store.claim(pairs[0]):  # and gives back what it took
        pass


def test_what_a_killed_process_left_is_not_the_progress_of_the_run_that_began_again(tmp_path: Path) -> None:
    study, store, pairs = half_done(tmp_path)
    beat = {"epoch": 3, "epochs": 4, "share": 0.5}
    with held(store, pairs[0]):
        path = store.folder(pairs[0]) / "progress.json"
        path.write_text(json.dumps(beat))
        assert current_status(study, store).heartbeats[pairs[0]].epoch == 3
        os.utime(path, (time.time() - 60,) * 2)  # before this process began
        assert current_status(study, store).heartbeats == {}
        assert current_status(study, store).states[pairs[0]] == "running"


@pytest.mark.parametrize(
    ("began", "beat", "state"),
    [(3500, None, "running"), (3700, None, "to do"), (9000, 3500, "running"), (9000, 3700, "to do")],
)
def test_a_run_without_a_sign_of_life_for_an_hour_is_not_running(
    began: int, beat: int | None, state: str, tmp_path: Path
) -> None:
    """Its folder may be held for ever by a machine that is gone, on a file system that machines share."""
    study, store, pairs = half_done(tmp_path)
    with held(store, pairs[0]):
        for name, age in (("spec.json", began), ("progress.json", beat)):
            if age is not None:
                path = store.folder(pairs[0]) / name
                path.touch()
                os.utime(path, (time.time() - age,) * 2)
        assert current_status(study, store).states[pairs[0]] == state


def test_time_left_goes_by_like_runs_and_is_shared_by_those_under_way(tmp_path: Path) -> None:
    study, store, pairs = half_done(tmp_path)
    assert current_status(study, store).seconds_left == pytest.approx(6 * 20)
    fill(study, tmp_path, COUNTS, skip=lambda spec: spec != pairs[0])
    take(store, pairs[0], 60)
    assert current_status(study, store).seconds_left == pytest.approx(5 * 60)
    with held(store, pairs[1]), held(store, pairs[2]):
        assert current_status(study, store).seconds_left == pytest.approx((3 * 60 + 2 * 60) / 2, abs=20)


def test_the_time_left_of_a_resumed_run_follows_from_its_share(tmp_path: Path) -> None:
    """Its process began a moment ago, with three of four epochs done."""
    study, store, pairs = half_done(tmp_path)
    with held(store, pairs[0]):
        beat = {"epoch": 4, "epochs": 4, "share": 0.0, "continued_in": 4}
        (store.folder(pairs[0]) / "progress.json").write_text(json.dumps(beat))
        assert current_status(study, store).seconds_left == pytest.approx(5 * 20 + 20 / 4, abs=1)


def test_the_outlook_says_what_the_time_left_was_estimated_from(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    study.write(tmp_path)
    store, spec = RunStore(tmp_path), next(iter(study.plan))
    with held(store, spec):
        long_ago = time.time() - 100
        os.utime(store.folder(spec) / "spec.json", (long_ago, long_ago))
        (store.folder(spec) / "progress.json").write_text(json.dumps({"epoch": 1, "epochs": 4, "share": 0.5}))
        assert _outlook(current_status(study, store)).endswith("estimated from the progress of running runs")
        fill(study, tmp_path, COUNTS, skip=lambda other: other.task_names != ("b",))
        assert _outlook(current_status(study, store)).endswith("estimated from finished runs")


def test_the_time_left_of_a_large_study_asks_for_the_cost_of_each_run_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for that of every finished run for every run to do: with 100 tasks this took hours."""
    study = make_study([f"t{place:02d}" for place in range(8)], seeds=(0,))
    pairs = [spec for spec in study.plan if spec.arm == "pair"]
    store = fill(study, tmp_path, COUNTS, skip=lambda spec: spec in pairs[::2])
    asked = list[RunSpec]()
    real = Study.cost
    monkeypatch.setattr(Study, "cost", lambda self, spec: asked.append(spec) or real(self, spec))
    for spec in set(study.plan) - set(pairs[::2]):
        take(store, spec, 20)
    assert current_status(study, store).seconds_left == pytest.approx(20 * len(pairs[::2]))
    assert len(study.plan) <= len(asked) <= 3 * len(study.plan)


def test_the_outlook_speaks_of_one_run_in_the_singular(tmp_path: Path) -> None:
    study = make_study(["a", "b"])
    last = study.plan.specs[-1]
    store = fill(study, tmp_path, COUNTS, skip=lambda spec: spec == last)
    assert _outlook(current_status(study, store)).endswith("; run the same command again to train it")
    assert _outlook_of_estimate(current_status(study, store)).endswith("would train 1 more run")
    store.fail(last, "diverged")
    assert _outlook(current_status(study, store)) == (
        "nothing is running; 1 failed: run the same command again to train it"
    )


def test_without_a_finished_run_no_time_is_reported(tmp_path: Path) -> None:
    make_study(["a", "b"]).write(tmp_path)
    answer = command("status", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "unknown until a run has finished" in answer.stdout
    assert "run the same command again to train them" in answer.stdout


def test_a_finished_study_is_all_done_also_in_the_folder_of_an_encoder(tmp_path: Path) -> None:
    for folder in ("biobert-1a2b3c4d", "tiny-5e6f7a8b"):
        study = make_study(["a", "b"], seeds=(0,))
        study.write(tmp_path / folder)
        fill(study, tmp_path / folder, COUNTS)
    answer = command("status", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("all done") == 2
    assert "biobert-1a2b3c4d" in answer.stdout


def test_a_sequential_design_is_counted_up_to_its_next_interim_analysis(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds=(*range(12),), seeds_single=(*range(17),), interim_seeds=(3, 5, 8, 12))
    study.write(tmp_path)
    answer = command("status", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines() if line.strip()}
    assert rows["pair"] == ["0", "0", "0", "9"]
    assert f"the table counts runs up to the next interim analysis, of at most {len(study.plan)}" in answer.stdout
    fill(study, tmp_path, COUNTS)
    answer = command("status", str(tmp_path), cwd=tmp_path)
    assert re.search(
        rf"sequential design: finished with \d+ of at most {len(study.plan)} runs\nall done", answer.stdout
    )


def test_a_run_that_kept_no_model_is_to_do_where_models_were_asked_for(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=(0,))
    store = fill(study, tmp_path, COUNTS)
    for spec in study.plan.specs[1:]:
        model = store.folder(spec) / "model"
        model.mkdir()
        for name in ("epoch-1", *(f"head-{task}" for task in spec.task_names)):
            (model / f"{name}.safetensors").write_bytes(b"")
    for keep_models, done in ((False, [3, 0]), (True, [2, 1])):
        replace(study, keep_models=keep_models).write(tmp_path)
        answer = command("status", str(tmp_path), cwd=tmp_path).stdout
        rows = {line.split()[0]: line.split()[1:] for line in answer.splitlines() if line.strip()}
        assert [sum(int(rows[arm][place]) for arm in ("single", "pair")) for place in (0, 3)] == done
        assert ("--keep-models: a run without a stored model" in answer) == keep_models
        assert ("all done" in answer) != keep_models


@pytest.mark.parametrize("content", [None, {}, {"study.json": "{"}, {"full.json": '{"suite": "x"}'}])
def test_a_folder_without_a_study_is_one_line(content: dict[str, str] | None, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    if content is not None:
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_text(text)
    answer = command("status", "r", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert len(answer.stderr.splitlines()) == 1
    assert answer.stderr.startswith("taskaffinity: r")


def test_another_programs_study_json_in_a_folder_below_is_passed_over(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=(0,))
    study.write(tmp_path / "ours")
    fill(study, tmp_path / "ours", COUNTS)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/study.json").write_text('{"trials": []}')
    answer = command("status", str(tmp_path), cwd=tmp_path)
    assert answer.returncode == 0
    assert re.fullmatch(r"skipped: \S+theirs/study.json: not a study .*: no suite in it; .*\n", answer.stderr)
    assert "all done" in answer.stdout
    refused = command("status", "theirs", cwd=tmp_path)
    assert refused.returncode == 2
    assert "theirs/study.json: not a study of this version of taskaffinity: no suite in it" in refused.stderr


def estimates_of(folder: Path) -> object:
    [study] = json.loads(command("status", str(folder), "--json", cwd=folder).stdout)["studies"]
    return study["estimates"]


def test_a_folder_of_estimates_says_how_far_they_are_and_what_pairwise_would_train(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds=(0, 1))
    study.write(tmp_path)
    write_design(tmp_path, ProbeDesign(steps=30, repeats=1, share=0.2), study)
    fill(study, tmp_path, latent_counts({}, n=20), skip=lambda spec: len(spec.tasks) > 1 or spec.task_names == ("c",))
    said = command("status", str(tmp_path), cwd=tmp_path).stdout
    assert "estimates: 2 of 3 single-task runs done, then the probes" in said
    expected = {"of_another_study": None, "written": False, "arrows": {"done": 0, "planned": 6}}
    expected |= {"singles": {"done": 2, "planned": 3}, "probes": {"done": 0, "planned": None}}
    assert estimates_of(tmp_path) == expected
    fill(study, tmp_path, latent_counts({}, n=20), skip=lambda spec: len(spec.tasks) > 1)
    expected |= {"singles": {"done": 3, "planned": 3}, "probes": {"done": 0, "planned": 6}}
    assert estimates_of(tmp_path) == expected
    said = command("status", str(tmp_path), cwd=tmp_path).stdout
    assert "estimates: 0 of 6 probes done; `taskaffinity estimate` trains the others" in said
    write_estimates(tmp_path, {("a", "b"): {}}, study)
    said = command("status", str(tmp_path), cwd=tmp_path).stdout
    assert "estimates: done" in said
    expected |= {"singles": {"done": 6, "planned": 6}, "probes": {"done": 0, "planned": 12}}  # of two probes per arrow
    assert estimates_of(tmp_path) == expected | {"written": True}
    assert "nothing is running; `taskaffinity pairwise` would train 6 more runs" in said
    assert "same command again" not in said


def test_a_study_with_a_damaged_run_is_refused_before_anything_is_printed(tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"], seeds=(0, 1))
    store = fill(study, tmp_path / "r", COUNTS)
    study.write(tmp_path / "r")
    write_estimates(tmp_path / "r", {("a", "b"): {}}, study)  # status counts their probes, from the counts of the runs
    single = store.folder(next(spec for spec in study.plan if spec.arm == "single"))
    (single / "counts.npz").write_bytes(b"x")
    for place in ("r", "."):  # the second finds the study in a subfolder, after another one
        done = command("status", place, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "counts.npz: not the file that was written" in done.stderr
        half_done(tmp_path / "another")


def test_names_of_subfolders_cannot_move_the_cursor_or_break_a_line(tmp_path: Path) -> None:
    half_done(tmp_path / "one\x1b[2J\ntwo")
    _, store, pairs = half_done(tmp_path / "three\x1b[2J\nfour")
    store.fail(pairs[0], "no memory")
    (tmp_path / "one\x1b[2J\ntwo" / "study.json").write_text("{")
    done = command("status", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith(r"skipped: one\x1b[2J\ntwo/study.json: not a study")
    assert done.stdout.startswith(r"three\x1b[2J\nfour/study.json: 3 tasks of toy")
    assert rf"failed: three\x1b[2J\nfour/runs/{pairs[0].run_id}: no memory" in done.stdout
