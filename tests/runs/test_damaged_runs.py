"""A damaged run is one line that names it and the way out, and never a number."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.result import Head, Outcome, Predictions, RunResult
from taskaffinity.runs.spec import EncoderRef, RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.stored.run_result import DamagedRun
from taskaffinity.tasks.metrics import METRICS

Arrays = dict[str, npt.NDArray[Any]]

SPEC = RunSpec((("a", "f1"), ("b", "f2"), ("c", "f3")), EncoderRef("tiny", "e1"), 0, Recipe())
LABELS = ("x", "y")
METRIC = {"a": "accuracy", "b": "pearson", "c": "micro_f1"}


def invented(spec: RunSpec, n: int = 12) -> RunResult:
    """A run with every kind of file; its scores are computed here, not by the code that is tested."""
    rng = np.random.default_rng(spec.seed)
    counts: Arrays = {}
    scores: dict[str, dict[str, float]] = {}
    for split, size in (("test", n), ("dev", n - 4)):
        gold, said = rng.choice(["x", "y", "none"], size), rng.choice(["x", "y", "none"], size)
        values, guesses = rng.normal(2, 1, size), rng.normal(2, 1, size)
        counts[f"a/{split}"] = np.stack([gold == said, gold == gold], axis=1).astype(float)
        counts[f"b/{split}"] = METRICS["pearson"].tally(values, guesses, ())
        counts[f"c/{split}"] = METRICS["micro_f1"].tally(gold, said, LABELS)
        right = np.isin(gold, LABELS) & (gold == said)
        scores[split] = {
            "a": float((gold == said).mean()),
            "b": float(np.corrcoef(values, guesses)[0, 1]),
            "c": 2 * right.sum() / (np.isin(gold, LABELS).sum() + np.isin(said, LABELS).sum()),
        }
        if split == "test":
            counts["c/test/macro_f1"] = METRICS["macro_f1"].tally(gold, said, LABELS)
    history = [
        {"epoch": 1, "loss": dict.fromkeys("abc", 0.75), "dev": dict.fromkeys("abc", -0.5)},
        {"epoch": 2, "loss": dict.fromkeys("abc", 0.5), "dev": scores["dev"]},
    ]
    return RunResult(
        spec,
        {name: Outcome(METRIC[name], 2, scores["dev"][name], scores["test"][name]) for name in "abc"},
        counts,
        history,
        {"total_seconds": 1.5, "steps": 12},
        {"torch": "2"},
        {"a/test": Predictions(["a.1"], ["x"], ["y"])},
        {2: {"encoder.w": np.full(3, spec.seed, dtype=np.float32)}},
        {"a": Head({"w": np.full(3, spec.seed, dtype=np.float32)}, {"task": "{}"})},
        {"a/test": np.array([0, 0, 1, *range(2, n - 1)])},
    )


RESULT = invented(SPEC)
OTHER = invented(replace(SPEC, seed=1))


@pytest.fixture(scope="module", params=["with checksums", "of an older version, without checksums"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two whole runs, of which every test damages a copy."""
    store = RunStore(tmp_path_factory.mktemp("written"))
    for result in (RESULT, OTHER):
        store.write(result)
        if request.param != "with checksums":
            documents = {f"documents:{key}": numbers for key, numbers in result.documents.items()}
            np.savez_compressed(store.folder(result.spec) / "counts.npz", **result.counts, **documents)
            change_json(store.folder(result.spec) / "result.json", lambda content: content.pop("sha256"))
    assert store.read(SPEC).outcomes == RESULT.outcomes
    return store.root


@pytest.fixture
def store(written: Path, tmp_path: Path) -> RunStore:
    return RunStore(shutil.copytree(written, tmp_path / "copy", copy_function=shutil.copyfile))


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def refused(store: RunStore, spec: RunSpec = SPEC) -> str:
    """The line of a refusal; every law on it is checked here."""
    with pytest.raises(DamagedRun) as caught:
        store.read(spec)
    line = str(caught.value)
    assert spec.run_id in line
    assert "delete its folder, and the same command trains it again" in line
    assert line.isprintable()
    assert len(line) < 500 + len(str(store.root))
    return line


