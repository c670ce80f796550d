"""``doctor`` says what is here and what is missing, and fails where the synthetic suite could not be trained."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskaffinity.cli import app, doctor
from taskaffinity.tasks.catalog import LISTED
from taskaffinity.tasks.formats import CARD
from taskaffinity.tasks.task import SPLITS


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))


def examine(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    return done.exit_code, done.output


def test_a_bare_machine_is_ready_for_synthetic_text_and_doctor_says_what_else_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file").write_bytes(bytes(3 * 2**20))
    code, printed = examine()
    assert code == 0
    for name in ("python", "torch", "transformers", "ray", "CPU cores", "memory", "GPUs", "model hub", "cache"):
        assert f"\n{name} " in f"\n{printed}"
    assert metadata.version("ray") in printed
    assert "3.0 MiB" in printed
    assert "offline (HF_HUB_OFFLINE is set)" in printed
    assert "synthetic text replaces it" in printed
    assert "missing: encoder bluebert-pm, the default of clinical, open-clinical" in printed
    assert (
        "bc5cdr-disease, bc5cdr-chemical, of biomedical and blue: taskaffinity data fetch bc5cdr --out data\n"
        in printed
    )
    assert "then taskaffinity data prepare mednli --raw DIR --out data\n" in printed
    assert printed.endswith("ready: taskaffinity pairwise --domain clinical\n")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize("how", ["option", "variable", "here"])
def test_data_are_found_where_they_are_and_make_suites_runnable(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("data" if how == "here" else "elsewhere")
    for task in LISTED["biomedical"]:
        (folder / task.name).mkdir(parents=True)
        for name in (CARD, *(f"{split}.jsonl" for split in SPLITS)):
            (folder / task.name / name).write_text("{}")
    if how == "variable":
        monkeypatch.setenv("TASKAFFINITY_DATA", str(folder))
    code, printed = examine(*(["--data", str(folder)] if how == "option" else []))
    assert code == 0
    rows = {line.partition(" ")[0]: line for line in printed.splitlines()}
    assert "4 of 4 tasks in" in rows["biomedical"]
    assert "cannot" not in rows["biomedical"]
    assert "4 of 8 tasks in" in rows["blue"]
    assert "it cannot be trained" in rows["blue"]
    assert "fetch bc5cdr" not in printed


def test_a_library_that_is_missing_or_too_old_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "ray":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else real(name)

    [lowest] = [line.removeprefix("numpy") for line in metadata.requires("taskaffinity") or () if "numpy" in line]
    monkeypatch.setattr(doctor.metadata, "version", version)
    code, printed = examine()
    assert code == 1
    assert "BROKEN: ray is not installed, expected >=" in printed
    assert f"BROKEN: numpy is 1.0, expected {lowest}: pip install" in printed
    assert "2 of these must be fixed" in printed
    assert "ready" not in printed


def test_a_torch_that_does_not_load_is_broken_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "taskaffinity.training.profile.hardware", None)
    code, printed = examine()
    assert code == 1
    assert "BROKEN: torch or transformers does not load" in printed
    assert "Traceback" not in printed


def test_a_folder_that_cannot_be_written_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_can_write", lambda folder: False)
    code, printed = examine()
    assert code == 1
    assert "export TASKAFFINITY_CACHE=FOLDER" in printed
    assert "give --results FOLDER" in printed


def test_an_encoder_in_the_hubs_cache_is_found_if_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def snapshot_download(name: str, *, local_files_only: bool) -> str:
        assert local_files_only
        asked.append(name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    (tmp_path / "config.json").write_text("{}")
    assert "encoder bluebert-p, the default of biomedical, blue" in examine()[1]  # without weights
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert "the default of" not in examine()[1]
    assert set(asked) == {
        "bionlp/bluebert_pubmed_uncased_L-12_H-768_A-12",
        "bionlp/bluebert_pubmed_mimic_uncased_L-12_H-768_A-12",
    }
