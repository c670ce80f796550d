"""A run: dev selects the epoch, test is scored once, and results contain no text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from toy_tasks import LONG, RECIPE, SIZES, TASKS

import taskaffinity.training.selection as choice_module
from taskaffinity.runs.result import RunResult
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.tasks.task import SPLITS
from taskaffinity.training import execute as execute_module
from taskaffinity.training import selection
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import execute, prepare, reason_of
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.loop import Diverged, TrainingLoop
from taskaffinity.training.model import MultiTaskModel
from taskaffinity.training.selection import copied, evaluate
from taskaffinity.training.setup import setup_run

ALL = tuple(TASKS)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def encoder(cache: Path) -> Encoder:
    return tiny_encoder(VOCABULARY, cache, layers=2, width=16)


@pytest.fixture(scope="module")
def run(cache: Path, encoder: Encoder) -> Callable[..., RunResult]:
    for recipe in (RECIPE, replace(RECIPE, protocol="paper")):
        prepare(list(TASKS.values()), encoder, recipe, cache)

    def call(*names: str, seed: int = 0, keep_predictions: bool = True, **settings: Any) -> RunResult:
        spec = RunSpec(tuple(TASKS[name].ref for name in names), encoder.ref, seed, replace(RECIPE, **settings))
        return execute(spec, encoder_folder=encoder.folder, cache=cache, keep_predictions=keep_predictions)

    call.place = cache, encoder  # type: ignore[attr-defined]
    return call


def read_splits(run: Callable[..., RunResult], name: str) -> list[EncodedSplit]:
    """Train, dev and test of a task as they lie in the cache that ``run`` reads."""
    spec = run(name, num_train_epochs=1).spec
    cache, encoder = run.place  # type: ignore[attr-defined]
    folder = cache_folder(cache, spec.tasks[0][1], encoder.ref.fingerprint, RECIPE.max_length, RECIPE.max_words)
    return [read_encoded(folder)[1][split] for split in SPLITS]


@pytest.fixture(scope="module")
def result(run: Callable[..., RunResult]) -> RunResult:
    return run(*ALL)


def test_each_target_selects_its_first_epoch_with_the_best_dev_score(result: RunResult) -> None:
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    for name, outcome in result.outcomes.items():
        scores = [row["dev"][name] for row in result.history]
        assert outcome.epoch == 1 + int(np.argmax(scores))
        assert outcome.dev == max(scores)
        assert outcome.metric == TASKS[name].metric_name


def test_with_bf16_dev_is_evaluated_in_bf16_and_test_in_fp32(run: Callable[..., RunResult], encoder: Encoder) -> None:
    result = run("sts", precision="bf16", num_train_epochs=2)
    folder = cache_folder(
        run.place[0],  # type: ignore[attr-defined]
        *(TASKS["sts"].fingerprint, encoder.ref.fingerprint, RECIPE.max_length, RECIPE.max_words),
    )
    meta, splits = read_encoded(folder)
    model = MultiTaskModel(encoder.folder, {"sts": meta}, seed=0)
    model.precision = "bf16"
    for epoch in TrainingLoop(model, {"sts": splits["train"]}, result.spec.recipe, seed=0).epochs():
        if epoch.number == result.outcomes["sts"].epoch:
            found = {}
            for model.precision in ("bf16", None):
                for split in ("dev", "test"):
                    found[model.precision, split] = evaluate(model, meta, split, splits[split], "cpu").predictions
            for split, precision, other in (("dev", "bf16", None), ("test", None, "bf16")):
                predictions = result.predictions[f"sts/{split}"]
                assert predictions == found[precision, split]
                assert predictions != found[other, split]
            model.precision = "bf16"


def test_documents_change_no_score_and_are_stored_as_numbers(cache: Path, encoder: Encoder) -> None:
    plain = TASKS["rel"]
    known = replace(plain, read=lambda split: [replace(e, document=f"d{e.id[-1]}") for e in plain.read(split)])
    prepare([known, plain], encoder, RECIPE, cache)
    places = {"encoder_folder": encoder.folder, "cache": cache}
    one, other = (execute(RunSpec((task.ref,), encoder.ref, 0, RECIPE), **places) for task in (plain, known))
    assert one.outcomes == other.outcomes
    assert one.documents == {}
    ids = other.predictions["rel/test"].ids
    first: dict[str, int] = {}
    expected = [first.setdefault(name[-1], len(first)) for name in ids]
    assert other.documents["rel/test"].tolist() == other.documents["rel/test/macro_f1"].tolist() == expected
    assert other.counts.keys() == one.counts.keys()


Scripted = Mapping[str, list[float]]


def script(monkeypatch: pytest.MonkeyPatch, scores: Scripted) -> list[str]:
    """Give these dev scores, epoch by epoch; the list fills with the tasks whose test split is evaluated."""
    tested: list[str] = []
    waiting = {name: iter(values) for name, values in scores.items()}

    def scripted(model: Any, meta: Any, split: Any, *rest: Any) -> Any:
        evaluated = evaluate(model, meta, split, *rest)
        if split == "dev":
            return evaluated._replace(score=next(waiting[meta.name]))
        tested.append(meta.name)
        return evaluated

    monkeypatch.setattr(choice_module, "evaluate", scripted)
    return tested


def test_test_is_scored_once_with_the_weights_of_each_targets_epoch(
    run: Callable[..., RunResult], encoder: Encoder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"nli": [0.1, 0.5, 0.2], "rel": [0.9, 0.1, 0.1], "sts": [0.1, 0.2, 0.3], "tag": [0.4, 0.5, 0.5]}
    tested = script(monkeypatch, scores)
    result = run(*ALL)
    assert sorted(tested) == sorted(ALL)
    assert {name: outcome.epoch for name, outcome in result.outcomes.items()} == {
        "nli": 2,
        "rel": 1,
        "sts": 3,
        "tag": 2,
    }
    folders = {
        name: cache_folder(cache, TASKS[name].fingerprint, encoder.ref.fingerprint, RECIPE.max_length, RECIPE.max_words)
        for name in ALL
    }
    read_again = {name: read_encoded(folder) for name, folder in folders.items()}
    model = MultiTaskModel(encoder.folder, {name: meta for name, (meta, _) in read_again.items()}, seed=0)
    for epoch in TrainingLoop(
        model, {name: splits["train"] for name, (_, splits) in read_again.items()}, RECIPE, seed=0
    ).epochs():
        for name, outcome in result.outcomes.items():
            meta, splits = read_again[name]
            if outcome.epoch == epoch.number:
                test = evaluate(model, meta, "test", splits["test"], "cpu")
                assert outcome.test == test.score
                np.testing.assert_array_equal(result.counts[f"{name}/test"], test.counts)
                dev = evaluate(model, meta, "dev", splits["dev"], "cpu")
                np.testing.assert_array_equal(result.counts[f"{name}/dev"], dev.counts)


@pytest.mark.parametrize("has_room", [True, False])
def test_selected_weights_are_copied_to_the_cpu_or_on_a_gpu_with_room(
    has_room: bool, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(selection, "has_room", lambda n_bytes: bool(asked.append(n_bytes)) or has_room)
    meta = TaskMeta("sts", "similarity", (), (), "pearson")
    model = MultiTaskModel(encoder.folder, {"sts": meta}, seed=0)
    before, kept = {name: value.clone() for name, value in model.state_dict().items()}, copied(model.state_dict())
    with torch.no_grad():
        for weights in model.parameters():
            weights += 1
    torch.testing.assert_close(kept, before, rtol=0, atol=0)
    model.load_state_dict(kept)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    with FakeTensorMode():  # a GPU's tensor without a GPU
        on_gpu = torch.empty(3, device="cuda")
        assert on_gpu.device.type == "cuda"
        assert asked == []
        kept = copied({"a": on_gpu, "b": on_gpu})
        assert {value.device.type for value in kept.values()} == {"cuda" if has_room else "cpu"}
        assert kept["a"] is not on_gpu
    assert asked == [24]


def test_with_patience_a_target_selects_the_same_epoch_in_multi_task_runs(
    run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs after early stopping of a task are ignored, however good; a run ends with its last task."""
    nli, tag = [0.1, 0.5, 0.4, 0.3, 0.9, 0.9, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.4]
    settings = {"num_train_epochs": 8, "early_stopping_patience": 2, "max_train_examples": 8}
    with monkeypatch.context() as patched:
        script(patched, {"nli": nli})
        alone = run("nli", **settings)
    with monkeypatch.context() as patched:
        script(patched, {"nli": nli, "tag": tag})
        pair = run("nli", "tag", **settings)
    assert alone.outcomes["nli"].epoch == pair.outcomes["nli"].epoch == 2
    assert pair.outcomes["tag"].epoch == 5
    assert [len(result.history) for result in (alone, pair)] == [4, 7]
    assert all(set(row["dev"]) == {"nli", "tag"} for row in pair.history)


