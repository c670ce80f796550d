"""Tokens that the encoder does not know are counted before training, stored, and named in every text about a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

import taskaffinity as ta
from taskaffinity.analysis.captions import caption
from taskaffinity.analysis.cautions.advice import describe_advice
from taskaffinity.analysis.cautions.notes import arrow_notes
from taskaffinity.analysis.measure import measure
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.studied_task import StudiedTask
from taskaffinity.runs.study import Study
from taskaffinity.studies import data_facts
from taskaffinity.studies.data_facts import data_lines, with_data_facts
from taskaffinity.studies.define import define
from taskaffinity.tasks.reading import Reading
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.task import SPLITS, Example, Kind, Split, Task
from taskaffinity.training.encoders.load import Encoder, tiny_encoder
from taskaffinity.training.execute import prepare
from taskaffinity.training.inputs.tokenize import encode_task
from taskaffinity.training.setup import encoded_folder, encoding_options

KNOWN = ["red", "dog", "##s"]
SENTENCE = (
    "Many tokens are not in the vocabulary of the encoder, which reads the same unknown token for all of them: "
    "{}. Take an encoder of the language and the symbols of these texts."
)


def task(name: str, kind: Kind) -> Task:
    """Of ``a red dogs ไทย 한``, ``red dog ##s`` are known and three words are not."""

    def examples(split: Split) -> tuple[Example, ...]:
        texts = ["a red dogs ไทย 한", "dog"] if split == "train" else ["red dogs"] * 19 + ["dog ☑"]
        if kind == "ner":
            tags = ("B-x", "O")
            return tuple(
                Example(f"{split}{n}", tuple(tags[i > 0] for i in range(len(text.split()))), words=tuple(text.split()))
                for n, text in enumerate(texts)
            )
        return tuple(
            Example(f"{split}{n}", "xy"[n % 2], text=text, text_pair="dog" if kind == "inference" else None)
            for n, text in enumerate(texts)
        )

    labels = ("x",) if kind == "ner" else ("x", "y")
    return Task(name, kind, examples, labels)


SUITE = Suite("toy", (task("one", "classification"), task("two", "inference"), task("tags", "ner")))
SHARES = {
    # train: a, ไทย and 한 of a red dog ##s ไทย 한 dog; test: ☑ of 19 times red dog ##s, and dog ☑
    "one": {"train": round(3 / 7, 4), "dev": round(1 / 59, 4), "test": round(1 / 59, 4)},
    "two": {"train": round(3 / 9, 4), "dev": round(1 / 79, 4), "test": round(1 / 79, 4)},
    "tags": {"train": round(3 / 7, 4), "dev": round(1 / 59, 4), "test": round(1 / 59, 4)},
}
NONE: dict[str, dict[str, float]] = {name: {} for name in SHARES}


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Encoder:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))
    return tiny_encoder(KNOWN, tmp_path / "cache", layers=1, width=16)


def found(study: Study) -> dict[str, dict[str, float]]:
    return {card.name: dict(card.unknown_tokens) for card in study.tasks}


def test_the_shares_are_those_of_words_outside_of_the_vocabulary(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = define(SUITE, encoder=str(encoder.folder), recipe=Recipe(max_length=16), seeds=(0, 1))
    results = tmp_path / "results"
    assert found(with_data_facts(study, SUITE, encoder, results)) == NONE  # not tokenized yet
    prepare(SUITE.tasks, encoder, study.recipe, cache_folder())
    known = with_data_facts(study, SUITE, encoder, results)
    assert found(known) == SHARES
    named = "one (43% of train), two (33% of train), tags (43% of train)"
    assert SENTENCE.format(named) in data_lines(known, SUITE, None)
    known.write(results)
    data_facts._unknown_and_special.cache_clear()
    monkeypatch.setattr(data_facts, "load_tokenizer", lambda _: pytest.fail("the stored shares suffice"))
    assert found(with_data_facts(study, SUITE, encoder, results)) == SHARES
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "emptied"))
    assert found(with_data_facts(study, SUITE, encoder, results)) == SHARES
    longer = replace(study, recipe=replace(study.recipe, max_length=32))
    assert found(with_data_facts(longer, SUITE, encoder, results)) == NONE


