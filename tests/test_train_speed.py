"""The ways that ``benchmarks/train_speed.py`` compares keep to the device they are given, whatever the machine has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import peers
import pytest
import torch
from cpu_path import summary
from peers import PaperWay, TrainerWay
from train_speed import Ours, commit_of, machine, main
from transformers import AutoConfig, AutoModel

from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded


@pytest.fixture
def given(tiny_study: Callable[..., Any], tmp_path: Path) -> Any:
    """A folder of an encoder with weights, and a task's card and training split, by its name."""
    tiny = tiny_study()
    folder = tmp_path / "encoder"
    shutil.copytree(tiny.encoder_folder, folder)
    AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    [card] = [card for card in tiny.study.tasks if card.name == "mednli"]
    recipe, encoder = tiny.study.recipe, tiny.study.encoder
    of_task = cache_folder(tiny.cache, card.fingerprint, encoder.fingerprint, recipe.max_length, recipe.max_words)
    meta, splits = read_encoded(of_task)
    return folder, {meta.name: meta}, {meta.name: splits["train"]}


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_trainer_does_not_choose_for_itself(
    device: str, precision: Any, given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine with a GPU, which it would take, in 16 bits."""
    asked: dict[str, Any] = {}

    class Stopped(Exception):
        pass

    def arguments(**settings: Any) -> None:
        asked.update(settings)
        raise Stopped

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(peers, "TrainingArguments", arguments)
    folder, metas, splits = given
    way = TrainerWay(folder, metas["mednli"], splits["mednli"], tmp_path, device, precision)
    with pytest.raises(Stopped):
        way.train([np.arange(4)])
    assert asked["use_cpu"] == (device == "cpu")
    assert asked["bf16"] == (precision == "bf16")


def test_on_a_gpu_all_of_a_way_is_there(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``meta`` in its place: a tensor that was left behind could not meet the others."""
    folder, metas, splits = given
    paper = PaperWay(folder, metas, splits, "meta")
    assert {weight.device.type for weight in paper.encoder.parameters()} == {"meta"}
    width = paper.encoder.config.hidden_size

    def states(**batch: torch.Tensor) -> Any:
        assert {tensor.device.type for tensor in batch.values()} == {"meta"}
        hidden = torch.zeros(*batch["input_ids"].shape, width, device="meta")
        return SimpleNamespace(last_hidden_state=hidden, pooler_output=hidden[:, 0])

    monkeypatch.setattr(paper, "encoder", states)  # the model itself checks its mask, which holds nothing
    assert paper._loss("mednli", paper.samples["mednli"][:4]).device.type == "meta"
    ours = Ours(folder, metas, splits, "adamw", device="meta")
    assert not ours.model.is_packed  # as in a run: a GPU has its own kernels for what is padded
    assert {weight.device.type for weight in ours.model.parameters()} == {"meta"}
    assert {weight.device.type for weight in ours.stepper.parameters} == {"meta"}


def test_figures_of_a_gpu_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr("train_speed.matmul_peak", lambda dtype=None, device="cpu": 2e12 if device == "cuda" else 1e11)
    found = machine("cuda")
    assert (found["gpu"], found["peak_32_bits"], found["peak_16_bits"]) == ("a GPU", 2000, 2000)
    found = machine()
    assert "gpu" not in found
    assert found["peak_32_bits"] == 100
    assert "commit" in found


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_benchmark_tells_its_commit_and_whether_code_has_changed_since(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""
    for command in (["init", "-q"], ["config", "user.email", "a@b"], ["config", "user.name", "a"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "figures.csv").write_text("1")
    subprocess.run(["git", "-C", str(tmp_path), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "commit", "-qm", "one"], check=True)
    (tmp_path / "figures.csv").write_text("2")
    commit = commit_of(tmp_path)
    assert re.fullmatch("[0-9a-f]{7,}", commit)
    (tmp_path / "code.py").write_text("2")
    assert commit_of(tmp_path) == f"{commit}-dirty"


@pytest.mark.slow
def test_the_cpu_path_is_compared_in_every_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick comparison: steps and updates in both precisions, and batches that are equal bit for bit."""
    monkeypatch.setattr("train_speed.matmul_peak", lambda dtype=None, device="cpu": 1e11)
    threads = torch.get_num_threads()
    main(["--cpu-path", "--quick", "--rounds=3", "--out", str(tmp_path)])
    torch.set_num_threads(threads)
    assert json.loads((tmp_path / "cpu_path_machine.json").read_text())["peak_32_bits"] == 100
    found = pd.read_csv(tmp_path / "cpu_path.csv", keep_default_na=False)
    combinations = product(("adamax", "adamw"), ("fp32", "bf16"), ("step", "update"))
    expected = [("batches", "", ""), *((what, optimizer, precision) for optimizer, precision, what in combinations)]
    assert list(zip(found.what, found.optimizer, found.precision, strict=True)) == expected
    assert set(found.model) == {"2x32"}
    assert (found.rounds == 3).all()
    assert (found[["today_ms", "gpu_way_ms", "ratio_q1"]] > 0).all(axis=None)
    assert ((found.ratio_q1 <= found.ratio) & (found.ratio <= found.ratio_q3)).all()
    of_step, of_update = (
        found[found.what == what].set_index(["optimizer", "precision"]) for what in ("step", "update")
    )
    for name in ("today_ms", "gpu_way_ms"):
        assert (of_update[name] < of_step[name]).all()
    assert found.difference[0] == 0
    assert of_step.difference.between(1e-9, 0.01).all()  # the last digits of the two optimizers differ, no more


def test_quartiles_are_those_of_the_ratios_of_rounds() -> None:
    seconds = np.array([[2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [50.0, 10.0], [6.0, 1.0]])
    found = summary(seconds)
    assert (found["ratio_q1"], found["ratio"], found["ratio_q3"]) == (3.0, 4.0, 5.0)
    assert (found["today_ms"], found["gpu_way_ms"], found["rounds"]) == (4000.0, 1000.0, 5)
