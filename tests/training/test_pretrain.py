"""Continued pre-training: the held-out loss falls, and the result is an encoder with its old pooler."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_tasks import SIZES
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer, BertTokenizer, XLNetConfig
from typer.testing import CliRunner

from taskaffinity.cli import app
from taskaffinity.errors import InputError
from taskaffinity.tasks.planted import VOCABULARY, Lexicon, generate, similar
from taskaffinity.training.encoders.load import (
    Encoder,
    find_encoder,
    load_config,
    load_encoder,
    load_tokenizer,
    tiny_encoder,
)
from taskaffinity.training.loop import Diverged
from taskaffinity.training.pretraining import pretrain as module
from taskaffinity.training.pretraining.folder import load_with_language_head, write_encoder
from taskaffinity.training.pretraining.pretrain import Pretrained, Pretraining, blocks_of, masked_loss, pretrain

SETTINGS = Pretraining(learning_rate=3e-3, num_train_epochs=6, batch_size=8, max_length=24, held_out=0.2)


@pytest.fixture(scope="module")
def passages() -> list[str]:
    """Made-up sentences whose words are of one class more often than not: something to learn."""
    examples = generate("sts", similar, Lexicon(), SIZES, "train")
    return list(dict.fromkeys(chain.from_iterable((e.text, e.text_pair or "") for e in examples)))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(VOCABULARY, tmp_path_factory.mktemp("cache"), layers=1, width=32)


@pytest.fixture(scope="module")
def trained_before(scratch: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """The same with weights, a pooler among them."""
    folder = tmp_path_factory.mktemp("trained_before")
    config = load_config(scratch.folder)
    del config.from_scratch
    torch.manual_seed(1)
    AutoModel.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(scratch.folder).save_pretrained(folder)
    return find_encoder(str(folder))


@pytest.fixture(scope="module")
def result(trained_before: Encoder, passages: list[str], tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    return pretrain(passages, trained_before, tmp_path_factory.mktemp("out") / "further", SETTINGS)


@pytest.fixture(scope="module")
def twice(trained_before: Encoder, passages: list[str], tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    """Undisturbed, with two epochs."""
    torch.set_num_threads(1)  # before the fixture of each test
    out = tmp_path_factory.mktemp("undisturbed") / "a"
    return pretrain(passages, trained_before, out, replace(SETTINGS, num_train_epochs=2))


def test_blocks_have_every_token_once_and_in_order(scratch: Encoder, passages: list[str]) -> None:
    tokenizer = load_tokenizer(scratch.folder)
    blocks = blocks_of(passages, tokenizer, 24)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert all(block[0] == cls and block[-1] == sep and len(block) <= 24 for block in blocks)
    assert all(len(block) == 24 for block in blocks[:-1])
    stream = [token for block in blocks for token in block[1:-1]]
    whole = [token for text in passages for token in [*tokenizer.encode(text, add_special_tokens=False), sep]]
    assert stream == whole


def test_the_held_out_loss_falls(result: Pretrained, passages: list[str]) -> None:
    assert result.passages + result.held_out == len(passages)
    assert result.held_out == round(0.2 * len(passages))
    assert len(result.losses) == 1 + SETTINGS.num_train_epochs
    assert result.losses[-1] < result.losses[0] - 0.3


def test_the_result_is_an_encoder_with_its_old_pooler(result: Pretrained, trained_before: Encoder) -> None:
    (old, old_pooler), (new, new_pooler) = (load_encoder(f) for f in (trained_before.folder, result.folder))
    assert old_pooler is not None
    assert new_pooler is not None
    for name, value in old_pooler.state_dict().items():
        assert torch.equal(value, new_pooler.state_dict()[name])
    before, after = old.state_dict(), new.state_dict()
    assert before.keys() == after.keys()
    assert not torch.equal(before["embeddings.word_embeddings.weight"], after["embeddings.word_embeddings.weight"])
    assert find_encoder(str(result.folder)).ref.fingerprint != trained_before.ref.fingerprint


def test_a_pooler_that_was_never_trained_stays_absent(scratch: Encoder, passages: list[str], tmp_path: Path) -> None:
    short = replace(SETTINGS, num_train_epochs=1)
    made = pretrain(passages, scratch, tmp_path / "from_scratch", short)
    encoder = find_encoder(str(made.folder))
    assert load_encoder(encoder.folder)[1] is None
    assert not getattr(load_config(encoder.folder), "from_scratch", False)


def test_the_same_seed_gives_the_same_encoder(trained_before: Encoder, passages: list[str], tmp_path: Path) -> None:
    short = replace(SETTINGS, num_train_epochs=1)
    one, other = (pretrain(passages, trained_before, tmp_path / name, short) for name in ("one", "other"))
    assert one.losses == other.losses
    assert find_encoder(str(one.folder)).ref.fingerprint == find_encoder(str(other.folder)).ref.fingerprint
    elsewhere = pretrain(passages, trained_before, tmp_path / "elsewhere", replace(short, seed=1))
    assert elsewhere.losses != one.losses


def test_mini_batches_without_a_masked_token_are_no_steps(
    trained_before: Encoder, passages: list[str], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, num_train_epochs=2, batch_size=1, max_length=8, held_out=0.5)
    seen: list[tuple[int, int]] = []
    made = pretrain(
        passages[:24],
        trained_before,
        tmp_path / "a",
        settings,
        on_progress=lambda step, steps, _: seen.append((step, steps)),
    )
    n_batches = seen[0][1]
    assert made.steps == len(seen) < n_batches
    assert json.loads((made.folder / "pretraining.json").read_text())["steps"] == len(seen)


class Killed(BaseException):
    """Stands for a process that ends."""


@pytest.mark.parametrize(("how", "at"), [("killed", 1), ("terminated", 2), ("terminated", 0)])
def test_an_interrupted_one_gives_the_same_bytes(
    how: str, at: int, twice: Pretrained, trained_before: Encoder, passages: list[str], tmp_path: Path
) -> None:
    """After a step of the first epoch, the last one for 0."""
    at = at or twice.steps // 2

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == at + (how == "killed"):  # after the checkpoint of step ``at``
            if how == "killed":
                raise Killed
            os.kill(os.getpid(), signal.SIGTERM)

    def end(*_: object) -> None:
        raise Killed

    settings = replace(SETTINGS, num_train_epochs=2)
    minutes = 1e-9 if how == "killed" else 60.0
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Killed):
            pretrain(
                passages, trained_before, tmp_path / "a", settings, on_progress=interrupt, checkpoint_minutes=minutes
            )
    finally:
        signal.signal(signal.SIGTERM, before)
    [left] = (tmp_path / "a.unfinished" / "checkpoint").iterdir()
    assert [path.stat().st_mode & 0o077 for path in (left, left.parent, left.parent.parent)] == [0, 0, 0]
    steps: list[int] = []
    torch.manual_seed(7)
    again = pretrain(
        passages,
        trained_before,
        tmp_path / "a",
        settings,
        on_progress=lambda step, *_: steps.append(step),
        checkpoint_minutes=60,
    )
    assert steps[0] == at + 1
    assert again.losses == twice.losses
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == {
        path.name: path.read_bytes() for path in twice.folder.iterdir()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_one_that_diverged_leaves_no_checkpoint(
    trained_before: Encoder, passages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command would continue from it, and diverge again."""
    loss, n_trained = module.masked_loss, 0

    def diverging(model: Any, batch: Any) -> Any:
        nonlocal n_trained
        n_trained += model.training
        return loss(model, batch) * (math.inf if n_trained == 3 else 1)

    monkeypatch.setattr(module, "masked_loss", diverging)
    with pytest.raises(Diverged, match="step 3"):
        pretrain(passages, trained_before, tmp_path / "a", SETTINGS, checkpoint_minutes=1e-9)
    assert list(tmp_path.iterdir()) == []


