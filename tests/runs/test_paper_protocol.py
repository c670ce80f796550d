"""Departures from the released code: every line is complete, and a study lists its own."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskaffinity.runs.departures import DEPARTURES, Departure
from taskaffinity.runs.paper_protocol import (
    FILE,
    departures_of,
    describe_departures,
    describe_protocol,
    write_departures,
)
from taskaffinity.runs.recipe import PAPER_REFINE, REFINE
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import StudiedTask, Study

ROOT = Path(__file__).parents[2]
CARD = StudiedTask("a", "A", "inference", "accuracy", "f1", {"train": 9, "dev": 3, "test": 4})
HONEST = Study("mine", (CARD,), EncoderRef("bert", "e1"), REFINE, (0,))
PAPER = replace(HONEST, recipe=PAPER_REFINE, protocol="paper")
TOPICS = {
    "the epoch": "best test score",
    "frozen mini-batches": "Mini-batches are drawn anew",
    "order of pairs": "two texts of a pair",
    "token classes": "X, CLS and SEP",
    "dropout of taggers": "dropout before a tagger",
    "dropout of the encoder": "sets it to 0.1",
    "split of test sentences": "after the last gold O",
    "sentences without O": "one word at a time",
    "long tagging inputs": "more than 128 tokens",
    "words without tokens": "without tokens",
    "dropped characters": "drops characters",
    "two long texts": "both too long",
    "sentence splitting": "spaCy",
    "rows of DDI": "26,023",
    "dev parts": "DDI, i2b2 2010, ShARe/CLEFE and ClinicalSTS",
    "mentions in parts": "--discontinuous parts",
    "I after O": "An I that follows no mention",
    "fine-tuning from a named epoch": "epoch 97",
    "duplicate rows": "duplicates",
    "masks": "Masks stand",
    "the single-task row": "another code base",
}
"""What an audit of the released code found, and words of the line that says it."""


def test_every_line_says_whom_it_concerns_and_how_much_it_is() -> None:
    for one in DEPARTURES:
        assert all(len(text) > 2 for text in (one.ours, one.theirs, one.concerns, one.size))
        assert re.search(r"not measured|below 0\.2 points|\d|^none|^one", one.size), one
        assert not any(text.endswith(".") for text in (one.ours, one.theirs, one.concerns, one.size))
        assert one.ours[0].isupper()
        assert one.theirs[0].islower()
    assert len({(one.ours, one.protocols) for one in DEPARTURES}) == len(DEPARTURES)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_papers_protocol_names_each_known_difference(topic: str) -> None:
    assert sum(TOPICS[topic] in str(one) for one in departures_of(PAPER)) == 1


def test_what_the_papers_protocol_does_is_no_departure_of_it() -> None:
    only_honest = {one.ours for one in departures_of(HONEST)} - {one.ours for one in departures_of(PAPER)}
    for words in ("Dev is not trained on", "Span F1 is strict", "The optimizer is Adamax", "Parts without a gradient"):
        assert sum(ours.startswith(words) for ours in only_honest) == 1


@pytest.mark.parametrize(
    "one", [one for one in DEPARTURES if one.removed_by], ids=lambda one: next(iter(one.removed_by))
)
def test_a_setting_that_follows_the_released_code_removes_its_line(one: Departure) -> None:
    settings: Mapping[str, Any] = one.removed_by
    new = replace(HONEST, recipe=replace(REFINE, similarity_targets="standardized"))
    study = PAPER if "paper" in one.protocols else new
    assert one in departures_of(study)
    assert one not in departures_of(replace(study, recipe=replace(study.recipe, **settings)))


def test_the_single_task_arm_has_one_line_that_its_baseline_decides() -> None:
    alone = replace(PAPER, baseline="paper-single", single_recipes={"a": PAPER_REFINE})
    before, after = departures_of(PAPER), departures_of(alone)
    assert len(before) == len(after)
    [default] = [one for one in before if one not in after]
    [offered] = [one for one in after if one not in before]
    assert "--baseline paper-single trains by these recipes" in default.theirs
    assert "with padding" in offered.theirs


def test_they_are_written_a_line_each_and_go_with_the_last_study_that_had_them(tmp_path: Path) -> None:
    write_departures(tmp_path, [HONEST, PAPER])
    title, *lines = (tmp_path / FILE).read_text().splitlines()
    assert title == f"--protocol paper: {len(lines)} departures from the paper's released code"
    assert lines == [f"* {one}" for one in departures_of(PAPER)]
    write_departures(tmp_path, [HONEST])
    assert not (tmp_path / FILE).exists()


def test_the_papers_protocol_is_never_named_without_them() -> None:
    assert describe_protocol(HONEST) == "dev scores choose the epoch, and test is scored once"
    n = len(departures_of(PAPER))
    assert describe_protocol(PAPER) == f"paper protocol ({n} departures from the released code: see departures.txt)"


def test_settings_that_leave_the_protocol_are_named_too(tmp_path: Path) -> None:
    short = replace(PAPER, recipe=replace(PAPER_REFINE, num_train_epochs=1, train_on_dev=False, threads=4))
    write_departures(tmp_path, [short])
    *lines, last = (tmp_path / FILE).read_text().splitlines()
    assert lines[1:] == [f"* {one}" for one in departures_of(PAPER)]
    assert (
        last == "Settings of this study that differ from the protocol's: num_train_epochs=1 (100), train_on_dev=false"
    )
    words = f"{len(departures_of(PAPER))} departures from the released code, and other settings: see {FILE}"
    assert describe_protocol(short) == f"paper protocol ({words})"


@pytest.mark.parametrize(
    "settings",
    [
        {"reversed_pairs": True, "released_classes": True, "encoder_dropout": 0.1},
        {"reversed_pairs": False, "train_on_dev": True},
    ],
)
def test_settings_of_the_released_code_or_of_no_effect_do_not_leave_the_protocol(settings: Mapping[str, Any]) -> None:
    study = replace(PAPER, recipe=replace(PAPER_REFINE, **settings))
    assert not any(line.startswith("Settings of") for line in describe_departures(study))
    assert "other settings" not in describe_protocol(study)


def test_the_size_of_strict_scoring_is_that_of_the_committed_studies() -> None:
    higher = []
    for folder in sorted((ROOT / "notebooks/real_stages").iterdir()):
        official, other = (
            list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))
            for name in ("stages.csv", "stages_other_metrics.csv")
        )
        strict = {(row["task"], row["stage"]): float(row["mean"]) for row in official if row["metric"] == "span_f1"}
        lenient = [row for row in other if row["metric"] == "span_f1_conlleval"]
        higher += [strict[row["task"], row["stage"]] - float(row["mean"]) for row in lenient]
    assert len(higher) == 9
    [line] = [one for one in DEPARTURES if one.ours.startswith("Span F1 is strict")]
    assert line.size.startswith(f"{min(higher):+.1f} to {max(higher):+.1f} points")


def test_the_size_of_a_split_at_gold_tags_is_that_of_its_benchmark() -> None:
    path = ROOT / "tests/benchmarks/results/gold_splits.csv"
    rows = [row for row in csv.DictReader(path.read_text().splitlines()) if row["train_examples"] == "1500"]
    chemical, disease = (float(row["f1_gold"]) - float(row["f1_punctuation"]) for row in rows)
    [split] = [one.size for one in DEPARTURES if one.ours.startswith("Dev and test sentences")]
    assert f"scores {chemical:.1f} points higher on BC5CDR chemical and {disease:.1f} on BC5CDR disease" in split
    [never] = [one.size for one in DEPARTURES if one.ours.startswith("A word is never predicted")]
    assert {row["token_classes"] for row in rows} == {"0"}
    assert f"none of {sum(int(row['words']) for row in rows):,} test words" in never
