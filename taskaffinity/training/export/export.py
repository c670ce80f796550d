"""A trained task as a folder that ``AutoModelFor...`` and ``pipeline`` load, with the same outputs.

The heads of ``training.heads`` are the architectures' own under other names, so every weight is copied and none is
changed. An architecture without an entry in ``FORMS`` has a head of another form, and is refused.

What a stock ``pipeline`` does not know: it does not cut long sentences (``predict`` cuts a tagger's at ``max_words``
words, as in training), a text classifier's pipeline does not truncate unless told to, and byte-level tokenizers see
words of running text otherwise than the ready words of training: a RoBERTa tagger gives the same spans only with
``is_split_into_words=True``, and there only where no word begins with a token that is a blank alone.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, PreTrainedModel

from taskaffinity.errors import InputError
from taskaffinity.runs.best_model import BestModel
from taskaffinity.runs.store import RunStore
from taskaffinity.training.checkpoint import load_head, load_shared_weights
from taskaffinity.training.encoders import Encoder, find_encoder, load_config, load_tokenizer
from taskaffinity.training.export.model_card import model_card
from taskaffinity.training.export.predictor import ABOUT
from taskaffinity.training.heads import FORMS
from taskaffinity.training.inputs.encoded import TaskMeta
from taskaffinity.training.model import MultiTaskModel

_CLASSIFIERS: dict[str, dict[str, str]] = {
    "bert": {"classifier": "output"},
    "electra": {"classifier.dense": "dense", "classifier.out_proj": "output"},
    "roberta": {"classifier.dense": "dense", "classifier.out_proj": "output"},
    "xlm-roberta": {"classifier.dense": "dense", "classifier.out_proj": "output"},
    "camembert": {"classifier.dense": "dense", "classifier.out_proj": "output"},
    "deberta-v2": {"pooler.dense": "dense", "classifier": "output"},
    "distilbert": {"pre_classifier": "dense", "classifier": "output"},
}
"""Where the layers of our sentence head are in the architecture's own; BERT's dense layer is its pooler."""


def export(kept: BestModel, out: Path, encoder: str | None = None) -> None:
    """Write a kept model to ``out``: weights, configuration, tokenizer, and a card. Whole or not at all.

    Parameters
    ----------
    encoder : str, optional
        Where the encoder that the run started from lies, if no longer where it was.

    Raises
    ------
    InputError
        If ``out`` holds something, the encoder is not to be found, or its architecture has a head of another form.
    """
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: not empty; give the name of a folder that is to be made")
    store = RunStore(kept.root)
    head, weights = store.head(kept.spec, kept.task), store.weights(kept.spec, kept.task)
    assert head is not None
    assert weights is not None
    try:
        head_weights, meta, folder = load_head(head)
        found = _encoder(kept, folder, encoder)
        model = _trained(kept, meta, found.folder, store.start(kept.spec), weights, head_weights)
    except InputError:
        raise
    except (ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{weights.parent}: not a model of this encoder ({type(error).__name__})") from error
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    beside.mkdir(parents=True)
    try:
        _stock(model, meta, found.folder).save_pretrained(beside)
        _tokenizer(found.folder, kept, has_token_types=model.has_token_types).save_pretrained(beside)
        recipe = kept.spec.recipe
        about = {
            "task": asdict(meta),
            "max_length": recipe.max_length,
            "max_words": recipe.max_words,
            "run": kept.spec.run_id,
        }
        (beside / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(model_card(kept, meta), encoding="utf-8")
        if out.is_dir():
            out.rmdir()
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_exportable(folder: Path, asked: str = "") -> None:
    """Refuse an encoder whose trained tasks could not be exported.

    Parameters
    ----------
    asked : str
        The option that would be in vain, to begin the line with.

    Raises
    ------
    InputError
        If its architecture has a head of another form.
    """
    architecture = load_config(folder).model_type
    if architecture not in FORMS:
        begin, end = (f"{asked}: ", f"; leave {asked} out") if asked else ("", "")
        raise InputError(
            f"{begin}{architecture}: its own heads have another form than ours, so the outputs would not be the same; "
            f"export knows {', '.join(FORMS)}{end}"
        )


def _encoder(kept: BestModel, folder: Path, given: str | None) -> Encoder:
    """The encoder that the run started from: where it is said to be, or where it was."""
    expected = kept.spec.encoder
    if given is None and not (folder / "config.json").is_file():
        raise InputError(f"{folder}: the encoder {expected.name} lay here and does no longer; give its --encoder")
    found = find_encoder(given or str(folder))
    if found.ref != expected:
        where = f"--encoder {given}" if given else str(folder)
        raise InputError(
            f"{where}: another encoder than {expected.name}, which the run started from; give its --encoder"
        )
    return found


def _trained(
    kept: BestModel,
    meta: TaskMeta,
    folder: Path,
    start: Path | None,
    weights: Path,
    head: dict[str, torch.Tensor],
) -> MultiTaskModel:
    """The model as it was when the run scored the task on test."""
    model = MultiTaskModel(folder, {meta.name: meta}, seed=kept.spec.seed, packed=False)
    if kept.spec.parent is not None:
        if start is None:
            raise InputError(
                f"{kept.spec.parent.run_id}: no longer has the weights that {kept.spec.run_id} started from"
            )
        load_shared_weights(model, start)  # tokens that this run did not meet are as it found them
    load_shared_weights(model, weights)
    model.heads[meta.name].load_state_dict(head)
    return model.eval()


def _stock(model: MultiTaskModel, meta: TaskMeta, folder: Path) -> PreTrainedModel:
    """The architecture's own model for the task, with the trained weights: of 32 bits, whatever the encoder's are."""
    check_exportable(folder)
    config = load_config(folder)
    architecture = config.model_type
    labels = meta.outputs or ("score",)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    if hasattr(config, "from_scratch"):
        del config.from_scratch
    head = model.heads[meta.name]
    stock: PreTrainedModel
    if meta.kind == "ner":
        stock = AutoModelForTokenClassification.from_config(config, dtype=torch.float32)
        places = {"classifier": "output"}
    else:
        config.problem_type = "regression" if meta.kind == "similarity" else "single_label_classification"
        stock = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        places = _CLASSIFIERS[architecture]
        if FORMS[architecture].pooler:
            dense = head.get_submodule("dense") if model.pooler is None else model.pooler.get_submodule("dense")
            _copy(dense, stock.base_model.get_submodule("pooler.dense"))
    lost = stock.base_model.load_state_dict(model.encoder.state_dict(), strict=False)
    if lost.unexpected_keys or any(not name.startswith("pooler.") for name in lost.missing_keys):
        raise ValueError(f"{architecture}: an encoder of another form inside its own classifier")
    for theirs, ours in places.items():
        _copy(head.get_submodule(ours), stock.get_submodule(theirs))
    stock.eval()
    return stock


def _copy(source: nn.Module, target: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


def _tokenizer(folder: Path, kept: BestModel, *, has_token_types: bool) -> Any:
    tokenizer = load_tokenizer(folder)
    tokenizer.model_max_length = kept.spec.recipe.max_length
    inputs = ["input_ids", *["token_type_ids"] * has_token_types, "attention_mask"]
    tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = inputs
    return tokenizer
