"""No command replaces a file of the user's or of a study: only a file that the same command made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from command_line import LOCAL, command

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.output_file import PREDICTIONS, RECIPE, REPORT, SPLITS, check_output
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS as PARTS
from taskaffinity.tasks.task import Example

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"
MINE = "mine\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a study, and with files of the user's."""
    shutil.copytree(EXAMPLE, tmp_path / "vic")
    (tmp_path / "vic" / "suite.yaml").write_text(MINE)
    for name in ("keep.csv", "notes.html", "my.yaml", "scores.csv"):
        (tmp_path / name).write_text(MINE)
    (tmp_path / "link.csv").symlink_to("keep.csv")
    os.link(tmp_path / "keep.csv", tmp_path / "hard.csv")
    return tmp_path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RUN = next(path.name for path in sorted((EXAMPLE / "runs").iterdir()))
NO_REPORT = "a file that exists and is no report; give another name"
OF_RESULTS = "a name that the results folder uses; give another name"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *((["report", "vic", "--out", name], f"--out {name}: {NO_REPORT}") for name in (
            *("vic/study.json", f"vic/runs/{RUN}/result.json", "vic/edges.csv", "vic/affinity.png", "vic/suite.yaml"),
            *("notes.html", "keep.csv", "link.csv"),
        )),
        *((["report", "vic", "--out", name], f"--out {name}: {OF_RESULTS}") for name in (
            *("vic/groups.csv", "vic/full.json", "vic/heatmap@new.png", f"vic/runs/{RUN}/error.txt"),
        )),
        *((["predict", "model", "keep.csv", "--out", name], f"--out {name}: the file that is read") for name in (
            *("keep.csv", "link.csv", "hard.csv"),
        )),
        (["predict", "model", "keep.csv", "--out", "notes.html"], "is no output of `predict`; give another name"),
        (["predict", "model", "keep.csv", "--out", "vic/study.json"], "is no output of `predict`; give another name"),
        (["tune", "--domain=clinical", *LOCAL, "--dry-run", "--out=my.yaml"], "is no recipe of `tune`"),
        (["tune", "--domain=clinical", *LOCAL, "--dry-run", "--out=vic/study.json"], "is no recipe of `tune`"),
        (["tune", "--domain=clinical", *LOCAL, "--dry-run", "--out=vic"], "--out vic: a folder; expected a file"),
        (["pairwise", "--domain=clinical", *LOCAL, "--results=."], "--results .: holds scores.csv and no study"),
        (["full", "--domain=clinical", *LOCAL, "--results=."], "--results .: holds scores.csv and no study"),
        (["train", "--domain=clinical", *LOCAL, "--out=."], "--results .: holds scores.csv and no study"),
    ],
    ids=str,
)  # fmt: skip
def test_a_file_that_the_command_did_not_make_stays(arguments: list[str], said: str, home: Path) -> None:
    before = content_of(home)
    refused = command(*arguments, cwd=home)
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert said in line
    assert content_of(home) == before


def test_a_report_may_be_written_again_and_into_an_empty_file(home: Path) -> None:
    (home / "empty.html").touch()
    for name in ("vic/report.html", "page.html", "empty.html"):
        for _ in range(2):
            assert command("report", "vic", "--out", name, cwd=home).returncode == 0
    assert (home / "empty.html").read_bytes() == (home / "page.html").read_bytes()


def test_python_refuses_the_same_paths(home: Path) -> None:
    result = ta.load(home / "vic")
    assert isinstance(result, ta.PairwiseResults)
    before = content_of(home)
    for name in ("vic/scores.csv", "notes.html"):
        with pytest.raises(InputError, match=f"^report .*{name}: {NO_REPORT}$"):
            result.report(home / name)
    assert content_of(home) == before


def test_scores_are_not_replaced_by_the_tables_of_their_study(tmp_path: Path) -> None:
    rows = [("rte", source, seed, 0.5) for source in ("", "mnli") for seed in range(2)]
    frame = pd.DataFrame(rows, columns=["target", "source", "seed", "score"])
    for name in ("scores.csv", "mine.csv"):
        (tmp_path / name.removesuffix(".csv")).mkdir()
        frame.to_csv(tmp_path / name.removesuffix(".csv") / name, index=False)
    before = content_of(tmp_path)
    for name in ("scores", "mine"):
        refused = command("verdicts", f"{name}.csv", "--results=.", cwd=tmp_path / name)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"--results .: the folder of {name}.csv; expected a separate folder" in refused.stderr
    with pytest.raises(InputError, match=r"output_dir .*: holds scores.csv and no study, which would be replaced"):
        ta.verdicts(frame, output_dir=tmp_path / "scores")
    assert content_of(tmp_path) == before


def test_splits_do_not_replace_the_data(tmp_path: Path) -> None:
    table = "id,text,label\n" + "".join(f"{i},text {i},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "mine.csv").write_text(table)
    suite = "tasks:\n  mine: {kind: classification, path: mine.csv, dev: 20%, test: 20%}\n"
    (tmp_path / "suite.yaml").write_text(suite)
    refused = command("data", "inspect", "suite.yaml", "--write-splits=.", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--write-splits mine.csv: a file that exists and is no file of splits" in refused.stderr
    assert (tmp_path / "mine.csv").read_text() == table
    for _ in range(2):
        assert command("data", "inspect", "suite.yaml", "--write-splits=splits", cwd=tmp_path).returncode == 0


def test_a_prepared_task_does_not_replace_a_folder_of_the_users(tmp_path: Path) -> None:
    rows = {split: [Row(Example(f"{split}{i}", "ab"[i], f"{split} {i}")) for i in range(2)] for split in PARTS}
    card = TaskCard(kind="classification", labels=("a", "b"))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "train.jsonl").write_text(MINE)
    with pytest.raises(InputError, match=r"train.jsonl: found a file that exists, and no task.json beside it"):
        write_task(tmp_path / "toy", card, rows)
    assert content_of(tmp_path) == {"toy/train.jsonl": MINE.encode()}
    for _ in range(2):
        write_task(tmp_path / "new", card, rows)


@pytest.mark.parametrize(
    "line",
    [
        '{"line": 1, "label": "a", "probability": 1.0}',
        '{"line": 12, "id": "x, y", "labels": []}',
        *(f'{{"line": 1, "{key}": 0}}' for key in ("score", "answer", "entities", "tags")),
    ],
)
def test_predictions_are_known_by_their_first_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(f"{line}\n")
    check_output(path, PREDICTIONS, "output of `predict`")
    for other in (REPORT, RECIPE, SPLITS):
        with pytest.raises(InputError):
            check_output(path, other, "other")
    path.write_text('{"line": 1, "text": "a", "label": "a"}\n')
    with pytest.raises(InputError):
        check_output(path, PREDICTIONS, "output of `predict`")
