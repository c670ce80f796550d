"""Export a trained task to a folder for ``AutoModelFor...`` and ``pipeline``.

Outputs do not change. The heads of ``training.heads`` have the layers of the architecture's stock heads under other
names, so export copies every weight. Only a regression on standardised scores gets a changed last layer: its outputs
become scores in the unit of the data. Architectures without an entry in ``FORMS`` cannot be exported, because their
stock heads differ.

There is no stock pipeline for choice, and since transformers 5 none for spans. Another stock ``pipeline`` differs from
``predict`` in four points:

* It does not split long sentences. ``predict`` splits those of a tagger at ``max_words`` words, as training does.
* It reads no windows. ``predict`` reads a long text in the windows of the task, if it has some.
* A text-classification pipeline truncates only with ``truncation=True``.
* A byte-level tokenizer treats words of running text differently from the split words of training. A RoBERTa tagger
  gives the same spans only with ``is_split_into_words=True``, and only if no word begins with a token that is a single
  space.
"""

from __future__ import annotations

import json
import operator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel

from taskaffinity.atomic import atomic_folder, remove_litter
from taskaffinity.errors import InputError
from taskaffinity.private import protect
from taskaffinity.runs.best_model import BestModel
from taskaffinity.runs.spec import RunSpec
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.weights import loss_weights
from taskaffinity.tasks.kinds import TRAITS
from taskaffinity.training.checkpoint import load_head, load_shared_weights
from taskaffinity.training.encoders.load import Encoder, find_encoder, load_config, load_tokenizer
from taskaffinity.training.export.model_card import model_card
from taskaffinity.training.export.predictor import ABOUT
from taskaffinity.training.export.stock import STOCK
from taskaffinity.training.heads import FORMS
from taskaffinity.training.inputs.encoded import Scale, TaskMeta
from taskaffinity.training.model import MultiTaskModel

_GIVE_IT = "give its folder with --encoder of `taskaffinity export`"  # `predict` on a results folder has no such option


