"""Bad usage ends with exit code 2, one line on stderr, and no file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command

STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL]
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
        r"clinicalsts.*dev\.jsonl.*run .*data prepare clinicalsts .*data prepare mednli ",
    ),
    "data that are not there": ([*STUDY, "--data=nowhere"], "nowhere"),
    "encoder that is not there": ([*STUDY, "--encoder=no/such/folder"], "--encoder no/such/folder"),
    "encoder folder without a model": ([*STUDY, "--encoder=half"], "config.json"),
    "results that are a file": ([*STUDY, "--results=file"], "file"),
    "more cores than there are": (["pairwise", "--domain=clinical", "--cpus-per-run=999"], "--cpus-per-run"),
    "search with a measured share": (["tune", "--domain=clinical", "--gpus-per-run=auto"], "auto: .*give a number$"),
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
    "sequential design with seeds of its own": (
        [*STUDY, "--sequential", "--seeds-single=9"],
        "--seeds-single: not with --sequential",
    ),
    "sequential design that is over at once": (
        [*STUDY, "--sequential", "--seeds=12"],
        "--sequential.*below --max-seeds",
    ),
    "most seeds without a sequential design": ([*STUDY, "--max-seeds=8"], "--max-seeds 8.*--sequential"),
    "margin without end": ([*STUDY, "--margin=inf"], "expected POINTS"),
    "data for a synthetic suite": (["pairwise", "--domain=planted-8", "--data=half"], "data .*takes no data"),
    "unknown correction": ([*STUDY, "--correction=none"], "--correction"),
    "unknown executor": (["pairwise", "--domain=clinical", "--executor=cloud"], "--executor"),
    "unknown option": (["pairwise", "--domian=clinical"], "--domian"),
    "unknown command": (["pairwse"], "pairwse"),
}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data folder ``half``, of one task without its dev part, and a ``file``."""
    folder = tmp_path_factory.mktemp("bad_usage")
    (folder / "half" / "clinicalsts").mkdir(parents=True)
    for name in ("task.json", "train.jsonl", "test.jsonl"):
        (folder / "half" / "clinicalsts" / name).write_text("{}")
    (folder / "file").write_text("mine")
    return folder


@pytest.mark.parametrize("case", BAD_USAGE)
def test_bad_usage_is_one_line_and_nothing_written(case: str, half: Path) -> None:
    arguments, said = BAD_USAGE[case]
    before = sorted(half.rglob("*"))
    refused = command(*arguments, cwd=half)
    assert refused.returncode == 2, refused.stderr
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert re.search(said, refused.stderr)
    assert sorted(half.rglob("*")) == before