def test_infinite_patience_equals_none(run: Callable[..., RunResult]) -> None:
    endless, none = run("nli", early_stopping_patience=99), run("nli")
    assert endless.outcomes == none.outcomes
    assert [row["loss"] for row in endless.history] == [row["loss"] for row in none.history]


def test_the_outcome_is_the_score_of_the_counts(result: RunResult) -> None:
    further = {"nli/test/macro_f1", "rel/test/macro_f1", "tag/test/span_f1_conlleval"}
    assert set(result.counts) == {f"{name}/{split}" for name in ALL for split in ("dev", "test")} | further
    for name, outcome in result.outcomes.items():
        for split, n, score in (("dev", 40, outcome.dev), ("test", 50, outcome.test)):
            counts = result.counts[f"{name}/{split}"]
            assert len(counts) == n
            assert float(METRICS[outcome.metric].score_examples(counts)) == score


def test_the_counts_follow_from_the_predictions(result: RunResult) -> None:
    for name in ALL:
        predictions = result.predictions[f"{name}/test"]
        kinds: dict[str, Callable[[str], Any]] = {"similarity": float, "ner": str.split}
        gold, predicted = (
            [kinds.get(TASKS[name].kind, str)(label) for label in side]
            for side in (predictions.gold, predictions.predicted)
        )
        counts = TASKS[name].metric.tally(gold, predicted, TASKS[name].scored)
        np.testing.assert_array_equal(counts, result.counts[f"{name}/test"])
        for metric in ("macro_f1", "span_f1_conlleval"):
            if (kept := result.counts.get(f"{name}/test/{metric}")) is not None:
                np.testing.assert_array_equal(METRICS[metric].tally(gold, predicted, TASKS[name].scored), kept)


