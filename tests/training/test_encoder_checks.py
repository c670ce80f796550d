"""Decoders are refused before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from toy_tasks import RECIPE, TASKS
from transformers import AutoModel, BertConfig, BertTokenizer, GPT2Config, LlamaConfig, PretrainedConfig, T5Config

from taskaffinity.errors import InputError
from taskaffinity.tasks.planted import VOCABULARY
from taskaffinity.training.encoders.checks import check_bidirectional
from taskaffinity.training.encoders.load import Encoder, find_encoder, load_encoder, tiny_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.pretraining.pretrain import Pretraining, pretrain

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *VOCABULARY]
DECODERS: dict[str, PretrainedConfig] = {
    "gpt2": GPT2Config(vocab_size=len(TOKENS), n_embd=16, n_layer=2, n_head=2, n_positions=64),
    "llama": LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    ),
    "bert": BertConfig(
        vocab_size=len(TOKENS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        is_decoder=True,
    ),
}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    folder = tmp_path / request.param
    torch.manual_seed(0)
    AutoModel.from_config(DECODERS[request.param]).save_pretrained(folder)
    BertTokenizer({token: i for i, token in enumerate(TOKENS)}).save_pretrained(folder)
    return find_encoder(str(folder))


@pytest.mark.parametrize("task", ["nli", "tag"])
def test_a_decoder_is_refused_before_tokenization(task: str, decoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no bidirectional encoder.*such as BERT") as caught:
        prepare([TASKS[task]], decoder, RECIPE, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_an_unknown_encoder_is_refused_without_the_name_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(InputError, match=r"no such folder, .* weights and a tokenizer$"):
        find_encoder("no/such-encoder")


def test_a_decoder_is_refused_for_pre_training(decoder: Encoder, tmp_path: Path) -> None:
    said = "no bidirectional encoder" if decoder.ref.name == "bert" else "no head for masked tokens"
    with pytest.raises(InputError, match=said):
        pretrain([f"{word} {word}" for word in VOCABULARY], decoder, tmp_path / "out", Pretraining(max_length=16))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_an_encoder_passes_and_keeps_its_mode(
    architecture: str, training: bool, make_encoder: Callable[..., Path]
) -> None:
    folder = make_encoder(architecture, initializer_range=0.02)
    encoder, _ = load_encoder(folder)
    check_bidirectional(encoder.train(training), folder)
    assert encoder.training == training


def test_a_model_that_needs_more_than_token_ids_is_refused(tmp_path: Path) -> None:
    config = T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    model = AutoModel.from_config(config).train()
    with pytest.raises(InputError, match=r"no encoder that takes token ids alone as input \(ValueError\)$"):
        check_bidirectional(model, tmp_path)


def test_an_encoder_from_scratch_passes(tmp_path: Path) -> None:
    tiny = tiny_encoder(VOCABULARY, tmp_path)
    check_bidirectional(load_encoder(tiny.folder)[0], tiny.folder)
