from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    CanineTokenizer,
    MPNetConfig,
    PretrainedConfig,
    RobertaConfig,
    XLNetConfig,
)
from transformers.utils import logging as transformers_logging

from taskaffinity.errors import InputError
from taskaffinity.training.encoders import load as encoders
from taskaffinity.training.encoders.checks import longest_input
from taskaffinity.training.encoders.load import find_encoder, load_encoder, load_tokenizer, tiny_encoder

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "dose", "##s", "rose"]


@pytest.fixture
def old_bert(tmp_path: Path) -> Path:
    """A folder as BERT's first years made them (BlueBERT's is one): weights, vocab.txt, no model_type."""
    folder = tmp_path / "old"
    config = BertConfig(
        vocab_size=len(TOKENS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    content = json.loads((folder / "config.json").read_text())
    for key in ("model_type", "architectures", "transformers_version"):
        content.pop(key)
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    return folder


def test_an_old_bert_without_a_model_type_is_a_bert(old_bert: Path) -> None:
    model, pooler = load_encoder(find_encoder(str(old_bert)).folder)
    assert pooler is not None
    assert model.config.model_type == "bert"
    content = json.loads((old_bert / "config.json").read_text())
    (old_bert / "config.json").write_text(json.dumps({**content, "model_type": "bert"}))
    expected = AutoModel.from_pretrained(old_bert)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, expected.state_dict()[name])


def test_a_vocabulary_alone_is_an_uncased_wordpiece_tokenizer(old_bert: Path) -> None:
    tokenizer = load_tokenizer(old_bert)
    assert tokenizer.tokenize("The doses rose") == ["the", "dose", "##s", "rose"]


@pytest.mark.parametrize("says", [None, {}, {"do_lower_case": False}], ids=["no settings", "nothing", "cased"])
def test_a_vocabulary_with_capitals_is_cased_unless_the_config_says_otherwise(
    says: dict[str, bool] | None, old_bert: Path
) -> None:
    """The folder of Bio+ClinicalBERT has no tokenizer settings, so transformers would lower-case every text."""
    (old_bert / "vocab.txt").write_text("\n".join([*TOKENS[:5], "The", "dose", "##s", "rose"]) + "\n")
    if says is not None:
        (old_bert / "tokenizer_config.json").write_text(json.dumps(says))
    assert load_tokenizer(old_bert).tokenize("The doses rose") == ["The", "dose", "##s", "rose"]
    (old_bert / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    assert load_tokenizer(old_bert).tokenize("The doses rose")[0] == "[UNK]"


@pytest.mark.parametrize(("name", "asked"), [("BioBERT", "dmis-lab/biobert-v1.1"), ("some/encoder", "some/encoder")])
def test_the_papers_encoders_have_names(name: str, asked: str, old_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def from_hub(given: str) -> Path:
        fetched.append(given)
        return old_bert

    monkeypatch.setattr(encoders, "_from_hub", from_hub)
    assert find_encoder(name).folder == old_bert
    assert fetched == [asked]


def test_a_folder_without_weights_needs_from_scratch(old_bert: Path, tmp_path: Path) -> None:
    (old_bert / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no weights"):
        find_encoder(str(old_bert))
    tiny = tiny_encoder(["dose"], tmp_path)
    assert find_encoder(str(tiny.folder)).ref == tiny.ref


def test_a_language_head_and_a_missing_pooler_are_loaded_without_warnings(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    BertForMaskedLM(config).save_pretrained(tmp_path)
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    transformers_logging.add_handler(handler)
    try:
        BertModel.from_pretrained(tmp_path)
        assert len(warnings) == 1  # what transformers says by itself
        load_encoder(tmp_path)
        BertModel.from_pretrained(tmp_path)
    finally:
        transformers_logging.remove_handler(handler)
    assert len(warnings) == 2


def test_weights_without_a_layer_are_refused(make_encoder: Callable[..., Path]) -> None:
    folder = make_encoder("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": config["num_hidden_layers"] + 1}))
    with pytest.raises(InputError, match="weights lack"):
        load_encoder(folder)


def test_an_unknown_configuration_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no such architecture"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"config\.json: not the configuration of an encoder"):
        load_encoder(tmp_path)


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "half the weights": ("model.safetensors", lambda old: old[: len(old) // 2], "its weights cannot be loaded"),
    "another shape": ("config.json", lambda old: old.replace(b'"hidden_size": 16', b'"hidden_size": 8'), "its weights"),
    "no weights at all": ("model.safetensors", lambda old: b"", "its weights cannot be loaded"),
    "a width of letters": ("config.json", lambda old: old.replace(b": 16,", b': "abc",'), "not the configuration"),
    "a number": ("config.json", lambda old: b"5", "not the configuration"),
    "null": ("config.json", lambda old: b"null", "not the configuration"),
    "half a configuration": ("config.json", lambda old: old[:20], "not the configuration"),
    "half the settings": ("tokenizer_config.json", lambda old: b'{"do_lower', "its tokenizer cannot be loaded"),
    "a list of settings": ("tokenizer_config.json", lambda old: b"[]", "its tokenizer cannot be loaded"),
    "another code of letters": ("vocab.txt", lambda old: old + "dös\n".encode("latin-1"), "its tokenizer cannot be"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_refused_in_one_line_that_names_the_part(damage: str, old_bert: Path) -> None:
    name, damaged, said = DAMAGE[damage]
    path = old_bert / name
    before = path.read_bytes() if path.is_file() else b""
    path.write_bytes(damaged(before))
    assert path.read_bytes() != before

    def load() -> None:
        folder = find_encoder(str(old_bert)).folder
        load_tokenizer(folder)
        load_encoder(folder)

    with pytest.raises(InputError, match=rf"{old_bert}.*: {said}.* \(.+\)(; copy the folder again, .*)?$") as caught:
        load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")], ids=repr)
def test_out_of_memory_is_not_a_damaged_folder(
    error: Exception, old_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(encoders.AutoModel, "from_pretrained", lack)
    with pytest.raises(type(error)):
        load_encoder(old_bert)


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        (BertConfig(max_position_embeddings=40), 40),
        (RobertaConfig(max_position_embeddings=42, pad_token_id=1), 40),
        (MPNetConfig(max_position_embeddings=42, pad_token_id=1), 40),
        (XLNetConfig(), float("inf")),
    ],
    ids=lambda value: getattr(value, "model_type", None),
)
def test_positions_begin_after_the_position_of_padding(
    config: PretrainedConfig, positions: float, tmp_path: Path
) -> None:
    config.save_pretrained(tmp_path)
    assert longest_input(tmp_path) == positions


def test_the_fingerprint_depends_on_weights_and_not_on_the_folder(old_bert: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    before = find_encoder(str(old_bert)).ref
    old_bert.rename(moved)
    assert find_encoder(str(moved)).ref == before
    (moved / "model.safetensors").write_bytes((moved / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\1")
    assert find_encoder(str(moved)).ref != before


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_encoder_dropout_applies_to_every_layer(architecture: str, make_encoder: Callable[..., Path]) -> None:
    """At 0 a model in training gives what it gives in evaluation; at 0.5 no dropout has another rate."""
    tokens = torch.arange(5, 15)[None]
    model, _ = load_encoder(make_encoder(architecture), 0.0)
    trained, evaluated = (m(input_ids=tokens).last_hidden_state for m in (model.train(), model.eval()))
    assert torch.equal(trained, evaluated)
    other, _ = load_encoder(make_encoder(architecture), 0.5)
    rates = {module.p for module in other.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.5}
    first, second = (other.train()(input_ids=tokens).last_hidden_state for _ in range(2))
    assert not torch.equal(first, second)


def test_a_character_encoder_is_refused_in_one_line(make_encoder: Callable[..., Path]) -> None:
    folder = make_encoder("bert")
    for path in folder.glob("*vocab*"):
        path.unlink()
    with pytest.raises(InputError, match=r": no tokenizer in this folder; expected tokenizer\.json or vocab\.txt"):
        load_tokenizer(folder)
    CanineTokenizer().save_pretrained(folder)
    said = r": a tokenizer without a vocabulary .*; expected .* beside it\. .* such as CANINE, .* use an encoder with"
    with pytest.raises(InputError, match=said) as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)


def test_a_newer_transformers_makes_the_same_tiny_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of synthetic text continues after an upgrade."""
    before = tiny_encoder(["dose"], tmp_path / "before")
    monkeypatch.setattr("transformers.configuration_utils.__version__", "99.0.0")
    assert json.loads(BertConfig().to_json_string())["transformers_version"] == "99.0.0"
    assert tiny_encoder(["dose"], tmp_path / "after").ref == before.ref
