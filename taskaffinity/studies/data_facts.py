"""Find facts about the data of a study: sizes in use, long rows, unknown tokens, leaks.

They are stored with the study.
"""

from __future__ import annotations

import io
import math
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from taskaffinity.analysis.cautions.few_updates import describe_few_updates
from taskaffinity.analysis.cautions.of_data import (
    describe_leaks,
    describe_long_rows,
    describe_repeated,
    describe_unknown_tokens,
    describe_used_sizes,
)
from taskaffinity.analysis.statistics.documents import effective_number, few_documents_warning, unit_of
from taskaffinity.regular_file import open_regular, read_regular
from taskaffinity.runs.files import cache_folder
from taskaffinity.runs.recipe import Recipe
from taskaffinity.runs.studied_task import Leak, StudiedTask
from taskaffinity.runs.study import Study, has_study
from taskaffinity.tasks.catalog import LISTED
from taskaffinity.tasks.compared_text import whole_input
from taskaffinity.tasks.kinds import CLASS_KINDS
from taskaffinity.tasks.secondary_metrics import documents_of
from taskaffinity.tasks.splits import is_test, test_sets_of
from taskaffinity.tasks.suite import Suite
from taskaffinity.tasks.survey import leaks
from taskaffinity.tasks.task import Task
from taskaffinity.training.encoders.load import Encoder, load_tokenizer
from taskaffinity.training.setup import encoded_folder


def find_leaks(suite: Suite, suite_file: Path | None) -> tuple[Leak, ...]:
    """Return the evaluation examples that are also training examples, and test examples that are also in dev.

    The list is empty unless the suite is the user's: of a suite file, or made in memory.
    """
    if suite_file is None and (suite.synthetic or suite.name in LISTED):
        return ()
    return tuple(Leak(found.task, found.other, found.described()) for found in leaks(suite.tasks))


def with_data_facts(study: Study, suite: Suite, encoder: Encoder, root: Path, leaked: Sequence[Leak] = ()) -> Study:
    """Return the study with facts about its data.

    Lengths and unknown tokens are read from the cache of tokenized tasks. If no run is pending, the cache may lack a
    task. Then the lengths are those stored in the results folder. Stored shares of unknown tokens are always used,
    because to count them takes the tokenizer.
    """
    stored = _stored_cards(study, root)
    cards = []
    for card, task in zip(study.tasks, suite.tasks, strict=True):
        known = stored.get(card.name)
        cards.append(
            replace(
                card,
                used=used_sizes(task, study.recipe),
                long_rows=_long_rows(task, encoder, study.recipe) or (known.long_rows if known else {}),
                unknown_tokens=(known and known.unknown_tokens) or _unknown_tokens(task, encoder, study.recipe),
                repeated=repeated_texts(task, study.recipe),
                has_negative=task.negative is not None if task.kind in CLASS_KINDS else None,
            )
        )
    return replace(study, tasks=tuple(cards), leaks=tuple(leaked))


def used_sizes(task: Task, recipe: Recipe) -> dict[str, int]:
    """Return the number of examples of each split that a run of this recipe uses."""
    sizes = {split: len(task.examples[split]) for split in task.splits}
    train = [*task.examples["train"], *(task.examples["dev"] if recipe.trains_on_dev else ())]
    sizes["train"] = len(train)
    if recipe.negatives_per_positive is not None and task.negative is not None:
        negatives = sum(example.label == task.negative for example in train)
        positives = len(train) - negatives
        sizes["train"] = positives + min(negatives, max(1, round(recipe.negatives_per_positive * positives)))
    limits = {split: recipe.max_examples(split) for split in sizes}
    return {split: size if (limit := limits[split]) is None else min(size, limit) for split, size in sizes.items()}


def data_lines(study: Study, suite: Suite, suite_file: Path | None) -> list[str]:
    """Return lines on the limits of a study's data, before training."""
    leaked = describe_leaks(study)
    if leaked and suite_file is not None:
        leaked.append(f"all leaks: taskaffinity data inspect {shlex.quote(str(suite_file))}")
    return [
        *leaked,
        *describe_long_rows(study),
        *describe_unknown_tokens(study),
        *describe_used_sizes(study),
        *describe_repeated(study, study.rule),
        *describe_few_updates(study),
        *few_documents_lines(suite, study),
    ]


