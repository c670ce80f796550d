"""Long texts from a suite to an exported model: the run, ``predict`` and the model card say and do the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from long_texts import encoder_of, texts
from transformers import AutoTokenizer

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import best_model
from taskaffinity.runs.recipe import FROM_SCRATCH, PAPER_REFINE
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.tasks.reading import Reading
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.training.encoders.load import Encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export.export import export
from taskaffinity.training.export.predictor import Predictor
from taskaffinity.training.frozen import FrozenModels

ROWS = {split: texts(split, n, 40, 16) for split, n in (("train", 32), ("dev", 16), ("test", 16))}
CLASSES = {split: [{key: row[key] for key in ("id", "text", "label")} for row in rows] for split, rows in ROWS.items()}
TAGS = {split: [{key: row[key] for key in ("id", "words", "tags")} for row in rows] for split, rows in ROWS.items()}
WINDOWS = {"long": "windows", "max_length": 16}
SUITE = Suite.from_datasets(
    {
        "class": (CLASSES, {}, {**WINDOWS, "pool": "max"}),
        "mentions": (TAGS, {}, {**WINDOWS, "max_words": "none", "stride": 5}),
    }
)
RECIPE = replace(FROM_SCRATCH, num_train_epochs=10, batch_size=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoder, RunResult]:
    root = tmp_path_factory.mktemp("long")
    encoder = encoder_of(root / "encoder", 128)
    prepare(SUITE.tasks, encoder, RECIPE, root)
    spec = RunSpec(tuple(sorted(task.ref for task in SUITE)), encoder.ref, 0, RECIPE)
    result = execute(spec, encoder_folder=encoder.folder, cache=root, keep_model=True)
    cards = tuple(
        StudiedTask(t.name, t.title, t.kind, t.metric_name, t.fingerprint, {"train": 32}, reading=t.reading)
        for t in SUITE
    )
    Study("mine", cards, encoder.ref, RECIPE, (0,), full=True).write(root / "results")
    RunStore(root / "results").write(result)
    return root, encoder, result


@pytest.mark.parametrize("name", ["class", "mentions"])
@pytest.mark.slow
def test_predict_reads_the_windows_of_the_run(name: str, trained: tuple[Path, Encoder, RunResult]) -> None:
    root, encoder, result = trained
    export(best_model(root / "results", name, result.spec.run_id), root / name, str(encoder.folder))
    predictor = Predictor(root / name)
    rows = [
        Unlabelled(n, 0, text="" if name == "mentions" else row["text"], words=tuple(row["words"]) * (name != "class"))
        for n, row in enumerate(ROWS["test"], start=1)
    ]
    found = [said for _, said in predictor.predict(rows)]
    expected = result.predictions[f"{name}/test"].predicted
    said = [one["label"] if name == "class" else " ".join(one["tags"]) for one in found]
    assert said == list(expected)
    assert len(set(said)) > 1
    stored = result.predictions[f"{name}/test"].probabilities
    assert (stored is not None) == (name == "class")
    for one, row in zip(found, () if stored is None else stored, strict=stored is not None):
        assert list(one["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-5)  # by the stock model
    predictor.meta = replace(predictor.meta, reading=Reading(max_length=16, max_words=predictor.meta.reading.max_words))
    cut = [one for _, one in predictor.predict(rows)]
    assert cut != found
    if name == "mentions":
        assert all(one["tags"][14:] == ["O"] * 26 for one in cut)  # 14 words and two special tokens
    assert AutoTokenizer.from_pretrained(root / name).model_max_length == 16
    card = (root / name / "README.md").read_text()
    assert "reads longer texts as in training: windows of 16 tokens, each" in card
    assert "A stock model reads no windows: it sees the first 16 tokens" in card
    assert ("max of their outputs" if name == "class" else "5 tokens after the one before") in card
    assert Study.load(root / "results").tasks[0].reading == SUITE["class"].reading


@pytest.mark.slow
def test_a_frozen_model_has_one_state_for_each_long_text(trained: tuple[Path, Encoder, RunResult]) -> None:
    root, encoder, _ = trained
    spec = RunSpec((SUITE["class"].ref,), encoder.ref, 0, RECIPE)
    states, targets = FrozenModels(encoder.folder, root).states(spec)
    assert states.shape == (32, 32)
    assert sorted(targets.tolist()) == [0.0] * 16 + [1.0] * 16


@pytest.mark.slow
def test_a_length_beyond_the_encoder_and_a_setting_that_does_not_fit_are_refused(
    trained: tuple[Path, Encoder, RunResult], tmp_path: Path
) -> None:
    _, encoder, _ = trained
    longer = replace(SUITE["class"], reading=Reading(max_length=129))
    with pytest.raises(InputError, match=r"^task class: max_length: 129: the encoder has 128 positions$"):
        prepare([longer], encoder, RECIPE, tmp_path)
    with pytest.raises(InputError, match=r"^task mentions: long: windows: released_classes gives every token a class"):
        prepare(SUITE.tasks, encoder, replace(PAPER_REFINE, released_classes=True), tmp_path)
