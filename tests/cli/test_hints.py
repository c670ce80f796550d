"""What a refusal says may have been meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import taskaffinity
from taskaffinity.cli import main

HINTS = {
    "suite as an argument": (["pairwise", "suite.yaml"], r"did you mean --suite suite.yaml\?"),
    "setting in two words": (
        ["pairwise", "--domain=clinical", "--set", "a", "b"],
        "--set takes KEY=VALUE, in one word",
    ),
    "palette": (["graph", "mine", "--palette=papr"], r"did you mean paper\?"),
    "correction": (["pairwise", "--domain=clinical", "--correction=hollm"], r"did you mean holm\?"),
    "option of another command": (
        ["pairwise", "--domain=clinical", "--palette=cb"],
        r"--palette; it is an option of taskaffinity graph",
    ),
    "parameter of Python": (
        ["pairwise", "--domain=clinical", "--output_dir=x"],
        r"--output_dir; it is --results here$",
    ),
    "settings in Python": (["pairwise", "--domain=clinical", "--settings=a=1"], r"--settings; it is --set here$"),
    "predictions in Python": (
        ["pairwise", "--domain=clinical", "--keep-predictions"],
        r"--keep-predictions; it is --predictions here$",
    ),
    "number of seeds": (["pairwise", "--domain=clinical", "--n-seeds=3"], r"--n-seeds; it is --seeds here$"),
    "option with underscores": (["pairwise", "--seeds_single=3"], r"--seeds_single; it is --seeds-single here$"),
    "setting as an option": (
        ["pairwise", "--domain=clinical", "--learning-rate=1"],
        r"No such option: --learning-rate; it is a setting: --set learning_rate=VALUE$",
    ),
    "setting as an option that has neighbours": (
        ["tune", "--batch-size=3"],
        r"it is a setting: --set batch_size=VALUE$",
    ),
    "option of another command than settings": (
        ["graph", "mine", "--learning-rate=1"],
        r"--learning-rate; it is an option of taskaffinity pretrain$",
    ),
    "setting by a short name": (["pairwise", "--domain=clinical", "--set=lr=1"], r"did you mean learning_rate\?"),
    "setting by its last word": (["full", "--domain=clinical", "--set=epochs=1"], r"did you mean num_train_epochs\?"),
    "precision": (["pairwise", "--domain=clinical", "--set=precision=bf17"], "expected auto, bf16 or none$"),
    "number": (["pairwise", "--domain=clinical", "--set=learning_rate=abc"], "expected a number$"),
    "data folder": (["pairwise", "--domain=clinical", "--data=nodata"], "nodata: found no such folder; expected"),
    "subcommand": (["data", "inspec"], r"No such command 'inspec'. Did you mean 'inspect'\?$"),
    "tracker": (["pairwise", "--domain=clinical", "--report-to=wandbb"], r"no such tracker; .*did you mean wandb\?"),
    "inspect": (["inspect", "suite.yaml"], r"did you mean data inspect\?"),
    "results folder": (["graph", "results/mien"], r"results/mien: no such folder; .*did you mean results/mine\?"),
    "suite file": (
        ["pairwise", "--suite=siute.yaml"],
        r"siute.yaml: found no such file.*did you mean suite.yaml\?",
    ),
    "recipe file": (
        ["pairwise", "--domain=clinical", "--recipe=my.yaml"],
        "--recipe my.yaml: no such file; expected a",
    ),
}


@pytest.mark.parametrize("case", HINTS)
def test_a_refusal_says_what_was_meant(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, said = HINTS[case]
    (tmp_path / "results/mine").mkdir(parents=True)
    (tmp_path / "suite.yaml").write_text("tasks: {}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["taskaffinity", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, len(err.splitlines())) == (2, "", 1), err
    assert re.search(said, err), err


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["taskaffinity", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"taskaffinity {taskaffinity.__version__}\n"