def few_documents_lines(suite: Suite, study: Study) -> list[str]:
    """Name tasks with few effective test documents or examples, before training.

    With ``max_eval_examples``, the documents of the test set are known only after training.
    """
    if study.recipe.max_eval_examples is not None or study.rule.estimand != "population":
        return []
    effective: dict[str, tuple[float, str]] = {}
    for task in suite.tasks:
        for split in filter(is_test, task.splits):
            examples = task.examples[split]
            ids, gold = [example.id for example in examples], [example.label for example in examples]
            numbers = documents_of("", ids, [example.document for example in examples])
            items = task.metric.items(task.metric.tally(gold, gold, task.scored))
            sizes = items if numbers is None else np.bincount(numbers, weights=items)
            name = " @ ".join([task.title, *test_sets_of([split])])
            effective[name] = effective_number(sizes), unit_of(len(sizes), len(examples))
    return few_documents_warning(effective)


def repeated_texts(task: Task, recipe: Recipe) -> dict[str, float]:
    """Return by test split how many times the standard error over examples grows if rows of one text are one unit.

    Equal texts have equal predictions. So m copies of a row add m times its influence, as a document of m rows does.
    Rows weigh by their gold items. Splits with documents are left out, and those of which a run uses a sample.
    """
    found = {}
    for split in filter(is_test, task.splits):
        examples = task.examples[split]
        most = recipe.max_examples(split)
        if any(example.document for example in examples) or (most is not None and most < len(examples)):
            continue
        numbers = documents_of("", [example.id for example in examples], [whole_input(one) for one in examples])
        gold = [example.label for example in examples]
        items = task.metric.items(task.metric.tally(gold, gold, task.scored))
        if numbers is not None and items.any():
            together = np.bincount(numbers, weights=items)
            found[split] = round(max(1.0, math.sqrt(float((together**2).sum() / (items**2).sum()))), 4)
    return found


def _long_rows(task: Task, encoder: Encoder, recipe: Recipe) -> dict[str, float]:
    """Return the share of rows of each split that may be cut; empty if the cache lacks the task."""
    if task.reading.has_windows:
        return dict.fromkeys(task.splits, 0.0)
    folder = encoded_folder(cache_folder(), task.fingerprint, encoder.ref.fingerprint, recipe)
    longest, shares = task.reading.max_length or recipe.max_length, dict[str, float]()
    for split in task.splits:
        try:
            lengths = np.diff(np.load(io.BytesIO(read_regular(folder / split / "bounds.npy"))))
        except (OSError, ValueError, EOFError):  # training will report a broken cache
            return {}
        shares[split] = round(float((lengths >= longest).mean()), 4) if len(lengths) else 0.0
    return shares


def _unknown_tokens(task: Task, encoder: Encoder, recipe: Recipe) -> dict[str, float]:
    """Return the share of tokens of each split that the encoder does not know; empty if the cache lacks the task."""
    folder = encoded_folder(cache_folder(), task.fingerprint, encoder.ref.fingerprint, recipe)
    shares = dict[str, float]()
    for split in task.splits:
        try:
            with open_regular(folder / split / "pieces.npy") as file:
                tokens = np.load(file)
        except (OSError, ValueError, EOFError):  # training will report a broken cache
            return {}
        unknown, special = _unknown_and_special(encoder)
        n_unknown = 0 if unknown is None else int(np.count_nonzero(tokens == unknown))
        n_read = tokens.size - sum(int(np.count_nonzero(tokens == number)) for number in special)
        shares[split] = round(n_unknown / max(n_read, 1), 4)
    return shares


@lru_cache(maxsize=8)
def _unknown_and_special(encoder: Encoder) -> tuple[int | None, frozenset[int]]:
    """Return the ids of the tokenizer's unknown token and of its other special tokens.

    The first is None if there is no unknown token, or if it also has another role.
    """
    tokenizer = load_tokenizer(encoder.folder)
    unknown = tokenizer.unk_token_id
    roles = {getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "cls", "sep", "pad", "mask")}
    special = frozenset(tokenizer.all_special_ids)
    return (None, special) if unknown is None or unknown in roles else (unknown, special - {unknown})


def _stored_cards(study: Study, root: Path) -> dict[str, StudiedTask]:
    """Return the stored tasks of the same data, encoder and lengths, by name."""
    if not has_study(root, study.design):
        return {}
    stored, recipe = Study.load(root, study.design), study.recipe
    same = (recipe.max_length, recipe.max_words, study.encoder.fingerprint)
    if (stored.recipe.max_length, stored.recipe.max_words, stored.encoder.fingerprint) != same:
        return {}
    return {card.name: card for card in stored.tasks if card.ref in study.refs}