def test_stored_probabilities_are_those_of_the_stored_labels(result: RunResult, tmp_path: Path) -> None:
    RunStore(tmp_path).write(result)
    table = RunStore(tmp_path).predictions(result.spec)
    assert table is not None
    rows = table.to_pandas()
    has_classes = rows.task.map(lambda name: TASKS[name].kind not in ("similarity", "ner")) & (rows.split == "test")
    assert list(rows.probabilities.notna()) == list(has_classes)
    assert set(rows[has_classes].task) == {"rel", "nli"}
    for row in rows[has_classes].itertuples():
        chances = dict(row.probabilities)
        assert set(chances) == set(TASKS[row.task].labels)
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert max(chances, key=chances.__getitem__) == row.predicted


def test_predictions_have_ids_and_no_text(result: RunResult, tmp_path: Path) -> None:
    for name in ALL:
        for split in SPLITS[1:]:
            predictions = result.predictions[f"{name}/{split}"]
            assert list(predictions.ids) == [example.id for example in TASKS[name].examples[split]]
    RunStore(tmp_path).write(result)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    written += repr(result).encode()
    words = {word for word in VOCABULARY if len(word) > 3}
    assert not [word for word in words if word.encode() in written]


def test_all_words_of_a_long_sentence_are_predicted(run: Callable[..., RunResult]) -> None:
    predictions = run("tag", num_train_epochs=8, learning_rate=1e-2).predictions["tag/test"]
    assert {len(tags.split()) for tags in (*predictions.gold, *predictions.predicted)} == {LONG}
    assert RECIPE.max_words < LONG
    tails = {tag for tags in predictions.predicted for tag in tags.split()[RECIPE.max_words :]}
    assert len(tails) > 1


