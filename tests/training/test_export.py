"""An exported model gives the same outputs in transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from toy_tasks import RECIPE, TASKS
from transformers import BertTokenizer, PreTrainedTokenizerFast, RobertaTokenizerFast, pipeline

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import BestModel, best_model
from taskaffinity.runs.plan import single_task_runs
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import StudiedTask, Study
from taskaffinity.tasks.metrics import METRICS
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.training.checkpoint import load_head, load_shared_weights
from taskaffinity.training.encoders.load import Encoder, find_encoder
from taskaffinity.training.execute import execute, prepare
from taskaffinity.training.export import predictor as predictor_module
from taskaffinity.training.export.export import _stock, export
from taskaffinity.training.export.model_card import _scores, model_card
from taskaffinity.training.export.predictor import Predictor
from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import task_meta
from taskaffinity.training.inputs.encoded_cache import cache_folder, read_encoded
from taskaffinity.training.model import MultiTaskModel

MakeEncoder = Callable[..., Path]
ARCHITECTURES = ("bert", "bert without pooler", "roberta", "distilbert", "electra", "deberta-v2", "modernbert")
PAIRED = ("nli", "sts", "rel", "tag")


def with_tokenizer(architecture: str, make_encoder: MakeEncoder) -> Path:
    """A random encoder whose tokenizer knows the planted words; of RoBERTa, tokens of bytes."""
    tokenizer: PreTrainedTokenizerFast
    if architecture == "roberta":
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        learned = ByteLevelBPETokenizer()
        letters = sorted({word[0] for word in VOCABULARY} | {"."})  # no token is a blank alone
        text = " " + " ".join([*letters, *VOCABULARY[::2]])
        learned.train_from_iterator([text, text], vocab_size=2000, special_tokens=special)
        content = json.loads(learned.to_str())["model"]
        merges = [tuple(merge) for merge in content["merges"]]
        tokenizer = RobertaTokenizerFast(vocab=content["vocab"], merges=merges, add_prefix_space=True)
        ends: dict[str, int] = {"bos_token_id": 0, "eos_token_id": 2}
    else:
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *VOCABULARY[::2]]
        letters = sorted({letter for word in VOCABULARY for letter in word})
        tokens = list(dict.fromkeys([*tokens, *letters, *(f"##{letter}" for letter in letters)]))
        tokenizer, ends = BertTokenizer({token: i for i, token in enumerate(tokens)}, do_lower_case=True), {}
    kind, _, lacks_pooler = architecture.partition(" ")
    folder = make_encoder(kind, "BertForMaskedLM" if lacks_pooler else "", vocab_size=len(tokenizer), **ends)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(
    scope="module",
    params=[pytest.param(one, marks=[] if one in ("bert", "roberta") else pytest.mark.slow) for one in ARCHITECTURES],
)
def trained(request: Any, make_encoder: MakeEncoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoder]:
    """A results folder with a run of all four kinds whose models were kept, and the encoder that it started from."""
    root, cache = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("cache")
    encoder = find_encoder(str(with_tokenizer(request.param, make_encoder)))
    recipe = replace(RECIPE, num_train_epochs=2)
    prepare(list(TASKS.values()), encoder, recipe, cache)
    cards = tuple(StudiedTask(t.name, t.title, t.kind, t.metric_name, t.fingerprint, {}) for t in TASKS.values())
    study = Study("toys", cards, encoder.ref, recipe, (0,), full=True, synthetic=True)
    study.write(root)
    (whole,) = (spec for spec in study.plan if len(spec.tasks) == 4)
    RunStore(root).write(execute(whole, encoder_folder=encoder.folder, cache=cache, keep_model=True))
    (root / "cache").symlink_to(cache)
    return root, encoder


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, Encoder], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def call(task: str) -> Path:
        if task not in made:
            made[task] = tmp_path_factory.mktemp("exported") / task
            export(kept(trained[0], task), made[task])
        return made[task]

    return call


@pytest.fixture(scope="module")
def tagger(exported: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported tagger with a head that finds mentions everywhere: two epochs teach it none."""
    folder = Path(shutil.copytree(exported("tag"), tmp_path_factory.mktemp("lively") / "tag"))
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    torch.manual_seed(0)
    torch.nn.init.normal_(model.classifier.weight)
    torch.nn.init.zeros_(model.classifier.bias)
    model.save_pretrained(folder)
    return folder