def scaled(key: str, by: float) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.update({key: arrays[key] * by})


def put(key: str, place: tuple[int, int], value: float) -> Callable[[Arrays], object]:
    def change(arrays: Arrays) -> None:
        arrays[key] = arrays[key].copy()
        arrays[key][place] = value

    return change


def column_less(key: str) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.update({key: arrays[key][:, :-1]})


def without(key: str) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.pop(key)


def swap(one: str, other: str) -> Callable[[Arrays], object]:
    return lambda arrays: arrays.update({one: arrays[other], other: arrays[one]})


COUNTS: Mapping[str, Callable[[Arrays], object]] = {
    **{f"{value} in {key}": put(key, (0, 0), value) for key in RESULT.counts for value in (np.nan, np.inf, -1.0, 0.5)},
    **{f"no {key}": without(key) for key in RESULT.counts if "macro" not in key},
    **{
        f"{key} by the column": lambda arrays, key=key: arrays.update({key: arrays[key][:, :-1]})
        for key in RESULT.counts
    },
    **{f"{key} times 2": scaled(key, 2.0) for key in RESULT.counts},
    **{
        f"{key} in float32": lambda arrays, key=key: arrays.update({key: arrays[key].astype("f4")})
        for key in ("a/test",)
    },
    "nothing": lambda arrays: arrays.clear(),
    "numbers in a row": lambda arrays: arrays.update({"a/test": arrays["a/test"].ravel()}),
    "no example": lambda arrays: arrays.update({"a/test": arrays["a/test"][:0]}),
    "a number": lambda arrays: arrays.update({"a/test": np.array(1.0)}),
    "one more right": lambda arrays: put("a/test", (int(arrays["a/test"][:, 0].argmin()), 0), 1.0)(arrays),
    "dev in the place of test": swap("a/test", "a/dev"),
    "another task's": swap("a/test", "c/test"),
    "macro-F1 of other predictions": put("c/test/macro_f1", (0, 1), 3.0),
    "a key too many": lambda arrays: arrays.update({"d/test": arrays["a/test"]}),
    "a metric that is none": lambda arrays: arrays.update({"a/test/nothing": arrays["a/test"]}),
    "documents of too few": lambda arrays: arrays.update({"documents:a/test": np.array([0, 0])}),
    "documents with a gap": lambda arrays: arrays.update({"documents:a/test": np.array([0, 0, 5, *range(2, 11)]) + 7}),
    "documents before 0": lambda arrays: arrays.update({"documents:a/test": np.array([-1, 0, 1, *range(2, 11)])}),
    "documents of nothing": lambda arrays: arrays.update({"documents:x/test": np.array([0, 0])}),
    "an object": lambda arrays: arrays.update({"a/test": np.array([{}], dtype=object)}),
    "texts": lambda arrays: arrays.update({"a/test": np.array([["x"]])}),
}


@pytest.mark.parametrize("what", COUNTS)
def test_counts_that_cannot_be_are_refused(store: RunStore, what: str) -> None:
    path = store.folder(SPEC) / "counts.npz"
    with np.load(path) as stored:
        arrays = {key: stored[key] if key.startswith("documents") else stored[key].astype(float) for key in stored}
    COUNTS[what](arrays)
    np.savez_compressed(path, **arrays)
    assert "counts.npz" in refused(store)


COMPACT: Mapping[str, Callable[[Arrays], object]] = {
    **{f"{key} by 1": put(key, (0, 0), 2) for key in RESULT.counts if not key.startswith("b/")},
    "no example counted": put("a/test", (0, 1), 0),
    **{
        f"in {dtype}": lambda arrays, dtype=dtype: arrays.update({"a/test": arrays["a/test"].astype(dtype)})
        for dtype in ("int8", "uint32", "uint64", "bool", ">u2", ">f8", "float16")
    },
    **{f"{key} by the column": column_less(key) for key in RESULT.counts},
    "numbers in a row": lambda arrays: arrays.update({"a/test": arrays["a/test"].ravel()}),
    "no example": lambda arrays: arrays.update({"a/test": arrays["a/test"][:0]}),
    "documents in one byte": lambda arrays: arrays.update(
        {"documents:a/test": arrays["documents:a/test"].astype("u1")}
    ),
}


