"""Files of an earlier study, or of earlier gains, are named until they are made anew."""

from __future__ import annotations

import errno
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from command_line import command

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from fake_studies import fill, latent_counts, make_study

import taskaffinity as ta
from taskaffinity import atomic
from taskaffinity.analysis.figure_options import FigureOptions
from taskaffinity.analysis.groups.results import GroupResults
from taskaffinity.analysis.groups.retrained import retrain_plan, retrained
from taskaffinity.analysis.outdated import FILE, describe_outdated, mark_estimates
from taskaffinity.analysis.publish import publish, publish_retrained
from taskaffinity.errors import InputError
from taskaffinity.runs.group_arrows import GroupArrow
from taskaffinity.runs.recipe import FINETUNE
from taskaffinity.runs.rule import Rule
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study
from taskaffinity.studies.replacement import mark_replaced

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"
OF_GROUPS = ["groups.csv", "groups.png", "groups.svg"]


def outdated(root: Path) -> list[str]:
    """Names in the mark of a results folder."""
    text = (root / FILE).read_text() if (root / FILE).exists() else ""
    return [line.partition(":")[0] for line in text.splitlines()[1:]]


def table(path: Path, gain: float) -> Path:
    rows = [
        f"{target},{source},{seed},{60 + seed + (gain if source else 0)}"
        for target, source in (("rte", ""), ("mnli", ""), ("rte", "mnli"), ("mnli", "rte"))
        for seed in range(3)
    ]
    path.write_text("\n".join(["target,source,seed,score", *rows]) + "\n")
    return path