def kept(root: Path, task: str) -> BestModel:
    (run,) = (spec for spec in Study.load(root).plan if len(spec.tasks) == 4)
    return best_model(root, task, run.run_id)


def split_of_test(root: Path, encoder: Encoder, task: str) -> Any:
    recipe = kept(root, task).spec.recipe
    folder = cache_folder(
        root / "cache", TASKS[task].fingerprint, encoder.ref.fingerprint, recipe.max_length, recipe.max_words
    )
    return read_encoded(folder)[1]["test"]


@pytest.mark.parametrize("task", PAIRED)
def test_logits_are_equal(task: str, trained: tuple[Path, Encoder], exported: Callable[[str], Path]) -> None:
    root, encoder = trained
    given, split = kept(root, task), split_of_test(root, encoder, task)
    store = RunStore(root)
    head, weights = store.head(given.spec, task), store.weights(given.spec, task)
    assert head is not None
    assert weights is not None
    values, meta, _ = load_head(head)
    own = MultiTaskModel(encoder.folder, {task: meta}, seed=0).eval()
    load_shared_weights(own, weights)
    own.heads[task].load_state_dict(values)
    batch = make_batch(task, split, np.arange(split.n_rows))
    predictor = Predictor(exported(task))
    with torch.no_grad():
        expected, found = own(batch), predictor._forward(batch)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert expected.std() > 1e-3
    config = predictor.model.config
    assert config.num_labels == max(1, len(meta.outputs))
    assert config.id2label == dict(enumerate(meta.outputs or ("score",)))
    assert {label: number for number, label in config.id2label.items()} == config.label2id


@pytest.mark.parametrize("task", PAIRED)
def test_the_exported_model_has_the_test_score_of_the_run(
    task: str, trained: tuple[Path, Encoder], exported: Callable[[str], Path]
) -> None:
    examples = TASKS[task].examples["test"]
    rows = [Unlabelled(n, 0, e.id, e.text, e.text_pair, e.words) for n, e in enumerate(examples)]
    found = [prediction for _, prediction in Predictor(exported(task)).predict(rows)]
    key = {"similarity": "score", "ner": "tags"}.get(TASKS[task].kind, "label")
    metric = METRICS[TASKS[task].metric_name]
    counts = metric.tally([e.label for e in examples], [prediction[key] for prediction in found], TASKS[task].scored)
    assert float(metric.score(counts.sum(axis=0))) == pytest.approx(kept(trained[0], task).outcome.test, abs=1e-5)


@pytest.mark.parametrize("task", ["nli", "rel", "sts"])
def test_a_text_pipeline_agrees_with_predict(task: str, exported: Callable[[str], Path]) -> None:
    examples = TASKS[task].examples["test"][:8]
    rows = [Unlabelled(n, 0, e.id, e.text, e.text_pair) for n, e in enumerate(examples)]
    classify: Any = pipeline("text-classification", model=str(exported(task)))
    for (row, prediction), _ in zip(Predictor(exported(task)).predict(rows), rows, strict=True):
        pair = {} if row.text_pair is None else {"text_pair": row.text_pair}
        said = classify({"text": row.text, **pair}, truncation=True)
        if task == "sts":
            assert said["score"] == pytest.approx(prediction["score"], abs=1e-5)
        else:
            assert (said["label"], said["score"]) == (
                prediction["label"],
                pytest.approx(prediction["probability"], abs=1e-5),
            )