def test_one_that_diverged_in_its_last_update_is_not_written(
    trained_before: Encoder, passages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later step has a loss that would show it."""
    held_out_loss, last = module._held_out_loss, replace(SETTINGS, num_train_epochs=1)

    def of_broken_weights(model: Any, *rest: Any) -> float:
        if model.training:  # the first one is before the training
            torch.nn.init.constant_(model.get_input_embeddings().weight, math.nan)
        return held_out_loss(model, *rest)

    monkeypatch.setattr(module, "_held_out_loss", of_broken_weights)
    monkeypatch.setattr(module, "load_with_language_head", lambda folder: load_with_language_head(folder).eval())
    with pytest.raises(Diverged, match="held-out loss after epoch 1 is not a number"):
        pretrain(passages, trained_before, tmp_path / "a", last)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("epoch", [1, 2])
def test_one_that_is_terminated_while_it_is_evaluated_trains_no_step_again(
    epoch: int,
    twice: Pretrained,
    trained_before: Encoder,
    passages: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No checkpoint is due before."""
    held_out_loss, n_evaluated = module._held_out_loss, 0

    def interrupted(*given: Any) -> float:
        nonlocal n_evaluated
        loss, n_evaluated = held_out_loss(*given), n_evaluated + 1
        if n_evaluated == 1 + epoch:  # the first one is before the training
            os.kill(os.getpid(), signal.SIGTERM)
        return loss

    def end(*_: object) -> None:
        raise Killed

    settings = replace(SETTINGS, num_train_epochs=2)
    steps: list[int] = []

    def run() -> Pretrained:
        return pretrain(
            passages,
            trained_before,
            tmp_path / "a",
            settings,
            on_progress=lambda step, *_: steps.append(step),
            checkpoint_minutes=60,
        )

    before = signal.signal(signal.SIGTERM, end)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(module, "_held_out_loss", interrupted)
            with pytest.raises(Killed):
                run()
    finally:
        signal.signal(signal.SIGTERM, before)
    again = run()
    assert steps == list(range(1, twice.steps + 1))
    assert again.losses == twice.losses
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == {
        path.name: path.read_bytes() for path in twice.folder.iterdir()
    }


def test_checkpoints_of_one_that_was_killed_at_its_end_are_removed_by_the_same_command(
    trained_before: Encoder, passages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed after the output was written, and before the checkpoints were removed."""
    settings = replace(SETTINGS, num_train_epochs=1)
    child = os.fork()
    if not child:
        monkeypatch.setattr(module, "write_encoder", lambda *a, **k: (write_encoder(*a, **k), os._exit(0)))
        pretrain(passages, trained_before, tmp_path / "a", settings, checkpoint_minutes=1e-9)
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.unfinished"]
    with pytest.raises(InputError, match="not empty"):
        pretrain(passages, trained_before, tmp_path / "a", settings, checkpoint_minutes=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_second_process_does_not_pre_train_into_the_same_folder(
    trained_before: Encoder, passages: list[str], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, num_train_epochs=1)
    refused: list[str] = []

    def another(step: int, steps: int, loss: float) -> None:
        if step == 3:  # after a checkpoint
            before = sorted((tmp_path / "a.unfinished").rglob("*"))
            with pytest.raises(InputError, match="another process pre-trains into it") as caught:
                pretrain(passages, trained_before, tmp_path / "a", replace(settings, seed=1))
            refused.append(str(caught.value))
            assert sorted((tmp_path / "a.unfinished").rglob("*")) == before

    random_state = torch.get_rng_state()
    found = pretrain(passages, trained_before, tmp_path / "a", settings, on_progress=another, checkpoint_minutes=1e-9)
    torch.set_rng_state(random_state)
    assert len(refused) == 1
    assert found.steps > 3
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_its_owner_can_read_the_folder(result: Pretrained) -> None:
    assert {path.stat().st_mode & 0o077 for path in (result.folder, *result.folder.iterdir())} == {0}


def test_the_folder_records_settings_and_no_passage(result: Pretrained, passages: list[str]) -> None:
    about = json.loads((result.folder / "pretraining.json").read_text())
    assert about["held_out_losses"] == list(result.losses)
    assert about["settings"]["learning_rate"] == SETTINGS.learning_rate
    files = [path.read_bytes() for path in result.folder.iterdir()]
    assert not [text for text in passages for content in files if text.encode() in content]


def test_invalid_requests_are_refused_before_training(
    trained_before: Encoder, passages: list[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not empty"):
        pretrain(passages, trained_before, trained_before.folder, SETTINGS)
    with pytest.raises(InputError, match="the encoder has 128 positions"):
        pretrain(passages, trained_before, tmp_path / "out", replace(SETTINGS, max_length=129))
    with pytest.raises(InputError, match=r"1 passage\(s\) of text"):
        pretrain(passages[:1], trained_before, tmp_path / "out", SETTINGS)
    assert not list(tmp_path.iterdir())


def test_an_architecture_without_a_language_head_is_refused(passages: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "xlnet"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *VOCABULARY]
    config = XLNetConfig(vocab_size=len(tokens), d_model=16, n_layer=1, n_head=2, d_inner=32)
    AutoModel.from_config(config).save_pretrained(folder)
    BertTokenizer({token: i for i, token in enumerate(tokens)}).save_pretrained(folder)
    with pytest.raises(InputError, match=r"xlnet: xlnet has no head for masked tokens"):
        pretrain(passages, find_encoder(str(folder)), tmp_path / "out", SETTINGS)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory: lower --batch-size or --max-length"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory: lower --batch-size or --max-length"),
        (Diverged("diverged: the loss of step 1"), "diverged: the loss of step 1"),
        (KeyError("some text of a corpus"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_known_failures_are_one_line(
    error: Exception, said: str | None, trained_before: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module, "pretrain", fail)
    (tmp_path / "passages.txt").write_text("a dose\na drug\n")
    done = CliRunner().invoke(
        app,
        ["pretrain", f"--text={tmp_path}/passages.txt", f"--encoder={trained_before.folder}", "--out=out", "--quiet"],
    )
    assert done.exit_code == 1
    if said is None:
        assert done.exception is error
    else:
        assert done.stderr == f"taskaffinity: {said}\n"


def test_a_batch_without_masked_tokens_is_skipped(trained_before: Encoder, tmp_path: Path) -> None:
    """Batches of one short block: at 15% most have no masked token, and no loss."""
    words = [f"{a} {b}" for a, b in zip(VOCABULARY[::2], VOCABULARY[1::2], strict=False)][:40]
    sparse = replace(SETTINGS, batch_size=1, max_length=8, num_train_epochs=1, mlm_probability=0.15)
    assert all(np.isfinite(pretrain(words, trained_before, tmp_path / "out", sparse).losses))


def test_held_out_passages_are_consecutive(
    trained_before: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[list[str]] = []

    def seen(passages: list[str], tokenizer: Any, max_length: int) -> list[list[int]]:
        cut.append(list(passages))
        return blocks_of(passages, tokenizer, max_length)

    monkeypatch.setattr(module, "blocks_of", seen)
    texts = [f"{word} {word}" for word in VOCABULARY[:50]]
    pretrain(texts, trained_before, tmp_path / "out", replace(SETTINGS, num_train_epochs=1))
    held, trained = cut
    first = texts.index(held[0])
    assert held == texts[first : first + 10]
    assert trained == [text for text in texts if text not in held]


@pytest.mark.parametrize(
    "wrong", [{"held_out": 1.0}, {"mlm_probability": 0.0}, {"learning_rate": 0.0}, {"batch_size": 0}], ids=str
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SETTINGS, **wrong)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_the_masked_loss_equals_that_of_transformers(architecture: str, make_encoder: Callable[..., Path]) -> None:
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(make_encoder(architecture))).eval()
    labels = torch.where(torch.rand(3, 12) < 0.2, torch.randint(5, 60, (3, 12)), -100)
    batch = {
        "input_ids": torch.randint(5, 60, (3, 12)),
        "attention_mask": (torch.arange(12) < torch.tensor([12, 7, 9])[:, None]).long(),
        "labels": labels,
    }
    gradients = []
    for loss in (masked_loss(model, batch), model(**batch).loss):
        model.zero_grad()
        loss.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    torch.testing.assert_close(masked_loss(model, batch), model(**batch).loss)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-6, rtol=1e-4)
