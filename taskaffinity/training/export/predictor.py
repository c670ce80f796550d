"""Predict labels of unlabelled texts with an exported model.

Texts are tokenized as in training. For a tagger, running text is split into words as ``taskaffinity data`` splits it:
a word is a run of letters, digits and underscores, one Chinese character or kana, or one other character. Long
sentences are split after punctuation, as in dev and test. An ``I`` tag that follows no mention begins one, as in a
stock pipeline. A text of more than ``max_length`` tokens is read in windows if the task has some; otherwise its end is
cut, and its words have no mention.

``pipeline("token-classification", aggregation_strategy="first")`` gives the same mentions on sentences of up to
``max_words`` words if the tokenizer is WordPiece (BERT, DistilBERT). Two exceptions: WordPiece tokenizers split at
underscores, and take a run of kana as a word.
"""

# B sequences, L the longest, W words of the batch, C classes

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from taskaffinity.errors import InputError
from taskaffinity.regular_file import read_regular
from taskaffinity.runs.limits import MOST_TOKENS
from taskaffinity.runs.stored.json_files import parse_model
from taskaffinity.tasks.answers import NO_ANSWER, answer_text, parse_place
from taskaffinity.tasks.kinds import TRAITS, option_names
from taskaffinity.tasks.mentions import lenient_mentions
from taskaffinity.tasks.standoff.tokens import word_spans
from taskaffinity.tasks.task import Example, Label
from taskaffinity.tasks.unlabelled import Unlabelled
from taskaffinity.training.encoders.files import NO_CODE, check_encoder_files
from taskaffinity.training.encoders.load import load_tokenizer
from taskaffinity.training.encoders.load_errors import as_input_error
from taskaffinity.training.export.stock import STOCK
from taskaffinity.training.inputs.answers import best_answers
from taskaffinity.training.inputs.batches import Batch, make_batch
from taskaffinity.training.inputs.encoded import EncodedSplit, TaskMeta, meta_of
from taskaffinity.training.inputs.padded import padded
from taskaffinity.training.inputs.tokenize import encode_examples
from taskaffinity.training.outputs import outputs_of_examples
from taskaffinity.training.prediction import EVALUATION_TOKENS, batches_by_tokens, tags_of_sentences

ABOUT = "taskaffinity.json"
"""File with the task, its run, and the limits on the length of texts."""

_AT_ONCE = 1024
"""Number of texts that are read ahead. They are batched by length to avoid padding."""

Span = tuple[int, int]