@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
def test_a_token_pipeline_agrees_with_predict(tagger: Path) -> None:
    stock: Any = pipeline("token-classification", model=str(tagger), aggregation_strategy="first")
    predictor = Predictor(tagger)
    rng = np.random.default_rng(0)
    is_of_bytes = predictor.model.config.model_type == "roberta"
    n_found = 0
    for n in range(40):
        words = [*rng.choice(VOCABULARY, 1), *rng.choice(VOCABULARY[::2], rng.integers(29)), "."]
        while len(predictor.tokenizer(words, is_split_into_words=True)["input_ids"]) > predictor.max_length:
            words = words[1:]
        if is_of_bytes:
            row, said = Unlabelled(n, 0, words=tuple(words)), stock([words], is_split_into_words=True)[0]
        else:
            text = f" {'  '.join(words[:-1])}."
            row, said = Unlabelled(n, 0, text=text), stock(text)
        ((_, prediction),) = predictor.predict([row])
        assert [(s["entity_group"], s["start"], s["end"]) for s in said] == [
            (e["type"], e["start"], e["end"]) for e in prediction["entities"]
        ]
        n_found += len(said)
    assert n_found > 10


def test_offsets_count_characters_and_rows_stay_in_order(tagger: Path) -> None:
    predictor = Predictor(tagger)
    sentence = TASKS["tag"].examples["test"][0].words
    text = "  " + "\t".join(sentence) + " "
    rows = [Unlabelled(1, 0, text=text), Unlabelled(2, 0, text="."), Unlabelled(3, 0, words=sentence)]
    (_, running), (_, nothing), (_, ready) = predictor.predict(rows)
    joined = " ".join(sentence)
    assert [text[e["start"] : e["end"]].split() for e in running["entities"]] == [
        joined[e["start"] : e["end"]].split() for e in ready["entities"]
    ]
    assert all(text[e["start"] - 1].isspace() and text[e["end"]].isspace() for e in running["entities"])
    assert len(ready["tags"]) == len(sentence) > 30  # it was cut at max_words, and put together again
    assert ready["entities"]
    assert "entities" in nothing


def test_the_card_has_data_and_scores_and_no_text(
    trained: tuple[Path, Encoder], exported: Callable[[str], Path]
) -> None:
    card = (exported("nli") / "README.md").read_text(encoding="utf-8")
    [result] = ModelCard(card).data.eval_results
    assert (result.task_type, result.dataset_name, result.metric_type) == ("text-classification", "nli", "accuracy")
    assert result.metric_value == pytest.approx(kept(trained[0], "nli").outcome.test, abs=1e-4)
    given = kept(trained[0], "nli")
    for words in ("synthetic text", TASKS["nli"].fingerprint, TASKS["tag"].fingerprint, given.spec.run_id, "one seed"):
        assert words in card
    assert f"test {100 * given.outcome.test:.1f}, 95% interval" in card
    assert "bf16" not in card
    assert not any(e.text in card for e in TASKS["nli"].examples["train"])
    assert (exported("nli") / "model.safetensors").is_file()
    assert not list(exported("nli").glob("*.bin"))


def test_the_card_says_what_is_cut_what_was_chosen_and_which_labels_there_are(trained: tuple[Path, Encoder]) -> None:
    given = kept(trained[0], "nli")
    head = RunStore(trained[0]).head(given.spec, "nli")
    assert head is not None
    _, meta, _ = load_head(head)

    def card(kind: str = "inference", **changes: Any) -> str:
        return model_card(replace(given, **changes), replace(meta, kind=kind))  # type: ignore[arg-type]

    for kind in ("inference", "choice", "spans"):
        assert f"{RECIPE.max_length} tokens: of two texts, the end of the longer one is cut first" in card(kind)
    assert f"{RECIPE.max_length} tokens: the end is cut" in card("relation")
    assert f"Labels: {', '.join(meta.outputs)}." in card()
    assert all("Labels" not in card(kind) for kind in ("choice", "spans"))  # letters of options, answer and none
    assert "this run among 2 runs" in card(chosen_from=2)
    assert "runs with a stored model" not in card(chosen_from=1)
    recipe = replace(given.spec.recipe, protocol="paper", similarity_targets=None)
    for kept_out, words in ((None, "trains on dev"), (False, "dev was kept out of training")):
        spec = replace(given.spec, recipe=replace(recipe, train_on_dev=kept_out))
        study, store = replace(given.study, protocol="paper"), RunStore(trained[0])
        lines = _scores(BestModel(store.root, study, "nli", spec, given.outcome, (), 0), "inference")
        assert words in "\n".join(islice(lines, 3))


