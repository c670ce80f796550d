"""A command that a message names can be pasted into a shell, whatever the names of folders are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.analysis.joint_results import TrainResults
from taskaffinity.cli.console.trained import print_train
from taskaffinity.runs.studied_task import Leak
from taskaffinity.schedule.resources import Resources, RunOptions
from taskaffinity.studies.data_facts import data_lines
from taskaffinity.tasks.planted import CLINICAL


def test_a_joint_training_names_the_command_that_predicts(
    tmp_path: Path, tiny_study: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "my out; really"
    tiny_study(design="train", seeds=(0,)).train(
        root, resources=Resources("local"), options=RunOptions(keep_models=True)
    )
    print_train(TrainResults.load(root))
    [line] = re.findall(r"the models: (.*), or export them", capsys.readouterr().out)
    assert shlex.split(line) == ["taskaffinity", "predict", str(root), "FILE", "--task", "clinicalsts"]


def test_leaks_name_the_command_that_lists_them(tiny_study: Callable[..., Any]) -> None:
    study = replace(tiny_study().study, leaks=(Leak("clinicalsts", "mednli", "leak: 3 texts"),))
    lines = data_lines(study, CLINICAL.only(["clinicalsts", "mednli"]), Path("my data/suite.yaml"))
    [line] = [line for line in lines if line.startswith("all leaks: ")]
    assert shlex.split(line.removeprefix("all leaks: ")) == ["taskaffinity", "data", "inspect", "my data/suite.yaml"]
