"""The cache of encoded tasks: a damaged entry is encoded afresh, a cache that others may write is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_tasks import RECIPE, TASKS

from taskaffinity.errors import InputError
from taskaffinity.private import check_private, private_folder
from taskaffinity.runs.files import cache_folder as cache_root
from taskaffinity.runs.spec import RunSpec
from taskaffinity.training.checksums import SEAL, is_intact, seal
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.inputs.encoded_cache import read_encoded
from taskaffinity.training.inputs.tokenize import encode_examples
from taskaffinity.training.setup import encoded_folder, setup_run

VOCABULARY = tuple("abcdefgh")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with three tasks; each test has its own copy."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    prepare(
        [TASKS[name] for name in ("nli", "rel", "sts")],
        tiny_encoder(VOCABULARY, cache, layers=1, width=16),
        RECIPE,
        cache,
    )
    return cache


@pytest.fixture
def cache(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "cache"))


@pytest.fixture
def encoder(cache: Path) -> Encoder:
    return tiny_encoder(VOCABULARY, cache, layers=1, width=16)


def entry(name: str, encoder: Encoder, cache: Path) -> Path:
    return encoded_folder(cache, TASKS[name].fingerprint, encoder.ref.fingerprint, RECIPE)


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    """Change an array or a JSON file so that it parses as before."""
    if path.suffix == ".npy":
        np.save(path, change(np.load(path)))
    else:
        path.write_text(json.dumps(change(json.loads(path.read_text()))))


def exchanged(folder: Path) -> None:
    other = folder.with_name("other")
    (folder / "dev").rename(other)
    (folder / "test").rename(folder / "dev")
    other.rename(folder / "test")


def of_another_task(folder: Path) -> None:
    """A whole intact entry under the name of this one."""
    other = next(place for place in folder.parent.iterdir() if place.is_dir() and place != folder)
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def reversed_gold(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "gold": content["gold"][::-1]}


def piped(folder: Path) -> None:
    (folder / "test" / "targets.npy").unlink()
    os.mkfifo(folder / "test" / "targets.npy")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda f: (f / "train/pieces.npy").write_bytes((f / "train/pieces.npy").read_bytes()[:-8]),
    "empty": lambda f: (f / "dev/bounds.npy").write_bytes(b""),
    "splits exchanged": exchanged,
    "of another task": of_another_task,
    "gold reversed": lambda f: edit(f / "test/examples.json", reversed_gold),
    "targets reversed": lambda f: edit(f / "train/targets.npy", lambda array: array[::-1]),
    "another dtype": lambda f: edit(f / "train/pieces.npy", lambda array: array.astype(float)),
    "another task's name": lambda f: edit(f / "task.json", lambda task: {**task, "name": "other"}),
    "a file is missing": lambda f: (f / "test/word_bounds.npy").unlink(),
    "a split is missing": lambda f: shutil.rmtree(f / "dev"),
    "no seal": lambda f: (f / SEAL).unlink(),
    "seal is no JSON": lambda f: (f / SEAL).write_bytes(b"\xff[" * 9000),
    "one more file": lambda f: (f / "dev/more.npy").write_bytes(b"x"),
    "a pipe": piped,
    "a file": lambda f: (shutil.rmtree(f), f.write_text("x")),
    "a link": lambda f: (f.rename(f.with_name("x")), f.symlink_to(f.with_name("x"))),
    "nothing": lambda f: shutil.rmtree(f),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_task_is_refused_by_a_run_and_encoded_afresh_by_a_command(
    damage: str, encoder: Encoder, cache: Path, tokenizer: Any
) -> None:
    folder = entry("nli", encoder, cache)
    content = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    DAMAGE[damage](folder)
    with pytest.raises(InputError, match=r"damaged task of the cache; repeat the command") as error:
        read_encoded(folder)
    assert "\n" not in str(error.value)
    prepare([TASKS["nli"]], encoder, RECIPE, cache)
    assert content == {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not folder.is_symlink()
    meta, splits = read_encoded(folder)
    assert meta.name == "nli"
    # the second way: the examples themselves
    fresh = encode_examples(TASKS["nli"].examples["test"], tokenizer, meta, 32, 30, is_train=False)
    assert splits["test"].gold == fresh.gold
    assert splits["test"].targets.tolist() == [meta.outputs.index(e.label) for e in TASKS["nli"].examples["test"]]


@pytest.mark.parametrize(
    ("task", "change", "found"),
    [
        ("nli", {"gold": [1]}, "gold.0 is 1; expected a valid string"),
        ("nli", {"ids": "x"}, "ids is 'x'; expected a valid array"),
        ("nli", {"more": []}, "unknown key more"),
        ("nli", {"documents": []}, "lists of other lengths than"),
        ("sts", {"gold": ["high"]}, "gold.0"),
    ],
)
def test_a_sealed_entry_of_another_version_is_refused(
    task: str, change: dict[str, Any], found: str, encoder: Encoder, cache: Path
) -> None:
    folder = entry(task, encoder, cache)
    edit(folder / "test/examples.json", lambda content: {**content, **change})
    seal(folder, folder.name)
    with pytest.raises(InputError) as error:
        read_encoded(folder)
    assert f"{folder}/test/examples.json: {found}" in str(error.value)
    assert str(error.value).endswith(f"; delete {folder}, and the same command encodes the task afresh")


def test_every_changed_byte_of_an_entry_is_seen(encoder: Encoder, cache: Path) -> None:
    folder = entry("sts", encoder, cache)
    rng = np.random.default_rng(0)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        before = path.read_bytes()
        place = int(rng.integers(len(before)))
        path.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
        assert not is_intact(folder), path
        path.write_bytes(before)
        assert is_intact(folder)


def test_an_entry_is_hashed_once_by_a_process(encoder: Encoder, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    folder = entry("sts", encoder, cache)
    hashed: list[str] = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, how: (hashed.append(file.name), digest(file, how))[1])
    for _ in range(3):
        read_encoded(folder)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != SEAL]
    assert sorted(hashed) == sorted(map(str, files))


def test_the_hashes_of_an_entry_are_written_last_and_flushed(
    encoder: Encoder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = entry("nli", encoder, cache)
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)
    first: list[tuple[str, set[str]]] = []
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        first.append((path.name, {other.name for other in path.parent.rglob("*") if other.is_file()}))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    prepare([TASKS["nli"]], encoder, RECIPE, cache)
    assert first[0] == (SEAL, files)  # before the folder gets its name


def test_a_sealed_folder_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("x")
    seal(tmp_path / "a", "a")
    assert is_intact(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert not is_intact(tmp_path / "b")


def test_a_damaged_tiny_encoder_is_made_again_and_one_of_an_older_version_is_kept(
    encoder: Encoder, cache: Path
) -> None:
    (encoder.folder / SEAL).unlink()  # as earlier versions wrote it
    (encoder.folder / "config.json").write_text((encoder.folder / "config.json").read_text() + "\n")
    older = tiny_encoder(VOCABULARY, cache, layers=1, width=16)
    assert older.ref != encoder.ref
    (encoder.folder / "vocab.txt").unlink(missing_ok=True)
    (encoder.folder / "config.json").write_text("{")
    assert tiny_encoder(VOCABULARY, cache, layers=1, width=16) == encoder


@pytest.mark.parametrize("below", ["", "encoded"])
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_cache_that_others_may_write_is_refused(
    mode: int, below: str, encoder: Encoder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunSpec((TASKS["sts"].ref,), encoder.ref, 0, replace(RECIPE, num_train_epochs=1))
    (cache / below).chmod(mode)
    for use in (
        lambda: prepare([TASKS["sts"]], encoder, RECIPE, cache),
        lambda: setup_run(spec, encoder_folder=encoder.folder, cache=cache),
    ):
        with pytest.raises(InputError, match=r"other users may write to this cache .* run `chmod -R go-w ") as error:
            use()
        assert "\n" not in str(error.value)
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(cache / below))
    with pytest.raises(InputError, match="other users may write"):
        cache_root()
    (cache / below).chmod(0o755)
    prepare([TASKS["sts"]], encoder, RECIPE, cache)


def test_a_cache_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_private(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(InputError, match=r"another user owns this cache .* set TASKAFFINITY_CACHE to a folder of your"):
        check_private(tmp_path)
    check_private(tmp_path / "missing")


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_a_new_cache_is_private_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        cache = tmp_path / "new" / "cache"
        encoder = tiny_encoder(VOCABULARY, cache, layers=1, width=16)
        prepare([TASKS["sts"]], encoder, RECIPE, cache)
        private_folder(cache / "precision")
    finally:
        os.umask(before)
    folders = [path for path in (tmp_path / "new").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new", *folders)} == {0o700}
