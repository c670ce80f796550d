"""Files of an earlier study, or of earlier gains, are named until they are made anew."""

from __future__ import annotations

import errno
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import command

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from fake_studies import fill, latent_counts, make_study

import taskaffinity as ta
from taskaffinity import atomic
from taskaffinity.analysis.outdated import FILE, describe_outdated
from taskaffinity.analysis.publish import publish
from taskaffinity.errors import InputError
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

    run("verdicts", "one.csv", "--results=out", "--name=x")
    for made in (
        ["group", "out", "--groups=1"],
        ["report", "out"],
        ["graph", "out", "--figures=seeds", "--format=pdf"],
    ):
        run(*made)
    root, marked = tmp_path / "out", [*OF_GROUPS, "report.html", "seeds.pdf"]
    assert "outdated" not in run("verdicts", "one.csv", "--results=out", "--name=x", "--alpha=0.1")
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