@pytest.mark.parametrize("what", COMPACT)
def test_counts_in_one_byte_that_cannot_be_are_refused(tmp_path: Path, what: str) -> None:
    store = RunStore(tmp_path)
    store.write(RESULT)
    path = store.folder(SPEC) / "counts.npz"
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    assert {key: str(array.dtype) for key, array in arrays.items() if "/" in key and key[0] in "ac"} == {
        key: "uint8" for key in RESULT.counts if key[0] in "ac"
    }
    COMPACT[what](arrays)
    np.savez_compressed(path, **arrays)
    change_json(store.folder(SPEC) / "result.json", lambda content: content.pop("sha256"))
    assert "counts.npz" in refused(store)


def test_whole_scores_for_pearson_are_read_as_they_were_written(tmp_path: Path) -> None:
    spec = RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), 0, Recipe())
    gold, said = np.array([40.0, 20, 30, 0]), np.array([30.0, 20, 40, 10])
    moments = np.stack([gold**0, gold, said, gold**2, said**2, gold * said], axis=1)
    score = float(np.corrcoef(gold, said)[0, 1])
    RunStore(tmp_path).write(RunResult(spec, {"a": Outcome("pearson", 1, score, score)}, {"a/test": moments}))
    assert np.array_equal(RunStore(tmp_path).read(spec).counts["a/test"], moments)


def set_in(content: Any, place: str, value: object) -> None:
    *parents, last = place.split(".")
    for name in parents:
        content = content[name]
    content[last] = value


LONG = "x" * 200_000
VALUES = (None, True, -1, 1e400, "0", "", LONG, [], {}, {LONG: 1}, "../../x", "\x1b[2J", 10**30)
RESULT_JSON = (
    *("run_id", "outcomes", "outcomes.a", "outcomes.a.x", "work", "work.steps", "versions", "versions.torch", "new"),
    *(f"outcomes.a.{key}" for key in ("metric", "epoch", "dev", "test")),
)


def test_an_epoch_that_no_run_has_is_refused_before_it_names_a_file(store: RunStore) -> None:
    """The history, which contradicts it, is not read if a task's weights are asked for."""
    change_json(store.folder(SPEC) / "result.json", lambda content: set_in(content, "outcomes.a.epoch", 10**400))
    with pytest.raises(ValueError, match=r"outcomes\.a\.epoch is a number of more than 40 digits; expected less than"):
        store.weights(SPEC, "a")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("place", RESULT_JSON)
def test_a_wrong_value_in_a_result_is_refused(store: RunStore, place: str, value: object) -> None:
    if place in ("work", "versions") and isinstance(value, dict) and (place == "work" or not value):
        pytest.skip("a result may say nothing about them, or more")
    if place == "versions.torch" and isinstance(value, str):
        pytest.skip("a version may be any text")
    if place == "work.steps" and value in (10**30,):
        pytest.skip("a large number of steps is one")
    change_json(store.folder(SPEC) / "result.json", lambda content: set_in(content, place, value))
    refused(store)


@pytest.mark.parametrize("key", ["run_id", "outcomes", "work", "versions"])
def test_a_result_without_a_key_is_refused(store: RunStore, key: str) -> None:
    change_json(store.folder(SPEC) / "result.json", lambda content: content.pop(key))
    assert f"no {key} in it" in refused(store)


@pytest.mark.parametrize("key", ["dev", "test"])
def test_a_score_that_the_counts_do_not_give_is_refused(store: RunStore, key: str) -> None:
    path = store.folder(SPEC) / "result.json"
    is_new = b"sha256" in path.read_bytes()
    change_json(path, lambda content: set_in(content, f"outcomes.b.{key}", 0.987654))
    assert ("its own checksum differs" if is_new else "0.987654") in refused(store)