def export(best: BestModel, out: Path, encoder: str | None = None, *, share_with_group: bool = False) -> None:
    """Write a stored model to ``out``: weights, configuration, tokenizer and model card.

    The folder appears complete or not at all.

    Parameters
    ----------
    encoder : str, optional
        The encoder that the run started from, if its folder has moved.
    share_with_group : bool
        Whether the group may read the folder; otherwise only the owner can.

    Raises
    ------
    InputError
        If ``out`` is not empty, the encoder is missing or is another one, or its architecture cannot be exported.
    """
    out = out.resolve()
    remove_litter(out.parent)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: not empty; give the name of a new folder")
    store = RunStore(best.root)
    head, weights = store.head(best.spec, best.task), store.weights(best.spec, best.task)
    assert head is not None
    assert weights is not None
    start = store.start(best.spec)
    try:
        for path in (head, weights):
            store.check_file(best.spec, path)
        if best.spec.parent is not None and start is not None:
            store.check_file(best.spec.parent, start)
        head_weights, meta, folder = load_head(head)
        found = _encoder(best, folder, encoder)
        model = _trained(best, meta, found.folder, start, weights, head_weights)
    except InputError:
        raise
    except (ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{weights.parent}: not a model of this encoder ({type(error).__name__})") from error
    with atomic_folder(out, mode=0o700) as beside:
        _stock(model, meta, found.folder).save_pretrained(beside)
        recipe = best.spec.recipe
        longest = meta.reading.max_length or recipe.max_length
        _tokenizer(found.folder, longest, has_token_types=model.has_token_types).save_pretrained(beside)
        about = {
            "task": asdict(meta),
            "max_length": longest,
            "max_words": recipe.max_words,
            "run": best.spec.run_id,
        }
        (beside / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(model_card(best, meta), encoding="utf-8")
        protect(beside, share_with_group=share_with_group)


def check_exportable(folder: Path, asked: str = "") -> None:
    """Raise if tasks trained on this encoder cannot be exported.

    Parameters
    ----------
    asked : str
        The option that requires export; the message begins with it.

    Raises
    ------
    InputError
        If the stock heads of the architecture differ from those of ``training.heads``.
    """
    architecture = load_config(folder).model_type
    if architecture not in FORMS:
        begin, end = (f"{asked}: ", "; give --no-models to train without models") if asked else ("", "")
        raise InputError(
            f"{begin}{architecture} cannot be exported: its stock heads differ from ours, so outputs would change; "
            f"expected one of {', '.join(FORMS)}{end}"
        )


def _encoder(best: BestModel, folder: Path, given: str | None) -> Encoder:
    """Return the run's initial encoder, in the given folder or its folder at training time."""
    expected = best.spec.encoder
    if given is None and not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no encoder here; {expected.name} was here in training; {_GIVE_IT}")
    found = find_encoder(given or str(folder))
    if found.ref != expected:
        where = f"--encoder {given}" if given else str(folder)
        raise InputError(f"{where}: not {expected.name}, the encoder that the run started from; {_GIVE_IT}")
    return found


def _trained(
    best: BestModel,
    meta: TaskMeta,
    folder: Path,
    start: Path | None,
    weights: Path,
    head: dict[str, torch.Tensor],
) -> MultiTaskModel:
    """Return the model with the weights that scored the task on test.

    Raises
    ------
    InputError
        If the run lacks the weights that it started from, or if the task had the weight 0 in it.
    """
    check_has_weight(best.spec, meta.name)
    model = MultiTaskModel(folder, {meta.name: meta}, seed=best.spec.seed, packed=False)
    if best.spec.parent is not None:
        if start is None:
            raise InputError(
                f"{best.spec.parent.run_id}: no longer has the weights that {best.spec.run_id} started from"
            )
        load_shared_weights(model, start)  # embeddings of tokens that are not in the run's data
    load_shared_weights(model, weights)
    model.heads[meta.name].load_state_dict(head)
    return model.eval()


def _stock(model: MultiTaskModel, meta: TaskMeta, folder: Path) -> PreTrainedModel:
    """Return the architecture's stock model for the task, with the trained weights in fp32."""
    check_exportable(folder)
    config = load_config(folder)
    architecture = config.model_type
    kind, traits = STOCK[meta.kind], TRAITS[meta.kind]
    labels = {None: meta.outputs, 1: ("score",), 2: ("start", "end")}[traits.n_outputs]
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    if hasattr(config, "from_scratch"):
        del config.from_scratch
    config.update({name: value for name, value in kind.all_settings.items() if hasattr(config, name)})
    if kind.problem is not None:
        config.problem_type = kind.problem
    head, places = model.heads[meta.name], kind.layers[architecture]
    stock: PreTrainedModel = kind.auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
    if FORMS[architecture].pooler and not traits.reads_tokens:
        dense = head.get_submodule("dense") if model.pooler is None else model.pooler.get_submodule("dense")
        _copy(dense, stock.base_model.get_submodule("pooler.dense"))
    lost = stock.base_model.load_state_dict(model.encoder.state_dict(), strict=False)
    if lost.unexpected_keys or any(not name.startswith("pooler.") for name in lost.missing_keys):
        raise ValueError(f"{architecture}: its stock classifier contains a different encoder")
    for theirs, ours in places.items():
        _copy(head.get_submodule(ours), operator.attrgetter(theirs)(stock))
    if meta.scale is not None:
        [output] = [operator.attrgetter(theirs)(stock) for theirs, ours in places.items() if ours == "output"]
        _in_unit_of_data(output, meta.scale)
    stock.eval()
    return stock


def check_has_weight(spec: RunSpec, name: str) -> None:
    """Raise ``InputError`` if the task had the weight 0 in this run, so that its head is beside another encoder."""
    if len(spec.tasks) > 1 and loss_weights(spec.recipe.loss_weight).get(name) == 0:
        raise InputError(f"{spec.run_id}: {name} has the loss weight 0 there; give a run that trains the encoder on it")


@torch.no_grad()
def _in_unit_of_data(output: nn.Module, scale: Scale) -> None:
    """Change the last layer of a regression so that outputs have the unit of the data."""
    for name, weight in output.named_parameters():
        weight.mul_(scale.sd)
        if name == "bias":
            weight.add_(scale.mean)


def _copy(source: nn.Module, target: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


def _tokenizer(folder: Path, longest: int, *, has_token_types: bool) -> Any:
    tokenizer = load_tokenizer(folder)
    tokenizer.model_max_length = longest
    inputs = ["input_ids", *["token_type_ids"] * has_token_types, "attention_mask"]
    tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = inputs
    return tokenizer
