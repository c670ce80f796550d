"""Write an example suite for ``taskaffinity init``: three small tasks in three formats."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeVar

SUITE = "suite.yaml"
T = TypeVar("T")

_YAML = """\
# Your tasks for taskaffinity. Paths are relative to this file.
#
#   taskaffinity data inspect {place}                          sizes, lengths, labels, leaks
#   taskaffinity pairwise --suite {place} --dry-run            lists the runs, trains nothing
#   taskaffinity pairwise --suite {place}                      trains them; the graph is in results/example
#
# The default encoder is the paper's BlueBERT (PubMed), downloaded from the model hub; --encoder takes any folder or hub
# id. For a quick and rough first result:  --seeds 1 --set num_train_epochs=1

name: example                     # the name of the results folder and the graph

tasks:

  negation:                       # the task's name
    kind: classification          # or: inference, similarity, relation, regression, multilabel, choice, spans, ner
    path: negation                # a folder with train.csv, dev.csv and test.csv (.jsonl, .tsv, .conll)
    dev: 20%                      # ... or, without dev.csv, a share of train; equal ids, equal split
    columns: {{text: finding}}      # only for names other than: text, label, id
    title: Negation               # the name in figures

  entailment:
    kind: inference
    path:                         # or one file per split
      train: entailment/train.jsonl       # premise, hypothesis and label need no columns:
      dev: entailment/dev.jsonl           # neither do sentence1, sentence2, text, text_pair
      test: entailment/test.jsonl
    # labels: [entailment, neutral, contradiction]    # default: those of the training split
    # negative: neutral           # a class that is trained but not scored; for micro_f1 and macro_f1
    # metric: macro_f1            # default: accuracy; ner span_f1, similarity and regression pearson, relation micro_f1

  mentions:
    kind: ner
    path: mentions                # train.conll, ...: a word and its tag per line, a blank line after a sentence
    # format: conll               # jsonl, csv, tsv, conll or blue; default: by the suffix
"""

_SYMPTOMS = ("fever", "a cough", "a headache", "a rash", "nausea", "back pain", "chest pain", "fatigue")
_SINCE = ("since Monday", "this morning", "after the operation")
_DRUGS = ("aspirin", "ibuprofen", "folic acid", "codeine", "paracetamol", "zinc oxide")


def example_files(place: str) -> dict[str, str]:
    """Return the content of the suite file and its data files, by file name.

    Parameters
    ----------
    place
        Path of the suite file in the commands of its comment.
    """
    files = {SUITE: _YAML.format(place=place)}
    train, test = _split_rows(list(_negation()), (60, 36))
    for split, cells in (("train", train), ("test", test)):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([("finding", "label"), *cells])
        files[f"negation/{split}.csv"] = out.getvalue()
    for split, pairs in zip(("train", "dev", "test"), _split_rows(list(_entailment()), (60, 16, 20)), strict=True):
        rows = ({"premise": premise, "hypothesis": said, "label": label} for premise, said, label in pairs)
        files[f"entailment/{split}.jsonl"] = "".join(f"{json.dumps(row)}\n" for row in rows)
    for split, sentences in zip(("train", "dev", "test"), _split_rows(list(_mentions()), (60, 16, 20)), strict=True):
        blocks = ("".join(f"{word} {tag}\n" for word, tag in sentence) for sentence in sentences)
        files[f"mentions/{split}.conll"] = "\n".join(blocks)
    return files


def _split_rows(rows: list[T], sizes: Sequence[int]) -> list[list[T]]:
    """Shuffle rows with a fixed seed, and split them into parts of these sizes."""
    random.Random(0).shuffle(rows)
    return [rows[sum(sizes[:part]) : sum(sizes[: part + 1])] for part in range(len(sizes))]


def _negation() -> Iterator[tuple[str, str]]:
    leads = (("The patient reports", "present"), ("She has had", "present"), ("He denies", "absent"), ("No", "absent"))
    for (lead, label), symptom, since in product(leads, _SYMPTOMS, _SINCE):
        yield f"{lead} {symptom.removeprefix('a ') if lead == 'No' else symptom}, {since}.", label


def _entailment() -> Iterator[tuple[str, str, str]]:
    leads = (("The woman complains of", "entailment"), ("The boy came without", "contradiction"))
    for (lead, label), (number, symptom), other in product(leads, enumerate(_SYMPTOMS), range(6)):
        is_same = other > 1
        asked = symptom if is_same else _SYMPTOMS[(number + 1 + other) % len(_SYMPTOMS)]
        since = _SINCE[other % 3]
        said = f"{'Is there' if other < 4 else 'We see'} {asked}{'?' if other < 4 else '.'}"
        yield f"{lead} {symptom} {since}.", said, label if is_same else "neutral"


def _mentions() -> Iterator[list[tuple[str, str]]]:
    for (before, between), drug, symptom in product((("He took", "for"), ("We gave", "against")), _DRUGS, _SYMPTOMS):
        words = [(word, "O") for word in before.split()]
        words += _tagged(drug, "Drug")
        words += [(between, "O"), *_tagged(symptom.removeprefix("a "), "Symptom"), (".", "O")]
        yield words


def _tagged(phrase: str, kind: str) -> list[tuple[str, str]]:
    return [(word, f"{'I' if number else 'B'}-{kind}") for number, word in enumerate(phrase.split())]
