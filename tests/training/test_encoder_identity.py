"""A run trains only from the encoder of its identity, whatever happens to the folder during a study."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.runs.spec import Probe, RunSpec
from taskaffinity.training import setup
from taskaffinity.training.encoders import identity
from taskaffinity.training.execute import execute
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.probe import execute_probe


@pytest.fixture
def studied(tiny_study: Callable[..., Any], tmp_path: Path) -> tuple[RunSpec, dict[str, Path]]:
    """A single-task run, and its encoder in a folder of this test."""
    tiny = tiny_study()
    spec = RunSpec(tiny.study.refs[:1], tiny.study.encoder, 0, tiny.study.recipe)
    folder = Path(shutil.copytree(tiny.encoder_folder, tmp_path / "encoder"))
    return spec, {"encoder_folder": folder, "cache": tiny.cache}


def change(folder: Path) -> None:
    """Let the encoder start from other weights of the same shapes."""
    path = folder / "config.json"
    before = path.read_text()
    path.write_text(before.replace('"initializer_range": 0.1', '"initializer_range": 0.2'))
    assert path.read_text() != before


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("vocab.txt", "vocab.json", "merges.txt"),
        *("spiece.model", "spm.model", "sentencepiece.bpe.model"),  # of ALBERT, DeBERTa-v3 and XLM-R
        *("model.safetensors", "pytorch_model.bin"),
    ],
)
def test_every_file_that_tokens_or_weights_depend_on_is_part_of_the_identity(name: str, tmp_path: Path) -> None:
    found = set()
    for content in (b"{}", b"{} "):
        (tmp_path / name).write_bytes(content)
        found.add(identity.fingerprint(tmp_path))
    assert len(found) == 2


def test_a_run_refuses_an_encoder_that_changed_during_the_study(studied: tuple[RunSpec, dict[str, Any]]) -> None:
    spec, places = studied
    folder = places["encoder_folder"]
    content = (folder / "config.json").read_bytes()
    scores = execute(spec, **places).outcomes
    change(folder)
    said = rf"^{folder}: found an encoder with the fingerprint [0-9a-f]{{16}}; expected {spec.encoder.fingerprint}, "
    with pytest.raises(InputError, match=said):
        execute(spec, **places)
    (folder / "config.json").write_bytes(content)
    assert execute(spec, **places).outcomes == scores


def test_a_probe_refuses_it_too(studied: tuple[RunSpec, dict[str, Any]], tmp_path: Path) -> None:
    parent, places = studied
    spec = replace(parent, variant="probe", parent=parent, probe=Probe(1, 0))
    change(places["encoder_folder"])
    with pytest.raises(InputError, match="found an encoder with the fingerprint"):
        execute_probe(spec, **places, start=tmp_path / "weights", head=tmp_path / "head")


def test_a_change_while_it_is_loaded_is_seen(
    studied: tuple[RunSpec, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, places = studied

    def load(folder: Path, *of: Any, **settings: Any) -> MultiTaskModel:
        change(folder)
        return MultiTaskModel(folder, *of, **settings)

    monkeypatch.setattr(setup, "MultiTaskModel", load)
    with pytest.raises(InputError, match="found an encoder with the fingerprint"):
        execute(spec, **places)


def test_a_folder_that_went_away_is_named(studied: tuple[RunSpec, dict[str, Any]]) -> None:
    spec, places = studied
    shutil.rmtree(places["encoder_folder"])
    with pytest.raises(InputError, match=rf"^{places['encoder_folder']}: the encoder's files cannot be read"):
        execute(spec, **places)


def test_a_process_hashes_an_unchanged_folder_once(
    studied: tuple[RunSpec, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = studied[1]["encoder_folder"]
    first = identity.fingerprint(folder)
    with monkeypatch.context() as patch:
        patch.setattr(identity, "open_regular", pytest.fail)
        assert identity.fingerprint(folder) == first
    change(folder)
    assert identity.fingerprint(folder) != first