POSSIBLE: Mapping[str, Callable[[Any], object]] = {
    "a score in its 8th digit": lambda content: set_in(
        content, "outcomes.b.test", content["outcomes"]["b"]["test"] + 1e-8
    ),
    "more steps": lambda content: set_in(content, "work.steps", 13),
    "another version": lambda content: set_in(content, "versions.torch", "3"),
    "no checksum of the history": lambda content: content["sha256"].pop("history.jsonl"),
    "written again by another program": lambda content: None,
}


@pytest.mark.parametrize("what", POSSIBLE)
def test_what_is_possible_and_was_not_written_is_seen_by_the_checksum_of_the_result(what: str, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(RESULT)
    change_json(store.folder(SPEC) / "result.json", POSSIBLE[what])
    assert "result.json: not the file that was written: its own checksum differs" in refused(store)


def test_another_epoch_with_the_same_score_is_seen_by_the_checksum_of_the_result(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "dev": {name: RESULT.outcomes[name].dev for name in "abc"}} for epoch in (1, 2)]
    store = RunStore(tmp_path)
    store.write(replace(RESULT, history=rows))
    assert store.read(SPEC).outcomes["a"].epoch == 2
    change_json(store.folder(SPEC) / "result.json", lambda content: set_in(content, "outcomes.a.epoch", 1))
    refused(RunStore(tmp_path))