@pytest.mark.parametrize("between", [False, True], ids=["two stages", "three stages"])
def test_embeddings_of_tokens_that_fine_tuning_did_not_meet_are_unchanged(
    between: bool, make_encoder: MakeEncoder, tmp_path: Path
) -> None:
    encoder = find_encoder(str(with_tokenizer("bert", make_encoder)))
    cache = tmp_path / "cache"
    recipe = replace(RECIPE, num_train_epochs=1, max_train_examples=3, max_eval_examples=3)
    long = replace(recipe, max_train_examples=None, max_eval_examples=None, learning_rate=1e-2, precision="bf16")
    prepare(list(TASKS.values()), encoder, recipe, cache)
    nli = TASKS["nli"]
    first = RunSpec((nli.ref, TASKS["rel"].ref), encoder.ref, 0, long)
    stages = [first]
    if between:
        stages.append(RunSpec((nli.ref,), encoder.ref, 0, recipe, parent=first, variant="continued"))
    stages.append(RunSpec((nli.ref,), encoder.ref, 0, recipe, parent=stages[-1]))
    store = RunStore(tmp_path / "results")
    for spec in stages:
        start = store.start(spec)
        store.write(execute(spec, encoder_folder=encoder.folder, cache=cache, start=start, keep_model=True))
    card = StudiedTask("nli", "nli", nli.kind, nli.metric_name, nli.fingerprint, {})
    study = Study("toys", (card,), encoder.ref, recipe, (0,), synthetic=True)
    outcome = store.read(stages[-1]).outcomes["nli"]
    export(BestModel(store.root, study, "nli", stages[-1], outcome, (outcome,), 0), tmp_path / "out")
    assert "Matrix products were in bf16" in (tmp_path / "out/README.md").read_text()  # those of the first stage
    table = Predictor(tmp_path / "out").model.get_input_embeddings().weight
    before = MultiTaskModel(encoder.folder, {}, seed=0)
    start = store.start(stages[1])
    assert start is not None
    load_shared_weights(before, start)
    found = before.encoder.get_input_embeddings().weight
    stock = transformers.AutoModel.from_pretrained(encoder.folder).get_input_embeddings().weight
    unmet_again = (table == found).all(dim=1)
    trained_first = (found != stock).any(dim=1)
    assert (unmet_again & trained_first).any()
    assert (~unmet_again & trained_first).any()
    assert (table != stock).any(dim=1)[trained_first].all()  # nothing that was learned is lost


def test_inexact_exports_are_refused(trained: tuple[Path, Encoder], make_encoder: MakeEncoder, tmp_path: Path) -> None:
    given = kept(trained[0], "nli")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="not empty"):
        export(given, tmp_path / "full")
    other = make_encoder("bert")
    with pytest.raises(InputError, match=r"not .*, the encoder that the run started from; .* of `taskaffinity export`"):
        export(given, tmp_path / "out", encoder=str(other))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"no taskaffinity\.json here"):
        Predictor(trained[1].folder)