def test_tokens_that_are_cut_do_not_count(encoder: Encoder, tmp_path: Path) -> None:
    """Of ``red red red red red red ไทย ไทย``, 8 tokens with both special ones are six times red."""

    def examples(split: Split) -> list[Example]:
        return [Example(f"{split}{n}", "xy"[n], text="red " * 6 + "ไทย ไทย") for n in range(2)]

    whole = Task("whole", "classification", examples, ("x", "y"), reading=Reading(max_length=10))
    suite = Suite("toy", (replace(whole, name="cut", reading=Reading()), whole))
    study, _ = define(suite, encoder=str(encoder.folder), recipe=Recipe(max_length=8), seeds=(0, 1))
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    shares = found(with_data_facts(study, suite, encoder, tmp_path))
    assert shares == {"cut": dict.fromkeys(SPLITS, 0.0), "whole": dict.fromkeys(SPLITS, 0.25)}


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_broken_cache_is_left_to_training(encoder: Encoder, content: bytes) -> None:
    recipe = Recipe(max_length=16)
    prepare(SUITE.tasks, encoder, recipe, cache_folder())
    one = SUITE.tasks[0]
    folder = encoded_folder(cache_folder(), one.fingerprint, encoder.ref.fingerprint, recipe)
    for name, count in (("pieces", data_facts._unknown_tokens), ("bounds", data_facts._long_rows)):
        (folder / "test" / f"{name}.npy").write_bytes(content)
        assert count(one, encoder, recipe) == {}


@pytest.mark.parametrize("unknown", [{}, {"unk_token": "<pad>"}, {"unk_token": "<unk>"}])
def test_a_tokenizer_of_bytes_knows_every_token(
    unknown: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path / "cache"))
    learned = ByteLevelBPETokenizer()
    learned.train_from_iterator(["red dogs"], vocab_size=300, special_tokens=["<s>", "</s>", "<pad>", "<unk>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learned._tokenizer, cls_token="<s>", sep_token="</s>", pad_token="<pad>", **unknown
    )
    tokenizer.save_pretrained(tmp_path / "encoder")
    encoder = Encoder(tmp_path / "encoder", EncoderRef("bytes", f"{len(unknown)}{unknown.get('unk_token', '')}"))
    recipe = Recipe(max_length=64)
    for one in SUITE:
        folder = encoded_folder(cache_folder(), one.fingerprint, encoder.ref.fingerprint, recipe)
        encode_task(one, tokenizer, folder, **encoding_options(recipe))
        assert data_facts._unknown_tokens(one, encoder, recipe) == {"train": 0.0, "dev": 0.0, "test": 0.0}


@pytest.mark.parametrize("domain", ["clinical", "planted-8"])
def test_the_synthetic_suites_have_none(domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKAFFINITY_CACHE", str(tmp_path))
    suite = ta.load_suite(domain)
    study, encoder = define(suite, seeds=(0, 1))
    prepare(suite.tasks, encoder, study.recipe, cache_folder())
    for shares in found(with_data_facts(study, suite, encoder, tmp_path / "results")).values():
        assert shares.keys() == {"train", "dev", "test"}
        assert not any(shares.values())


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"train": 0.62, "dev": 0.9, "test": 0.05}, "62% of train, 5% of test"),
        ({"train": 0.049, "dev": 0.9, "test": 0.0}, ""),
    ],
    ids=["many", "few"],
)
def test_notes_of_both_tasks_advice_and_caption_name_them(shares: dict[str, float], words: str, tmp_path: Path) -> None:
    study = make_study(["a", "b", "c"])
    study = replace(study, tasks=(replace(study.tasks[0], unknown_tokens=shares), *study.tasks[1:]))
    study.write(tmp_path)
    assert Study.load(tmp_path).tasks[0].unknown_tokens == shares
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=400)))
    for arrow in ((0, 1), (1, 0)):
        assert arrow_notes(matrix, arrow) == [f"a has unknown tokens ({words})"] * bool(words)
    assert arrow_notes(matrix, (1, 2)) == []
    sentence = SENTENCE.format(f"A ({words})")
    assert (sentence in describe_advice(matrix)) == bool(words)
    assert (sentence in caption(matrix)) == bool(words)
    assert ("Many tokens" in caption(matrix)) == bool(words)


def test_facts_of_other_runs_name_them() -> None:
    rows = [(t, s, seed, 0.5 + seed / 10) for t, s in (("a", ""), ("a", "b"), ("b", ""), ("b", "a")) for seed in (0, 1)]
    facts = pd.DataFrame([("a", "unknown", "train", 0.62)], columns=["task", "fact", "of", "value"])
    read = ta.PairwiseResults.from_scores(
        pd.DataFrame(rows, columns=["target", "source", "seed", "score"]), facts=facts
    )
    assert set(read.to_frame().notes) == {"a has unknown tokens (62% of train)"}
    table = read.to_facts()
    assert table[table.fact == "unknown"].to_numpy().tolist() == [["a", "unknown", "train", "0.62"]]


def test_studies_of_older_versions_know_none() -> None:
    assert StudiedTask("a", "A", "ner", "span_f1", "f", {}).unknown_tokens == {}