SPEC_JSON = (
    "tasks",
    "encoder",
    "encoder.fingerprint",
    "seed",
    "recipe",
    "recipe.batch_size",
    "parent",
    "variant",
    "new",
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("place", SPEC_JSON)
def test_a_wrong_value_in_a_spec_is_refused(store: RunStore, place: str, value: object) -> None:
    if place == "parent" and value is None:
        pytest.skip("as it was")
    if place == "recipe" and value == {}:
        pytest.skip("the default recipe")
    change_json(store.folder(SPEC) / "spec.json", lambda content: set_in(content, place, value))
    refused(store)


HISTORY: Mapping[str, str] = {
    "no object": "[1]\n",
    "a text": '{"epoch": "1"}\n',
    "not finite": '{"epoch": 1, "loss": {"a": NaN}}\n{"epoch": 2}\n',
    "a score of 2": '{"epoch": 1, "dev": {"a": 2.0}}\n{"epoch": 2}\n',
    "numbered from 0": '{"epoch": 0}\n{"epoch": 1}\n',
    "an epoch too few": '{"epoch": 1}\n',
    "another score": '{"epoch": 1}\n{"epoch": 2, "dev": {"b": 0.987}}\n',
    "cut": '{"epoch": 1}\n{"epoch": 2, "de',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("what", HISTORY)
def test_a_wrong_history_is_refused(store: RunStore, what: str) -> None:
    (store.folder(SPEC) / "history.jsonl").write_text(HISTORY[what], encoding="utf-8")
    assert "history.jsonl" in refused(store)


@pytest.mark.parametrize("file", ["result.json", "spec.json", "counts.npz"])
def test_a_file_of_another_run_is_refused(store: RunStore, file: str) -> None:
    shutil.copy(store.folder(OTHER.spec) / file, store.folder(SPEC) / file)
    refused(store)


def test_the_folder_of_another_run_is_refused(store: RunStore) -> None:
    shutil.rmtree(store.folder(SPEC))
    store.folder(OTHER.spec).rename(store.folder(SPEC))
    assert OTHER.spec.run_id in refused(store)


BYTES: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut in half": lambda content: content[: len(content) // 2],
    "not UTF-8": lambda content: b"\xff\xfe" + content,
    "zeros": lambda content: bytes(len(content)),
    "another file": lambda content: b"PK\x03\x04 nothing",
    "a bit flipped": lambda content: content[:60] + bytes([content[60] ^ 4]) + content[61:],
}


@pytest.mark.parametrize("file", ["result.json", "spec.json", "history.jsonl", "counts.npz"])
@pytest.mark.parametrize("what", BYTES)
def test_broken_bytes_are_refused(store: RunStore, file: str, what: str) -> None:
    path = store.folder(SPEC) / file
    is_new = b"sha256" in (store.folder(SPEC) / "result.json").read_bytes()
    path.write_bytes(BYTES[what](path.read_bytes()))
    if file == "counts.npz" and not is_new and what == "not UTF-8":
        pytest.skip("bytes before an archive change nothing in it")
    if file == "history.jsonl" and not is_new and what in ("empty", "a bit flipped"):
        pytest.skip("an older history may be empty; a loss cannot be computed again")
    refused(store)


@pytest.mark.parametrize("file", ["spec.json", "history.jsonl", "counts.npz"])
def test_a_missing_file_is_refused(store: RunStore, file: str) -> None:
    (store.folder(SPEC) / file).unlink()
    assert f"{file}: missing" in refused(store)
    (store.folder(SPEC) / file).mkdir()
    assert f"{file}: not a file" in refused(store)


def test_every_flipped_bit_of_counts_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(RESULT)
    path = store.folder(SPEC) / "counts.npz"
    content = path.read_bytes()
    for place in np.random.default_rng(0).choice(len(content), 60, replace=False):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        refused(RunStore(tmp_path))


def test_a_zip_that_unpacks_to_more_than_memory_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write(RESULT)
    change_json(store.folder(SPEC) / "result.json", lambda content: content.pop("sha256"))
    path, stream = store.folder(SPEC) / "counts.npz", io.BytesIO()
    np.savez_compressed(stream, **{"a/test": np.zeros((4, 2))})
    entry = stream.getvalue()
    sized = entry.replace((192).to_bytes(4, "little"), (2**32 - 2).to_bytes(4, "little"))
    assert sized != entry
    path.write_bytes(sized)
    refused(store)


@pytest.mark.parametrize("name", ["predictions.parquet", "model/epoch-2.safetensors", "model/head-a.safetensors"])
def test_files_that_cannot_be_computed_again_are_compared_with_their_checksums(tmp_path: Path, name: str) -> None:
    store = RunStore(tmp_path)
    for result in (RESULT, OTHER):
        store.write(result)
    path = store.folder(SPEC) / name
    store.check_file(SPEC, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedRun, match="not the file that was written") as caught:
        store.check_file(SPEC, path)
    assert str(path) in str(caught.value)


def test_predictions_are_read_or_refused(store: RunStore) -> None:
    path = store.folder(SPEC) / "predictions.parquet"
    table = store.predictions(SPEC)
    assert table is not None
    row = {"task": "a", "split": "test", "id": "a.1", "gold": "x", "predicted": "y"}
    assert table.to_pylist() == [row | {"probabilities": None}]
    content = path.read_bytes()
    for broken in (b"", content[:40], b"PAR1" + content, bytes(len(content))):
        path.write_bytes(broken)
        with pytest.raises(DamagedRun, match=r"predictions\.parquet.*delete its folder"):
            store.predictions(SPEC)
    path.unlink()
    assert store.predictions(SPEC) is None


def test_counts_are_read_as_they_were_written(tmp_path: Path) -> None:
    spec, many = RunSpec((("a", "f1"),), EncoderRef("tiny", "e1"), 0, Recipe()), float(2**16 - 1)
    for counts in ([[1.0, 0, 255]], [[256.0, 0, 1]], [[many, 0, 1]]):
        arrays = {"a/test": np.array(counts), "a/dev": np.zeros((0, 3))}
        score = 2 * counts[0][0] / (2 * counts[0][0] + counts[0][2])
        RunStore(tmp_path).write(RunResult(spec, {"a": Outcome("span_f1", 1, 0.0, score)}, arrays))
        found = RunStore(tmp_path).read(spec).counts
        assert {key: array.tolist() for key, array in found.items()} == {"a/test": counts, "a/dev": []}
        assert {array.dtype for array in found.values()} == {np.dtype("float64")}
