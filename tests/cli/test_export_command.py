"""``--keep-models``, ``export`` and ``predict`` by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
import torch
from command_line import LOCAL, SMALL, Done, command
from huggingface_hub.errors import OfflineModeIsEnabled

from taskaffinity.cli.predict import command as predict
from taskaffinity.errors import InputError
from taskaffinity.training.export import push

pytestmark = pytest.mark.usefixtures("no_figures")

STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL, "--seeds=1", "--seeds-single=1", "--quiet"]
EXPORT = ["export", "results/clinical", "--task=shareclefe"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def done(home: Path) -> Done:
    trained = command(*STUDY, "--keep-models", cwd=home)
    assert trained.returncode == 0, trained.stderr
    exported = command(*EXPORT, "--out=model", cwd=home)
    assert exported.returncode == 0, exported.stderr
    return exported


def test_export_says_which_run_and_what_it_is(done: Done, home: Path) -> None:
    assert "the best on dev of 4 with a stored model: span_f1" in done.stdout
    assert "SYNTHETIC TEXT" in done.stderr
    names = {path.name for path in (home / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md", "taskaffinity.json"} <= names
    exported = [home / "model", *(home / "model").iterdir()]
    secret = [*exported, *home.glob("results/clinical/runs/*/model/*"), *home.glob("results/*/runs/*/predictions.*")]
    assert len(secret) > 20
    assert {path.stat().st_mode & 0o077 for path in secret} == {0}
    assert (home / "results" / "clinical" / "edges.csv").stat().st_mode & 0o044 == 0o044


def test_what_is_shared_with_the_group_is_readable_for_it(done: Done, home: Path) -> None:
    again = command(*EXPORT, "--out=shared", "--share-with-group", cwd=home)
    assert again.returncode == 0, again.stderr
    (home / "new.txt").write_text("a word\n")
    for out, options in (("alone", []), ("ours", ["--share-with-group"])):
        command("predict", "model", "new.txt", f"--out={out}", *options, cwd=home)
    modes = {path: path.stat().st_mode & 0o777 for path in (home / "shared").iterdir()}
    assert set(modes.values()) == {0o640}
    found = [(home / name).stat().st_mode & 0o777 for name in ("shared", "alone", "ours")]
    assert found == [0o750, 0o600, 0o640]


def test_a_dry_run_knows_what_lacks_a_model(done: Done, home: Path) -> None:
    shown = command(*STUDY, "--keep-models", "--seeds=2", "--dry-run", cwd=home)
    assert "16 runs, 10 done, 6 to train" in shown.stdout, shown.stderr


def test_predict_writes_a_json_line_a_text(done: Done, home: Path) -> None:
    (home / "notes.txt").write_text("one two\n\n  three.\n")
    found = command("predict", "model", "notes.txt", cwd=home)
    assert found.returncode == 0, found.stderr
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [row["line"] for row in rows] == [1, 3]
    assert all(set(row) == {"line", "entities"} for row in rows)
    assert "2 texts of notes.txt" in found.stderr
    written = command("predict", "model", "notes.txt", "--out=found.jsonl", "--quiet", cwd=home)
    assert (written.stdout, written.stderr) == ("", "")
    predicted = command("predict", "model", "notes.txt", "--out=found.jsonl", cwd=home)
    assert (predicted.stdout, predicted.stderr.splitlines()[-1]) == ("", "2 texts of notes.txt in found.jsonl")
    assert (home / "found.jsonl").read_text() == found.stdout


def test_predict_tells_a_lack_of_memory_in_a_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, device: str) -> None:
        raise error

    monkeypatch.setattr("taskaffinity.training.export.predictor.Predictor", full)
    (tmp_path / "notes.txt").write_text("one two\n")
    for gpus, said in ((1, "machine's GPU; .*CUDA_VISIBLE_DEVICES= to use the CPU$"), (0, "machine's CPU; free some$")):
        monkeypatch.setattr("taskaffinity.training.execute.gpus", lambda gpus=gpus: gpus)
        error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        with pytest.raises(InputError, match=said):
            predict(tmp_path / "model", tmp_path / "notes.txt", tmp_path / "found.jsonl", quiet=True)
        error = RuntimeError("a fault of ours")
        with pytest.raises(RuntimeError, match="of ours"):
            predict(tmp_path / "model", tmp_path / "notes.txt", tmp_path / "found.jsonl", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*EXPORT, "--out=model"], "not empty"),
        ([*EXPORT, "--out=new", "--run=nope"], "run nope: no such run"),
        ([*EXPORT, "--out=new", "--push-to-hub=mine"], "--push-to-hub: found 'mine'; expected OWNER/NAME"),
        (["export", "nowhere", "--task=mednli", "--out=new"], "no study here"),
        (["predict", "results", "notes.txt"], "no taskaffinity.json here"),
        (["predict", "model", "nothing.txt"], "nothing.txt: found no file"),
        (["predict", "model", "bad.jsonl", "--out=bad.out"], "bad.jsonl: line 2: found no 'text' among the keys"),
    ],
)
def test_bad_usage_is_one_line_and_writes_nothing(arguments: list[str], said: str, done: Done, home: Path) -> None:
    (home / "notes.txt").write_text("one")
    (home / "bad.jsonl").write_text('{"text": "one"}\n{}\n')
    refused = command(*arguments, cwd=home)
    assert refused.returncode == 2, refused.stderr
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not {"new", "bad.out"} & {path.name for path in home.iterdir()}


def test_what_cannot_be_uploaded_is_written_all_the_same(
    done: Done, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = mock.Mock(create_repo=mock.Mock(side_effect=OfflineModeIsEnabled("offline")))
    monkeypatch.setattr(push, "HfApi", lambda: hub)
    kept = command(*EXPORT, "--out=offline", "--push-to-hub=me/model", cwd=home)
    assert kept.returncode == 2
    assert kept.stderr.splitlines()[-1] == (
        "taskaffinity: --push-to-hub me/model: HF_HUB_OFFLINE is set; offline is written"
    )
    assert (home / "offline/model.safetensors").is_file()


@pytest.mark.parametrize("design", ["pairwise", "full"])
def test_models_that_could_never_be_exported_are_not_kept(design: str, tmp_path: Path) -> None:
    (tmp_path / "modern").mkdir()
    (tmp_path / "modern" / "config.json").write_text('{"model_type": "albert", "from_scratch": true}')
    study = [design, "--domain=clinical", "--encoder=modern", *LOCAL, *SMALL, "--keep-models"]
    refused = command(*study, cwd=tmp_path)
    assert refused.returncode == 2
    assert "--keep-models: albert cannot be exported: its stock heads differ from ours" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()