@dataclass(frozen=True)
class _About:
    """The content of ``ABOUT`` that prediction needs."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    task: dict[str, Any]
    max_length: Annotated[int, Field(ge=1, le=MOST_TOKENS)]
    max_words: Annotated[int, Field(ge=1, le=MOST_TOKENS)]


class Predictor:
    """A model loaded from a folder that ``export`` wrote."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """
        Raises
        ------
        InputError
            If ``taskaffinity export`` did not write the folder, or a part of it is missing or damaged.
        """
        if not (folder / ABOUT).is_file():
            raise InputError(
                f"{folder}: no {ABOUT} here; expected a folder that `taskaffinity export` wrote, or a results folder "
                "and --task"
            )
        check_encoder_files(folder)
        with as_input_error(f"{folder}: not a complete folder of `taskaffinity export`; export the task again"):
            about: _About = parse_model(read_regular(folder / ABOUT), _About)
            self.meta: TaskMeta = meta_of(about.task)
            self.max_length, self.max_words = about.max_length, about.max_words
            auto = STOCK[self.meta.kind].auto
            self.model, info = auto.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True, weights_only=True, **NO_CODE
            )
            self.model.eval()
            if info["missing_keys"]:  # transformers draws them at random
                raise ValueError("weights are missing")
            n_outputs = TRAITS[self.meta.kind].n_outputs or len(self.meta.outputs)
            if self.model.config.num_labels != n_outputs or min(self.max_length - 7, self.max_words) < 1:
                raise ValueError("another model than that of the task")
        self.model.to(device)  # outside the block, because a full GPU is no fault of the folder
        self.tokenizer = load_tokenizer(folder)
        self.device = device

    def predict(self, rows: Iterable[Unlabelled]) -> Iterator[tuple[Unlabelled, dict[str, Any]]]:
        """Yield each row with its prediction, in order.

        Up to 1,024 rows are read ahead. The keys of a prediction depend on the task:

        * ``label``, its ``probability`` and all ``probabilities`` for a class, or for the letters of options;
        * ``score`` for a similarity or a regression;
        * ``answer``, its ``start`` and ``end`` in the text, its ``probability`` and ``probability_of_none`` for spans;
          an empty ``answer`` without a place if the text has none;
        * ``labels``, those with a probability above 0.5, and all ``probabilities`` for multilabel;
        * ``entities`` for tagging, each with ``type``, ``start`` and ``end``: its first character and its last
          character + 1 in the text, or in the words joined by spaces if the row has split words;
        * ``tags`` too, one per word, if the row has split words.
        """
        remaining = iter(rows)
        while ahead := list(islice(remaining, _AT_ONCE)):
            by_form = {"tags": self._mentions, "option": self._choices, "answers": self._answers}
            predictions = by_form.get(TRAITS[self.meta.kind].label, self._labels)(ahead)
            yield from zip(ahead, predictions, strict=True)

    def outputs(self, split: EncodedSplit) -> list[Tensor]:
        """Outputs of the model for each example: ``(1, C)``; for tagging for each row: ``(W, C)``."""
        of_row: dict[int, Tensor] = {}
        for units in batches_by_tokens(split.unit_lengths, EVALUATION_TOKENS[self.device]):
            batch = make_batch(self.meta.name, split, split.rows_of(units))
            sizes = np.diff(split.word_bounds)[batch.rows] if split.is_tagging else np.ones(len(batch.rows), dtype=int)
            outputs = self._forward(batch.to(self.device)).cpu().split(sizes.tolist())
            of_row |= dict(zip(batch.rows.tolist(), outputs, strict=True))
        return [of_row[row] for row in range(split.n_units)]

    @torch.inference_mode()
    def _forward(self, batch: Batch) -> Tensor:
        inputs, places = padded(batch, self.model.config)
        if self.meta.n_options:  # a stock model takes (examples, options, L); here all are options of one example
            inputs = {name: values[None] for name, values in inputs.items()}
        found = self.model(**inputs)
        is_answer = TRAITS[self.meta.kind].label == "answers"
        logits = torch.stack([found.start_logits, found.end_logits], dim=-1) if is_answer else found.logits
        outputs: Tensor = logits.float()  # (B, C) or (B, L, C) or (1, B)
        if batch.owners is not None:
            outputs = outputs.view(-1, 1) if self.meta.n_options else outputs
            return outputs_of_examples(self.meta, outputs, batch.owners, len(batch.targets))
        if not TRAITS[self.meta.kind].reads_tokens:
            return outputs
        return outputs.flatten(0, 1).index_select(0, places.index_select(0, batch.layout.read))

    def _labels(self, rows: Sequence[Unlabelled]) -> Iterator[dict[str, Any]]:
        form = TRAITS[self.meta.kind].label
        nothing: Label = 0.0 if form == "score" else () if form == "classes" else self.meta.outputs[0]
        examples = [Example(str(row.line), nothing, row.text, row.text_pair) for row in rows]
        for output in self.outputs(self._encoded(examples)):
            if form == "score":
                yield {"score": float(output[0, 0])}
            elif form == "classes":
                sigmoids = dict(zip(self.meta.outputs, torch.sigmoid(output[0]).tolist(), strict=True))
                yield {"labels": [name for name, p in sigmoids.items() if p > 0.5], "probabilities": sigmoids}
            else:
                chances = torch.softmax(output[0], dim=0).tolist()
                best = int(torch.argmax(output[0]))
                of_each = dict(zip(self.meta.outputs, chances, strict=True))
                yield {"label": self.meta.outputs[best], "probability": chances[best], "probabilities": of_each}

    def _choices(self, rows: Sequence[Unlabelled]) -> Iterator[dict[str, Any]]:
        names = option_names(max(len(row.options) for row in rows))
        self.meta = replace(self.meta, outputs=names, scored=names)  # perhaps more options than in training
        examples = [Example(str(row.line), "A", row.text, row.text_pair, options=row.options) for row in rows]
        for row, output in zip(rows, self.outputs(self._encoded(examples)), strict=True):
            chances = dict(zip(names, torch.softmax(output[0, : len(row.options)], dim=0).tolist(), strict=False))
            best = max(chances, key=chances.__getitem__)
            yield {"label": best, "probability": chances[best], "probabilities": chances}

    def _answers(self, rows: Sequence[Unlabelled]) -> Iterator[dict[str, Any]]:
        split = self._encoded([Example(str(row.line), (), row.text, row.text_pair) for row in rows])
        logits = [output.numpy() for output in self.outputs(split)]
        for row, best in zip(
            rows, best_answers(split, logits, can_abstain=NO_ANSWER in self.meta.outputs), strict=True
        ):
            start, end = parse_place(best.place) or (None, None)
            yield {
                "answer": answer_text(row.text_pair or "", best.place),
                "start": start,
                "end": end,
                "probability": best.probability,
                "probability_of_none": best.probability_of_none,
            }

    def _mentions(self, rows: Sequence[Unlabelled]) -> Iterator[dict[str, Any]]:
        spans = [_words(row) for row in rows]
        examples = []
        for row, places in zip(rows, spans, strict=True):
            words = row.words or tuple(row.text[start:end] for start, end in places)
            examples.append(Example(str(row.line), ("O",) * len(words), words=words))
        for row, places, tags in zip(rows, spans, self._tags(self._encoded(examples)), strict=True):
            entities = [
                {"type": name, "start": places[first][0], "end": places[last - 1][1]}
                for name, first, last in lenient_mentions(tags)
            ]
            yield {"tags": tags, "entities": entities} if row.words else {"entities": entities}

    def _tags(self, split: EncodedSplit) -> list[list[str]]:
        numbers = [torch.argmax(output, dim=-1).numpy() for output in self.outputs(split)]
        return tags_of_sentences(self.meta.outputs, split, numbers)

    def _encoded(self, examples: Sequence[Example]) -> EncodedSplit:
        return encode_examples(examples, self.tokenizer, self.meta, self.max_length, self.max_words, is_train=False)


def _words(row: Unlabelled) -> list[Span]:
    """Return the spans of a row's words in its text, or in its split words joined by spaces."""
    if not row.words:
        return word_spans(row.text, (0, len(row.text)))[0]
    starts = accumulate((len(word) + 1 for word in row.words), initial=0)
    return [(start, start + len(word)) for start, word in zip(starts, row.words, strict=False)]