def test_an_architecture_with_another_head_is_refused(tmp_path: Path) -> None:
    folder, sizes = tmp_path / "albert", {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.AlbertConfig(vocab_size=60, embedding_size=8, **sizes)
    transformers.AlbertModel(config).save_pretrained(folder)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *VOCABULARY[:55]]
    BertTokenizer({token: i for i, token in enumerate(tokens)}).save_pretrained(folder)
    encoder = find_encoder(str(folder))
    recipe = replace(RECIPE, num_train_epochs=1)
    prepare([TASKS["nli"]], encoder, recipe, tmp_path)
    spec = single_task_runs([TASKS["nli"].ref], encoder.ref, recipe, (0,)).specs[0]
    store = RunStore(tmp_path / "results")
    store.write(execute(spec, encoder_folder=folder, cache=tmp_path, keep_model=True))
    nli = TASKS["nli"]
    card = StudiedTask("nli", "nli", nli.kind, nli.metric_name, nli.fingerprint, {})
    Study("toys", (card,), encoder.ref, recipe, (0,), synthetic=True).write(store.root)
    with pytest.raises(InputError, match="albert cannot be exported: its stock heads differ"):
        export(best_model(store.root, "nli"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("task", ["nli", "tag"])
def test_trained_weights_are_not_rounded_to_the_precision_of_the_encoders_folder(
    task: str, dtype: str, make_encoder: MakeEncoder, tmp_path: Path
) -> None:
    folder = make_encoder("bert")
    transformers.AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == dtype
    meta = task_meta(TASKS[task])
    own = MultiTaskModel(folder, {task: meta}, seed=0, packed=False)
    with torch.no_grad():
        for weights in own.parameters():
            weights += 1e-6 * torch.randn_like(weights)
    _stock(own, meta, folder).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float32"
    found = load_file(tmp_path / "model.safetensors")
    for name, weights in own.encoder.state_dict().items():
        assert torch.equal(found[f"bert.{name}"], weights), name
    assert torch.equal(found["classifier.weight"], own.heads[task].output.weight)


def test_a_full_gpu_is_not_reported_as_a_damaged_folder(
    exported: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(transformers.PreTrainedModel, "to", full)
        with pytest.raises(torch.OutOfMemoryError):
            Predictor(exported("nli"), "cuda")
    half = Path(shutil.copytree(exported("nli"), tmp_path / "half"))
    weights = (half / "model.safetensors").read_bytes()
    (half / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match=r"half: not a complete folder .*; export the task again \(SafetensorError\)$"):
        Predictor(half)


@pytest.mark.parametrize("part", ["classifier", "norm"])
def test_a_folder_that_lacks_weights_is_refused(part: str, exported: Callable[[str], Path], tmp_path: Path) -> None:
    """Else transformers draws them at random, and the model predicts."""
    less = Path(shutil.copytree(exported("nli"), tmp_path / "less"))
    weights = load_file(less / "model.safetensors")
    del weights[next(name for name in weights if part in name.casefold())]
    save_file(weights, less / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"less: not a complete folder .*; export the task again \(ValueError\)$"):
        Predictor(less)


def test_texts_are_predicted_by_length_and_returned_in_file_order(
    exported: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(exported("nli"))
    examples = TASKS["nli"].examples["test"]
    texts = [" ".join([e.text] * (1 + n % 5)) for n, e in enumerate(examples)]
    rows = [Unlabelled(n, 0, None, text, e.text_pair) for n, (text, e) in enumerate(zip(texts, examples, strict=True))]
    alone = [prediction for row in rows for _, prediction in predictor.predict([row])]
    batches: list[list[int]] = []
    forward = predictor._forward

    def seen(batch: Batch) -> torch.Tensor:
        batches.append(batch.lengths.tolist())
        return forward(batch)

    monkeypatch.setattr(predictor, "_forward", seen)
    monkeypatch.setattr(predictor_module, "EVALUATION_TOKENS", {"cpu": 100})
    found = list(predictor.predict(rows))
    assert [row for row, _ in found] == rows
    for (_, prediction), expected in zip(found, alone, strict=True):
        close = {"probability": pytest.approx(expected["probability"], abs=1e-5)}
        close["probabilities"] = pytest.approx(expected["probabilities"], abs=1e-5)
        assert prediction == {**expected, **close}
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert max(prediction["probabilities"], key=prediction["probabilities"].get) == prediction["label"]
    lengths = [length for batch in batches for length in batch]
    assert lengths == sorted(lengths)
    assert len(lengths) == len(rows)
    assert len(set(lengths)) > 1
    assert all(sum(batch) <= 100 for batch in batches)