def test_new_scores_mark_what_shows_the_earlier_ones(tmp_path: Path) -> None:
    table(tmp_path / "one.csv", 5)
    table(tmp_path / "two.csv", -5)

    def run(*arguments: str) -> str:
        done = command(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def make_all() -> None:
        run("group", "out", "--groups=1")
        run("report", "out")
        run("graph", "out", "--figures=seeds", "--format=pdf")

    run("verdicts", "one.csv", "--results=out", "--name=x")
    make_all()
    root, marked = tmp_path / "out", [*OF_GROUPS, "report.html", "seeds.pdf"]
    run("verdicts", "one.csv", "--results=out", "--name=x")
    assert outdated(root) == []
    run("verdicts", "one.csv", "--results=out", "--name=x", "--alpha=0.1")  # a rule is part of the study
    assert outdated(root) == marked
    make_all()
    assert outdated(root) == []
    for arguments in (["verdicts", "two.csv", "--results=out", "--name=x"], ["graph", "out"]):
        [line] = [line for line in run(*arguments).splitlines() if "earlier" in line]
        assert line == (
            f"out: of an earlier study or earlier gains: {', '.join(marked)}; made anew by "
            "`taskaffinity group`, `taskaffinity report`, `taskaffinity graph`"
        )
        assert outdated(root) == marked
    run("group", "out", "--groups=1")
    assert outdated(root) == ["report.html", "seeds.pdf"]
    run("report", "out")
    (root / "seeds.pdf").unlink()
    assert "earlier" not in run("graph", "out")
    assert not (root / FILE).exists()


def test_a_study_that_is_replaced_marks_all_its_files_until_they_are_written(tmp_path: Path) -> None:
    study = make_study(list("abc"), seeds=(0, 1, 2))
    study.write(tmp_path)
    fill(study, tmp_path, latent_counts({("a", "b"): 0.6}))
    publish(study, RunStore(tmp_path), tmp_path)
    for name in ("report.html", "estimators.csv", "estimates.csv", "stages.csv"):
        (tmp_path / name).write_text("of the first\n")
    grown = replace(study, seeds=(0, 1, 2, 3))
    mark_replaced(grown, tmp_path)
    assert outdated(tmp_path) == []
    mark_replaced(replace(grown, rule=Rule(alpha=0.3)), tmp_path)
    assert {"affinity.png", "report.html"} <= {*outdated(tmp_path)}
    assert not {"estimates.csv", "estimators.csv", "stages.csv"} & {*outdated(tmp_path)}
    publish(study, RunStore(tmp_path), tmp_path)
    assert outdated(tmp_path) == ["report.html"]
    other = replace(study, recipe=replace(study.recipe, num_train_epochs=7))
    mark_replaced(other, tmp_path)
    assert {"edges.csv", "affinity.png", "report.html", "estimators.csv"} <= {*outdated(tmp_path)}
    assert "stages.csv" not in outdated(tmp_path)
    (tmp_path / "estimates.csv").unlink()
    other.write(tmp_path)
    fill(other, tmp_path, latent_counts({("a", "b"): 0.6}))
    publish(other, RunStore(tmp_path), tmp_path)
    assert outdated(tmp_path) == ["estimators.csv", "report.html"]
    assert "`taskaffinity estimate --baselines`, `taskaffinity report`" in describe_outdated(tmp_path)[0]


COUNTS = latent_counts({("a", "b"): 0.6, ("b", "a"): 0.6, ("c", "d"): 0.6, ("d", "c"): 0.6})


def toy(root: Path, **options: object) -> Study:
    """A published study of four tasks with groups, in a folder that also has a report."""
    study = make_study(list("abcd"), **options)
    study.write(root)
    fill(study, root, COUNTS)
    publish(study, RunStore(root), root, figure_options=FigureOptions(("heatmap",), ("svg",)))
    ta.group(root, groups=2, draws=0)
    (root / "report.html").write_text("of the first\n")
    return study


@pytest.mark.parametrize(
    "more",
    [
        {"full": True},
        {"groups": (GroupArrow(("a", "b"), "c"),)},
        {"design": "full", "finetune": dict.fromkeys("abcd", FINETUNE)},
    ],
    ids=["full", "groups", "stages"],
)
def test_new_trained_groups_mark_the_chosen_ones_until_they_are_trained_and_chosen_again(
    more: dict[str, object], tmp_path: Path
) -> None:
    study = toy(tmp_path)
    mark_replaced(replace(study, seeds=(0, 1, 2, 3)), tmp_path)
    assert outdated(tmp_path) == []  # more seeds change edges.csv, which marks
    larger = replace(study, **more)
    mark_replaced(larger, tmp_path)
    larger.write(tmp_path)
    assert outdated(tmp_path) == OF_GROUPS
    ta.group(tmp_path, groups=2, draws=0)
    mark_replaced(larger, tmp_path)  # interrupted before the groups were trained, and resumed
    assert outdated(tmp_path) == OF_GROUPS
    fill(larger, tmp_path, COUNTS)
    ta.group(tmp_path, groups=2, draws=0)
    mark_replaced(larger, tmp_path)
    assert outdated(tmp_path) == []
    if larger.design == "full":
        mark_replaced(replace(study, full=True), tmp_path)  # `group` counted these runs before the study had them
        assert outdated(tmp_path) == []


def test_other_baselines_have_no_groups_that_choices_count(tmp_path: Path) -> None:
    study = toy(tmp_path, baseline="compute-matched")
    mark_replaced(replace(study, full=True), tmp_path)
    assert outdated(tmp_path) == []


def test_new_estimates_mark_what_shows_them(tmp_path: Path) -> None:
    toy(tmp_path)
    mark_estimates(tmp_path, b"one\n", b"one\n")
    assert outdated(tmp_path) == []
    for before in (None, b"one\n"):
        (tmp_path / FILE).unlink(missing_ok=True)
        mark_estimates(tmp_path, before, b"two\n")
        assert {*OF_GROUPS, "report.html", "heatmap.svg"} <= {*outdated(tmp_path)}
        assert "edges.csv" not in outdated(tmp_path)


def test_realised_gains_of_groups_that_are_no_longer_chosen_are_marked(tmp_path: Path) -> None:
    toy(tmp_path)
    found = ta.group(tmp_path, groups=2, draws=0)
    assert isinstance(found, GroupResults)
    trained = SimpleNamespace(tasks=found.chosen.matrix.study.tasks, plan=retrain_plan(found.chosen, 2))
    store = fill(cast("Study", trained), tmp_path / "again", COUNTS)
    publish_retrained(found.chosen, retrained(found.chosen, store, 2), tmp_path)

    def choose(*options: str) -> str:
        done = command("group", ".", *options, "--draws=0", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "outdated" not in choose("--groups=2")
    assert outdated(tmp_path) == []
    said = choose("--groups=1")
    assert ".: of an earlier study or earlier gains: retrained.csv; made anew by `taskaffinity group --retrain`" in said
    assert outdated(tmp_path) == ["retrained.csv"]
    publish_retrained(found.chosen, retrained(found.chosen, store, 2), tmp_path)
    assert outdated(tmp_path) == []


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder where every attempt to create a file fails, as on a read-only file system."""
    root = shutil.copytree(EXAMPLE, tmp_path / "ro")

    def refuse(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(atomic.FileLock, "acquire", lambda lock, **_: refuse(lock.lock_file))
    monkeypatch.setattr(atomic, "_new_name", refuse)
    return root


def test_a_read_only_folder_is_one_line(read_only: Path) -> None:
    expected = "cannot write in ro (read-only): copy the folder, or use `report --out`"
    for arguments in (["graph", "ro"], ["group", "ro", "--groups=2"], ["report", "ro"]):
        done = command(*arguments, cwd=read_only.parent)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"taskaffinity: {expected}")
    result = ta.load(read_only)
    assert isinstance(result, ta.PairwiseResults)
    for call in (
        lambda: ta.group(read_only, groups=2),
        lambda: result.report(),
        lambda: ta.publish(Study.load(read_only), RunStore(read_only), read_only),
    ):
        with pytest.raises(InputError, match=r"cannot write in .*ro \(read-only\): copy the folder, or use"):
            call()