def test_the_same_spec_gives_the_same_result_bit_for_bit(run: Callable[..., RunResult], result: RunResult) -> None:
    torch.manual_seed(7)
    again = run(*ALL)
    assert again.outcomes == result.outcomes
    assert again.predictions == result.predictions
    for key, counts in result.counts.items():
        np.testing.assert_array_equal(again.counts[key], counts)
    for one, other in zip(result.history, again.history, strict=True):
        assert (one["loss"], one["dev"]) == (other["loss"], other["dev"])


def test_another_seed_gives_another_result(run: Callable[..., RunResult]) -> None:
    assert run("sts", seed=1).history[0]["loss"] != run("sts").history[0]["loss"]


def test_a_target_has_as_many_updates_in_single_task_training_as_in_a_pair(run: Callable[..., RunResult]) -> None:
    steps = {names: run(*names, num_train_epochs=1).work["steps"] for names in (("nli",), ("sts",), ("nli", "sts"))}
    assert steps["nli",] == 4
    assert steps["nli", "sts"] == steps["nli",] + steps["sts",]


def test_a_cap_samples_the_same_examples_for_every_run_and_seed(run: Callable[..., RunResult]) -> None:
    caps: dict[str, Any] = {"max_train_examples": 20, "max_eval_examples": 10, "num_train_epochs": 1}
    ids = [
        list(run(*names, seed=seed, **caps).predictions["sts/test"].ids) for names, seed in ((("sts",), 0), (ALL, 5))
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == len(set(ids[0])) == 10
    assert run("sts", **caps).work["steps"] == 2
    other = run("sts", sample_seed=1, **caps)
    assert list(other.predictions["sts/test"].ids) != ids[0]


def test_dev_may_have_its_own_number_of_examples(run: Callable[..., RunResult]) -> None:
    whole, fewer = (run("sts", num_train_epochs=1, **cap) for cap in ({}, {"max_dev_examples": 7}))
    sizes = {split: len(fewer.predictions[f"sts/{split}"].ids) for split in ("dev", "test")}
    assert sizes == {"dev": 7, "test": len(whole.predictions["sts/test"].ids)}
    both = run("sts", num_train_epochs=1, max_dev_examples=7, max_eval_examples=9)
    assert [len(both.predictions[f"sts/{split}"].ids) for split in ("dev", "test")] == [7, 9]


def test_negatives_are_downsampled_only_in_training(run: Callable[..., RunResult]) -> None:
    whole, thinned = (
        run("rel", num_train_epochs=1, batch_size=2, negatives_per_positive=ratio) for ratio in (None, 0.01)
    )
    assert thinned.work["steps"] < whole.work["steps"]
    for split in ("dev", "test"):
        assert list(thinned.predictions[f"rel/{split}"].ids) == list(whole.predictions[f"rel/{split}"].ids)
    for name in ("nli", "sts", "tag"):  # without a negative class the setting changes nothing
        other = [run(name, num_train_epochs=1, negatives_per_positive=ratio).work["steps"] for ratio in (None, 0.1)]
        assert other[0] == other[1]


def test_predictions_are_stored_only_on_request(run: Callable[..., RunResult]) -> None:
    assert run("nli", num_train_epochs=1, keep_predictions=False).predictions == {}


def test_a_result_has_its_cost_and_software_versions(result: RunResult) -> None:
    assert result.versions["attention"] == "packed"
    assert result.versions["torch"] == torch.__version__
    assert result.work["total_seconds"] >= result.work["train_seconds"] + result.work["evaluate_seconds"] > 0


def test_prepare_does_not_repeat_itself(
    encoder: Encoder, cache: Path, result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the cache has it")

    monkeypatch.setattr(execute_module, "load_tokenizer", refuse)
    prepare(list(TASKS.values()), encoder, RECIPE, cache)
    with pytest.raises(AssertionError, match="the cache has it"):
        prepare([TASKS["nli"]], encoder, replace(RECIPE, max_length=16), cache)


def test_the_tiny_encoder_is_built_once_and_identified_by_its_content(
    encoder: Encoder, cache: Path, tmp_path: Path
) -> None:
    assert tiny_encoder(VOCABULARY, cache, layers=2, width=16) == encoder
    assert tiny_encoder(VOCABULARY, tmp_path, layers=2, width=16).ref == encoder.ref
    assert tiny_encoder(VOCABULARY, tmp_path, layers=2, width=32).ref != encoder.ref
    assert tiny_encoder(VOCABULARY[1:], tmp_path, layers=2, width=16).ref != encoder.ref


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Diverged("diverged: the loss of a"), "diverged: the loss of a"),
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "out of memory"),
        (RuntimeError("CUDA error: out of memory"), "out of memory"),  # of the driver, not of torch's allocator
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out of memory"),
        (KeyError("some text of a corpus"), "KeyError: see the traceback"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_has_a_plain_reason_that_quotes_no_text(error: BaseException, message: str) -> None:
    reason = reason_of(error)
    assert reason.startswith(message)
    assert "\n" not in reason
    assert "corpus" not in reason


def test_the_papers_protocol_trains_on_dev_and_scores_the_last_epoch(
    run: Callable[..., RunResult],
) -> None:
    result = run("nli", "tag", protocol="paper")
    rows = {name: [split.n_rows for split in read_splits(run, name)] for name in ("nli", "tag")}
    steps = sum(-(-(train + dev) // RECIPE.batch_size) for train, dev, _ in rows.values())
    assert result.work["steps"] == RECIPE.num_train_epochs * steps
    assert [sorted(row["dev"]) for row in result.history] == [[], [], ["nli", "tag"]]
    assert {outcome.epoch for outcome in result.outcomes.values()} == {RECIPE.num_train_epochs}


def test_the_papers_protocol_can_train_without_dev(cache: Path, encoder: Encoder) -> None:
    recipe = replace(RECIPE, protocol="paper", train_on_dev=False)
    prepare([TASKS["nli"]], encoder, recipe, cache)
    spec = RunSpec((TASKS["nli"].ref,), encoder.ref, 0, recipe)
    result = execute(spec, encoder_folder=encoder.folder, cache=cache)
    assert result.work["steps"] == RECIPE.num_train_epochs * (SIZES.train // RECIPE.batch_size)
    assert result.outcomes["nli"].epoch == RECIPE.num_train_epochs


def test_released_classes_train_every_token_and_predict_only_tags(cache: Path, encoder: Encoder) -> None:
    recipe = replace(RECIPE, protocol="paper", released_classes=True, num_train_epochs=1)
    prepare([TASKS["tag"], TASKS["nli"]], encoder, recipe, cache)
    spec = RunSpec((TASKS["nli"].ref, TASKS["tag"].ref), encoder.ref, 0, recipe)
    setup = setup_run(spec, encoder_folder=encoder.folder, cache=cache)
    trained, scored = setup.training.splits["tag"], setup.splits["test"]["tag"]
    assert len(trained.targets) == len(trained.tokens)
    assert len(scored.targets) == len(TASKS["tag"].examples["test"]) * LONG
    n_tags = len(setup.metas["tag"].outputs)
    for row in range(trained.n_rows):
        first, *inside, last = trained.targets[trained.bounds[row] : trained.bounds[row + 1]]
        assert (first, last) == (n_tags + 1, n_tags + 2)
        assert max(inside) <= n_tags
    result = execute(spec, encoder_folder=encoder.folder, cache=cache, keep_model=True)
    predicted = {tag for tags in result.predictions["tag/test"].predicted for tag in tags.split()}
    assert predicted <= set(setup.metas["tag"].outputs)
    assert set(result.heads["tag"].weights) == {"output.weight", "output.bias"}
    assert len(result.heads["tag"].weights["output.bias"]) == n_tags
    assert json.loads(result.heads["tag"].about["task"])["token_classes"] == []  # an exported model has tags alone


@pytest.mark.parametrize("protocol", [None, "paper"], ids=["honest", "paper"])
def test_a_compute_matched_run_has_as_many_steps_as_the_pair(
    protocol: str | None, run: Callable[..., RunResult], cache: Path, encoder: Encoder
) -> None:
    pair = run("nli", "tag", protocol=protocol)
    recipe = replace(RECIPE, protocol=protocol)  # type: ignore[arg-type]
    spec = RunSpec((TASKS["nli"].ref,), encoder.ref, 0, recipe, variant="matched", partner=TASKS["tag"].ref)
    matched = execute(spec, encoder_folder=encoder.folder, cache=cache)
    assert matched.work["steps"] == pair.work["steps"]
